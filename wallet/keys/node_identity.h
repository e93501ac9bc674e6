#pragma once

#include <optional>
#include <string_view>

#include "channel/base/ids.h"
#include "wallet/keys/secret.h"
#include "wallet/keys/wallet_error.h"

namespace hedgerow::wallet {

using channel::NodeSignature;
using CurvePublic = channel::FixedBytes<32, struct CurvePublicTag>;      ///< X25519, what ZeroMQ's CURVE authenticates

/// A node's one identity (DESIGN 9): an Ed25519 key whose X25519 form is its CURVE key.
class NodeIdentity {
  public:
    /// From a 32-byte Ed25519 seed; seed_size_wrong otherwise.
    [[nodiscard]] static WalletExpected<NodeIdentity> from_seed(channel::ByteView seed);

    [[nodiscard]] const channel::NodeId& node_id() const { return m_node_id; }
    [[nodiscard]] const CurvePublic& curve_public() const { return m_curve_public; }
    [[nodiscard]] const SecretBytes& curve_secret() const { return m_curve_secret; }
    /// The 32-byte seed, for the transport that keeps its own copy.
    [[nodiscard]] SecretBytes seed() const;

    /// Ed25519 over `"Hedgerow" 0 domain 0 message`, so that a signature for one purpose (a receipt, gossip) is none
    /// for another. The domain holds no zero byte.
    [[nodiscard]] NodeSignature sign(std::string_view domain, channel::ByteView message) const;

  private:
    NodeIdentity() = default;
    SecretBytes m_secret;  ///< 64 bytes: seed and public key
    SecretBytes m_curve_secret;
    channel::NodeId m_node_id;
    CurvePublic m_curve_public;
};

[[nodiscard]] bool verify_node_signature(const channel::NodeId& node, std::string_view domain,
                                         channel::ByteView message, const NodeSignature& signature);

/// The X25519 form of a node's key; nothing where the bytes are no usable point (not on the curve, small order).
[[nodiscard]] std::optional<CurvePublic> curve_public_of(const channel::NodeId& node);

}  // namespace hedgerow::wallet
