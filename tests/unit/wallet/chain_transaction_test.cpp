#include <doctest/doctest.h>

#include "tests/support/anvil_accounts.h"
#include "wallet/chain/quantity.h"
#include "wallet/chain/rlp.h"
#include "wallet/chain/transaction.h"

using namespace hedgerow;
using namespace hedgerow::wallet;
using channel::Address;
using channel::Bytes;
using channel::Hash;
using channel::U256;

namespace {

Bytes hex(std::string_view text) {
    return *channel::from_hex(text);
}
Address address(std::string_view text) {
    return *channel::fixed_from_hex<Address>(text);
}
std::string text(const Bytes& bytes) {
    return channel::to_hex(bytes);
}

Bytes list_of_one(channel::ByteView item) {
    RlpWriter w;
    w.add_bytes(item);
    return w.finish_list();
}

const U256 kMax256 =
    *channel::u256_from_decimal("115792089237316195423570985008687907853269984665640564039457584007913129639935");

struct Sample {
    Transaction body;
    const char* digest;
    const char* signature;
    const char* raw;
    const char* hash;
};

// Made with ethers 6.17 from the first development key of Anvil.
std::vector<Sample> samples() {
    const Address to = address("70997970c51812dc3a010c7d01b50e0d17dc79c8");
    Bytes transfer = hex("a9059cbb");
    transfer.resize(68);
    Hash ones;
    ones.data.fill(1);
    Address all;
    all.data.fill(0xff);
    return {
        {{1, 0, U256(), U256(), 21000, to, U256(), {}, {}},
         "0x7c6a626232e4af0ea1872de52f1e646272fdca8ee02f1f35a993e80d901d73f2",
         "0xf8e6028c2308cb447b18f509a0266b2a7935ee62e91e2e50fe401db592d7a8765916266dc54bcded147cffdaf9afb299d80a8c25ae6"
         "dbe3ae9f594b6e081669d",
         "0x02f862018080808252089470997970c51812dc3a010c7d01b50e0d17dc79c88080c080a0f8e6028c2308cb447b18f509a0266b2a793"
         "5ee62e91e2e50fe401db592"
         "d7a876a05916266dc54bcded147cffdaf9afb299d80a8c25ae6dbe3ae9f594b6e081669d",
         "0x3e887d0ff45a3f930eed9ca7a8480378265a8d64118bfbfecbb92e676ad650d1"},
        {{31337, 7, U256(1500000000u), U256(30000000001u), 500000, to, U256(1234567890123456789u), transfer, {}},
         "0x236babd8c5adb094b2d6d2fce1819c57d41bc65ff259dc0676d2295ce6b62ebb",
         "0x42c5fc057aadac7a31dd250675d3c06f41a5c0e66162fcc36e1d1f536d026c64a316365b2157d503e64b0188489970ba1683a5ae27d"
         "8bbd4a1d57be235578c6a",
         "0x02f8bb827a69078459682f008506fc23ac018307a1209470997970c51812dc3a010c7d01b50e0d17dc79c888112210f47de98115b84"
         "4a9059cbb00000000000000"
         "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "00000c001a042c5fc057aad"
         "ac7a31dd250675d3c06f41a5c0e66162fcc36e1d1f536d026c64a02316365b2157d503e64b0188489970ba1683a5ae27d8bbd4a1d57be"
         "235578c6a",
         "0x5ae9432648b707d2cefb6420a4636bdfe0ec16f07b2a30c8286c45b39a55a4a4"},
        {{18446744073709551615u,
          300,
          U256(127u),
          U256(128u),
          30000000,
          std::nullopt,
          kMax256,
          hex("6080"),
          {{to, {ones, Hash()}}, {all, {}}}},
         "0xd00f950ab32b61983500e2187c85a5e1214de87807ca41be922cb1578ee129d8",
         "0x759f2a24e276a5bff10aacff990a94f1e69765abbd92ea89e15339344d34b1a0cdc560ae6b2f73c3463b61c582d34447bf02a221edb"
         "557471b1795a089f85438",
         "0x02f8f088ffffffffffffffff82012c7f81808401c9c38080a0fffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
         "fffffff826080f872f859947099"
         "7970c51812dc3a010c7d01b50e0d17dc79c8f842a00101010101010101010101010101010101010101010101010101010101010101a00"
         "00000000000000000000000"
         "0000000000000000000000000000000000000000d694ffffffffffffffffffffffffffffffffffffffffc001a0759f2a24e276a5bff10"
         "aacff990a94f1e69765abbd"
         "92ea89e15339344d34b1a0a04dc560ae6b2f73c3463b61c582d34447bf02a221edb557471b1795a089f85438",
         "0x294b670c324c4ebde39e22ed67735a92f0120b18188582f9118de3c771c442f0"},
        {{31337, 255, U256(1u), U256(256u), 65536, Address(), U256(1u), hex("00"), {}},
         "0x6f7b4ba7928dc2a2afeae33001f901936ea104621b1abf4b081fd5e0952bf415",
         "0x9b8aee25177094a5f95ca83a9bac28985a3eaf898583cca5b7c98b975771ced66ed853a7cbd04d2cef46753cf5683d4bf18c321fca6"
         "fc346610449f2e5edf85a",
         "0x02f868827a6981ff01820100830100009400000000000000000000000000000000000000000100c080a09b8aee25177094a5f95ca83"
         "a9bac28985a3eaf898583cca5b7c9"
         "8b975771ced6a06ed853a7cbd04d2cef46753cf5683d4bf18c321fca6fc346610449f2e5edf85a",
         "0x16dc3c2aa8b8c08c869cc48245286e7a6c8e7cde098de2cb2fcaf495287cd1be"},
    };
}

}  // namespace

TEST_CASE("rlp: the Yellow Paper's and the Ethereum wiki's examples") {
    CHECK(text(list_of_one(channel::as_bytes("dog"))) == "0xc483646f67");
    CHECK(text(list_of_one({})) == "0xc180");
    CHECK(text(list_of_one(hex("00"))) == "0xc100");
    CHECK(text(list_of_one(hex("7f"))) == "0xc17f");
    CHECK(text(list_of_one(hex("80"))) == "0xc28180");
    CHECK(text(RlpWriter().finish_list()) == "0xc0");
    const std::string_view lorem = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
    CHECK(text(list_of_one(channel::as_bytes(lorem))).starts_with("0xf83ab8384c6f72656d20"));
    RlpWriter number;
    number.add_integer(U256(1024u));
    number.add_integer(U256());
    CHECK(text(number.finish_list()) == "0xc482040080");
}

TEST_CASE("rlp: only the canonical encoding is read") {
    const auto bytes_of = [](std::string_view encoded) -> std::optional<Bytes> {
        const Bytes raw = hex(encoded);
        auto in = RlpReader::open_list(raw);
        const auto item = in ? in->bytes() : std::nullopt;
        if (!item || !in->at_end()) return std::nullopt;
        return Bytes(item->begin(), item->end());
    };
    CHECK(bytes_of("c483646f67") == hex("646f67"));
    CHECK_FALSE(bytes_of("c483646f"));            // truncated
    CHECK_FALSE(bytes_of("c483646f6700"));        // trailing
    CHECK_FALSE(bytes_of("c28101"));              // a small byte is itself
    CHECK_FALSE(bytes_of("c5b803646f67"));        // long form of a short length
    CHECK_FALSE(bytes_of("c1c0"));                // a list where bytes stand
    CHECK_FALSE(bytes_of("83646f67"));            // no list
    CHECK_FALSE(bytes_of("f800"));                // long form of an empty list
    CHECK_FALSE(bytes_of("ffffffffffffffffff"));  // a length beyond the input
    CHECK_FALSE(bytes_of(""));

    const auto number_of = [](std::string_view encoded) {
        const Bytes raw = hex(encoded);
        auto in = RlpReader::open_list(raw);
        return in ? in->integer() : std::nullopt;
    };
    CHECK(number_of("c3820400") == U256(1024u));
    CHECK(number_of("c180") == U256());
    CHECK_FALSE(number_of("c100"));                           // zero is the empty string
    CHECK_FALSE(number_of("c3820004"));                       // leading zero
    CHECK_FALSE(number_of("e2a101" + std::string(64, '0')));  // 33 bytes
}

TEST_CASE("quantities are exact to 256 bits and have one form") {
    CHECK(to_quantity(U256()) == "0x0");
    CHECK(to_quantity(std::uint64_t{1024}) == "0x400");
    CHECK(to_quantity(kMax256) == "0x" + std::string(64, 'f'));
    CHECK(parse_quantity("0x" + std::string(64, 'f')) == kMax256);
    CHECK(parse_quantity("0x400") == U256(1024u));
    CHECK(parse_quantity("0xABC") == U256(0xabcu));
    for (const char* bad : {"", "0x", "0x00", "0x0400", "400", "0X4", "0x-1", "0x 1", "0x1g", " 0x1"})
        CHECK_FALSE(parse_quantity(bad));
    CHECK_FALSE(parse_quantity("0x1" + std::string(64, '0')));
    CHECK(parse_quantity64("0xffffffffffffffff") == 18446744073709551615u);
    CHECK_FALSE(parse_quantity64("0x10000000000000000"));
}

TEST_CASE("EIP-1559: digest, signature, raw bytes and hash are those of ethers") {
    const PrivateKey key = test::anvil_key(0);
    CHECK(channel::to_hex(key.address()) == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    for (const Sample& sample : samples()) {
        CHECK(channel::to_hex(transaction_digest(sample.body)) == sample.digest);
        const auto signature = key.sign(transaction_digest(sample.body));
        CHECK(channel::to_hex(signature) == sample.signature);
        const auto built = assemble_transaction(sample.body, signature);
        CHECK(text(built.raw) == sample.raw);
        CHECK(channel::to_hex(built.hash) == sample.hash);
        const auto read = decode_transaction(built.raw);
        REQUIRE(read);
        CHECK(read->body == sample.body);
        CHECK(read->signature == signature);
        CHECK(read->hash == built.hash);
        CHECK(transaction_sender(*read) == key.address());
    }
}

TEST_CASE("EIP-1559: a raw transaction with any byte cut, added or bent is not the same transaction") {
    const PrivateKey key = test::anvil_key(0);
    const auto sample = samples()[1];
    const Bytes raw = assemble_transaction(sample.body, key.sign(transaction_digest(sample.body))).raw;
    for (std::size_t cut = 0; cut < raw.size(); ++cut)
        CHECK_FALSE(decode_transaction(channel::ByteView(raw).first(cut)));
    Bytes longer = raw;
    longer.push_back(0);
    CHECK_FALSE(decode_transaction(longer));
    for (std::size_t i = 0; i < raw.size(); ++i) {
        Bytes bent = raw;
        bent[i] ^= 0x01;
        const auto read = decode_transaction(bent);
        CHECK((!read || transaction_sender(*read) != key.address()));
    }
}

TEST_CASE("the greatest cost of a transaction") {
    Transaction body;
    body.max_fee = U256(3u);
    body.gas_limit = 21000;
    body.value = U256(5u);
    CHECK(maximum_cost(body) == U256(63005u));
    body.value = kMax256;
    CHECK_FALSE(maximum_cost(body));
}

TEST_CASE("addresses of created contracts are those of ethers") {
    const Address sender = address("f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    CHECK(channel::to_hex(created_address(sender, 0)) == "0x5fbdb2315678afecb367f032d93f642f64180aa3");
    CHECK(channel::to_hex(created_address(sender, 1)) == "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512");
    CHECK(channel::to_hex(created_address(sender, 127)) == "0x5fc748f1feb28d7b76fa1c6b07d8ba2d5535177c");
    CHECK(channel::to_hex(created_address(sender, 128)) == "0xb82008565fdc7e44609fa118a4a681e92581e680");
    CHECK(channel::to_hex(created_address(sender, 256)) == "0x3c1cb427d20f15563ada8c249e71db76d7183b6c");
}
