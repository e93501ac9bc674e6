// The option table: every setting of hedgerowd once, for the command line, the file, --help and the defaults.
#include "daemon/config/options.h"

#include <algorithm>

#include "daemon/config/tower_values.h"

namespace hedgerow::daemon {

namespace {

constexpr const char* kGeneral = "General";
constexpr const char* kWallet = "Wallet (unattended start)";
constexpr const char* kNetwork = "Peers";
constexpr const char* kRpc = "JSON-RPC";
constexpr const char* kChain = "Chain";
constexpr const char* kOracles = "Oracles";
constexpr const char* kChannels = "Channels: what this node proposes and accepts";
constexpr const char* kRisk = "Risk terms proposed for new channels";
constexpr const char* kTowers = "Watchtowers";
constexpr const char* kTower = "This node as a watchtower for others (see also hedgerow-tower)";
constexpr const char* kMarket = "Market";
constexpr const char* kLog = "Log";

constexpr std::uint32_t kDayS = 86'400;
constexpr std::uint32_t kHourMs = 3'600'000;
constexpr std::size_t kMaxListed = 64;
constexpr std::size_t kMaxTowersListed = 16;
constexpr int kUsd16Decimals = 16;

/// Reads one more item of an option that repeats.
template <typename T, typename Read>
Problem add(std::vector<T>& list, std::size_t limit, std::string_view text, Read read) {
    if (list.size() >= limit)
        return out_of_range(std::to_string(list.size() + 1), "a number of entries within the limit");
    T item{};
    if (auto problem = read(text, item)) return problem;
    list.push_back(std::move(item));
    return {};
}

using View = std::string_view;

// clang-format off
constexpr Option kOptions[] = {
    {kGeneral, "config", "FILE", "", false, "Read settings from FILE (default: hedgerow.conf in the data directory, if there is one)",
     [](Draft&, View) { return Problem(); }},
    {kGeneral, "datadir", "DIR", "~/.hedgerow", false, "Keep everything under DIR",
     [](Draft& d, View t) { return read_path(t, d.config.datadir); }},
    {kGeneral, "accept-restored-database", "", "false", false,
     "Start although the database is not the newest that this node wrote (after restoring a backup). Channels then recover "
     "from towers and peers and sign nothing new",
     [](Draft& d, View t) { return read_bool(t, d.config.accept_stale_database); }},
    {kGeneral, "workers", "N", "0", false,
     "Threads that apply, verify and sign the updates of different channels beside one another (0 to 64; 0: one less than the "
     "processors, at least 1)",
     [](Draft& d, View t) { return read_number(t, d.config.workers, 0, 64); }},

    {kWallet, "password-file", "FILE", "", false, "Unlock the wallet at the start with the password in FILE (mode 0600 or less)",
     [](Draft& d, View t) { return read_path(t, d.config.wallet.password_file); }},
    {kWallet, "password-credential", "NAME", "", false, "Unlock it with the systemd credential NAME (LoadCredential=NAME:...)",
     [](Draft& d, View t) {
         if (t.empty() || t.find('/') != View::npos || t.front() == '.') return malformed(t, "a credential's name");
         d.config.wallet.password_credential = t;
         return Problem();
     }},

    {kNetwork, "listen", "", "true", false, "Accept connections from peers",
     [](Draft& d, View t) { return read_bool(t, d.config.network.listen); }},
    {kNetwork, "bind", "HOST:PORT", "127.0.0.1:9735", false, "Where to accept them; port 0 takes a free one, 0.0.0.0 all interfaces",
     [](Draft& d, View t) { return read_endpoint(t, d.config.network.listen_host, d.config.network.listen_port, 0); }},
    {kNetwork, "advertise", "HOST", "", false, "Address in this node's URI, where it differs from --bind",
     [](Draft& d, View t) { return read_host(t, d.config.network.advertised_host); }},
    {kNetwork, "peer", "URI", "", true, "Stay connected to <node id>@host:port",
     [](Draft& d, View t) { return add(d.config.network.peers, kMaxListed, t, read_peer); },
     [](Draft& d) { d.config.network.peers.clear(); }},

    {kRpc, "rpc-bind", "HOST:PORT", "127.0.0.1:9736", false, "Where to serve JSON-RPC; whoever has the cookie can spend",
     [](Draft& d, View t) { return read_endpoint(t, d.config.rpc.host, d.config.rpc.port, 0); }},
    {kRpc, "rpc-cookie-file", "FILE", ".cookie", false, "Where to write the cookie that clients authenticate with",
     [](Draft& d, View t) { return read_path(t, d.config.rpc.cookie_file); }},

    {kChain, "chain-rpc", "URL", "http://127.0.0.1:8545", false, "JSON-RPC of an EVM node (http://...)",
     [](Draft& d, View t) { return read_url(t, "http", d.config.chain.rpc_url); }},
    {kChain, "chain-id", "N", "", false, "Chain that it must be on (required)",
     [](Draft& d, View t) { return read_number(t, d.config.chain.chain_id, 1, std::uint64_t{1} << 62); }},
    {kChain, "adjudicator", "ADDRESS", "", false, "Hedgerow's contract on that chain (required)",
     [](Draft& d, View t) { return read_address(t, d.config.chain.adjudicator); }},
    {kChain, "adjudicator-block", "N", "0", false, "Block that it was deployed in; earlier ones are not searched",
     [](Draft& d, View t) { return read_number(t, d.config.chain.adjudicator_block, 0, std::uint64_t{1} << 62); }},
    {kChain, "confirmations", "N", "6", false, "Blocks after which an event counts (1 to 1000)",
     [](Draft& d, View t) { return read_number(t, d.config.chain.confirmations, 1, 1'000); }},
    {kChain, "chain-poll-ms", "MS", "1000", false, "How often to ask for a new block (50 to 60000)",
     [](Draft& d, View t) { return read_number(t, d.config.chain.poll_ms, 50, 60'000); }},
    {kChain, "chain-block-ms", "MS", "12000", false, "Usual time between two blocks: fees of a waiting transaction are raised no more often, and after five blocks (50 to 600000)",
     [](Draft& d, View t) { return read_number(t, d.config.chain.block_ms, 50, 600'000); }},
    {kChain, "asset", "SYMBOL,TOKEN,DECIMALS,FEED,HAIRCUT", "", true,
     "An asset, the first of which settles profit and loss (1 to 8, required). TOKEN: address, or 'native'; FEED: price feed, "
     "or 'usd' for one to one; HAIRCUT: basis points taken off as collateral",
     [](Draft& d, View t) { return add(d.config.assets, channel::kMaxAssets, t, read_asset); },
     [](Draft& d) { d.config.assets.clear(); }},

    {kOracles, "oracle-signer", "ADDRESS", "", true, "An oracle whose signed prices count (1 to 20, required)",
     [](Draft& d, View t) { return add(d.config.oracle.signers, channel::kMaxOracles, t, read_address); },
     [](Draft& d) { d.config.oracle.signers.clear(); }},
    {kOracles, "oracle-threshold", "K", "", false, "How many of them must agree: more than half (default: the least such number)",
     [](Draft& d, View t) { return read_number(t, d.oracle_threshold, 1, channel::kMaxOracles); }},
    {kOracles, "oracle", "tcp://H:P,http://H:P", "", true, "Where an oracle publishes (ZeroMQ) and serves its history (HTTP)",
     [](Draft& d, View t) { return add(d.config.oracle.endpoints, channel::kMaxOracles, t, read_oracle); },
     [](Draft& d) { d.config.oracle.endpoints.clear(); }},
    {kOracles, "max-deviation-bps", "BPS", "500", false, "Hold back a price this far off the last one until the threshold confirms it (1 to 10000)",
     [](Draft& d, View t) { return read_number(t, d.config.oracle.max_deviation_bps, 1, 10'000); }},
    {kOracles, "max-price-age-ms", "MS", "10000", false, "Prices older than this are stale (100 to 3600000)",
     [](Draft& d, View t) { return read_number(t, d.config.oracle.max_age_ms, 100, kHourMs); }},

    {kChannels, "accept-channels", "", "true", false, "Accept channels that others open",
     [](Draft& d, View t) { return read_bool(t, d.config.channel.accept); }},
    {kChannels, "dispute-period", "SECONDS", "86400", false, "Time to answer a challenge, proposed (1 to 2592000)",
     [](Draft& d, View t) { return read_number(t, d.config.channel.dispute_period_s, 1, 30 * kDayS); }},
    {kChannels, "min-dispute-period", "SECONDS", "3600", false, "The least that is accepted: must cover this node's longest outage",
     [](Draft& d, View t) { return read_number(t, d.config.channel.min_dispute_period_s, 1, 30 * kDayS); }},
    {kChannels, "price-slot", "SECONDS", "60", false, "Time step of the prices that settle a dispute (1 to 86400)",
     [](Draft& d, View t) { return read_number(t, d.config.channel.price_slot_s, 1, kDayS); }},
    {kChannels, "price-grace", "SECONDS", "3600", false, "Wait for a missing price before the co-signed marks stand (0 to 2592000)",
     [](Draft& d, View t) { return read_number(t, d.config.channel.price_grace_s, 0, 30 * kDayS); }},
    {kChannels, "stale-penalty", "AMOUNT", "0", false, "Fine for a stale challenge, in units of the first asset",
     [](Draft& d, View t) { d.stale_penalty = t; return Problem(); }},
    {kChannels, "max-stale-penalty", "AMOUNT", "", false, "The greatest that is accepted (default: ten times the proposed)",
     [](Draft& d, View t) { d.max_stale_penalty = t; return Problem(); }},

    {kChannels, "max-lock-expiry", "SECONDS", "86400", false, "Longest lock taken from a peer: a settlement waits for it (60 to 2592000)",
     [](Draft& d, View t) { return read_number(t, d.config.channel.max_lock_s, 60, 30 * kDayS); }},
    {kChannels, "max-peer-locks", "N", "64", false, "Most locks of one peer open at a time in a channel (0 to 256)",
     [](Draft& d, View t) { return read_number(t, d.config.channel.max_locks, 0, channel::kMaxLocks); }},
    {kChannels, "min-lock", "USD", "0.01", false, "Least worth of a lock taken from a peer",
     [](Draft& d, View t) {
         channel::Int128 value = 0;
         auto problem = read_decimal(t, kUsd16Decimals, false, value);
         if (!problem) d.config.channel.min_lock = channel::Usd16::from_raw(value);
         return problem;
     }},
    {kChannels, "max-close-deadline", "SECONDS", "7200", false,
     "Longest that a peer's close or withdrawal may stay open: nothing else is signed after a close until then (60 to 604800)",
     [](Draft& d, View t) { return read_number(t, d.config.channel.max_deadline_s, 60, 7 * kDayS); }},

    {kRisk, "risk-class", "UNDERLYING,INITIAL,MAINTENANCE,PENALTY,LOT", "", true,
     "Margin of everything on one underlying, basis points of notional, and what a liquidated party loses; LOT: least close-out. "
     "Without any, the instrument file's rates are proposed",
     [](Draft& d, View t) {
         channel::RiskClass item;
         if (d.config.risk.classes.size() >= channel::RiskTerms::kMaxClasses) return out_of_range(t, "within 16 risk classes");
         if (auto problem = read_risk_class(t, item)) return problem;
         if (d.config.risk.find(item.underlying) != nullptr) return out_of_range(t, "an underlying that was not listed before");
         d.config.risk.classes.push_back(item);
         return Problem();
     },
     [](Draft& d) { d.config.risk.classes.clear(); }},
    {kRisk, "max-in-doubt", "USD", "1000", false, "Greatest possible loss over updates that the peer has not signed yet",
     [](Draft& d, View t) {
         channel::Int128 value = 0;
         auto problem = read_decimal(t, kUsd16Decimals, false, value);
         if (!problem) d.config.risk.max_in_doubt = channel::Usd16::from_raw(value);
         return problem;
     }},
    {kRisk, "ack-timeout-ms", "MS", "60000", false, "How long an update may stay unsigned; past three of them the leader challenges (100 to 3600000)",
     [](Draft& d, View t) { return read_number(t, d.config.risk.ack_timeout_ms, 100, kHourMs); }},
    {kRisk, "funding-deadband-bps", "BPS", "5", false, "Premium of a perpetual below which no funding is due, per 8 hours (0 to 1000)",
     [](Draft& d, View t) { return read_number(t, d.config.risk.funding_deadband_bps, 0, 1'000); }},
    {kRisk, "funding-cap-bps", "BPS", "50", false, "Greatest funding rate per 8 hours (0 to 1000)",
     [](Draft& d, View t) { return read_number(t, d.config.risk.funding_cap_bps, 0, 1'000); }},

    {kTowers, "tower-client", "URI", "", true, "Let the watchtower at <node id>@host:port enforce this node's channels while it is away",
     [](Draft& d, View t) { return add(d.config.tower_client.towers, kMaxTowersListed, t, read_peer); },
     [](Draft& d) { d.config.tower_client.towers.clear(); }},
    {kTowers, "tower-sync", "K", "0", false, "Report an operation only when K watchtowers hold the state that contains it (0 to 16); channels can differ",
     [](Draft& d, View t) { return read_number(t, d.config.tower_client.sync, 0, kMaxTowersListed); }},

    {kTower, "tower", "", "false", false,
     "Enforce other people's channels too, at this node's URI and paid for by its account; what is kept is in DIR/tower, which "
     "`hedgerow-tower grant` and `clients` take as their --datadir",
     [](Draft& d, View t) { return read_bool(t, d.config.tower.enabled); }},
    {kTower, "tower-http", "HOST:PORT", "127.0.0.1:9738", false, "Where to serve the tower's metrics, health and operator's commands; keep it on loopback",
     [](Draft& d, View t) { return read_endpoint(t, d.config.tower.http_host, d.config.tower.http_port, 0); }},
    {kTower, "tower-fee", "AMOUNT,SYMBOL,DAYS,RECORDS", "", false,
     "Sell subscriptions: that much of the asset, paid in a channel with the memo 'tower', buys so many appointments for so many "
     "days; half of it half the days",
     [](Draft& d, View t) { d.tower_fee = t; return Problem(); }},
    {kTower, "tower-free-records", "N", "16", false, "Appointments of a client without a subscription; 0: none",
     [](Draft& d, View t) { return read_tower_setting("free-records", d.config.tower.limits, t); }},
    {kTower, "tower-free-bytes", "BYTES", "1048576", false, "Bytes of them",
     [](Draft& d, View t) { return read_tower_setting("free-bytes", d.config.tower.limits, t); }},
    {kTower, "tower-backup-slots", "N", "64", false, "Sealed backups of a client",
     [](Draft& d, View t) { return read_tower_setting("backup-slots", d.config.tower.limits, t); }},
    {kTower, "tower-backup-bytes", "BYTES", "4194304", false, "Bytes of them",
     [](Draft& d, View t) { return read_tower_setting("backup-bytes", d.config.tower.limits, t); }},
    {kTower, "tower-concurrent-disputes", "N", "8", false, "Disputes that the wallet must be able to pay for at once, else no new record is taken",
     [](Draft& d, View t) { return read_tower_setting("concurrent-disputes", d.config.tower.limits, t); }},
    {kTower, "tower-fee-cap-gwei", "GWEI", "50", false, "The gas price that is reckoned with for that",
     [](Draft& d, View t) { return read_tower_setting("fee-cap-gwei", d.config.tower.limits, t); }},
    {kTower, "tower-settle-grace", "SECONDS", "60", false, "Time after a settlement is due before the tower pays for it",
     [](Draft& d, View t) { return read_tower_setting("settle-grace", d.config.tower.limits, t); }},

    {kMarket, "instruments", "FILE", "", false, "The registry of what is traded",
     [](Draft& d, View t) { return read_path(t, d.config.market.instrument_file); }},
    {kMarket, "quote-validity-ms", "MS", "2000", false, "How long this node's quotes hold (50 to 600000)",
     [](Draft& d, View t) { return read_number(t, d.config.market.quote_validity_ms, 50, 600'000); }},
    {kMarket, "maker", "", "false", false, "Make markets: quote two ways around the oracle price",
     [](Draft& d, View t) { return read_bool(t, d.config.maker.enabled); }},
    {kMarket, "maker-spread-bps", "BPS", "10", false, "Distance between bid and ask (1 to 5000)",
     [](Draft& d, View t) { return read_number(t, d.config.maker.spread_bps, 1, 5'000); }},
    {kMarket, "maker-refresh-ms", "MS", "500", false, "How often to renew the quotes (50 to 600000)",
     [](Draft& d, View t) { return read_number(t, d.config.maker.refresh_ms, 50, 600'000); }},
    {kMarket, "maker-size", "INSTRUMENT,SIZE", "", true, "What is quoted, and how much of it each way",
     [](Draft& d, View t) { return add(d.config.maker.sizes, kMaxListed, t, read_maker_size); },
     [](Draft& d) { d.config.maker.sizes.clear(); }},

    {kLog, "log-level", "LEVEL", "info", false, "trace, debug, info, warn, error or off",
     [](Draft& d, View t) {
         const auto level = log_level_from(t);
         if (!level) return malformed(t, "trace, debug, info, warn, error or off");
         d.config.log.level = *level;
         return Problem();
     }},
    {kLog, "log-file", "FILE", "", false, "Also log to FILE (in the data directory unless absolute), rotated",
     [](Draft& d, View t) { return read_path(t, d.log_file); }},
    {kLog, "log-stderr", "", "true", false, "Log to standard error",
     [](Draft& d, View t) { return read_bool(t, d.config.log.to_stderr); }},
};
// clang-format on

}  // namespace

std::span<const Option> all_options() {
    return kOptions;
}

const Option* find_option(std::string_view name) {
    const auto found =
        std::find_if(std::begin(kOptions), std::end(kOptions), [&](const Option& o) { return name == o.name; });
    return found == std::end(kOptions) ? nullptr : found;
}

}  // namespace hedgerow::daemon
