#include "daemon/net/transport.h"

#include <doctest/doctest.h>

#include <memory>
#include <numeric>
#include <thread>

#include "daemon/base/little_endian.h"
#include "tests/unit/daemon/net/net_support.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Bytes;
using hedgerow::channel::NodeId;
using hedgerow::channel::Rule;
using Kind = Inbound::Kind;

namespace {

Bytes numbered_frame(std::uint32_t number, std::size_t size) {
    Bytes out(std::max<std::size_t>(size, 4));
    put_le(out.data(), number);
    return out;
}

std::uint32_t number_of(const Bytes& frame) {
    return static_cast<std::uint32_t>(frame[0]) | static_cast<std::uint32_t>(frame[1]) << 8 |
           static_cast<std::uint32_t>(frame[2]) << 16 | static_cast<std::uint32_t>(frame[3]) << 24;
}

void send_when_possible(TestNode& node, const NodeId& peer, const Bytes& frame) {
    for (;;) {
        const auto sent = node.transport.send(peer, frame);
        if (sent) return;
        REQUIRE(sent.error() == Rule::queue_full);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace

TEST_CASE("transport: two nodes link, exchange frames both ways and measure latency") {
    TestNode alice(1), bob(2);
    link(alice, bob);
    CHECK(alice.first(Kind::connected).peer == bob.id());
    CHECK(bob.first(Kind::connected).peer == alice.id());
    REQUIRE(alice.transport.send(bob.id(), Bytes{1, 2, 3}));
    REQUIRE(alice.transport.send(bob.id(), Bytes{}));
    REQUIRE(bob.transport.send(alice.id(), Bytes(kMaxFrameSize, 7)));
    REQUIRE(bob.wait_for(Kind::frame, 2));
    REQUIRE(alice.wait_for(Kind::frame));
    CHECK(bob.first(Kind::frame).frame == Bytes{1, 2, 3});
    CHECK(bob.events.back().frame.empty());
    CHECK(alice.first(Kind::frame).frame == Bytes(kMaxFrameSize, 7));
    CHECK(alice.first(Kind::frame).session == alice.first(Kind::connected).session);
    REQUIRE(alice.wait([&] { return alice.transport.peers().at(0).latency_us >= 0; }));
    REQUIRE(bob.wait([&] { return bob.transport.peers().at(0).latency_us >= 0; }));
    const PeerInfo info = alice.transport.peers().at(0);
    CHECK(info.connected);
    CHECK(info.outgoing);
    CHECK(info.node_id == bob.id());
    CHECK(info.frames_sent == 2);
    CHECK(info.bytes_received == kMaxFrameSize);
    CHECK_FALSE(bob.transport.peers().at(0).outgoing);
}

TEST_CASE("transport: 100,000 frames arrive in order and complete") {
    TestNode alice(1), bob(2);
    link(alice, bob);
    constexpr std::uint32_t kFrames = 100'000;
    std::thread sender([&] {
        for (std::uint32_t i = 0; i < kFrames; ++i) send_when_possible(alice, bob.id(), numbered_frame(i, i % 300));
    });
    REQUIRE(bob.wait_for(Kind::frame, kFrames, 60'000));
    sender.join();
    std::uint32_t next = 0;
    for (const Inbound& event : bob.events) {
        if (event.kind == Kind::frame) REQUIRE(number_of(event.frame) == next++);
    }
    CHECK(next == kFrames);
    CHECK(bob.count(Kind::disconnected) == 0);
}

TEST_CASE("transport: the first frame of a batch goes out at once, all of them when it ends, in order") {
    TestNode alice(1), bob(2);
    link(alice, bob);
    for (std::uint32_t round = 0; round < 20; ++round) {
        {
            const SendBatch batch(alice.transport);
            for (std::uint32_t i = 0; i < 10; ++i) {
                REQUIRE(alice.transport.send(bob.id(), numbered_frame(10 * round + i, 8)));
                if (i == 0) REQUIRE(bob.wait_for(Kind::frame, 10 * round + 1));  // and the loop sleeps again
            }
        }
        REQUIRE(bob.wait_for(Kind::frame, 10 * round + 10));
    }
    {
        const SendBatch empty(alice.transport);
    }
    REQUIRE(alice.transport.send(bob.id(), numbered_frame(200, 8)));
    REQUIRE(bob.wait_for(Kind::frame, 201));
    std::uint32_t next = 0;
    for (const Inbound& event : bob.events) {
        if (event.kind == Kind::frame) REQUIRE(number_of(event.frame) == next++);
    }
}

TEST_CASE("transport: calls that cannot work are refused by name") {
    TestNode alice(1);
    const NodeId bob = keys_from(2).node_id();
    CHECK(alice.transport.connect(alice.id(), "127.0.0.1", 1).error() == Rule::peer_is_self);
    CHECK(alice.transport.connect(NodeId(), "127.0.0.1", 1).error() == Rule::node_id_malformed);
    CHECK(alice.transport.connect(bob, "bad host", 1).error() == Rule::host_malformed);
    CHECK(alice.transport.connect(bob, "127.0.0.1", 0).error() == Rule::port_out_of_range);
    CHECK(alice.transport.send(bob, Bytes{1}).error() == Rule::peer_unknown);
    CHECK(alice.transport.send(bob, Bytes(kMaxFrameSize + 1)).error() == Rule::frame_too_large);
    REQUIRE(alice.transport.connect(bob, "127.0.0.1", 1));
    CHECK(alice.transport.send(bob, Bytes{1}).error() == Rule::peer_disconnected);
    alice.transport.disconnect(bob);
    CHECK(alice.transport.send(bob, Bytes{1}).error() == Rule::peer_unknown);
}

TEST_CASE("transport: no more outgoing peers than configured") {
    TransportConfig config = quick_config();
    config.max_outgoing = 1;
    TestNode alice(1, config);
    REQUIRE(alice.transport.connect(keys_from(2).node_id(), "127.0.0.1", 1));
    CHECK(alice.transport.connect(keys_from(3).node_id(), "127.0.0.1", 1).error() == Rule::peer_limit);
    REQUIRE(alice.transport.connect(keys_from(2).node_id(), "127.0.0.1", 2));
    alice.transport.disconnect(keys_from(2).node_id());
    CHECK(alice.transport.connect(keys_from(3).node_id(), "127.0.0.1", 1));
}

TEST_CASE("transport: no more incoming peers than configured") {
    TransportConfig config = quick_config();
    config.max_incoming = 1;
    TestNode hub(1, config), first(2), second(3);
    link(first, hub);
    second.dial(hub);
    REQUIRE(second.wait_for(Kind::refused));
    CHECK(second.first(Kind::refused).rule == Rule::peer_limit);
    CHECK(second.count(Kind::connected) == 0);
}

TEST_CASE("transport: a server that does not hold the dialled node id's key gets no link") {
    TestNode alice(1), bob(2);
    const NodeId carol = keys_from(3).node_id();
    REQUIRE(alice.transport.connect(carol, "127.0.0.1", bob.transport.port()));
    REQUIRE(alice.wait_for(Kind::refused));
    CHECK(alice.first(Kind::refused).rule == Rule::identity_mismatch);
    CHECK(alice.first(Kind::refused).peer == carol);
    CHECK(alice.transport.send(carol, Bytes{1}).error() == Rule::peer_disconnected);
    bob.transport.drain(bob.events);
    CHECK(bob.count(Kind::connected) == 0);
}

TEST_CASE("transport: the address in use is an error at the start, a free port is told") {
    TestNode alice(1);
    CHECK(alice.transport.port() != 0);
    TransportConfig config = quick_config();
    config.listen_port = alice.transport.port();
    CHECK_THROWS_AS(TestNode(2, config), std::runtime_error);
    config.listen = false;
    TestNode bob(2, config);
    CHECK(bob.transport.port() == 0);
    link(bob, alice);
}

TEST_CASE("transport: a peer that restarts is lost, found again and trusted only after its new connected") {
    TestNode alice(1);
    auto bob = std::make_unique<TestNode>(2);
    const std::uint16_t port = bob->transport.port();
    const NodeId bob_id = bob->id();
    link(alice, *bob);
    bob.reset();
    REQUIRE(alice.wait_for(Kind::disconnected));
    CHECK(alice.transport.send(bob_id, Bytes{1}).error() == Rule::peer_disconnected);
    TransportConfig config = quick_config();
    config.listen_port = port;
    bob = std::make_unique<TestNode>(2, config);
    REQUIRE(bob->wait_for(Kind::connected));
    // Alice's side of the new link exists or is about to, but nobody drained its `connected`.
    CHECK(alice.transport.send(bob_id, Bytes{1}).error() == Rule::peer_disconnected);
    REQUIRE(alice.wait_for(Kind::connected, 2));
    REQUIRE(alice.transport.send(bob_id, Bytes{9}));
    REQUIRE(bob->wait_for(Kind::frame));
    CHECK(bob->first(Kind::frame).frame == Bytes{9});
    CHECK(alice.events.back().session != alice.first(Kind::connected).session);
}

TEST_CASE("transport: a dialler that goes away is noticed by the side that was dialled") {
    TestNode alice(1);
    auto bob = std::make_unique<TestNode>(2);
    link(*bob, alice);
    bob.reset();
    REQUIRE(alice.wait_for(Kind::disconnected));
    CHECK(alice.transport.peers().empty());
}

TEST_CASE("transport: disconnect ends the link on both sides for good") {
    TestNode alice(1), bob(2);
    link(alice, bob);
    alice.transport.disconnect(bob.id());
    REQUIRE(alice.wait_for(Kind::disconnected));
    REQUIRE(bob.wait_for(Kind::disconnected));
    CHECK_FALSE(alice.wait_for(Kind::connected, 2, 300));
    alice.dial(bob);
    CHECK(alice.wait_for(Kind::connected, 2));
}

TEST_CASE("transport: both dial at once and end up with one link") {
    for (int round = 0; round < 10; ++round) {
        TestNode alice(1), bob(2);
        alice.dial(bob);
        bob.dial(alice);
        REQUIRE(alice.wait_for(Kind::connected));
        REQUIRE(bob.wait_for(Kind::connected));
        REQUIRE(alice.transport.send(bob.id(), Bytes{1}));
        REQUIRE(bob.transport.send(alice.id(), Bytes{2}));
        CHECK(alice.wait_for(Kind::frame));
        CHECK(bob.wait_for(Kind::frame));
        CHECK(alice.transport.peers().size() == 1);
        CHECK(bob.transport.peers().size() == 1);
        if (round == 0) {
            CHECK_FALSE(alice.wait_for(Kind::disconnected, 1, 1'500));
            CHECK(bob.count(Kind::disconnected) == 0);
        }
    }
}

TEST_CASE("transport: a peer that does not read fills its own queue only") {
    TransportConfig slow_config = quick_config();
    slow_config.max_inbound_bytes = 1 << 20;
    slow_config.peer_timeout_ms = 60'000;
    TransportConfig config = quick_config();
    config.peer_timeout_ms = 60'000;
    TestNode alice(1, config), slow(2, slow_config), quick(3, config);
    link(alice, slow);
    alice.dial(quick);
    REQUIRE(alice.wait_for(Kind::connected, 2));
    REQUIRE(quick.wait_for(Kind::connected));

    const Bytes big(kMaxFrameSize / 2, 1);
    std::size_t accepted = 0;
    Rule rule = Rule::none;
    for (; accepted < 400 && rule == Rule::none;) {
        const auto sent = alice.transport.send(slow.id(), big);
        if (sent)
            ++accepted;
        else
            rule = sent.error();
        if (accepted % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(rule == Rule::queue_full);
    REQUIRE(alice.transport.send(quick.id(), Bytes{5}));
    CHECK(quick.wait_for(Kind::frame, 1, 2'000));
    // Once it reads again, all that was accepted arrives.
    CHECK(slow.wait_for(Kind::frame, accepted, 30'000));
    CHECK(slow.count(Kind::disconnected) == 0);
}

TEST_CASE("transport: names are looked up; one that does not exist is refused by name") {
    TestNode alice(1), bob(2);
    REQUIRE(alice.transport.connect(bob.id(), "localhost", bob.transport.port()));
    CHECK(alice.wait_for(Kind::connected));
    REQUIRE(alice.transport.connect(keys_from(3).node_id(), "no-such-host.invalid", 1));
    REQUIRE(alice.wait_for(Kind::refused, 1, 30'000));
    CHECK(alice.first(Kind::refused).rule == Rule::host_not_found);
}
