#include <doctest/doctest.h>

#include "channel/market/payoff.h"
#include "channel/settle/settlement.h"
#include "tests/support/attack.h"
#include "tests/support/own_prices.h"

using namespace hedgerow::testing;

/// Cash settlement at expiry within the channel (spec 5.11): the same as the contract would pay, at a price that each
/// side has from its own oracles' packages.
namespace {

const char* const kDated = "BTC_USD-26MAR27";

struct Expiry {
    Pair pair;
    TestPrices a;
    TestPrices b;
    std::uint64_t expiry = 0;

    explicit Expiry(Amount deposit = units(1'000'000'000)) : pair(deposit) {
        pair.a.prices = &a;
        pair.b.prices = &b;
        for (TestPrices* prices : {&a, &b}) {
            for (const char* of : {"BTC_USD", kDated}) prices->set(of, 50'000);
            prices->set("ETH_USD", 2'000);
        }
        expiry = dated(pair, 1, 1).expiry;
    }
    void attested(double price) {
        for (TestPrices* prices : {&a, &b}) prices->past[{feed("BTC_USD"), expiry}] = usd(price);
    }
    void pass_to(std::uint64_t time_s) {
        pair.context.now_ms = time_s * 1000;
        pair.context.chain_time_s = pair.context.confirmed_chain_time_s = time_s;
    }
    Rule expire(Party party, double price, const char* instrument = kDated) {
        return pair.attempt(party, ExpireOp{feed(instrument), usd(price)});
    }
};

struct Random {
    std::uint64_t state;
    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    }
    Int128 below(Int128 bound) { return static_cast<Int128>(next()) % bound; }
};

/// Positions of every kind on one underlying, put into both sides' states as trades would (which are linear only in
/// this version).
void add_positions(Expiry& e, Random& random, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        PositionEntry entry;
        Position& p = entry.position;
        p.instrument = feed(("X" + std::to_string(i)).c_str());
        p.underlying = feed("BTC_USD");
        p.kind = static_cast<Kind>(random.below(5));
        p.expiry = e.expiry;
        const bool digital = p.kind == Kind::digital_call || p.kind == Kind::digital_put;
        if (p.kind != Kind::linear) p.strike = Price::from_raw(random.below(Int128{100'000} * 100'000'000));
        p.mark = Price::from_raw(random.below(digital ? 100'000'000 : Int128{60'000} * 100'000'000));
        const Int128 size = 1 + random.below(digital ? Int128{1'000'000'000} : Int128{10'000'000});
        p.quantity = Quantity::from_raw(random.next() % 2 == 0 ? size : -size);
        for (Side* side : {&e.pair.a, &e.pair.b}) {
            side->channel.agreed.state.positions.edit().push_back(entry);
        }
    }
}

std::vector<Amount> settled(const Expiry& e, Price at_expiry) {
    const Channel& c = e.pair.a.channel;
    std::vector<Holdings> holdings;
    for (std::size_t i = 0; i < c.terms.assets.size(); ++i) {
        holdings.push_back({c.funds_seen.deposit_a[i], c.funds_seen.deposit_b[i], c.funds_seen.withdrawn_a[i],
                            c.funds_seen.withdrawn_b[i]});
    }
    const OpenDispute dispute{e.expiry + 3'600, 0, Party::A};
    const auto attested = [&](const Feed& of, std::uint64_t time) {
        return of == feed("BTC_USD") && time == e.expiry ? std::optional(at_expiry) : std::nullopt;
    };
    const auto answer = settle_at(c.terms, typed_state(c.agreed.state, c.id), holdings, dispute, e.expiry + 3'600,
                                  attested, [](const LockHash&) { return std::uint64_t{0}; });
    REQUIRE(answer.status == SettleStatus::due);
    REQUIRE_FALSE(answer.result.loser.has_value());
    return answer.result.a;
}

}  // namespace

TEST_CASE("expire: not before the expiry, at the attested price of exactly that second, by either side") {
    for (const Party party : {Party::A, Party::B}) {
        CAPTURE(party_name(party));
        Expiry e;
        REQUIRE(e.pair.attempt(Party::A, dated(e.pair, 0.1, 50'000)) == Rule::none);
        REQUIRE(e.pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::price_missing);  // B has no price of it
        for (TestPrices* prices : {&e.a, &e.b}) prices->set("BTC_USD-PERPETUAL", 50'000);
        REQUIRE(e.pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::none);
        e.attested(51'000);
        e.pass_to(e.expiry - 1);
        CHECK(e.expire(party, 51'000) == Rule::instrument_not_expired);
        e.pass_to(e.expiry);
        CHECK(e.pair.attempt(party, dated(e.pair, 0.1, 50'000)) != Rule::none);
        CHECK(e.expire(party, 51'000, "BTC_USD-PERPETUAL") == Rule::instrument_not_expired);
        CHECK(e.expire(party, 51'000, "NOTHING") == Rule::position_unknown);
        CHECK(e.expire(party, 0) == Rule::price_out_of_range);
        CHECK(e.expire(party, 50'999.99999999) == Rule::expiry_price_wrong);
        TestPrices& judge = party == Party::A ? e.b : e.a;
        const auto past = judge.past;
        judge.past.clear();
        CHECK(e.expire(party, 51'000) == Rule::expiry_price_missing);
        judge.past = past;
        CHECK(e.expire(party, 51'000) == Rule::none);
        CHECK(e.expire(party, 51'000) == Rule::position_unknown);
        CHECK(e.pair.a.channel.agreed.state.positions.size() == 1);
        CHECK(e.pair.available(Party::B, Party::A, 0) == units(1'100'000'000));
        CHECK(e.pair.available(Party::A, Party::B, 0) == units(900'000'000));
        CHECK(e.pair.same());
    }
}

TEST_CASE("expire: an expired position is judged by its payoff, not by a feed that has ended") {
    Expiry e;
    REQUIRE(e.pair.attempt(Party::A, dated(e.pair, 0.1, 50'000)) == Rule::none);
    e.pass_to(e.expiry);
    for (TestPrices* prices : {&e.a, &e.b}) prices->now.erase(feed(kDated));
    const WithdrawOp withdraw{Party::A, 0, units(500'000'000), e.expiry + 100};
    CHECK(e.pair.attempt(Party::A, withdraw) == Rule::price_missing);
    e.attested(29'990);  // A has lost 2,001 of its 2,800, wants 500, and needs 299.9
    CHECK(e.pair.attempt(Party::A, withdraw) == Rule::withdraw_margin);
    e.attested(51'000);
    CHECK(e.pair.attempt(Party::A, withdraw) == Rule::none);
}

TEST_CASE("expire: one position of any kind settles to the unit as on chain, many within one unit of all together") {
    Random random{0x9e3779b97f4a7c15ULL};
    int moved = 0;
    for (int round = 0; round < 120; ++round) {
        CAPTURE(round);
        Expiry e(units(1'000'000'000'000));
        const std::size_t count = round % 2 == 0 ? 1 : 8;
        add_positions(e, random, count);
        const Price at_expiry = Price::from_raw(1 + random.below(Int128{100'000} * 100'000'000));
        for (TestPrices* prices : {&e.a, &e.b}) prices->past[{feed("BTC_USD"), e.expiry}] = at_expiry;
        e.pass_to(e.expiry);
        const std::vector<Amount> on_chain = settled(e, at_expiry);
        const auto positions = e.pair.a.channel.agreed.state.positions;
        for (const PositionEntry& entry : positions) {
            const Party party = random.next() % 2 == 0 ? Party::A : Party::B;
            REQUIRE(e.pair.attempt(party, ExpireOp{entry.position.instrument, at_expiry}) == Rule::none);
        }
        REQUIRE(e.pair.same());
        REQUIRE(e.pair.a.channel.agreed.state.positions.empty());
        const std::vector<Amount> in_channel = settled(e, at_expiry);
        const Amount difference = (on_chain[0] - in_channel[0]).abs();
        CHECK(difference.raw() <= (count == 1 ? 0 : 1));
        CHECK(on_chain[1] == in_channel[1]);
        if (on_chain[0] != units(1'000'000'000'000)) ++moved;
    }
    CHECK(moved > 100);
}
