#pragma once

#include "daemon/chain/follower.h"
#include "daemon/node/world.h"
#include "daemon/tower/tower_watch.h"

namespace hedgerow::daemon {

/// What an operator sees; for metrics.
struct TowerReport {
    TowerTotals totals;
    TowerWatcher::Status watch;
    TowerService::Counts service;
    std::map<wallet::JobStatus, std::uint64_t> jobs;
    std::optional<channel::U256> uncommitted;  ///< wei of the wallet that no live transaction may still cost
    std::size_t peers = 0;
};
/// Prometheus text format, names hedgerow_tower_….
[[nodiscard]] std::string metrics_text(const TowerReport& report);

/// What the operator of a tower sees and grants, whichever program it is in. On its loop's thread.
class TowerDesk {
  public:
    virtual ~TowerDesk() = default;
    [[nodiscard]] virtual TowerReport report() const = 0;
    /// Follows the chain's newest block.
    [[nodiscard]] virtual bool ready() const = 0;
    /// In order of their ids, above `after`.
    [[nodiscard]] virtual std::vector<ClientAccount> clients(const channel::NodeId& after, std::size_t limit) const = 0;
    /// A subscription; answers once it is durable.
    virtual void grant(const channel::NodeId& client, std::uint64_t records, std::uint64_t bytes,
                       std::uint64_t until_ms, std::function<void()> done) = 0;
};
/// The same on the store of a tower.
void grant_durably(Outbox& outbox, const channel::NodeId& client, std::uint64_t records, std::uint64_t bytes,
                   std::uint64_t until_ms, std::function<void()> done);

/// A tower over the parts of whichever program it is in: hedgerow-tower, or hedgerowd --tower. The owner of the loop
/// ends the turns of `parts.outbox`, calls tick(), and hands over what peers send.
class TowerCore {
  public:
    /// `parts` with keys, peers, transactions and questions, its outbox and reader a tower's store. Throws
    /// StoreError{foreign_application} where the store belongs to another wallet.
    TowerCore(NodeParts& parts, const World& world, const TowerLimits& policy);
    TowerCore(const TowerCore&) = delete;
    TowerCore& operator=(const TowerCore&) = delete;

    /// Goes on where it was, and follows the chain. Throws StoreError{corrupt}.
    void start();
    /// Ends following the chain.
    void stop() { m_follower.reset(); }
    /// False where the message is none that a tower answers.
    bool on_message(const channel::NodeId& client, const channel::PeerMessage& message);
    /// Answers with what is kept here and `others`, which another keeper in this program has for that client.
    void fetch_backups(const channel::NodeId& client, const channel::Locator& after,
                       const channel::BackupItems& others) {
        m_service.fetch_backups(client, after, others);
    }
    /// To that client, where it is there.
    void send_plan(const channel::NodeId& client) { m_service.send_plan(client); }
    /// Every second or so.
    void tick();
    [[nodiscard]] bool accepts() const { return m_service.accepts(); }
    /// Stepped world only: one step of the follower.
    bool step_follower();

    [[nodiscard]] TowerReport report() const;
    [[nodiscard]] bool ready() const { return m_watcher.more(0) != channel::Rule::tower_behind; }
    [[nodiscard]] const TowerWatcher& watcher() const { return m_watcher; }

  private:
    void batches();

    NodeParts& m_parts;
    const World& m_world;
    TowerWatcher m_watcher;
    TowerService m_service;
    std::unique_ptr<ChainFollower> m_follower;
};

}  // namespace hedgerow::daemon
