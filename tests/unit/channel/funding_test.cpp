#include "channel/market/funding.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include "tests/paths.h"

using namespace hedgerow::channel;

namespace {
Price usd(const char* text) {
    return Price::from_raw(*parse_decimal(text, 8));
}
constexpr std::int64_t kPercentE12 = 10'000'000'000;

nlohmann::json vectors() {
    std::ifstream file(HEDGEROW_SHARED_DATA "/vectors/dydx_v4_funding.json");
    return file ? nlohmann::json::parse(file) : nlohmann::json();
}
Int128 whole(const nlohmann::json& text) {
    return *parse_decimal(text.get<std::string>(), 0);
}
}  // namespace

TEST_CASE("funding: the rate within, at and beyond the deadband") {
    // Deribit's example: deadband 0.025 % (here 5 bps = 0.05 %), premium 0.2 % pays 0.15 %.
    const Price index = usd("10000");
    CHECK(funding_rate_e12(usd("10000"), index, 5, 50) == 0);
    CHECK(funding_rate_e12(usd("10005"), index, 5, 50) == 0);
    CHECK(funding_rate_e12(usd("9995"), index, 5, 50) == 0);
    CHECK(funding_rate_e12(usd("10020"), index, 5, 50) == kPercentE12 * 15 / 100);
    CHECK(funding_rate_e12(usd("9980"), index, 5, 50) == -kPercentE12 * 15 / 100);
    CHECK(funding_rate_e12(usd("10006"), index, 5, 50) == kPercentE12 / 100);
}

TEST_CASE("funding: the rate is capped, at any price") {
    const Price index = usd("10000");
    CHECK(funding_rate_e12(usd("10055"), index, 5, 50) == kPercentE12 / 2);
    CHECK(funding_rate_e12(usd("10055.01"), index, 5, 50) == kPercentE12 / 2);
    CHECK(funding_rate_e12(usd("10054.99"), index, 5, 50) < kPercentE12 / 2);
    CHECK(funding_rate_e12(usd("1"), index, 5, 50) == -kPercentE12 / 2);
    const Price top = Price::from_raw((Int128{1} << 96) - 1);
    CHECK(funding_rate_e12(top, Price::from_raw(1), 0, 65'535) == 65'535 * kPercentE12 / 100);
    CHECK(funding_rate_e12(Price::from_raw(1), top, 0, 65'535) == -100 * kPercentE12 + 1);
    CHECK(funding_rate_e12(usd("10020"), index, 5, 0) == 0);
}

TEST_CASE("funding: what one unit owes over time") {
    const std::int64_t rate = kPercentE12 / 100;  // 0.01 % in 8 hours
    CHECK(funding_per_unit_16(usd("60000"), rate, kFundingPeriodMs)->raw() == *parse_decimal("6", 16));
    CHECK(funding_per_unit_16(usd("60000"), -rate, kFundingPeriodMs / 8)->raw() == *parse_decimal("-0.75", 16));
    CHECK(funding_per_unit_16(usd("60000"), rate, 0)->is_zero());
    // 6 USD in 28,800,000 ms: 2.08333e-7 USD a millisecond, rounded toward zero on either side.
    CHECK(funding_per_unit_16(usd("60000"), rate, 1)->raw() == 2'083'333'333);
    CHECK(funding_per_unit_16(usd("60000"), -rate, 1)->raw() == -2'083'333'333);
}

TEST_CASE("funding: what does not fit is nothing") {
    const Price top = Price::from_raw((Int128{1} << 96) - 1);
    CHECK_FALSE(funding_per_unit_16(top, 65'535 * kPercentE12 / 100, ~std::uint64_t{0}).has_value());
    CHECK_FALSE(funding_per_unit_16(top, INT64_MIN, ~std::uint64_t{0}).has_value());
    CHECK(funding_per_unit_16(top, kPercentE12 / 2, kFundingPeriodMs).has_value());
}

TEST_CASE("funding: what the long owes the short gets, to the last unit") {
    std::uint64_t seed = 3;
    const auto next = [&] { return seed = seed * 6364136223846793005ULL + 1442695040888963407ULL; };
    for (int i = 0; i < 2'000; ++i) {
        const Quantity quantity = Quantity::from_raw(static_cast<Int128>(next() >> (next() % 60)));
        const Usd16 per_unit = Usd16::from_raw(static_cast<Int128>(next()) - (Int128{1} << 63));
        CHECK(funding_owed_16(quantity, per_unit) == -funding_owed_16(-quantity, per_unit));
        const Price index = Price::from_raw(static_cast<Int128>(next() >> (next() % 60)) + 1);
        const auto rate = static_cast<std::int64_t>(next() >> 24);
        CHECK(*funding_per_unit_16(index, rate, 12'345) == -*funding_per_unit_16(index, -rate, 12'345));
    }
    CHECK(funding_owed_16(Quantity::from_raw(150'000'000), Usd16::from_raw(3)) == I256(4));
    CHECK(funding_owed_16(Quantity::from_raw(-150'000'000), Usd16::from_raw(3)) == I256(-4));
}

// dYdX's index counts 1e-6 USDC quanta times 1e6 for one base quantum of 10^resolution coins, rounded toward zero: ours
// per whole coin, times 10^(resolution - 4), is the same number.
TEST_CASE("funding: dYdX v4's index deltas") {
    const nlohmann::json all = vectors();
    if (all.is_null()) {
        MESSAGE("skipped: no dydx_v4_funding.json");
        return;
    }
    const auto delta_of = [](const nlohmann::json& row, std::int64_t rate_ppm, std::uint64_t seconds) {
        const Price index =
            Price::from_raw(whole(row["price"]) * static_cast<Int128>(pow10(8 + row["price_exponent"].get<int>())));
        const auto per_unit = funding_per_unit_16(index, rate_ppm * 1'000'000, seconds * 1'000);
        const int shift = row["base_atomic_resolution"].get<int>() - 4;
        REQUIRE(shift <= 0);
        return per_unit->raw() / static_cast<Int128>(pow10(-shift));
    };
    int checked = 0;
    for (const auto& row : all["funding_index_delta"]) {
        CAPTURE(row["name"].get<std::string>());
        CHECK(delta_of(row, row["rate_8h_ppm"], row["seconds"]) == whole(row["expect_index_delta"]));
        ++checked;
    }
    for (const auto& row : all["funding_tick"]) {
        CAPTURE(row["name"].get<std::string>());
        CHECK(delta_of(row, row["expect_rate_8h_ppm"], row["tick_seconds"]) == whole(row["expect_index_delta"]));
        ++checked;
    }
    CHECK(checked > 5);
}

// Their settlement is what the holder receives, ours what it owes: the sign differs.
TEST_CASE("funding: dYdX v4's settlements") {
    const nlohmann::json all = vectors();
    if (all.is_null()) {
        MESSAGE("skipped: no dydx_v4_funding.json");
        return;
    }
    for (const auto& row : all["funding_settlement"]) {
        CAPTURE(row["name"].get<std::string>());
        const Usd16 moved = Usd16::from_raw(whole(row["current_index"]) - whole(row["entry_index"]));
        const Quantity held = Quantity::from_raw(whole(row["base_quantums"]) * 100'000'000);
        CHECK(-funding_owed_16(held, moved) == I256(whole(row["expect_settlement_ppm"])));
    }
}
