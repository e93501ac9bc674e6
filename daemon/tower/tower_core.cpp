#include "daemon/tower/tower_core.h"

#include "daemon/node/chain_link.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

TowerCore::TowerCore(NodeParts& parts, const World& world, const TowerLimits& policy)
    : m_parts(parts), m_world(world), m_watcher(parts, policy), m_service(parts, m_watcher, policy.free, policy.fee) {
    // Receipts of another identity, and locators that are not ours, are what a foreign database would hold.
    const channel::NodeId me = parts.keys->keyring().identity().node_id();
    const auto known = get_meta(parts.reader, "node_id");
    if (known && *known != channel::Bytes(me.data.begin(), me.data.end()))
        throw StoreError(StoreErrorKind::foreign_application, "the tower's database belongs to another wallet");
    parts.outbox.persist([me](Database& db) { put_meta(db, "node_id", me.view()); });
}

void TowerCore::start() {
    m_follower = start_follower(m_parts, m_world);
    m_watcher.resume();
    m_parts.loop.watch(m_follower->fd(), [this] { batches(); });
}

void TowerCore::batches() {
    for (const ChainBatch& batch : m_follower->take()) {
        m_watcher.take(batch);
        if (batch.inputs.empty()) continue;
        m_parts.transactions->tick();
        m_watcher.tick();
    }
}

bool TowerCore::step_follower() {
    return m_follower && m_follower->step(m_parts.loop.steady_ms());
}

bool TowerCore::on_message(const channel::NodeId& client, const channel::PeerMessage& message) {
    return std::visit(
        [&](const auto& m) {
            if constexpr (requires { m_service.on_message(client, m); }) {
                m_service.on_message(client, m);
                return true;
            }
            return false;
        },
        message);
}

void TowerCore::tick() {
    // A follower that finds nothing new says nothing: that it is at the head shows here.
    if (m_follower) m_watcher.note_sync(m_follower->status().synced);
    m_watcher.tick();
}

void grant_durably(Outbox& outbox, const channel::NodeId& client, std::uint64_t records, std::uint64_t bytes,
                   std::uint64_t until_ms, std::function<void()> done) {
    outbox.persist([=](Database& db) { grant(db, client, records, bytes, until_ms); });
    outbox.when_durable(std::move(done));
}

TowerReport TowerCore::report() const {
    TowerReport out;
    out.totals = tower_totals(m_parts.reader);
    out.watch = m_watcher.status();
    out.service = m_service.counts();
    out.jobs = m_parts.transactions->count_jobs();
    out.uncommitted = m_parts.transactions->uncommitted();
    return out;
}

}  // namespace hedgerow::daemon
