#include <doctest/doctest.h>
#include <sodium.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "channel/crypto/signature.h"
#include "wallet/keys/bip32.h"
#include "wallet/keys/master_seed.h"
#include "tests/paths.h"

namespace hedgerow::wallet {

namespace {

const std::string kAbout =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const std::string kTestJunk = "test test test test test test test test test test test junk";

std::optional<nlohmann::json> vectors(const char* name) {
    std::string path(HEDGEROW_SHARED_DATA);
    path.append("/vectors/").append(name);
    std::ifstream file(path);
    if (!file) {
        MESSAGE("SKIPPED: no " << path);
        return std::nullopt;
    }
    return nlohmann::json::parse(file);
}

channel::Bytes hex(std::string_view text) {
    const auto bytes = channel::from_hex(text);
    REQUIRE(bytes.has_value());
    return *bytes;
}

MasterSeed seed_of(std::string_view phrase) {
    auto seed = MasterSeed::from_mnemonic(phrase);
    REQUIRE(seed.has_value());
    return std::move(seed).value();
}

/// Chain code and private key of an "xprv…" text, its base58 read naively and its checksum checked.
struct Xprv {
    channel::Bytes chain_code;
    channel::Bytes key;
};
Xprv decode_xprv(const std::string& text) {
    const std::string alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    channel::Bytes bytes(82, 0);
    for (const char c : text) {
        auto carry = alphabet.find(c);
        REQUIRE(carry != std::string::npos);
        for (std::size_t i = bytes.size(); i-- > 0;) {
            carry += 58U * bytes[i];
            bytes[i] = static_cast<std::uint8_t>(carry & 255);
            carry >>= 8;
        }
        REQUIRE(carry == 0);
    }
    std::array<std::uint8_t, 32> check{};
    crypto_hash_sha256(check.data(), bytes.data(), 78);
    crypto_hash_sha256(check.data(), check.data(), 32);
    REQUIRE(std::equal(check.begin(), check.begin() + 4, bytes.begin() + 78));
    return {{bytes.begin() + 13, bytes.begin() + 45}, {bytes.begin() + 46, bytes.begin() + 78}};
}

}  // namespace

TEST_CASE("phrase: the word list is BIP-39's") {
    // All 2048 words in order, one a line, rebuilt from phrases whose bits count up: 11 bits a word.
    std::string list;
    for (std::uint32_t word = 0; word < 2048; ++word) {
        channel::Bytes entropy(16, 0);
        entropy[0] = static_cast<std::uint8_t>(word >> 3);
        entropy[1] = static_cast<std::uint8_t>(word << 5);
        const auto phrase = mnemonic_from_entropy(entropy);
        REQUIRE(phrase.has_value());
        const std::string text(reveal_text(*phrase));
        list.append(text.substr(0, text.find(' '))).append("\n");
    }
    channel::Hash sum;
    crypto_hash_sha256(sum.data.data(), reinterpret_cast<const unsigned char*>(list.data()), list.size());
    CHECK(channel::to_hex(sum) == "0x2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
}

TEST_CASE("phrase: published vectors") {
    // Inline so that something is checked where the shared vectors are absent (BIP-39, Trezor's first).
    const auto seed = seed_from_entropy(channel::Bytes(16, 0), "TREZOR");
    REQUIRE(seed.has_value());
    CHECK(channel::to_hex(seed->reveal()) ==
          "0xc55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4a"
          "b7c81b"
          "2f001698e7463b04");

    const auto data = vectors("bip39_vectors.json");
    if (!data) return;
    std::size_t count = 0;
    for (const auto& row : data->at("english")) {
        const auto entropy = hex(row.at(0).get<std::string>());
        const auto text = row.at(1).get<std::string>();
        const auto phrase = mnemonic_from_entropy(entropy);
        REQUIRE(phrase.has_value());
        CHECK(reveal_text(*phrase) == text);
        const auto back = entropy_from_mnemonic(text);
        REQUIRE(back.has_value());
        CHECK(back->equals(entropy));
        const auto stretched = seed_from_entropy(entropy, "TREZOR");
        REQUIRE(stretched.has_value());
        CHECK(stretched->equals(hex(row.at(2).get<std::string>())));
        const auto master = ExtendedKey::master(stretched->reveal());
        REQUIRE(master.has_value());
        const Xprv expected = decode_xprv(row.at(3).get<std::string>());
        CHECK(master->key().secret().equals(expected.key));
        CHECK(master->chain_code().equals(expected.chain_code));
        ++count;
    }
    CHECK(count == 24);
}

TEST_CASE("phrase: spacing and letter case do not matter, anything else does") {
    CHECK(entropy_from_mnemonic(kAbout).value().equals(channel::Bytes(16, 0)));
    std::string shouted = "  ABANDON\t" + kAbout.substr(8) + " \r\n";
    CHECK(entropy_from_mnemonic(shouted).value().equals(channel::Bytes(16, 0)));

    const auto fault = [](std::string_view phrase) { return entropy_from_mnemonic(phrase).error(); };
    CHECK(fault("") == WalletFault::mnemonic_word_count);
    CHECK(fault("abandon") == WalletFault::mnemonic_word_count);
    CHECK(fault(kAbout.substr(8)) == WalletFault::mnemonic_word_count);
    CHECK(fault(kAbout + " about") == WalletFault::mnemonic_word_count);
    std::string many;
    for (int i = 0; i < 27; ++i) many.append("zoo ");
    CHECK(fault(many) == WalletFault::mnemonic_word_count);
    many.append(100'000, 'z');
    CHECK(fault(many) == WalletFault::mnemonic_word_count);
    CHECK(fault("abandoned" + kAbout.substr(7)) == WalletFault::mnemonic_word_unknown);
    CHECK(fault("aband" + kAbout.substr(7)) == WalletFault::mnemonic_word_unknown);
    CHECK(fault("zzz" + kAbout.substr(7)) == WalletFault::mnemonic_word_unknown);
    CHECK(fault(std::string("\xc3\xa9") + kAbout.substr(7)) == WalletFault::mnemonic_word_unknown);
    CHECK(fault("ability" + kAbout.substr(7)) == WalletFault::mnemonic_checksum_wrong);
    CHECK(fault(kAbout.substr(0, 88) + "abandon") == WalletFault::mnemonic_checksum_wrong);
}

TEST_CASE("phrase: sizes of entropy, characters of passphrases") {
    for (std::size_t size = 0; size <= 40; ++size) {
        const bool ok = size == 16 || size == 20 || size == 24 || size == 28 || size == 32;
        const channel::Bytes entropy(size, 0x5a);
        const auto phrase = mnemonic_from_entropy(entropy);
        CHECK(phrase.has_value() == ok);
        if (!ok) {
            CHECK(phrase.error() == WalletFault::entropy_size_wrong);
            continue;
        }
        const std::string text(reveal_text(*phrase));
        CHECK(std::count(text.begin(), text.end(), ' ') + 1 == static_cast<std::ptrdiff_t>(size * 3 / 4));
        CHECK(entropy_from_mnemonic(text).value().equals(entropy));
    }
    CHECK(seed_from_entropy(channel::Bytes(16, 0), "caf\xc3\xa9").error() == WalletFault::passphrase_not_ascii);
    CHECK(seed_from_entropy(channel::Bytes(16, 0), std::string(256, 'a')).has_value());
    CHECK(seed_from_entropy(channel::Bytes(16, 0), std::string(257, 'a')).error() == WalletFault::passphrase_too_long);
    CHECK(seed_from_entropy(channel::Bytes(17, 0)).error() == WalletFault::entropy_size_wrong);
}

TEST_CASE("path: grammar") {
    const auto path = parse_path("m/44'/60h/0'/0/2147483647");
    REQUIRE(path.has_value());
    CHECK(*path == DerivationPath{44 | kHardened, 60 | kHardened, kHardened, 0, 0x7fffffff});
    CHECK(format_path(*path) == "m/44'/60'/0'/0/2147483647");
    CHECK(parse_path("m").value().empty());
    CHECK(format_path({}) == "m");

    for (const char* bad :
         {"",     "M",   "n/0", "0",   "/0",    "m/",    "m//0", "m/0/", "m0",    "m/-1",  "m/+1", "m/ 1",
          "m/1 ", "m/a", "m/'", "m/h", "m/0''", "m/0'h", "m/00", "m/01", "m/0x1", "m/1.0", "m/0H"}) {
        CAPTURE(bad);
        const auto parsed = parse_path(bad);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error() == WalletFault::path_malformed);
    }
    for (const char* bad : {"m/2147483648", "m/2147483648'", "m/4294967296", "m/99999999999999999999999"}) {
        CAPTURE(bad);
        CHECK(parse_path(bad).error() == WalletFault::path_index_out_of_range);
    }
    std::string deep("m");
    for (std::size_t i = 0; i < kMaxPathDepth; ++i) deep.append("/1");
    CHECK(parse_path(deep).has_value());
    CHECK(parse_path(deep + "/1").error() == WalletFault::path_too_deep);
}

TEST_CASE("bip32: vectors") {
    CHECK(ExtendedKey::master(channel::Bytes(15, 1)).error() == WalletFault::seed_size_wrong);
    CHECK(ExtendedKey::master(channel::Bytes(65, 1)).error() == WalletFault::seed_size_wrong);

    // BIP-32, test vector 1, m/0'/1.
    const auto master = ExtendedKey::master(hex("000102030405060708090a0b0c0d0e0f"));
    REQUIRE(master.has_value());
    const Xprv inline_one = decode_xprv(
        "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H2EU4pWcQDnRnrVA1xe8f"
        "s");
    const auto node = master->derive(parse_path("m/0'/1").value());
    REQUIRE(node.has_value());
    CHECK(node->key().secret().equals(inline_one.key));
    CHECK(node->chain_code().equals(inline_one.chain_code));

    const auto data = vectors("bip32-vectors.json");
    if (!data) return;
    std::size_t count = 0;
    for (const auto& vector : data->at("valid")) {
        const auto root = ExtendedKey::master(hex(vector.at("seed").get<std::string>()));
        REQUIRE(root.has_value());
        for (const auto& chain : vector.at("chains")) {
            const auto text = chain.at("path").get<std::string>();
            CAPTURE(text);
            const auto path = parse_path(text);
            REQUIRE(path.has_value());
            const auto derived = root->derive(*path);
            REQUIRE(derived.has_value());
            const Xprv expected = decode_xprv(chain.at("xprv").get<std::string>());
            CHECK(derived->key().secret().equals(expected.key));
            CHECK(derived->chain_code().equals(expected.chain_code));
            ++count;
        }
    }
    CHECK(count >= 15);
}

TEST_CASE("seed: accounts are those of other wallets") {
    // Anvil's and Hardhat's well-known phrase.
    const MasterSeed seed = seed_of(kTestJunk);
    const auto address = [&](std::uint32_t i) {
        return channel::checksum_address(seed.owner_key(i).value().address());
    };
    CHECK(address(0) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    CHECK(address(1) == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
    CHECK(address(9) == "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720");
    CHECK(seed.owner_key(kHardened).error() == WalletFault::key_index_out_of_range);
    CHECK(seed.signer_key(kHardened).error() == WalletFault::key_index_out_of_range);
    CHECK(seed.owner_key(kHardened - 1).has_value());
}

TEST_CASE("seed: derivations are fixed for good") {
    // Computed apart from this code (Python hashlib and blake2b, ethers, Node crypto): changing one loses money.
    const MasterSeed seed = seed_of(kAbout);
    CHECK(channel::to_hex(seed.signer_key(0).value().address()) == "0x78839f6054d7ed13918bae0473ba31b1ca9d7265");
    CHECK(channel::to_hex(seed.node_identity().node_id()) ==
          "0xc5ae12d5764e448ffe70c15b83f3c896caf809374f04412ea93d5e1e98da9d02");
    CHECK(channel::to_hex(seed.watch_secret(0)) ==
          "0xe3ef44f764a8ceefca04a5d0a5766e75f5dbbfb3fff35c74722f94f1306a1e2f");
    CHECK(channel::to_hex(seed.watch_secret(1)) ==
          "0x53e58caa2f926aa3927a28dc65efa42e811e045e834cbf76fb8d9ff3b96a6680");
    CHECK(channel::to_hex(seed.storage_key("backup").reveal()) ==
          "0xb7942760f349da2f6c185c9a5c4579c3371f74a083412134abd931fcf8d8b708");

    std::set<channel::Bytes> all;
    for (std::uint32_t i = 0; i < 8; ++i) {
        const auto add = [&](channel::ByteView bytes) { CHECK(all.emplace(bytes.begin(), bytes.end()).second); };
        add(seed.owner_key(i).value().secret().reveal());
        add(seed.signer_key(i).value().secret().reveal());
        add(seed.watch_secret(i).view());
    }
    CHECK_FALSE(seed.storage_key("backup").equals(seed.storage_key("imported keys").reveal()));
    CHECK_FALSE(seed.same_as(seed_of(kTestJunk)));
    CHECK_FALSE(seed.same_as(MasterSeed::from_mnemonic(kAbout, "pass").value()));
}

TEST_CASE("seed: encoding") {
    for (const char* passphrase : {"", "correct horse"}) {
        const auto seed = MasterSeed::from_mnemonic(kAbout, passphrase);
        REQUIRE(seed.has_value());
        const auto back = MasterSeed::decode(seed->encode().reveal());
        REQUIRE(back.has_value());
        CHECK(back->same_as(*seed));
        CHECK(reveal_text(back->mnemonic()) == kAbout);
        CHECK(seed->clone().same_as(*seed));
    }
    CHECK_FALSE(MasterSeed::generate().same_as(MasterSeed::generate()));
    const std::string fresh(reveal_text(MasterSeed::generate().mnemonic()));
    CHECK(std::count(fresh.begin(), fresh.end(), ' ') == 23);
    for (const char* bad :
         {"", "00", "10", "11", "10000000000000000000000000000000", "1100000000000000000000000000000000000000"}) {
        CHECK(MasterSeed::decode(hex(bad)).error() == WalletFault::wallet_file_corrupt);
    }
}

}  // namespace hedgerow::wallet
