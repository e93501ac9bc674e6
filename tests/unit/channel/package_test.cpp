#include "channel/market/package.h"

#include <doctest/doctest.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <algorithm>

#include "channel/crypto/signature.h"
#include "channel/market/median.h"

using namespace hedgerow::channel;

namespace {

// Serialised and signed by npm @redstone-finance/protocol 0.9.0 (NumericDataPoint, DataPackage.sign);
// tests/functional/oracle does it again with whatever version is installed. BTC_USD 103245.12345678 at 1795255200000
constexpr const char* kSingle =
    "4254435f55534400000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000963dce40e4e01a1fd8c690000000020000001ed93a223aa6260014ecdeddd19026e29bebc47836f31a8"
    "ab51e90e16a171e4be7d5ae57cb159ce417d58a3bd95db44b4416357f3fca0e0a5fa4f995cf45f80b01c";
constexpr const char* kSingleSigner = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23";
// ETH_USD-PERPETUAL 3999.5 at 1795255200250
constexpr const char* kPerpetual =
    "4554485f5553442d50455250455455414c000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000005d1ee0af8001a1fd8c69fa00000020000001096b4fdbb4823142c55e55af0fe6764638e74526fd0924"
    "60c7a1dc9158fdfab14565473bedb4d6144edef02a4576dc3a0b9aa045577c8c8166a5581609b1e23c1b";
constexpr const char* kPerpetualSigner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
// BTC 65000.1, ETH 2500, USDC_USD 0.9998 at 1700000000000, given out of order
constexpr const char* kMulti =
    "4254430000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000005e966c97e80455448000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000003a35294400555344435f5553440000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000005f592e0018bcfe568000000"
    "002000000375a343f11fed7307763f0a852621e68952b3ada181ebbb9e99828dce781a613a5affcbe42ea0f478a8abf24646"
    "83cbc23b78c2003e33f91f269f89947b703c6d1b";
constexpr const char* kMultiSigner = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
// a feed name longer than 31 bytes (its id is its hash), price 1
constexpr const char* kLongName =
    "9bd6d556a57e27de4cee574d468bda4c8a7a5b831a3e2cc81d0449ee21f0d0f5000000000000000000000000000000000000"
    "0000000000000000000005f5e100018bcfe56800000000200000018a6afaf9b3fb6738609373c1da75f9790993f43fead037"
    "db4690e1549e25d5fd284e7c020377d12db1ac0b9ac48e9439829b8e09abf923839d0e8b393b19231d1c";

Bytes bytes_of(const char* hex) {
    return *from_hex(hex);
}
Feed feed(std::string_view name) {
    return *feed_from_name(name);
}
Price price(std::string_view text) {
    return Price::from_raw(*parse_decimal(text, kPriceDecimals));
}

/// A key of one repeated byte.
struct TestKey {
    std::array<std::uint8_t, 32> secret{};
    explicit TestKey(std::uint8_t byte) { secret.fill(byte); }

    [[nodiscard]] Signature sign(const Digest& digest) const {
        secp256k1_context* context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
        secp256k1_ecdsa_recoverable_signature raw;
        REQUIRE(secp256k1_ecdsa_sign_recoverable(context, &raw, digest.data.data(), secret.data(), nullptr, nullptr) ==
                1);
        Signature out;
        int recovery_id = 0;
        secp256k1_ecdsa_recoverable_signature_serialize_compact(context, out.data.data(), &recovery_id, &raw);
        if (recovery_id == 1) out.data[32] |= 0x80;
        secp256k1_context_destroy(context);
        return out;
    }
    [[nodiscard]] SignedPackage package(const Feed& of, Price at, std::uint64_t time_ms) const {
        const DataPackage data = single_price_package(of, at, time_ms);
        return SignedPackage{data, sign(package_digest(data))};
    }
    [[nodiscard]] Address address() const {
        const Digest digest{};
        return address_of(*recover(digest, sign(digest)));
    }
};

Rule decode_error(const Bytes& bytes) {
    const auto result = decode_signed_package(bytes);
    return result ? Rule::none : result.error();
}

/// Bytes of a well-formed single package with one byte replaced.
Bytes with_byte(std::size_t at, std::uint8_t value) {
    Bytes bytes = bytes_of(kSingle);
    bytes.at(at) = value;
    return bytes;
}

}  // namespace

TEST_CASE("package: reads what RedStone's library wrote, and writes the same bytes") {
    const auto package = decode_signed_package(bytes_of(kSingle));
    REQUIRE(package);
    CHECK(package->data.timestamp_ms == 1'795'255'200'000);
    CHECK(*price_of(package->data, feed("BTC_USD")) == price("103245.12345678"));
    CHECK(checksum_address(*package_signer(*package)) == kSingleSigner);
    CHECK(encode_signed_package(*package) == bytes_of(kSingle));
    CHECK(package->data == single_price_package(feed("BTC_USD"), price("103245.12345678"), 1'795'255'200'000));

    const auto perpetual = decode_signed_package(bytes_of(kPerpetual));
    REQUIRE(perpetual);
    CHECK(*price_of(perpetual->data, feed("ETH_USD-PERPETUAL")) == price("3999.5"));
    CHECK(checksum_address(*package_signer(*perpetual)) == kPerpetualSigner);
}

TEST_CASE("package: several points, and feeds whose id is a hash") {
    const auto package = decode_signed_package(bytes_of(kMulti));
    REQUIRE(package);
    REQUIRE(package->data.points.size() == 3);
    CHECK(*price_of(package->data, feed("BTC")) == price("65000.1"));
    CHECK(*price_of(package->data, feed("ETH")) == price("2500"));
    CHECK(*price_of(package->data, feed("USDC_USD")) == price("0.9998"));
    CHECK(price_of(package->data, feed("BTC_USD")).error() == Rule::package_wrong_feed);
    CHECK(checksum_address(*package_signer(*package)) == kMultiSigner);
    CHECK(encode_signed_package(*package) == bytes_of(kMulti));

    const auto long_name = decode_signed_package(bytes_of(kLongName));
    REQUIRE(long_name);
    CHECK(feed_name(long_name->data.points[0].feed) ==
          "0x9bd6d556a57e27de4cee574d468bda4c8a7a5b831a3e2cc81d0449ee21f0d0f5");
}

TEST_CASE("package: every other length is refused") {
    const Bytes whole = bytes_of(kSingle);
    for (std::size_t n = 0; n < whole.size(); ++n) {
        const Rule expected =
            n == kPackagePointBytes + kPackageTrailerBytes ? Rule::package_unsigned : Rule::package_malformed;
        CHECK(decode_error(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))) == expected);
    }
    Bytes longer = whole;
    longer.push_back(0);
    CHECK(decode_error(longer) == Rule::package_malformed);
    CHECK(decode_error(Bytes(kMaxPackageBytes + 1)) == Rule::frame_too_large);
}

TEST_CASE("package: trailer fields out of range") {
    CHECK(decode_error(with_byte(73, 31)) == Rule::package_malformed);   // value size 31
    CHECK(decode_error(with_byte(70, 1)) == Rule::package_malformed);    // value size 2^24 + 32
    CHECK(decode_error(with_byte(76, 0)) == Rule::package_malformed);    // count 0
    CHECK(decode_error(with_byte(76, 2)) == Rule::package_malformed);    // count 2
    CHECK(decode_error(with_byte(74, 255)) == Rule::package_malformed);  // count 2^24 - 2^16 + 1
    Bytes empty(kPackageTrailerBytes + kPackageSignatureBytes, 1);
    std::fill(empty.begin(), empty.begin() + kPackageTrailerBytes, std::uint8_t{0});
    empty[9] = 32;
    CHECK(decode_error(empty) == Rule::package_malformed);
}

TEST_CASE("package: a feed twice, or none") {
    DataPackage data = single_price_package(feed("A"), price("1"), 5);
    data.points.push_back(DataPoint{feed("B"), U256(2)});
    Bytes bytes = encode_signed_package(SignedPackage{data, TestKey(1).sign(package_digest(data))});
    REQUIRE(decode_error(bytes) == Rule::none);
    bytes[64] = 'A';
    CHECK(decode_error(bytes) == Rule::package_malformed);
    bytes[64] = 0;
    CHECK(decode_error(bytes) == Rule::package_malformed);
}

TEST_CASE("package: signatures") {
    Bytes zeros = bytes_of(kSingle);
    std::fill(zeros.begin() + 77, zeros.end() - 1, std::uint8_t{0});
    CHECK(decode_error(zeros) == Rule::package_unsigned);
    for (const int v : {0, 1, 26, 29, 255})
        CHECK(decode_error(with_byte(141, static_cast<std::uint8_t>(v))) == Rule::bad_signature);
    CHECK(decode_error(with_byte(77 + 32, 0xff)) == Rule::bad_signature);  // s high

    const TestKey key(7);
    const SignedPackage ours = key.package(feed("BTC_USD"), price("1"), 1'000);
    const std::vector<Address> oracles{TestKey(8).address(), key.address()};
    CHECK(*verify_package(ours, oracles) == key.address());
    CHECK(verify_package(ours, std::span(oracles).first(1)).error() == Rule::package_unknown_signer);
    const auto public_key = recover(package_digest(ours.data), ours.signature);
    REQUIRE(public_key);
    CHECK(verify_package(ours, *public_key) == Rule::none);
    SignedPackage altered = ours;
    altered.data.timestamp_ms += 1;
    CHECK(verify_package(altered, *public_key) == Rule::bad_signature);
    CHECK(verify_package(altered, oracles).error() == Rule::package_unknown_signer);  // recovers somebody else
    SignedPackage other_parity = ours;  // the key made it, but nobody who recovers finds that out
    other_parity.signature.data[32] ^= 0x80;
    CHECK(verify_package(other_parity, *public_key) == Rule::none);
    CHECK(verify_package(other_parity, oracles).error() == Rule::package_unknown_signer);
    // No point of the curve has x = r here, so nobody can have signed it.
    SignedPackage nobody = ours;
    std::fill(nobody.signature.data.begin(), nobody.signature.data.begin() + 32, std::uint8_t{0});
    nobody.signature.data[31] = 5;
    CHECK(package_signer(nobody).error() == Rule::bad_signature);
}

TEST_CASE("package: price bounds") {
    const auto raw = [](const U256& value) {
        DataPackage data = single_price_package(feed("A"), price("1"), 5);
        data.points[0].value = value;
        return price_of(data, feed("A"));
    };
    const U256 limit(static_cast<Uint128>(1) << 96);
    CHECK(raw(U256(0)).error() == Rule::package_price_out_of_range);
    CHECK(raw(limit).error() == Rule::package_price_out_of_range);
    CHECK(raw(limit * limit).error() == Rule::package_price_out_of_range);
    CHECK(raw(U256(1))->raw() == 1);
    CHECK(raw(limit - U256(1))->raw() == (static_cast<Int128>(1) << 96) - 1);
}

TEST_CASE("package: the largest timestamp and count round trip") {
    DataPackage data;
    data.timestamp_ms = kMaxPackageTimeMs;
    for (std::size_t i = 0; i < kMaxPackagePoints; ++i) {
        Feed id;
        id.data[0] = static_cast<std::uint8_t>(1 + i / 256);
        id.data[1] = static_cast<std::uint8_t>(i % 256);
        data.points.push_back(DataPoint{id, U256(i)});
    }
    const SignedPackage package{data, TestKey(3).sign(package_digest(data))};
    const Bytes bytes = encode_signed_package(package);
    CHECK(bytes.size() == kMaxPackageBytes);
    CHECK(*decode_signed_package(bytes) == package);
}

TEST_CASE("median: lower middle of distinct signers") {
    const auto vote = [](std::uint8_t who, std::int64_t at) {
        return PriceVote{TestKey(who).address(), Price::from_raw(at)};
    };
    const std::vector<PriceVote> votes{vote(1, 30), vote(2, 10), vote(3, 20), vote(4, 40)};
    const auto all = std::span(votes);
    CHECK(*median(all, 3, 7) == MedianPrice{Price::from_raw(20), 7, 4});
    CHECK(*median(all.first(3), 3, 7) == MedianPrice{Price::from_raw(20), 7, 3});
    CHECK(*median(all.first(2), 2, 7) == MedianPrice{Price::from_raw(10), 7, 2});
    CHECK(*median(all.first(1), 1, 7) == MedianPrice{Price::from_raw(30), 7, 1});
    CHECK(median(all.first(2), 3, 7).error() == Rule::not_enough_signers);
    CHECK(median({}, 1, 7).error() == Rule::not_enough_signers);
    CHECK(median(all, 0, 7).error() == Rule::oracle_threshold_out_of_range);
    CHECK(median(std::vector{votes[0], votes[1], votes[0]}, 2, 7).error() == Rule::package_duplicate_signer);
    CHECK(median(std::vector{votes[0], vote(9, 0)}, 1, 7).error() == Rule::package_price_out_of_range);
    CHECK(median(std::vector<PriceVote>(kMaxOracles + 1, votes[0]), 1, 7).error() == Rule::list_too_long);
}

TEST_CASE("median of packages: what attest would store") {
    const Feed btc = feed("BTC_USD");
    const TestKey a(1), b(2), c(3);
    const std::vector<Address> oracles{a.address(), b.address()};
    const auto of = [&](std::vector<SignedPackage> packages) {
        return median_of_packages(packages, oracles, btc, 1'000, 2);
    };
    const auto first = a.package(btc, price("100"), 1'000);
    CHECK(*of({first, b.package(btc, price("101"), 1'000)}) == MedianPrice{price("100"), 1'000, 2});
    CHECK(of({first, b.package(btc, price("101"), 999)}).error() == Rule::package_stale);
    CHECK(of({first, b.package(btc, price("101"), 1'001)}).error() == Rule::package_from_future);
    CHECK(of({first, c.package(btc, price("101"), 1'000)}).error() == Rule::package_unknown_signer);
    CHECK(of({first, first}).error() == Rule::package_duplicate_signer);
    CHECK(of({first, b.package(feed("ETH_USD"), price("101"), 1'000)}).error() == Rule::not_enough_signers);
}
