#include "daemon/node/peer_manager.h"

#include "daemon/net/peer_uri.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::NodeId;
using channel::Rule;

namespace {

constexpr std::array<std::string_view, std::variant_size_v<channel::PeerMessage>> kMessageNames = {
    "Hello",       "OpenPropose",  "OpenAccept", "OpenRefuse",        "OpenConfirm",    "OpenDone",   "FundsSeen",
    "Propose",     "Refuse",       "Update",     "Ack",               "Reject",         "Reestablish", "WithdrawSignature",
    "CloseSignature", "HandOver",  "QuoteRequest", "Quote",           "QuoteRefuse",    "StreamQuote", "PeerError",
    "TowerStore",  "TowerReceipt", "TowerRefuse", "TowerFetch",       "TowerRecord",    "TowerEnd",   "BackupStore",
    "BackupStored", "BackupFetch", "BackupItems", "TowerPlanAsk", "TowerPlan"};
static_assert(!kMessageNames.back().empty());

}  // namespace

PeerManager::PeerManager(NodeParts& parts, Transport& transport, Events& events)
    : m_parts(parts), m_transport(transport), m_events(events) {}

/// Into a queue for each peer. What the transport has is bounded, and it stops reading at its bound, so this is too.
void PeerManager::fetch() {
    if (m_waiting >= kFramesPerTurn) return;
    m_inbound.clear();
    m_transport.drain(m_inbound);
    for (Inbound& event : m_inbound) {
        std::deque<Inbound>& queue = m_backlog[event.peer];
        if (queue.empty()) m_order.push_back(event.peer);
        queue.push_back(std::move(event));
        ++m_waiting;
    }
}

std::size_t PeerManager::take_first(const NodeId& peer) {
    const auto at = m_backlog.find(peer);
    Inbound event = std::move(at->second.front());
    at->second.pop_front();
    --m_waiting;
    if (at->second.empty())
        m_backlog.erase(at);
    else
        m_order.push_back(peer);
    take(event);
    return event.frame.size();
}

void PeerManager::drain() {
    if (std::exchange(m_drained, true)) return;
    fetch();
    std::size_t frames = 0, bytes = 0;
    while (!m_order.empty() && frames < kFramesPerTurn && bytes < kBytesPerTurn) {
        const NodeId peer = m_order.front();
        m_order.pop_front();
        bytes += take_first(peer);
        ++frames;
    }
}

void PeerManager::take(Inbound& event) {
    switch (event.kind) {
        case Inbound::Kind::connected: {
            if (m_links.contains(event.peer)) lost(event.peer);
            m_links[event.peer] = {event.session, false, 0};
            channel::Hello hello;
            hello.chain_id = m_parts.options.chain_id;
            hello.adjudicator = m_parts.options.adjudicator;
            hello.agent = channel::Text<128>(m_parts.options.agent);
            send(event.peer, hello);
            return;
        }
        case Inbound::Kind::frame: {
            const auto link = m_links.find(event.peer);
            if (link != m_links.end() && link->second.session == event.session) frame(event.peer, event.frame);
            return;
        }
        case Inbound::Kind::disconnected:
            LOG_INFO("link lost", {"peer", event.peer}, {"rule", event.rule});
            return lost(event.peer);
        case Inbound::Kind::refused:
            LOG_WARN("link refused", {"peer", event.peer}, {"rule", event.rule});
            return;
    }
}

void PeerManager::frame(const NodeId& peer, const channel::Bytes& bytes) {
    auto message = channel::wire_decode<channel::PeerMessage>(bytes);
    if (!message) {
        ++m_links[peer].bad_frames;
        LOG_WARN("bad frame", {"peer", peer}, {"bytes", bytes.size()}, {"rule", message.error()});
        return error(peer, {}, message.error());
    }
    if (const auto* fault = std::get_if<channel::PeerError>(&*message)) {
        LOG_WARN("peer reports", {"peer", peer}, {"rule", fault->rule}, {"channel", fault->channel});
        return;  // never answered: two nodes must not argue for ever
    }
    if (const auto* greeting = std::get_if<channel::Hello>(&*message)) return hello(peer, *greeting);
    if (!ready(peer)) return error(peer, {}, Rule::unexpected_message);
    m_events.on_message(peer, std::move(*message));
}

void PeerManager::hello(const NodeId& peer, const channel::Hello& hello) {
    Link& link = m_links[peer];
    Rule rule = Rule::none;
    if (link.ready)
        rule = Rule::unexpected_message;
    else if (hello.protocol != channel::kProtocolVersion)
        rule = Rule::protocol_version_unsupported;
    else if (hello.chain_id != m_parts.options.chain_id)
        rule = Rule::wrong_chain;
    else if (hello.adjudicator != m_parts.options.adjudicator)
        rule = Rule::wrong_contract;
    if (rule != Rule::none) {
        LOG_WARN("hello refused", {"peer", peer}, {"rule", rule});
        return error(peer, {}, rule);
    }
    link.ready = true;
    LOG_INFO("peer connected", {"peer", peer});
    answer_waiters(peer);
    m_events.on_ready(peer);
}

void PeerManager::lost(const NodeId& peer) {
    const auto link = m_links.find(peer);
    if (link == m_links.end()) return;
    const bool was_ready = link->second.ready;
    m_links.erase(link);
    if (was_ready) m_events.on_lost(peer);
}

bool PeerManager::ready(const NodeId& peer) const {
    const auto link = m_links.find(peer);
    return link != m_links.end() && link->second.ready;
}

std::size_t PeerManager::queued_bytes(const NodeId& peer) const {
    for (const PeerInfo& info : m_transport.peers()) {
        if (info.node_id == peer) return info.queued_bytes;
    }
    return 0;
}

void PeerManager::send(const NodeId& peer, const channel::PeerMessage& message) {
    const auto link = m_links.find(peer);
    if (link == m_links.end()) return;
    m_parts.outbox.when_durable(
        [this, peer, session = link->second.session, name = kMessageNames[message.index()],
         frame = channel::wire_encode(message)]() mutable {
            failpoint("send", name);
            send_bytes(peer, session, std::move(frame));
            failpoint("sent", name);
        });
}

std::uint64_t PeerManager::session(const NodeId& peer) const {
    const auto link = m_links.find(peer);
    return link == m_links.end() ? 0 : link->second.session;
}

void PeerManager::send_now(const NodeId& peer, std::uint64_t session, const channel::PeerMessage& message) {
    const std::string_view name = kMessageNames[message.index()];
    failpoint("send", name);
    send_bytes(peer, session, channel::wire_encode(message));
    failpoint("sent", name);
}

void PeerManager::send_bytes(const NodeId& peer, std::uint64_t session, channel::Bytes frame) {
    const auto link = m_links.find(peer);
    if (link == m_links.end() || link->second.session != session) return;
    const auto sent = m_transport.send(peer, std::move(frame));
    if (sent || sent.error() == Rule::peer_disconnected || sent.error() == Rule::peer_unknown) return;
    // What a slow peer misses is made good by the next link's Reestablish, never by a gap.
    LOG_WARN("link reset", {"peer", peer}, {"rule", sent.error()});
    reset_link(peer);
}

void PeerManager::reset_link(const NodeId& peer) {
    m_transport.disconnect(peer);
    lost(peer);
    const auto uri = m_uris.find(peer);
    if (uri == m_uris.end()) return;
    const auto parsed = parse_peer_uri(uri->second);
    if (parsed && !m_transport.connect(peer, parsed->host, parsed->port)) {
        LOG_WARN("peer cannot be dialled again", {"peer", peer});
    }
}

void PeerManager::error(const NodeId& peer, const channel::ChannelId& channel, Rule rule) {
    send(peer, channel::PeerError{channel, rule});
}

void PeerManager::connect(const std::string& text, Answer<PeerInfo> done) {
    const auto uri = parse_peer_uri(text);
    if (!uri) return done(refused(uri.error()));
    if (m_waiters.size() >= kMaxWaiters) return done(refused(Rule::queue_full));
    if (const auto dialled = m_transport.connect(uri->node_id, uri->host, uri->port); !dialled)
        return done(refused(dialled.error()));
    m_uris[uri->node_id] = text;
    m_parts.outbox.persist([id = uri->node_id, text](Database& db) { put_peer(db, id, text); });
    m_waiters.emplace(uri->node_id, Waiter{std::move(done), m_parts.steady_ms + kConnectTimeoutMs});
    if (ready(uri->node_id)) answer_waiters(uri->node_id);
}

Result<void> PeerManager::disconnect(const NodeId& peer) {
    const bool known = m_uris.erase(peer) != 0 || m_links.contains(peer);
    if (!known) return refused(Rule::peer_unknown);
    m_parts.outbox.persist([peer](Database& db) { delete_peer(db, peer); });
    m_transport.disconnect(peer);
    lost(peer);
    return {};
}

void PeerManager::restore(const std::vector<std::string>& uris) {
    for (const std::string& text : uris) {
        const auto uri = parse_peer_uri(text);
        if (!uri) continue;
        m_uris[uri->node_id] = text;
        if (const auto dialled = m_transport.connect(uri->node_id, uri->host, uri->port); !dialled) {
            LOG_WARN("peer cannot be dialled", {"peer", uri->node_id}, {"rule", dialled.error()});
        }
    }
}

std::string PeerManager::uri(const NodeId& peer) const {
    const auto it = m_uris.find(peer);
    return it == m_uris.end() ? std::string() : it->second;
}

void PeerManager::answer_waiters(const NodeId& peer) {
    PeerInfo info;
    info.node_id = peer;
    for (const PeerInfo& candidate : m_transport.peers()) {
        if (candidate.node_id == peer) info = candidate;
    }
    std::vector<Waiter> waiting;
    const auto [first, last] = m_waiters.equal_range(peer);
    for (auto it = first; it != last; ++it) waiting.push_back(std::move(it->second));
    m_waiters.erase(first, last);
    // A link may be there before the row that brings it back after a restart.
    for (Waiter& waiter : waiting) m_parts.outbox.when_durable([done = std::move(waiter.done), info] { done(info); });
}

void PeerManager::tick() {
    std::vector<Waiter> late;
    for (auto it = m_waiters.begin(); it != m_waiters.end();) {
        if (it->second.until_ms > m_parts.steady_ms) {
            ++it;
            continue;
        }
        late.push_back(std::move(it->second));
        it = m_waiters.erase(it);
    }
    for (const Waiter& waiter : late)
        waiter.done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::peer_unreachable)});
}

}  // namespace hedgerow::daemon
