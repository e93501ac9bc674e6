#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <vector>

#include "daemon/net/transport.h"

namespace hedgerow::daemon {

inline TransportKeys keys_from(std::uint8_t number) {
    std::array<std::uint8_t, 32> seed{};
    seed.fill(number);
    return TransportKeys::from_seed(seed);
}

/// Short times, so that the tests of loss and return do not wait long.
inline TransportConfig quick_config() {
    TransportConfig config;
    config.heartbeat_ms = 100;
    config.peer_timeout_ms = 5'000;
    config.reconnect_min_ms = 20;
    config.reconnect_max_ms = 200;
    config.handshake_timeout_ms = 2'000;
    return config;
}

/// A transport with the list of all that it reported so far.
struct TestNode {
    TransportKeys keys;
    ZmqTransport transport;
    std::vector<Inbound> events;

    explicit TestNode(std::uint8_t number, TransportConfig config = quick_config())
        : keys(keys_from(number)), transport(config, keys) {}
    [[nodiscard]] const channel::NodeId& id() const { return keys.node_id(); }

    /// Drains until `done` holds; false after `timeout_ms`.
    bool wait(const std::function<bool()>& done, int timeout_ms = 10'000) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
        while (!done()) {
            if (std::chrono::steady_clock::now() >= deadline) return false;
            pollfd item{transport.event_fd(), POLLIN, 0};
            poll(&item, 1, 10);
            transport.drain(events);
        }
        return true;
    }
    [[nodiscard]] std::size_t count(Inbound::Kind kind) const {
        return static_cast<std::size_t>(
            std::count_if(events.begin(), events.end(), [&](const Inbound& e) { return e.kind == kind; }));
    }
    bool wait_for(Inbound::Kind kind, std::size_t number = 1, int timeout_ms = 10'000) {
        return wait([&] { return count(kind) >= number; }, timeout_ms);
    }
    /// The first event of a kind; the test fails where there is none.
    [[nodiscard]] const Inbound& first(Inbound::Kind kind) const {
        const auto found = std::find_if(events.begin(), events.end(), [&](const Inbound& e) { return e.kind == kind; });
        REQUIRE(found != events.end());
        return *found;
    }
    void dial(const TestNode& other) { REQUIRE(transport.connect(other.id(), "127.0.0.1", other.transport.port())); }
};

/// `a` dials `b` and both report the link.
inline void link(TestNode& a, TestNode& b) {
    a.dial(b);
    REQUIRE(a.wait_for(Inbound::Kind::connected));
    REQUIRE(b.wait_for(Inbound::Kind::connected));
}

}  // namespace hedgerow::daemon
