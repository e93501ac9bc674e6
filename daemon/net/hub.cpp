#include "daemon/net/hub.h"

#include <algorithm>
#include <utility>

namespace hedgerow::daemon {

using channel::Bytes;
using channel::Expected;
using channel::NodeId;
using channel::Rule;
using channel::Unexpected;

namespace {

constexpr std::size_t kMaxPendingCommands = 4096;

}  // namespace

void Hub::wake_locked() {
    if (m_woken) return;
    m_woken = true;
    m_wake.signal();
}

Expected<void, Rule> Hub::connect(Command command) {
    const std::lock_guard lock(m_mutex);
    if (m_commands.size() >= kMaxPendingCommands) return Unexpected{Rule::queue_full};
    const auto found = m_peers.find(command.peer);
    const bool dialled_before = found != m_peers.end() && found->second.dialled;
    if (!dialled_before) {
        if (m_dialled >= m_config.max_outgoing) return Unexpected{Rule::peer_limit};
        ++m_dialled;
    }
    Peer& peer = m_peers[command.peer];
    peer.dialled = true;
    peer.info.node_id = command.peer;
    m_commands.push_back(std::move(command));
    wake_locked();
    return {};
}

void Hub::disconnect(const NodeId& id) {
    const std::lock_guard lock(m_mutex);
    const auto found = m_peers.find(id);
    if (found == m_peers.end()) return;
    if (found->second.dialled) {
        found->second.dialled = false;
        --m_dialled;
    }
    forget_if_unused(id);
    // One waiting is enough; with connect() refusing at its bound, this bounds the list.
    const auto last =
        std::find_if(m_commands.rbegin(), m_commands.rend(), [&](const Command& c) { return c.peer == id; });
    if (last != m_commands.rend() && last->kind == Command::Kind::disconnect) return;
    m_commands.push_back({Command::Kind::disconnect, id, {}, 0});
    wake_locked();
}

Expected<void, Rule> Hub::send(const NodeId& id, Bytes frame) {
    if (frame.size() > kMaxFrameSize) return Unexpected{Rule::frame_too_large};
    const std::lock_guard lock(m_mutex);
    const auto found = m_peers.find(id);
    if (found == m_peers.end()) return Unexpected{Rule::peer_unknown};
    Peer& peer = found->second;
    if (peer.session == 0 || peer.usable_session != peer.session) return Unexpected{Rule::peer_disconnected};
    if (peer.queued_frames >= m_config.max_queued_frames_per_peer ||
        peer.info.queued_bytes + frame.size() > m_config.max_queued_bytes_per_peer) {
        return Unexpected{Rule::queue_full};
    }
    peer.info.queued_bytes += frame.size();
    ++peer.queued_frames;
    peer.queue.push_back(std::move(frame));
    if (!peer.listed) {
        peer.listed = true;
        m_peers_with_frames.push_back(id);
        if (!m_in_batch || !std::exchange(m_batch_begun, true)) wake_locked();
    }
    return {};
}

void Hub::begin_batch() {
    const std::lock_guard lock(m_mutex);
    m_in_batch = true;
    m_batch_begun = false;
}

void Hub::end_batch() {
    const std::lock_guard lock(m_mutex);
    m_in_batch = false;
    if (!m_peers_with_frames.empty()) wake_locked();
}

void Hub::drain(std::vector<Inbound>& out) {
    const std::lock_guard lock(m_mutex);
    m_event.clear();
    for (const Inbound& event : m_inbound) {
        if (event.kind != Inbound::Kind::connected) continue;
        const auto found = m_peers.find(event.peer);
        if (found != m_peers.end()) found->second.usable_session = event.session;
    }
    if (out.empty())
        out.swap(m_inbound);
    else
        out.insert(out.end(), std::make_move_iterator(m_inbound.begin()), std::make_move_iterator(m_inbound.end()));
    m_inbound.clear();
    m_inbound_bytes = 0;
    if (m_inbound_full.exchange(false)) wake_locked();
}

std::vector<PeerInfo> Hub::peers() const {
    const std::lock_guard lock(m_mutex);
    std::vector<PeerInfo> out;
    out.reserve(m_peers.size());
    for (const auto& [id, peer] : m_peers) out.push_back(peer.info);
    return out;
}

void Hub::request_stop() {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
    wake_locked();
}

Hub::Work Hub::take_work() {
    const std::lock_guard lock(m_mutex);
    m_wake.clear();
    m_woken = false;
    Work out{std::move(m_commands), std::move(m_peers_with_frames), m_stop};
    m_commands.clear();
    m_peers_with_frames.clear();
    for (const NodeId& id : out.peers_with_frames) {
        const auto found = m_peers.find(id);
        if (found != m_peers.end()) found->second.listed = false;
    }
    return out;
}

void Hub::take_frames(const NodeId& id, std::deque<Bytes>& out) {
    const std::lock_guard lock(m_mutex);
    const auto found = m_peers.find(id);
    if (found == m_peers.end()) return;
    if (out.empty()) {
        out.swap(found->second.queue);
        return;
    }
    for (Bytes& frame : found->second.queue) out.push_back(std::move(frame));
    found->second.queue.clear();
}

void Hub::frames_sent(const NodeId& id, std::size_t frames, std::size_t bytes) {
    const std::lock_guard lock(m_mutex);
    const auto found = m_peers.find(id);
    if (found == m_peers.end()) return;
    Peer& peer = found->second;
    ASSERT(peer.queued_frames >= frames && peer.info.queued_bytes >= bytes);
    peer.queued_frames -= frames;
    peer.info.queued_bytes -= bytes;
    peer.info.frames_sent += frames;
    peer.info.bytes_sent += bytes;
}

void Hub::link_opened(const NodeId& id, std::uint64_t session, bool outgoing, const std::string& address) {
    const std::lock_guard lock(m_mutex);
    Peer& peer = m_peers[id];
    peer.session = session;
    peer.info.node_id = id;
    peer.info.connected = true;
    peer.info.outgoing = outgoing;
    peer.info.address = address;
}

void Hub::link_closed(const NodeId& id) {
    const std::lock_guard lock(m_mutex);
    Peer& peer = m_peers[id];
    peer.session = 0;
    peer.queue.clear();
    peer.queued_frames = 0;
    peer.info.queued_bytes = 0;
    peer.info.connected = false;
    peer.info.latency_us = -1;
    forget_if_unused(id);
}

void Hub::forget_if_unused(const NodeId& id) {
    const auto found = m_peers.find(id);
    if (found != m_peers.end() && !found->second.dialled && found->second.session == 0) m_peers.erase(found);
}

void Hub::latency_measured(const NodeId& id, std::int64_t latency_us) {
    const std::lock_guard lock(m_mutex);
    const auto found = m_peers.find(id);
    if (found != m_peers.end()) found->second.info.latency_us = latency_us;
}

void Hub::count_received(const std::vector<Inbound>& events) {
    for (const Inbound& event : events) {
        if (event.kind != Inbound::Kind::frame) continue;
        const auto found = m_peers.find(event.peer);
        if (found == m_peers.end()) continue;
        ++found->second.info.frames_received;
        found->second.info.bytes_received += event.frame.size();
    }
}

void Hub::publish(std::vector<Inbound>& events) {
    const std::lock_guard lock(m_mutex);
    count_received(events);
    const bool was_empty = m_inbound.empty();
    for (Inbound& event : events) {
        m_inbound_bytes += event.frame.size();
        m_inbound.push_back(std::move(event));
    }
    events.clear();
    if (m_inbound_bytes >= m_config.max_inbound_bytes || m_inbound.size() >= m_config.max_inbound_events) {
        m_inbound_full.store(true, std::memory_order_release);
    }
    if (was_empty) m_event.signal();
}

}  // namespace hedgerow::daemon
