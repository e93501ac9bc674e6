#include <doctest/doctest.h>

#include "channel/codec/wire.h"
#include "daemon/node/channel_manager.h"
#include "daemon/node/peer_manager.h"
#include "tests/support/no_chain_effects.h"
#include "tests/support/store_turns.h"
#include "tests/unit/daemon/node/many_channels.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::ManyChannels;

namespace {

/// A link that is always there; what is sent is kept, and counts as not read until the test says so.
class SlowLink final : public Transport {
  public:
    explicit SlowLink(const NodeId& peer) : m_peer(peer) {}
    [[nodiscard]] std::uint16_t port() const override { return 1; }
    [[nodiscard]] const NodeId& node_id() const override { return m_peer; }
    [[nodiscard]] Expected<void, Rule> connect(const NodeId&, const std::string&, std::uint16_t) override { return {}; }
    void disconnect(const NodeId&) override {}
    [[nodiscard]] Expected<void, Rule> send(const NodeId&, Bytes frame) override {
        sent.push_back(std::move(frame));
        return {};
    }
    [[nodiscard]] int event_fd() const override { return m_event.fd(); }
    void drain(std::vector<Inbound>& out) override {
        out.insert(out.end(), inbound.begin(), inbound.end());
        inbound.clear();
    }
    [[nodiscard]] std::vector<PeerInfo> peers() const override {
        PeerInfo info;
        info.node_id = m_peer;
        info.queued_bytes = unread;
        return {info};
    }
    std::vector<Bytes> sent;
    std::vector<Inbound> inbound;
    std::size_t unread = 0;

  private:
    NodeId m_peer;
    EventFd m_event;
};

struct Rig final : PeerManager::Events {
    ManyChannels stored;
    NodeOptions options;
    std::uint64_t now_ms = 1'800'000'000'000;
    EventLoop loop{[this] { return now_ms; }};
    NodeKeys keys{testing::many_channels_seed()};
    testing::NoChainEffects chain;
    std::unique_ptr<daemon::Writer> writer;
    std::unique_ptr<Database> reader;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<NodeParts> parts;
    std::unique_ptr<ChannelManager> manager;
    NodeId peer;
    SlowLink link{peer_id()};
    std::unique_ptr<PeerManager> peers;

    static NodeId peer_id() {
        NodeId out;
        out.data.fill(5);
        return out;
    }
    explicit Rig(std::size_t channels) : stored(channels), peer(peer_id()) {
        ChannelRestore restore(*stored.database, real_files(), stored.separator, testing::many_channels_seed(), Drive::stepped);
        writer = std::make_unique<daemon::Writer>(std::move(stored.database), [](const StoreError&) {});
        reader = Database::open_reader(stored.directory.path() / "node.sqlite");
        outbox = std::make_unique<Outbox>(*writer);
        parts = std::make_unique<NodeParts>(NodeParts{
            .options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = stored.separator});
        parts->keys = &keys;
        parts->now_ms = parts->steady_ms = now_ms;
        manager = std::make_unique<ChannelManager>(*parts, chain);
        parts->channels = manager.get();
        for (RestoredChannel& channel : restore.take().channels) manager->take_up(std::move(channel));
        manager->restored(false);
        peers = std::make_unique<PeerManager>(*parts, link, *this);
        parts->peers = peers.get();
        arrives(Inbound::Kind::connected, {});
        Hello hello;
        hello.chain_id = options.chain_id;
        arrives(Inbound::Kind::frame, wire_encode(PeerMessage(hello)));
    }
    void on_ready(const NodeId& id) override { manager->on_ready(id); }
    void on_lost(const NodeId& id) override { manager->on_lost(id); }
    void on_message(const NodeId& id, PeerMessage message) override { manager->on_message(id, std::move(message)); }

    void arrives(Inbound::Kind kind, Bytes frame) {
        link.inbound.push_back({kind, peer, 1, std::move(frame), Rule::none});
        peers->drain();
        peers->end_turn();
    }
    /// One turn; what it said about channels, in order.
    std::vector<PeerMessage> turn() {
        link.sent.clear();
        manager->end_of_turn();
        testing::commit_all(*outbox, *writer);
        std::vector<PeerMessage> out;
        for (const Bytes& frame : link.sent) {
            auto message = wire_decode<PeerMessage>(frame).value();
            if (!std::holds_alternative<Hello>(message)) out.push_back(std::move(message));
        }
        return out;
    }
    static std::size_t count_reestablish(const std::vector<PeerMessage>& said) {
        return static_cast<std::size_t>(std::count_if(said.begin(), said.end(), [](const PeerMessage& m) { return std::holds_alternative<Reestablish>(m); }));
    }
};

}  // namespace

TEST_CASE("connecting: a peer with many channels hears of a bounded number a turn, of each once") {
    constexpr std::size_t kChannels = 2 * ChannelManager::kMaxConnectsPerTurn + 10;
    Rig rig(kChannels);
    std::set<ChannelId> told;
    for (const std::size_t expected : {ChannelManager::kMaxConnectsPerTurn, ChannelManager::kMaxConnectsPerTurn, std::size_t{10}, std::size_t{0}}) {
        const auto said = rig.turn();
        CHECK(Rig::count_reestablish(said) == expected);
        for (const PeerMessage& message : said) {
            if (const auto* where = std::get_if<Reestablish>(&message)) CHECK(told.insert(where->channel).second);
        }
        CHECK(rig.manager->more_to_connect() == (told.size() != kChannels));
    }
    CHECK(told.size() == kChannels);
}

TEST_CASE("connecting: nothing more is said while the peer has much to read, and all of it once it has read") {
    Rig rig(20);
    rig.link.unread = ChannelManager::kMaxQueuedBytes;
    CHECK(rig.turn().empty());
    CHECK_FALSE(rig.manager->more_to_connect());  // no busy waiting: a timer looks again
    CHECK(rig.turn().empty());
    rig.link.unread = ChannelManager::kMaxQueuedBytes - 1;
    CHECK(Rig::count_reestablish(rig.turn()) == 20);
    CHECK(rig.turn().empty());
}

TEST_CASE("connecting: a channel that the peer speaks of first says its own Reestablish before anything else") {
    Rig rig(20);
    rig.link.unread = ChannelManager::kMaxQueuedBytes;
    const Channel& spoken = rig.stored.channels[13];
    Reestablish theirs{spoken.id, 1, spoken.agreed.digest, 1, spoken.agreed.signature_b};
    rig.arrives(Inbound::Kind::frame, wire_encode(PeerMessage(theirs)));
    const auto said = rig.turn();
    REQUIRE_FALSE(said.empty());
    const auto* ours = std::get_if<Reestablish>(&said.front());
    REQUIRE(ours != nullptr);
    CHECK(ours->channel == spoken.id);
    CHECK(rig.manager->find(spoken.id)->connected);
    rig.link.unread = 0;
    const auto rest = rig.turn();
    CHECK(Rig::count_reestablish(rest) == 19);  // and not again
}

TEST_CASE("connecting: a link that is lost in between begins anew with the next") {
    constexpr std::size_t kChannels = ChannelManager::kMaxConnectsPerTurn + 50;
    Rig rig(kChannels);
    CHECK(Rig::count_reestablish(rig.turn()) == ChannelManager::kMaxConnectsPerTurn);
    rig.arrives(Inbound::Kind::disconnected, {});
    CHECK(rig.turn().empty());
    rig.arrives(Inbound::Kind::connected, {});
    Hello hello;
    hello.chain_id = rig.options.chain_id;
    rig.arrives(Inbound::Kind::frame, wire_encode(PeerMessage(hello)));
    CHECK(Rig::count_reestablish(rig.turn()) == ChannelManager::kMaxConnectsPerTurn);
    CHECK(Rig::count_reestablish(rig.turn()) == 50);
}
