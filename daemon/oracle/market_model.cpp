#include "daemon/oracle/market_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "channel/base/assert.h"
#include "channel/market/instrument.h"

namespace hedgerow::daemon {

namespace {

using channel::Feed;
using channel::Price;

constexpr double kYearSeconds = 365.25 * 86'400;
constexpr double kStepSeconds = static_cast<double>(MarketModel::kStepMs) / 1'000;

/// 8 decimals; a model that went to extremes is held inside what a package can say.
Price to_price(double usd) {
    const double raw = std::clamp(std::round(usd * 1e8), 1.0, 9e18);
    return Price::from_raw(static_cast<std::int64_t>(std::isfinite(raw) ? raw : 1.0));
}

/// One step of an Ornstein-Uhlenbeck process about zero, exact in distribution.
double revert(double offset, double reversion_s, double deviation, double normal) {
    const double keep = std::exp(-kStepSeconds / reversion_s);
    return offset * keep + deviation * std::sqrt(1 - keep * keep) * normal;
}

/// Largest in the middle of a crash, zero outside it.
double crash_stress(const std::optional<CrashModel>& crash, double after_start_s) {
    if (!crash || after_start_s >= crash->after_s + crash->duration_s) return 0;
    const double depth = MarketModel::crash_depth(*crash, after_start_s);
    return 4 * depth * (1 - depth);
}

double basis_points(double bps) {
    return bps / 1e4;
}

}  // namespace

MarketModel::MarketModel(Scenario scenario, std::uint64_t seed, std::uint64_t start_ms, Replay replay)
    : m_scenario((check_scenario(scenario), std::move(scenario))),
      m_start_ms(start_ms),
      m_replay(std::move(replay)),
      m_market(seed, "market") {
    for (const auto& [feed, series] : m_replay.series) {
        const bool known = std::any_of(m_scenario.assets.begin(), m_scenario.assets.end(),
                                       [&](const auto& a) { return a.feed == feed; });
        if (!known) throw ScenarioError(fmt::format("{}: not among the assets of the scenario", feed));
    }
    for (const auto& model : m_scenario.assets) m_paths.push_back(Path{SeededRandom(seed, model.feed), 0});
    for (const auto& model : m_scenario.stables) m_stables.push_back(Reverting{SeededRandom(seed, model.feed), 0});
    for (const auto& model : m_scenario.perpetuals) m_premiums.push_back(Reverting{SeededRandom(seed, model.feed), 0});
}

double MarketModel::crash_depth(const CrashModel& crash, double after_start_s) {
    const double fallen = std::clamp((after_start_s - crash.after_s) / crash.duration_s, 0.0, 1.0);
    const double recovered =
        std::clamp((after_start_s - crash.after_s - crash.duration_s) / crash.recovery_s, 0.0, 1.0);
    // Smooth at both ends, steepest in the middle.
    return fallen * fallen * (3 - 2 * fallen) - crash.recovery * recovered;
}

void MarketModel::step() {
    const double years = kStepSeconds / kYearSeconds;
    const double market = m_market.normal();
    for (std::size_t i = 0; i < m_paths.size(); ++i) {
        const AssetModel& model = m_scenario.assets[i];
        Path& path = m_paths[i];
        const double own = path.random.normal();
        const double shock = model.correlation * market + std::sqrt(1 - model.correlation * model.correlation) * own;
        path.log += (model.drift - model.volatility * model.volatility / 2) * years +
                    model.volatility * std::sqrt(years) * shock;
        const double jump = model.jump_mean_bps + model.jump_deviation_bps * path.random.normal();
        if (path.random.uniform() < model.jumps_per_hour * kStepSeconds / 3'600) path.log += basis_points(jump);
    }
    for (std::size_t i = 0; i < m_stables.size(); ++i) {
        const StableModel& model = m_scenario.stables[i];
        m_stables[i].offset_bps =
            revert(m_stables[i].offset_bps, model.reversion_s, model.deviation_bps, m_stables[i].random.normal());
    }
    for (std::size_t i = 0; i < m_premiums.size(); ++i) {
        const PerpetualModel& model = m_scenario.perpetuals[i];
        m_premiums[i].offset_bps =
            revert(m_premiums[i].offset_bps, model.reversion_s, model.deviation_bps, m_premiums[i].random.normal());
    }
    ++m_steps;
}

std::uint64_t MarketModel::recorded_time(std::uint64_t time_ms) const {
    return m_replay.from_ms + static_cast<std::uint64_t>(static_cast<double>(time_ms - m_start_ms) * m_replay.speed);
}

bool MarketModel::is_over(std::uint64_t time_ms) const {
    const std::uint64_t at_ms = recorded_time(std::max(time_ms, m_start_ms));
    return std::any_of(m_replay.series.begin(), m_replay.series.end(),
                       [&](const auto& entry) { return at_ms > entry.second.end_ms(); });
}

double MarketModel::index_price(std::size_t asset, std::uint64_t time_ms) const {
    const AssetModel& model = m_scenario.assets[asset];
    const auto recording = m_replay.series.find(model.feed);
    const double base = recording == m_replay.series.end() ? model.price * std::exp(m_paths[asset].log)
                                                           : recording->second.price_at(recorded_time(time_ms));
    if (!m_scenario.crash) return base;
    const double depth = crash_depth(*m_scenario.crash, static_cast<double>(time_ms - m_start_ms) / 1'000);
    return base * std::pow(1 - m_scenario.crash->size, model.crash_beta * depth);
}

std::vector<FeedPrice> MarketModel::prices_at(std::uint64_t time_ms) {
    ASSERT(time_ms >= m_start_ms);
    const std::uint64_t steps = (time_ms - m_start_ms) / kStepMs;
    ASSERT(steps >= m_steps);
    while (m_steps < steps) step();

    const double stress = crash_stress(m_scenario.crash, static_cast<double>(time_ms - m_start_ms) / 1'000);
    std::map<std::string, double> index;
    std::vector<FeedPrice> out;
    const auto add = [&](const std::string& feed, double usd) {
        out.push_back(FeedPrice{*channel::feed_from_name(feed), to_price(usd)});
    };
    for (std::size_t i = 0; i < m_scenario.assets.size(); ++i) {
        const std::string& feed = m_scenario.assets[i].feed;
        add(feed, index[feed] = index_price(i, time_ms));
    }
    for (std::size_t i = 0; i < m_scenario.stables.size(); ++i) {
        const StableModel& model = m_scenario.stables[i];
        add(model.feed, model.price * (1 + basis_points(m_stables[i].offset_bps + model.crash_bps * stress)));
    }
    for (std::size_t i = 0; i < m_scenario.perpetuals.size(); ++i) {
        const PerpetualModel& model = m_scenario.perpetuals[i];
        const double premium = basis_points(model.mean_bps + m_premiums[i].offset_bps + model.crash_bps * stress);
        add(model.feed,
            index.at(channel::feed_name(channel::parse_instrument(model.feed)->underlying)) * (1 + premium));
    }
    for (const FutureModel& model : m_scenario.futures) {
        const auto definition = *channel::parse_instrument(model.feed);
        const double left_s =
            std::max(0.0, static_cast<double>(definition.expiry) - static_cast<double>(time_ms) / 1'000);
        add(model.feed,
            index.at(channel::feed_name(definition.underlying)) * std::exp(model.basis * left_s / kYearSeconds));
    }
    return out;
}

}  // namespace hedgerow::daemon
