#pragma once

#include "daemon/chain/worker.h"
#include "daemon/log/log.h"
#include "daemon/net/transport.h"
#include "daemon/node/client_refs.h"
#include "daemon/node/event_loop.h"
#include "daemon/node/keys.h"
#include "daemon/node/market_hooks.h"
#include "daemon/node/node_types.h"
#include "daemon/node/outbox.h"

namespace hedgerow::daemon {

class TxService;
class PeerManager;
class ChannelManager;
class TowerClient;
class BackupCopies;
class NodeTower;

/// Signed price packages, kept for disputes: what an oracle client and its price book have.
class PackageSource {
  public:
    virtual ~PackageSource() = default;
    /// Every package at hand for (feed, time) of these oracles.
    [[nodiscard]] virtual std::vector<channel::Bytes> packages(const channel::Feed& feed, std::uint64_t time_s,
                                                               std::span<const channel::Address> oracles) = 0;
    /// Asks the oracles' histories for them; later packages() may have more. Returns at once.
    virtual void fetch(const channel::Feed& feed, std::uint64_t time_s) = 0;
};

/// What the parts of one node share. Owned by Node; a null pointer is a part that waits for the wallet.
struct NodeParts {
    const NodeOptions& options;
    EventLoop& loop;
    Outbox& outbox;
    Database& reader;
    channel::Hash separator;
    ClientRefs refs{outbox, reader};
    NodeKeys* keys = nullptr;
    ChainWorker* chain = nullptr;
    TxService* transactions = nullptr;
    PeerManager* peers = nullptr;
    ChannelManager* channels = nullptr;
    MarketHooks* market = nullptr;
    PackageSource* packages = nullptr;
    TowerClient* towers = nullptr;
    BackupCopies* copies = nullptr;
    NodeTower* tower = nullptr;  ///< null: this node is no tower
    ChainWorker* questions = nullptr;  ///< for slow questions, beside `chain` that broadcasts
    bool halted = false;
    bool chain_seen = false;  ///< followed to its head, once since the start: what happened while we were away is known
    bool may_lack_channels = false;            ///< as NodeInfo says it
    std::uint64_t now_ms = 0;                  ///< of this turn
    std::uint64_t steady_ms = 0;               ///< of this turn; for waits: it never jumps
    std::uint64_t chain_time_s = 0;            ///< of the newest block
    std::uint64_t confirmed_chain_time_s = 0;  ///< of the newest confirmed block
    std::uint64_t height = 0;
    channel::Revealed revealed{};

    /// The world as a step of the core may know it.
    [[nodiscard]] channel::Context context() const {
        channel::Context out;
        out.now_ms = now_ms;
        out.steady_ms = steady_ms;
        out.chain_time_s = chain_time_s;
        out.confirmed_chain_time_s = confirmed_chain_time_s;
        out.halted = halted;
        out.locked = keys == nullptr || keys->locked();
        out.revealed = &revealed;
        out.prices = market == nullptr ? nullptr : market->prices();
        out.limits = options.limits;
        return out;
    }
};

[[nodiscard]] inline channel::Unexpected<Fault> refused(channel::Rule rule) {
    return channel::Unexpected{rpc::from_rule(rule)};
}

}  // namespace hedgerow::daemon
