#pragma once

#include <optional>
#include <span>

#include "channel/base/ids.h"

namespace hedgerow::daemon {

using CurveKey = channel::FixedBytes<32, struct CurveKeyTag>;  ///< X25519 public key, what ZeroMQ's CURVE authenticates

/// The X25519 form of a node's Ed25519 key; nothing where the bytes are no usable point (not on the curve, small
/// order).
[[nodiscard]] std::optional<CurveKey> curve_key_of(const channel::NodeId& node_id);

/// A node's network identity (DESIGN 9): its Ed25519 public key and the X25519 pair derived from the same key. The
/// secret is wiped when the object dies.
class TransportKeys {
  public:
    /// From the 32-byte Ed25519 seed.
    [[nodiscard]] static TransportKeys from_seed(std::span<const std::uint8_t, 32> seed);
    /// From libsodium's 64-byte Ed25519 secret key (seed and public key).
    [[nodiscard]] static TransportKeys from_secret_key(std::span<const std::uint8_t, 64> secret_key);
    ~TransportKeys();
    TransportKeys(const TransportKeys&) = default;
    TransportKeys& operator=(const TransportKeys&) = default;

    [[nodiscard]] const channel::NodeId& node_id() const { return m_node_id; }
    [[nodiscard]] const CurveKey& curve_public() const { return m_curve_public; }
    [[nodiscard]] std::span<const std::uint8_t, 32> curve_secret() const { return m_curve_secret; }

  private:
    TransportKeys() = default;
    channel::NodeId m_node_id;
    CurveKey m_curve_public;
    std::array<std::uint8_t, 32> m_curve_secret{};
};

}  // namespace hedgerow::daemon
