#include "wallet/keys/sealed.h"

#include <sodium.h>

#include <array>
#include <cerrno>

namespace hedgerow::wallet {

namespace {

using channel::Unexpected;

constexpr std::string_view kMagic = "HDGRSEAL";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSalt = crypto_pwhash_SALTBYTES;
constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kKey = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kChecksum = 16;

constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kKindAt = 9;
constexpr std::size_t kOperationsAt = 10;
constexpr std::size_t kMemoryAt = 14;
constexpr std::size_t kSaltAt = 18;
constexpr std::size_t kNonceAt = kSaltAt + kSalt;
constexpr std::size_t kSizeAt = kNonceAt + kNonce;
constexpr std::size_t kHeader = kSizeAt + 4;

constexpr std::uint32_t kMaxOperations = 16;
constexpr std::uint32_t kMinMemoryKib = 8;
constexpr std::uint32_t kMaxMemoryKib = 1024 * 1024;

void write_le32(std::span<std::uint8_t> out, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint32_t read_le32(channel::ByteView bytes, std::size_t at) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) out |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
    return out;
}

std::array<std::uint8_t, kChecksum> checksum_of(channel::ByteView bytes) {
    std::array<std::uint8_t, kChecksum> out{};
    crypto_generichash_blake2b(out.data(), out.size(), bytes.data(), bytes.size(), nullptr, 0);
    return out;
}

bool in_range(const KdfParameters& kdf) {
    return kdf.operations >= 1 && kdf.operations <= kMaxOperations && kdf.memory_kib >= kMinMemoryKib &&
           kdf.memory_kib <= kMaxMemoryKib;
}

WalletExpected<SecretBytes> stretch(std::string_view password, const std::uint8_t* salt, const KdfParameters& kdf) {
    SecretBytes key(kKey);
    if (crypto_pwhash(key.writable().data(), key.size(), password.data(), password.size(), salt, kdf.operations,
                      std::size_t{kdf.memory_kib} * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return Unexpected{WalletFault::kdf_out_of_memory};
    }
    return key;
}

/// The header with fresh salt and nonce. Random 24-byte nonces do not repeat.
channel::Bytes new_header(SealedKind kind, const KdfParameters& kdf, std::size_t payload_size) {
    ensure_sodium();
    channel::Bytes out(kHeader);
    std::copy(kMagic.begin(), kMagic.end(), out.begin());
    out[kVersionAt] = kVersion;
    out[kKindAt] = static_cast<std::uint8_t>(kind);
    write_le32(std::span(out).subspan(kOperationsAt), kdf.operations);
    write_le32(std::span(out).subspan(kMemoryAt), kdf.memory_kib);
    randombytes_buf(&out[kSaltAt], kSalt + kNonce);
    write_le32(std::span(out).subspan(kSizeAt), static_cast<std::uint32_t>(payload_size));
    return out;
}

channel::Bytes encrypt(channel::Bytes header, channel::ByteView payload, const SecretBytes& key) {
    channel::Bytes out = std::move(header);
    out.resize(kHeader + payload.size() + kTag);
    ASSERT(crypto_aead_xchacha20poly1305_ietf_encrypt(&out[kHeader], nullptr, payload.data(), payload.size(),
                                                      out.data(), kHeader, nullptr, &out[kNonceAt],
                                                      key.reveal().data()) == 0);
    const auto checksum = checksum_of(out);
    channel::append(out, checksum);
    return out;
}

/// Everything that needs no key: shape, damage, version, size and kind.
WalletFault check_shape(channel::ByteView file) {
    const auto magic = channel::as_bytes(kMagic).first(std::min(kMagic.size(), file.size()));
    if (!std::equal(magic.begin(), magic.end(), file.begin())) return WalletFault::wallet_file_corrupt;
    if (file.size() <= kVersionAt) return WalletFault::wallet_file_truncated;
    if (file[kVersionAt] > kVersion) return WalletFault::wallet_file_newer;
    if (file[kVersionAt] == 0) return WalletFault::wallet_file_corrupt;
    if (file.size() < kHeader + kTag + kChecksum) return WalletFault::wallet_file_truncated;
    const std::size_t size = read_le32(file, kSizeAt);
    if (size > kMaxSealedPayload) return WalletFault::wallet_file_too_large;
    const std::size_t whole = kHeader + size + kTag + kChecksum;
    if (file.size() < whole) return WalletFault::wallet_file_truncated;
    if (file.size() > whole) return WalletFault::wallet_file_corrupt;
    const auto checksum = checksum_of(file.first(whole - kChecksum));
    if (!std::equal(checksum.begin(), checksum.end(), file.end() - kChecksum)) return WalletFault::wallet_file_corrupt;
    return WalletFault::count_;
}

WalletExpected<SecretBytes> decrypt(channel::ByteView file, const SecretBytes& key, WalletFault wrong_key) {
    SecretBytes out(read_le32(file, kSizeAt));
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out.writable().data(), nullptr, nullptr, &file[kHeader],
                                                   out.size() + kTag, file.data(), kHeader, &file[kNonceAt],
                                                   key.reveal().data()) != 0) {
        return Unexpected{wrong_key};
    }
    return out;
}

}  // namespace

KdfParameters default_kdf() {
    return {static_cast<std::uint32_t>(crypto_pwhash_OPSLIMIT_MODERATE),
            static_cast<std::uint32_t>(crypto_pwhash_MEMLIMIT_MODERATE / 1024)};
}

WalletExpected<channel::Bytes> seal(channel::ByteView payload, std::string_view password, SealedKind kind,
                                    const KdfParameters& kdf) {
    if (password.empty()) return Unexpected{WalletFault::wallet_password_empty};
    if (password.size() > kMaxPassword) return Unexpected{WalletFault::wallet_password_too_long};
    if (payload.size() > kMaxSealedPayload) return Unexpected{WalletFault::wallet_file_too_large};
    if (!in_range(kdf)) return Unexpected{WalletFault::kdf_out_of_range};
    channel::Bytes header = new_header(kind, kdf, payload.size());
    const auto key = stretch(password, &header[kSaltAt], kdf);
    if (!key) return Unexpected{key.error()};
    return encrypt(std::move(header), payload, *key);
}

WalletExpected<SecretBytes> unseal(channel::ByteView file, std::string_view password, SealedKind kind) {
    ensure_sodium();
    const WalletFault fault = check_shape(file);
    if (fault != WalletFault::count_) return Unexpected{fault};
    const KdfParameters kdf{read_le32(file, kOperationsAt), read_le32(file, kMemoryAt)};
    if (!in_range(kdf)) return Unexpected{WalletFault::kdf_out_of_range};
    if (file[kKindAt] != static_cast<std::uint8_t>(kind)) return Unexpected{WalletFault::wallet_file_wrong_kind};
    if (password.empty() || password.size() > kMaxPassword) return Unexpected{WalletFault::wallet_password_wrong};
    const auto key = stretch(password, &file[kSaltAt], kdf);
    if (!key) return Unexpected{key.error()};
    return decrypt(file, *key, WalletFault::wallet_password_wrong);
}

WalletExpected<channel::Bytes> seal_with_key(channel::ByteView payload, const SecretBytes& key, SealedKind kind) {
    ASSERT(key.size() == kKey);
    if (payload.size() > kMaxSealedPayload) return Unexpected{WalletFault::wallet_file_too_large};
    return encrypt(new_header(kind, {0, 0}, payload.size()), payload, key);
}

WalletExpected<SecretBytes> unseal_with_key(channel::ByteView file, const SecretBytes& key, SealedKind kind) {
    ASSERT(key.size() == kKey);
    ensure_sodium();
    const WalletFault fault = check_shape(file);
    if (fault != WalletFault::count_) return Unexpected{fault};
    if (read_le32(file, kOperationsAt) != 0 || read_le32(file, kMemoryAt) != 0)
        return Unexpected{WalletFault::kdf_out_of_range};
    if (file[kKindAt] != static_cast<std::uint8_t>(kind)) return Unexpected{WalletFault::wallet_file_wrong_kind};
    return decrypt(file, key, WalletFault::wallet_key_wrong);
}

}  // namespace hedgerow::wallet
