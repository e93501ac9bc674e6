#pragma once

#include "channel/codec/wire.h"
#include "daemon/node/channel_manager.h"
#include "daemon/node/peer_manager.h"
#include "tests/support/no_chain_effects.h"
#include "tests/support/store_turns.h"
#include "tests/unit/daemon/node/many_channels.h"

namespace hedgerow::testing {

using namespace daemon;

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

/// A manager with many channels and links to their peers, a turn at a time.
struct LinkedChannels final : PeerManager::Events {
    ManyChannels stored;
    NodeOptions options;
    std::uint64_t now_ms = 1'800'000'000'000;
    EventLoop loop{[this] { return now_ms; }};
    NodeKeys keys{many_channels_seed()};
    NoChainEffects chain;
    std::unique_ptr<daemon::Writer> writer;
    std::unique_ptr<Database> reader;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<NodeParts> parts;
    std::unique_ptr<ChannelManager> manager;
    SlowLink link{ManyChannels::peer_number(0)};
    std::unique_ptr<PeerManager> peers;

    explicit LinkedChannels(std::size_t channels, std::size_t of_another = 0, std::size_t workers = 1) : stored(channels, of_another) {
        options.workers = workers;
        ChannelRestore restore(*stored.database, real_files(), stored.separator, many_channels_seed(), Drive::stepped);
        writer = std::make_unique<daemon::Writer>(std::move(stored.database), [](const StoreError&) {});
        reader = Database::open_reader(stored.directory.path() / "node.sqlite");
        outbox = std::make_unique<Outbox>(*writer);
        parts = std::unique_ptr<NodeParts>(new NodeParts{
            .options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = stored.separator});
        parts->keys = &keys;
        parts->now_ms = parts->steady_ms = now_ms;
        manager = std::make_unique<ChannelManager>(*parts, chain);
        parts->channels = manager.get();
        for (RestoredChannel& channel : restore.take().channels) manager->take_up(std::move(channel));
        manager->restored(false);
        peers = std::make_unique<PeerManager>(*parts, link, *this);
        parts->peers = peers.get();
        greet(0);
        if (of_another > 0) greet(1);
    }
    void greet(std::uint8_t peer) {
        arrives(Inbound::Kind::connected, {}, peer);
        Hello hello;
        hello.chain_id = options.chain_id;
        arrives(Inbound::Kind::frame, wire_encode(PeerMessage(hello)), peer);
    }
    void on_ready(const NodeId& id) override { manager->on_ready(id); }
    void on_lost(const NodeId& id) override { manager->on_lost(id); }
    void on_message(const NodeId& id, PeerMessage message) override { manager->on_message(id, std::move(message)); }

    void arrives(Inbound::Kind kind, Bytes frame, std::uint8_t peer = 0) {
        link.inbound.push_back({kind, ManyChannels::peer_number(peer), 1, std::move(frame), Rule::none});
        peers->drain();
        peers->end_turn();
    }
    void arrives(const PeerMessage& message, std::uint8_t peer = 0) { arrives(Inbound::Kind::frame, wire_encode(message), peer); }
    /// One turn; what it said about channels, in order.
    std::vector<PeerMessage> turn() {
        link.sent.clear();
        manager->end_of_turn();
        commit_all(*outbox, *writer);
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

}  // namespace hedgerow::testing
