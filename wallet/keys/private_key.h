#pragma once

#include "channel/base/ids.h"
#include "wallet/keys/secret.h"
#include "wallet/keys/wallet_error.h"

namespace hedgerow::wallet {

/// A secp256k1 private key in protected memory, with its public half at hand. Signing is const and safe from several
/// threads.
class PrivateKey {
  public:
    /// 32 bytes, big-endian, in [1, n); key_out_of_range otherwise.
    [[nodiscard]] static WalletExpected<PrivateKey> from_bytes(channel::ByteView bytes);
    [[nodiscard]] static PrivateKey generate();

    /// ECDSA with the nonce of RFC 6979 (so the same digest always has the same signature), low-s, compact as EIP-2098.
    [[nodiscard]] channel::Signature sign(const channel::Digest& digest) const;
    [[nodiscard]] const channel::PublicKey& public_key() const { return m_public; }
    [[nodiscard]] const channel::Address& address() const { return m_address; }

    /// For export and sealing only.
    [[nodiscard]] const SecretBytes& secret() const { return m_secret; }
    [[nodiscard]] PrivateKey clone() const;

  private:
    PrivateKey(SecretBytes secret, const channel::PublicKey& key);
    SecretBytes m_secret;
    channel::PublicKey m_public;
    channel::Address m_address;
};

}  // namespace hedgerow::wallet
