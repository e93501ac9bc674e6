#include <doctest/doctest.h>

#include "tests/support/attack.h"
#include "tests/support/own_prices.h"

using namespace hedgerow::testing;

/// What the co-signed marks do not show, because they are old or were moved one-sidedly, our own prices do (spec 5.9).
/// Each side has 1,000 of cash and a coin of 2,000 less 10 %: 2,800 USD of equity. Rates are 10 % initial and 5 %
/// maintenance.
namespace {

const char* const kPerp = "BTC_USD-PERPETUAL";
const char* const kDated = "BTC_USD-26MAR27";

struct Market {
    Pair pair;
    Party me;
    TestPrices prices;

    explicit Market(Party judge) : me(judge) {
        pair.side(me).prices = &prices;
        set(50'000, 50'000);
    }
    void set(double perpetual, double future) {
        prices.set("BTC_USD", perpetual);
        prices.set("ETH_USD", 2'000);
        prices.set(kPerp, perpetual);
        prices.set(kDated, future);
    }
    [[nodiscard]] Party them() const { return other(me); }
    /// Quantities and amounts as the judging side has them: positive where it gains.
    [[nodiscard]] double ours(double quantity) const { return me == Party::A ? quantity : -quantity; }
    /// A payment to the judging side.
    [[nodiscard]] PayOp to_us(long usd_cents) const { return pay((me == Party::B ? 1 : -1) * usd_cents * 10'000); }
};

constexpr Party kBoth[] = {Party::A, Party::B};

}  // namespace

TEST_CASE("own prices: whoever marks only our losing leg cannot liquidate us for it") {
    for (const Party me : kBoth) {
        CAPTURE(party_name(me));
        Market m(me);
        REQUIRE(m.pair.attempt(m.them(), perp(m.ours(0.4), 50'000)) == Rule::none);
        REQUIRE(m.pair.attempt(m.them(), dated(m.pair, m.ours(-0.1), 50'000)) == Rule::none);
        REQUIRE(m.pair.attempt(m.them(), mark(44'000, 44'000)) == Rule::none);  // 2,400 lost; equity at the marks 400
        const auto close = [&](double quantity) {
            return m.pair.attempt(m.them(), LiquidateOp{feed(kPerp), coins(m.ours(-quantity)), usd(44'000)});
        };
        m.set(44'000, 40'000);  // the hedge has gained 1,000: 1,400 of equity, 1,080 needed
        CHECK(close(0.05) == Rule::liquidation_unjustified);
        m.prices.now.erase(feed(kDated));
        CHECK(close(0.05) == Rule::price_missing);
        m.prices.set(kDated, 40'000);
        m.prices.now.erase(feed("ETH_USD"));  // part of our collateral
        CHECK(close(0.05) == Rule::price_missing);
        CHECK(m.pair.side(me).channel.agreed.state.find_position(feed(kPerp))->position.quantity == coins(m.ours(0.4)));

        m.set(44'000, 44'000);  // 1,000 of equity, 1,100 needed; 0.304 closed brings it back to initial margin
        CHECK(close(0.4) == Rule::liquidation_unjustified);
        CHECK(close(0.344) == Rule::liquidation_unjustified);
        CHECK(close(0.343) == Rule::none);  // an eighth and a lot more: the price may have moved
        CHECK(m.pair.same());
    }
}

TEST_CASE("own prices: nobody withdraws what it has lost already, though the marks do not show it") {
    for (const Party me : kBoth) {
        CAPTURE(party_name(me));
        Market m(me);
        REQUIRE(m.pair.attempt(m.them(), perp(m.ours(-0.4), 50'000)) == Rule::none);  // they are long
        const std::uint64_t deadline = m.pair.context.now_ms / 1000 + 100;
        const auto withdraw = [&] {
            return m.pair.attempt(m.them(), WithdrawOp{m.them(), 0, units(500'000'000), deadline});
        };
        m.set(46'000, 46'000);  // 1,200 of equity, 700 after it; initial margin is 1,840
        CHECK(withdraw() == Rule::withdraw_margin);
        m.set(48'800, 48'800);  // 2,320 of equity, 1,820 after it; initial 1,952: above maintenance is not enough
        CHECK(withdraw() == Rule::withdraw_margin);
        m.set(50'000, 50'000);
        m.prices.now.erase(feed(kPerp));
        CHECK(withdraw() == Rule::price_missing);
        m.prices.set(kPerp, 50'000);
        m.prices.set("ETH_USD", 500);  // their collateral is worth less by now
        CHECK(withdraw() == Rule::withdraw_margin);
        m.prices.set("ETH_USD", 2'000);
        CHECK(withdraw() == Rule::none);
        CHECK(m.pair.same());
    }
}

TEST_CASE("own prices: without positions nobody's withdrawal or payment depends on prices") {
    for (const Party me : kBoth) {
        Market m(me);
        m.prices.now.clear();
        const std::uint64_t deadline = m.pair.context.now_ms / 1000 + 100;
        CHECK(m.pair.attempt(m.them(), m.to_us(10)) == Rule::none);
        CHECK(m.pair.attempt(m.them(), WithdrawOp{m.them(), 0, units(5), deadline}) == Rule::none);
    }
}

TEST_CASE("own prices: who would be liquidated at once pays nobody; between the margins it still does") {
    for (const Party me : kBoth) {
        CAPTURE(party_name(me));
        Market m(me);
        REQUIRE(m.pair.attempt(m.them(), perp(m.ours(-0.4), 50'000)) == Rule::none);
        m.set(46'000, 46'000);  // 1,200 of equity; maintenance 920
        const auto lock = [&](long cents) {
            Lock out{{}, m.pair.context.now_ms / 1000 + 100, 0, m.to_us(cents).amount};
            return m.pair.attempt(m.them(), LockOp{out});
        };
        CHECK(m.pair.attempt(m.them(), m.to_us(280'01)) == Rule::initial_margin);
        CHECK(lock(280'01) == Rule::initial_margin);
        CHECK(m.pair.attempt(m.them(), m.to_us(200'00)) == Rule::none);
        CHECK(lock(80'01) == Rule::initial_margin);
        CHECK(lock(80'00) == Rule::none);
        CHECK(m.pair.attempt(m.them(), m.to_us(0'01)) == Rule::initial_margin);
        // What we pay them is our own affair.
        CHECK(m.pair.attempt(me, pay(me == Party::A ? 5 : -5)) == Rule::none);
        CHECK(m.pair.same());
    }
}

TEST_CASE("own prices: an outage of our oracles does not freeze payments that leave twice the margin") {
    for (const Party me : kBoth) {
        CAPTURE(party_name(me));
        Market m(me);
        REQUIRE(m.pair.attempt(m.them(), perp(m.ours(-0.1), 50'000)) == Rule::none);
        m.prices.now
            .clear();  // the coin counts for nothing; 250 maintenance and 500 initial margin must be left of the cash
        CHECK(m.pair.attempt(m.them(), m.to_us(250'01)) == Rule::price_missing);
        CHECK(m.pair.attempt(m.them(), m.to_us(250'00)) == Rule::none);
        CHECK(m.pair.attempt(m.them(), m.to_us(0'01)) == Rule::price_missing);
        m.prices.set("ETH_USD", 2'000);
        CHECK(m.pair.attempt(m.them(), m.to_us(0'01)) == Rule::none);
    }
}

TEST_CASE("own prices: a trade or swap that adds risk needs them, one that only reduces does not") {
    for (const Party me : kBoth) {
        CAPTURE(party_name(me));
        Market m(me);
        REQUIRE(m.pair.attempt(m.them(), perp(m.ours(-0.4), 50'000)) == Rule::none);
        m.set(45'500, 45'500);  // they have 1,000 of equity; maintenance 910, with the trade 1,001
        CHECK(m.pair.attempt(m.them(), dated(m.pair, m.ours(-0.04), 45'500)) == Rule::initial_margin);
        CHECK(m.pair.attempt(m.them(), dated(m.pair, m.ours(-0.039), 45'500)) == Rule::none);
        const long sign = me == Party::B ? 1 : -1;  // they give cash
        const SwapOp swap{0, units(sign * 20'000'000), 1, units(-sign * 10'000'000), {}};
        CHECK(m.pair.attempt(m.them(), swap) == Rule::initial_margin);  // the haircut of what they take is too much
        m.set(50'000, 50'000);
        CHECK(m.pair.attempt(m.them(), swap) == Rule::none);
        m.prices.now.clear();
        CHECK(m.pair.attempt(m.them(), swap) == Rule::price_missing);
        CHECK(m.pair.attempt(m.them(), perp(m.ours(-0.001), 50'000)) == Rule::price_missing);
        CHECK(m.pair.attempt(m.them(), perp(m.ours(0.4), 50'000)) == Rule::none);
        CHECK(m.pair.same());
    }
}

TEST_CASE("own prices: proposals that wait are judged when they are done, one after the other") {
    Market m(Party::A);
    REQUIRE(m.pair.attempt(Party::B, perp(-0.4, 50'000)) == Rule::none);
    m.set(46'000, 46'000);  // 1,200 of equity; maintenance 920
    const LocalId first = m.pair.submit(Party::B, m.to_us(200'00));
    const LocalId second = m.pair.submit(Party::B, m.to_us(200'00));  // each alone would do
    m.pair.settle();
    CHECK(m.pair.b.agreed_ids.contains(first));
    CHECK(m.pair.b.refused[second] == Rule::initial_margin);
}
