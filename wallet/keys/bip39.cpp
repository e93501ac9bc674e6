#include "wallet/keys/bip39.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <optional>

namespace hedgerow::wallet {

namespace {

constexpr std::array<std::string_view, 2048> kWords{
#include "wallet/keys/bip39_english.inc"
};
static_assert(std::is_sorted(kWords.begin(), kWords.end()) && kWords.back() == "zoo");

constexpr std::size_t kMaxWord = 8;
constexpr std::size_t kMaxWords = 24;
constexpr int kRounds = 2048;
constexpr std::string_view kBlanks = " \t\r\n";

bool entropy_size_ok(std::size_t size) {
    return size >= 16 && size <= 32 && size % 4 == 0;
}

/// First byte of SHA-256: its leading bits, one per 32 of entropy, are the checksum.
std::uint8_t checksum_byte(channel::ByteView entropy) {
    std::array<std::uint8_t, crypto_hash_sha256_BYTES> hash{};
    const WipeOnExit wipe(hash);
    crypto_hash_sha256(hash.data(), entropy.data(), entropy.size());
    return hash[0];
}

bool bit_at(channel::ByteView bytes, std::size_t index) {
    return ((bytes[index / 8] >> (7 - index % 8)) & 1) != 0;
}

void set_bit(std::span<std::uint8_t> bytes, std::size_t index) {
    bytes[index / 8] = static_cast<std::uint8_t>(bytes[index / 8] | (0x80U >> (index % 8)));
}

std::optional<std::size_t> word_index(std::string_view word) {
    std::array<char, kMaxWord> lower{};
    const WipeOnExit wipe({reinterpret_cast<std::uint8_t*>(lower.data()), lower.size()});
    if (word.size() > kMaxWord) return std::nullopt;
    std::transform(word.begin(), word.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    const std::string_view wanted(lower.data(), word.size());
    const auto* at = std::lower_bound(kWords.begin(), kWords.end(), wanted);
    if (at == kWords.end() || *at != wanted) return std::nullopt;
    return static_cast<std::size_t>(at - kWords.begin());
}

std::string_view next_word(std::string_view& rest) {
    const std::size_t start = rest.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) return rest = {};
    rest.remove_prefix(start);
    const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
    rest.remove_prefix(word.size());
    return word;
}

std::size_t count_words(std::string_view phrase) {
    std::size_t count = 0;
    while (count <= kMaxWords && !next_word(phrase).empty()) ++count;
    return count;
}

}  // namespace

WalletExpected<SecretBytes> mnemonic_from_entropy(channel::ByteView entropy) {
    if (!entropy_size_ok(entropy.size())) return channel::Unexpected{WalletFault::entropy_size_wrong};
    SecretBytes bits(entropy.size() + 1);
    std::copy(entropy.begin(), entropy.end(), bits.writable().begin());
    bits.writable().back() = checksum_byte(entropy);

    const std::size_t words = entropy.size() * 8 * 33 / 32 / 11;
    SecretBytes buffer(words * (kMaxWord + 1));
    std::size_t used = 0;
    for (std::size_t word = 0; word < words; ++word) {
        std::size_t index = 0;
        for (std::size_t bit = 0; bit < 11; ++bit) index = index * 2 + (bit_at(bits.reveal(), word * 11 + bit) ? 1 : 0);
        if (word != 0) buffer.writable()[used++] = ' ';
        std::copy(kWords[index].begin(), kWords[index].end(),
                  buffer.writable().begin() + static_cast<std::ptrdiff_t>(used));
        used += kWords[index].size();
    }
    return SecretBytes::copy_of(buffer.reveal().first(used));
}

WalletExpected<SecretBytes> entropy_from_mnemonic(std::string_view phrase) {
    const std::size_t words = count_words(phrase);
    if (words < 12 || words > kMaxWords || words % 3 != 0) return channel::Unexpected{WalletFault::mnemonic_word_count};
    SecretBytes bits(words * 11 / 8 + 1);
    for (std::size_t word = 0; word < words; ++word) {
        const auto index = word_index(next_word(phrase));
        if (!index) return channel::Unexpected{WalletFault::mnemonic_word_unknown};
        for (std::size_t bit = 0; bit < 11; ++bit) {
            if (((*index >> (10 - bit)) & 1) != 0) set_bit(bits.writable(), word * 11 + bit);
        }
    }
    const std::size_t size = words * 4 / 3;
    const channel::ByteView entropy = bits.reveal().first(size);
    const auto check_bits = static_cast<int>(words / 3);
    const int difference = bits.reveal()[size] ^ checksum_byte(entropy);
    if ((difference >> (8 - check_bits)) != 0) return channel::Unexpected{WalletFault::mnemonic_checksum_wrong};
    return SecretBytes::copy_of(entropy);
}

WalletExpected<SecretBytes> seed_from_entropy(channel::ByteView entropy, std::string_view passphrase) {
    if (passphrase.size() > kMaxPassphrase) return channel::Unexpected{WalletFault::passphrase_too_long};
    const bool ascii = std::all_of(passphrase.begin(), passphrase.end(), [](char c) { return c > 0 && c < 0x7f; });
    if (!ascii) return channel::Unexpected{WalletFault::passphrase_not_ascii};
    const auto phrase = mnemonic_from_entropy(entropy);
    if (!phrase) return channel::Unexpected{phrase.error()};

    constexpr std::string_view kPrefix = "mnemonic";
    SecretBytes salt(kPrefix.size() + passphrase.size());
    std::copy(passphrase.begin(), passphrase.end(), std::copy(kPrefix.begin(), kPrefix.end(), salt.writable().begin()));
    SecretBytes seed(kSeedBytes);
    const channel::ByteView text = phrase->reveal();
    ASSERT(PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(text.data()), static_cast<int>(text.size()),
                             salt.reveal().data(), static_cast<int>(salt.size()), kRounds, EVP_sha512(),
                             static_cast<int>(seed.size()), seed.writable().data()) == 1);
    return seed;
}

}  // namespace hedgerow::wallet
