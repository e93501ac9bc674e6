#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// What hedgerow-oracle's generator makes prices from. Rates and volatilities are per year, bps are 1/10,000 of the
/// price. The JSON of a scenario file has the names in the comments; every member but a feed has the default given
/// here.
namespace hedgerow::daemon {

/// A scenario file or option that is refused; the text says which member and why.
struct ScenarioError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// An index: Merton's jump diffusion (J. Financial Economics 3, 1976) in log price, correlated through one market
/// factor.
struct AssetModel {
    std::string feed;                ///< "BTC_USD"
    double price = 100;              ///< "price": at the start, a decimal string
    double volatility = 0.6;         ///< "volatility": of the diffusion
    double drift = 0;                ///< "drift"
    double correlation = 0.8;        ///< "correlation": with the market factor, -1 to 1
    double jumps_per_hour = 2;       ///< "jumpsPerHour"
    double jump_mean_bps = 0;        ///< "jumpMeanBps"
    double jump_deviation_bps = 15;  ///< "jumpDeviationBps"
    double crash_beta = 1;           ///< "crashBeta": (1 - size)^beta is what a crash leaves
};

/// A price that reverts to its mean (Ornstein and Uhlenbeck).
struct StableModel {
    std::string feed;          ///< "USDC_USD"
    double price = 1;          ///< "price"
    double deviation_bps = 1;  ///< "deviationBps": standard deviation in the long run
    double reversion_s = 300;  ///< "reversionSeconds"
    double crash_bps = -20;    ///< "crashBps": added in the middle of a crash
};

/// A perpetual's mark: index x (1 + premium), the premium mean-reverting.
struct PerpetualModel {
    std::string feed;          ///< "BTC_USD-PERPETUAL"
    double mean_bps = 1;       ///< "meanBps"
    double deviation_bps = 2;  ///< "deviationBps"
    double reversion_s = 120;  ///< "reversionSeconds"
    double crash_bps = -40;    ///< "crashBps"
};

/// A dated future's mark: index x exp(basis x years left).
struct FutureModel {
    std::string feed;     ///< "BTC_USD-26MAR27"
    double basis = 0.06;  ///< "basis"
};

struct CrashModel {
    double after_s = 60;     ///< "afterSeconds": from the start time
    double size = 0.25;      ///< "size": the part that is lost, 0 to 0.95
    double duration_s = 15;  ///< "durationSeconds": within which it is lost
    double recovery = 0;     ///< "recovery": the part of the loss that comes back, 0 to 1
    double recovery_s = 60;  ///< "recoverySeconds": within which it does
};

struct Scenario {
    std::string name = "calm";
    std::string description;
    std::vector<AssetModel> assets;
    std::vector<StableModel> stables;
    std::vector<PerpetualModel> perpetuals;
    std::vector<FutureModel> futures;
    std::optional<CrashModel> crash;
    static constexpr std::size_t kMaxFeeds = 64;
};

/// BTC_USD, ETH_USD, USDC_USD, both perpetuals and two dated futures, without a crash.
[[nodiscard]] Scenario default_scenario();
/// ScenarioError for JSON that is malformed, has unknown or missing members, numbers out of range, or a derivative
/// without its index.
[[nodiscard]] Scenario parse_scenario(std::string_view json);
[[nodiscard]] Scenario load_scenario(const std::filesystem::path& file);
/// The same checks for a scenario made by other means.
void check_scenario(const Scenario& scenario);
/// Every feed, in the order assets, stables, perpetuals, futures.
[[nodiscard]] std::vector<std::string> scenario_feeds(const Scenario& scenario);

}  // namespace hedgerow::daemon
