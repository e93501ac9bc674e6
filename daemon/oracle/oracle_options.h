#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/oracle/market_model.h"
#include "daemon/oracle/oracle_service.h"

namespace hedgerow::daemon {

/// A command line that is refused; the text names the option.
struct OptionError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The command line of hedgerow-oracle.
struct OracleOptions {
    std::filesystem::path key_file;
    bool generate_key = false;
    bool show_address = false;
    bool generate = false;
    std::vector<std::string> replays;  ///< "[FEED=]FILE"
    std::filesystem::path scenario_file;
    std::uint64_t seed = 1;
    std::optional<double> crash_after_s, crash_size, crash_duration_s;
    std::vector<std::string> prices;  ///< "FEED=PRICE"
    double speed = 1;
    std::string replay_from;
    std::string start_time;
    bool hold_at_end = false;
    std::filesystem::path history_directory;
    std::vector<std::string> history_tiers;  ///< "SLOT:KEEP" in seconds
    std::vector<std::string> feeds;
    std::string http = "127.0.0.1:0";
    OracleServiceConfig service;
};

/// What the command line asks for, or the text to print and the exit code (help, version, a mistake).
struct ParsedOptions {
    std::optional<OracleOptions> options;
    int exit_code = 0;
    std::string output;
};
[[nodiscard]] ParsedOptions parse_options(int argc, const char* const* argv);

/// Unix ms of "1700000000000" (ms, at least 10^12), "1700000000" (seconds) or "2021-05-19T12:00:00Z".
[[nodiscard]] std::optional<std::uint64_t> parse_time_ms(std::string_view text);

/// The model that the options describe, with recordings loaded. OptionError, ScenarioError, ReplayError.
[[nodiscard]] MarketModel make_model(const OracleOptions& options, std::uint64_t now_ms);
/// The service's part, with text turned into feeds, tiers and addresses; makes the history's directory. OptionError.
[[nodiscard]] OracleServiceConfig make_service_config(const OracleOptions& options);

}  // namespace hedgerow::daemon
