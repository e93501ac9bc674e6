#include "tests/sim/network.h"

namespace hedgerow::sim {

using channel::Bytes;
using channel::Expected;
using channel::NodeId;
using channel::Rule;
using channel::Unexpected;
using daemon::Inbound;

namespace {

constexpr std::uint64_t kMinRedialMs = 100;
constexpr std::uint64_t kMaxRedialMs = 10'000;
constexpr std::uint64_t kMaxNoticeMs = 10'000;  // the transport's peer_timeout_ms
constexpr std::uint16_t kPort = 9735;

}  // namespace

/// One node's end of the network.
class SimTransport final : public daemon::Transport {
  public:
    SimTransport(Network& network, const NodeId& id) : m_network(network), m_id(id) {}
    ~SimTransport() override { m_network.detach(m_id); }

    [[nodiscard]] std::uint16_t port() const override { return kPort; }
    [[nodiscard]] const NodeId& node_id() const override { return m_id; }
    [[nodiscard]] Expected<void, Rule> connect(const NodeId& peer, const std::string& host,
                                               std::uint16_t port) override {
        return m_network.connect(m_id, peer, host, port);
    }
    void disconnect(const NodeId& peer) override { m_network.disconnect(m_id, peer); }
    [[nodiscard]] Expected<void, Rule> send(const NodeId& peer, Bytes frame) override {
        return m_network.send(m_id, peer, std::move(frame));
    }
    [[nodiscard]] int event_fd() const override { return m_network.m_endpoints.at(m_id).event->fd(); }
    void drain(std::vector<Inbound>& out) override {
        Network::Endpoint& endpoint = m_network.m_endpoints.at(m_id);
        endpoint.event->clear();
        for (Inbound& event : endpoint.inbox) {
            if (event.kind == Inbound::Kind::connected) endpoint.peers[event.peer].usable_session = event.session;
            out.push_back(std::move(event));
        }
        endpoint.inbox.clear();
    }
    [[nodiscard]] std::vector<daemon::PeerInfo> peers() const override {
        std::vector<daemon::PeerInfo> out;
        for (const auto& [id, peer] : m_network.m_endpoints.at(m_id).peers) {
            if (peer.dialled || peer.session != 0) out.push_back(peer.info);
        }
        return out;
    }

  private:
    Network& m_network;
    const NodeId m_id;
};

std::unique_ptr<daemon::Transport> Network::attach(const NodeId& id, Wake wake) {
    Endpoint& endpoint = m_endpoints[id];
    ASSERT(!endpoint.alive);
    endpoint.alive = true;
    ++endpoint.epoch;
    endpoint.wake = std::move(wake);
    endpoint.event = std::make_unique<daemon::EventFd>();
    return std::make_unique<SimTransport>(*this, id);
}

void Network::detach(const NodeId& id) {
    Endpoint& endpoint = m_endpoints.at(id);
    endpoint.alive = false;
    std::vector<NodeId> linked;
    for (const auto& [other, peer] : endpoint.peers) {
        if (m_links.contains(pair_of(id, other))) linked.push_back(other);
    }
    endpoint.peers.clear();
    endpoint.inbox.clear();
    // A process that dies closes its sockets; a machine that dies says nothing.
    for (const NodeId& other : linked) lose(id, other, m_random.chance(500) ? delay() : kMaxNoticeMs);
}

Network::Peer* Network::peer(const NodeId& at, const NodeId& of) {
    const auto endpoint = m_endpoints.find(at);
    if (endpoint == m_endpoints.end() || !endpoint->second.alive) return nullptr;
    const auto found = endpoint->second.peers.find(of);
    return found == endpoint->second.peers.end() ? nullptr : &found->second;
}

std::uint64_t Network::delay() {
    return m_random.between(m_weather.min_delay_ms, m_weather.max_delay_ms);
}

void Network::deliver(const NodeId& to, Inbound event) {
    Endpoint& endpoint = m_endpoints.at(to);
    endpoint.inbox.push_back(std::move(event));
    endpoint.event->signal();
    endpoint.wake();
}

// --- links
// ------------------------------------------------------------------------------------------------------------------

Expected<void, Rule> Network::connect(const NodeId& from, const NodeId& to, const std::string& host,
                                      std::uint16_t port) {
    if (from == to) return Unexpected{Rule::peer_is_self};
    if (port == 0) return Unexpected{Rule::port_out_of_range};
    Endpoint& endpoint = m_endpoints.at(from);
    Peer& peer = endpoint.peers[to];
    peer.dialled = true;
    peer.info.node_id = to;
    peer.info.address = host + ":" + std::to_string(port);
    if (peer.dialling || peer.session != 0) return {};
    peer.dialling = true;
    m_queue.after(delay(), [this, from, to, epoch = endpoint.epoch] { dial(from, to, epoch); });
    return {};
}

void Network::dial(const NodeId& from, const NodeId& to, std::uint64_t epoch) {
    Peer* mine = peer(from, to);
    if (mine == nullptr || m_endpoints.at(from).epoch != epoch) return;
    mine->dialling = false;
    if (!mine->dialled || mine->session != 0) return;
    const auto other = m_endpoints.find(to);
    if (other != m_endpoints.end() && other->second.alive && !m_partitions.contains(pair_of(from, to))) {
        mine->failures = 0;
        return establish(from, to);
    }
    const std::uint64_t pause = std::min(kMaxRedialMs, kMinRedialMs << std::min<std::uint64_t>(mine->failures++, 10));
    mine->dialling = true;
    m_queue.after(pause, [this, from, to, epoch] { dial(from, to, epoch); });
}

void Network::establish(const NodeId& from, const NodeId& to) {
    const std::uint64_t id = m_next_link++;
    m_links[pair_of(from, to)] = {id, {}};
    open_side(from, to, id, true);
    open_side(to, from, id, false);
}

void Network::open_side(const NodeId& at, const NodeId& of, std::uint64_t link, bool outgoing) {
    // It may still believe in a link that is no more.
    if (Peer* old = peer(at, of); old != nullptr && old->session != 0) {
        close_side(at, of, old->link, Rule::peer_disconnected);
    }
    Peer& mine = m_endpoints.at(at).peers[of];
    mine.info.node_id = of;
    mine.session = m_next_session++;
    mine.link = link;
    mine.info.connected = true;
    mine.info.outgoing = outgoing;
    deliver(at, {Inbound::Kind::connected, of, mine.session, {}, Rule::none});
}

void Network::close_side(const NodeId& at, const NodeId& of, std::uint64_t link, Rule rule) {
    Peer* mine = peer(at, of);
    if (mine == nullptr || mine->session == 0 || mine->link != link) return;
    const std::uint64_t session = mine->session;
    mine->session = 0;
    mine->info.connected = false;
    deliver(at, {Inbound::Kind::disconnected, of, session, {}, rule});
    mine = peer(at, of);
    if (mine == nullptr || !mine->dialled || mine->dialling) return;
    mine->dialling = true;
    m_queue.after(kMinRedialMs + delay(), [this, at, of, epoch = m_endpoints.at(at).epoch] { dial(at, of, epoch); });
}

void Network::lose(const NodeId& a, const NodeId& b, std::uint64_t notice_ms) {
    const auto link = m_links.find(pair_of(a, b));
    if (link == m_links.end()) return;
    const std::uint64_t id = link->second.id;
    m_links.erase(link);
    ++m_links_lost;
    for (const auto& [at, of] : {Pair{a, b}, Pair{b, a}}) {
        const std::uint64_t when = 1 + m_random.below(notice_ms + 1);
        m_queue.after(when, [this, at = at, of = of, id] { close_side(at, of, id, Rule::peer_disconnected); });
    }
}

void Network::cut(const NodeId& a, const NodeId& b) {
    lose(a, b, m_random.chance(500) ? delay() : kMaxNoticeMs);
}

void Network::set_partitioned(const NodeId& a, const NodeId& b, bool partitioned) {
    if (!partitioned) {
        m_partitions.erase(pair_of(a, b));
        return;
    }
    m_partitions.insert(pair_of(a, b));
    lose(a, b, kMaxNoticeMs);
}

void Network::disconnect(const NodeId& from, const NodeId& to) {
    Peer* mine = peer(from, to);
    if (mine == nullptr) return;
    mine->dialled = false;
    const auto link = m_links.find(pair_of(from, to));
    const std::uint64_t id = mine->link;
    if (link != m_links.end() && link->second.id == id) {
        m_links.erase(link);
        m_queue.after(delay(), [this, from, to, id] { close_side(to, from, id, Rule::peer_disconnected); });
    }
    close_side(from, to, id, Rule::peer_disconnected);
}

// --- frames
// -----------------------------------------------------------------------------------------------------------------

Expected<void, Rule> Network::send(const NodeId& from, const NodeId& to, Bytes frame) {
    if (frame.size() > daemon::kMaxFrameSize) return Unexpected{Rule::frame_too_large};
    Peer* mine = peer(from, to);
    if (mine == nullptr) return Unexpected{Rule::peer_unknown};
    if (mine->session == 0 || mine->usable_session != mine->session) return Unexpected{Rule::peer_disconnected};
    if (m_weather.full_per_million != 0 && m_random.below(1'000'000) < m_weather.full_per_million)
        return Unexpected{Rule::queue_full};
    const std::uint64_t link = mine->link;
    if (m_tap) m_tap(from, to, frame);
    const auto tamper = m_tampers.find(from);
    if (tamper == m_tampers.end()) {
        transmit(from, to, link, std::move(frame));
        return {};
    }
    for (Bytes& one : tamper->second(to, std::move(frame))) transmit(from, to, link, std::move(one));
    return {};
}

void Network::inject(const NodeId& from, const NodeId& to, Bytes frame) {
    const auto link = m_links.find(pair_of(from, to));
    if (link != m_links.end()) transmit(from, to, link->second.id, std::move(frame));
}

void Network::transmit(const NodeId& from, const NodeId& to, std::uint64_t id, Bytes frame) {
    const auto link = m_links.find(pair_of(from, to));
    if (link == m_links.end() || link->second.id != id) return;  // lost, and not noticed yet
    ++m_frames;
    if (m_weather.cut_per_million != 0 && m_random.below(1'000'000) < m_weather.cut_per_million) return cut(from, to);
    std::uint64_t& busy = link->second.busy_until_ms[to];
    busy = std::max(busy, m_queue.now_ms() + delay());
    m_queue.at(busy, [this, from, to, id, frame = std::move(frame)]() mutable {
        const auto now = m_links.find(pair_of(from, to));
        if (now == m_links.end() || now->second.id != id) return;  // it was under way
        const Peer* other = peer(to, from);
        if (other == nullptr || other->link != id || other->session == 0) return;
        deliver(to, {Inbound::Kind::frame, from, other->session, std::move(frame), Rule::none});
    });
}

}  // namespace hedgerow::sim
