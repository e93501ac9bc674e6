#include "daemon/node/node_impl.h"

#include <malloc.h>
#include <sodium.h>

#include "daemon/net/peer_uri.h"
#include "daemon/store/failpoint.h"
#include "daemon/store/schema.h"

namespace hedgerow::daemon {

using channel::Rule;
using wallet::WalletFault;

namespace {

constexpr const char* kHalted = "halted";
constexpr const char* kAcceptedStale = "accepted_stale";
constexpr std::uint64_t kTickMs = 1'000;
constexpr std::uint64_t kMarketTickMs = 100;

channel::Hash separator_of(const NodeOptions& options) {
    return channel::domain_separator({options.chain_id, options.adjudicator});
}

DatabaseOptions node_database(const NodeOptions& options) {
    DatabaseOptions out;
    out.path = options.datadir / "node.sqlite";
    out.migrations = node_schema();
    out.accept_stale = options.accept_stale_database;
    return out;
}

JournalOptions node_journal(const NodeOptions& options) {
    JournalOptions out;
    out.path = options.datadir / "node.journal";
    out.segment_bytes = options.journal_bytes;
    out.max_segment_bytes = options.max_journal_bytes;
    return out;
}

}  // namespace

Fault fault_of(WalletFault fault) {
    using rpc::NodeError;
    switch (fault) {
        case WalletFault::wallet_exists:
            return rpc::from_node_error(NodeError::wallet_exists);
        case WalletFault::wallet_missing:
            return rpc::from_node_error(NodeError::wallet_missing);
        case WalletFault::wallet_locked:
            return rpc::from_rule(Rule::wallet_locked);
        case WalletFault::wallet_password_wrong:
        case WalletFault::wallet_password_empty:
        case WalletFault::wallet_password_too_long:
            return rpc::from_node_error(NodeError::wrong_password, wallet_fault_name(fault));
        case WalletFault::mnemonic_word_count:
        case WalletFault::mnemonic_word_unknown:
        case WalletFault::mnemonic_checksum_wrong:
            return rpc::from_node_error(NodeError::mnemonic_invalid, wallet_fault_name(fault));
        case WalletFault::owner_unknown:
            return rpc::from_node_error(NodeError::address_unknown);
        default:
            return rpc::from_node_error(NodeError::file_unusable, wallet_fault_name(fault));
    }
}

namespace {

/// What the client of towers needs of the node.
class TowerHost final : public TowerClient::Host {
  public:
    explicit TowerHost(NodeParts& parts, std::function<bool()> synced) : m_parts(parts), m_synced(std::move(synced)) {}
    [[nodiscard]] const channel::Channel* channel(const channel::ChannelId& id) const override {
        return m_parts.channels->find(id);
    }
    [[nodiscard]] std::vector<const channel::Channel*> channels() const override { return m_parts.channels->all(); }
    [[nodiscard]] bool ready(const channel::NodeId& tower) const override { return m_parts.peers->ready(tower); }
    [[nodiscard]] bool synced() const override { return m_synced(); }
    void send(const channel::NodeId& tower, const channel::PeerMessage& message) override {
        m_parts.peers->send(tower, message);
    }
    void dial(const std::string& uri, Answer<PeerInfo> done) override { m_parts.peers->connect(uri, std::move(done)); }
    void hand_over(const channel::HandOver& state) override { m_parts.channels->adopt(state); }
    void holds_more(const channel::ChannelId& id) override { m_parts.channels->towers_hold_more(id); }
    [[nodiscard]] channel::NodeSignature sign(std::string_view domain, channel::ByteView message) override {
        return m_parts.keys->keyring().identity().sign(domain, message);
    }

  private:
    NodeParts& m_parts;
    const std::function<bool()> m_synced;
};

}  // namespace

Node::Impl::Impl(NodeOptions given, World outside)
    : options(std::move(given)),
      world(std::move(outside)),
      loop(world.now_ms, world.steady_ms),
      store(node_database(options), world, "node", loop, node_journal(options)),
      parts{.options = options,
            .loop = loop,
            .outbox = store.outbox(),
            .reader = store.reader(),
            .separator = separator_of(options)} {
    parts.now_ms = loop.now_ms();
    parts.steady_ms = loop.steady_ms();
    parts.halted = get_flag(store.reader(), kHalted);
    parts.may_lack_channels = get_flag(store.reader(), kMayLackChannels);
    m_stale = store.stale() || get_flag(store.reader(), kAcceptedStale);
    // The store takes itself for the newest from now on; until the channels are recovering a death must not let it.
    if (store.stale()) store.outbox().persist([](Database& db) { put_flag(db, kAcceptedStale, true); });
    start_loop();
}

Node::Impl::~Impl() {
    shut_down();
}

// --- the loop
// ---------------------------------------------------------------------------------------------------------

void Node::Impl::start_loop() {
    loop.at_start_of_turn([this] {
        parts.now_ms = loop.now_ms();
        parts.steady_ms = loop.steady_ms();
        if (tower) tower->begin_turn();
        if (peers && peers->waiting() && takes_inputs()) peers->drain();
    });
    loop.at_end_of_turn([this] { end_turn(); });
    loop.gate_inputs([this] { return takes_inputs(); });
    loop.watch_always(store.writer().completion_fd(), [this] { perform_durable(); });
    loop.every(kTickMs, [this] { tick(); });
    loop.every(kMarketTickMs, [this] {
        if (parts.market != nullptr && channels) parts.market->on_tick(parts.now_ms);
    });
}

bool Node::Impl::takes_inputs() {
    return store.outbox().accepts() && (!tower || tower->accepts());
}

void Node::Impl::perform_durable() {
    std::optional<SendBatch> batch;
    if (transport) batch.emplace(*transport);
    store.writer().drain();
}

void Node::Impl::end_turn() {
    if (peers) peers->end_turn();
    if (channels) channels->end_of_turn();
    // Where nothing waits for the disk, actions ran just now; what they caused is the next turn's.
    const bool tower_acted = tower && tower->end_turn();
    // What is left of many inputs or signatures is taken up at once, unless the disk is behind: it says when it is not.
    const bool more = (peers && peers->waiting()) || (channels && (channels->more_to_sign() || channels->more_to_connect()));
    const bool acted = store.outbox().end_turn([&] { return !more && loop.quiet(); }) || tower_acted;
    if (acted || (more && takes_inputs())) loop.post_completion([] {});
}

void Node::Impl::tick() {
    if (!channels) return;
    peers->tick();
    openings->tick();
    towers->tick();
    copies->tick();
    channels->tick();
    disputes->tick();
    lock_watch->tick();
    if (tower) tower->tick();
    chain->tick();
}

int Node::Impl::run() {
    const int code = store.run(loop, [this] { end_turn(); });
    shut_down();
    return has_failed() ? StoreFile::kExitStore : code;
}

bool Node::Impl::step(NodeStep which) {
    ASSERT(world.drive == Drive::stepped);
    switch (which) {
        case NodeStep::loop:
            loop.turn(0);
            return true;
        case NodeStep::store:
            return store.writer().step();
        case NodeStep::chain:
            return chain && chain->step_chain();
        case NodeStep::questions:
            return chain && chain->step_questions();
        case NodeStep::follower:
            return follower && follower->step(loop.steady_ms());
        case NodeStep::backup:
            return backups && backups->step();
        case NodeStep::tower_store:
            return tower && tower->step_store();
        case NodeStep::tower_questions:
            return tower && tower->step_questions();
        case NodeStep::tower_follower:
            return tower && tower->step_follower();
    }
    return false;
}

/// Inputs first, then what they feed: nothing is left that could call into what is gone.
void Node::Impl::shut_down() {
    if (m_seed_thread.joinable()) m_seed_thread.join();
    restore.reset();
    if (backups) backups->stop();
    follower.reset();
    if (tower) tower->stop();
    transport.reset();
    if (chain) chain->stop();
    store.flush();
}

// --- wallet
// -----------------------------------------------------------------------------------------------------------

bool Node::Impl::wallet_exists() const {
    return keys != nullptr || std::filesystem::exists(wallet_path());
}

void Node::Impl::with_seed(std::function<SeedResult()> work, std::function<void(Result<wallet::MasterSeed*>)> then) {
    if (m_seed_busy) return then(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_busy)});
    if (m_seed_thread.joinable()) m_seed_thread.join();
    if (world.drive == Drive::stepped) {
        SeedResult seed = work();
        if (!seed) return then(channel::Unexpected{fault_of(seed.error())});
        return then(&*seed);
    }
    m_seed_busy = true;
    m_seed_thread = std::thread([this, work = std::move(work), then = std::move(then)] {
        // Argon2id takes about a second by design; the node must not stand still for it.
        auto seed = std::make_shared<std::optional<SeedResult>>();
        try {
            seed->emplace(work());
        } catch (const std::exception& error) {
            LOG_ERROR("wallet file", {"text", error.what()});
        }
        loop.post_completion([this, seed, then] {
            m_seed_busy = false;
            if (!*seed) return then(channel::Unexpected{rpc::from_node_error(rpc::NodeError::file_unusable)});
            if (!**seed) return then(channel::Unexpected{fault_of((*seed)->error())});
            then(&(*seed)->value());
        });
    });
}

void Node::Impl::create_wallet(std::string password, Answer<std::string> done) {
    if (wallet_exists()) return done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::wallet_exists)});
    with_seed(
        [path = wallet_path(), password = std::move(password)]() mutable -> SeedResult {
            wallet::MasterSeed seed = wallet::MasterSeed::generate();
            const auto created = wallet::create_seed_file(path, seed, password);
            sodium_memzero(password.data(), password.size());
            if (!created) return channel::Unexpected{created.error()};
            failpoint("wallet.created");
            return seed;
        },
        [this, done = std::move(done)](const Result<wallet::MasterSeed*>& seed) {
            if (!seed) return done(channel::Unexpected{seed.error()});
            const wallet::SecretBytes phrase = (*seed)->mnemonic();
            take_seed(std::move(**seed), true, [done, text = std::string(reveal_text(phrase))](const Result<channel::Address>& taken) {
                done(taken ? Result<std::string>(text) : channel::Unexpected{taken.error()});
            });
        });
}

void Node::Impl::restore_wallet(std::string password, std::string mnemonic, Answer<channel::Address> done) {
    if (wallet_exists()) return done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::wallet_exists)});
    with_seed(
        [path = wallet_path(), password = std::move(password), mnemonic = std::move(mnemonic)]() mutable -> SeedResult {
            auto seed = wallet::MasterSeed::from_mnemonic(mnemonic);
            sodium_memzero(mnemonic.data(), mnemonic.size());
            const auto created = seed ? wallet::create_seed_file(path, *seed, password)
                                      : wallet::WalletExpected<void>(channel::Unexpected{seed.error()});
            sodium_memzero(password.data(), password.size());
            if (!created) return channel::Unexpected{created.error()};
            return seed;
        },
        [this, done = std::move(done)](const Result<wallet::MasterSeed*>& seed) {
            seed ? take_seed(std::move(**seed), false, done) : done(channel::Unexpected{seed.error()});
        });
}

void Node::Impl::unlock_wallet(std::string password, Answer<channel::Address> done) {
    with_seed(
        [this, path = wallet_path(), password = std::move(password)]() mutable -> SeedResult {
            auto seed = world.open_seed(path, password);
            sodium_memzero(password.data(), password.size());
            return seed;
        },
        [this, done = std::move(done)](const Result<wallet::MasterSeed*>& seed) {
            seed ? take_seed(std::move(**seed), false, done) : done(channel::Unexpected{seed.error()});
        });
}

/// The first seed starts the node's money side, and is answered when that is done; a later one only unlocks.
void Node::Impl::take_seed(wallet::MasterSeed seed, bool is_new, Answer<channel::Address> done) {
    if (keys == nullptr) return start(std::move(seed), is_new, std::move(done));
    if (starting()) return done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_starting)});
    const auto unlocked = keys->keyring().unlock(std::move(seed));
    done(unlocked ? Result<channel::Address>(keys->owners().front()) : channel::Unexpected{fault_of(unlocked.error())});
}

void Node::Impl::lock_wallet() {
    if (keys == nullptr) return;
    if (starting()) {
        m_lock_when_started = true;
        return;
    }
    keys->keyring().lock();
}

// --- start
// ------------------------------------------------------------------------------------------------------------

void Node::Impl::start(wallet::MasterSeed seed, bool is_new, Answer<channel::Address> done) {
    wallet::MasterSeed for_signers = seed.clone();
    keys = std::make_unique<NodeKeys>(std::move(seed));
    parts.keys = keys.get();
    const channel::NodeId me = keys->keyring().identity().node_id();
    const auto known = get_meta(store.reader(), "node_id");
    if (known && *known != channel::Bytes(me.data.begin(), me.data.end())) {
        throw StoreError(StoreErrorKind::foreign_application, "the database belongs to another wallet");
    }
    keys->keyring().set_halted(parts.halted);
    if (auto imports = get_meta(store.reader(), "sealed_imports")) {
        if (const auto loaded = keys->keyring().load_imports(std::move(*imports)); !loaded) {
            LOG_ERROR("imported keys cannot be opened", {"error", wallet_fault_name(loaded.error())});
        }
    }
    // A wallet from its phrase, or beside another database than its own, may have channels and numbers not known here.
    const bool may_lack_channels = (!known && !is_new) || m_stale;
    // Links may come about from now on, so that nobody has to dial again; what they bring waits until somebody reads it.
    transport = world.transport(options.transport, keys->transport_keys());
    disputes = std::make_unique<Disputes>(parts);
    m_restored = std::make_unique<ChannelManager>(parts, *disputes);
    restore = std::make_unique<ChannelRestore>(store.reader(), *world.files, parts.separator, std::move(for_signers), world.drive);
    m_started = [this, may_lack_channels, done = std::move(done)] {
        start_rest(may_lack_channels);
        done(keys->owners().front());
        if (std::exchange(m_lock_when_started, false)) lock_wallet();
    };
    if (world.drive == Drive::stepped) return take_restored();
    loop.watch_always(restore->fd(), [this] { take_restored(); });
}

/// Nothing of the node acts on a channel, and no peer is read or answered, before the last one's signatures are verified.
void Node::Impl::take_restored() {
    ChannelRestore::Progress progress = restore->take();
    for (RestoredChannel& restored : progress.channels) m_restored->take_up(std::move(restored));
    if (!progress.finished) return;
    loop.unwatch(restore->fd());
    restore.reset();
#ifdef __GLIBC__
    malloc_trim(0);  // what the threads needed beside the channels goes back to the system
#endif
    std::exchange(m_started, nullptr)();
}

/// In one turn, so that what follows from a store that may lack something is stored together, or begun again.
void Node::Impl::start_rest(bool may_lack_channels) {
    store.outbox().persist([me = keys->keyring().identity().node_id()](Database& db) { put_meta(db, "node_id", me.view()); });
    if (may_lack_channels) set_may_lack_channels(parts, true);
    parts.revealed = all_revealed(store.reader());
    chain = std::make_unique<ChainLink>(parts, world);
    start_peers(may_lack_channels);
    if (may_lack_channels) openings->raise_next_signer(signer_number_from_clock(parts.now_ms));
    LOG_INFO("node", {"id", keys->keyring().identity().node_id()}, {"port", transport->port()},
             {"account", channel::checksum_address(keys->owners().front())}, {"channels", channels->count()});
}

void Node::Impl::start_peers(bool may_lack_channels) {
    channels = std::move(m_restored);
    parts.channels = channels.get();
    channels->restored(m_stale);
    if (std::exchange(m_stale, false)) store.outbox().persist([](Database& db) { put_flag(db, kAcceptedStale, false); });
    lock_watch = std::make_unique<LockWatch>(parts);
    tower_host = std::make_unique<TowerHost>(parts, [this] { return follower && follower->status().synced; });
    towers = std::make_unique<TowerClient>(parts, *tower_host, keys->keyring().identity().node_id());
    openings = std::make_unique<Openings>(parts);
    openings->restore();
    chain_events = std::make_unique<ChainEvents>(parts, *disputes);
    peers = std::make_unique<PeerManager>(parts, *transport, *this);
    parts.peers = peers.get();
    towers->restore(options.towers, options.tower_sync);
    parts.towers = towers.get();
    chain_ops = std::make_unique<ChainOps>(parts, *openings, *disputes);
    loop.watch(transport->event_fd(), [this] { peers->drain(); });

    follower = start_follower(parts, world);
    loop.watch(follower->fd(), [this] { chain_batches(); });

    std::vector<std::string> uris;
    for (const PeerRow& row : all_peers(store.reader())) uris.push_back(row.uri);
    uris.insert(uris.end(), options.peers.begin(), options.peers.end());
    for (const std::string& uri : towers->uris()) uris.push_back(uri);
    peers->restore(uris);
    disputes->resume();
    chain_ops->resume();
    backups = std::make_unique<Backups>(parts, *openings, *chain_events, world);
    copies = std::make_unique<BackupCopies>(parts, *backups);
    copies->restore(may_lack_channels);
    parts.copies = copies.get();
    if (tower) tower->start();
    chain_events->resume();
}

void Node::Impl::chain_batches() {
    for (const ChainBatch& batch : follower->take()) {
        chain_events->take(batch);
        if (batch.inputs.empty()) continue;
        chain->new_block();
        disputes->tick();
    }
}

// --- the node
// ---------------------------------------------------------------------------------------------------------

NodeInfo Node::Impl::info() const {
    NodeInfo out;
    out.chain_id = options.chain_id;
    out.adjudicator = options.adjudicator;
    out.height = parts.height;
    out.halted = parts.halted;
    out.may_lack_channels = parts.may_lack_channels;
    out.wallet_exists = wallet_exists();
    out.wallet_locked = keys == nullptr || keys->locked();
    if (!keys) return out;
    out.node_id = keys->keyring().identity().node_id();
    const std::string& host = options.advertised_host.empty() ? options.transport.listen_host : options.advertised_host;
    if (transport) out.uri = format_peer_uri({out.node_id, host, transport->port()});
    if (follower) out.synced = follower->status().synced && chain_events->synced();
    out.starting = starting();
    if (m_restored) out.channels = m_restored->count();  // asked often while it lasts, and a walk through all is long
    if (channels) out.channels = channels->count_not_closed();
    if (channels) {
        const auto all = channels->all();
        out.recovering = static_cast<std::size_t>(std::count_if(
            all.begin(), all.end(), [](const auto* c) { return c->status == channel::Status::recovering; }));
    }
    return out;
}

void Node::Impl::set_halted(bool halted) {
    if (parts.halted == halted) return;
    parts.halted = halted;
    LOG_WARN("emergency stop", {"halted", halted});
    if (keys) keys->keyring().set_halted(halted);
    store.outbox().persist([halted](Database& db) { put_flag(db, kHalted, halted); });
    if (parts.market != nullptr) parts.market->on_halt(halted);
    if (channels) channels->feed_all(channel::Tick{});
}

void Node::Impl::on_ready(const channel::NodeId& peer) {
    openings->on_ready(peer);
    towers->on_ready(peer);
    copies->on_ready(peer);
    channels->on_ready(peer);
}

void Node::Impl::on_lost(const channel::NodeId& peer) {
    openings->on_lost(peer);
    towers->on_lost(peer);
    copies->on_lost(peer);
    channels->on_lost(peer);
}

void Node::Impl::on_message(const channel::NodeId& peer, channel::PeerMessage message) {
    std::visit(
        [&](auto& m) {
            using M = std::decay_t<decltype(m)>;
            if constexpr (requires { openings->on_message(peer, m); }) {
                openings->on_message(peer, m);
            } else if constexpr (std::is_same_v<M, channel::TowerRefuse>) {
                if (!copies->on_refuse(peer, m)) towers->on_message(peer, m);
            } else if constexpr (std::is_same_v<M, channel::TowerStore> || std::is_same_v<M, channel::TowerEnd> ||
                                 std::is_same_v<M, channel::TowerFetch>) {
                if (tower) return tower->on_message(peer, m);
                std::uint64_t version = 0;
                if constexpr (requires { m.version; }) version = m.version;
                peers->send(peer, channel::TowerRefuse{m.locator, version, Rule::tower_not_offered});
            } else if constexpr (std::is_same_v<M, channel::TowerPlanAsk>) {
                tower ? tower->on_message(peer, m) : peers->error(peer, {}, Rule::tower_not_offered);
            } else if constexpr (requires { copies->on_message(peer, m); }) {
                copies->on_message(peer, m);
            } else if constexpr (requires { towers->on_message(peer, m); }) {
                towers->on_message(peer, m);
            } else {
                channels->on_message(peer, std::move(message));
            }
        },
        message);
}

}  // namespace hedgerow::daemon
