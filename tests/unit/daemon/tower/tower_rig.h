#pragma once

#include <map>
#include <set>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/base/event_fd.h"
#include "daemon/node/peer_manager.h"
#include "daemon/node/store_file.h"
#include "daemon/node/tx_service.h"
#include "daemon/store/channel_store.h"
#include "daemon/tower/tower_core.h"
#include "daemon/tower/tower_schema.h"
#include "tests/support/channel_pair.h"
#include "tests/unit/daemon/store/temp_dir.h"

/// A tower's parts without sockets, threads and chain, for tests: stepped, with links that are queues. What the chain
/// does is given to the watcher as batches; what the tower would send there are jobs of its transaction manager.
namespace hedgerow::testing {

using namespace daemon;

/// A network of one: whatever is sent is kept, whatever is put comes in.
class QueueTransport final : public Transport {
  public:
    explicit QueueTransport(const NodeId& id) : m_id(id) {}
    [[nodiscard]] std::uint16_t port() const override { return 1; }
    [[nodiscard]] const NodeId& node_id() const override { return m_id; }
    [[nodiscard]] Expected<void, Rule> connect(const NodeId&, const std::string&, std::uint16_t) override { return {}; }
    void disconnect(const NodeId& peer) override { linked.erase(peer); }
    [[nodiscard]] Expected<void, Rule> send(const NodeId& peer, Bytes frame) override {
        if (!linked.contains(peer)) return Unexpected{Rule::peer_disconnected};
        sent.emplace_back(peer, std::move(frame));
        return {};
    }
    [[nodiscard]] int event_fd() const override { return m_event.fd(); }
    void drain(std::vector<Inbound>& out) override {
        m_event.clear();
        for (Inbound& event : m_inbound) out.push_back(std::move(event));
        m_inbound.clear();
    }
    [[nodiscard]] std::vector<PeerInfo> peers() const override { return {}; }

    void put(Inbound event) {
        m_inbound.push_back(std::move(event));
        m_event.signal();
    }
    std::set<NodeId> linked;
    std::vector<std::pair<NodeId, Bytes>> sent;

  private:
    NodeId m_id;
    std::vector<Inbound> m_inbound;
    EventFd m_event;
};

/// A chain node that never answers.
class DeafChain final : public wallet::ChainTransport {
  public:
    [[nodiscard]] wallet::ChainExpected<wallet::ChainReply> post(const std::string&) override {
        return wallet::chain_error(wallet::ChainFault::chain_unreachable);
    }
};

struct TowerRig : PeerManager::Events {
    TempDir directory;
    std::uint64_t now_ms = 1'800'000'000'000;
    World world;
    NodeOptions options;
    TowerLimits policy;
    Bytes entropy;
    // One run of the tower; restart() makes another on the same file.
    struct Run {
        explicit Run(TowerRig& rig)
            : loop(rig.world.now_ms),
              keys(wallet::MasterSeed::from_mnemonic(kPhrase).value().clone()),
              store(tower_database(rig.directory.path() / kTowerFileName), rig.world, "tower", loop),
              parts{.options = rig.options,
                    .loop = loop,
                    .outbox = store.outbox(),
                    .reader = store.reader(),
                    .separator = domain_separator({31337, {}})},
              chain(std::make_unique<DeafChain>(), 31337, Drive::stepped),
              transactions(loop, store.outbox(), chain, keys.transactions(), 31337, {}),
              transport(keys.keyring().identity().node_id()),
              peers(parts, transport, rig) {
            parts.now_ms = loop.now_ms();
            parts.steady_ms = loop.steady_ms();
            parts.keys = &keys;
            parts.chain = parts.questions = &chain;
            parts.transactions = &transactions;
            parts.peers = &peers;
            if (!transactions.restore(all_tx_jobs(store.reader()))) throw std::runtime_error("tx_jobs");
            watcher = std::make_unique<TowerWatcher>(parts, rig.policy);
            service = std::make_unique<TowerService>(parts, *watcher, rig.policy.free, rig.policy.fee);
            loop.at_start_of_turn([this] {
                parts.now_ms = loop.now_ms();
                parts.steady_ms = loop.steady_ms();
            });
            loop.at_end_of_turn([this] {
                peers.end_turn();
                if (store.outbox().end_turn()) loop.post_completion([] {});
            });
            loop.watch_always(store.writer().completion_fd(), [this] { store.writer().drain(); });
            loop.watch(transport.event_fd(), [this] { peers.drain(); });
            watcher->resume();
        }
        EventLoop loop;
        NodeKeys keys;
        StoreFile store;
        NodeParts parts;
        ChainWorker chain;
        TxService transactions;
        QueueTransport transport;
        PeerManager peers;
        std::unique_ptr<TowerWatcher> watcher;
        std::unique_ptr<TowerService> service;
    };
    static constexpr const char* kPhrase = "test test test test test test test test test test test junk";
    std::unique_ptr<Run> run;

    TowerRig() {
        world.now_ms = [this] { return now_ms; };
        world.drive = Drive::stepped;
        options.chain_id = 31337;
        policy.free = {100, 100 << 20, 10, 1 << 20};
        policy.fee_cap = U256(1u);
        run = std::make_unique<Run>(*this);
        settle();
    }

    // PeerManager::Events
    void on_ready(const NodeId&) override {}
    void on_lost(const NodeId&) override {}
    void on_message(const NodeId& peer, PeerMessage message) override {
        std::visit(
            [&](const auto& m) {
                if constexpr (requires { run->service->on_message(peer, m); }) run->service->on_message(peer, m);
            },
            message);
    }

    /// Turns and commits until nothing moves.
    void settle() {
        for (int i = 0; i < 12; ++i) {
            run->loop.turn(0);
            run->store.writer().step();
        }
    }
    /// Turns only: nothing becomes durable.
    void turn() { run->loop.turn(0); }
    /// kill -9 and start: what was not committed is gone.
    void restart() {
        run.reset();
        run = std::make_unique<Run>(*this);
        settle();
    }

    NodeId me() const { return run->keys.keyring().identity().node_id(); }

    void link(const NodeId& client) {
        run->transport.linked.insert(client);
        Inbound up;
        up.kind = Inbound::Kind::connected;
        up.peer = client;
        up.session = 7;
        run->transport.put(up);
        Hello hello;
        hello.chain_id = 31337;
        send(client, hello);
        settle();
        answers(client);
    }
    void send(const NodeId& client, const PeerMessage& message) { send_bytes(client, wire_encode(message)); }
    void send_bytes(const NodeId& client, Bytes frame) {
        Inbound in;
        in.peer = client;
        in.session = 7;
        in.frame = std::move(frame);
        run->transport.put(std::move(in));
    }
    /// What the client was sent since it was last asked.
    std::vector<PeerMessage> answers(const NodeId& client) {
        std::vector<PeerMessage> out;
        std::erase_if(run->transport.sent, [&](const auto& sent) {
            if (sent.first != client) return false;
            out.push_back(*wire_decode<PeerMessage>(sent.second));
            return true;
        });
        return out;
    }

    // --- chain
    bool is_synced = true;
    void batch(std::vector<ChainInput> inputs, std::uint64_t block, std::uint64_t time_s) {
        ChainBatch out;
        out.inputs = std::move(inputs);
        BlockRef ref;
        ref.number = block;
        ref.timestamp = time_s;
        out.inputs.push_back(NewBlock{ref, std::nullopt});
        out.cursor.blocks.push_back(ref);
        out.synced = is_synced;
        run->loop.post_completion([this, out] { run->watcher->take(out); });
        turn();
    }
    [[nodiscard]] const wallet::Job* job(const std::string& id) const { return run->transactions.find(id); }
};

/// A channel with co-signed states, as an appointment of either side.
struct Protected {
    Pair pair;

    Protected() {
        if (pair.attempt(Party::A, testing::pay(10)) != Rule::none) throw std::runtime_error("no payment");
    }
    [[nodiscard]] const Channel& channel() const { return pair.a.channel; }
    [[nodiscard]] ChannelId id() const { return channel().id; }
    [[nodiscard]] Appointment appointment(Party party) const {
        Appointment out;
        out.terms = channel().terms;
        out.secret = channel().secret;
        out.party = party;
        const Bytes state = wire_encode(channel().agreed.state);
        out.state.assign(state.begin(), state.end());
        out.signature_a = channel().agreed.signature_a;
        out.signature_b = channel().agreed.signature_b;
        return out;
    }
    [[nodiscard]] TowerStore store(Party party, const NodeId& tower) const {
        return sealed(appointment(party), tower, channel().agreed.state.version);
    }
    static TowerStore sealed(const Appointment& appointment, const NodeId& tower, std::uint64_t version) {
        TowerStore out;
        out.locator = locator_of(appointment.secret, appointment.party, tower);
        out.version = version;
        const Bytes blob = seal_appointment(appointment, tower, version);
        out.blob.assign(blob.begin(), blob.end());
        return out;
    }
    [[nodiscard]] State state() const { return typed_state(channel().agreed.state, id()); }

    [[nodiscard]] ChainEvent challenged(const State& with, Party by, std::uint64_t block, std::uint64_t time_s) const {
        return at(wallet::Challenged{id(), by, channel().secret, time_s + channel().terms.dispute_period, with}, block);
    }
    [[nodiscard]] ChainEvent responded(const State& with, std::uint64_t block) const {
        return at(wallet::Responded{id(), with}, block);
    }
    [[nodiscard]] ChainEvent settled(std::uint64_t block) const { return at(wallet::Settled{id(), 1, {}, {}}, block); }
    [[nodiscard]] static ChainEvent at(wallet::AdjudicatorEvent event, std::uint64_t block) {
        ChainEvent out;
        out.event = std::move(event);
        out.block_number = block;
        return out;
    }
    [[nodiscard]] std::string respond_job() const {
        return channel_job("respond", id(), channel().agreed.state.version);
    }
};

}  // namespace hedgerow::testing
