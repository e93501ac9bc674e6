#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "channel/base/u256.h"
#include "channel/machine/channel.h"
#include "daemon/net/transport.h"
#include "daemon/store/tower_store.h"
#include "rpc/error.h"
#include "wallet/chain/tx_fees.h"

/// What the node is configured with, and what its operations take and give.
namespace hedgerow::daemon {

/// Why an operation was refused: named, with `retryable` and `outcome`, ready for JSON-RPC.
using Fault = rpc::RpcError;
template <typename T>
using Result = channel::Expected<T, Fault>;
/// Called exactly once, on the node thread, unless the node stops first.
template <typename T>
using Answer = std::function<void(Result<T>)>;

/// The caller's reference: at most 64 printable characters, empty for none. The same reference never acts twice.
using ClientRef = std::string;

/// An asset that this node deals in.
struct AssetInfo {
    std::string symbol;
    channel::Address token;  ///< zero: the chain's own coin
    std::uint8_t decimals = 18;
    channel::Feed feed;  ///< zero: worth one USD
    std::uint16_t haircut_bps = 0;
};

/// What this node proposes, and the least and most that it accepts from others (spec 6.5).
struct OpeningPolicy {
    bool accept = true;                     ///< accept openings of others at all
    std::vector<channel::Address> oracles;  ///< ascending
    std::uint8_t oracle_threshold = 0;
    std::uint32_t price_slot_s = 10;
    std::uint32_t price_grace_s = 600;
    std::uint32_t dispute_period_s = 86'400;  ///< proposed
    std::uint32_t min_dispute_period_s = 60;
    std::uint32_t max_dispute_period_s = 30 * 86'400;
    channel::Amount stale_penalty;  ///< proposed, of assets[0]; another's may be at most max_stale_penalty
    channel::Amount max_stale_penalty;
    channel::RiskTerms risk;
    std::size_t max_channels = 1'024;
};

struct NodeOptions {
    std::filesystem::path datadir;
    std::string agent = "hedgerowd";
    std::string chain_url;
    std::uint64_t chain_id = 0;
    channel::Address adjudicator;
    std::uint64_t adjudicator_block = 0;  ///< first block that can hold its events
    std::uint64_t confirmations = 6;
    std::uint32_t chain_poll_ms = 1'000;
    wallet::FeePolicy fees;
    TransportConfig transport;
    std::string advertised_host;     ///< in our URI; empty: the host that is listened on
    std::vector<std::string> peers;  ///< URIs to keep connected to
    std::vector<AssetInfo> assets;   ///< 1 to 8
    OpeningPolicy opening;
    channel::PeerLimits limits;      ///< what is taken from peers (spec 5.10)
    bool accept_stale_database = false;
    std::size_t workers = 1;  ///< threads that step channels beside one another, the node's own among them; at least 1
    std::size_t journal_bytes = std::size_t{1} << 20;       ///< of each of the journal's two segments at first
    std::size_t max_journal_bytes = std::size_t{16} << 20;  ///< and at the most
    std::vector<std::string> towers;  ///< URIs of watchtowers to be a client of
    std::uint8_t tower_sync = 0;      ///< how many must hold a version before its ops are reported, where a channel does not say
};

struct NodeInfo {
    channel::NodeId node_id;  ///< zero until the wallet is unlocked for the first time
    std::string uri;
    std::uint64_t chain_id = 0;
    channel::Address adjudicator;
    std::uint64_t height = 0;
    bool synced = false;
    std::size_t channels = 0;  ///< not closed; while starting, of those taken up so far
    bool starting = false;     ///< Node::starting
    bool halted = false;
    bool wallet_exists = false;
    bool wallet_locked = true;
    std::size_t recovering = 0;  ///< channels of which a newer state than ours may exist
    /// There may be channels that the database does not know: the wallet was made from a phrase or put back from an
    /// older copy, and no backup file was restored since.
    bool may_lack_channels = false;
};

/// A backup that was written.
struct BackedUp {
    std::string path;
    std::size_t channels = 0;
};

struct DepositOrder {
    std::size_t asset = 0;  ///< index into NodeOptions::assets
    channel::Amount amount;
};

struct OpenOrder {
    channel::NodeId peer;
    std::vector<DepositOrder> deposits;  ///< the first one's asset settles profit and loss; at least one
    std::optional<std::uint32_t> dispute_period_s;
    std::optional<std::vector<channel::Address>> oracles;
    std::optional<std::uint8_t> oracle_threshold;
    std::optional<channel::RiskTerms> risk;
    std::optional<TowerPolicy> towers;
    ClientRef client_ref;
};
struct OpenedChannel {
    channel::ChannelId id;
    std::optional<channel::TxHash> tx;  ///< of the first deposit
};

/// An op that both have signed.
struct OpDone {
    channel::ChannelId channel;
    std::uint64_t version = 0;
    std::uint16_t index = 0;
    std::uint64_t timestamp_ms = 0;
};

/// One op of a channel's past.
struct HistoryItem {
    std::uint64_t version = 0;
    std::uint16_t index = 0;
    std::uint64_t timestamp_ms = 0;
    bool agreed = false;  ///< both have signed it
    channel::OpEntry entry;
    channel::List<channel::Amount, channel::kMaxAssets> effect;  ///< on net, seen from A, per asset of the channel
};
/// Newest first. Continue with the last item's (version, index).
struct HistoryCursor {
    std::uint64_t version = channel::kMaxVersion;
    std::uint16_t index = 0xffff;
};

struct WalletBalance {
    AssetInfo asset;
    channel::U256 confirmed;
    channel::I256 pending;  ///< change that is not yet `confirmations` deep
};

}  // namespace hedgerow::daemon
