#include <doctest/doctest.h>

#include "channel/crypto/keccak.h"
#include "daemon/market/account.h"
#include "daemon/market/expiries.h"
#include "daemon/market/market.h"
#include "daemon/oracle/price_book.h"
#include "tests/support/own_prices.h"
#include "tests/unit/daemon/oracle/oracle_support.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::testing;
using namespace hedgerow;
using daemon::testing::TestOracle;

/// The node's side of judging by its own prices (spec 5.9, 5.11): where the core's OwnPrices come from, and what is
/// done at an expiry.
namespace {

constexpr std::uint64_t kNow = 1'800'000'000'000;

struct Oracles {
    TestOracle first{1};
    TestOracle second{2};
    TestOracle third{3};
    daemon::PriceBook book;
    std::uint64_t now_ms = kNow;
    daemon::FreshPrices prices;
    Terms terms;

    Oracles() : book(config()), prices(book, [this] { return now_ms; }) {
        for (const Address& a : config().oracles) terms.oracles.push_back(a);
        terms.oracle_threshold = 2;
    }
    static daemon::PriceBookConfig config() {
        daemon::PriceBookConfig out;
        out.oracles = {TestOracle(1).address(), TestOracle(2).address(), TestOracle(3).address()};
        std::sort(out.oracles.begin(), out.oracles.end());
        out.threshold = 2;
        out.max_age_ms = 10'000;
        return out;
    }
    void say(const TestOracle& oracle, const char* of, const char* price, std::uint64_t time_ms) {
        REQUIRE(book.submit(oracle.package(of, price, time_ms), now_ms).has_value());
    }
};

}  // namespace

TEST_CASE(
    "fresh prices: a median of now, or nothing where it is old or too few signed; once looked up it stands for the "
    "turn") {
    Oracles o;
    CHECK_FALSE(o.prices.price(feed("BTC_USD")).has_value());
    o.say(o.first, "BTC_USD", "50000", kNow);
    o.prices.forget();
    CHECK_FALSE(o.prices.price(feed("BTC_USD")).has_value());
    o.say(o.second, "BTC_USD", "50001", kNow);
    CHECK_FALSE(o.prices.price(feed("BTC_USD")).has_value());  // of the same turn
    o.prices.forget();
    CHECK(o.prices.price(feed("BTC_USD")) == usd(50'000));  // the lower middle
    o.now_ms = kNow + 10'000;
    CHECK(o.prices.price(feed("BTC_USD")) == usd(50'000));
    o.now_ms = kNow + 10'001;
    CHECK_FALSE(o.prices.price(feed("BTC_USD")).has_value());
}

TEST_CASE("fresh prices: of a past second what the chain would take, from the channel's own oracles") {
    Oracles o;
    o.say(o.first, "BTC_USD", "50000", kNow);
    CHECK_FALSE(o.prices.price_at(feed("BTC_USD"), kNow / 1'000, o.terms).has_value());
    o.say(o.second, "BTC_USD", "50010", kNow);
    o.now_ms += 1'000;  // looked up once a second
    CHECK(o.prices.price_at(feed("BTC_USD"), kNow / 1'000, o.terms) == usd(50'000));
    CHECK_FALSE(o.prices.price_at(feed("BTC_USD"), kNow / 1'000 + 1, o.terms).has_value());
    o.now_ms += 86'400'000;  // however long ago
    CHECK(o.prices.price_at(feed("BTC_USD"), kNow / 1'000, o.terms) == usd(50'000));
    Terms others = o.terms;
    std::erase(others.oracles, o.second.address());
    CHECK_FALSE(o.prices.price_at(feed("BTC_USD"), kNow / 1'000, others).has_value());
}

TEST_CASE("expiries: the leader settles once the price is there, the follower later, again until it is done") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, dated(pair, 0.1, 50'000)) == Rule::none);
    REQUIRE(pair.attempt(Party::A, perp(0.1, 50'000)) == Rule::none);
    const std::uint64_t expiry = dated(pair, 1, 1).expiry;
    for (const Party party : {Party::A, Party::B}) {
        const Channel& channel = pair.side(party).channel;
        const std::uint64_t first_ms = expiry * 1'000 + (party == Party::A ? 3'000 : 30'000);
        TestPrices prices;
        daemon::Expiries expiries;
        std::size_t fetched = 0;
        const auto due = [&](std::uint64_t now_ms) {
            return expiries.due(channel, now_ms, prices, [&](const Feed& of, std::uint64_t time_s) {
                CHECK((of == feed("BTC_USD") && time_s == expiry));
                ++fetched;
            });
        };
        CHECK(due(expiry * 1'000 - 1).empty());
        CHECK(due(first_ms - 1).empty());
        CHECK(fetched == 0);
        CHECK(due(first_ms).empty());
        CHECK(fetched == 1);
        prices.past[{feed("BTC_USD"), expiry}] = usd(51'000);
        CHECK(due(first_ms + 4'999).empty());
        CHECK(due(first_ms + 5'000) == std::vector{ExpireOp{feed("BTC_USD-26MAR27"), usd(51'000)}});
        CHECK(due(first_ms + 5'001).empty());
        CHECK(due(first_ms + 10'000).size() == 1);  // it was refused, or lost
    }
}

TEST_CASE("accounts: at the oracles' prices, an expired position at its payoff") {
    Pair pair;  // 2,800 USD of equity a side
    REQUIRE(pair.attempt(Party::A, dated(pair, 0.1, 50'000)) == Rule::none);
    const Channel& channel = pair.a.channel;
    const auto equity = [&](const TestPrices& prices) {
        return daemon::MarketAccount(pair.context, channel, channel.agreed.state, Party::A, prices).margin().equity16;
    };
    const auto usd16 = [](long n) { return I256(Int128{n} * 10'000'000'000'000'000); };
    TestPrices prices;
    CHECK(equity(prices) == usd16(2'800));
    prices.set("BTC_USD-26MAR27", 51'000);
    prices.past[{feed("BTC_USD"), dated(pair, 1, 1).expiry}] = usd(49'000);
    CHECK(equity(prices) == usd16(2'900));
    pair.context.now_ms += 90'000'000;
    CHECK(equity(prices) == usd16(2'700));
    prices.past.clear();
    CHECK(equity(prices) == usd16(2'800));  // at the mark
}

TEST_CASE("ledger: an expiry closes the position at its payoff, and is a fill that survives") {
    TempDir dir;
    daemon::NodeOptions options;
    options.datadir = dir.path();
    daemon::Node node(options);
    Oracles o;
    daemon::Market market(node, o.book, {}, {});
    Pair pair;
    const Channel& channel = pair.b.channel;
    const auto agreed = [&](std::uint64_t version, const Op& op) {
        market.ledger().on_signed(channel, {version, kNow + version, {{0, op}}, {0}});
    };
    agreed(1, dated(pair, 0.1, 50'000));  // B sells
    agreed(2, dated(pair, 0.1, 52'000));
    agreed(3, ExpireOp{feed("BTC_USD-26MAR27"), usd(50'500)});
    const daemon::PositionBook* book = market.ledger().find(channel.id, feed("BTC_USD-26MAR27"));
    REQUIRE(book != nullptr);
    CHECK(book->quantity.is_zero());
    CHECK(book->realised16 == I256(Int128{100} * 10'000'000'000'000'000));  // 0.2 short from 51,000
    agreed(4, ExpireOp{feed("BTC_USD-26MAR27"), usd(50'500)});              // nothing is held: no fill
    TradeOp call = dated(pair, -0.1, 700);
    call.instrument = feed("BTC_USD-26MAR27-50000-C");
    call.kind = Kind::call;
    call.strike = usd(50'000);
    agreed(5, call);  // B buys
    agreed(6, ExpireOp{call.instrument, usd(50'500)});
    CHECK(market.ledger().find(channel.id, call.instrument)->realised16 == I256(-Int128{20} * 10'000'000'000'000'000));
    CHECK(market.prices() != nullptr);
}
