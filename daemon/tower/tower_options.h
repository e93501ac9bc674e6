#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/tower/tower.h"

namespace hedgerow::daemon {

/// What hedgerow-tower is to do.
enum class TowerCommand : std::uint8_t { run, init, restore, grant, clients };

/// Everything that its command line and its file can tell.
struct TowerConfig {
    TowerCommand command = TowerCommand::run;
    TowerOptions tower;
    std::vector<OracleAddress> oracles;            ///< whose prices are attested in disputes
    std::vector<channel::Address> oracle_signers;  ///< all that are known; a channel's terms say whose count
    std::string http_host;                         ///< metrics and the operator's commands
    std::uint16_t http_port = 0;
    WalletConfig wallet;
    LogOptions log;
    // For grant
    channel::NodeId client;
    std::uint64_t records = 0, bytes = 0, until_ms = 0;
};

/// What the command line asks for, or the text to print and the exit code (help, version, a mistake: 1).
struct ParsedTower {
    std::optional<TowerConfig> config;
    int exit_code = 0;
    std::string output;
};
[[nodiscard]] ParsedTower parse_tower(int argc, const char* const* argv);

/// Unix milliseconds of "2027-03-31" (its beginning, UTC) or "2027-03-31T12:00:00Z"; nothing for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_date_ms(std::string_view text);

}  // namespace hedgerow::daemon
