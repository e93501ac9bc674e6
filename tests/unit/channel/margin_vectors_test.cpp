#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "channel/market/margin.h"
#include "tests/paths.h"

// dYdX v4's margin tables, where their formulas are ours: isolated rates on notional, equity against requirement. They
// count 1e-6 USDC and round there (the notional toward zero, the requirement up); we round a requirement up at 1e-16.
// Rows with open-interest scaling are theirs alone and are passed over.

using namespace hedgerow::channel;

namespace {

nlohmann::json vectors() {
    std::ifstream file(HEDGEROW_SHARED_DATA "/vectors/dydx_v4_margin.json");
    return file ? nlohmann::json::parse(file) : nlohmann::json();
}
Int128 whole(const nlohmann::json& text) {
    return *parse_decimal(text.get<std::string>(), 0);
}
Int128 scaled(const nlohmann::json& number, int power) {
    REQUIRE(power >= 0);
    return whole(number) * static_cast<Int128>(pow10(power));
}

constexpr Uint128 kQuantum16 = 10'000'000'000;  // 1e-6 USDC in USD 1e-16
U256 quanta_up(const I256& usd16) {
    return *mul_div_ceil(usd16.magnitude, U256(1), U256(kQuantum16));
}
I256 quanta(const nlohmann::json& text) {
    return {*parse_decimal(text.get<std::string>(), 0)};
}

Price price_of(const nlohmann::json& row) {
    return Price::from_raw(scaled(row["price"], 8 + row["price_exponent"].get<int>()));
}
Quantity quantity_of(const nlohmann::json& row, const nlohmann::json& base) {
    return Quantity::from_raw(scaled(base, 8 + row["base_atomic_resolution"].get<int>()));
}
std::uint16_t bps_of(std::uint64_t ppm) {
    REQUIRE(ppm % 100 == 0);
    return static_cast<std::uint16_t>(ppm / 100);
}

/// The account of a row: quote balance plus delta, positions plus deltas, marks of zero (their quote balance holds the
/// entry).
struct Account {
    std::vector<Amount> balances;
    std::vector<Asset> assets = {{{}, {}, 6, 0}};
    std::vector<Price> prices = {Price::from_raw(100'000'000)};
    std::vector<Position> positions;
    std::vector<PositionView> views;
    RiskTerms terms;

    explicit Account(const nlohmann::json& row) {
        const Int128 delta = row.contains("quote_balance_delta") ? whole(row["quote_balance_delta"]) : 0;
        balances.push_back(Amount::from_raw(whole(row["quote_balance"]) + delta));
        positions.reserve(row["markets"].size());
        for (const auto& market : row["markets"]) add(row, market);
    }
    void add(const nlohmann::json& row, const nlohmann::json& market) {
        RiskClass risk;
        risk.underlying = *feed_from_name(std::string("M").append(std::to_string(market["perpetual_id"].get<int>())));
        const std::uint64_t initial_ppm = market["initial_margin_ppm"];
        risk.initial_bps = bps_of(initial_ppm);
        risk.maintenance_bps =
            bps_of(initial_ppm * market["maintenance_fraction_ppm"].get<std::uint64_t>() / 1'000'000);
        terms.classes.push_back(risk);
        positions.push_back({});
        positions.back().underlying = risk.underlying;
        Quantity held;
        for (const auto& [list, member] :
             {std::pair("positions", "base_quantums"), std::pair("position_deltas", "base_quantums_delta")}) {
            if (!row.contains(list)) continue;
            for (const auto& position : row[list]) {
                if (position["perpetual_id"] == market["perpetual_id"]) held += quantity_text(market, position[member]);
            }
        }
        views.push_back({&positions.back(), held, price_of(market), {}});
    }
    static Quantity quantity_text(const nlohmann::json& market, const nlohmann::json& base) {
        const int power = 8 + market["base_atomic_resolution"].get<int>();
        if (power >= 0) return Quantity::from_raw(scaled(base, power));
        REQUIRE(whole(base) % static_cast<Int128>(pow10(-power)) == 0);
        return Quantity::from_raw(whole(base) / static_cast<Int128>(pow10(-power)));
    }
    [[nodiscard]] Margin margin() const { return margin_of({balances, assets, prices, views, terms}); }
};

bool has_unsettled_funding(const nlohmann::json& row) {
    for (const auto& position : row["positions"]) {
        if (position["funding_index_at_entry"] != "0") return true;
    }
    return false;
}

}  // namespace

TEST_CASE("margin vectors: dYdX v4's requirements") {
    const nlohmann::json all = vectors();
    if (all.is_null()) {
        MESSAGE("skipped: no dydx_v4_margin.json");
        return;
    }
    int checked = 0;
    for (const auto& row : all["margin_requirement"]) {
        if (row["oi_upper_cap_quote_quantums"] != "0") continue;
        CAPTURE(row["name"].get<std::string>());
        Position position;
        position.underlying = *feed_from_name("M");
        RiskTerms terms;
        const std::uint64_t initial_ppm = row["initial_margin_ppm"];
        const std::uint64_t maintenance_ppm =
            initial_ppm * row["maintenance_fraction_ppm"].get<std::uint64_t>() / 1'000'000;
        terms.classes.resize(1);
        terms.classes[0].underlying = position.underlying;
        terms.classes[0].initial_bps = bps_of(initial_ppm);
        terms.classes[0].maintenance_bps = bps_of(maintenance_ppm);
        const PositionView view{&position, quantity_of(row, row["position_base_quantums"]), price_of(row), {}};
        const Requirement need = requirement_of(view, terms);
        CHECK(I256(false, quanta_up(need.initial16)) == quanta(row["expect_imr_quote_quantums"]));
        CHECK(I256(false, quanta_up(need.maintenance16)) == quanta(row["expect_mmr_quote_quantums"]));
        ++checked;
    }
    CHECK(checked >= 5);
}

TEST_CASE("margin vectors: dYdX v4's net notional") {
    const nlohmann::json all = vectors();
    if (all.is_null()) {
        MESSAGE("skipped: no dydx_v4_margin.json");
        return;
    }
    for (const auto& row : all["net_notional"]) {
        CAPTURE(row["name"].get<std::string>());
        Position position;
        const PositionView view{&position, quantity_of(row, row["base_quantums"]), price_of(row), {}};
        const auto expected = u256_from_decimal(row["expect_net_notional_quote_quantums"].get<std::string>());
        REQUIRE(expected);
        CHECK(notional16(view).magnitude / U256(kQuantum16) == *expected);
    }
}

TEST_CASE("margin vectors: dYdX v4's account risk") {
    const nlohmann::json all = vectors();
    if (all.is_null()) {
        MESSAGE("skipped: no dydx_v4_margin.json");
        return;
    }
    int checked = 0;
    for (const auto& row : all["account_risk"]) {
        if (has_unsettled_funding(row)) continue;  // ours settles funding in a mark, before margin is looked at
        CAPTURE(row["name"].get<std::string>());
        const Margin margin = Account(row).margin();
        CHECK(margin.equity16 == quanta(row["expect_net_collateral"]) * I256(static_cast<Int128>(kQuantum16)));
        if (!row["expect_imr"].is_null()) CHECK(I256(false, quanta_up(margin.initial16)) == quanta(row["expect_imr"]));
        if (!row["expect_mmr"].is_null())
            CHECK(I256(false, quanta_up(margin.maintenance16)) == quanta(row["expect_mmr"]));
        ++checked;
    }
    CHECK(checked >= 5);
}

TEST_CASE("margin vectors: dYdX v4's liquidatable accounts") {
    const nlohmann::json all = vectors();
    if (all.is_null()) {
        MESSAGE("skipped: no dydx_v4_margin.json");
        return;
    }
    for (const auto& row : all["account_is_liquidatable"]) {
        CAPTURE(row["name"].get<std::string>());
        CHECK(Account(row).margin().breaches_maintenance() == row["expect_liquidatable"].get<bool>());
    }
}
