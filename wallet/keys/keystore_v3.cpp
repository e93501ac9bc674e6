#include "wallet/keys/keystore_v3.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <bit>
#include <memory>
#include <nlohmann/json.hpp>

#include "channel/crypto/keccak.h"
#include "wallet/keys/sealed.h"

namespace hedgerow::wallet {

namespace {

using channel::Unexpected;
using Json = nlohmann::json;

constexpr std::size_t kIv = 16;
constexpr std::size_t kDerived = 32;  ///< the first half encrypts, the second authenticates
constexpr std::size_t kMaxDerived = 128;
constexpr std::size_t kMaxSalt = 1024;
constexpr std::uint64_t kMaxRounds = 10'000'000;

/// What a keystore says, checked for shape; the numbers not yet for range.
struct Keystore {
    channel::Bytes iv;
    channel::Bytes ciphertext;
    channel::Bytes mac;
    channel::Bytes salt;
    std::uint64_t derived_size = 0;
    bool is_scrypt = false;
    std::uint64_t n = 0, r = 0, p = 0;
    std::uint64_t rounds = 0;
    std::string address;  ///< empty: not given
};

const Json* member(const Json* object, const char* name) {
    if (object == nullptr || !object->is_object()) return nullptr;
    const auto at = object->find(name);
    return at == object->end() ? nullptr : &*at;
}

std::string text_of(const Json* object, const char* name) {
    const Json* value = member(object, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool read_number(const Json* object, const char* name, std::uint64_t& out) {
    const Json* value = member(object, name);
    if (value == nullptr || !value->is_number_unsigned()) return false;
    out = value->get<std::uint64_t>();
    return true;
}

bool read_hex(const Json* object, const char* name, channel::Bytes& out) {
    const auto bytes = channel::from_hex(text_of(object, name));
    if (!bytes || bytes->empty()) return false;
    out = *bytes;
    return true;
}

WalletFault read_kdf(const Json* crypto, Keystore& out) {
    const std::string kdf = text_of(crypto, "kdf");
    const Json* parameters = member(crypto, "kdfparams");
    if (kdf.empty() || parameters == nullptr) return WalletFault::keystore_malformed;
    out.is_scrypt = kdf == "scrypt";
    if (!out.is_scrypt && kdf != "pbkdf2") return WalletFault::keystore_kdf_unsupported;
    if (!read_number(parameters, "dklen", out.derived_size) || !read_hex(parameters, "salt", out.salt)) {
        return WalletFault::keystore_malformed;
    }
    if (out.is_scrypt) {
        const bool ok = read_number(parameters, "n", out.n) && read_number(parameters, "r", out.r) &&
                        read_number(parameters, "p", out.p);
        return ok ? WalletFault::count_ : WalletFault::keystore_malformed;
    }
    if (!read_number(parameters, "c", out.rounds)) return WalletFault::keystore_malformed;
    return text_of(parameters, "prf") == "hmac-sha256" ? WalletFault::count_ : WalletFault::keystore_kdf_unsupported;
}

WalletExpected<Keystore> read_keystore(std::string_view text) {
    if (text.size() > kMaxKeystore) return Unexpected{WalletFault::keystore_too_large};
    const Json json = Json::parse(text, nullptr, false);
    std::uint64_t version = 0;
    if (json.is_discarded() || !read_number(&json, "version", version))
        return Unexpected{WalletFault::keystore_malformed};
    if (version != 3) return Unexpected{WalletFault::keystore_version_unsupported};
    const Json* crypto = member(&json, "crypto");
    if (crypto == nullptr) crypto = member(&json, "Crypto");  // as Geth wrote it at first
    Keystore out;
    const std::string cipher = text_of(crypto, "cipher");
    if (!cipher.empty() && cipher != "aes-128-ctr") return Unexpected{WalletFault::keystore_cipher_unsupported};
    const bool complete = !cipher.empty() && read_hex(crypto, "ciphertext", out.ciphertext) &&
                          read_hex(crypto, "mac", out.mac) && read_hex(member(crypto, "cipherparams"), "iv", out.iv);
    if (!complete || out.iv.size() != kIv || out.mac.size() != 32) return Unexpected{WalletFault::keystore_malformed};
    if (out.ciphertext.size() > 32) return Unexpected{WalletFault::keystore_key_size_wrong};
    const WalletFault fault = read_kdf(crypto, out);
    if (fault != WalletFault::count_) return Unexpected{fault};
    if (out.salt.size() > kMaxSalt) return Unexpected{WalletFault::keystore_malformed};
    out.address = text_of(&json, "address");
    return out;
}

bool scrypt_in_range(std::uint64_t n, std::uint64_t r, std::uint64_t p) {
    if (n < 2 || n > (1U << 20) || !std::has_single_bit(n) || r < 1 || r > 64 || p < 1 || p > 64) return false;
    return n * r <= (1U << 23) && n * r * p <= (1U << 24);
}

WalletExpected<SecretBytes> run_scrypt(std::string_view password, channel::ByteView salt, const ScryptParameters& cost,
                                       std::size_t size) {
    SecretBytes out(size);
    if (crypto_pwhash_scryptsalsa208sha256_ll(reinterpret_cast<const std::uint8_t*>(password.data()), password.size(),
                                              salt.data(), salt.size(), cost.n, cost.r, cost.p, out.writable().data(),
                                              out.size()) != 0) {
        return Unexpected{WalletFault::kdf_out_of_memory};
    }
    return out;
}

WalletExpected<SecretBytes> stretch(const Keystore& keystore, std::string_view password) {
    if (keystore.derived_size < kDerived || keystore.derived_size > kMaxDerived) {
        return Unexpected{WalletFault::keystore_kdf_out_of_range};
    }
    const auto size = static_cast<std::size_t>(keystore.derived_size);
    if (keystore.is_scrypt) {
        if (!scrypt_in_range(keystore.n, keystore.r, keystore.p))
            return Unexpected{WalletFault::keystore_kdf_out_of_range};
        const ScryptParameters cost{keystore.n, static_cast<std::uint32_t>(keystore.r),
                                    static_cast<std::uint32_t>(keystore.p)};
        return run_scrypt(password, keystore.salt, cost, size);
    }
    if (keystore.rounds < 1 || keystore.rounds > kMaxRounds) return Unexpected{WalletFault::keystore_kdf_out_of_range};
    SecretBytes out(size);
    ASSERT(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), keystore.salt.data(),
                             static_cast<int>(keystore.salt.size()), static_cast<int>(keystore.rounds), EVP_sha256(),
                             static_cast<int>(out.size()), out.writable().data()) == 1);
    return out;
}

/// Encryption and decryption alike: counter mode is its own inverse.
void aes_128_ctr(channel::ByteView key, channel::ByteView iv, channel::ByteView in, std::span<std::uint8_t> out) {
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                  &EVP_CIPHER_CTX_free);
    if (context == nullptr) throw std::bad_alloc();
    int size = 0;
    ASSERT(EVP_EncryptInit_ex(context.get(), EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) == 1);
    ASSERT(EVP_EncryptUpdate(context.get(), out.data(), &size, in.data(), static_cast<int>(in.size())) == 1);
    ASSERT(static_cast<std::size_t>(size) == in.size());
}

channel::Hash mac_of(const SecretBytes& derived, channel::ByteView ciphertext) {
    return channel::keccak256({derived.reveal().subspan(16, 16), ciphertext});
}

bool address_matches(const std::string& given, const PrivateKey& key) {
    if (given.empty()) return true;
    const auto address = channel::fixed_from_hex<channel::Address>(given);
    return address && *address == key.address();
}

std::string bare_hex(channel::ByteView bytes) {
    return channel::to_hex(bytes).substr(2);
}

/// RFC 4122, version 4: random.
std::string new_uuid() {
    std::array<std::uint8_t, 16> bytes{};
    randombytes_buf(bytes.data(), bytes.size());
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string out = bare_hex(bytes);
    for (const std::size_t at : {20U, 16U, 12U, 8U}) out.insert(at, 1, '-');
    return out;
}

}  // namespace

WalletExpected<PrivateKey> import_keystore(std::string_view json, std::string_view password) {
    ensure_sodium();
    const auto keystore = read_keystore(json);
    if (!keystore) return Unexpected{keystore.error()};
    if (password.size() > kMaxPassword) return Unexpected{WalletFault::wallet_password_too_long};
    const auto derived = stretch(*keystore, password);
    if (!derived) return Unexpected{derived.error()};
    if (sodium_memcmp(mac_of(*derived, keystore->ciphertext).data.data(), keystore->mac.data(), 32) != 0) {
        return Unexpected{WalletFault::keystore_mac_wrong};
    }
    SecretBytes secret(32);
    const std::size_t padding = 32 - keystore->ciphertext.size();
    aes_128_ctr(derived->reveal().first(16), keystore->iv, keystore->ciphertext, secret.writable().subspan(padding));
    auto key = PrivateKey::from_bytes(secret.reveal());
    if (key && !address_matches(keystore->address, *key)) return Unexpected{WalletFault::keystore_address_mismatch};
    return key;
}

WalletExpected<std::string> export_keystore(const PrivateKey& key, std::string_view password,
                                            const ScryptParameters& scrypt) {
    ensure_sodium();
    if (password.empty()) return Unexpected{WalletFault::wallet_password_empty};
    if (password.size() > kMaxPassword) return Unexpected{WalletFault::wallet_password_too_long};
    if (!scrypt_in_range(scrypt.n, scrypt.r, scrypt.p)) return Unexpected{WalletFault::keystore_kdf_out_of_range};
    channel::Bytes salt(32);
    channel::Bytes iv(kIv);
    randombytes_buf(salt.data(), salt.size());
    randombytes_buf(iv.data(), iv.size());
    const auto derived = run_scrypt(password, salt, scrypt, kDerived);
    if (!derived) return Unexpected{derived.error()};
    channel::Bytes ciphertext(32);
    aes_128_ctr(derived->reveal().first(16), iv, key.secret().reveal(), ciphertext);
    const Json out{
        {"version", 3},
        {"id", new_uuid()},
        {"address", bare_hex(key.address().view())},
        {"crypto",
         {{"cipher", "aes-128-ctr"},
          {"cipherparams", {{"iv", bare_hex(iv)}}},
          {"ciphertext", bare_hex(ciphertext)},
          {"kdf", "scrypt"},
          {"kdfparams",
           {{"dklen", kDerived}, {"n", scrypt.n}, {"r", scrypt.r}, {"p", scrypt.p}, {"salt", bare_hex(salt)}}},
          {"mac", bare_hex(mac_of(*derived, ciphertext).view())}}}};
    return out.dump(2);
}

}  // namespace hedgerow::wallet
