#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "channel/base/amount.h"
#include "channel/base/expected.h"
#include "channel/base/ids.h"
#include "channel/messages/risk_terms.h"
#include "daemon/log/log.h"
#include "daemon/net/peer_uri.h"
#include "daemon/tower/tower_limits.h"

namespace hedgerow::daemon {

struct NetworkConfig {
    bool listen = true;
    std::string listen_host;
    std::uint16_t listen_port = 0;
    std::string advertised_host;  ///< what peers dial; empty: listen_host
    std::vector<PeerUri> peers;   ///< kept connected
};

struct RpcConfig {
    std::string host;
    std::uint16_t port = 0;
    std::filesystem::path cookie_file;  ///< absolute or relative to the data directory
};

struct ChainConfig {
    std::string rpc_url;  ///< may carry a provider's key: never logged, see dump_config
    std::uint64_t chain_id = 0;
    channel::Address adjudicator;
    std::uint64_t adjudicator_block = 0;
    std::uint32_t confirmations = 0;
    std::uint32_t poll_ms = 0;
    std::uint32_t block_ms = 0;  ///< usual time between blocks: fees are raised no more often
};

struct AssetConfig {
    std::string symbol;
    channel::Address token;  ///< zero: the chain's own coin
    std::uint8_t decimals = 0;
    channel::Feed feed;  ///< zero: worth one USD
    std::uint16_t haircut_bps = 0;
};

struct OracleAddress {
    std::string publish;  ///< ZeroMQ PUB, "tcp://host:port"
    std::string http;     ///< history, "http://host:port"
};

struct OracleConfig {
    std::vector<OracleAddress> endpoints;
    std::vector<channel::Address> signers;  ///< ascending, distinct
    std::uint8_t threshold = 0;             ///< a strict majority of the signers
    std::uint32_t max_deviation_bps = 0;
    std::uint32_t max_age_ms = 0;
};

struct ChannelConfig {
    bool accept = true;  ///< openings by others
    std::uint32_t dispute_period_s = 0;
    std::uint32_t min_dispute_period_s = 0;
    std::uint32_t price_slot_s = 0;
    std::uint32_t price_grace_s = 0;
    channel::Amount stale_penalty;      ///< proposed, of the first asset
    channel::Amount max_stale_penalty;  ///< accepted
    std::uint32_t max_lock_s = 0;
    std::uint32_t max_locks = 0;
    channel::Usd16 min_lock;
    std::uint32_t max_deadline_s = 0;
};

struct MarketConfig {
    std::filesystem::path instrument_file;  ///< empty: none
    std::uint32_t quote_validity_ms = 0;
};

struct MakerSize {
    std::string instrument;
    channel::Quantity size;
};

struct MakerConfig {
    bool enabled = false;
    std::uint32_t spread_bps = 0;
    std::uint32_t refresh_ms = 0;
    std::vector<MakerSize> sizes;
};

struct TowerClientConfig {
    std::vector<PeerUri> towers;  ///< watchtowers that this node is a client of
    std::uint32_t sync = 0;       ///< how many must hold a state before what it did is reported
};

/// This node as a watchtower for others' channels.
struct TowerServiceConfig {
    bool enabled = false;
    std::string http_host;  ///< metrics, health and the operator's commands
    std::uint16_t http_port = 0;
    TowerLimits limits;
};

struct WalletConfig {
    std::filesystem::path password_file;  ///< empty: none
    std::string password_credential;      ///< name of a systemd credential; empty: none
};

/// Everything that hedgerowd can be told. Each field's meaning, unit, range and default is in its row of the option
/// table (options.cpp), which the command line, the file and --help share.
struct Config {
    std::filesystem::path datadir;
    bool accept_stale_database = false;
    std::uint32_t workers = 0;  ///< 0: as the processors are
    NetworkConfig network;
    RpcConfig rpc;
    ChainConfig chain;
    std::vector<AssetConfig> assets;
    OracleConfig oracle;
    ChannelConfig channel;
    channel::RiskTerms risk;
    MarketConfig market;
    MakerConfig maker;
    WalletConfig wallet;
    TowerClientConfig tower_client;
    TowerServiceConfig tower;
    LogOptions log;
};

enum class ConfigErrorKind {
    unknown_option,
    unknown_key,
    missing_value,
    malformed_value,
    out_of_range,
    duplicate_key,
    malformed_line,
    file_unreadable,
    missing_required,
    inconsistent,
};
[[nodiscard]] std::string_view config_error_name(ConfigErrorKind kind);

struct ConfigError {
    ConfigErrorKind kind = ConfigErrorKind::malformed_value;
    std::string text;  ///< one line for people, with the key and, from a file, its line
};

struct ParsedCommandLine {
    enum class Action : std::uint8_t { run, print };
    Action action = Action::run;
    Config config;     ///< for run
    std::string text;  ///< for print: --help or --version
};

/// Defaults, then the file (`--config`, or <datadir>/hedgerow.conf where it exists), then the command line. Given on
/// the command line, an option that may repeat replaces all of the file's.
[[nodiscard]] channel::Expected<ParsedCommandLine, ConfigError> parse_command_line(int argc, const char* const* argv);

/// `key=value` lines of the configuration in force, for the log and for support; secrets are left out of it.
[[nodiscard]] std::string dump_config(const Config& config);

}  // namespace hedgerow::daemon
