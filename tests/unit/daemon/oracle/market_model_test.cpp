#include "daemon/oracle/market_model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "tests/unit/daemon/oracle/oracle_support.h"
#include "tests/unit/daemon/store/temp_dir.h"
#include "tests/paths.h"

using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using hedgerow::daemon::testing::feed;

namespace {

constexpr std::uint64_t kStart = 1'795'255'200'000;

double at(MarketModel& model, std::string_view name, std::uint64_t time_ms) {
    for (const FeedPrice& point : model.prices_at(time_ms)) {
        if (point.feed == feed(name)) return static_cast<double>(point.price.raw()) / 1e8;
    }
    FAIL("no such feed");
    return 0;
}

std::filesystem::path write_csv(const TempDir& dir, const std::string& rows) {
    const auto path = dir.path() / "prices.csv";
    std::ofstream(path) << "ts_ms,open,high,low,close,volume\n" << rows;
    return path;
}

std::string replay_error(const TempDir& dir, const std::string& rows) {
    try {
        static_cast<void>(ReplaySeries::load(write_csv(dir, rows)));
    } catch (const ReplayError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("market model: the same path whenever it is asked, another for another seed") {
    MarketModel early(default_scenario(), 7, kStart), late(default_scenario(), 7, kStart),
        other(default_scenario(), 8, kStart);
    for (std::uint64_t t = 0; t < 60'000; t += 250) static_cast<void>(early.prices_at(kStart + t));
    const auto a = early.prices_at(kStart + 60'000), b = late.prices_at(kStart + 60'000);
    REQUIRE(a.size() == 7);
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].price == b[i].price);
    CHECK(at(other, "BTC_USD", kStart + 60'000) != at(early, "BTC_USD", kStart + 60'000));
}

TEST_CASE("market model: derivatives stay near their index") {
    MarketModel model(default_scenario(), 3, kStart);
    for (std::uint64_t t = 0; t < 600'000; t += 1'000) {
        const double index = at(model, "BTC_USD", kStart + t);
        CHECK(std::abs(at(model, "BTC_USD-PERPETUAL", kStart + t) / index - 1) < 0.003);
        const double basis = at(model, "BTC_USD-26MAR27", kStart + t) / index - 1;
        CHECK(basis > 0.015);  // 6 % a year, four months
        CHECK(basis < 0.025);
        CHECK(std::abs(at(model, "USDC_USD", kStart + t) - 1) < 0.001);
    }
}

TEST_CASE("market model: the diffusion has the volatility it was asked for") {
    Scenario scenario = default_scenario();
    scenario.assets[0].jumps_per_hour = 0;
    MarketModel model(scenario, 5, kStart);
    double sum = 0, last = std::log(at(model, "BTC_USD", kStart));
    constexpr int kCount = 3'000;
    for (int i = 1; i <= kCount; ++i) {
        const double now = std::log(at(model, "BTC_USD", kStart + static_cast<std::uint64_t>(i) * 1'000));
        sum += (now - last) * (now - last);
        last = now;
    }
    const double yearly = std::sqrt(sum / kCount * 365.25 * 86'400);
    CHECK(yearly == doctest::Approx(0.6).epsilon(0.06));
}

TEST_CASE("market model: a crash begins, ends and recovers when it should") {
    const CrashModel crash{10, 0.25, 15, 0.5, 20};
    CHECK(MarketModel::crash_depth(crash, 10) == 0);
    CHECK(MarketModel::crash_depth(crash, 10.001) > 0);
    CHECK(MarketModel::crash_depth(crash, 17.5) == doctest::Approx(0.5));
    CHECK(MarketModel::crash_depth(crash, 25) == 1);
    CHECK(MarketModel::crash_depth(crash, 35) == doctest::Approx(0.75));
    CHECK(MarketModel::crash_depth(crash, 1e6) == doctest::Approx(0.5));

    Scenario scenario = default_scenario();
    scenario.crash = CrashModel{10, 0.25, 15, 0, 60};
    MarketModel with(scenario, 1, kStart), without(default_scenario(), 1, kStart);
    CHECK(at(with, "BTC_USD", kStart + 10'000) == at(without, "BTC_USD", kStart + 10'000));
    CHECK(at(with, "BTC_USD", kStart + 25'000) ==
          doctest::Approx(0.75 * at(without, "BTC_USD", kStart + 25'000)).epsilon(1e-9));
    CHECK(at(with, "ETH_USD", kStart + 25'000) ==
          doctest::Approx(std::pow(0.75, 1.2) * at(without, "ETH_USD", kStart + 25'000)).epsilon(1e-9));
}

TEST_CASE("scenarios: those that ship load, and the crash one falls by a quarter in 15 s") {
    for (const char* name : {"calm", "crash", "flash"}) {
        const Scenario scenario =
            load_scenario(std::string(HEDGEROW_SOURCE_DIR "/daemon/oracle/scenarios/").append(name).append(".json"));
        CHECK(scenario.name == name);
        CHECK(scenario_feeds(scenario) == scenario_feeds(default_scenario()));
    }
    const Scenario scenario = load_scenario(HEDGEROW_SOURCE_DIR "/daemon/oracle/scenarios/crash.json");
    REQUIRE(scenario.crash);
    const auto begin = kStart + static_cast<std::uint64_t>(scenario.crash->after_s * 1'000);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        MarketModel model(scenario, seed, kStart);
        const double before = at(model, "BTC_USD", begin), after = at(model, "BTC_USD", begin + 15'000);
        CHECK(after / before == doctest::Approx(0.75).epsilon(0.02));
    }
}

TEST_CASE("scenarios: refused by the member that is wrong") {
    const auto error = [](std::string_view json) -> std::string {
        try {
            static_cast<void>(parse_scenario(json));
        } catch (const ScenarioError& e) {
            return e.what();
        }
        return "";
    };
    CHECK(error(R"({"assets":[{"feed":"BTC_USD","price":"5"}]})") == "");
    CHECK(error("{").find("byte") != std::string::npos);
    CHECK(error("{}") == "a scenario has 1 to 64 feeds");
    CHECK(error(R"({"asets":[]})") == "scenario: unknown member 'asets'");
    CHECK(error(R"({"assets":[{"feed":"BTC_USD","vol":1}]})") == "assets[0]: unknown member 'vol'");
    CHECK(error(R"({"assets":[{"feed":"BTC USD"}]})") == "'BTC USD' is no feed name");
    CHECK(error(R"({"assets":[{"feed":"A"},{"feed":"A"}]})") == "a feed occurs twice");
    CHECK(error(R"({"assets":[{"feed":"A","price":5}]})") ==
          "assets[0].price: not a decimal string with at most 8 decimals");
    CHECK(error(R"({"assets":[{"feed":"A","price":"0"}]})") == "A: price not between 0.000001 and 1000000000");
    CHECK(error(R"({"assets":[{"feed":"A","volatility":-1}]})") == "assets[0].volatility: not between 0 and 20");
    CHECK(error(R"({"assets":[{"feed":"BTC_USD"}],"perpetuals":[{"feed":"ETH_USD-PERPETUAL"}]})") ==
          "ETH_USD-PERPETUAL: its index ETH_USD is not among the assets");
    CHECK(error(R"({"assets":[{"feed":"BTC_USD"}],"futures":[{"feed":"BTC_USD-PERPETUAL"}]})") ==
          "BTC_USD-PERPETUAL: not the name of a dated future");
    CHECK(error(R"({"assets":[{"feed":"A"}],"crash":{"size":1}})") == "crash.size: not between 0 and 0.95");
    CHECK_THROWS_AS(load_scenario("/nonexistent"), ScenarioError);
}

TEST_CASE("replay: a bar's high and low are reached, gaps hold the close, the ends are clamped") {
    const TempDir dir;
    const auto series =
        ReplaySeries::load(write_csv(dir, "60000,100,130,90,120,1\n120000,120,121,80,85,1\n\n300000,85,86,84,85,1\n"));
    CHECK(series.bars() == 3);
    CHECK(series.begin_ms() == 60'000);
    CHECK(series.end_ms() == 360'000);
    CHECK(series.price_at(0) == 100);
    CHECK(series.price_at(60'000) == 100);
    CHECK(series.price_at(70'000) == doctest::Approx(95));
    CHECK(series.price_at(80'000) == doctest::Approx(90));  // rises: low first
    CHECK(series.price_at(100'000) == doctest::Approx(130));
    CHECK(series.price_at(119'999) == doctest::Approx(120).epsilon(1e-4));
    CHECK(series.price_at(140'000) == doctest::Approx(121));  // falls: high first
    CHECK(series.price_at(160'000) == doctest::Approx(80));
    CHECK(series.price_at(200'000) == 85);
    CHECK(series.price_at(1'000'000) == 85);
}

TEST_CASE("replay: refused with file, line and cause") {
    const TempDir dir;
    CHECK(replay_error(dir, "60000,100,130,90,120,1\n").empty());
    CHECK(replay_error(dir, "").ends_with("prices.csv:1: no bars"));
    CHECK(replay_error(dir, "60000,100,130,90,120\n").ends_with(":2: not six columns"));
    CHECK(replay_error(dir, "60000,100,130,90,120,1,2\n").ends_with(":2: not six columns"));
    CHECK(replay_error(dir, "x,100,130,90,120,1\n").ends_with(":2: 'x' is no time in ms"));
    CHECK(replay_error(dir, "1,100,130,90,-1,1\n").find("'-1' is no price") != std::string::npos);
    CHECK(replay_error(dir, "1,100,130,90,0,1\n").find("'0' is no price") != std::string::npos);
    CHECK(replay_error(dir, "1,100,130,90,131,1\n").ends_with("open or close lies outside low to high"));
    CHECK(replay_error(dir, "2,1,1,1,1,1\n2,1,1,1,1,1\n").ends_with(":3: times do not ascend"));
    CHECK(replay_error(dir, std::string(600, '1')).ends_with("line longer than 510 bytes"));
    CHECK_THROWS_AS(ReplaySeries::load(dir.path() / "absent.csv"), ReplayError);
    const auto path = dir.path() / "other.csv";
    std::ofstream(path) << "time,price\n1,2\n";
    CHECK_THROWS_WITH_AS(ReplaySeries::load(path), doctest::Contains("the first line is not"), ReplayError);
}

TEST_CASE("replay: an index follows its recording at a chosen speed, derivatives follow the index") {
    const TempDir dir;
    Replay replay;
    replay.series.emplace("BTC_USD", ReplaySeries::load(write_csv(
                                         dir, "60000,50000,50000,50000,50000,1\n120000,60000,60000,60000,60000,1\n")));
    replay.from_ms = 60'000;
    replay.speed = 10;
    MarketModel model(default_scenario(), 1, kStart, replay);
    CHECK(at(model, "BTC_USD", kStart) == 50'000);
    CHECK(at(model, "BTC_USD", kStart + 5'999) == 50'000);
    CHECK(at(model, "BTC_USD", kStart + 6'000) == 60'000);
    CHECK(at(model, "BTC_USD-PERPETUAL", kStart + 6'000) == doctest::Approx(60'000).epsilon(0.003));
    CHECK_FALSE(model.is_over(kStart + 12'000));
    CHECK(model.is_over(kStart + 12'001));
    replay.series.emplace("SOL_USD", replay.series.at("BTC_USD"));
    CHECK_THROWS_AS(MarketModel(default_scenario(), 1, kStart, replay), ScenarioError);
}

TEST_CASE("replay: real minutes of 19 May 2021, gzipped") {
    const std::filesystem::path file = HEDGEROW_SHARED_DATA "/market/binance-btcusdt-1m-2021-04-20_2021-05-20.csv.gz";
    if (!std::filesystem::exists(file)) {
        MESSAGE("skipped: no ", file.string());
        return;
    }
    const auto series = ReplaySeries::load(file);
    CHECK(series.bars() > 40'000);
    constexpr std::uint64_t kMorning = 1'621'400'400'000;  // 05:00 UTC
    double low = 1e9;
    for (std::uint64_t t = 0; t < 10ULL * 3'600'000; t += 20'000) low = std::min(low, series.price_at(kMorning + t));
    CHECK(low / series.price_at(kMorning) < 0.8);
}
