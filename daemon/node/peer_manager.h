#pragma once

#include <deque>
#include <map>
#include <memory>

#include "daemon/node/node_parts.h"

namespace hedgerow::daemon {

/// Who is linked, whether Hello fits, and what each message is: decodes frames, answers bad ones by name and hands good
/// ones on.
class PeerManager {
  public:
    /// What becomes of peers and their messages. A peer is `ready` when it runs this protocol on this chain and
    /// contract.
    class Events {
      public:
        virtual ~Events() = default;
        virtual void on_ready(const channel::NodeId& peer) = 0;
        virtual void on_lost(const channel::NodeId& peer) = 0;
        virtual void on_message(const channel::NodeId& peer, channel::PeerMessage message) = 0;
    };
    static constexpr std::size_t kMaxWaiters = 1'024;
    static constexpr std::uint64_t kConnectTimeoutMs = 10'000;

    PeerManager(NodeParts& parts, Transport& transport, Events& events);

    /// What one turn may take before it is stored and sent, so that both sides of many channels work at once, and nobody waits for
    /// more of somebody else's than this: frames, each peer with some waiting in its turn.
    static constexpr std::size_t kFramesPerTurn = 64;
    static constexpr std::size_t kBytesPerTurn = 256 << 10;  ///< some ten full updates, whatever their size

    /// A turn's worth of what the transport has; the rest is for the next turns, while waiting(). Once a turn.
    void drain();
    [[nodiscard]] bool waiting() const { return !m_order.empty(); }
    void end_turn() { m_drained = false; }
    /// Queued behind what this turn persists, for the link of now: when it is lost the message is too (the next link
    /// begins anew).
    void send(const channel::NodeId& peer, const channel::PeerMessage& message);
    /// The link of now, for send_now; 0: there is none.
    [[nodiscard]] std::uint64_t session(const channel::NodeId& peer) const;
    /// At once, on that link only: for who has waited until what it says is durable (a tower, in a store of its own).
    void send_now(const channel::NodeId& peer, std::uint64_t session, const channel::PeerMessage& message);
    void error(const channel::NodeId& peer, const channel::ChannelId& channel, channel::Rule rule);

    /// Of frames that the peer has not read yet.
    [[nodiscard]] std::size_t queued_bytes(const channel::NodeId& peer) const;
    [[nodiscard]] bool ready(const channel::NodeId& peer) const;
    void connect(const std::string& uri, Answer<PeerInfo> done);
    [[nodiscard]] Result<void> disconnect(const channel::NodeId& peer);
    /// Dials the peers of earlier runs.
    void restore(const std::vector<std::string>& uris);
    [[nodiscard]] std::vector<PeerInfo> list() const { return m_transport.peers(); }
    [[nodiscard]] std::string uri(const channel::NodeId& peer) const;
    void tick();

  private:
    struct Link {
        std::uint64_t session = 0;
        bool ready = false;
        std::uint64_t bad_frames = 0;
    };
    struct Waiter {
        Answer<PeerInfo> done;
        std::uint64_t until_ms = 0;
    };

    void fetch();
    std::size_t take_first(const channel::NodeId& peer);
    void take(Inbound& event);
    void frame(const channel::NodeId& peer, const channel::Bytes& frame);
    void hello(const channel::NodeId& peer, const channel::Hello& hello);
    void lost(const channel::NodeId& peer);
    void reset_link(const channel::NodeId& peer);
    void answer_waiters(const channel::NodeId& peer);
    void send_bytes(const channel::NodeId& peer, std::uint64_t session, channel::Bytes frame);

    NodeParts& m_parts;
    Transport& m_transport;
    Events& m_events;
    std::map<channel::NodeId, Link> m_links;
    std::map<channel::NodeId, std::string> m_uris;
    std::multimap<channel::NodeId, Waiter> m_waiters;
    std::vector<Inbound> m_inbound;
    std::map<channel::NodeId, std::deque<Inbound>> m_backlog;  ///< of whom something waits
    std::deque<channel::NodeId> m_order;                       ///< the same, who is next
    std::size_t m_waiting = 0;                                 ///< frames in m_backlog
    bool m_drained = false;                                    ///< in this turn
};

}  // namespace hedgerow::daemon
