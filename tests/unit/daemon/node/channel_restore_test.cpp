#include "daemon/node/channel_restore.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <poll.h>

#include "channel/crypto/keccak.h"
#include "daemon/node/node.h"
#include "daemon/store/schema.h"
#include "tests/unit/daemon/node/many_channels.h"
#include "tests/unit/daemon/tower/tower_rig.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::ManyChannels;

namespace {

std::map<ChannelId, RestoredChannel> restored(const ManyChannels& stored, Drive drive) {
    ChannelRestore restore(*stored.database, real_files(), stored.separator, testing::many_channels_seed(), drive);
    std::map<ChannelId, RestoredChannel> out;
    for (;;) {
        pollfd fd{restore.fd(), POLLIN, 0};
        REQUIRE(::poll(&fd, 1, 10'000) == 1);
        ChannelRestore::Progress progress = restore.take();
        for (RestoredChannel& channel : progress.channels) {
            const ChannelId id = channel.channel.id;
            CHECK(out.emplace(id, std::move(channel)).second);
        }
        if (progress.finished) return out;
    }
}

/// What the node says where it does not start; empty where it does.
std::string complaint(const ManyChannels& stored, Drive drive) {
    try {
        (void)restored(stored, drive);
        return {};
    } catch (const StoreError& error) {
        CHECK(error.kind() == StoreErrorKind::corrupt);
        return error.what();
    }
}

/// Bytes that a started, stepped node with so many idle channels has taken from malloc, all in this thread.
std::size_t heap_of_node(std::size_t channels) {
    const ManyChannels stored(channels);
    stored.close();
    World world = real_world();
    world.drive = Drive::stepped;
    world.transport = [](const TransportConfig&, const TransportKeys& keys) { return std::make_unique<testing::QueueTransport>(keys.node_id()); };
    world.chain = [](const std::string&) { return std::make_unique<testing::DeafChain>(); };
    world.open_seed = [](const std::filesystem::path&, std::string_view) { return testing::many_channels_seed(); };
    const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    Node node(stored.node_options(), world);
    node.unlock_wallet("any", [](const Result<Address>& account) { CHECK(account.has_value()); });
    for (int i = 0; i < 5; ++i) {
        (void)node.step(NodeStep::loop);
        (void)node.step(NodeStep::store);
    }
    CHECK(node.info().channels == channels);
    return mallinfo2().uordblks + mallinfo2().hblkhd - before;
}

bool names(const std::string& text, const ChannelId& id, const char* rule) {
    return text.find(to_hex(id)) != std::string::npos && text.find(rule) != std::string::npos;
}

}  // namespace

TEST_CASE("restore: every stored channel comes back as it was, with its own signer and record, on threads or stepped") {
    const ManyChannels stored(300);
    for (const Drive drive : {Drive::threads, Drive::stepped}) {
        const auto out = restored(stored, drive);
        REQUIRE(out.size() == stored.channels.size());
        for (std::size_t i = 0; i < stored.channels.size(); ++i) {
            const RestoredChannel& one = out.at(stored.channels[i].id);
            CHECK(encode_head(one.channel) == encode_head(stored.channels[i]));
            CHECK(one.signer_index == i);
            CHECK(one.signer.address() == stored.channels[i].terms.signer_a);
            REQUIRE(one.record);
            CHECK(one.record->digest == stored.channels[i].agreed.digest);
            CHECK(one.record->channel_id == stored.channels[i].id);
        }
    }
}

TEST_CASE("restore: an empty store is one that is finished") {
    const ManyChannels stored(0);
    CHECK(restored(stored, Drive::threads).empty());
}

TEST_CASE("restore: a head with a signature that neither made is found, whoever's it is, and the channel is named") {
    for (const Drive drive : {Drive::threads, Drive::stepped}) {
        for (const Party whose : {Party::A, Party::B}) {
            ManyChannels stored(40);
            Channel rotten = stored.channels[23];
            rotten.agreed.signature(whose) = stored.channels[24].agreed.signature(whose);  // well-formed, of another state
            stored.store_head(rotten);
            CHECK(names(complaint(stored, drive), rotten.id, "bad_signature"));
            stored.store_head(stored.channels[23]);
            CHECK(complaint(stored, drive).empty());
        }
    }
}

TEST_CASE("restore: bytes that rotted, a signer that is missing and a head under another id are named") {
    ManyChannels stored(20);
    const ChannelId& id = stored.channels[11].id;
    Bytes head = encode_head(stored.channels[11]);
    head[100] ^= 1;
    stored.write([&](Database& db) { db.run("UPDATE channels SET head = ? WHERE id = ?", head, id); });
    CHECK(names(complaint(stored, Drive::threads), id, "digest_mismatch"));

    head = encode_head(stored.channels[12]);
    stored.write([&](Database& db) { db.run("UPDATE channels SET head = ? WHERE id = ?", head, id); });
    CHECK(names(complaint(stored, Drive::threads), id, "channel_id_mismatch"));

    stored.store_head(stored.channels[11]);
    stored.write([&](Database& db) { db.run("DELETE FROM meta WHERE key = ?", "signer/" + to_hex(id)); });
    CHECK(complaint(stored, Drive::threads).find("signer") != std::string::npos);
}

TEST_CASE("restore: what was in flight comes back with its channel, and no other's") {
    ManyChannels stored(30);
    const std::vector<std::uint64_t> versions = stored.add_in_flight(7, 3);
    auto out = restored(stored, Drive::threads);
    for (std::size_t i = 0; i < stored.channels.size(); ++i) {
        const Channel& c = out.at(stored.channels[i].id).channel;
        REQUIRE(c.pending.size() == (i == 7 ? versions.size() : 0));
        for (std::size_t k = 0; k < c.pending.size(); ++k) CHECK(c.pending[k].update.version == versions[k]);
    }
    // A signature of what is in flight is checked too.
    stored.spoil_in_flight(7);
    CHECK(names(complaint(stored, Drive::threads), stored.channels[7].id, "bad_signature"));
}

TEST_CASE("start: the node answers while it takes up its channels, refuses by name what needs them, and then has them all") {
    const ManyChannels stored(400);
    NodeOptions options = stored.node_options();
    World world = real_world();
    world.chain = [](const std::string&) { return std::make_unique<testing::DeafChain>(); };
    world.open_seed = [](const std::filesystem::path&, std::string_view) { return testing::many_channels_seed(); };
    stored.close();
    Node node(options, world);
    std::optional<Result<Address>> opened;
    node.unlock_wallet("any", [&](const Result<Address>& account) { opened = account; });
    std::string refusal;
    for (int i = 0; i < 10'000 && !node.starting(); ++i) node.loop().turn(10);
    REQUIRE(node.starting());
    CHECK_FALSE(opened);  // whoever opens the wallet hears of it when all is there
    CHECK(node.info().starting);
    CHECK(node.info().channels == 0);
    node.withdraw(stored.channels[0].id, 0, testing::units(1), {}, [&](const Result<TxHash>& result) { refusal = result.error().name; });
    CHECK(refusal == "node_starting");
    node.unlock_wallet("any", [&](const Result<Address>& account) { refusal = account ? "" : account.error().name; });
    node.lock_wallet();
    refusal.clear();
    for (int i = 0; i < 10'000 && !(opened && !refusal.empty()); ++i) node.loop().turn(10);
    CHECK(refusal == "node_starting");
    REQUIRE(opened);
    CHECK(opened->has_value());
    CHECK_FALSE(node.info().starting);
    CHECK(node.info().channels == stored.channels.size());
    CHECK(node.find(stored.channels[399].id) != nullptr);
    CHECK(node.wallet_locked());  // as it was told meanwhile
}

/// A peer that is there from the beginning, and whether anybody has looked.
class EagerPeer final : public Transport {
  public:
    EagerPeer(const NodeId& id, bool& touched) : m_id(id), m_touched(touched) { m_event.signal(); }
    [[nodiscard]] std::uint16_t port() const override { return 1; }
    [[nodiscard]] const NodeId& node_id() const override { return m_id; }
    [[nodiscard]] Expected<void, Rule> connect(const NodeId&, const std::string&, std::uint16_t) override { return {}; }
    void disconnect(const NodeId&) override {}
    [[nodiscard]] Expected<void, Rule> send(const NodeId&, Bytes) override {
        m_touched = true;
        return {};
    }
    [[nodiscard]] int event_fd() const override { return m_event.fd(); }
    void drain(std::vector<Inbound>&) override {
        m_touched = true;
        m_event.clear();
    }
    [[nodiscard]] std::vector<PeerInfo> peers() const override { return {}; }

  private:
    NodeId m_id;
    bool& m_touched;
    EventFd m_event;
};

TEST_CASE("start: a node with one rotten signature among many ends by name before it reads or answers any peer") {
    ManyChannels stored(100);
    Channel rotten = stored.channels[50];
    rotten.agreed.signature_b = stored.channels[51].agreed.signature_b;
    stored.store_head(rotten);
    World world = real_world();
    bool touched = false;
    world.transport = [&](const TransportConfig&, const TransportKeys& keys) { return std::make_unique<EagerPeer>(keys.node_id(), touched); };
    world.chain = [](const std::string&) { return std::make_unique<testing::DeafChain>(); };
    world.open_seed = [](const std::filesystem::path&, std::string_view) { return testing::many_channels_seed(); };
    stored.close();
    Node node(stored.node_options(), world);
    node.unlock_wallet("any", [](const Result<Address>&) {});
    CHECK(node.run() == 3);
    CHECK_FALSE(touched);
}

TEST_CASE("start: a database that was accepted as stale stays so until its channels are recovering, whatever dies before") {
    const ManyChannels stored(5);
    stored.close();
    std::filesystem::remove(stored.directory.path() / "node.sqlite.generation");
    World world = real_world();
    world.drive = Drive::stepped;
    world.transport = [](const TransportConfig&, const TransportKeys& keys) { return std::make_unique<testing::QueueTransport>(keys.node_id()); };
    world.chain = [](const std::string&) { return std::make_unique<testing::DeafChain>(); };
    world.open_seed = [](const std::filesystem::path&, std::string_view) { return testing::many_channels_seed(); };
    NodeOptions options = stored.node_options();
    CHECK_THROWS_AS(Node(options, world), StoreError);
    options.accept_stale_database = true;
    const auto turns = [](Node& node) {
        for (int i = 0; i < 5; ++i) {
            (void)node.step(NodeStep::loop);
            (void)node.step(NodeStep::store);
        }
    };
    {
        Node node(options, world);  // its wallet is never opened
        turns(node);
    }
    options.accept_stale_database = false;
    for (int i = 0; i < 2; ++i) {  // and from then on for good
        Node node(options, world);
        node.unlock_wallet("any", [](const Result<Address>& account) { CHECK(account.has_value()); });
        turns(node);
        CHECK(node.info().recovering == 5);
        CHECK(node.info().may_lack_channels);
    }
}

TEST_CASE("memory: an idle channel takes less than 4 KiB of a node") {
    if (mallinfo2().uordblks == 0) return;  // another allocator, as under sanitizers
    const std::size_t few = heap_of_node(1'500), many = heap_of_node(4'500);  // the caches of the database are full in both
    const std::size_t each = (many - few) / 3'000;
    MESSAGE(each, " bytes of heap");
    CHECK(each + 64 <= 4'096);  // and a key in guarded memory
}
