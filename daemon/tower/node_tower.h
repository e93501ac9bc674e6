#pragma once

#include <memory>

#include "daemon/node/store_file.h"
#include "daemon/tower/tower_core.h"
#include "daemon/tower/tower_fees.h"

namespace hedgerow::daemon {

/// A watchtower inside a node (hedgerowd --tower). Its store, its follower and its questions to the chain are its own,
/// so that neither waits for the other and each store has its own cursor. Links, identity and transactions are the
/// node's: one account has one transaction manager. Should a job of its be lost with the node's store, the dispute in
/// its own asks for it again.
class NodeTower final : public TowerDesk {
  public:
    /// Opens `directory`/tower.sqlite (StoreError); nothing is followed or answered before start(). `node` outlives it.
    NodeTower(const NodeParts& node, const World& world, const std::filesystem::path& directory,
              const TowerLimits& limits);
    ~NodeTower() override;

    /// Once the node has keys, links and transactions. Throws StoreError.
    void start();
    /// Inputs end; then what was handed over is stored.
    void stop();

    // --- from the node's loop
    void begin_turn();
    /// True where actions ran at once, so that what they caused waits for another call.
    [[nodiscard]] bool end_turn() { return m_store.outbox().end_turn(); }
    void tick();
    [[nodiscard]] bool accepts() { return m_store.outbox().accepts() && (!m_core || m_core->accepts()); }
    [[nodiscard]] bool failed() const { return m_store.failed(); }
    /// Of a client; one that is for a tower (asserted). After start().
    void on_message(const channel::NodeId& client, const channel::PeerMessage& message);
    /// Answers with what is kept here and `others`, which the node keeps for that client as its channels' peer.
    void fetch_backups(const channel::NodeId& client, const channel::Locator& after,
                       const channel::BackupItems& others);
    /// An op of a channel of the node's that both have signed, in the turn that stores it.
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op) { m_fees.on_agreed(channel, op); }
    // Stepped only.
    bool step_store() { return m_store.writer().step(); }
    bool step_questions() { return m_questions && m_questions->step(); }
    bool step_follower() { return m_core && m_core->step_follower(); }

    // TowerDesk; before start() it knows only what is stored.
    [[nodiscard]] TowerReport report() const override;
    [[nodiscard]] bool ready() const override { return m_core && m_core->ready(); }
    [[nodiscard]] std::vector<ClientAccount> clients(const channel::NodeId& after, std::size_t limit) const override {
        return list_clients(m_parts.reader, after, limit);
    }
    void grant(const channel::NodeId& client, std::uint64_t records, std::uint64_t bytes, std::uint64_t until_ms,
               std::function<void()> done) override {
        grant_durably(m_store.outbox(), client, records, bytes, until_ms, std::move(done));
    }
    [[nodiscard]] const TowerCore* core() const { return m_core.get(); }

  private:
    const NodeParts& m_node;
    const World& m_world;
    const TowerLimits m_limits;
    StoreFile m_store;
    NodeParts m_parts;
    std::unique_ptr<ChainWorker> m_questions;
    std::unique_ptr<TowerCore> m_core;
    TowerFees m_fees;
};

}  // namespace hedgerow::daemon
