#include <doctest/doctest.h>

#include "tests/support/attack.h"

using namespace hedgerow::testing;

/// What a lying peer may try with balances, marks and margin (spec 4.3, 5), one case each. The harness asserts that
/// nobody signs two states of one version, that no op is both refused and agreed, and that nothing is signed which the
/// wallet's policy would refuse.

TEST_CASE("attack: nobody is liquidated because the other side denies its deposits") {
    for (const Party liar : {Party::A, Party::B}) {
        CAPTURE(party_name(liar));
        Pair pair;
        REQUIRE(pair.attempt(Party::A, perp(liar == Party::B ? 0.2 : -0.2, 50'000)) ==
                Rule::none);  // the victim is long
        const Party victim = other(liar);
        Side& honest = pair.side(victim);
        Side& lying = pair.side(liar);
        SUBCASE("deposits") {
            lying.channel.funds_seen.deposit(victim)[0] = units(200'000'000);
            lying.channel.funds_seen.deposit(victim)[1] = units(0);
        }
        SUBCASE("withdrawals") {
            lying.channel.funds_seen.withdrawn(victim)[0] = units(800'000'000);
            lying.channel.funds_seen.withdrawn(victim)[1] = units(1'000'000'000);
        }
        pair.run(honest, FromPeer{FundsSeen{honest.channel.id, lying.channel.funds_seen}, {}});
        const Quantity closing = coins(liar == Party::B ? -0.1 : 0.1);
        CHECK(pair.attempt(liar, LiquidateOp{feed("BTC_USD-PERPETUAL"), closing, usd(50'000)}) ==
              Rule::maintenance_not_breached);
        CHECK(honest.channel.agreed.state.positions.size() == 1);
        CHECK(honest.channel.agreed.state.net[0].is_zero());
    }
}

TEST_CASE("attack: what a liquidation costs does not depend on what either side has seen on chain") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, perp(0.55, 50'000)) == Rule::none);
    REQUIRE(pair.attempt(Party::A, mark(48'900, 48'900)) == Rule::none);  // A: 395 cash, 1,800 of coin
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 100;
    REQUIRE(pair.attempt(Party::A, mark(47'200, 47'200)) == Rule::none);  // equity 1,260 < 1,298
    (void)deadline;
    pair.a.outbox.clear();
    pair.a.channel.funds_seen.deposit(Party::A)[0] = units(1'700'000'000);  // A sees a further deposit, B does not yet
    pair.a.channel.funds_peer.deposit(Party::A)[0] = units(1'000'000'000);
    CHECK(pair.a.channel.agreed.state.net[0] == units(1'540'000'000));
    pair.a.channel.funds_seen.deposit(Party::A)[0] = units(1'000'000'001);
    const Rule rule = pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), usd(47'200)});
    CHECK(rule == Rule::none);
    CHECK(pair.same());
    CHECK(pair.a.channel.agreed.state.net[0] == units(1'540'000'000 + 47'200'000));  // 1 % of 0.1 * 47,200
}

TEST_CASE("attack: a withdrawal right is not replaced by a shorter one because its owner says that it was used") {
    Pair pair;
    const std::uint64_t now = pair.context.now_ms / 1000;
    REQUIRE(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(900'000'000), now + 7 * 24 * 3600}) == Rule::none);
    Funds lie = pair.b.channel.funds_seen;
    lie.withdrawn_b[0] = units(900'000'000);
    pair.run(pair.a, FromPeer{FundsSeen{pair.a.channel.id, lie}, {}});
    CHECK(answer_to(pair, WithdrawOp{Party::B, 0, units(900'000'001), now + 5}) == Rule::withdraw_outstanding);
    CHECK(answer_to(pair, CloseOp{now + 100}) == Rule::withdraw_outstanding);
}

TEST_CASE("attack: numbers at the ends of 128 bits are refused by name in every op") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, perp(0.1, 50'000)) == Rule::none);
    for (Side* side : {&pair.a, &pair.b}) side->channel.agreed.state.risk.max_in_doubt = Usd16::from_raw(1);
    pair.b.linked_out = false;
    for (const Int128 raw : {kLeast, kLeast + 1, kMost}) {
        const Amount amount = Amount::from_raw(raw);
        const Quantity quantity = Quantity::from_raw(raw);
        const Price price = Price::from_raw(raw);
        TradeOp trade = perp(0.1, 50'000);
        trade.quantity = quantity;
        TradeOp dear = perp(0.1, 50'000);
        dear.price = price;
        TradeOp fee = perp(0.1, 50'000);
        fee.fee = amount;
        TradeOp strike = perp(0.1, 50'000);
        strike.strike = price;
        RiskTerms lot = sample_risk();
        lot.classes[0].lot = quantity;
        const std::uint64_t far = ~std::uint64_t{0};
        for (const Op& op : std::vector<Op>{PayOp{0, amount, {}},
                                            SwapOp{0, amount, 1, units(1), {}},
                                            SwapOp{0, units(-1), 1, amount, {}},
                                            trade,
                                            dear,
                                            fee,
                                            strike,
                                            MarkOp{feed("BTC_USD-PERPETUAL"), price, usd(1)},
                                            MarkOp{feed("BTC_USD-PERPETUAL"), usd(1), price},
                                            MarkOp{feed("ETH_USD"), price, price},
                                            LockOp{{{}, far, 0, amount}},
                                            LockOp{{{}, 0, 0, amount}},
                                            LiquidateOp{feed("BTC_USD-PERPETUAL"), quantity, usd(50'000)},
                                            LiquidateOp{feed("BTC_USD-PERPETUAL"), quantity, price},
                                            LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), price},
                                            TermsOp{lot},
                                            WithdrawOp{Party::B, 0, amount, far},
                                            WithdrawOp{Party::B, 0, amount, pair.context.now_ms / 1000 + 9},
                                            WithdrawOp{Party::B, 255, amount, 0},
                                            CloseOp{far}}) {
            CAPTURE(op_name(op));
            CHECK(answer_to(pair, op) != Rule::none);
            pair.a.outbox.clear();
            pair.submit(Party::A, op);
            pair.run(pair.a, Flush{});
            CHECK(pair.a.channel.pending.empty());
        }
    }
}

TEST_CASE("attack: numbers whose sum or absolute value could leave 128 bits are not even read") {
    const Int128 edge = static_cast<Int128>(1) << kWireBits;
    for (const Int128 raw : {edge - 1, 1 - edge})
        CHECK(wire_decode<Amount>(wire_encode(Amount::from_raw(raw))).has_value());
    for (const Int128 raw : {edge, -edge, kLeast, kLeast + 1, kMost}) {
        const auto read = wire_decode<Amount>(wire_encode(Amount::from_raw(raw)));
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error() == Rule::field_out_of_range);
    }
    Pair pair;
    CHECK(pair.attempt(Party::B, PayOp{0, Amount::from_raw(-edge), {}}) ==
          Rule::amount_out_of_range);  // told at once, not left hanging
}

TEST_CASE("attack: the leader's clock cannot be put back") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(1)) == Rule::none);
    pair.context.now_ms += 600'000;
    const std::uint64_t now = pair.context.now_ms;
    SUBCASE("an update from the past") {
        const LocalId id = pair.submit(Party::A, pay(1));
        pair.context.now_ms = now - 300'000;
        pair.run(pair.a, Flush{});
        pair.context.now_ms = now;
        pair.settle();
        CHECK(pair.a.refused[id] == Rule::timestamp_out_of_band);
        CHECK(pair.attempt(Party::A, pay(1)) == Rule::none);
    }
    SUBCASE("a lock fulfilled after its expiry") {
        Preimage preimage;
        LockHash hash;
        hash.data = keccak256(preimage.view()).data;
        REQUIRE(pair.attempt(Party::B, LockOp{{hash, now / 1000 + 10, 0, units(-400)}}) == Rule::none);
        pair.context.now_ms = now + 9'000;
        const LocalId id = pair.submit(Party::A, FulfilOp{hash, preimage});
        pair.run(pair.a, Flush{});
        pair.context.now_ms = now + 10'000;
        pair.settle();
        CHECK(pair.a.refused[id] == Rule::lock_expired);
        CHECK(pair.b.channel.agreed.state.locks.size() == 1);
    }
}

TEST_CASE("attack: a batch of trades cannot pass the limit of what may be in doubt, nor can swaps") {
    Pair pair(units(1'000'000'000'000));
    RiskTerms risk = sample_risk();
    risk.max_in_doubt =
        Usd16::from_raw(static_cast<Int128>(1000) * 10'000'000'000'000'000);  // 1,000 USD at the initial rate of 10 %
    REQUIRE(pair.attempt(Party::A, TermsOp{risk}) == Rule::none);
    for (int i = 0; i < 40; ++i) pair.submit(Party::B, perp(0.1, 50'000));  // 500 USD each
    pair.run(pair.b, Flush{});
    deliver_all(pair, pair.b);
    pair.run(pair.a, Flush{});
    REQUIRE(pair.a.channel.pending.size() == 1);
    CHECK(pair.a.channel.pending.back().update.ops.size() == 3);
    pair.settle();
    CHECK(pair.same());
}

TEST_CASE("attack: marking ever so often does not wipe funding out, however cheap the underlying") {
    Pair pair;
    RiskTerms risk;
    risk.classes.push_back({feed("SHIB_USD"), 1000, 500, 100, Quantity::from_raw(1)});
    REQUIRE(pair.attempt(Party::A, TermsOp{risk}) == Rule::none);
    TradeOp trade = perp(1'000'000, 0.00001);
    trade.instrument = feed("SHIB_USD-PERPETUAL");
    trade.underlying = feed("SHIB_USD");
    trade.quantity = Quantity::from_raw(static_cast<Int128>(100'000'000) * 100'000'000);  // 100 million, 1,000 USD
    REQUIRE(pair.attempt(Party::A, trade) == Rule::none);
    const MarkOp op{feed("SHIB_USD-PERPETUAL"), Price::from_raw(1000), Price::from_raw(999)};  // premium 10 bp, less 5
    REQUIRE(pair.attempt(Party::B, op) == Rule::none);
    const auto total16 = [&] {
        const ChannelState& s = pair.a.channel.agreed.state;
        return s.net[0].raw() * 10'000'000'000 - s.residue.raw();
    };
    const Int128 before = total16();
    for (int i = 0; i < 1000; ++i) {
        pair.context.now_ms += 1;
        REQUIRE(pair.attempt(Party::A, op) == Rule::none);
    }
    const auto rate = static_cast<double>(pair.a.channel.agreed.state.positions[0].funding_rate_e12) / 1e12;
    const double due = 999.0 * rate * 1.0 / 28'800 * 1e16;  // USD 1e-16 for one second
    const auto paid = static_cast<double>(total16() - before);
    CHECK(rate > 0);
    CHECK(paid > due * 0.999);
    CHECK(paid < due * 1.001);
}

TEST_CASE("attack: a trade at a better price than a stale mark does not count its own profit as margin") {
    Pair pair;  // 2,800 USD of equity a side, then much more on B's
    for (Side* side : {&pair.a, &pair.b}) pair.run(*side, ChainDeposit{Party::B, 0, units(20'000'000'000)});
    pair.settle();
    REQUIRE(pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::none);
    // The market is at 45,000 by now, the mark still at 50,000: A is credited 5,000 a coin at once, and will lose it
    // again at the next mark.
    CHECK(pair.attempt(Party::A, perp(0.5, 45'000)) == Rule::none);
    CHECK(pair.attempt(Party::A, perp(0.2, 45'000)) ==
          Rule::initial_margin);  // 0.71 coins: needs 3,195 at 45,000, has 2,750 there
    CHECK(pair.attempt(Party::A, perp(0.05, 45'000)) == Rule::none);
    CHECK(pair.same());
}
