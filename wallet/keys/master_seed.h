#pragma once

#include <string_view>

#include "wallet/keys/bip32.h"
#include "wallet/keys/bip39.h"
#include "wallet/keys/node_identity.h"
#include "wallet/keys/private_key.h"

namespace hedgerow::wallet {

/// The one secret of a wallet: a BIP-39 phrase, as its entropy, and the seed of it. Everything else that is secret
/// follows from it by the fixed rules below, so a phrase restores a wallet (wallet/README.md lists them; changing one
/// loses money).
class MasterSeed {
  public:
    /// A new wallet of 24 words (32 bytes of entropy).
    [[nodiscard]] static MasterSeed generate();
    /// The faults of entropy_from_mnemonic and seed_from_entropy, and path_key_invalid (2^-127).
    [[nodiscard]] static WalletExpected<MasterSeed> from_mnemonic(std::string_view phrase,
                                                                  std::string_view passphrase = {});

    /// What a seed file holds: entropy, passphrase. wallet_file_corrupt where decode meets anything else.
    [[nodiscard]] SecretBytes encode() const;
    [[nodiscard]] static WalletExpected<MasterSeed> decode(channel::ByteView bytes);

    [[nodiscard]] SecretBytes mnemonic() const;

    /// m/44'/60'/0'/0/index: owners and accounts; 0 pays for gas. key_index_out_of_range for 2^31 and above.
    [[nodiscard]] WalletExpected<PrivateKey> owner_key(std::uint32_t index) const;
    /// m/44'/60'/1'/0/index: the signer of the channel with that index.
    [[nodiscard]] WalletExpected<PrivateKey> signer_key(std::uint32_t index) const;
    [[nodiscard]] NodeIdentity node_identity() const;
    /// The watch secret of the channel with that index (spec 2.3). Never use an index for two channels: a challenge
    /// reveals it.
    [[nodiscard]] channel::Secret watch_secret(std::uint32_t index) const;
    /// A key for what this wallet alone encrypts, such as "imported keys" or "backup".
    [[nodiscard]] SecretBytes storage_key(std::string_view purpose) const;

    /// Constant time.
    [[nodiscard]] bool same_as(const MasterSeed& other) const { return m_seed.equals(other.m_seed.reveal()); }
    [[nodiscard]] MasterSeed clone() const;

  private:
    MasterSeed(SecretBytes entropy, SecretBytes passphrase, SecretBytes seed, ExtendedKey signers);
    [[nodiscard]] static WalletExpected<MasterSeed> make(SecretBytes entropy, std::string_view passphrase);
    [[nodiscard]] SecretBytes derive_secret(std::string_view domain, std::uint64_t index) const;

    SecretBytes m_entropy;
    SecretBytes m_passphrase;
    SecretBytes m_seed;
    ExtendedKey m_signers;  ///< m/44'/60'/1'/0: a node with many channels derives as many keys from it at start
};

}  // namespace hedgerow::wallet
