#include "daemon/oracle/signer_finder.h"

#include <doctest/doctest.h>

#include "daemon/oracle/price_book.h"
#include "tests/unit/daemon/oracle/oracle_support.h"

/// Packages verified against keys that are known, and what that must not let through.
using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using namespace hedgerow::daemon::testing;

namespace {

constexpr std::uint64_t kSlot = 1'700'000'000'000;

/// The package with its other recovery id, as bytes.
Bytes with_other_parity(Bytes raw) {
    raw.back() = static_cast<std::uint8_t>(27 + 28 - raw.back());
    return raw;
}
/// The same with s = n - s, which verifies for those who do not look.
Bytes with_high_s(Bytes raw) {
    const auto n = U256::from_be(fixed_from_hex<Hash>("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")->data);
    const std::span<std::uint8_t, 32> s(raw.data() + raw.size() - 33, 32);
    const auto high = (n - U256::from_be(s)).to_be();
    std::copy(high.begin(), high.end(), s.begin());
    return with_other_parity(std::move(raw));
}

struct World {
    TestOracle a{1}, b{2}, stranger{3};
    std::uint64_t now = kSlot - 900;  ///< between slots from here on for eight steps of 100 ms
    PriceBook book{config()};

    [[nodiscard]] PriceBookConfig config() const {
        PriceBookConfig out;
        out.oracles = {a.address(), b.address()};
        out.threshold = 1;
        out.history.tiers = {{1, 100}};
        return out;
    }
    [[nodiscard]] Bytes package(const TestOracle& oracle) {
        now += 100;
        return oracle.package("BTC_USD", "100", now);
    }
    /// Who the book says signed it; zeros where it is refused.
    Address signer(const Bytes& raw, std::optional<OracleSource> source) {
        const auto receipt = book.submit(raw, now, source);
        rule = receipt ? Rule::none : receipt.error();
        return receipt ? receipt->signer : Address{};
    }
    Rule rule = Rule::none;
    /// From now on source i brings what this oracle signs, and its key is known.
    void learn(OracleSource source, const TestOracle& oracle) {
        for (int i = 0; i < 2; ++i) REQUIRE(signer(package(oracle), source) == oracle.address());
    }
};

}  // namespace

TEST_CASE("signer finder: the parity bit is not asked for where the key is known, else it is") {
    World w;
    w.learn(0, w.a);
    CHECK(w.signer(with_other_parity(w.package(w.a)), 0) == w.a.address());
    CHECK(w.signer(with_other_parity(w.package(w.a)), 1) == Address{});
    CHECK(w.rule == Rule::package_unknown_signer);
    CHECK(w.signer(with_other_parity(w.package(w.a)), std::nullopt) == Address{});
    CHECK(w.signer(w.package(w.a), SignerFinder::kMaxSources) == w.a.address());  // a source without a place to remember
}

TEST_CASE("signer finder: what was kept with a wrong parity bit is given to attest with the right one") {
    World w;
    w.learn(0, w.a);
    w.now = kSlot;
    const Bytes right = w.a.package("BTC_USD", "100", kSlot);
    bool wrong_first = false;
    SUBCASE("the wrong one comes") { wrong_first = true; }
    SUBCASE("the right one comes") {}
    CHECK(w.book.submit_history(with_other_parity(right), w.now) == Rule::package_unknown_signer);  // from nobody who is known
    CHECK(w.signer(wrong_first ? with_other_parity(right) : right, 0) == w.a.address());
    CHECK(w.book.packages(feed("BTC_USD"), kSlot / 1'000) == std::vector<Bytes>(1, right));  // byte for byte what was signed
    CHECK(w.book.slot_price(feed("BTC_USD"), kSlot / 1'000, 1, w.book.config().oracles)->signers == 1);
}

TEST_CASE("signer finder: a signer that is no oracle is refused, known source or not, and changes nothing") {
    World w;
    w.learn(0, w.a);
    CHECK(w.signer(w.package(w.stranger), 0) == Address{});
    CHECK(w.rule == Rule::package_unknown_signer);
    CHECK(w.signer(with_other_parity(w.package(w.a)), 0) == w.a.address());  // still known
    for (int i = 0; i < 3; ++i) CHECK(w.signer(w.package(w.stranger), 1) == Address{});
    Bytes altered = w.package(w.a);
    altered[63] ^= 1;
    CHECK(w.signer(altered, 0) == Address{});
}

TEST_CASE("signer finder: two oracles that change places are told apart") {
    World w;
    w.learn(0, w.a);
    w.learn(1, w.b);
    CHECK(w.signer(w.package(w.b), 0) == w.b.address());
    CHECK(w.signer(w.package(w.a), 1) == w.a.address());
    CHECK(w.signer(w.package(w.b), 0) == w.b.address());
    CHECK(w.signer(w.package(w.a), 0) == w.a.address());
}

TEST_CASE("signer finder: high s is refused before and after the key is known") {
    World w;
    CHECK(w.signer(with_high_s(w.package(w.a)), 0) == Address{});
    CHECK(w.rule == Rule::bad_signature);
    w.learn(0, w.a);
    CHECK(w.signer(with_high_s(w.package(w.a)), 0) == Address{});
    CHECK(w.rule == Rule::bad_signature);

    SignerFinder finder({w.a.address()});  // whatever the decoder would have said
    const Bytes raw = w.package(w.a);
    SignedPackage package = *decode_signed_package(raw);
    for (int i = 0; i < 2; ++i) CHECK(*finder.find(package, 0) == w.a.address());
    // The greatest s that the compact form can say is above n / 2.
    std::fill(package.signature.data.begin() + 33, package.signature.data.end(), std::uint8_t{0xff});
    package.signature.data[32] |= 0x7f;
    CHECK(finder.find(package, 0).error() == Rule::bad_signature);
    CHECK(finder.find(package, 1).error() == Rule::bad_signature);
}
