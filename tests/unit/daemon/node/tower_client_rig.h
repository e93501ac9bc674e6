#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/node/channel_manager.h"
#include "daemon/node/keys.h"
#include "daemon/node/tower_client.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/schema.h"
#include "tests/support/channel_pair.h"
#include "tests/support/store_turns.h"

/// The node as a client of towers, with towers that answer as their test says.
namespace hedgerow::tests {

using namespace channel;
using namespace daemon;
using hedgerow::testing::Pair;
using hedgerow::testing::units;

inline constexpr std::uint64_t kNow = 1'800'000'000'000;
inline std::uint64_t g_now = kNow;
inline std::uint64_t clock_now() {
    return g_now;
}

/// A tower as spec 10 wants it, one record a locator; with ways to go wrong.
struct FakeTower {
    wallet::NodeIdentity identity;
    struct Held {
        std::uint64_t version = 0;
        Bytes blob;
        TowerReceipt receipt;
    };
    std::map<Locator, Held> records;
    NodeId client;
    std::uint64_t stores = 0, ends = 0;

    explicit FakeTower(std::uint8_t seed) : identity(*wallet::NodeIdentity::from_seed(Bytes(32, seed))) {}
    [[nodiscard]] NodeId id() const { return identity.node_id(); }
    [[nodiscard]] std::string uri() const { return to_hex(id()).substr(2) + "@127.0.0.1:1"; }

    TowerReceipt sign(TowerReceipt receipt) const {
        receipt.signature = identity.sign(kReceiptDomain, receipt_message(receipt));
        return receipt;
    }
    TowerReceipt next(const Locator& locator, std::uint64_t version, const Hash& hash) const {
        TowerReceipt out{id(), client, locator, 1, version, hash, {}, g_now, {}};
        if (const auto known = records.find(locator); known != records.end()) {
            out.number = known->second.receipt.number + 1;
            out.previous = receipt_hash(known->second.receipt);
        }
        return sign(out);
    }
    PeerMessage answer(const TowerStore& m) {
        ++stores;
        const Hash hash = keccak256(m.blob);
        const auto known = records.find(m.locator);
        if (known != records.end() && m.version < known->second.version)
            return TowerRefuse{m.locator, m.version, Rule::tower_version_old};
        if (known != records.end() && m.version == known->second.version && known->second.receipt.blob_hash == hash)
            return known->second.receipt;
        const TowerReceipt receipt = next(m.locator, m.version, hash);
        records[m.locator] = {m.version, m.blob, receipt};
        return receipt;
    }
    PeerMessage answer(const TowerFetch& m) {
        const auto known = records.find(m.locator);
        if (known == records.end()) return TowerRefuse{m.locator, 0, Rule::tower_record_unknown};
        TowerRecord out{m.locator, known->second.version, {}, known->second.receipt};
        out.blob.assign(known->second.blob.begin(), known->second.blob.end());
        return out;
    }
    PeerMessage answer(const TowerEnd& m) {
        ++ends;
        CHECK(wallet::verify_node_signature(client, kTowerEndDomain, tower_end_message(id(), m), m.signature));
        const TowerReceipt receipt = next(m.locator, 0, {});
        records.erase(m.locator);
        return receipt;
    }
};

/// The client with a real store, channels of the production core, and towers that answer when told to.
struct Rig final : TowerClient::Host {
    std::filesystem::path directory;
    Pair pair;
    NodeOptions options;
    EventLoop loop{clock_now};
    NodeKeys keys{*wallet::MasterSeed::from_mnemonic(
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about")};
    std::unique_ptr<daemon::Writer> writer;
    std::unique_ptr<Database> reader;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<NodeParts> parts;
    std::unique_ptr<TowerClient> client;
    std::map<NodeId, FakeTower*> towers;
    std::set<NodeId> linked;
    std::vector<std::pair<NodeId, PeerMessage>> wire;  ///< sent, not yet at the tower
    std::vector<HandOver> handed;
    std::vector<ChannelId> more;
    bool in_sync = true;

    Rig() {
        std::string path = (std::filesystem::temp_directory_path() / "hedgerow-tower-client-XXXXXX").string();
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        directory = path;
        g_now = kNow;
        start();
    }
    ~Rig() override {
        stop();
        std::filesystem::remove_all(directory);
    }
    void start() {
        DatabaseOptions database;
        database.path = directory / "node.sqlite";
        database.migrations = node_schema();
        writer = std::make_unique<daemon::Writer>(std::make_unique<Database>(database), [](const StoreError&) {});
        reader = Database::open_reader(database.path);
        outbox = std::make_unique<Outbox>(*writer);
        parts = std::unique_ptr<NodeParts>(new NodeParts{.options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = {}});
        parts->now_ms = parts->steady_ms = g_now;
        client = std::make_unique<TowerClient>(*parts, *this, me());
        client->restore({}, 0);
    }
    void stop() {
        client.reset();
        outbox.reset();
        writer.reset();
        reader.reset();
        linked.clear();
        wire.clear();
    }
    void restart() {
        commit();
        stop();
        start();
    }
    NodeId me() { return keys.keyring().identity().node_id(); }

    // Host
    const Channel* channel(const ChannelId& id) const override {
        return id == pair.a.channel.id ? &pair.a.channel : nullptr;
    }
    std::vector<const Channel*> channels() const override { return {&pair.a.channel}; }
    bool ready(const NodeId& tower) const override { return linked.contains(tower); }
    bool synced() const override { return in_sync; }
    void send(const NodeId& tower, const PeerMessage& message) override {
        outbox->when_durable([this, tower, message] { wire.emplace_back(tower, message); });
    }
    void dial(const std::string&, Answer<PeerInfo> done) override { done(PeerInfo{}); }
    void hand_over(const HandOver& state) override { handed.push_back(state); }
    void holds_more(const ChannelId& id) override { more.push_back(id); }
    NodeSignature sign(std::string_view domain, ByteView message) override {
        return keys.keyring().identity().sign(domain, message);
    }

    /// Everything of this turn is durable, and sent.
    void commit() { hedgerow::testing::commit_all(*outbox, *writer); }
    void link(FakeTower& tower) {
        tower.client = me();
        towers[tower.id()] = &tower;
        linked.insert(tower.id());
        client->on_ready(tower.id());
        commit();
    }
    void unlink(FakeTower& tower) {
        linked.erase(tower.id());
        client->on_lost(tower.id());
        wire.clear();
    }
    void add(FakeTower& tower) {
        Result<TowerInfo> added = Unexpected{Fault()};
        client->add(tower.uri(), [&](const Result<TowerInfo>& result) { added = result; });
        REQUIRE(added);
        link(tower);
        run();
    }
    /// What is on the wire reaches the towers, and their answers us, until nothing moves; time passes where it must.
    void run(int rounds = 40) {
        for (int i = 0; i < rounds; ++i) {
            commit();
            if (wire.empty()) {
                pass(20);
                if (wire.empty()) return;
            }
            deliver();
        }
    }
    void deliver() {
        commit();
        std::vector<std::pair<NodeId, PeerMessage>> now;
        now.swap(wire);
        for (const auto& [to, message] : now) {
            FakeTower& tower = *towers.at(to);
            if (const auto* m = std::get_if<TowerStore>(&message)) back(tower, tower.answer(*m));
            if (const auto* m = std::get_if<TowerFetch>(&message)) back(tower, tower.answer(*m));
            if (const auto* m = std::get_if<TowerEnd>(&message)) back(tower, tower.answer(*m));
        }
        commit();
    }
    void back(FakeTower& tower, const PeerMessage& answer) {
        if (!linked.contains(tower.id())) return;
        if (const auto* m = std::get_if<TowerReceipt>(&answer)) client->on_message(tower.id(), *m);
        if (const auto* m = std::get_if<TowerRefuse>(&answer)) client->on_message(tower.id(), *m);
        if (const auto* m = std::get_if<TowerRecord>(&answer)) client->on_message(tower.id(), *m);
    }
    void pass(std::uint64_t ms) {
        g_now += ms;
        parts->now_ms = parts->steady_ms = g_now;
        loop.turn(0);
        client->tick();
        commit();
    }
    /// Both sign one payment more, and the head is stored with this turn.
    void pay() {
        const std::uint64_t before = pair.a.channel.agreed.state.version;
        pair.run(pair.a, LocalOp{before + 1, PayOp{0, units(1), {}}});
        pair.settle();
        REQUIRE(pair.a.channel.agreed.state.version > before);
        client->head_stored(pair.a.channel);
    }
    [[nodiscard]] std::uint64_t agreed() const { return pair.a.channel.agreed.state.version; }
    [[nodiscard]] TowerChannelInfo seen(const FakeTower& tower) const {
        for (const TowerInfo& info : client->list()) {
            if (info.id == tower.id() && !info.channels.empty()) return info.channels.front();
        }
        return {};
    }
    [[nodiscard]] std::uint64_t held(const FakeTower& tower) const {
        const auto info = seen(tower);
        return info.promise ? info.promise->version : 0;
    }
    [[nodiscard]] Locator locator(const FakeTower& tower) const {
        return locator_of(pair.a.channel.secret, pair.a.channel.me, tower.id());
    }
};

}  // namespace hedgerow::tests
