#include <doctest/doctest.h>

#include "channel/market/convert.h"
#include "channel/market/registry.h"

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

Instrument perpetual() {
    Instrument out{*parse_instrument("BTC_USD-PERPETUAL"), usd("0.5"), units("0.001"), {}};
    out.risk.underlying = *feed_from_name("BTC_USD");
    out.risk.initial_bps = 500;
    out.risk.maintenance_bps = 250;
    out.risk.penalty_bps = 50;
    return out;
}
}  // namespace

TEST_CASE("convert: profit is quantity times the price's move") {
    CHECK(pnl16(units("0.5"), usd("60000"), usd("58000.5")) == usd16("999.75"));
    CHECK(pnl16(units("-0.5"), usd("60000"), usd("58000.5")) == usd16("-999.75"));
    CHECK(pnl16(units("2"), usd("1"), usd("1")) == I256());
    const Int128 top = (Int128{1} << 96) - 1;
    const I256 most = pnl16(Quantity::from_raw(top), Price::from_raw(top), Price::from_raw(-top));
    CHECK(most.magnitude == U256(static_cast<Uint128>(top)) * U256(static_cast<Uint128>(top)) * U256(2));
}

TEST_CASE("convert: USD to units rounds once, toward zero, on either side") {
    // 1 USD at 2,000 USD a coin of 18 decimals is 5e14 units.
    CHECK(usd16_to_units_toward_zero(usd16("1"), usd("2000"), 18) == I256(Int128{500'000'000'000'000}));
    // 1e-6 USD is one unit of a dollar with 6 decimals, a little less is none.
    CHECK(usd16_to_units_toward_zero(usd16("0.000001"), usd("1"), 6) == I256(1));
    CHECK(usd16_to_units_toward_zero(usd16("0.0000009999999999"), usd("1"), 6) == I256());
    CHECK(usd16_to_units_toward_zero(usd16("-0.0000019999999999"), usd("1"), 6) == I256(-1));
    CHECK(usd16_to_units_toward_zero(usd16("-0.0000009999999999"), usd("1"), 6).sign() == 0);
}

TEST_CASE("convert: units to USD rounds toward minus infinity") {
    CHECK(units_to_usd16_floor(Amount::from_raw(1'000'000), usd("1"), 6) == usd16("1"));
    CHECK(units_to_usd16_floor(Amount::from_raw(-1'000'000), usd("1"), 6) == usd16("-1"));
    // One unit of 18 decimals at 1,000.00000001 USD is 1e-15 USD and a little: 10 of 1e-16, or -11 as a debt.
    CHECK(units_to_usd16_floor(Amount::from_raw(1), usd("1000.00000001"), 18) == I256(10));
    CHECK(units_to_usd16_floor(Amount::from_raw(-1), usd("1000.00000001"), 18) == I256(-11));
    CHECK(units_to_usd16_floor(Amount::from_raw(-1), usd("1000"), 18) == I256(-10));
}

TEST_CASE("convert: units to USD is the plain formula for every number of decimals") {
    std::uint64_t seed = 3;
    const auto next = [&] { return seed = seed * 6364136223846793005ULL + 1442695040888963407ULL; };
    for (int i = 0; i < 20'000; ++i) {
        const int decimals = i % 19;
        const auto size = static_cast<Int128>((static_cast<Uint128>(next()) << 56 | next() >> 8) >> (next() % 119));
        const Price at = Price::from_raw(static_cast<Int128>((static_cast<Uint128>(next()) << 32) >> (next() % 96)));
        const U256 worth = U256(static_cast<Uint128>(at.raw())) * U256(pow10(8)), unit(pow10(decimals));
        const U256 down = *mul_div_floor(U256(static_cast<Uint128>(size)), worth, unit);
        const U256 up = *mul_div_ceil(U256(static_cast<Uint128>(size)), worth, unit);
        CHECK(units_to_usd16_floor(Amount::from_raw(size), at, decimals) == I256(false, down));
        CHECK(units_to_usd16_floor(Amount::from_raw(-size), at, decimals) == I256(true, up));
        CHECK(units_to_usd16_toward_zero(I256(size), at, decimals) == I256(false, down));
        CHECK(units_to_usd16_toward_zero(I256(-size), at, decimals) == I256(true, down));
    }
}

TEST_CASE("convert: total at the limits of spec 1.6") {
    const Price top = Price::from_raw((Int128{1} << 96) - 1);
    const Amount most = Amount::from_raw((Int128{1} << 120) - 1);
    for (const int decimals : {0, 18}) {
        CHECK(units_to_usd16_floor(most, top, decimals).sign() == 1);
        CHECK(units_to_usd16_floor(-most, top, decimals).sign() == -1);
        // 32 positions of the greatest profit, at the least price.
        const I256 profit(false, U256(static_cast<Uint128>(1) << 99) * U256(static_cast<Uint128>(1) << 99));
        const I256 worth = usd16_to_units_toward_zero(profit, Price::from_raw(1), decimals);
        CHECK(worth.magnitude == *mul_div_floor(profit.magnitude, U256(pow10(decimals)), U256(pow10(8))));
    }
}

TEST_CASE("convert: spec 3.7's two-step formula is the same number") {
    std::uint64_t seed = 7;
    const auto next = [&] { return seed = seed * 6364136223846793005ULL + 1442695040888963407ULL; };
    for (int i = 0; i < 2'000; ++i) {
        const U256 size = U256(static_cast<Uint128>(next()) << (next() % 60)) * U256(next() >> (next() % 64));
        const Price price0 = Price::from_raw(
            static_cast<Int128>((static_cast<Uint128>(next()) << 32 | next() >> 32) >> (next() % 95)) + 1);
        const int decimals = static_cast<int>(next() % 19);
        const U256 den = U256(static_cast<Uint128>(price0.raw())) * U256(pow10(8));
        const U256 unit(pow10(decimals));
        const U256 expected = (size / den) * unit + (size % den) * unit / den;
        CHECK(usd16_to_units_toward_zero(I256(true, size), price0, decimals) == I256(true, expected));
    }
}

TEST_CASE("registry: finds by name, ascending") {
    Instrument future = perpetual();
    future.definition = *parse_instrument("BTC_USD-26MAR27");
    const auto registry = Registry::make({perpetual(), future});
    REQUIRE(registry);
    CHECK(registry->all().size() == 2);
    CHECK(registry->all()[0].definition.instrument < registry->all()[1].definition.instrument);
    CHECK(*registry->find("BTC_USD-PERPETUAL") == perpetual());
    CHECK(*registry->find("BTC_USD-26MAR27") == future);
    CHECK(registry->find("BTC_USD-27MAR27") == nullptr);
    CHECK(registry->find("no such name!") == nullptr);
    CHECK(Registry().find("BTC_USD-PERPETUAL") == nullptr);
}

TEST_CASE("registry: each rule is named") {
    const auto refused = [](auto change) {
        Instrument row = perpetual();
        change(row);
        return Registry::make({row}).error();
    };
    CHECK(Registry::make({perpetual(), perpetual()}).error() == Rule::instrument_duplicate);
    CHECK(Registry::make(std::vector<Instrument>(Registry::kMaxInstruments + 1, perpetual())).error() ==
          Rule::list_too_long);
    CHECK(refused([](Instrument& i) { i.definition.expiry = 1; }) == Rule::instrument_mismatch);
    CHECK(refused([](Instrument& i) { i.definition.instrument = *feed_from_name("BTC"); }) ==
          Rule::instrument_name_malformed);
    CHECK(refused([](Instrument& i) { i.risk.underlying = *feed_from_name("ETH_USD"); }) == Rule::instrument_mismatch);
    CHECK(refused([](Instrument& i) { i.tick = Price(); }) == Rule::tick_out_of_range);
    CHECK(refused([](Instrument& i) { i.lot = units("-1"); }) == Rule::lot_out_of_range);
    CHECK(refused([](Instrument& i) { i.lot = Quantity::from_raw(Int128{1} << 96); }) == Rule::lot_out_of_range);
    CHECK(refused([](Instrument& i) { i.risk.maintenance_bps = 0; }) == Rule::risk_rates_out_of_order);
    CHECK(refused([](Instrument& i) { i.risk.maintenance_bps = 501; }) == Rule::risk_rates_out_of_order);
    CHECK(refused([](Instrument& i) { i.risk.penalty_bps = 251; }) == Rule::risk_rates_out_of_order);
}

TEST_CASE("registry: a trade keeps to tick, lot, range and expiry") {
    const Instrument perp = perpetual();
    const Int128 limit = Int128{1} << 96;
    CHECK(check_price_quantity(perp, usd("60000.5"), units("-0.25"), 0) == Rule::none);
    CHECK(check_price_quantity(perp, usd("60000.25"), units("1"), 0) == Rule::price_off_tick);
    CHECK(check_price_quantity(perp, usd("0"), units("1"), 0) == Rule::price_out_of_range);
    CHECK(check_price_quantity(perp, usd("-1"), units("1"), 0) == Rule::price_out_of_range);
    CHECK(check_price_quantity(perp, Price::from_raw(limit), units("1"), 0) == Rule::price_out_of_range);
    CHECK(check_price_quantity(perp, usd("1"), Quantity(), 0) == Rule::quantity_zero);
    CHECK(check_price_quantity(perp, usd("1"), units("0.0005"), 0) == Rule::quantity_off_lot);
    CHECK(check_price_quantity(perp, usd("1"), units("-1.0001"), 0) == Rule::quantity_off_lot);
    CHECK(check_price_quantity(perp, usd("1"), Quantity::from_raw(-limit), 0) == Rule::quantity_out_of_range);
    Instrument future = perp;
    future.definition = *parse_instrument("BTC_USD-26MAR27");
    const std::uint64_t expiry = future.definition.expiry;
    CHECK(check_price_quantity(future, usd("1"), units("1"), expiry - 1) == Rule::none);
    CHECK(check_price_quantity(future, usd("1"), units("1"), expiry) == Rule::instrument_expired);
    CHECK(check_price_quantity(future, usd("1"), units("1"), expiry + 1) == Rule::instrument_expired);
}
