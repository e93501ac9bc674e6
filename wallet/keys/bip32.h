#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wallet/keys/private_key.h"

namespace hedgerow::wallet {

/// Child numbers from the master down; hardened ones have their top bit set.
using DerivationPath = std::vector<std::uint32_t>;
inline constexpr std::uint32_t kHardened = 0x80000000U;
inline constexpr std::size_t kMaxPathDepth = 16;

/// "m", "m/44'/60'/0'/0/7"; ' or h marks hardened. path_malformed (anything else, also empty parts, signs, leading
/// zeros), path_index_out_of_range (2^31 and above), path_too_deep.
[[nodiscard]] WalletExpected<DerivationPath> parse_path(std::string_view text);
[[nodiscard]] std::string format_path(const DerivationPath& path);

/// A BIP-32 private node: key and chain code.
class ExtendedKey {
  public:
    /// Of a seed of 16 to 64 bytes; seed_size_wrong otherwise, path_key_invalid for the seeds (2^-127) that have no
    /// master.
    [[nodiscard]] static WalletExpected<ExtendedKey> master(channel::ByteView seed);
    /// path_key_invalid for the numbers (2^-127) that have no key: BIP-32 says to go on with the next.
    [[nodiscard]] WalletExpected<ExtendedKey> child(std::uint32_t number) const;
    [[nodiscard]] WalletExpected<ExtendedKey> derive(const DerivationPath& path) const;

    [[nodiscard]] ExtendedKey clone() const;
    [[nodiscard]] const PrivateKey& key() const { return m_key; }
    [[nodiscard]] const SecretBytes& chain_code() const { return m_chain_code; }

  private:
    ExtendedKey(PrivateKey key, SecretBytes chain_code);
    PrivateKey m_key;
    SecretBytes m_chain_code;
};

}  // namespace hedgerow::wallet
