// Links of the transport: how they come about, carry frames and end.
#include <algorithm>
#include <cstring>

#include "daemon/base/little_endian.h"
#include "daemon/net/loop.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::NodeId;
using channel::Rule;

namespace {

// Small frames share one message up to this size: the cost of a message (encryption, queues) is then theirs together.
constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::int64_t kParkMs = 1000;

struct Batch {
    std::size_t frames = 0;
    std::size_t payload = 0;
    std::size_t message_size = kDataHeaderSize;
};

Batch plan_batch(const std::deque<Bytes>& frames) {
    Batch out;
    for (const Bytes& frame : frames) {
        const std::size_t size = kFramePrefixSize + frame.size();
        if (out.frames > 0 && out.message_size + size > kBatchBytes) break;
        ++out.frames;
        out.payload += frame.size();
        out.message_size += size;
    }
    return out;
}

ZmqMessage build_batch(const std::deque<Bytes>& frames, const Batch& batch) {
    ZmqMessage message(batch.message_size);
    std::uint8_t* at = message.data();
    *at++ = static_cast<std::uint8_t>(MessageKind::data);
    for (std::size_t i = 0; i < batch.frames; ++i) {
        put_le(at, static_cast<std::uint32_t>(frames[i].size()));
        at += kFramePrefixSize;
        if (!frames[i].empty()) std::memcpy(at, frames[i].data(), frames[i].size());
        at += frames[i].size();
    }
    return message;
}

template <typename Map>
std::vector<NodeId> keys_of(const Map& map) {
    std::vector<NodeId> out;
    out.reserve(map.size());
    for (const auto& entry : map) out.push_back(entry.first);
    return out;
}

}  // namespace

void TransportLoop::incoming_hello(const RouteId& route, ZmqMessage& message) {
    const auto greeting = decode_greeting(message.view());
    if (!greeting) return refuse_route(route, NodeId(), Rule::frame_truncated);
    const NodeId peer = greeting->node_id;
    const Rule broken = check_greeting(*greeting, message.property("User-Id"));
    if (broken != Rule::none) return refuse_route(route, peer, broken);

    Parked hello{route, greeting->instance, std::string(message.property("Peer-Address")), m_now_ms, 0};
    const auto link = m_links.find(peer);
    if (link != m_links.end() && link->second.instance == greeting->instance) {
        hello.received_before = link->second.received;
        park(peer, std::move(hello));
        ping(peer, link->second);
        return;
    }
    if (link != m_links.end()) close_link(peer, Rule::peer_disconnected, true);
    const auto dial = m_dials.find(peer);
    const bool competes =
        dial != m_dials.end() && dial->second.state == Dial::State::greeting && dial->second.hello_sent;
    if (competes && m_keys.node_id() < peer) return park(peer, std::move(hello));
    accept(peer, hello);
}

// The CURVE handshake proved the X25519 key; the NodeId is only claimed, and is the peer's if it maps to that key.
Rule TransportLoop::check_greeting(const Greeting& greeting, std::string_view user_id) const {
    if (greeting.version != kTransportVersion) return Rule::protocol_version_unsupported;
    const auto curve = curve_key_of(greeting.node_id);
    if (!curve || channel::to_hex(*curve) != user_id) return Rule::identity_mismatch;
    if (greeting.node_id == m_keys.node_id()) return Rule::peer_is_self;
    return Rule::none;
}

void TransportLoop::park(const NodeId& peer, Parked hello) {
    const auto before = m_parked.find(peer);
    if (before != m_parked.end() && before->second.route != hello.route) {
        (void)send_to_route(before->second.route, encode_reset(Rule::none));
    }
    m_parked.insert_or_assign(peer, std::move(hello));
}

void TransportLoop::tick_parked() {
    for (const NodeId& peer : keys_of(m_parked)) {
        Parked hello = m_parked.at(peer);
        if (m_was_full)
            m_parked.at(peer).since_ms = m_now_ms;  // nothing was read that could decide it
        else
            decide_parked(peer, hello);
    }
}

void TransportLoop::decide_parked(const NodeId& peer, const Parked& hello) {
    const bool expired = m_now_ms - hello.since_ms > kParkMs;
    const auto link = m_links.find(peer);
    if (link != m_links.end()) {
        if (link->second.received > hello.received_before) {
            (void)send_to_route(hello.route, encode_reset(Rule::none));
            m_parked.erase(peer);
            return;
        }
        if (!expired) return;
        close_link(peer, Rule::timeout, true);
    } else {
        const auto dial = m_dials.find(peer);
        const bool competes = dial != m_dials.end() && dial->second.state == Dial::State::greeting;
        if (competes && !expired) return;
    }
    m_parked.erase(peer);
    accept(peer, hello);
}

void TransportLoop::accept(const NodeId& peer, const Parked& hello) {
    if (m_incoming >= m_config.max_incoming) return refuse_route(hello.route, peer, Rule::peer_limit);
    const Bytes welcome = encode_greeting(MessageKind::welcome, {kTransportVersion, m_keys.node_id(), m_instance});
    if (send_to_route(hello.route, welcome) != SendResult::sent) return;  // gone again; a dial of ours goes on
    const auto dial = m_dials.find(peer);
    if (dial != m_dials.end()) {
        dial->second.socket.reset();
        dial->second.state = Dial::State::paused;
    }
    Link link;
    link.instance = hello.instance;
    link.route = hello.route;
    link.user_id = channel::to_hex(*curve_key_of(peer));  // a greeting was checked against it
    m_routes.insert_or_assign(hello.route, peer);
    ++m_incoming;
    open_link(peer, std::move(link), hello.address);
}

void TransportLoop::open_link(const NodeId& peer, Link link, const std::string& address) {
    link.session = ++m_last_session;
    link.received = 1;  // the greeting
    link.last_received_ms = m_now_ms;
    link.next_ping_ms = m_now_ms;
    m_hub.link_opened(peer, link.session, link.outgoing, address);
    Inbound event;
    event.kind = Inbound::Kind::connected;
    event.peer = peer;
    event.session = link.session;
    m_events.push_back(std::move(event));
    ASSERT(m_links.emplace(peer, std::move(link)).second);
}

void TransportLoop::close_link(const NodeId& peer, Rule rule, bool say_goodbye) {
    const auto found = m_links.find(peer);
    if (found == m_links.end()) return;
    if (say_goodbye) {
        ZmqMessage goodbye(encode_reset(rule));
        (void)send_on_link(peer, found->second, goodbye);
    }
    const Link link = std::move(found->second);
    m_links.erase(found);
    if (!link.outgoing) {
        m_routes.erase(link.route);
        --m_incoming;
    }
    const auto dial = m_dials.find(peer);
    if (dial != m_dials.end()) retry_later(dial->second);
    m_hub.link_closed(peer);
    Inbound event;
    event.kind = Inbound::Kind::disconnected;
    event.peer = peer;
    event.session = link.session;
    event.rule = rule;
    m_events.push_back(std::move(event));
}

SendResult TransportLoop::send_to_route(const RouteId& route, ByteView body) {
    if (!m_router) return SendResult::unreachable;
    ZmqMessage address(channel::as_bytes(route));
    const SendResult result = m_router->send(address, true);
    if (result != SendResult::sent) return result;
    ZmqMessage message(body);
    return m_router->send(message);
}

SendResult TransportLoop::send_on_link(const NodeId& peer, Link& link, ZmqMessage& message) {
    if (link.outgoing) return m_dials.at(peer).socket->send(message);
    ZmqMessage address(channel::as_bytes(link.route));
    const SendResult result = m_router->send(address, true);
    return result == SendResult::sent ? m_router->send(message) : result;
}

void TransportLoop::send_control(const NodeId& peer, ByteView body) {
    const auto found = m_links.find(peer);
    if (found == m_links.end()) return;
    ZmqMessage message(body);
    // Where the socket is full the peer hears of us soon enough from what fills it.
    if (send_on_link(peer, found->second, message) == SendResult::unreachable) {
        close_link(peer, Rule::peer_disconnected, false);
    }
}

void TransportLoop::flush(const NodeId& peer) {
    const auto found = m_links.find(peer);
    if (found == m_links.end()) return;
    Link& link = found->second;
    m_hub.take_frames(peer, link.frames);
    link.blocked = false;
    std::size_t frames = 0;
    std::size_t bytes = 0;
    while (!link.frames.empty() && !link.blocked) {
        const Batch batch = plan_batch(link.frames);
        ZmqMessage message = build_batch(link.frames, batch);
        const SendResult result = send_on_link(peer, link, message);
        if (result == SendResult::unreachable) return close_link(peer, Rule::peer_disconnected, false);
        if (result == SendResult::would_block) {
            link.blocked = true;
            break;
        }
        link.frames.erase(link.frames.begin(), link.frames.begin() + static_cast<std::ptrdiff_t>(batch.frames));
        frames += batch.frames;
        bytes += batch.payload;
    }
    if (frames > 0) m_hub.frames_sent(peer, frames, bytes);
}

void TransportLoop::flush_blocked() {
    for (const NodeId& peer : keys_of(m_links)) {
        const auto link = m_links.find(peer);
        if (link != m_links.end() && link->second.blocked) flush(peer);
    }
}

void TransportLoop::ping(const NodeId& peer, Link& link) {
    link.next_ping_ms = m_now_ms + m_config.heartbeat_ms;
    send_control(peer, encode_token(MessageKind::ping, static_cast<std::uint64_t>(monotonic_us())));
}

void TransportLoop::tick_links() {
    // libzmq does not say which connection broke, but it refuses to send on it.
    const bool probe = m_probe_at_ms != 0 && m_now_ms >= m_probe_at_ms;
    if (probe) m_probe_at_ms = 0;
    for (const NodeId& peer : keys_of(m_links)) {
        const auto found = m_links.find(peer);
        if (found == m_links.end()) continue;
        Link& link = found->second;
        if (m_now_ms - link.last_received_ms > m_config.peer_timeout_ms)
            close_link(peer, Rule::timeout, true);
        else if (m_now_ms >= link.next_ping_ms || (probe && !link.outgoing))
            ping(peer, link);
    }
}

}  // namespace hedgerow::daemon
