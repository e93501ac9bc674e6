#include "wallet/keys/private_key.h"

#include <secp256k1_recovery.h>
#include <sodium.h>

#include <utility>

#include "channel/crypto/signature.h"
#include "wallet/keys/secp_context.h"

namespace hedgerow::wallet {

namespace {

secp256k1_context* make_context() {
    ensure_sodium();
    secp256k1_context* context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    std::array<std::uint8_t, 32> blinding{};
    const WipeOnExit wipe(blinding);
    randombytes_buf(blinding.data(), blinding.size());
    ASSERT(secp256k1_context_randomize(context, blinding.data()) == 1);
    return context;
}

channel::PublicKey public_key_of(channel::ByteView secret) {
    secp256k1_pubkey point;
    ASSERT(secp256k1_ec_pubkey_create(secp_context(), &point, secret.data()) == 1);
    std::array<std::uint8_t, 65> bytes{};
    std::size_t size = bytes.size();
    secp256k1_ec_pubkey_serialize(secp_context(), bytes.data(), &size, &point, SECP256K1_EC_UNCOMPRESSED);
    return *channel::PublicKey::from(channel::ByteView(bytes).subspan(1));
}

}  // namespace

const secp256k1_context* secp_context() {
    static const secp256k1_context* const context = make_context();
    return context;
}

PrivateKey::PrivateKey(SecretBytes secret, const channel::PublicKey& key)
    : m_secret(std::move(secret)), m_public(key), m_address(channel::address_of(key)) {}

WalletExpected<PrivateKey> PrivateKey::from_bytes(channel::ByteView bytes) {
    if (bytes.size() != 32) return channel::Unexpected{WalletFault::key_out_of_range};
    if (secp256k1_ec_seckey_verify(secp_context(), bytes.data()) != 1) {
        return channel::Unexpected{WalletFault::key_out_of_range};
    }
    return PrivateKey(SecretBytes::copy_of(bytes), public_key_of(bytes));
}

PrivateKey PrivateKey::generate() {
    for (;;) {  // repeats with probability 2^-128
        auto key = from_bytes(SecretBytes::random(32).reveal());
        if (key) return std::move(key).value();
    }
}

channel::Signature PrivateKey::sign(const channel::Digest& digest) const {
    secp256k1_ecdsa_recoverable_signature signature;
    ASSERT(secp256k1_ecdsa_sign_recoverable(secp_context(), &signature, digest.data.data(), m_secret.reveal().data(),
                                            secp256k1_nonce_function_rfc6979, nullptr) == 1);
    channel::Signature out;
    int recovery_id = 0;
    secp256k1_ecdsa_recoverable_signature_serialize_compact(secp_context(), out.data.data(), &recovery_id, &signature);
    // Ids 2 and 3 need an x coordinate at or above n, which nobody has ever found (2^-127); EIP-2098 has no room for
    // them.
    ASSERT(recovery_id == 0 || recovery_id == 1);
    if (recovery_id == 1) out.data[32] |= 0x80;
    return out;
}

PrivateKey PrivateKey::clone() const {
    return PrivateKey(m_secret.clone(), m_public);
}

}  // namespace hedgerow::wallet
