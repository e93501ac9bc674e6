#include "daemon/tower/node_tower.h"

#include "daemon/node/chain_link.h"
#include "daemon/node/peer_manager.h"
#include "daemon/tower/tower_schema.h"

namespace hedgerow::daemon {

namespace {

DatabaseOptions database_in(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
    return tower_database(directory / kTowerFileName);
}

}  // namespace

NodeTower::NodeTower(const NodeParts& node, const World& world, const std::filesystem::path& directory,
                     const TowerLimits& limits)
    : m_node(node),
      m_world(world),
      m_limits(limits),
      m_store(database_in(directory), world, "tower", node.loop),
      m_parts{.options = node.options,
              .loop = node.loop,
              .outbox = m_store.outbox(),
              .reader = m_store.reader(),
              .separator = node.separator},
      m_fees(node, m_parts, limits.fee, [this](const channel::NodeId& client) {
          if (m_core) m_core->send_plan(client);
      }) {
    begin_turn();
    m_parts.loop.watch_always(m_store.writer().completion_fd(), [this] { m_store.writer().drain(); });
}

NodeTower::~NodeTower() {
    stop();
}

void NodeTower::start() {
    m_parts.keys = m_node.keys;
    m_parts.chain = m_node.chain;
    m_parts.transactions = m_node.transactions;
    m_parts.peers = m_node.peers;
    m_parts.packages = m_node.packages;
    m_questions = start_chain_worker(m_parts, m_world);
    m_parts.questions = m_questions.get();
    m_core = std::make_unique<TowerCore>(m_parts, m_world, m_limits);
    m_core->start();
    m_fees.resume();
}

void NodeTower::stop() {
    if (m_core) m_core->stop();
    m_questions.reset();
    m_store.flush();
}

void NodeTower::begin_turn() {
    m_parts.now_ms = m_parts.loop.now_ms();
    m_parts.steady_ms = m_parts.loop.steady_ms();
}

void NodeTower::tick() {
    if (m_core) m_core->tick();
}

void NodeTower::on_message(const channel::NodeId& client, const channel::PeerMessage& message) {
    ASSERT(m_core);
    const bool known = m_core->on_message(client, message);
    ASSERT(known);
}

void NodeTower::fetch_backups(const channel::NodeId& client, const channel::Locator& after,
                              const channel::BackupItems& others) {
    ASSERT(m_core);
    m_core->fetch_backups(client, after, others);
}

TowerReport NodeTower::report() const {
    TowerReport out;
    if (m_core)
        out = m_core->report();
    else
        out.totals = tower_totals(m_parts.reader);
    if (m_node.peers != nullptr) {
        for (const PeerInfo& peer : m_node.peers->list()) out.peers += peer.connected ? 1 : 0;
    }
    return out;
}

}  // namespace hedgerow::daemon
