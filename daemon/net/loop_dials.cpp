// Dials of the transport: the outgoing half, from an address to a link, again and again.
#include <sodium.h>

#include <algorithm>

#include "daemon/net/loop.h"
#include "daemon/net/peer_uri.h"

namespace hedgerow::daemon {

using channel::ByteView;
using channel::NodeId;
using channel::Rule;

namespace {

// While TCP does not connect libzmq retries by itself; after this the name is looked up anew.
constexpr int kConnectingMs = 60'000;

constexpr int kHandshakeFailed =
    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

}  // namespace

void TransportLoop::tick_dials() {
    for (auto& [peer, dial] : m_dials) {
        switch (dial.state) {
            case Dial::State::waiting:
                if (m_now_ms >= dial.deadline_ms) start_dial(peer, dial);
                break;
            case Dial::State::connecting:
                if (m_now_ms >= dial.deadline_ms) retry_later(dial);
                break;
            case Dial::State::greeting:
                if (!dial.hello_sent) send_hello(dial);
                if (m_now_ms >= dial.deadline_ms && !m_was_full) refuse_dial(peer, dial, Rule::timeout);
                break;
            case Dial::State::paused:
            case Dial::State::resolving:
            case Dial::State::linked:
                break;
        }
    }
}

void TransportLoop::start_dial(const NodeId& peer, Dial& dial) {
    if (is_numeric_host(dial.host)) return connect_dial(peer, dial, dial.host);
    dial.state = Dial::State::resolving;
    m_resolver.resolve(peer, dial.host);
}

void TransportLoop::take_resolved() {
    for (const Resolver::Result& result : m_resolver.take_results()) {
        const auto found = m_dials.find(result.peer);
        if (found == m_dials.end()) continue;
        Dial& dial = found->second;
        if (dial.state != Dial::State::resolving || dial.host != result.host) continue;
        if (result.address.empty())
            refuse_dial(result.peer, dial, Rule::host_not_found);
        else
            connect_dial(result.peer, dial, result.address);
    }
}

void TransportLoop::connect_dial(const NodeId& peer, Dial& dial, const std::string& address) {
    const auto server_key = curve_key_of(peer);
    ASSERT(server_key.has_value());  // checked by Transport::connect
    auto socket = std::make_unique<ZmqSocket>(m_context, ZMQ_DEALER);
    set_common_options(*socket, m_config);
    // Only a finished handshake makes a pipe, and its break ends it: nothing is queued for a connection that may never
    // be.
    socket->set(ZMQ_IMMEDIATE, 1);
    socket->set(ZMQ_RECONNECT_IVL, m_config.reconnect_min_ms);
    socket->set(ZMQ_RECONNECT_IVL_MAX, m_config.reconnect_max_ms);
    socket->set(ZMQ_CONNECT_TIMEOUT, m_config.handshake_timeout_ms);
    socket->set_bytes(ZMQ_CURVE_SERVERKEY, server_key->view());
    socket->set_bytes(ZMQ_CURVE_PUBLICKEY, m_keys.curve_public().view());
    socket->set_bytes(ZMQ_CURVE_SECRETKEY, m_keys.curve_secret());
    socket->start_monitor(m_context, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | kHandshakeFailed | ZMQ_EVENT_DISCONNECTED);
    try {
        socket->connect(tcp_endpoint(address, std::to_string(dial.port)));
    } catch (const std::runtime_error&) {
        return refuse_dial(peer, dial, Rule::host_malformed);
    }
    dial.socket = std::move(socket);
    dial.state = Dial::State::connecting;
    dial.deadline_ms = m_now_ms + kConnectingMs;
}

void TransportLoop::read_dial_events(const NodeId& peer) {
    for (;;) {
        const auto found = m_dials.find(peer);
        if (found == m_dials.end() || !found->second.socket) return;
        Dial& dial = found->second;
        const auto event = dial.socket->next_event();
        if (!event) return;
        if (event->event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && dial.state == Dial::State::connecting) {
            dial.state = Dial::State::greeting;
            dial.hello_sent = false;
            dial.deadline_ms = m_now_ms + m_config.handshake_timeout_ms;
        } else if ((event->event & kHandshakeFailed) != 0) {
            // A server that lacks the key of the node id we dialled cannot finish the handshake.
            refuse_dial(peer, dial, Rule::identity_mismatch);
        } else if (event->event == ZMQ_EVENT_DISCONNECTED) {
            if (!m_hub.inbound_full()) read_dial(peer);  // its last words
            if (dial.state == Dial::State::linked)
                close_link(peer, Rule::peer_disconnected, false);
            else if (dial.socket)
                refuse_dial(peer, dial, Rule::peer_disconnected);
        }
    }
}

void TransportLoop::send_hello(Dial& dial) {
    ZmqMessage hello(encode_greeting(MessageKind::hello, {kTransportVersion, m_keys.node_id(), m_instance}));
    dial.hello_sent = dial.socket->send(hello) == SendResult::sent;
}

void TransportLoop::dial_message(const NodeId& peer, Dial& dial, ByteView message) {
    const auto kind = kind_of(message);
    if (dial.state != Dial::State::greeting) return refuse_dial(peer, dial, Rule::unexpected_message);
    if (kind == MessageKind::welcome) return welcome(peer, dial, message);
    if (kind == MessageKind::reset)
        return refuse_dial(peer, dial, decode_reset(message).value_or(Rule::unexpected_message));
    refuse_dial(peer, dial, Rule::unexpected_message);
}

void TransportLoop::welcome(const NodeId& peer, Dial& dial, ByteView message) {
    const auto greeting = decode_greeting(message);
    if (!greeting) return refuse_dial(peer, dial, Rule::frame_truncated);
    if (greeting->version != kTransportVersion) return refuse_dial(peer, dial, Rule::protocol_version_unsupported);
    // Two Ed25519 keys map to one X25519 key, so the handshake alone does not say that this is the node we mean.
    if (greeting->node_id != peer) return refuse_dial(peer, dial, Rule::identity_mismatch);
    dial.state = Dial::State::linked;
    dial.backoff_ms = 0;
    dial.refusal_reported = false;
    Link link;
    link.instance = greeting->instance;
    link.outgoing = true;
    open_link(peer, std::move(link), tcp_endpoint(dial.host, std::to_string(dial.port)).substr(sizeof "tcp://" - 1));
}

// Full jitter on the upper half, so that nodes that lost each other together do not dial in step.
void TransportLoop::retry_later(Dial& dial) {
    dial.socket.reset();
    dial.state = Dial::State::waiting;
    dial.backoff_ms = std::clamp(2 * dial.backoff_ms, m_config.reconnect_min_ms, m_config.reconnect_max_ms);
    const auto half = static_cast<std::uint32_t>(dial.backoff_ms / 2 + 1);
    dial.deadline_ms = m_now_ms + dial.backoff_ms / 2 + randombytes_uniform(half);
}

void TransportLoop::refuse_dial(const NodeId& peer, Dial& dial, Rule rule) {
    retry_later(dial);
    if (rule == Rule::none || dial.refusal_reported) return;  // none: it keeps the link that it has with us
    dial.refusal_reported = true;
    report_refused(peer, rule);
}

}  // namespace hedgerow::daemon
