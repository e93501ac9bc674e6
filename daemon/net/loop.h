#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/net/hub.h"
#include "daemon/net/resolver.h"
#include "daemon/net/zmq_socket.h"

namespace hedgerow::daemon {

/// The transport thread: owns every socket and all state of links and dials. See Transport for what it promises.
///
/// One link a peer. A node that has a link does not dial. Where both dial at once, the dial of the lower NodeId wins:
/// its owner parks the other's hello until its own dial came through or failed. A hello from a peer whose link still
/// stands is parked too, while a ping asks whether the old link lives; a new `instance` (the peer restarted) replaces
/// at once.
class TransportLoop {
  public:
    TransportLoop(const TransportConfig& config, const TransportKeys& keys, Hub& hub);
    void run();
    [[nodiscard]] std::uint16_t port() const { return m_port; }

  private:
    using TimeMs = std::int64_t;
    using NodeId = channel::NodeId;
    using Rule = channel::Rule;
    using RouteId = std::string;  // ROUTER's name of a connection

    struct Link {
        std::uint64_t session = 0;
        std::uint64_t instance = 0;
        bool outgoing = false;
        RouteId route;                      // incoming only
        std::string user_id;                // incoming only: the peer's CURVE key, as libzmq names who sent a message
        std::deque<channel::Bytes> frames;  // taken from the hub, not yet sent
        TimeMs last_received_ms = 0;
        TimeMs next_ping_ms = 0;
        std::uint64_t received = 0;  // messages
        bool blocked = false;        // its socket was full; retried soon
    };
    struct Dial {
        enum class State : std::uint8_t {
            paused,      ///< an incoming link stands
            waiting,     ///< until deadline_ms, then tries
            resolving,   ///< the name service was asked
            connecting,  ///< TCP and CURVE under way
            greeting,    ///< hello due or sent, welcome awaited until deadline_ms
            linked,
        };
        std::string host;
        std::uint16_t port = 0;
        State state = State::waiting;
        std::unique_ptr<ZmqSocket> socket;
        TimeMs deadline_ms = 0;
        int backoff_ms = 0;
        bool hello_sent = false;
        bool refusal_reported = false;
    };
    /// A verified hello that waits for the link or dial it competes with.
    struct Parked {
        RouteId route;
        std::uint64_t instance = 0;
        std::string address;
        TimeMs since_ms = 0;
        std::uint64_t received_before = 0;  // Link::received when it was parked: more proves that the link lives
    };

    // loop.cpp: the thread and what comes in
    void open_router();
    void poll_once();
    [[nodiscard]] long poll_timeout() const;
    void take_work();
    void execute(const Hub::Command& command);
    void read_zap();
    void read_router_events();
    void read_router();
    void read_router_message(const RouteId& route, ZmqMessage& message, bool well_formed);
    void read_dial(const NodeId& peer);
    void link_message(const NodeId& peer, ZmqMessage& message);
    void measured(const NodeId& peer, std::uint64_t ping_token);
    void data_message(const NodeId& peer, channel::ByteView message);
    void refuse_route(const RouteId& route, const NodeId& claimed, Rule rule);
    void report_refused(const NodeId& peer, Rule rule);

    // loop_links.cpp: links
    void incoming_hello(const RouteId& route, ZmqMessage& message);
    [[nodiscard]] Rule check_greeting(const Greeting& greeting, std::string_view user_id) const;
    void accept(const NodeId& peer, const Parked& hello);
    void open_link(const NodeId& peer, Link link, const std::string& address);
    void close_link(const NodeId& peer, Rule rule, bool say_goodbye);
    SendResult send_on_link(const NodeId& peer, Link& link, ZmqMessage& message);
    SendResult send_to_route(const RouteId& route, channel::ByteView body);
    void send_control(const NodeId& peer, channel::ByteView body);
    void flush(const NodeId& peer);
    void flush_blocked();
    void tick_links();
    void park(const NodeId& peer, Parked hello);
    void tick_parked();
    void decide_parked(const NodeId& peer, const Parked& hello);
    void ping(const NodeId& peer, Link& link);

    // loop_dials.cpp: dials
    void tick_dials();
    void start_dial(const NodeId& peer, Dial& dial);
    void connect_dial(const NodeId& peer, Dial& dial, const std::string& address);
    void take_resolved();
    void read_dial_events(const NodeId& peer);
    void send_hello(Dial& dial);
    void dial_message(const NodeId& peer, Dial& dial, channel::ByteView message);
    void welcome(const NodeId& peer, Dial& dial, channel::ByteView message);
    void retry_later(Dial& dial);
    void refuse_dial(const NodeId& peer, Dial& dial, Rule rule);

    const TransportConfig m_config;
    const TransportKeys m_keys;
    Hub& m_hub;
    const std::uint64_t m_instance;
    ZmqContext m_context;
    ZmqSocket m_zap;
    std::unique_ptr<ZmqSocket> m_router;
    Resolver m_resolver;
    std::uint16_t m_port = 0;

    std::unordered_map<NodeId, Link, channel::FixedBytesHash> m_links;
    std::unordered_map<RouteId, NodeId> m_routes;  // of incoming links
    std::unordered_map<NodeId, Dial, channel::FixedBytesHash> m_dials;
    std::unordered_map<NodeId, Parked, channel::FixedBytesHash> m_parked;
    std::vector<Inbound> m_events;
    std::uint64_t m_last_session = 0;
    std::size_t m_incoming = 0;
    std::size_t m_connections = 0;
    TimeMs m_now_ms = 0;
    TimeMs m_probe_at_ms = 0;  // 0: no probe of incoming links is due
    bool m_was_full = false;
    bool m_stop = false;
};

/// Microseconds of a clock that only moves forward.
[[nodiscard]] std::int64_t monotonic_us();
/// Options that every socket between nodes has: CURVE is set by the caller.
void set_common_options(ZmqSocket& socket, const TransportConfig& config);

}  // namespace hedgerow::daemon
