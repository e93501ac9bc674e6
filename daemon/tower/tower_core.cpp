#include "daemon/tower/tower_core.h"

#include "daemon/node/tx_service.h"
#include "daemon/store/channel_store.h"
#include "daemon/tower/tower_schema.h"

namespace hedgerow::daemon {

TowerStoreFile::TowerStoreFile(const std::filesystem::path& path, const World& world, std::function<void()> on_fatal) {
    DatabaseOptions options = tower_database(path);
    options.files = world.files;
    WriterOptions writing;
    writing.drive = world.drive;
    writer = std::make_unique<Writer>(
        std::make_unique<Database>(options),
        [on_fatal = std::move(on_fatal)](const StoreError& error) {
            LOG_ERROR("database error; the tower stops", {"error", store_error_name(error.kind())},
                      {"text", error.what()});
            on_fatal();
        },
        writing);
    reader = Database::open_reader(path, *world.files);
    outbox = std::make_unique<Outbox>(*writer);
}

TowerCore::TowerCore(NodeParts& parts, const World& world, const TowerLimits& policy)
    : m_parts(parts), m_world(world), m_watcher(parts, policy), m_service(parts, m_watcher, policy.free) {
    // Receipts of another identity, and locators that are not ours, are what a foreign database would hold.
    const channel::NodeId me = parts.keys->keyring().identity().node_id();
    const auto known = get_meta(parts.reader, "node_id");
    if (known && *known != channel::Bytes(me.data.begin(), me.data.end()))
        throw StoreError(StoreErrorKind::foreign_application, "the tower's database belongs to another wallet");
    parts.outbox.persist([me](Database& db) { put_meta(db, "node_id", me.view()); });
}

void TowerCore::start() {
    std::optional<FollowerCursor> cursor;
    if (const auto text = get_meta(m_parts.reader, "chain_cursor")) {
        auto read = read_cursor({reinterpret_cast<const char*>(text->data()), text->size()});
        if (!read) throw StoreError(StoreErrorKind::corrupt, "chain_cursor");
        if (!read->blocks.empty()) {
            m_parts.height = read->blocks.back().number;
            m_parts.chain_time_s = read->blocks.back().timestamp;
        }
        cursor = std::move(*read);
    }
    m_watcher.resume();
    const NodeOptions& options = m_parts.options;
    FollowerConfig config;
    config.tracker = {options.chain_id, options.adjudicator, options.adjudicator_block, options.confirmations};
    config.poll_ms = options.chain_poll_ms;
    auto started = ChainFollower::start(m_world.chain(options.chain_url), config, std::move(cursor), m_world.drive);
    if (!started)
        throw StoreError(StoreErrorKind::corrupt,
                         std::string("chain cursor: ").append(chain_fault_name(started.error().fault)));
    m_follower = std::move(*started);
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
