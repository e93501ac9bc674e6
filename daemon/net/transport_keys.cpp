#include "daemon/net/transport_keys.h"

#include <sodium.h>

#include "channel/base/assert.h"

namespace hedgerow::daemon {

using channel::NodeId;

std::optional<CurveKey> curve_key_of(const NodeId& node_id) {
    CurveKey out;
    if (crypto_sign_ed25519_pk_to_curve25519(out.data.data(), node_id.data.data()) != 0) return std::nullopt;
    return out;
}

TransportKeys TransportKeys::from_seed(std::span<const std::uint8_t, 32> seed) {
    std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret_key{};
    NodeId ignored;
    ASSERT(crypto_sign_seed_keypair(ignored.data.data(), secret_key.data(), seed.data()) == 0);
    TransportKeys out = from_secret_key(secret_key);
    sodium_memzero(secret_key.data(), secret_key.size());
    return out;
}

TransportKeys TransportKeys::from_secret_key(std::span<const std::uint8_t, 64> secret_key) {
    TransportKeys out;
    ASSERT(crypto_sign_ed25519_sk_to_pk(out.m_node_id.data.data(), secret_key.data()) == 0);
    ASSERT(crypto_sign_ed25519_sk_to_curve25519(out.m_curve_secret.data(), secret_key.data()) == 0);
    const auto curve = curve_key_of(out.m_node_id);
    ASSERT(curve.has_value());
    out.m_curve_public = *curve;
    return out;
}

TransportKeys::~TransportKeys() {
    sodium_memzero(m_curve_secret.data(), m_curve_secret.size());
}

}  // namespace hedgerow::daemon
