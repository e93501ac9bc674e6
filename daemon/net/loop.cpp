#include "daemon/net/loop.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "daemon/net/peer_uri.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;

namespace {

constexpr std::string_view kZapEndpoint = "inproc://zeromq.zap.01";
constexpr std::string_view kZapDomain = "hedgerow";
constexpr int kListenBacklog = 128;
// In messages of up to 64 KiB (or one frame). Small, because every queue below ours delays what says that a peer is
// slow.
constexpr int kHighWaterMark = 16;
constexpr int kCurveOverhead = 64;  // 33 bytes today: "\x07MESSAGE", nonce, flags, authenticator
constexpr int kMessagesPerTurn = 256;
constexpr int kLingerMs = 200;
constexpr long kIdlePollMs = 50;
constexpr long kBlockedPollMs = 1;
// Time for libzmq to take the pipe of a broken connection away after it reported the break.
constexpr int kProbeDelayMs = 20;

std::uint64_t random_u64() {
    std::uint64_t out = 0;
    randombytes_buf(&out, sizeof out);
    return out;
}

std::uint16_t port_of(const std::string& endpoint) {
    const std::size_t colon = endpoint.rfind(':');
    std::uint16_t port = 0;
    std::from_chars(endpoint.data() + colon + 1, endpoint.data() + endpoint.size(), port);
    return port;
}

/// All parts of the message that `first` begins; true where there was no other.
bool drop_other_parts(ZmqSocket& socket, ZmqMessage& first) {
    bool more = first.more();
    const bool single = !more;
    while (more) {
        ZmqMessage part;
        more = socket.receive(part) && part.more();
    }
    return single;
}

}  // namespace

std::int64_t monotonic_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

void set_common_options(ZmqSocket& socket, const TransportConfig& config) {
    constexpr int kHeartbeatsPerTtl = 3;
    socket.set(ZMQ_SNDHWM, kHighWaterMark);
    socket.set(ZMQ_RCVHWM, kHighWaterMark);
    socket.set_int64(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(kMaxMessageSize) + kCurveOverhead);
    socket.set(ZMQ_LINGER, kLingerMs);
    socket.set(ZMQ_IPV6, 1);
    socket.set(ZMQ_HANDSHAKE_IVL, config.handshake_timeout_ms);
    socket.set(ZMQ_HEARTBEAT_IVL, config.heartbeat_ms);
    socket.set(ZMQ_HEARTBEAT_TIMEOUT, config.peer_timeout_ms);
    socket.set(ZMQ_HEARTBEAT_TTL, kHeartbeatsPerTtl * config.heartbeat_ms);
}

TransportLoop::TransportLoop(const TransportConfig& config, const TransportKeys& keys, Hub& hub)
    : m_config(config),
      m_keys(keys),
      m_hub(hub),
      m_instance(random_u64()),
      m_zap(m_context, ZMQ_REP),
      m_resolver([&hub] { hub.wake(); }) {
    m_zap.bind(std::string(kZapEndpoint));  // before the first server socket, or that would accept anybody
    if (config.listen) open_router();
}

void TransportLoop::open_router() {
    m_router = std::make_unique<ZmqSocket>(m_context, ZMQ_ROUTER);
    set_common_options(*m_router, m_config);
    m_router->set(ZMQ_ROUTER_MANDATORY, 1);
    m_router->set(ZMQ_BACKLOG, kListenBacklog);
    m_router->set(ZMQ_CURVE_SERVER, 1);
    m_router->set_bytes(ZMQ_CURVE_SECRETKEY, m_keys.curve_secret());
    m_router->set_bytes(ZMQ_ZAP_DOMAIN, channel::as_bytes(kZapDomain));
    m_router->start_monitor(m_context, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED);
    m_router->bind(
        tcp_endpoint(m_config.listen_host, m_config.listen_port == 0 ? "*" : std::to_string(m_config.listen_port)));
    m_port = port_of(m_router->last_endpoint());
}

void TransportLoop::run() {
    while (!m_stop) poll_once();
    std::vector<NodeId> linked;
    for (const auto& [peer, link] : m_links) linked.push_back(peer);
    for (const NodeId& peer : linked) {
        flush(peer);
        close_link(peer, Rule::peer_disconnected, true);
    }
    m_hub.publish(m_events);
    m_dials.clear();
    m_router.reset();
}

void TransportLoop::poll_once() {
    std::vector<zmq_pollitem_t> items;
    items.push_back({nullptr, m_hub.wake_fd(), ZMQ_POLLIN, 0});
    const bool full = m_hub.inbound_full();
    const auto add = [&items](void* socket) { items.push_back({socket, 0, ZMQ_POLLIN, 0}); };
    add(m_zap.handle());
    if (m_router) {
        add(m_router->monitor_handle());
        if (!full) add(m_router->handle());
    }
    for (const auto& [peer, dial] : m_dials) {
        if (!dial.socket) continue;
        add(dial.socket->monitor_handle());
        if (!full) add(dial.socket->handle());
    }
    zmq_poll(items.data(), static_cast<int>(items.size()), poll_timeout());
    m_now_ms = monotonic_us() / 1000;
    // Silence while we did not read proves nothing.
    if (m_was_full) {
        for (auto& [peer, link] : m_links) link.last_received_ms = m_now_ms;
    }
    m_was_full = full;

    read_zap();
    if (m_router) read_router_events();
    take_work();
    take_resolved();
    std::vector<NodeId> dialled;
    for (const auto& [peer, dial] : m_dials) {
        if (dial.socket) dialled.push_back(peer);
    }
    if (!full) {
        if (m_router) read_router();
        for (const NodeId& peer : dialled) read_dial(peer);
    }
    for (const NodeId& peer : dialled) read_dial_events(peer);
    flush_blocked();
    tick_dials();
    tick_links();
    tick_parked();
    if (!m_events.empty()) m_hub.publish(m_events);
}

long TransportLoop::poll_timeout() const {
    const bool hurry =
        std::any_of(m_links.begin(), m_links.end(), [](const auto& entry) { return entry.second.blocked; });
    const bool hello_due = std::any_of(m_dials.begin(), m_dials.end(), [](const auto& entry) {
        return entry.second.state == Dial::State::greeting && !entry.second.hello_sent;
    });
    return hurry || hello_due ? kBlockedPollMs : kIdlePollMs;
}

void TransportLoop::take_work() {
    const Hub::Work work = m_hub.take_work();
    for (const Hub::Command& command : work.commands) execute(command);
    for (const NodeId& peer : work.peers_with_frames) flush(peer);
    m_stop = work.stop;
}

void TransportLoop::execute(const Hub::Command& command) {
    switch (command.kind) {
        case Hub::Command::Kind::connect: {
            Dial& dial = m_dials[command.peer];
            const bool linked = dial.state == Dial::State::linked;
            if (!linked) dial = Dial();
            dial.host = command.host;
            dial.port = command.port;
            if (linked) return;  // the new address is for the next time
            dial.state = m_links.contains(command.peer) ? Dial::State::paused : Dial::State::waiting;
            return;
        }
        case Hub::Command::Kind::disconnect: {
            close_link(command.peer, Rule::peer_disconnected, true);
            m_dials.erase(command.peer);
            return;
        }
    }
}

// ZAP (ZeroMQ RFC 27): every CURVE client may connect; its key becomes the "User-Id" of all that it sends.
void TransportLoop::read_zap() {
    for (int i = 0; i < kMessagesPerTurn; ++i) {
        std::vector<ZmqMessage> parts(1);
        if (!m_zap.receive(parts[0])) return;
        while (parts.back().more()) {
            ZmqMessage part;
            if (!m_zap.receive(part)) break;
            parts.push_back(std::move(part));
        }
        // version, request id, domain, address, identity, mechanism, credentials
        const bool curve = parts.size() == 7 && parts[6].size() == CurveKey::kSize &&
                           std::ranges::equal(parts[5].view(), channel::as_bytes("CURVE"));
        const bool accepted = curve && m_connections <= m_config.max_connections;
        const std::string user_id = accepted ? channel::to_hex(parts[6].view()) : std::string();
        const Bytes request_id = parts.size() > 1 ? Bytes(parts[1].view().begin(), parts[1].view().end()) : Bytes();
        const auto reply = [this](ByteView bytes, bool more) {
            ZmqMessage message(bytes);
            m_zap.send(message, more);
        };
        reply(channel::as_bytes("1.0"), true);
        reply(request_id, true);
        reply(channel::as_bytes(accepted ? "200" : "400"), true);
        reply(channel::as_bytes(accepted ? "OK" : "refused"), true);
        reply(channel::as_bytes(user_id), true);
        reply({}, false);
    }
}

void TransportLoop::read_router_events() {
    while (const auto event = m_router->next_event()) {
        if (event->event == ZMQ_EVENT_ACCEPTED) ++m_connections;
        if (event->event == ZMQ_EVENT_DISCONNECTED) {
            if (m_connections > 0) --m_connections;
            if (m_probe_at_ms == 0) m_probe_at_ms = m_now_ms + kProbeDelayMs;
        }
    }
}

void TransportLoop::read_router() {
    for (int i = 0; i < kMessagesPerTurn; ++i) {
        ZmqMessage route;
        if (!m_router->receive(route)) return;
        if (!route.more()) continue;
        ZmqMessage message;
        if (!m_router->receive(message)) continue;
        const bool well_formed = drop_other_parts(*m_router, message);
        const ByteView id = route.view();
        read_router_message(RouteId(reinterpret_cast<const char*>(id.data()), id.size()), message, well_formed);
    }
}

void TransportLoop::read_router_message(const RouteId& route, ZmqMessage& message, bool well_formed) {
    const auto kind = kind_of(message.view());
    const auto known = m_routes.find(route);
    if (known == m_routes.end()) {
        if (kind == MessageKind::hello && well_formed) return incoming_hello(route, message);
        // Never answer a reset with a reset.
        if (kind != MessageKind::reset) refuse_route(route, NodeId(), Rule::unexpected_message);
        return;
    }
    const NodeId peer = known->second;
    // A client may choose its route id, so a route that was one peer's may now be somebody else's.
    if (message.property("User-Id") != m_links.at(peer).user_id) {
        close_link(peer, Rule::identity_mismatch, false);
        return refuse_route(route, NodeId(), Rule::identity_mismatch);
    }
    if (!well_formed || kind == MessageKind::hello || kind == MessageKind::welcome) {
        return close_link(peer, Rule::unexpected_message, true);
    }
    link_message(peer, message);
}

void TransportLoop::read_dial(const NodeId& peer) {
    for (int i = 0; i < kMessagesPerTurn; ++i) {
        const auto found = m_dials.find(peer);
        if (found == m_dials.end() || !found->second.socket) return;
        Dial& dial = found->second;
        ZmqMessage message;
        if (!dial.socket->receive(message)) return;
        const bool well_formed = drop_other_parts(*dial.socket, message);
        if (dial.state == Dial::State::linked && well_formed)
            link_message(peer, message);
        else if (dial.state == Dial::State::linked)
            close_link(peer, Rule::unexpected_message, true);
        else
            dial_message(peer, dial, well_formed ? message.view() : ByteView());
    }
}

void TransportLoop::link_message(const NodeId& peer, ZmqMessage& message) {
    Link& link = m_links.at(peer);
    link.last_received_ms = m_now_ms;
    ++link.received;
    const ByteView body = message.view();
    const auto kind = kind_of(body);
    if (kind == MessageKind::data) return data_message(peer, body);
    if (kind == MessageKind::reset) {
        const Rule rule = decode_reset(body).value_or(Rule::peer_disconnected);
        return close_link(peer, rule == Rule::none ? Rule::peer_disconnected : rule, false);
    }
    const auto token = kind == MessageKind::ping || kind == MessageKind::pong ? decode_token(body) : std::nullopt;
    if (!token) return close_link(peer, Rule::unexpected_message, true);
    if (kind == MessageKind::ping) return send_control(peer, encode_token(MessageKind::pong, *token));
    measured(peer, *token);
}

void TransportLoop::measured(const NodeId& peer, std::uint64_t ping_token) {
    const std::int64_t latency_us = monotonic_us() - static_cast<std::int64_t>(ping_token);
    const bool plausible = latency_us >= 0 && latency_us < std::int64_t{1000} * m_config.peer_timeout_ms;
    if (plausible) m_hub.latency_measured(peer, latency_us);
}

void TransportLoop::data_message(const NodeId& peer, ByteView message) {
    const std::uint64_t session = m_links.at(peer).session;
    const auto read = for_each_frame(message, [&](ByteView frame) {
        Inbound event;
        event.peer = peer;
        event.session = session;
        event.frame.assign(frame.begin(), frame.end());
        m_events.push_back(std::move(event));
    });
    if (!read) close_link(peer, read.error(), true);
}

void TransportLoop::refuse_route(const RouteId& route, const NodeId& claimed, Rule rule) {
    (void)send_to_route(route, encode_reset(rule));
    if (rule != Rule::unexpected_message) report_refused(claimed, rule);
}

void TransportLoop::report_refused(const NodeId& peer, Rule rule) {
    Inbound event;
    event.kind = Inbound::Kind::refused;
    event.peer = peer;
    event.rule = rule;
    m_events.push_back(std::move(event));
}

}  // namespace hedgerow::daemon
