#include "channel/market/margin.h"

#include <doctest/doctest.h>

#include "channel/market/convert.h"

using namespace hedgerow::channel;

namespace {

Price usd(const char* text) {
    return Price::from_raw(*parse_decimal(text, 8));
}
Quantity units(const char* text) {
    return Quantity::from_raw(*parse_decimal(text, 8));
}
I256 usd16(const char* text) {
    return {*parse_decimal(text, 16)};
}

/// An account of a dollar token (6 decimals) and ether (18 decimals, haircut 10 %), with rates 5 %, 2.5 %, penalty 0.5
/// % on BTC.
struct World {
    std::vector<Amount> balances = {Amount::from_raw(1'000'000'000), Amount()};
    std::vector<Asset> assets = {{{}, {}, 6, 0}, {{}, *feed_from_name("ETH_USD"), 18, 1'000}};
    std::vector<Price> asset_prices = {usd("1"), usd("2000")};
    std::vector<Position> positions;
    std::vector<PositionView> views;
    RiskTerms terms;

    World() {
        positions.reserve(32);
        terms.classes.resize(1);
        RiskClass& risk = terms.classes[0];
        risk.underlying = *feed_from_name("BTC_USD");
        risk.initial_bps = 500;
        risk.maintenance_bps = 250;
        risk.penalty_bps = 50;
    }
    World& add(Kind kind, const char* quantity, const char* mark, const char* price, const char* strike = "0",
               const char* underlying = "0") {
        Position position;
        position.underlying = *feed_from_name("BTC_USD");
        position.kind = kind;
        position.quantity = units(quantity);
        position.mark = usd(mark);
        position.strike = usd(strike);
        positions.push_back(position);
        views.push_back({&positions.back(), units(quantity), usd(price), usd(underlying)});
        return *this;
    }
    [[nodiscard]] AccountView view() const { return {balances, assets, asset_prices, views, terms}; }
    [[nodiscard]] Margin margin() const { return margin_of(view()); }
};

void check_same(const Margin& a, const Margin& b) {
    CHECK(a.equity16 == b.equity16);
    CHECK(a.collateral16 == b.collateral16);
    CHECK(a.unrealised16 == b.unrealised16);
    CHECK(a.initial16 == b.initial16);
    CHECK(a.maintenance16 == b.maintenance16);
    CHECK(a.notional16 == b.notional16);
}

/// The account after `closed` of a position was closed at its price: profit realised in assets[0], penalty paid, both
/// exact here.
World after_closing(World world, std::size_t index, Quantity closed) {
    const I256 penalty = liquidation_penalty16(world.views[index], closed, world.terms);
    PositionView& view = world.views[index];
    const Quantity signed_closed = view.quantity.sign() < 0 ? -closed : closed;
    const I256 cash = pnl16(signed_closed, view.price, view.position->mark) - penalty;
    world.balances[0] += Amount::from_raw(*usd16_to_units_toward_zero(cash, usd("1"), 6).to_i128());
    view.quantity -= signed_closed;
    return world;
}

}  // namespace

TEST_CASE("margin: collateral counts assets[0] in full and others less their haircut") {
    World world;
    world.balances[1] = Amount::from_raw(Int128{1'000'000'000'000'000'000});
    CHECK(world.margin().equity16 == usd16("2800"));
    world.balances[0] = Amount::from_raw(-500'000'000);
    CHECK(world.margin().equity16 == usd16("1300"));
    world.balances[1] = Amount::from_raw(-Int128{1'000'000'000'000'000'000});
    CHECK(world.margin().equity16 == usd16("-2500"));
    world.assets[0].haircut_bps = 5'000;
    world.balances = {Amount::from_raw(1'000'000), Amount()};
    CHECK(world.margin().equity16 == usd16("1"));
    CHECK(world.margin().meets_initial());
    CHECK_FALSE(world.margin().breaches_maintenance());
}

TEST_CASE("margin: a linear position, by hand") {
    const Margin margin = World().add(Kind::linear, "0.1", "60000", "59000").margin();
    CHECK(margin.collateral16 == usd16("1000"));
    CHECK(margin.unrealised16 == usd16("-100"));
    CHECK(margin.equity16 == usd16("900"));
    CHECK(margin.notional16 == usd16("5900"));
    CHECK(margin.initial16 == usd16("295"));
    CHECK(margin.maintenance16 == usd16("147.5"));
    CHECK(*leverage_bps(margin) == U256(65'555));  // 5900 / 900
    const Margin shorted = World().add(Kind::linear, "-0.1", "60000", "59000").margin();
    CHECK(shorted.equity16 == usd16("1100"));
    CHECK(shorted.initial16 == usd16("295"));
}

TEST_CASE("margin: what no class lists needs all of its notional") {
    World world;
    world.terms.classes.clear();
    world.add(Kind::linear, "0.1", "60000", "60000");
    CHECK(world.margin().initial16 == usd16("6000"));
    CHECK(world.margin().maintenance16 == usd16("6000"));
}

TEST_CASE("margin: each requirement is rounded up") {
    World world;
    world.positions.push_back({});
    world.positions.back().underlying = *feed_from_name("BTC_USD");
    world.views.push_back({&world.positions.back(), Quantity::from_raw(1), Price::from_raw(1), {}});
    CHECK(world.margin().initial16 == I256(1));
    CHECK(world.margin().maintenance16 == I256(1));
    CHECK(liquidation_penalty16(world.views[0], Quantity::from_raw(1), world.terms) == I256(1));
}

TEST_CASE("margin: nothing nets between isolated positions") {
    const Margin margin =
        World().add(Kind::linear, "0.1", "60000", "60000").add(Kind::linear, "-0.1", "60000", "60000").margin();
    CHECK(margin.initial16 == usd16("600"));
    CHECK(margin.unrealised16 == I256());
    CHECK(*leverage_bps(margin) == U256(120'000));
}

TEST_CASE("margin: long options can lose what they are worth, at most") {
    // 5 % of 60,000 is 3,000; worth 2,000 or 4,000.
    CHECK(World().add(Kind::call, "1", "2000", "2000", "60000", "60000").margin().initial16 == usd16("2000"));
    CHECK(World().add(Kind::call, "1", "4000", "4000", "60000", "60000").margin().initial16 == usd16("3000"));
    CHECK(World().add(Kind::put, "1", "2000", "2000", "60000", "60000").margin().maintenance16 == usd16("1500"));
}

TEST_CASE("margin: short options need the underlying's rate, less out of the money, at least two thirds of it") {
    const auto initial = [](Kind kind, const char* strike) {
        return World().add(kind, "-1", "900", "900", strike, "60000").margin().initial16;
    };
    CHECK(initial(Kind::call, "60000") == usd16("3000"));
    CHECK(initial(Kind::call, "50000") == usd16("3000"));  // in the money
    CHECK(initial(Kind::call, "60600") == usd16("2400"));  // 600 out of it
    CHECK(initial(Kind::call, "90000") == usd16("2000"));
    CHECK(initial(Kind::put, "59500") == usd16("2500"));
    CHECK(initial(Kind::put, "30000") == usd16("2000"));
    CHECK(initial(Kind::put, "2000") == usd16("1100"));  // the most it can lose is strike - price
    World world;
    world.terms.classes[0].maintenance_bps = 400;
    CHECK(world.add(Kind::call, "-1", "1", "1", "90000", "60000").margin().initial16 == usd16("2400"));
    CHECK(world.margin().maintenance16 == usd16("2400"));
}

TEST_CASE("margin: an option whose underlying has no known price is not free") {
    CHECK(World().add(Kind::call, "-1", "900", "900", "60000").margin().initial16 == usd16("3045"));
    CHECK(World().add(Kind::put, "-1", "900", "900", "60000").margin().initial16 == usd16("3000"));
    CHECK(World().add(Kind::call, "1", "900", "900", "60000").margin().initial16 == usd16("900"));
}

TEST_CASE("margin: digitals are fully covered on either side") {
    CHECK(World().add(Kind::digital_call, "1000", "0.3", "0.3", "60000", "60000").margin().initial16 == usd16("300"));
    CHECK(World().add(Kind::digital_call, "-1000", "0.3", "0.3", "60000", "60000").margin().initial16 == usd16("700"));
    CHECK(World().add(Kind::digital_put, "-1000", "0.3", "1", "60000", "60000").margin().initial16 == I256());
    CHECK(World().add(Kind::digital_put, "1000", "0.3", "0.3", "60000", "60000").margin().notional16 == usd16("1000"));
}

TEST_CASE("margin: the boundary of initial and maintenance") {
    World world;
    world.add(Kind::linear, "0.1", "60000", "60000");
    world.balances[0] = Amount::from_raw(300'000'000);
    CHECK(world.margin().meets_initial());
    world.balances[0] = Amount::from_raw(299'999'999);
    CHECK_FALSE(world.margin().meets_initial());
    world.balances[0] = Amount::from_raw(150'000'000);
    CHECK_FALSE(world.margin().breaches_maintenance());
    world.balances[0] = Amount::from_raw(149'999'999);
    CHECK(world.margin().breaches_maintenance());
}

TEST_CASE("margin: leverage of no equity is nothing") {
    World world;
    world.add(Kind::linear, "0.1", "60000", "60000");
    world.balances[0] = Amount();
    CHECK_FALSE(leverage_bps(world.margin()).has_value());
    CHECK(*leverage_bps(World().margin()) == U256());
}

TEST_CASE("liquidation quantity: the least that restores initial margin, by hand") {
    // Equity 100, 6,000 notional: initial 300. Closing x of notional frees 5 % and costs 0.5 %: x = 200 / 4.5 %.
    World world;
    world.add(Kind::linear, "0.1", "60000", "60000");
    world.balances[0] = Amount::from_raw(100'000'000);
    CHECK(liquidation_quantity(world.view(), 0, units("0.00000001")) == units("0.07407408"));
    CHECK(liquidation_quantity(world.view(), 0, units("0.001")) == units("0.075"));
    CHECK(liquidation_quantity(world.view(), 0, units("0.06")) == units("0.1"));
    CHECK(liquidation_quantity(world.view(), 0, units("5")) == units("0.1"));
    world.balances[0] = Amount::from_raw(300'000'000);
    CHECK(liquidation_quantity(world.view(), 0, units("0.001")).is_zero());
    world.balances[0] = Amount::from_raw(299'999'999);
    CHECK(liquidation_quantity(world.view(), 0, units("0.001")) == units("0.001"));
    world.balances[0] = Amount::from_raw(-1);
    CHECK(liquidation_quantity(world.view(), 0, units("0.001")) == units("0.1"));
}

TEST_CASE("liquidation quantity: closing it restores initial margin, a lot less does not") {
    std::uint64_t seed = 5;
    const auto next = [&](std::uint64_t below) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        return (seed >> 20) % below;
    };
    const Quantity lot = units("0.001");
    const I256 slack = usd16("0.000002");  // a realised profit and a penalty are each rounded to a unit of assets[0]
    int partial = 0;
    for (int i = 0; i < 2'000; ++i) {
        World world;
        world.add(Kind::linear, "0", "60000", "60000");
        world.add(Kind::linear, "0.05", "61000", "60500");
        world.views[0].quantity = Quantity::from_raw((static_cast<Int128>(next(2'000)) - 1'000) * lot.raw());
        world.views[0].price = Price::from_raw(static_cast<Int128>(50'000'00000000 + next(20'000'00000000)));
        world.balances[0] = Amount::from_raw(static_cast<Int128>(next(4'000'000'000)));
        const Quantity closed = liquidation_quantity(world.view(), 0, lot);
        const Quantity whole = world.views[0].quantity.abs();
        CHECK(closed <= whole);
        CHECK(closed.is_zero() == (world.margin().meets_initial() || whole.is_zero()));
        if (closed.is_zero()) continue;
        const Margin after = after_closing(world, 0, closed).margin();
        if (closed < whole) CHECK(after.equity16 + slack >= after.initial16);
        if (closed == lot) continue;
        const Margin before = after_closing(world, 0, closed - lot).margin();
        CHECK(before.equity16 < before.initial16 + slack);
        partial += closed < whole ? 1 : 0;
    }
    CHECK(partial > 100);
}

TEST_CASE("liquidation price: long and short, by hand and at the boundary") {
    // 1,000 + 0.1 (P - 60,000) = 0.025 * 0.1 P  =>  P = 5,000 / 0.0975 = 51,282.05128205...
    World world;
    world.add(Kind::linear, "0.1", "60000", "59000");
    CHECK(*liquidation_price(world.view(), 0) == usd("51282.05128205"));
    // 1,000 - 0.1 (P - 60,000) = 0.0025 P  =>  P = 7,000 / 0.1025 = 68,292.68292682...
    World shorted;
    shorted.add(Kind::linear, "-0.1", "60000", "59000");
    CHECK(*liquidation_price(shorted.view(), 0) == usd("68292.68292683"));
    const Price one = Price::from_raw(1);
    for (World* each : {&world, &shorted}) {
        const Price price = *liquidation_price(each->view(), 0);
        const Price safer = each == &world ? price + one : price - one;
        each->views[0].price = price;
        CHECK(each->margin().breaches_maintenance());
        each->views[0].price = safer;
        CHECK_FALSE(each->margin().breaches_maintenance());
    }
}

TEST_CASE("liquidation price: none where no price does it") {
    World rich;
    rich.add(Kind::linear, "0.01", "60000", "60000");
    CHECK_FALSE(liquidation_price(rich.view(), 0).has_value());  // 1,000 covers all that it can lose
    World flat;
    flat.add(Kind::linear, "0", "60000", "60000");
    CHECK_FALSE(liquidation_price(flat.view(), 0).has_value());
    World option;
    option.balances[0] = Amount::from_raw(5'000'000'000);
    option.add(Kind::call, "1", "2000", "2000", "60000", "60000");
    CHECK_FALSE(liquidation_price(option.view(), 0).has_value());
}

TEST_CASE("liquidation price: an account that is already breached names the worst end") {
    World world;
    world.add(Kind::linear, "-0.1", "60000", "60000");
    world.balances[0] = Amount::from_raw(-7'000'000'000);
    CHECK(*liquidation_price(world.view(), 0) == Price());
    World longed;
    longed.add(Kind::linear, "0.00000001", "60000", "60000");
    longed.balances[0] = Amount::from_raw((Int128{-1}) << 119);
    CHECK(*liquidation_price(longed.view(), 0) == Price::from_raw((Int128{1} << 96) - 1));
}

TEST_CASE("liquidation price: other positions are held fixed") {
    World world;
    world.add(Kind::linear, "0.1", "60000", "60000").add(Kind::linear, "-0.1", "60000", "61000");
    // The short has lost 100 and needs 152.5: 900 - 152.5 + 0.1 (P - 60,000) = 0.0025 P.
    CHECK(*liquidation_price(world.view(), 0) == usd("53871.79487179"));
}

TEST_CASE("margin: total at the limits") {
    World world;
    const Int128 top = (Int128{1} << 96) - 1;
    for (int i = 0; i < 32; ++i) {
        world.add(Kind::linear, "1", "1", "1");
        world.views.back().quantity = Quantity::from_raw(i % 2 == 0 ? top : -top);
        world.views.back().price = Price::from_raw(top);
        world.positions.back().mark = Price::from_raw(i % 2 == 0 ? -top : top);
    }
    world.balances = {Amount::from_raw((Int128{1} << 122) - 1), Amount::from_raw(-(Int128{1} << 122))};
    world.asset_prices = {Price::from_raw(top), Price::from_raw(top)};
    world.assets[0].decimals = world.assets[1].decimals = 0;
    CHECK(world.margin().unrealised16.sign() == 1);
    CHECK(liquidation_quantity(world.view(), 0, Quantity::from_raw(1)).sign() >= 0);
    CHECK_FALSE(liquidation_price(world.view(), 1) == std::optional(Price()));
}

TEST_CASE("margin: one position at another price is the margin of the account with that price") {
    World world;
    world.add(Kind::linear, "0.1", "100000", "100100")
        .add(Kind::call, "-0.2", "3000", "3100", "101000", "100050")
        .add(Kind::digital_put, "500", "0.4", "0.45", "99000")
        .add(Kind::linear, "-7", "60000", "59000");
    for (std::size_t i = 0; i < world.views.size(); ++i) {
        for (const char* text : {"0", "0.3", "0.99", "2950", "100100", "123456.78901234"}) {
            World moved = world;
            moved.views[i].price = usd(text);
            check_same(with_price(world.margin(), world.view(), i, usd(text)), moved.margin());
        }
    }
}
