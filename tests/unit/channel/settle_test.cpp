#include "channel/settle/settlement.h"

#include <doctest/doctest.h>

#include <map>

using namespace hedgerow::channel;

namespace {

Price usd(const char* text) {
    return Price::from_raw(*parse_decimal(text, 8));
}
Quantity units(const char* text) {
    return Quantity::from_raw(*parse_decimal(text, 8));
}
Amount coins(long long raw) {
    return Amount::from_raw(raw);
}
Feed feed(const char* name) {
    return *feed_from_name(name);
}

constexpr std::uint64_t kStart = 1'000'030;  // a dispute's first second
constexpr std::uint64_t kT = 1'000'140;      // its valuation time: (floor(1,000,030 / 60) + 2) * 60
constexpr std::uint64_t kEnd = kStart + 3'600;

/// A dollar token of 6 decimals and ether of 18 (haircut 10 %), 1,000 dollars a side; dispute of one hour, slots of a
/// minute.
struct World {
    Terms terms;
    State state;
    std::vector<Holdings> holdings = {{coins(1'000'000'000), coins(1'000'000'000), {}, {}}, {}};
    OpenDispute dispute{kEnd, 0, Party::A};
    std::map<std::pair<Feed, std::uint64_t>, Price> attested;
    std::map<LockHash, std::uint64_t> registered;

    World() {
        terms.assets.resize(2);
        terms.assets[0].decimals = 6;
        terms.assets[1].decimals = 18;
        terms.assets[1].token.data[0] = 1;
        terms.assets[1].feed = feed("ETH_USD");
        terms.assets[1].haircut_bps = 1'000;
        terms.price_slot = 60;
        terms.price_grace = 600;
        terms.dispute_period = 3'600;
        terms.stale_penalty = coins(50'000'000);
        state.version = 1;
        state.net = {Amount(), Amount()};
        state.asset_marks = {usd("1"), usd("1000")};
    }
    Position& add(Kind kind, const char* quantity, const char* mark, std::uint64_t expiry = 0,
                  const char* strike = "0") {
        Position position;
        position.instrument = feed(state.positions.empty() ? "BTC_USD-PERPETUAL" : "BTC_USD-OTHER");
        position.underlying = feed("BTC_USD");
        position.kind = kind;
        position.expiry = expiry;
        position.strike = usd(strike);
        position.quantity = units(quantity);
        position.mark = usd(mark);
        state.positions.push_back(position);
        return state.positions.back();
    }
    World& attest(const char* name, std::uint64_t time, const char* price) {
        attested[{feed(name), time}] = usd(price);
        return *this;
    }
    [[nodiscard]] SettleAnswer at(std::uint64_t now) const {
        const auto price = [this](const Feed& name, std::uint64_t time) -> std::optional<Price> {
            const auto found = attested.find({name, time});
            return found == attested.end() ? std::nullopt : std::optional(found->second);
        };
        const auto time = [this](const LockHash& hash) {
            const auto found = registered.find(hash);
            return found == registered.end() ? std::uint64_t{0} : found->second;
        };
        return settle_at(terms, state, holdings, dispute, now, price, time);
    }
    /// A's payout of assets[0] in cents of a cent (6 decimals), when due at the end.
    [[nodiscard]] Amount a0() const {
        const SettleAnswer answer = at(kEnd);
        REQUIRE(answer.status == SettleStatus::due);
        return answer.result.a[0];
    }
};

}  // namespace

TEST_CASE("settle: times of spec 3.2 and 3.5") {
    CHECK(valuation_time(0, 60) == 120);
    CHECK(valuation_time(59, 60) == 120);
    CHECK(valuation_time(60, 60) == 180);
    CHECK(valuation_time(61, 60) == 180);
    CHECK(valuation_time(kStart, 60) == kT);
    CHECK(valuation_time(10, 1) == 12);
    World world;
    CHECK(marks_time(kT, world.terms) == kT + 480 + 600);
    CHECK(settle_due_time(100, world.state) == 100);
    world.state.locks = {Lock{{}, 99, 0, coins(1)}, Lock{{}, 101, 0, coins(1)}};
    CHECK(settle_due_time(100, world.state) == 101);
}

TEST_CASE("settle: stale of spec 3.3") {
    CHECK(dispute_lead(5, 5) == 0);
    CHECK(dispute_lead(131, 5) == 126);
    CHECK(dispute_lead(132, 5) == 127);
    CHECK(dispute_lead(kMaxVersion, 0) == 127);
    CHECK_FALSE(is_stale(Party::A, 0));
    CHECK_FALSE(is_stale(Party::A, 64));
    CHECK(is_stale(Party::A, 65));
    CHECK_FALSE(is_stale(Party::B, 0));
    CHECK(is_stale(Party::B, 1));
}

TEST_CASE("settle: version 0 returns the deposits") {
    World world;
    world.state = State();
    world.holdings[1] = {coins(7), coins(5), coins(2), coins(1)};
    const SettleAnswer answer = world.at(kEnd);
    CHECK(answer.status == SettleStatus::due);
    CHECK(answer.result.a == std::vector{coins(1'000'000'000), coins(5)});
    CHECK(answer.result.b == std::vector{coins(1'000'000'000), coins(4)});
}

TEST_CASE("settle: version 0 has no marks to cover a shortfall with") {
    World world;
    world.state = State();
    world.holdings = {{coins(0), coins(100), coins(40), coins(0)}, {coins(5), coins(0), coins(0), coins(0)}};
    const SettleAnswer answer = world.at(kEnd);
    CHECK(answer.status == SettleStatus::due);
    CHECK(answer.result.a == std::vector{coins(0), coins(5)});
    CHECK(answer.result.b == std::vector{coins(60), coins(0)});
    CHECK(answer.result.shortfall == U256(40));
}

TEST_CASE("settle: due at the end, and at the latest lock's expiry, not a second before") {
    World world;
    CHECK(world.at(kEnd - 1).status == SettleStatus::waits_for_end);
    CHECK(world.at(kEnd).status == SettleStatus::due);
    world.state.locks = {Lock{{}, kEnd + 5, 0, coins(1)}};
    CHECK(world.at(kEnd + 4).status == SettleStatus::waits_for_end);
    CHECK(world.at(kEnd + 4).due_s == kEnd + 5);
    CHECK(world.at(kEnd + 5).status == SettleStatus::due);
}

TEST_CASE("settle: a lock counts when its preimage was registered strictly before its expiry") {
    World world;
    const std::uint64_t expiry = kEnd - 100;
    world.state.locks = {Lock{{}, expiry, 0, coins(30)}};
    CHECK(world.a0() == coins(1'000'000'000));
    world.registered[{}] = expiry - 1;
    CHECK(world.a0() == coins(999'999'970));
    world.registered[{}] = expiry;
    CHECK(world.a0() == coins(1'000'000'000));
    world.registered[{}] = expiry - 1;
    world.state.locks[0].amount = coins(-30);
    CHECK(world.a0() == coins(1'000'000'030));
    world.state.locks.push_back(world.state.locks[0]);  // two locks of one hash are both executed
    CHECK(world.a0() == coins(1'000'000'060));
}

TEST_CASE("settle: a perpetual at the slot price, by hand") {
    World world;
    world.add(Kind::linear, "0.1", "60000");
    world.attest("BTC_USD-PERPETUAL", kT, "58000");
    const Settlement result = world.at(kEnd).result;
    CHECK(result.pnl == I256(-200'000'000));
    CHECK(result.a[0] == coins(800'000'000));
    CHECK(result.b[0] == coins(1'200'000'000));
    CHECK_FALSE(result.marks_used);
}

TEST_CASE("settle: profit is rounded once, toward zero, on the sum") {
    World world;
    world.add(Kind::linear, "0.00000001", "1");
    world.add(Kind::linear, "0.00000001", "1");
    // Each loses 50 x 1e-8 = 0.5 unit of 1e-6 USD: together one unit, one by one none.
    world.attest("BTC_USD-PERPETUAL", kT, "51").attest("BTC_USD-OTHER", kT, "51");
    CHECK(world.a0() == coins(1'000'000'001));
    world.state.positions[1].quantity = units("-0.00000002");
    CHECK(world.a0() == coins(1'000'000'000));
    world.state.positions[1].quantity = units("-0.00000003");
    CHECK(world.a0() == coins(999'999'999));
}

TEST_CASE("settle: the earliest attested slot from T to T + 8 slots") {
    World world;
    world.add(Kind::linear, "0.1", "60000");
    world.attest("BTC_USD-PERPETUAL", kT - 60, "1").attest("BTC_USD-PERPETUAL", kT + 9 * 60, "2");
    CHECK(world.at(kEnd).result.marks_used);
    world.attest("BTC_USD-PERPETUAL", kT + 8 * 60, "61000");
    CHECK(world.a0() == coins(1'100'000'000));
    world.attest("BTC_USD-PERPETUAL", kT + 60, "62000");
    CHECK(world.a0() == coins(1'200'000'000));
    world.attest("BTC_USD-PERPETUAL", kT, "63000");
    CHECK(world.a0() == coins(1'300'000'000));
}

TEST_CASE("settle: expiry before, at and after T") {
    for (const std::uint64_t expiry : {kT - 60, kT}) {
        World world;
        world.add(Kind::call, "0.1", "500", expiry, "60000");
        world.attest("BTC_USD", expiry, "61000").attest("BTC_USD-PERPETUAL", kT, "1");
        CHECK(world.a0() == coins(1'050'000'000));
    }
    World world;
    world.add(Kind::call, "0.1", "500", kT + 60, "60000");
    world.attest("BTC_USD", kT + 60, "61000").attest("BTC_USD-PERPETUAL", kT, "700");
    CHECK(world.a0() == coins(1'020'000'000));
}

TEST_CASE("settle: an expiry price is that of the expiry exactly, not of a later slot") {
    World world;
    world.add(Kind::linear, "0.1", "60000", kT - 60);
    world.attest("BTC_USD", kT, "61000");
    world.terms.price_grace = 7'200;
    const SettleAnswer waits = world.at(kEnd);
    CHECK(waits.status == SettleStatus::waits_for_price);
    CHECK(waits.due_s == kT + 480 + 7'200);
    CHECK(world.at(waits.due_s - 1).status == SettleStatus::waits_for_price);
    const SettleAnswer due = world.at(waits.due_s);
    CHECK(due.status == SettleStatus::due);
    CHECK(due.result.marks_used);
    CHECK(due.result.a[0] == coins(1'000'000'000));
}

TEST_CASE("settle: every payoff at expiry") {
    const std::pair<Kind, long long> rows[] = {{Kind::linear, 1'100'000'000},
                                               {Kind::call, 1'100'000'000},
                                               {Kind::put, 1'000'000'000},
                                               {Kind::digital_call, 1'000'100'000},
                                               {Kind::digital_put, 1'000'000'000}};
    for (const auto& [kind, expected] : rows) {
        World world;
        world.add(kind, "0.1", kind == Kind::linear ? "60000" : "0", kT, "60000");
        world.attest("BTC_USD", kT, "61000");
        CHECK(world.a0() == coins(expected));
    }
}

TEST_CASE("settle: one absent price silences all positions on its underlying, and no other") {
    World world;
    world.add(Kind::linear, "0.1", "60000");
    world.add(Kind::linear, "-0.1", "60000");
    Position& ether = world.add(Kind::linear, "1", "2000");
    ether.instrument = feed("ETH_USD-PERPETUAL");
    ether.underlying = feed("ETH_USD");
    world.attest("BTC_USD-PERPETUAL", kT, "50000").attest("ETH_USD-PERPETUAL", kT, "2100");
    const Settlement result = world.at(kEnd + 7'200).result;
    CHECK(result.marks_used);
    CHECK(result.a[0] == coins(1'100'000'000));
}

TEST_CASE("settle: profit in an asset that has a price, and its mark where it has none") {
    World world;
    world.terms.assets[0].feed = feed("USDC_USD");
    world.state.asset_marks[0] = usd("2");
    world.add(Kind::linear, "0.1", "60000");
    world.attest("BTC_USD-PERPETUAL", kT, "61000").attest("USDC_USD", kT, "0.5");
    CHECK(world.a0() == coins(1'200'000'000));
    world.attested.erase({feed("USDC_USD"), kT});
    world.terms.price_grace = 7'200;
    CHECK(world.at(kEnd).status == SettleStatus::waits_for_price);
    CHECK(world.at(kEnd + 7'200).result.a[0] == coins(1'050'000'000));
}

TEST_CASE("settle: asset prices are not needed without positions or shortfall") {
    World world;
    world.terms.assets[0].feed = feed("USDC_USD");
    world.terms.price_grace = 7'200;
    CHECK(world.at(kEnd).status == SettleStatus::due);
    world.state.net[0] = coins(1'000'000'001);  // a shortfall, but nothing to cover it with
    CHECK(world.at(kEnd).status == SettleStatus::due);
    CHECK(world.at(kEnd).result.shortfall == U256(1));
    world.holdings[1].deposit_a = coins(1);  // now there is
    CHECK(world.at(kEnd).status == SettleStatus::waits_for_price);
    world.terms.assets[1].haircut_bps = 10'000;  // worth nothing as collateral: not looked at
    CHECK(world.at(kEnd).status == SettleStatus::due);
}

TEST_CASE("settle: a shortfall is covered at price less haircut, rounded up, by hand") {
    World world;
    world.holdings[1].deposit_a = coins(1'000'000'000'000'000'000);
    world.add(Kind::linear, "0.1", "60000");
    world.attest("BTC_USD-PERPETUAL", kT, "49000").attest("ETH_USD", kT, "2000");
    // A loses 1,100 of 1,000: short 100 USD, at 1,800 USD an ether.
    const Settlement result = world.at(kEnd).result;
    CHECK(result.loser == Party::A);
    CHECK(result.a[0].is_zero());
    CHECK(result.b[0] == coins(2'000'000'000));
    CHECK(result.b[1] == coins(55'555'555'555'555'556));
    CHECK(result.shortfall.is_zero());
}

TEST_CASE("settle: B's shortfall mirrors A's") {
    World world;
    world.holdings[1].deposit_b = coins(1'000'000'000'000'000'000);
    world.add(Kind::linear, "-0.1", "60000");
    world.attest("BTC_USD-PERPETUAL", kT, "49000").attest("ETH_USD", kT, "2000");
    const Settlement result = world.at(kEnd).result;
    CHECK(result.loser == Party::B);
    CHECK(result.a == std::vector{coins(2'000'000'000), coins(55'555'555'555'555'556)});
    CHECK(result.b[0].is_zero());
}

TEST_CASE("settle: nobody falls short with exactly nothing or everything") {
    World world;
    for (const long long net : {1'000'000'000LL, -1'000'000'000LL}) {
        world.state.net[0] = coins(net);
        CHECK_FALSE(world.at(kEnd).result.loser.has_value());
        world.state.net[0] = coins(net + (net > 0 ? 1 : -1));
        CHECK(world.at(kEnd).result.loser == (net > 0 ? Party::A : Party::B));
        CHECK(world.at(kEnd).result.shortfall == U256(1));
    }
}

TEST_CASE("settle: what no asset covers is the winner's loss") {
    World world;
    world.holdings[1].deposit_a = coins(10'000'000'000'000'000);
    world.add(Kind::linear, "0.1", "60000");
    world.attest("BTC_USD-PERPETUAL", kT, "49000").attest("ETH_USD", kT, "2000");
    const Settlement result = world.at(kEnd).result;
    CHECK(result.a[1].is_zero());
    CHECK(result.b[1] == coins(10'000'000'000'000'000));
    CHECK(result.shortfall == U256(82'000'000));  // 100 less 0.01 ether at 1,800
}

TEST_CASE("settle: assets cover in order, and a haircut of all is passed over") {
    World world;
    Asset extra = world.terms.assets[1];
    extra.token.data[0] = 2;
    world.terms.assets.push_back(extra);
    world.terms.assets[1].haircut_bps = 10'000;
    world.holdings[1].deposit_a = coins(1'000'000'000'000'000'000);
    world.holdings.push_back(world.holdings[1]);
    world.state.net.push_back({});
    world.state.asset_marks.push_back(usd("1"));
    world.state.net[0] = coins(1'000'000'001);
    world.attest("ETH_USD", kT, "2000");
    const Settlement result = world.at(kEnd).result;
    CHECK(result.b[1].is_zero());
    CHECK(result.b[2] == coins(555'555'556));  // one unit of 1e-6 USD, rounded up
}

TEST_CASE("settle: the penalty moves to the other side, at most what is left") {
    World world;
    world.dispute.lead = 64;
    CHECK(world.a0() == coins(1'000'000'000));
    world.dispute.lead = 65;
    CHECK(world.a0() == coins(950'000'000));
    CHECK(world.at(kEnd).result.penalty == coins(50'000'000));
    world.state.net[0] = coins(970'000'000);
    CHECK(world.a0() == coins(0));
    CHECK(world.at(kEnd).result.penalty == coins(30'000'000));
    world.dispute = {kEnd, 1, Party::B};
    CHECK(world.a0() == coins(80'000'000));
    world.state.net[0] = coins(-990'000'000);
    CHECK(world.a0() == coins(2'000'000'000));
    CHECK(world.at(kEnd).result.penalty == coins(10'000'000));
}

TEST_CASE("settle: cooperative close, spec 3.11") {
    const std::vector<Holdings> holdings = {{coins(100), coins(50), coins(10), coins(5)}, {coins(3), {}, {}, {}}};
    const auto paid = [&](long long net0, long long net1) {
        return cooperative_payout(std::vector{coins(net0), coins(net1)}, holdings);
    };
    CHECK(*paid(0, 0) == std::vector{coins(90), coins(3)});
    CHECK(*paid(90, 3) == std::vector{coins(0), coins(0)});
    CHECK(*paid(-45, 0) == std::vector{coins(135), coins(3)});
    CHECK(paid(91, 0).error() == Rule::net_exceeds_holdings);
    CHECK(paid(-46, 0).error() == Rule::net_exceeds_holdings);
    CHECK(paid(0, -1).error() == Rule::net_exceeds_holdings);
    CHECK(paid(0, 4).error() == Rule::net_exceeds_holdings);
}
