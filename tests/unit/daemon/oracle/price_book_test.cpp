#include "daemon/oracle/price_book.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/unit/daemon/oracle/oracle_support.h"

using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using namespace hedgerow::daemon::testing;

namespace {

constexpr std::uint64_t kNow = 1'700'000'000'000;

struct World {
    TestOracle a{1}, b{2}, c{3}, stranger{4};
    PriceBook book;

    explicit World(std::size_t oracles = 3, std::uint32_t threshold = 2) : book(config(oracles, threshold)) {}

    [[nodiscard]] PriceBookConfig config(std::size_t oracles, std::uint32_t threshold) const {
        PriceBookConfig out;
        out.oracles = {a.address(), b.address(), c.address()};
        out.oracles.resize(oracles);
        out.threshold = threshold;
        out.feeds = {feed("BTC_USD"), feed("ETH_USD")};
        out.history.tiers = {{1, 100}};
        return out;
    }
    Rule submit(const Bytes& raw, std::uint64_t now = kNow) {
        const auto result = book.submit(raw, now);
        return result ? Rule::none : result.error();
    }
    Rule btc(const TestOracle& oracle, std::string_view at, std::uint64_t time = kNow) {
        return submit(oracle.package("BTC_USD", at, time), std::max(time, kNow));
    }
    [[nodiscard]] Expected<MedianPrice, Rule> median(std::uint64_t now = kNow) const {
        return book.median(feed("BTC_USD"), now);
    }
};

}  // namespace

TEST_CASE("price book: the median of k oracles at one time") {
    World w;
    CHECK(w.median().error() == Rule::price_missing);
    CHECK(w.btc(w.a, "100") == Rule::none);
    CHECK(w.median().error() == Rule::not_enough_signers);
    const auto receipt = w.book.submit(w.b.package("BTC_USD", "102", kNow), kNow);
    REQUIRE(receipt);
    CHECK(receipt->signer == w.b.address());
    CHECK(receipt->moved == std::vector{feed("BTC_USD")});
    CHECK(*w.median() == MedianPrice{price("100"), kNow, 2});
    CHECK(w.btc(w.c, "101") == Rule::none);
    CHECK(*w.median() == MedianPrice{price("101"), kNow, 3});
    // A newer time counts only once k have signed it.
    CHECK(w.btc(w.a, "103", kNow + 250) == Rule::none);
    CHECK(w.median()->timestamp_ms == kNow);
    CHECK(w.btc(w.c, "104", kNow + 250) == Rule::none);
    CHECK(*w.median() == MedianPrice{price("103"), kNow + 250, 2});
    CHECK(w.book.median(feed("BTC_USD"), 3, kNow)->timestamp_ms == kNow);
    CHECK(w.book.median(feed("BTC_USD"), 4, kNow).error() == Rule::not_enough_signers);
    CHECK(w.book.median(feed("BTC_USD"), 0, kNow).error() == Rule::oracle_threshold_out_of_range);
    CHECK(w.book.median(feed("ETH_USD"), kNow).error() == Rule::price_missing);
    const std::vector<Address> only_b{w.b.address()};
    CHECK(*w.book.median(feed("BTC_USD"), 1, kNow, only_b) == MedianPrice{price("102"), kNow, 1});
}

TEST_CASE("price book: refusals by name") {
    World w;
    CHECK(w.submit(Bytes(10)) == Rule::package_malformed);
    Bytes unsigned_package = w.a.package("BTC_USD", "100", kNow);
    unsigned_package.resize(unsigned_package.size() - kPackageSignatureBytes);
    CHECK(w.submit(unsigned_package) == Rule::package_unsigned);
    Bytes altered = w.a.package("BTC_USD", "100", kNow);
    altered[63] ^= 1;
    CHECK(w.submit(altered) == Rule::package_unknown_signer);
    CHECK(w.btc(w.stranger, "100") == Rule::package_unknown_signer);
    CHECK(w.submit(w.a.package("SOL_USD", "100", kNow)) == Rule::package_wrong_feed);
    DataPackage zero = single_price_package(feed("BTC_USD"), price("1"), kNow);
    zero.points[0].value = U256();
    CHECK(w.submit(w.a.sign(zero)) == Rule::package_price_out_of_range);
    CHECK(w.median().error() == Rule::price_missing);
}

TEST_CASE("price book: time bounds are exact") {
    World w;
    const std::uint64_t age = w.book.config().max_age_ms, ahead = w.book.config().max_future_ms;
    CHECK(w.submit(w.a.package("BTC_USD", "100", kNow - age - 1)) == Rule::package_stale);
    CHECK(w.submit(w.a.package("BTC_USD", "100", kNow - age)) == Rule::none);
    CHECK(w.submit(w.b.package("BTC_USD", "100", kNow - age)) == Rule::none);
    CHECK(w.submit(w.a.package("BTC_USD", "100", kNow + ahead + 1)) == Rule::package_from_future);
    CHECK(w.submit(w.a.package("BTC_USD", "100", kNow + ahead)) == Rule::none);
    CHECK(w.median(kNow).has_value());
    CHECK(w.median(kNow + 1).error() == Rule::price_stale);
}

TEST_CASE("price book: replays, and two words for one time") {
    World w;
    CHECK(w.btc(w.a, "100") == Rule::none);
    CHECK(w.btc(w.a, "100") == Rule::package_replayed);
    CHECK(w.btc(w.a, "101") == Rule::package_replayed);
    CHECK(w.btc(w.a, "100", kNow - 1) == Rule::package_replayed);
    CHECK(w.btc(w.b, "100", kNow - 1) == Rule::none);  // of another oracle it is news
    CHECK(w.book.packages(feed("BTC_USD"), kNow / 1000).size() == 1);
}

TEST_CASE("price book: one mad oracle moves nothing, a crash that k signed counts") {
    World w;
    REQUIRE(w.btc(w.a, "100") == Rule::none);
    REQUIRE(w.btc(w.b, "100") == Rule::none);
    CHECK(w.btc(w.c, "94.99") == Rule::package_deviates);  // band: 500 bps
    CHECK(w.median()->signers == 2);
    CHECK(w.btc(w.c, "95", kNow + 1) == Rule::none);

    // 30 % down: the first to say so is held, the second confirms both.
    CHECK(w.btc(w.a, "70", kNow + 250) == Rule::package_deviates);
    CHECK(w.median()->price == price("100"));
    CHECK(w.book.latest(feed("BTC_USD"))[0].held != w.book.latest(feed("BTC_USD"))[1].held);
    const auto receipt = w.book.submit(w.b.package("BTC_USD", "71", kNow + 250), kNow);
    REQUIRE(receipt);
    CHECK(receipt->moved.size() == 1);
    CHECK(*w.median() == MedianPrice{price("70"), kNow + 250, 2});
    // Afterwards the old price is what deviates.
    CHECK(w.btc(w.c, "100", kNow + 250) == Rule::package_deviates);
    CHECK(w.median()->signers == 2);
}

TEST_CASE("price book: deviating oracles that contradict each other, or speak of different times, confirm nothing") {
    World w;
    REQUIRE(w.btc(w.a, "100") == Rule::none);
    REQUIRE(w.btc(w.b, "100") == Rule::none);
    CHECK(w.btc(w.a, "50", kNow + 250) == Rule::package_deviates);
    CHECK(w.btc(w.b, "150", kNow + 250) == Rule::package_deviates);
    CHECK(w.btc(w.c, "50", kNow + 500) == Rule::package_deviates);
    CHECK(w.median()->timestamp_ms == kNow);
}

TEST_CASE("price book: prices on both sides of the band's edge confirm each other") {
    World w;
    REQUIRE(w.btc(w.a, "100") == Rule::none);
    REQUIRE(w.btc(w.b, "100") == Rule::none);
    CHECK(w.btc(w.a, "105", kNow + 250) == Rule::none);
    CHECK(w.btc(w.b, "105.1", kNow + 250) == Rule::none);
    CHECK(*w.median() == MedianPrice{price("105"), kNow + 250, 2});
}

TEST_CASE("price book: a lone oracle must insist") {
    World w(1, 1);
    REQUIRE(w.btc(w.a, "100") == Rule::none);
    for (std::uint64_t i = 1; i < PriceBook::kLoneConfirmations; ++i)
        CHECK(w.btc(w.a, "70", kNow + i) == Rule::package_deviates);
    CHECK(w.median()->price == price("100"));
    CHECK(w.btc(w.a, "70", kNow + 100) == Rule::none);
    CHECK(w.median()->price == price("70"));
}

TEST_CASE("price book: a package of several points counts for those that are good") {
    World w;
    DataPackage data = single_price_package(feed("BTC_USD"), price("100"), kNow);
    data.points.push_back(DataPoint{feed("ETH_USD"), U256(5)});
    data.points.push_back(DataPoint{feed("SOL_USD"), U256(7)});
    CHECK(w.submit(w.a.sign(data)) == Rule::none);
    CHECK(w.submit(w.b.sign(data)) == Rule::none);
    CHECK(w.book.median(feed("ETH_USD"), kNow)->price == Price::from_raw(5));
    CHECK(w.book.median(feed("SOL_USD"), kNow).error() == Rule::price_missing);
    CHECK(w.book.feeds() == std::vector{feed("BTC_USD"), feed("ETH_USD")});
}

TEST_CASE("price book: an oracle that floods pushes out its own words only") {
    World w;
    REQUIRE(w.btc(w.a, "100") == Rule::none);
    REQUIRE(w.btc(w.b, "100") == Rule::none);
    for (std::uint64_t i = 1; i <= 3 * PriceBook::kVotesPerOracle; ++i)
        REQUIRE(w.btc(w.c, "100", kNow + i) == Rule::none);
    CHECK(*w.median() == MedianPrice{price("100"), kNow, 2});
}

TEST_CASE("price book: slot packages are kept for attest, whoever was right") {
    World w;
    REQUIRE(w.btc(w.a, "100") == Rule::none);
    REQUIRE(w.btc(w.b, "101") == Rule::none);
    REQUIRE(w.btc(w.c, "50") == Rule::package_deviates);
    REQUIRE(w.btc(w.a, "100", kNow + 250) == Rule::none);  // no slot
    const std::uint64_t slot = kNow / 1000;
    CHECK(w.book.packages(feed("BTC_USD"), slot).size() == 3);
    const std::vector<Address> two{w.a.address(), w.b.address()};
    CHECK(w.book.packages(feed("BTC_USD"), slot, two).size() == 2);
    CHECK(*w.book.slot_price(feed("BTC_USD"), slot, 2, two) == MedianPrice{price("100"), kNow, 2});
    CHECK(w.book.slot_price(feed("BTC_USD"), slot, 3, w.book.config().oracles)->price == price("100"));
    CHECK(w.book.slot_price(feed("BTC_USD"), slot + 1, 2, two).error() == Rule::not_enough_signers);
}

TEST_CASE("price book: history from an oracle's archive") {
    World w;
    const std::uint64_t past = kNow - 50'000;
    CHECK(w.book.submit_history(w.a.package("BTC_USD", "100", past), kNow) == Rule::none);
    CHECK(w.book.submit_history(w.a.package("BTC_USD", "100", past), kNow) == Rule::package_replayed);
    CHECK(w.book.submit_history(w.stranger.package("BTC_USD", "100", past), kNow) == Rule::package_unknown_signer);
    CHECK(w.book.submit_history(w.b.package("BTC_USD", "100", past + 1), kNow) == Rule::package_malformed);
    CHECK(w.book.submit_history(w.b.package("BTC_USD", "100", kNow + 10'000), kNow) == Rule::package_from_future);
    CHECK(w.book.submit_history(w.b.package("SOL_USD", "100", past), kNow) == Rule::package_wrong_feed);
    CHECK(w.book.packages(feed("BTC_USD"), past / 1000).size() == 1);
    CHECK(w.median().error() == Rule::price_missing);  // never into prices
}

TEST_CASE("price book: configs out of range") {
    World w;
    PriceBookConfig config = w.book.config();
    config.threshold = 4;
    CHECK_THROWS_AS(PriceBook{config}, std::invalid_argument);
    config.threshold = 0;
    CHECK_THROWS_AS(PriceBook{config}, std::invalid_argument);
    config = w.book.config();
    config.oracles[1] = config.oracles[0];
    CHECK_THROWS_AS(PriceBook{config}, std::invalid_argument);
    config.oracles.clear();
    CHECK_THROWS_AS(PriceBook{config}, std::invalid_argument);
    config = w.book.config();
    config.max_deviation_bps = 0;
    CHECK_THROWS_AS(PriceBook{config}, std::invalid_argument);
    config = w.book.config();
    config.history.tiers = {{0, 5}};
    CHECK_THROWS_AS(PriceBook{config}, std::invalid_argument);
}
