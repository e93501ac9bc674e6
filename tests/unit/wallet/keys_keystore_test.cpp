#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"
#include "wallet/keys/keystore_v3.h"
#include "tests/paths.h"

namespace hedgerow::wallet {

namespace {

using nlohmann::json;

constexpr ScryptParameters kCheap{2, 1, 1};
constexpr std::string_view kPassword = "testpassword";

PrivateKey key_one() {
    channel::Bytes bytes(32, 0);
    bytes[31] = 1;
    return PrivateKey::from_bytes(bytes).value();
}

json exported() {
    return json::parse(export_keystore(key_one(), kPassword, kCheap).value());
}

WalletFault fault_of(const json& keystore, std::string_view password = kPassword) {
    const auto key = import_keystore(keystore.dump(), password);
    return key ? WalletFault::count_ : key.error();
}

/// The exported keystore with one member set to another value (or removed: null).
json with(const char* pointer, const json& value) {
    json out = exported();
    const json::json_pointer at(pointer);
    if (value.is_null()) {
        out.at(at.parent_pointer()).erase(at.back());
    } else {
        out[at] = value;
    }
    return out;
}

}  // namespace

TEST_CASE("keystore: round trip") {
    const PrivateKey key = PrivateKey::generate();
    const auto text = export_keystore(key, kPassword, kCheap);
    REQUIRE(text.has_value());
    CHECK(import_keystore(*text, kPassword).value().secret().equals(key.secret().reveal()));
    CHECK(*export_keystore(key, kPassword, kCheap) != *text);

    const json parsed = json::parse(*text);
    CHECK(parsed.at("version") == 3);
    CHECK(channel::fixed_from_hex<channel::Address>(parsed.at("address").get<std::string>()) == key.address());
    const auto id = parsed.at("id").get<std::string>();
    CHECK(id.size() == 36);
    CHECK(id[14] == '4');
    CHECK(export_keystore(key, "", kCheap).error() == WalletFault::wallet_password_empty);
    CHECK(export_keystore(key, std::string(1025, 'x'), kCheap).error() == WalletFault::wallet_password_too_long);
}

TEST_CASE("keystore: the default cost is Geth's: 262144, 8, 1") {
    const json parsed = json::parse(export_keystore(key_one(), kPassword).value());
    const json& parameters = parsed.at("/crypto/kdfparams"_json_pointer);
    CHECK(parameters.at("n") == 262'144);
    CHECK(parameters.at("r") == 8);
    CHECK(parameters.at("p") == 1);
    CHECK(fault_of(parsed) == WalletFault::count_);
}

TEST_CASE("keystore: published vectors") {
    std::string path(HEDGEROW_SHARED_DATA);
    path.append("/vectors/v3_test_vector.json");
    std::ifstream file(path);
    if (!file) {
        MESSAGE("SKIPPED: no " << path);
        return;
    }
    const json data = json::parse(file);
    CHECK(data.size() == 4);
    for (const auto& [name, vector] : data.items()) {
        CAPTURE(name);
        const auto text = vector.at("json").dump();
        const auto password = vector.at("password").get<std::string>();
        const auto key = import_keystore(text, password);
        REQUIRE(key.has_value());
        auto expected = channel::from_hex(vector.at("priv").get<std::string>()).value();
        expected.insert(expected.begin(), 32 - expected.size(), 0);
        CHECK(key->secret().equals(expected));
        CHECK(import_keystore(text, password + "x").error() == WalletFault::keystore_mac_wrong);
    }
}

TEST_CASE("keystore: the vector of the Web3 Secret Storage page, pbkdf2") {
    const char* const text =
        R"({"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
        "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"version":3})";
    const auto key = import_keystore(text, kPassword);
    REQUIRE(key.has_value());
    CHECK(channel::to_hex(key->secret().reveal()) ==
          "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");

    json edited = json::parse(text);
    edited["/crypto/kdfparams/c"_json_pointer] = 10'000'001;
    CHECK(fault_of(edited) == WalletFault::keystore_kdf_out_of_range);
    edited["/crypto/kdfparams/c"_json_pointer] = 0;
    CHECK(fault_of(edited) == WalletFault::keystore_kdf_out_of_range);
    edited["/crypto/kdfparams/c"_json_pointer] = 262'144;
    edited["/crypto/kdfparams/prf"_json_pointer] = "hmac-sha512";
    CHECK(fault_of(edited) == WalletFault::keystore_kdf_unsupported);
}

TEST_CASE("keystore: each way to fail has its name") {
    CHECK(fault_of(exported()) == WalletFault::count_);
    CHECK(fault_of(exported(), "other") == WalletFault::keystore_mac_wrong);
    CHECK(fault_of(exported(), "") == WalletFault::keystore_mac_wrong);
    CHECK(fault_of(with("/crypto/mac", std::string(64, '0'))) == WalletFault::keystore_mac_wrong);
    CHECK(fault_of(with("/crypto/ciphertext", std::string(64, '0'))) == WalletFault::keystore_mac_wrong);
    CHECK(fault_of(with("/crypto/ciphertext", std::string(66, '0'))) == WalletFault::keystore_key_size_wrong);
    CHECK(fault_of(with("/address", std::string(40, '1'))) == WalletFault::keystore_address_mismatch);
    CHECK(fault_of(with("/address", "nonsense")) == WalletFault::keystore_address_mismatch);
    CHECK(fault_of(with("/address", nullptr)) == WalletFault::count_);
    CHECK(fault_of(with("/version", 1)) == WalletFault::keystore_version_unsupported);
    CHECK(fault_of(with("/version", 4)) == WalletFault::keystore_version_unsupported);
    CHECK(fault_of(with("/crypto/cipher", "aes-128-cbc")) == WalletFault::keystore_cipher_unsupported);
    CHECK(fault_of(with("/crypto/kdf", "argon2")) == WalletFault::keystore_kdf_unsupported);

    for (const char* pointer : {"/version", "/crypto", "/crypto/cipher", "/crypto/ciphertext", "/crypto/cipherparams",
                                "/crypto/cipherparams/iv", "/crypto/kdf", "/crypto/kdfparams",
                                "/crypto/kdfparams/dklen", "/crypto/kdfparams/n", "/crypto/kdfparams/r",
                                "/crypto/kdfparams/p", "/crypto/kdfparams/salt", "/crypto/mac"}) {
        CAPTURE(pointer);
        CHECK(fault_of(with(pointer, nullptr)) == WalletFault::keystore_malformed);
        CHECK(fault_of(with(pointer, json::array())) == WalletFault::keystore_malformed);
    }
    CHECK(fault_of(with("/crypto/cipherparams/iv", std::string(30, '0'))) == WalletFault::keystore_malformed);
    CHECK(fault_of(with("/crypto/mac", std::string(62, '0'))) == WalletFault::keystore_malformed);
    CHECK(fault_of(with("/crypto/mac", std::string(64, 'z'))) == WalletFault::keystore_malformed);
    CHECK(fault_of(with("/crypto/kdfparams/salt", std::string(2050, '0'))) == WalletFault::keystore_malformed);
    CHECK(fault_of(with("/crypto/kdfparams/n", -2)) == WalletFault::keystore_malformed);
    CHECK(fault_of(with("/crypto/kdfparams/n", 2.0)) == WalletFault::keystore_malformed);
    for (const char* text : {"", "{", "[]", "3", "null", "\"x\""})
        CHECK(import_keystore(text, "").error() == WalletFault::keystore_malformed);
    CHECK(import_keystore(std::string(kMaxKeystore + 1, ' '), "").error() == WalletFault::keystore_too_large);
    CHECK(import_keystore(std::string(kMaxKeystore, '['), "").error() == WalletFault::keystore_malformed);
}

TEST_CASE("keystore: no file makes us work or take memory without bound") {
    const auto n = "/crypto/kdfparams/n";
    for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{1} << 21,
                                    std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        CAPTURE(bad);
        CHECK(fault_of(with(n, bad)) == WalletFault::keystore_kdf_out_of_range);
    }
    for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{65}, std::uint64_t{1} << 32}) {
        CHECK(fault_of(with("/crypto/kdfparams/r", bad)) == WalletFault::keystore_kdf_out_of_range);
        CHECK(fault_of(with("/crypto/kdfparams/p", bad)) == WalletFault::keystore_kdf_out_of_range);
    }
    json heavy = with(n, 1U << 20);
    heavy["/crypto/kdfparams/r"_json_pointer] = 16;
    CHECK(fault_of(heavy) == WalletFault::keystore_kdf_out_of_range);
    heavy["/crypto/kdfparams/r"_json_pointer] = 8;
    heavy["/crypto/kdfparams/p"_json_pointer] = 3;
    CHECK(fault_of(heavy) == WalletFault::keystore_kdf_out_of_range);
    CHECK(fault_of(with("/crypto/kdfparams/dklen", 31)) == WalletFault::keystore_kdf_out_of_range);
    CHECK(fault_of(with("/crypto/kdfparams/dklen", 129)) == WalletFault::keystore_kdf_out_of_range);
    CHECK(export_keystore(key_one(), kPassword, {3, 1, 1}).error() == WalletFault::keystore_kdf_out_of_range);
}

}  // namespace hedgerow::wallet
