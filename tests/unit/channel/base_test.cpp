#include <doctest/doctest.h>

#include "channel/base/amount.h"
#include "channel/base/ids.h"
#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"

using namespace hedgerow::channel;

TEST_CASE("amount: decimal text is exact in both directions") {
    CHECK(static_cast<long>(*parse_decimal("12.5", 6)) == 12'500'000);
    CHECK(static_cast<long>(*parse_decimal("-0.000001", 6)) == -1);
    CHECK(format_decimal(12'500'000, 6) == "12.5");
    CHECK(format_decimal(-1, 6) == "-0.000001");
    CHECK(format_decimal(0, 18) == "0");
    CHECK(format_decimal(100, 0) == "100");
    CHECK(parse_decimal("0.0000001", 6).error() == Rule::amount_too_precise);
    CHECK(parse_decimal("170141183460469231731687303715884105728", 0).error() == Rule::amount_out_of_range);
    CHECK(format_decimal(*parse_decimal("170141183460469231731687303715884105727", 0), 0) == "170141183460469231731687303715884105727");
    for (const char* bad : {"", "-", ".", "1.", ".5", "+1", "1e3", " 1", "1 ", "01", "0x1", "1,0", "--1", "1.2.3"}) {
        CAPTURE(bad);
        CHECK(parse_decimal(bad, 6).error() == Rule::amount_malformed);
    }
}

TEST_CASE("amounts: written digit by digit, and read again, at every size and precision") {
    const auto naive = [](Int128 value, int decimals) {
        std::string digits;
        for (Uint128 rest = value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value); rest != 0; rest /= 10)
            digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
        while (digits.size() <= static_cast<std::size_t>(decimals)) digits.insert(digits.begin(), '0');
        digits.insert(digits.size() - static_cast<std::size_t>(decimals), ".");
        while (digits.back() == '0') digits.pop_back();
        if (digits.back() == '.') digits.pop_back();
        return (value < 0 ? "-" : "") + digits;
    };
    for (int bits = 0; bits < 127; ++bits) {
        for (const int decimals : {0, 1, 6, 8, 18}) {
            for (Int128 value : {Int128{1} << bits, (Int128{1} << bits) - 1, static_cast<Int128>(pow10(bits % 38)), -(Int128{1} << bits)}) {
                const std::string text = format_decimal(value, decimals);
                CHECK(text == naive(value, decimals));
                CHECK(*parse_decimal(text, decimals) == value);
            }
        }
    }
    CHECK(parse_decimal("170141183460469231731687303715884105728", 0).error() == Rule::amount_out_of_range);
    CHECK(parse_decimal("170141183460469231731687303715884105730", 0).error() == Rule::amount_out_of_range);
    CHECK(parse_decimal("17014118346046923173168730371588410573", 1).error() == Rule::amount_out_of_range);
}

TEST_CASE("bytes: hex and ids") {
    CHECK(to_hex(*from_hex("00ffAB")) == "0x00ffab");
    CHECK_FALSE(from_hex("0x0"));
    CHECK_FALSE(from_hex("zz"));
    CHECK_FALSE(fixed_from_hex<Address>("0x1234"));
    CHECK(feed_name(*feed_from_name("BTC_USD-PERPETUAL")) == "BTC_USD-PERPETUAL");
    CHECK_FALSE(feed_from_name(""));
    CHECK_FALSE(feed_from_name("BTC USD"));
    CHECK_FALSE(feed_from_name(std::string(32, 'A')));
    CHECK(rule_name(Rule::insufficient_balance) == "insufficient_balance");
    CHECK(rule_name(static_cast<Rule>(60'000)) == "unknown_rule");
}

TEST_CASE("keccak: Ethereum's published digests") {
    CHECK(to_hex(keccak256(ByteView{})) == "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    CHECK(to_hex(keccak256(as_bytes("abc"))) == "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    CHECK(keccak256({as_bytes("a"), as_bytes("bc")}) == keccak256(as_bytes("abc")));
}

TEST_CASE("signature: the EIP-2098 example recovers, verifies, and its high-s twin is refused") {
    // EIP-2098, test case 1: private key 0x1234…, message "Hello World" (EIP-191).
    const auto signature = *fixed_from_hex<Signature>(
        "0x68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b907e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064");
    const Hash message = keccak256({as_bytes("\x19"
                                             "Ethereum Signed Message:\n11"),
                                    as_bytes("Hello World")});
    const Digest digest = *Digest::from(message.view());
    const auto key = recover(digest, signature);
    REQUIRE(key);
    CHECK(verify(digest, signature, *key));
    Digest another = digest;
    another.data[0] ^= 1;
    CHECK_FALSE(verify(another, signature, *key));
    CHECK(compact_from_rsv(rsv_from_compact(signature)) == signature);
    Signature other_parity = signature;
    other_parity.data[32] ^= 0x80;
    CHECK_FALSE(verify(digest, other_parity, *key));
    for (const Signature& either : {signature, other_parity}) {
        CHECK(verify_any_parity(digest, either, *key));
        CHECK_FALSE(verify_any_parity(another, either, *key));
    }
    CHECK_FALSE(verify_any_parity(digest, signature, PublicKey{}));
    Signature high = signature;
    std::fill(high.data.begin() + 33, high.data.end(), std::uint8_t{0xff});
    high.data[32] |= 0x7f;
    CHECK_FALSE(verify(digest, high, *key));
    CHECK_FALSE(verify_any_parity(digest, high, *key));
    CHECK_FALSE(recover(digest, high));
    CHECK_FALSE(recover(digest, Signature{}));
}

TEST_CASE("address: EIP-55 checksums") {
    const std::string text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    CHECK(checksum_address(*parse_address(text)) == text);
    CHECK_FALSE(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"));
    CHECK(parse_address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"));
    CHECK_FALSE(parse_address("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed00"));
}
