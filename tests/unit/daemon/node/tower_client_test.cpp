#include "daemon/node/tower_client.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sodium.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/node/channel_manager.h"
#include "daemon/node/keys.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/schema.h"
#include "daemon/tower/appointment.h"
#include "tests/support/channel_pair.h"
#include "tests/support/no_chain_effects.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::Pair;
using testing::units;

namespace {

constexpr std::uint64_t kNow = 1'800'000'000'000;
std::uint64_t g_now = kNow;
std::uint64_t clock_now() {
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
        parts = std::make_unique<NodeParts>(
            NodeParts{.options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = {}});
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
    void commit() {
        for (int i = 0; i < 100; ++i) {
            const bool ran = outbox->end_turn();
            writer->flush();
            writer->drain();
            if (!ran && outbox->idle()) return;
        }
    }
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

}  // namespace

TEST_CASE("tower client: every agreed state reaches the tower, sealed, and the newest receipt is kept") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    CHECK(rig.held(tower) == rig.agreed());
    for (int i = 0; i < 3; ++i) {
        rig.pay();
        rig.run();
        CHECK(rig.held(tower) == rig.agreed());
    }
    const auto& record = tower.records.at(rig.locator(tower));
    CHECK(record.receipt.number == 4);
    const Channel& c = rig.pair.a.channel;
    const auto appointment = open_appointment(record.blob, record.version, c.secret, c.me, tower.id());
    REQUIRE(appointment);
    CHECK(appointment->signature_a == c.agreed.signature_a);
    CHECK(appointment->signature_b == c.agreed.signature_b);
    CHECK(Bytes(appointment->state) == wire_encode(c.agreed.state));

    const auto proof = rig.client->proof(c.id, tower.id());
    REQUIRE(proof);
    CHECK(*proof->promise.promise == record.receipt);
    const auto kept = wire_decode<Appointment>(proof->promise.appointment);
    REQUIRE(kept);
    CHECK(seal_appointment(*kept, tower.id(), record.version) == record.blob);
}

TEST_CASE("tower client: at most one state is under way, and then the newest goes") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    const std::uint64_t before = tower.stores;
    for (int i = 0; i < 20; ++i) rig.pay();
    rig.commit();
    CHECK(rig.wire.size() == 1);
    rig.run();
    CHECK(tower.stores == before + 2);  // the first of them, then the newest
    CHECK(rig.held(tower) == rig.agreed());
}

TEST_CASE("tower client: what is owed survives a restart, at every step of a hand-over") {
    // cut: 0 nothing sent, 1 sent but not arrived, 2 stored but the receipt never came
    for (int cut = 0; cut < 3; ++cut) {
        CAPTURE(cut);
        Rig rig;
        FakeTower tower(1);
        rig.pay();
        rig.add(tower);
        const std::uint64_t first = rig.held(tower);
        if (cut == 0) rig.unlink(tower);
        rig.pay();
        rig.commit();
        CHECK(rig.wire.size() == (cut == 0 ? 0 : 1));
        if (cut == 2) {
            rig.linked.erase(tower.id());
            rig.deliver();
            CHECK(tower.records.at(rig.locator(tower)).version == rig.agreed());
        }
        rig.restart();
        CHECK(rig.held(tower) == first);
        rig.pay();  // the newest may have moved on meanwhile
        rig.link(tower);
        rig.run();
        CHECK(rig.held(tower) == rig.agreed());
        CHECK_FALSE(rig.seen(tower).broken);
    }
}

TEST_CASE("tower client: a tower that lost its data, or put an older copy back, is found out and shown with evidence") {
    for (const bool wiped : {true, false}) {
        CAPTURE(wiped);
        Rig rig;
        FakeTower tower(1);
        rig.pay();
        rig.add(tower);
        const auto old_copy = tower.records;
        rig.pay();
        rig.run();
        const TowerReceipt promised = tower.records.at(rig.locator(tower)).receipt;
        rig.unlink(tower);
        tower.records = wiped ? std::map<Locator, FakeTower::Held>() : old_copy;
        rig.link(tower);
        rig.run();
        CHECK(rig.seen(tower).broken);
        const auto evidence = evidence_against(*rig.reader, tower.id(), rig.pair.a.channel.id);
        REQUIRE(evidence.size() == 1);
        CHECK(evidence[0].kept == promised);
        CHECK(evidence[0].said.has_value() == !wiped);
        // it is told again all the same: an unreliable tower is better than none
        CHECK(rig.held(tower) == rig.agreed());
        rig.restart();
        CHECK(rig.seen(tower).broken);
    }
}

TEST_CASE("tower client: a tower may have seen the end of a channel before us") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    rig.unlink(tower);
    tower.records.clear();
    rig.in_sync = false;
    rig.link(tower);
    rig.run(3);
    CHECK_FALSE(rig.seen(tower).broken);
    rig.in_sync = true;
    for (int i = 0; i < 10; ++i) rig.pass(1'000), rig.run(3);
    CHECK(rig.seen(tower).broken);
}

TEST_CASE("tower client: receipts that are not genuine change nothing; one that breaks the chain is evidence") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    const TowerReceipt kept = tower.records.at(rig.locator(tower)).receipt;
    const auto answer_next = [&](const std::function<void(TowerReceipt&)>& change, bool resign) {
        rig.pass(700'000);  // past every pause
        rig.run(0);
        if (rig.wire.empty()) rig.pay(), rig.commit();
        for (int i = 0; i < 5 && !rig.wire.empty() && !std::holds_alternative<TowerStore>(rig.wire[0].second); ++i)
            rig.deliver();
        REQUIRE(rig.wire.size() == 1);
        const auto& store = std::get<TowerStore>(rig.wire[0].second);
        TowerReceipt receipt = tower.next(store.locator, store.version, keccak256(store.blob));
        change(receipt);
        if (resign) receipt = tower.sign(receipt);
        rig.wire.clear();
        rig.client->on_message(tower.id(), receipt);
        rig.commit();
        rig.wire.clear();
    };
    answer_next([](TowerReceipt& r) { r.signature.data[3] ^= 1; }, false);
    answer_next([](TowerReceipt& r) { r.client.data[0] ^= 1; }, true);
    answer_next([](TowerReceipt& r) { r.tower.data[0] ^= 1; }, true);
    CHECK(rig.held(tower) == kept.version);
    CHECK(rig.seen(tower).refused == Rule::tower_receipt_invalid);
    CHECK_FALSE(rig.seen(tower).broken);
    CHECK(evidence_against(*rig.reader, tower.id(), rig.pair.a.channel.id).empty());

    answer_next([](TowerReceipt& r) { r.blob_hash.data[0] ^= 1; }, true);
    CHECK(rig.seen(tower).broken);
    CHECK(evidence_against(*rig.reader, tower.id(), rig.pair.a.channel.id).size() == 1);
}

TEST_CASE("tower client: receipts out of the chain") {
    for (const int lie : {0, 1, 2}) {
        CAPTURE(lie);
        Rig rig;
        FakeTower tower(1);
        rig.pay();
        rig.add(tower);
        rig.pay();
        rig.commit();
        REQUIRE(rig.wire.size() == 1);
        auto& held = tower.records.at(rig.locator(tower)).receipt;
        if (lie == 0) held.previous.data[0] ^= 1;  // another history of the same length
        if (lie == 1) held.number += 1;            // one receipt that we never got, while none was under way
        if (lie == 2) held.number -= 1;
        rig.run();
        CHECK(rig.seen(tower).broken);
    }
}

TEST_CASE("tower client: a tower that holds a newer state than we do says that we are behind") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    rig.unlink(tower);
    const SignedState old = rig.pair.a.channel.agreed;
    rig.pay();
    const SignedState newest = rig.pair.a.channel.agreed;
    rig.link(tower);
    rig.run();
    REQUIRE(rig.held(tower) == newest.state.version);
    rig.restart();
    rig.pair.a.channel.agreed = old;  // a disk of yesterday
    rig.link(tower);
    rig.run();
    REQUIRE(rig.handed.size() == 1);
    CHECK(Bytes(rig.handed[0].state) == wire_encode(newest.state));
    CHECK(rig.handed[0].signature_b == newest.signature_b);
    CHECK(rig.client->answers(rig.pair.a.channel.id).at(0).version == newest.state.version);
    CHECK_FALSE(rig.client->unanswered(rig.pair.a.channel.id));
    CHECK(tower.records.at(rig.locator(tower)).version == newest.state.version);  // never pushed back to the older one
}

TEST_CASE("tower client: k of n hold a version") {
    Rig rig;
    FakeTower one(1), two(2), three(3);
    rig.pay();
    for (FakeTower* tower : {&one, &two, &three}) rig.add(*tower);
    const ChannelId id = rig.pair.a.channel.id;
    CHECK_FALSE(rig.client->any_sync());
    CHECK(rig.client->holds(id, ~std::uint64_t{0}));  // nobody waits
    CHECK(rig.client->set_policy(id, {std::nullopt, 4}).error().name == "field_out_of_range");
    CHECK(rig.client->set_policy(id, {List<NodeId, kMaxTowers>{NodeId()}, 1}).error().name == "tower_unknown");
    CHECK(rig.client->set_policy(id, {List<NodeId, kMaxTowers>{one.id(), one.id()}, 1}).error().name == "tower_exists");
    REQUIRE(rig.client->set_policy(id, {std::nullopt, 2}));
    CHECK(rig.client->any_sync());
    CHECK(rig.client->holds(id, rig.agreed()));

    rig.unlink(two);
    rig.unlink(three);
    rig.pay();
    rig.run();
    CHECK_FALSE(rig.client->holds(id, rig.agreed()));
    CHECK(rig.client->holds(id, rig.agreed() - 1));
    rig.link(three);
    rig.run();
    CHECK(rig.client->holds(id, rig.agreed()));
    CHECK_FALSE(rig.more.empty());

    // a tower that broke its word counts for nothing
    rig.unlink(three);
    three.records.clear();
    rig.link(three);
    rig.run();
    CHECK(rig.held(three) == rig.agreed());
    CHECK_FALSE(rig.client->holds(id, rig.agreed()));

    CHECK(rig.client->remove(NodeId()).error().name == "tower_unknown");
    REQUIRE(rig.client->remove(three.id()));
    CHECK(rig.client->remove(one.id()).error().name == "tower_in_use");
    rig.restart();
    CHECK(rig.client->policy(id) == TowerPolicy{std::nullopt, 2});
    CHECK(rig.client->any_sync());
}

TEST_CASE("tower client: what waits for a tower that stays away is reported when the channel is closed") {
    Rig rig;
    rig.parts->keys = &rig.keys;
    TowerClient client(*rig.parts, rig, rig.me());
    client.restore({}, 1);
    rig.parts->towers = &client;
    testing::NoChainEffects chain;
    ChannelManager manager(*rig.parts, chain);
    rig.parts->channels = &manager;
    const testing::TestKey peer(2);
    Secret secret;
    secret.data[3] = 9;
    Terms terms = testing::sample_terms(peer, peer, secret);
    terms.signer_a = address_of(rig.keys.channel_signer(0));
    const List<Price, kMaxAssets> marks = {testing::usd(1), testing::usd(2000)};
    Channel& channel = manager.add(make_channel(terms, testing::sample_risk(), marks, rig.parts->separator, Party::A,
                                                {}, peer.key, secret),
                                   0);
    int reported = 0;
    int late = 0;
    manager.report(channel.id, 1, [&] { ++reported; }, [&] { ++late; });
    manager.tick();
    rig.commit();
    CHECK(reported == 0);
    channel.status = channel::Status::closed;
    manager.tick();
    rig.commit();
    CHECK(reported == 1);
    CHECK(late == 0);
}

TEST_CASE("tower client: refusals are shown, and tried again ever later; silence too") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    rig.pay();
    rig.commit();
    REQUIRE(rig.wire.size() == 1);
    rig.wire.clear();
    rig.client->on_message(tower.id(), TowerRefuse{rig.locator(tower), rig.agreed(), Rule::tower_over_quota});
    CHECK(rig.seen(tower).refused == Rule::tower_over_quota);
    rig.commit();
    CHECK(rig.wire.empty());
    rig.pass(4'000);
    CHECK(rig.wire.empty());
    rig.pass(2'000);
    CHECK(rig.wire.size() == 1);
    rig.run();
    CHECK(rig.held(tower) == rig.agreed());
    CHECK(rig.seen(tower).refused == Rule::none);

    rig.pay();
    rig.commit();
    rig.wire.clear();
    rig.pass(TowerClient::kAnswerTimeoutMs + 1);
    CHECK(rig.seen(tower).refused == Rule::timeout);
    for (int i = 0; i < 5; ++i) rig.pass(1'000), rig.run(3);
    CHECK(rig.held(tower) == rig.agreed());
    CHECK_FALSE(rig.seen(tower).broken);
}

TEST_CASE("tower client: a closed channel's record is ended, once") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    const TowerReceipt promise = *rig.seen(tower).promise;
    rig.pair.a.channel.status = Status::closed;
    rig.client->head_stored(rig.pair.a.channel);
    rig.run();
    CHECK(tower.ends == 1);
    CHECK(rig.seen(tower).ended);
    CHECK(*rig.seen(tower).promise == promise);  // still the proof of what it promised
    rig.restart();
    rig.link(tower);
    rig.run();
    CHECK(tower.ends == 1);
    CHECK(rig.seen(tower).ended);
}

TEST_CASE("tower client: preimages of locks that pay us go along, and one that is learnt is sent again") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    Preimage preimage;
    preimage.data[0] = 9;
    LockHash hash;
    hash.data = keccak256(preimage.view()).data;
    const Lock lock{hash, g_now / 1'000 + 600, 0, units(-5)};  // B pays A, which is us
    rig.pair.run(rig.pair.b, LocalOp{77, LockOp{lock}});
    rig.pair.settle();
    rig.client->head_stored(rig.pair.a.channel);
    rig.run();
    const Channel& c = rig.pair.a.channel;
    const auto sealed = [&] {
        const auto& record = tower.records.at(rig.locator(tower));
        return *open_appointment(record.blob, record.version, c.secret, c.me, tower.id());
    };
    REQUIRE(rig.held(tower) == rig.agreed());
    CHECK(sealed().preimages.empty());
    rig.outbox->persist([&](Database& db) { put_preimage(db, hash, preimage); });
    rig.commit();
    rig.pass(1'000);
    rig.run();
    REQUIRE(sealed().preimages.size() == 1);
    CHECK(sealed().preimages[0] == preimage);
    const std::uint64_t stores = tower.stores;
    rig.pass(5'000);
    rig.run();
    CHECK(tower.stores == stores);  // nothing more to say
}

TEST_CASE("tower client: what cannot be a tower") {
    Rig rig;
    const auto add = [&](const std::string& uri) {
        std::string name = "none";
        rig.client->add(uri, [&](const Result<TowerInfo>& result) { name = result ? "added" : result.error().name; });
        return name;
    };
    CHECK(add("nonsense") == "peer_uri_malformed");
    CHECK(add(to_hex(rig.me()).substr(2) + "@127.0.0.1:1") == "peer_is_self");
    for (std::uint8_t i = 1; i <= kMaxTowers; ++i) CHECK(add(FakeTower(i).uri()) == "added");
    CHECK(add(FakeTower(99).uri()) == "tower_limit");
    CHECK(add(FakeTower(1).uri()) == "added");  // known: only its address
    rig.restart();
    CHECK(rig.client->list().size() == kMaxTowers);
}

TEST_CASE("peer backups: newer replaces, older is refused, the quota holds, pages are in order") {
    Rig rig;
    const NodeId client = FakeTower(5).id();
    const auto store = [&](std::uint8_t slot, std::uint64_t number, std::size_t size) {
        BackupStore backup;
        backup.slot.data[0] = slot;
        backup.number = number;
        backup.blob.assign(size, static_cast<std::uint8_t>(number));
        Rule rule = Rule::none;
        rig.outbox->persist([&](Database& db) { rule = store_peer_backup(db, client, backup, {10}); });
        rig.commit();
        return rule;
    };
    for (std::uint8_t slot = 1; slot <= 10; ++slot) CHECK(store(slot, 5, 100) == Rule::none);
    CHECK(store(11, 5, 100) == Rule::backup_over_quota);
    CHECK(store(3, 5, 100) == Rule::none);  // the same again
    CHECK(store(3, 5, 99) == Rule::backup_older);
    CHECK(store(3, 4, 100) == Rule::backup_older);
    CHECK(store(3, 6, 200) == Rule::none);
    CHECK(store(3, std::uint64_t{1} << 63, 1) == Rule::field_out_of_range);
    const BackupItems first = peer_backups(*rig.reader, client, {});
    CHECK(first.items.size() == kMaxBackupsPerMessage);
    CHECK(first.more);
    CHECK(first.items[2].blob.size() == 200);
    const BackupItems rest = peer_backups(*rig.reader, client, first.items.back().slot);
    CHECK(rest.items.size() == 2);
    CHECK_FALSE(rest.more);
    CHECK(store(3, 7, 0) == Rule::none);
    CHECK(store(11, 5, 100) == Rule::none);  // there is room again
    CHECK(peer_backups(*rig.reader, FakeTower(6).id(), {}).items.empty());
}

TEST_CASE("schema: a database of version 1 gets the towers' tables and keeps what it has") {
    std::string path = (std::filesystem::temp_directory_path() / "hedgerow-schema-XXXXXX").string();
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    DatabaseOptions options;
    options.path = std::filesystem::path(path) / "node.sqlite";
    options.migrations = node_schema().first(1);
    {
        Database database(options);
        database.begin();
        put_meta(database, "k", Bytes{1, 2});
        database.commit();
    }
    options.migrations = node_schema();
    {
        Database database(options);
        CHECK(database.schema_version() == static_cast<int>(node_schema().size()));
        CHECK(get_meta(database, "k") == Bytes{1, 2});
        CHECK(all_towers(database).empty());
        CHECK(all_promises(database).empty());
        CHECK(all_tower_policies(database).empty());
    }
    CHECK(std::filesystem::exists(options.path.string() + ".before-v2"));
    std::filesystem::remove_all(path);
}
