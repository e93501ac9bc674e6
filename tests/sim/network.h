#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "daemon/base/event_fd.h"
#include "daemon/net/transport.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/random.h"

namespace hedgerow::sim {

/// How frames travel. Times in milliseconds.
struct NetworkWeather {
    std::uint64_t min_delay_ms = 1;
    std::uint64_t max_delay_ms = 40;
    std::uint64_t cut_per_million = 0;   ///< of frames: the link is lost while this one is under way
    std::uint64_t full_per_million = 0;  ///< of frames: the sender's queue is full
};

/// The network between all nodes of a world. It keeps the transport's contract (daemon/net/transport.h): within a
/// session frames arrive in order and complete; a lost link loses what was under way; each side learns of that in its
/// own time, and what it sends until then is lost too.
class Network {
  public:
    using NodeId = channel::NodeId;
    using Wake = std::function<void()>;
    /// Sees what a node sends, before anything happens to it.
    using Tap = std::function<void(const NodeId& from, const NodeId& to, channel::ByteView frame)>;
    /// What a lying node really sends in place of a frame.
    using Tamper = std::function<std::vector<channel::Bytes>(const NodeId& to, channel::Bytes frame)>;

    Network(EventQueue& queue, Random random) : m_queue(queue), m_random(random) {}

    /// The transport of a node that starts; `wake` is called when something waits for it. Destroying it is the end of
    /// that process. One a node at a time.
    [[nodiscard]] std::unique_ptr<daemon::Transport> attach(const NodeId& id, Wake wake);

    void set_weather(const NetworkWeather& weather) { m_weather = weather; }
    void set_tap(Tap tap) { m_tap = std::move(tap); }
    void set_tamper(const NodeId& liar, Tamper tamper) { m_tampers[liar] = std::move(tamper); }
    void clear_tampers() { m_tampers.clear(); }
    /// Loses the link, if there is one.
    void cut(const NodeId& a, const NodeId& b);
    /// No link stands between the two until healed.
    void set_partitioned(const NodeId& a, const NodeId& b, bool partitioned);
    /// A frame out of nowhere, as if `from` had sent it on the link of now; for liars.
    void inject(const NodeId& from, const NodeId& to, channel::Bytes frame);

    [[nodiscard]] std::uint64_t frames() const { return m_frames; }
    [[nodiscard]] std::uint64_t links_lost() const { return m_links_lost; }

  private:
    friend class SimTransport;
    using Pair = std::pair<NodeId, NodeId>;  ///< the smaller first

    struct Peer {
        bool dialled = false;
        bool dialling = false;
        std::uint64_t failures = 0;
        std::uint64_t session = 0;         ///< that this side believes in; 0: none
        std::uint64_t usable_session = 0;  ///< the newest whose `connected` was drained
        std::uint64_t link = 0;            ///< under that session
        daemon::PeerInfo info;
    };
    struct Endpoint {
        std::uint64_t epoch = 0;
        bool alive = false;
        Wake wake;
        std::map<NodeId, Peer> peers;
        std::vector<daemon::Inbound> inbox;
        std::unique_ptr<daemon::EventFd> event;
    };
    struct Link {
        std::uint64_t id = 0;
        std::map<NodeId, std::uint64_t> busy_until_ms;  ///< by receiver: frames keep their order
    };

    static Pair pair_of(const NodeId& a, const NodeId& b) { return a < b ? Pair{a, b} : Pair{b, a}; }
    [[nodiscard]] Peer* peer(const NodeId& at, const NodeId& of);
    [[nodiscard]] std::uint64_t delay();
    void dial(const NodeId& from, const NodeId& to, std::uint64_t epoch);
    void establish(const NodeId& from, const NodeId& to);
    void open_side(const NodeId& at, const NodeId& of, std::uint64_t link, bool outgoing);
    void close_side(const NodeId& at, const NodeId& of, std::uint64_t link, channel::Rule rule);
    void lose(const NodeId& a, const NodeId& b, std::uint64_t notice_ms);
    void deliver(const NodeId& to, daemon::Inbound event);
    void transmit(const NodeId& from, const NodeId& to, std::uint64_t link, channel::Bytes frame);
    void detach(const NodeId& id);

    // The transport's side.
    [[nodiscard]] channel::Expected<void, channel::Rule> connect(const NodeId& from, const NodeId& to,
                                                                 const std::string& host, std::uint16_t port);
    void disconnect(const NodeId& from, const NodeId& to);
    [[nodiscard]] channel::Expected<void, channel::Rule> send(const NodeId& from, const NodeId& to,
                                                              channel::Bytes frame);

    EventQueue& m_queue;
    Random m_random;
    NetworkWeather m_weather;
    Tap m_tap;
    std::map<NodeId, Tamper> m_tampers;
    std::map<NodeId, Endpoint> m_endpoints;
    std::map<Pair, Link> m_links;
    std::set<Pair> m_partitions;
    std::uint64_t m_next_link = 1;
    std::uint64_t m_next_session = 1;
    std::uint64_t m_frames = 0;
    std::uint64_t m_links_lost = 0;
};

}  // namespace hedgerow::sim
