#pragma once

#include <filesystem>

#include "wallet/keys/master_seed.h"
#include "wallet/keys/sealed.h"

/// Files of sealed secrets. They are created with mode 0600, whole or not at all, durable when the call returns, and
/// never written over. Operating-system faults are std::system_error, with the path and never any content.
namespace hedgerow::wallet {

/// A new file; wallet_exists where there is anything of that name, also when another process wins the race.
[[nodiscard]] WalletExpected<void> create_sealed_file(const std::filesystem::path& path, channel::ByteView sealed);
/// The file's bytes; wallet_missing, wallet_file_too_large, wallet_file_corrupt (not a regular file).
[[nodiscard]] WalletExpected<channel::Bytes> read_sealed_file(const std::filesystem::path& path);

/// The wallet's seed under a password, as sealed.h says; and the faults of create_sealed_file.
[[nodiscard]] WalletExpected<void> create_seed_file(const std::filesystem::path& path, const MasterSeed& seed,
                                                    std::string_view password,
                                                    const KdfParameters& kdf = default_kdf());
/// The faults of read_sealed_file and unseal.
[[nodiscard]] WalletExpected<MasterSeed> open_seed_file(const std::filesystem::path& path, std::string_view password);

}  // namespace hedgerow::wallet
