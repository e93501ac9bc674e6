#pragma once

#include <string_view>

#include "wallet/keys/secret.h"
#include "wallet/keys/wallet_error.h"

/// Secrets at rest: Argon2id and XChaCha20-Poly1305 (libsodium) with a versioned header that is authenticated too.
/// Layout, little-endian: magic "HDGRSEAL" | version 1 | kind | kdf operations u32 | kdf memory u32 (KiB) | salt 16 |
/// nonce 24 | payload size u32 | ciphertext and tag | checksum 16. The checksum (BLAKE2b of all before it) tells damage
/// from a wrong password.
namespace hedgerow::wallet {

/// What a file is for; authenticated, so that one kind never passes for another.
enum class SealedKind : std::uint8_t { seed = 1, imported_keys = 2, backup = 3 };

struct KdfParameters {
    std::uint32_t operations = 3;           ///< passes, 1 to 16
    std::uint32_t memory_kib = 256 * 1024;  ///< 8 to 1,048,576 (1 GiB)
};
/// libsodium's MODERATE: 256 MiB, under a second.
[[nodiscard]] KdfParameters default_kdf();

inline constexpr std::size_t kMaxPassword = 1024;            ///< bytes
inline constexpr std::size_t kMaxSealedPayload = 64U << 20;  ///< bytes

/// Faults: wallet_password_empty, wallet_password_too_long, wallet_file_too_large, kdf_out_of_range, kdf_out_of_memory.
[[nodiscard]] WalletExpected<channel::Bytes> seal(channel::ByteView payload, std::string_view password, SealedKind kind,
                                                  const KdfParameters& kdf = default_kdf());

/// Faults, in the order in which they are looked for: wallet_file_truncated, wallet_file_corrupt (no such file, or
/// damaged), wallet_file_newer, wallet_file_too_large, kdf_out_of_range (no file makes us take more than 1 GiB),
/// wallet_file_wrong_kind, kdf_out_of_memory, wallet_password_wrong.
[[nodiscard]] WalletExpected<SecretBytes> unseal(channel::ByteView file, std::string_view password, SealedKind kind);

/// The same with a 32-byte key (MasterSeed::storage_key) instead of a password: no stretching, key parameters zero in
/// the header. A wrong key is wallet_key_wrong.
[[nodiscard]] WalletExpected<channel::Bytes> seal_with_key(channel::ByteView payload, const SecretBytes& key,
                                                           SealedKind kind);
[[nodiscard]] WalletExpected<SecretBytes> unseal_with_key(channel::ByteView file, const SecretBytes& key,
                                                          SealedKind kind);

}  // namespace hedgerow::wallet
