#pragma once

#include <string_view>

#include "wallet/keys/secret.h"
#include "wallet/keys/wallet_error.h"

/// BIP-39 phrases of the English list. Phrases are secret, so they come back in protected memory; reveal_text() reads
/// them.
namespace hedgerow::wallet {

inline constexpr std::size_t kSeedBytes = 64;
inline constexpr std::size_t kMaxPassphrase = 256;  ///< bytes

/// The phrase of 16, 20, 24, 28 or 32 bytes of entropy: 12, 15, 18, 21 or 24 words; entropy_size_wrong otherwise.
[[nodiscard]] WalletExpected<SecretBytes> mnemonic_from_entropy(channel::ByteView entropy);

/// The entropy of a phrase in any letter case and spacing: mnemonic_word_count, mnemonic_word_unknown,
/// mnemonic_checksum_wrong.
[[nodiscard]] WalletExpected<SecretBytes> entropy_from_mnemonic(std::string_view phrase);

/// The 64-byte seed of entropy and passphrase (PBKDF2-HMAC-SHA512, 2048 rounds). BIP-39 normalises passphrases to NFKD;
/// ASCII text is its own normal form, anything else is refused by passphrase_not_ascii rather than risk another seed
/// than the user's.
[[nodiscard]] WalletExpected<SecretBytes> seed_from_entropy(channel::ByteView entropy,
                                                            std::string_view passphrase = {});

}  // namespace hedgerow::wallet
