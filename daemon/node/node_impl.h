#pragma once

#include <thread>

#include "channel/crypto/signature.h"
#include "daemon/node/backup_copies.h"
#include "daemon/node/chain_link.h"
#include "daemon/node/chain_events.h"
#include "daemon/node/chain_ops.h"
#include "daemon/node/channel_restore.h"
#include "daemon/node/disputes.h"
#include "daemon/node/history.h"
#include "daemon/node/lock_watch.h"
#include "daemon/node/node.h"
#include "daemon/node/opening.h"
#include "daemon/node/peer_manager.h"
#include "daemon/node/store_file.h"
#include "daemon/node/tower_client.h"
#include "daemon/tower/node_tower.h"
#include "wallet/keys/seed_file.h"

namespace hedgerow::daemon {

/// The parts of a node in the order in which they start, and the one order in which they end.
struct Node::Impl final : PeerManager::Events {
    Impl(NodeOptions given, World outside);
    ~Impl() override;

    [[nodiscard]] int run();
    [[nodiscard]] bool step(NodeStep which);
    [[nodiscard]] NodeInfo info() const;
    [[nodiscard]] bool has_failed() const { return store.failed() || (tower && tower->failed()); }
    void set_halted(bool halted);

    // Wallet: what is slow runs on a thread of its own, one at a time.
    [[nodiscard]] std::filesystem::path wallet_path() const { return options.datadir / "wallet.seed"; }
    [[nodiscard]] bool wallet_exists() const;
    void create_wallet(std::string password, Answer<std::string> done);
    void restore_wallet(std::string password, std::string mnemonic, Answer<channel::Address> done);
    void unlock_wallet(std::string password, Answer<channel::Address> done);
    void lock_wallet();
    /// The wallet is open, and the channels are being taken up.
    [[nodiscard]] bool starting() const { return restore != nullptr; }

    /// Whether the wallet was opened since start, and the node is there with all of its channels; else answers wallet_locked,
    /// wallet_missing or node_starting.
    template <typename T>
    [[nodiscard]] bool ready(const Answer<T>& done) const {
        if (chain_ops != nullptr) return true;
        if (starting()) {
            done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_starting)});
            return false;
        }
        done(wallet_exists() ? Result<T>(refused(channel::Rule::wallet_locked))
                             : Result<T>(channel::Unexpected{rpc::from_node_error(rpc::NodeError::wallet_missing)}));
        return false;
    }

    // PeerManager::Events
    void on_ready(const channel::NodeId& peer) override;
    void on_lost(const channel::NodeId& peer) override;
    void on_message(const channel::NodeId& peer, channel::PeerMessage message) override;

    const NodeOptions options;
    const World world;
    EventLoop loop;
    StoreFile store;
    NodeParts parts;
    // From here on: once the wallet is open.
    std::unique_ptr<NodeKeys> keys;
    std::unique_ptr<ChannelRestore> restore;  ///< only while it goes on
    std::unique_ptr<ChainLink> chain;
    std::unique_ptr<Disputes> disputes;
    std::unique_ptr<ChannelManager> channels;
    std::unique_ptr<LockWatch> lock_watch;
    std::unique_ptr<TowerClient::Host> tower_host;
    std::unique_ptr<TowerClient> towers;
    std::unique_ptr<Openings> openings;
    std::unique_ptr<ChainEvents> chain_events;
    std::unique_ptr<ChainOps> chain_ops;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<PeerManager> peers;
    std::unique_ptr<ChainFollower> follower;
    std::unique_ptr<Backups> backups;
    std::unique_ptr<BackupCopies> copies;
    std::unique_ptr<NodeTower> tower;  ///< from before the wallet; null where this node is none

  private:
    using SeedResult = wallet::WalletExpected<wallet::MasterSeed>;

    void start_loop();
    [[nodiscard]] bool takes_inputs();
    void perform_durable();
    void end_turn();
    void tick();
    void with_seed(std::function<SeedResult()> work, std::function<void(Result<wallet::MasterSeed*>)> then);
    /// `is_new`: generated just now, so that none of its numbers is used.
    void take_seed(wallet::MasterSeed seed, bool is_new, Answer<channel::Address> done);
    void start(wallet::MasterSeed seed, bool is_new, Answer<channel::Address> done);
    void take_restored();
    void start_rest(bool may_lack_channels);
    void start_peers(bool may_lack_channels);
    void chain_batches();
    void shut_down();

    std::unique_ptr<ChannelManager> m_restored;  ///< `channels`, until all are in it
    std::function<void()> m_started;
    bool m_lock_when_started = false;
    bool m_stale = false;  ///< the operator insisted on an older database, and its channels are not recovering yet
    bool m_seed_busy = false;
    std::thread m_seed_thread;
};

[[nodiscard]] Fault fault_of(wallet::WalletFault fault);

}  // namespace hedgerow::daemon
