#include <poll.h>

#include <functional>

#include "channel/crypto/signature.h"
#include "channel/messages/peer.h"
#include "daemon/net/transport.h"
#include "daemon/node/keys.h"
#include "tests/functional/dispute/dispute_pair.h"

/// A running node and what a peer, or its operator in an emergency, does to it.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;
using daemon::Inbound;

daemon::TransportKeys keys_of(const std::string& phrase) {
    auto seed = wallet::MasterSeed::from_mnemonic(phrase);
    REQUIRE(seed);
    return daemon::NodeKeys(std::move(*seed)).transport_keys();
}

/// bob's identity in the hands of a program that sends what it likes.
class Impostor {
  public:
    Impostor(Daemon& as, Daemon& to) : m_transport({.listen = false}, keys_of(as.phrase())) {
        const std::string& uri = to.uri();
        const auto at = uri.find('@');
        const auto colon = uri.rfind(':');
        m_peer = *fixed_from_hex<NodeId>(uri.substr(0, at));
        REQUIRE(m_transport.connect(m_peer, uri.substr(at + 1, colon - at - 1),
                                    static_cast<std::uint16_t>(std::stoul(uri.substr(colon + 1)))));
        REQUIRE(wait([&] { return m_connected; }));
    }
    void send(Bytes frame) { REQUIRE(m_transport.send(m_peer, std::move(frame))); }
    void send(const PeerMessage& message) { send(wire_encode(message)); }
    /// The rule of the next answer that refuses: an error, or a refused proposal; "nothing" where none comes.
    std::string refusal() {
        if (!wait([&] { return !m_refusals.empty(); }, 1'500)) return "nothing";
        const Rule rule = m_refusals.front();
        m_refusals.erase(m_refusals.begin());
        return std::string(rule_name(rule));
    }
    template <typename Message>
    std::string refusal_of(const Message& message) {
        send(message);
        return refusal();
    }

  private:
    bool wait(const std::function<bool()>& done, int timeout_ms = 10'000) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            pollfd item{m_transport.event_fd(), POLLIN, 0};
            (void)::poll(&item, 1, 20);
            std::vector<Inbound> events;
            m_transport.drain(events);
            for (const Inbound& event : events) take(event);
        }
        return true;
    }
    void take(const Inbound& event) {
        m_connected = m_connected || event.kind == Inbound::Kind::connected;
        if (event.kind != Inbound::Kind::frame) return;
        const auto message = wire_decode<PeerMessage>(event.frame);
        REQUIRE(message);
        if (const auto* error = std::get_if<PeerError>(&*message)) m_refusals.push_back(error->rule);
        if (const auto* refuse = std::get_if<Refuse>(&*message)) m_refusals.push_back(refuse->rule);
    }

    daemon::ZmqTransport m_transport;
    NodeId m_peer;
    bool m_connected = false;
    std::vector<Rule> m_refusals;
};

}  // namespace

TEST_SUITE_BEGIN("live");

TEST_CASE("malformed, unexpected and replayed frames at a running node: answered by name, and nothing changes") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    bob.pay(id, "10");
    wait_same(alice, bob, id);
    const Exported old = bob.exported(id);
    bob.pay(id, "20");
    wait_same(alice, bob, id);
    const Exported now = bob.exported(id);
    bob.kill();
    until("alice has noticed", [&] { return !alice.channel(id).at("connected").get<bool>(); });
    {
        Impostor bad(bob, alice);
        const auto unchanged = [&] {
            const Exported seen = alice.exported(id);
            return seen.state == now.state && seen.signatures.a == now.signatures.a &&
                   seen.signatures.b == now.signatures.b && alice.status(id) == "open";
        };
        const Hello hello{kProtocolVersion, Anvil::kChainId, world.adjudicator, {}};
        const Hash separator = domain_separator({Anvil::kChainId, world.adjudicator});
        const Reestablish established{id, now.state.version, digest_of(now.state, separator), now.state.version,
                                      now.signatures.b};
        const Ack replayed{id, old.state.version, old.signatures.b};
        // Before Hello nothing is read.
        CHECK(bad.refusal_of(PeerMessage(replayed)) == "unexpected_message");
        Hello foreign = hello;
        foreign.chain_id = 1;
        CHECK(bad.refusal_of(PeerMessage(foreign)) == "wrong_chain");
        foreign = hello;
        foreign.adjudicator = world.token;
        CHECK(bad.refusal_of(PeerMessage(foreign)) == "wrong_contract");
        bad.send(PeerMessage(hello));
        bad.send(PeerMessage(established));
        until("she takes him for bob", [&] { return alice.channel(id).at("connected").get<bool>(); });
        CHECK(bad.refusal_of(PeerMessage(hello)) == "unexpected_message");
        // Not frames
        CHECK(bad.refusal_of(Bytes{}) == "frame_truncated");
        CHECK(bad.refusal_of(Bytes{0xff}) == "field_out_of_range");
        Bytes cut = wire_encode(PeerMessage(replayed));
        cut.pop_back();
        CHECK(bad.refusal_of(cut) == "frame_truncated");
        Bytes longer = wire_encode(PeerMessage(replayed));
        longer.push_back(0);
        CHECK(bad.refusal_of(longer) == "frame_trailing_bytes");
        CHECK(unchanged());
        // Frames that were good once, and what only the other side may say
        CHECK(bad.refusal_of(PeerMessage(replayed)) == "nothing");
        CHECK(bad.refusal_of(PeerMessage(Ack{id, now.state.version + 1, now.signatures.b})) == "base_unknown");
        Propose proposal{id, 1, {}};
        proposal.ops.push_back(PayOp{0, Amount::from_raw(-10 * kUsdc), {}});
        CHECK(bad.refusal_of(PeerMessage(proposal)) == "nothing");
        CHECK(bad.refusal_of(PeerMessage(Reestablish{id, old.state.version, digest_of(old.state, separator),
                                                     old.state.version, old.signatures.b})) == "unexpected_message");
        Update update;
        update.channel = id;
        update.version = now.state.version + 1;
        update.base = now.state.version;
        CHECK(bad.refusal_of(PeerMessage(update)) == "not_follower");
        const Close close{id, now.state.version + 1, now.state.net, world.now_s() + 600};
        CHECK(bad.refusal_of(PeerMessage(CloseSignature{close, now.signatures.b})) == "bad_signature");
        const Withdraw withdraw{id, Party::A, 0, Amount::from_raw(1), world.now_s() + 600};
        CHECK(bad.refusal_of(PeerMessage(WithdrawSignature{withdraw, now.signatures.b})) == "digest_mismatch");
        ChannelId other = id;
        other.data[0] ^= 1;
        CHECK(bad.refusal_of(PeerMessage(Ack{other, 1, old.signatures.b})) == "channel_unknown");
        CHECK(unchanged());
    }
    bob.start();
    until("bob himself is back", [&] { return bob.channel(id).at("connected").get<bool>(); });
    bob.pay(id, "1");
    alice.pay(id, "0.5");
    wait_same(alice, bob, id);
    CHECK(alice.version(id) > now.state.version);
}

TEST_CASE("halted: signs nothing, across a restart, and still defends; resumed it goes on") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId kept = pair.open();
    bob.pay(kept, "1");
    wait_same(alice, bob, kept);
    const std::uint64_t still = alice.version(kept);
    const Plot plot(pair);

    (void)alice.call("node_halt");
    CHECK(alice.call("node_info").at("halted") == true);
    const Json pay{{"channelId", to_hex(kept)}, {"asset", "USDC"}, {"amount", "1"}};
    CHECK(alice.refusal("pay_send", pay) == "node_halted");
    CHECK(bob.refusal("pay_send", pay) == "node_halted");
    CHECK(alice.refusal("channel_open", {{"peer", bob.uri()},
                                         {"deposits", Json::array({{{"asset", "USDC"}, {"amount", "50"}}})}}) == "node_halted");
    alice.kill();
    alice.start();
    CHECK(alice.call("node_info").at("halted") == true);
    until("linked and halted", [&] { return alice.refusal("pay_send", pay) == "node_halted"; });
    CHECK(alice.version(kept) == still);

    bob.kill();
    REQUIRE(world.succeeded(world.post_challenge(plot.old, Party::B)));
    until("her answer", [&] { return world.dispute(plot.id).version == plot.newest; });
    (void)pair.settle(plot.old, alice);
    plot.check_failed(world);

    bob.start();
    (void)bob.call("peer_connect", {{"uri", alice.uri()}});  // she has another port by now
    (void)alice.call("node_resume");
    CHECK(alice.call("node_info").at("halted") == false);
    until("connected", [&] { return alice.channel(kept).at("connected").get<bool>(); });
    alice.pay(kept, "1");
    bob.pay(kept, "2");
    wait_same(alice, bob, kept);
    CHECK(alice.channel(kept).at("assets").at(0).at("net") == "2");
}

TEST_SUITE_END();
