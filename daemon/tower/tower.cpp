#include "daemon/tower/tower.h"

#include "channel/codec/eip712.h"
#include "daemon/net/peer_uri.h"
#include "daemon/node/chain_link.h"
#include "daemon/node/peer_manager.h"
#include "daemon/node/store_file.h"
#include "daemon/tower/tower_schema.h"

namespace hedgerow::daemon {

using channel::NodeId;

namespace {
constexpr std::uint64_t kTickMs = 500;
}  // namespace

struct Tower::Impl final : PeerManager::Events {
    Impl(TowerOptions given, wallet::MasterSeed seed, PackageSource* packages, World outside);
    ~Impl() override { shut_down(); }

    // PeerManager::Events
    void on_ready(const NodeId&) override {}
    void on_lost(const NodeId&) override {}
    void on_message(const NodeId& peer, channel::PeerMessage message) override {
        // A tower is no peer of channels, and answers nothing that is itself an answer.
        if (!core->on_message(peer, message)) peers->error(peer, {}, channel::Rule::unexpected_message);
    }

    void start_loop();
    [[nodiscard]] bool takes_inputs();
    void end_turn();
    void tick();
    int run();
    void shut_down();

    const TowerOptions options;
    const World world;
    EventLoop loop;
    NodeKeys keys;
    StoreFile store;
    NodeParts parts;
    std::unique_ptr<ChainLink> chain;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<PeerManager> peers;
    std::unique_ptr<TowerCore> core;
};

Tower::Impl::Impl(TowerOptions given, wallet::MasterSeed seed, PackageSource* packages, World outside)
    : options(std::move(given)),
      world(std::move(outside)),
      loop(world.now_ms, world.steady_ms),
      keys(std::move(seed)),
      store(tower_database(options.node.datadir / kTowerFileName), world, "tower", loop),
      parts{.options = options.node,
            .loop = loop,
            .outbox = store.outbox(),
            .reader = store.reader(),
            .separator = channel::domain_separator({options.node.chain_id, options.node.adjudicator})} {
    parts.now_ms = loop.now_ms();
    parts.steady_ms = loop.steady_ms();
    parts.keys = &keys;
    parts.packages = packages;
    start_loop();
    chain = std::make_unique<ChainLink>(parts, world);
    transport = world.transport(options.node.transport, keys.transport_keys());
    peers = std::make_unique<PeerManager>(parts, *transport, *this);
    parts.peers = peers.get();
    core = std::make_unique<TowerCore>(parts, world, options.policy);
    loop.watch(transport->event_fd(), [this] { peers->drain(); });
    core->start();
}

void Tower::Impl::start_loop() {
    loop.at_start_of_turn([this] {
        parts.now_ms = loop.now_ms();
        parts.steady_ms = loop.steady_ms();
        if (peers && peers->waiting() && takes_inputs()) peers->drain();
    });
    loop.at_end_of_turn([this] { end_turn(); });
    loop.gate_inputs([this] { return takes_inputs(); });
    loop.watch_always(store.writer().completion_fd(), [this] { store.writer().drain(); });
    loop.every(kTickMs, [this] { tick(); });
}

bool Tower::Impl::takes_inputs() {
    return store.outbox().accepts() && (!core || core->accepts());
}

void Tower::Impl::end_turn() {
    peers->end_turn();
    // Where nothing waits for the disk, actions ran just now; what they caused is the next turn's.
    const bool acted = store.outbox().end_turn();
    if (acted || (peers->waiting() && takes_inputs())) loop.post_completion([] {});
}

void Tower::Impl::tick() {
    peers->tick();
    core->tick();
    chain->tick();
}

int Tower::Impl::run() {
    const int code = store.run(loop, [this] { end_turn(); });
    shut_down();
    return store.failed() ? StoreFile::kExitStore : code;
}

/// Inputs first, then what they feed: nothing is left that could call into what is gone.
void Tower::Impl::shut_down() {
    if (core) core->stop();
    transport.reset();
    if (chain) chain->stop();
    store.flush();
}

Tower::Tower(TowerOptions options, wallet::MasterSeed seed, PackageSource* packages, World world)
    : m_impl(std::make_unique<Impl>(std::move(options), std::move(seed), packages, std::move(world))) {}
Tower::~Tower() = default;

EventLoop& Tower::loop() {
    return m_impl->loop;
}
int Tower::run() {
    return m_impl->run();
}
void Tower::stop() noexcept {
    m_impl->loop.stop();
}

bool Tower::failed() const {
    return m_impl->store.failed();
}

bool Tower::step(NodeStep which) {
    ASSERT(m_impl->world.drive == Drive::stepped);
    switch (which) {
        case NodeStep::loop:
            m_impl->loop.turn(0);
            return true;
        case NodeStep::store:
            return m_impl->store.writer().step();
        case NodeStep::chain:
            return m_impl->chain->step_chain();
        case NodeStep::questions:
            return m_impl->chain->step_questions();
        case NodeStep::follower:
            return m_impl->core->step_follower();
        case NodeStep::backup:
        case NodeStep::tower_store:
        case NodeStep::tower_questions:
        case NodeStep::tower_follower:
            return false;  // it keeps others' backups and makes none, and has no tower in it
    }
    return false;
}

NodeId Tower::node_id() const {
    return m_impl->keys.keyring().identity().node_id();
}

std::string Tower::uri() const {
    const NodeOptions& options = m_impl->options.node;
    const std::string& host = options.advertised_host.empty() ? options.transport.listen_host : options.advertised_host;
    return format_peer_uri({node_id(), host, m_impl->transport ? m_impl->transport->port() : std::uint16_t{0}});
}

channel::Address Tower::account() const {
    return m_impl->keys.owners().front();
}

TowerReport Tower::report() const {
    TowerReport out = m_impl->core->report();
    for (const PeerInfo& peer : m_impl->transport->peers()) out.peers += peer.connected ? 1 : 0;
    return out;
}

const TowerWatcher& Tower::watcher() const {
    return m_impl->core->watcher();
}

bool Tower::ready() const {
    return m_impl->core->ready();
}

std::vector<ClientAccount> Tower::clients(const NodeId& after, std::size_t limit) const {
    return list_clients(m_impl->store.reader(), after, limit);
}

void Tower::grant(const NodeId& client, std::uint64_t records, std::uint64_t bytes, std::uint64_t until_ms,
                  std::function<void()> done) {
    grant_durably(m_impl->store.outbox(), client, records, bytes, until_ms, std::move(done));
}

}  // namespace hedgerow::daemon
