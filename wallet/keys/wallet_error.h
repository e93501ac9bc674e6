#pragma once

#include <cstdint>
#include <string_view>

#include "channel/base/expected.h"

namespace hedgerow::wallet {

/// What a phrase, key, password or wallet file can be refused for, by the name it has in JSON errors and logs. No error
/// carries any part of a secret.
// clang-format off
#define HEDGEROW_WALLET_FAULTS(X)                                                                                     \
    /* phrases */                                                                                                     \
    X(mnemonic_word_count) X(mnemonic_word_unknown) X(mnemonic_checksum_wrong) X(entropy_size_wrong)                  \
    X(passphrase_not_ascii) X(passphrase_too_long)                                                                    \
    /* keys and paths */                                                                                              \
    X(key_out_of_range) X(seed_size_wrong) X(path_malformed) X(path_too_deep) X(path_index_out_of_range)              \
    X(path_key_invalid) X(key_index_out_of_range)                                                                     \
    /* sealed files */                                                                                                \
    X(wallet_exists) X(wallet_missing) X(wallet_password_wrong) X(wallet_password_empty) X(wallet_password_too_long)  \
    X(wallet_file_truncated) X(wallet_file_corrupt) X(wallet_file_newer) X(wallet_file_too_large)                     \
    X(wallet_file_wrong_kind) X(wallet_key_wrong) X(kdf_out_of_range) X(kdf_out_of_memory)                            \
    /* keystore v3 */                                                                                                 \
    X(keystore_malformed) X(keystore_too_large) X(keystore_version_unsupported) X(keystore_cipher_unsupported)        \
    X(keystore_kdf_unsupported) X(keystore_kdf_out_of_range) X(keystore_mac_wrong) X(keystore_key_size_wrong)         \
    X(keystore_address_mismatch)                                                                                      \
    /* keyring */                                                                                                     \
    X(wallet_locked) X(wallet_other_seed) X(owner_unknown) X(import_limit)
// clang-format on

enum class WalletFault : std::uint8_t {
#define HEDGEROW_WALLET_FAULT_ENUMERATOR(name) name,
    HEDGEROW_WALLET_FAULTS(HEDGEROW_WALLET_FAULT_ENUMERATOR)
#undef HEDGEROW_WALLET_FAULT_ENUMERATOR
        count_
};

[[nodiscard]] std::string_view wallet_fault_name(WalletFault fault);

template <typename T>
using WalletExpected = channel::Expected<T, WalletFault>;

}  // namespace hedgerow::wallet
