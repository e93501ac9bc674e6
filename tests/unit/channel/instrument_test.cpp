#include "channel/market/instrument.h"

#include <doctest/doctest.h>

using namespace hedgerow::channel;

TEST_CASE("instrument: the three forms of DESIGN 6") {
    const auto perpetual = parse_instrument("BTC_USD-PERPETUAL");
    REQUIRE(perpetual);
    CHECK(feed_name(perpetual->instrument) == "BTC_USD-PERPETUAL");
    CHECK(feed_name(perpetual->underlying) == "BTC_USD");
    CHECK(perpetual->kind == Kind::linear);
    CHECK(perpetual->is_perpetual());

    const auto future = parse_instrument("BTC_USD-26MAR27");
    REQUIRE(future);
    CHECK(future->expiry == 1'806'048'000);  // date -u -d '2027-03-26 08:00' +%s
    CHECK(future->kind == Kind::linear);

    const auto call = parse_instrument("BTC_USD-26MAR27-90000-C");
    REQUIRE(call);
    CHECK(call->kind == Kind::call);
    CHECK(call->strike == Price::from_raw(Int128{90'000} * 100'000'000));
    CHECK(call->expiry == future->expiry);
    CHECK(parse_instrument("BTC_USD-26MAR27-90000-P")->kind == Kind::put);
    CHECK(parse_instrument("BTC_USD-26MAR27-90000-DC")->kind == Kind::digital_call);
    CHECK(parse_instrument("BTC_USD-26MAR27-90000-DP")->kind == Kind::digital_put);
    CHECK(parse_instrument("XRP_USDC-30JUN23-0d625-C")->strike == Price::from_raw(62'500'000));
    CHECK(parse_instrument("BTC_USD-5AUG16")->expiry == 1'470'384'000);   // date -u -d '2016-08-05 08:00' +%s
    CHECK(parse_instrument("BTC_USD-29FEB28")->expiry == 1'835'424'000);  // date -u -d '2028-02-29 08:00' +%s
}

TEST_CASE("instrument: every other spelling is refused by name") {
    const std::pair<const char*, Rule> rows[] = {
        {"", Rule::instrument_name_malformed},
        {"BTC_USD", Rule::instrument_name_malformed},
        {"BTCUSD-PERPETUAL", Rule::instrument_name_malformed},
        {"BTC_-PERPETUAL", Rule::instrument_name_malformed},
        {"_USD-PERPETUAL", Rule::instrument_name_malformed},
        {"A_B_C-PERPETUAL", Rule::instrument_name_malformed},
        {"btc_USD-PERPETUAL", Rule::instrument_name_malformed},
        {"BTC USD-PERPETUAL", Rule::instrument_name_malformed},
        {"BTC_USD-26MAR27-90000", Rule::instrument_name_malformed},
        {"BTC_USD-26MAR27-90000-X", Rule::instrument_name_malformed},
        {"BTC_USD-26MAR27-90000-", Rule::instrument_name_malformed},
        {"BTC_USD-26MAR27-90000-C-", Rule::instrument_name_malformed},
        {"BTC_USD-26MAR27-9-0-C", Rule::instrument_name_malformed},
        {"BTC_USD-", Rule::instrument_expiry_malformed},
        {"BTC_USD-PERP", Rule::instrument_expiry_malformed},
        {"BTC_USD-perpetual", Rule::instrument_expiry_malformed},
        {"BTC_USD-PERPETUAL-90000-C", Rule::instrument_expiry_malformed},
        {"BTC_USD-05AUG16", Rule::instrument_expiry_malformed},
        {"BTC_USD-0AUG16", Rule::instrument_expiry_malformed},
        {"BTC_USD-32AUG16", Rule::instrument_expiry_malformed},
        {"BTC_USD-31APR27", Rule::instrument_expiry_malformed},
        {"BTC_USD-29FEB27", Rule::instrument_expiry_malformed},
        {"BTC_USD-26mar27", Rule::instrument_expiry_malformed},
        {"BTC_USD-26MAR2027", Rule::instrument_expiry_malformed},
        {"BTC_USD-26MAR2x", Rule::instrument_expiry_malformed},
        {"BTC_USD-x6MAR27", Rule::instrument_expiry_malformed},
        {"BTC_USD-26MAR27-0-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27--C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-090-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-1.5-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-1d50-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-1d-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-d5-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-1d5d5-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-1e5-C", Rule::instrument_strike_malformed},
        {"A_B-1JAN27-0d000000001-C", Rule::instrument_strike_malformed},
        {"BTC_USD-26MAR27-900000000000-DC", Rule::none},
        {"BTC_USD-26MAR27-9000000000000-DC", Rule::instrument_name_too_long},
    };
    for (const auto& [name, rule] : rows) {
        CAPTURE(name);
        const auto parsed = parse_instrument(name);
        CHECK((parsed ? Rule::none : parsed.error()) == rule);
    }
    // 2^96 USD 1e-8 and more does not fit a name of 31 bytes beside the shortest pair, so strikes are below the limit
    // by length alone.
    CHECK(parse_instrument("A_B-1JAN27-99999999999999999-C").has_value());
}

TEST_CASE("instrument: a NUL is no part of a name") {
    CHECK(parse_instrument(std::string_view("BTC_USD-PERPETUAL\0", 18)).error() == Rule::instrument_expiry_malformed);
    CHECK(parse_instrument(std::string_view("BTC\0_USD-PERPETUAL", 18)).error() == Rule::instrument_name_malformed);
}

TEST_CASE("instrument: format refuses what has no name") {
    Definition call = *parse_instrument("BTC_USD-26MAR27-90000-C");
    const auto error_of = [&](auto change) {
        Definition changed = call;
        change(changed);
        return format_instrument(changed).error();
    };
    CHECK(error_of([](Definition& d) { d.expiry += 1; }) == Rule::instrument_expiry_malformed);
    CHECK(error_of([](Definition& d) { d.expiry = 0; }) == Rule::instrument_expiry_malformed);
    CHECK(error_of([](Definition& d) { d.expiry = 8 * 3600; }) == Rule::instrument_expiry_malformed);
    CHECK(error_of([](Definition& d) { d.expiry = 4'102'473'600; }) ==
          Rule::instrument_expiry_malformed);  // 1 January 2100
    CHECK(error_of([](Definition& d) { d.expiry = ~std::uint64_t{0}; }) == Rule::instrument_expiry_malformed);
    CHECK(error_of([](Definition& d) { d.strike = Price(); }) == Rule::instrument_strike_malformed);
    CHECK(error_of([](Definition& d) { d.strike = Price::from_raw(-1); }) == Rule::instrument_strike_malformed);
    CHECK(error_of([](Definition& d) { d.strike = Price::from_raw(Int128{1} << 96); }) ==
          Rule::instrument_strike_malformed);
    CHECK(error_of([](Definition& d) { d.kind = Kind::linear; }) == Rule::instrument_strike_malformed);
    CHECK(error_of([](Definition& d) { d.underlying = *feed_from_name("BTC"); }) == Rule::instrument_name_malformed);
    CHECK(error_of([](Definition& d) { d.strike = Price::from_raw((Int128{1} << 96) - 1); }) ==
          Rule::instrument_name_too_long);
}

TEST_CASE("instrument: names and definitions round trip") {
    std::uint64_t seed = 11;
    const auto next = [&](std::uint64_t below) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        return (seed >> 20) % below;
    };
    const char* pairs[] = {"BTC_USD", "ETH_USD", "A_B", "1INCH_USDC"};
    int named = 0;
    for (int i = 0; i < 5'000; ++i) {
        Definition definition;
        definition.underlying = *feed_from_name(pairs[next(4)]);
        definition.kind = static_cast<Kind>(next(5));
        const bool is_linear = definition.kind == Kind::linear;
        if (!is_linear || next(2) == 0) definition.expiry = (10'957 + next(36'525)) * 86'400 + 8 * 3'600;
        if (!is_linear) definition.strike = Price::from_raw(static_cast<Int128>(1 + next(1ULL << (1 + next(43)))));
        const auto name = format_instrument(definition);
        if (!name) {
            CHECK(name.error() == Rule::instrument_name_too_long);
            continue;
        }
        ++named;
        const auto parsed = parse_instrument(*name);
        REQUIRE(parsed);
        definition.instrument = *feed_from_name(*name);
        CHECK(*parsed == definition);
        Position position;
        position.instrument = definition.instrument;
        position.underlying = definition.underlying;
        position.kind = definition.kind;
        position.expiry = definition.expiry;
        position.strike = definition.strike;
        CHECK(parsed->matches(position));
        position.strike += Price::from_raw(1);
        CHECK_FALSE(parsed->matches(position));
    }
    CHECK(named > 4'000);
}

TEST_CASE("instrument: kinds have names") {
    CHECK(kind_name(Kind::linear) == "linear");
    CHECK(kind_name(Kind::digital_put) == "digital_put");
}
