#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "channel/base/amount.h"
#include "channel/base/ids.h"
#include "daemon/oracle/replay_series.h"
#include "daemon/oracle/scenario.h"
#include "daemon/oracle/seeded_random.h"

namespace hedgerow::daemon {

struct FeedPrice {
    channel::Feed feed;
    channel::Price price;  ///< > 0
};

/// Recorded prices in place of generated ones: each index whose name is here follows its recording, from `from_ms` at
/// the start time, `speed` times as fast as it was.
struct Replay {
    std::map<std::string, ReplaySeries> series;  ///< by feed
    std::uint64_t from_ms = 0;
    double speed = 1;
};

/// The prices of all feeds as a function of time, the same in every process that was given the same scenario, seed and
/// start time (and recordings), however late it began: time goes in steps of kStepMs from the start, and every feed has
/// its own stream of random numbers.
class MarketModel {
  public:
    static constexpr std::uint64_t kStepMs = 50;
    /// How far behind the first time that is asked for the start should lie at most: catching up costs about a
    /// microsecond a step.
    static constexpr std::uint64_t kMaxSpanMs = 30ULL * 24 * 3600 * 1000;

    /// ScenarioError as check_scenario, and where a recording has no place among the assets.
    MarketModel(Scenario scenario, std::uint64_t seed, std::uint64_t start_ms, Replay replay = {});

    /// Prices at `time_ms`, from the start on and never before a time already asked for (asserts).
    [[nodiscard]] std::vector<FeedPrice> prices_at(std::uint64_t time_ms);

    /// Whether the recordings end before this time.
    [[nodiscard]] bool is_over(std::uint64_t time_ms) const;
    [[nodiscard]] std::uint64_t start_ms() const { return m_start_ms; }

    /// 0 before the crash, 1 at its bottom, afterwards 1 - recovery. `after_start_s` seconds from the start.
    [[nodiscard]] static double crash_depth(const CrashModel& crash, double after_start_s);

  private:
    struct Path {  // of an index: log of the price over the first one
        SeededRandom random;
        double log = 0;
    };
    struct Reverting {  // bps around the mean
        SeededRandom random;
        double offset_bps = 0;
    };

    void step();
    [[nodiscard]] double index_price(std::size_t asset, std::uint64_t time_ms) const;
    [[nodiscard]] std::uint64_t recorded_time(std::uint64_t time_ms) const;

    const Scenario m_scenario;
    const std::uint64_t m_start_ms;
    const Replay m_replay;
    std::uint64_t m_steps = 0;
    SeededRandom m_market;
    std::vector<Path> m_paths;
    std::vector<Reverting> m_stables;
    std::vector<Reverting> m_premiums;
};

}  // namespace hedgerow::daemon
