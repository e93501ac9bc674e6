// What a peer can do to the transport that our own transport never does: raw ZeroMQ and raw TCP clients.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "daemon/base/little_endian.h"
#include "daemon/net/frame.h"
#include "daemon/net/peer_uri.h"
#include "daemon/net/zmq_socket.h"
#include "tests/unit/daemon/net/net_support.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Bytes;
using hedgerow::channel::NodeId;
using hedgerow::channel::Rule;
using Kind = Inbound::Kind;

namespace {

/// A client with a key of its own, that says what the test wants.
class RawClient {
  public:
    RawClient(const TestNode& server, std::uint8_t key_number, const std::string& route = "")
        : m_keys(keys_from(key_number)), m_socket(m_context, ZMQ_DEALER) {
        const auto server_key = curve_key_of(server.id());
        m_socket.set(ZMQ_LINGER, 0);
        m_socket.set(ZMQ_RECONNECT_IVL, -1);
        if (!route.empty()) m_socket.set_bytes(ZMQ_ROUTING_ID, hedgerow::channel::as_bytes(route));
        m_socket.set_bytes(ZMQ_CURVE_SERVERKEY, server_key->view());
        m_socket.set_bytes(ZMQ_CURVE_PUBLICKEY, m_keys.curve_public().view());
        m_socket.set_bytes(ZMQ_CURVE_SECRETKEY, m_keys.curve_secret());
        m_socket.start_monitor(m_context, ZMQ_EVENT_DISCONNECTED);
        m_socket.connect(tcp_endpoint("127.0.0.1", std::to_string(server.transport.port())));
    }
    [[nodiscard]] const NodeId& id() const { return m_keys.node_id(); }
    void say(const Bytes& body, bool more = false) {
        ZmqMessage message{hedgerow::channel::ByteView(body)};
        REQUIRE(zmq_msg_send(message.raw(), m_socket.handle(), more ? ZMQ_SNDMORE : 0) >= 0);
    }
    void hello(const NodeId& claimed, std::uint16_t version = kTransportVersion) {
        say(encode_greeting(MessageKind::hello, {version, claimed, 77}));
    }
    /// The next answer that is neither ping nor pong; empty after `timeout_ms`.
    Bytes answer(int timeout_ms = 5'000) {
        zmq_pollitem_t item{m_socket.handle(), 0, ZMQ_POLLIN, 0};
        while (zmq_poll(&item, 1, timeout_ms) > 0) {
            ZmqMessage message;
            if (!m_socket.receive(message)) continue;
            const auto kind = kind_of(message.view());
            if (kind == MessageKind::ping || kind == MessageKind::pong) continue;
            return {message.view().begin(), message.view().end()};
        }
        return {};
    }
    /// The rule of the reset that must come next.
    Rule reset_rule() {
        const Bytes body = answer();
        REQUIRE(kind_of(body) == MessageKind::reset);
        return *decode_reset(body);
    }
    bool disconnected_within(int timeout_ms) {
        zmq_pollitem_t item{m_socket.monitor_handle(), 0, ZMQ_POLLIN, 0};
        return zmq_poll(&item, 1, timeout_ms) > 0 && m_socket.next_event()->event == ZMQ_EVENT_DISCONNECTED;
    }

  private:
    TransportKeys m_keys;
    ZmqContext m_context;
    ZmqSocket m_socket;
};

Bytes data_message(const std::vector<Bytes>& frames) {
    Bytes out{static_cast<std::uint8_t>(MessageKind::data)};
    for (const Bytes& frame : frames) {
        std::uint8_t size[4];
        put_le(size, static_cast<std::uint32_t>(frame.size()));
        hedgerow::channel::append(out, size);
        hedgerow::channel::append(out, frame);
    }
    return out;
}

int tcp_connect(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

}  // namespace

TEST_CASE("transport: an honest raw client is linked, so that the refusals below are not for another reason") {
    TestNode alice(1);
    RawClient client(alice, 2);
    client.hello(client.id());
    const Bytes welcome = client.answer();
    REQUIRE(kind_of(welcome) == MessageKind::welcome);
    CHECK(decode_greeting(welcome)->node_id == alice.id());
    client.say(data_message({{1}, {}, {2, 3}}));
    REQUIRE(alice.wait_for(Kind::frame, 3));
    CHECK(alice.events.back().frame == Bytes{2, 3});
}

TEST_CASE("transport: a client that claims another node's id is refused") {
    TestNode alice(1);
    RawClient liar(alice, 2);
    liar.hello(keys_from(3).node_id());
    CHECK(liar.reset_rule() == Rule::identity_mismatch);
    REQUIRE(alice.wait_for(Kind::refused));
    CHECK(alice.first(Kind::refused).rule == Rule::identity_mismatch);
    CHECK(alice.count(Kind::connected) == 0);
    liar.say(data_message({{1}}));
    CHECK(liar.reset_rule() == Rule::unexpected_message);
    CHECK(alice.count(Kind::frame) == 0);
}

TEST_CASE("transport: claims of no key at all, of our own id and of another version are refused by name") {
    TestNode alice(1);
    RawClient nobody(alice, 2);
    nobody.hello(NodeId());
    CHECK(nobody.reset_rule() == Rule::identity_mismatch);
    RawClient twin(alice, 1);
    twin.hello(alice.id());
    CHECK(twin.reset_rule() == Rule::peer_is_self);
    RawClient newer(alice, 2);
    newer.hello(newer.id(), kTransportVersion + 1);
    CHECK(newer.reset_rule() == Rule::protocol_version_unsupported);
    RawClient truncated(alice, 2);
    truncated.say(Bytes{static_cast<std::uint8_t>(MessageKind::hello), 1});
    CHECK(truncated.reset_rule() == Rule::frame_truncated);
    CHECK(alice.count(Kind::connected) == 0);
}

TEST_CASE("transport: anything but a hello first is answered with a reset, a reset with nothing") {
    TestNode alice(1);
    for (const Bytes& first : {Bytes{}, Bytes{99}, Bytes{6, 1}, encode_token(MessageKind::ping, 5)}) {
        RawClient client(alice, 2);
        client.say(first);
        CHECK(client.reset_rule() == Rule::unexpected_message);
    }
    RawClient client(alice, 2);
    client.say(encode_reset(Rule::none));
    CHECK(client.answer(200).empty());
}

TEST_CASE("transport: malformed messages on a link end it by name") {
    const std::pair<Bytes, Rule> cases[] = {
        {Bytes{}, Rule::unexpected_message},
        {Bytes{200}, Rule::unexpected_message},
        {Bytes{6}, Rule::frame_truncated},
        {Bytes{6, 1, 0, 0}, Rule::frame_truncated},
        {Bytes{6, 2, 0, 0, 0, 1}, Rule::frame_truncated},
        {Bytes{6, 0, 0, 0, 0, 1}, Rule::frame_truncated},
        {Bytes{6, 1, 0, 16, 0, 1}, Rule::frame_too_large},
        {Bytes{6, 255, 255, 255, 255}, Rule::frame_too_large},
        {Bytes{3, 1}, Rule::unexpected_message},
        {Bytes{5}, Rule::peer_disconnected},
        {encode_greeting(MessageKind::hello, {kTransportVersion, keys_from(2).node_id(), 77}),
         Rule::unexpected_message},
    };
    for (const auto& [body, rule] : cases) {
        CAPTURE(hedgerow::channel::to_hex(body));
        TestNode alice(1);
        RawClient client(alice, 2);
        client.hello(client.id());
        REQUIRE(alice.wait_for(Kind::connected));
        client.say(body);
        REQUIRE(alice.wait_for(Kind::disconnected));
        CHECK(alice.first(Kind::disconnected).rule == rule);
        CHECK(alice.count(Kind::frame) == 0);
    }
}

TEST_CASE("transport: a message in several parts ends the link") {
    TestNode alice(1);
    RawClient client(alice, 2);
    client.hello(client.id());
    REQUIRE(alice.wait_for(Kind::connected));
    client.say(data_message({{1}}), true);
    client.say(data_message({{2}}));
    REQUIRE(alice.wait_for(Kind::disconnected));
    CHECK(alice.first(Kind::disconnected).rule == Rule::unexpected_message);
    CHECK(alice.count(Kind::frame) == 0);
}

TEST_CASE("transport: a message above the limit closes the connection itself") {
    TestNode alice(1);
    RawClient client(alice, 2);
    client.hello(client.id());
    REQUIRE(alice.wait_for(Kind::connected));
    client.say(data_message({Bytes(kMaxFrameSize, 1)}));  // the largest that is allowed
    REQUIRE(alice.wait_for(Kind::frame));
    client.say(Bytes(kMaxMessageSize + 100, 6));
    CHECK(client.disconnected_within(5'000));
    CHECK(alice.wait_for(Kind::disconnected));
    CHECK(alice.count(Kind::frame) == 1);
}

TEST_CASE("transport: who takes a vanished peer's route id does not become that peer") {
    TransportConfig config = quick_config();
    config.heartbeat_ms = 60'000;  // alice shall not notice the loss by herself
    config.peer_timeout_ms = 60'000;
    TestNode alice(1, config);
    {
        RawClient victim(alice, 2, "route");
        victim.hello(victim.id());
        REQUIRE(alice.wait_for(Kind::connected));
    }
    RawClient thief(alice, 3, "route");
    thief.say(data_message({{1}}));
    REQUIRE(alice.wait_for(Kind::disconnected));
    CHECK(alice.count(Kind::frame) == 0);
}

TEST_CASE("transport: garbage over TCP disturbs nobody") {
    TestNode alice(1), bob(2);
    link(bob, alice);
    std::vector<int> fds;
    for (int i = 0; i < 20; ++i) {
        fds.push_back(tcp_connect(alice.transport.port()));
        std::string garbage(static_cast<std::size_t>(i) * 331, static_cast<char>(0xff - 13 * i));
        if (i % 3 == 0) garbage = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        [[maybe_unused]] const auto sent = send(fds.back(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    for (const int fd : fds) close(fd);
    REQUIRE(bob.transport.send(alice.id(), Bytes{1}));
    CHECK(alice.wait_for(Kind::frame));
    CHECK(alice.count(Kind::connected) == 1);
    CHECK(alice.count(Kind::disconnected) == 0);
}

TEST_CASE("transport: a client without CURVE gets nowhere") {
    TestNode alice(1);
    ZmqContext context;
    ZmqSocket plain(context, ZMQ_DEALER);
    plain.set(ZMQ_LINGER, 0);
    plain.connect(tcp_endpoint("127.0.0.1", std::to_string(alice.transport.port())));
    ZmqMessage hello{hedgerow::channel::ByteView(
        encode_greeting(MessageKind::hello, {kTransportVersion, keys_from(2).node_id(), 1}))};
    CHECK(zmq_msg_send(hello.raw(), plain.handle(), 0) >= 0);
    zmq_pollitem_t item{plain.handle(), 0, ZMQ_POLLIN, 0};
    CHECK(zmq_poll(&item, 1, 500) == 0);
    alice.transport.drain(alice.events);
    CHECK(alice.events.empty());
}

TEST_CASE("transport: a restarted peer replaces its old link at once, a second hello of the same process does not") {
    TransportConfig config = quick_config();
    config.heartbeat_ms = 60'000;
    config.peer_timeout_ms = 60'000;
    TestNode alice(1, config);
    RawClient first(alice, 2);
    first.hello(first.id());
    REQUIRE(kind_of(first.answer()) == MessageKind::welcome);

    RawClient restarted(alice, 2);
    restarted.say(encode_greeting(MessageKind::hello, {kTransportVersion, restarted.id(), 78}));
    REQUIRE(kind_of(restarted.answer()) == MessageKind::welcome);
    REQUIRE(alice.wait_for(Kind::connected, 2));
    CHECK(alice.count(Kind::disconnected) == 1);

    RawClient again(alice, 2);
    again.say(encode_greeting(MessageKind::hello, {kTransportVersion, again.id(), 78}));
    Bytes refusal;
    for (int i = 0; i < 100 && refusal.empty(); ++i) {
        restarted.say(encode_token(MessageKind::pong, 0));  // the link lives
        refusal = again.answer(20);
    }
    CHECK(decode_reset(refusal) == Rule::none);
    CHECK(alice.count(Kind::connected) == 2);

    RawClient third(alice, 2);  // now the link is silent: after the wait the newcomer takes over
    third.say(encode_greeting(MessageKind::hello, {kTransportVersion, third.id(), 78}));
    REQUIRE(kind_of(third.answer()) == MessageKind::welcome);
    CHECK(alice.wait_for(Kind::connected, 3));
}
