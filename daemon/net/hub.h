#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/event_fd.h"
#include "daemon/net/transport.h"

namespace hedgerow::daemon {

/// What the node's threads and the transport's thread share: commands and frames one way, events the other. Each side
/// does many items under one lock and wakes the other once.
class Hub {
  public:
    explicit Hub(const TransportConfig& config) : m_config(config) {}

    struct Command {
        enum class Kind : std::uint8_t { connect, disconnect };
        Kind kind;
        channel::NodeId peer;
        std::string host;
        std::uint16_t port = 0;
    };

    // The node's side.
    [[nodiscard]] channel::Expected<void, channel::Rule> connect(Command command);
    void disconnect(const channel::NodeId& peer);
    [[nodiscard]] channel::Expected<void, channel::Rule> send(const channel::NodeId& peer, channel::Bytes frame);
    void begin_batch();
    void end_batch();
    void drain(std::vector<Inbound>& out);
    [[nodiscard]] std::vector<PeerInfo> peers() const;
    void request_stop();
    [[nodiscard]] int event_fd() const { return m_event.fd(); }

    // The transport thread's side.
    struct Work {
        std::vector<Command> commands;
        std::vector<channel::NodeId> peers_with_frames;
        bool stop = false;
    };
    [[nodiscard]] int wake_fd() const { return m_wake.fd(); }
    void wake() { m_wake.signal(); }
    [[nodiscard]] Work take_work();
    /// Moves all frames queued for the peer to the end of `out`.
    void take_frames(const channel::NodeId& peer, std::deque<channel::Bytes>& out);
    /// `frames` of `bytes` left for the wire: their room in the queue is free again.
    void frames_sent(const channel::NodeId& peer, std::size_t frames, std::size_t bytes);
    void link_opened(const channel::NodeId& peer, std::uint64_t session, bool outgoing, const std::string& address);
    void link_closed(const channel::NodeId& peer);
    void latency_measured(const channel::NodeId& peer, std::int64_t latency_us);
    void publish(std::vector<Inbound>& events);
    /// True while so much is undrained that nothing more should be read.
    [[nodiscard]] bool inbound_full() const { return m_inbound_full.load(std::memory_order_acquire); }

  private:
    struct Peer {
        PeerInfo info;
        bool dialled = false;
        std::uint64_t session = 0;         // of the link that stands; 0 = none
        std::uint64_t usable_session = 0;  // the newest whose `connected` was drained
        std::deque<channel::Bytes> queue;
        std::size_t queued_frames = 0;  // in `queue` or taken and not yet sent
        bool listed = false;            // in m_peers_with_frames
    };

    void wake_locked();
    void count_received(const std::vector<Inbound>& events);
    void forget_if_unused(const channel::NodeId& peer);

    const TransportConfig m_config;
    mutable std::mutex m_mutex;
    std::unordered_map<channel::NodeId, Peer, channel::FixedBytesHash> m_peers;
    std::vector<channel::NodeId> m_peers_with_frames;
    std::vector<Command> m_commands;
    std::vector<Inbound> m_inbound;
    std::size_t m_inbound_bytes = 0;
    std::size_t m_dialled = 0;
    std::atomic<bool> m_inbound_full = false;
    bool m_woken = false;
    bool m_in_batch = false;
    bool m_batch_begun = false;  ///< its first frame was
    bool m_stop = false;
    EventFd m_wake;
    EventFd m_event;
};

}  // namespace hedgerow::daemon
