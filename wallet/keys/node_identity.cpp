#include "wallet/keys/node_identity.h"

#include <sodium.h>

namespace hedgerow::wallet {

namespace {

channel::Bytes domain_separated(std::string_view domain, channel::ByteView message) {
    ASSERT(domain.find('\0') == std::string_view::npos);
    channel::Bytes out;
    channel::append(out, channel::as_bytes("Hedgerow"));
    out.push_back(0);
    channel::append(out, channel::as_bytes(domain));
    out.push_back(0);
    channel::append(out, message);
    return out;
}

}  // namespace

WalletExpected<NodeIdentity> NodeIdentity::from_seed(channel::ByteView seed) {
    if (seed.size() != crypto_sign_SEEDBYTES) return channel::Unexpected{WalletFault::seed_size_wrong};
    ensure_sodium();
    NodeIdentity out;
    out.m_secret = SecretBytes(crypto_sign_SECRETKEYBYTES);
    out.m_curve_secret = SecretBytes(crypto_scalarmult_curve25519_SCALARBYTES);
    crypto_sign_seed_keypair(out.m_node_id.data.data(), out.m_secret.writable().data(), seed.data());
    ASSERT(crypto_sign_ed25519_sk_to_curve25519(out.m_curve_secret.writable().data(), out.m_secret.reveal().data()) ==
           0);
    ASSERT(crypto_scalarmult_curve25519_base(out.m_curve_public.data.data(), out.m_curve_secret.reveal().data()) == 0);
    return out;
}

SecretBytes NodeIdentity::seed() const {
    return SecretBytes::copy_of(m_secret.reveal().first(crypto_sign_SEEDBYTES));
}

NodeSignature NodeIdentity::sign(std::string_view domain, channel::ByteView message) const {
    const channel::Bytes text = domain_separated(domain, message);
    NodeSignature out;
    crypto_sign_detached(out.data.data(), nullptr, text.data(), text.size(), m_secret.reveal().data());
    return out;
}

bool verify_node_signature(const channel::NodeId& node, std::string_view domain, channel::ByteView message,
                           const NodeSignature& signature) {
    ensure_sodium();
    const channel::Bytes text = domain_separated(domain, message);
    return crypto_sign_verify_detached(signature.data.data(), text.data(), text.size(), node.data.data()) == 0;
}

std::optional<CurvePublic> curve_public_of(const channel::NodeId& node) {
    ensure_sodium();
    CurvePublic out;
    if (crypto_sign_ed25519_pk_to_curve25519(out.data.data(), node.data.data()) != 0) return std::nullopt;
    return out;
}

}  // namespace hedgerow::wallet
