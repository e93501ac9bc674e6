#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "channel/base/expected.h"
#include "channel/base/ids.h"
#include "channel/base/rule.h"
#include "daemon/net/frame.h"
#include "daemon/net/transport_keys.h"

namespace hedgerow::daemon {

struct TransportConfig {
    bool listen = true;
    std::string listen_host = "127.0.0.1";  ///< address of an interface; "0.0.0.0" or "::" for all
    std::uint16_t listen_port = 0;          ///< 0: any free one, see Transport::port()
    std::size_t max_outgoing = 256;         ///< peers to keep connected to
    std::size_t max_incoming = 256;         ///< links accepted from others
    std::size_t max_connections = 512;      ///< accepted TCP connections, with or without a link
    std::size_t max_queued_bytes_per_peer = std::size_t{8} << 20;
    std::size_t max_queued_frames_per_peer = 65'536;
    std::size_t max_inbound_bytes = std::size_t{64} << 20;  ///< undrained; at it nothing is read until drain()
    std::size_t max_inbound_events = std::size_t{1} << 18;
    int heartbeat_ms = 2'000;
    int peer_timeout_ms = 10'000;  ///< silence after which a link is lost
    int handshake_timeout_ms = 5'000;
    int reconnect_min_ms = 100;  ///< doubles at each failure, up to the maximum
    int reconnect_max_ms = 10'000;
};

/// What the transport reports, in the order in which it happened per peer.
struct Inbound {
    enum class Kind : std::uint8_t {
        connected,     ///< a link stands; frames of `session` follow
        frame,         ///< one frame of the peer protocol
        disconnected,  ///< the link is gone; `rule` says why (peer_disconnected, timeout, frame_too_large, ...)
        refused,  ///< no link came about: `rule` (identity_mismatch, protocol_version_unsupported, peer_limit, ...)
    };
    Kind kind = Kind::frame;
    channel::NodeId peer;  ///< for refused: the id that was claimed or dialled, zero where none was
    std::uint64_t session = 0;
    channel::Bytes frame;
    channel::Rule rule = channel::Rule::none;
};

struct PeerInfo {
    channel::NodeId node_id;
    bool connected = false;
    bool outgoing = false;         ///< we dialled
    std::string address;           ///< where we dial, or whence it came
    std::int64_t latency_us = -1;  ///< of the last ping; -1: none yet
    std::uint64_t frames_sent = 0, frames_received = 0, bytes_sent = 0, bytes_received = 0;
    std::size_t queued_bytes = 0;
};

/// Frames between nodes, what a node is built on. Every peer is authenticated. One link a peer, whoever dialled. Within a
/// session frames arrive in order and complete; a lost link loses what was under way, and the next session begins with
/// `connected`. A slow peer fills its own queue only.
class Transport {
  public:
    virtual ~Transport() = default;

    /// The port that is bound; 0 where listening is off.
    [[nodiscard]] virtual std::uint16_t port() const = 0;
    [[nodiscard]] virtual const channel::NodeId& node_id() const = 0;

    /// Keeps a link to this peer until disconnect(): dials, and dials again whenever the link is lost. Calling again
    /// replaces the address. Errors: peer_is_self, node_id_malformed, host_malformed, port_out_of_range, peer_limit.
    [[nodiscard]] virtual channel::Expected<void, channel::Rule> connect(const channel::NodeId& peer,
                                                                         const std::string& host,
                                                                         std::uint16_t port) = 0;
    /// Ends the link, if any, and stops dialling. The peer may still dial us.
    virtual void disconnect(const channel::NodeId& peer) = 0;

    /// Queues one frame; from any thread. Errors: frame_too_large, peer_unknown (neither linked nor dialled),
    /// peer_disconnected, queue_full (this peer reads too slowly; nothing was queued). Between a lost link and the
    /// draining of the next `connected`, everything is peer_disconnected: no frame meant for one session is sent in
    /// another.
    [[nodiscard]] virtual channel::Expected<void, channel::Rule> send(const channel::NodeId& peer,
                                                                      channel::Bytes frame) = 0;

    /// Until end_batch() only the first frame need go out at once, so that sending many costs few changes of threads.
    virtual void begin_batch() {}
    virtual void end_batch() {}

    /// Readable while events wait.
    [[nodiscard]] virtual int event_fd() const = 0;
    /// Appends all waiting events to `out`.
    virtual void drain(std::vector<Inbound>& out) = 0;

    [[nodiscard]] virtual std::vector<PeerInfo> peers() const = 0;
};

/// A batch of frames, as long as it lives.
class SendBatch {
  public:
    explicit SendBatch(Transport& transport) : m_transport(transport) { m_transport.begin_batch(); }
    ~SendBatch() { m_transport.end_batch(); }
    SendBatch(const SendBatch&) = delete;
    SendBatch& operator=(const SendBatch&) = delete;

  private:
    Transport& m_transport;
};

/// The real one: ZeroMQ over TCP with CURVE (DESIGN 9), on one thread of its own. Whom we dial is proved by its CURVE key,
/// who dials us by its CURVE key against the NodeId that it claims.
class ZmqTransport final : public Transport {
  public:
    /// Binds and starts. Throws std::runtime_error where the address cannot be bound.
    ZmqTransport(const TransportConfig& config, const TransportKeys& keys);
    /// Says goodbye to every peer; what is queued and can be written at once still goes.
    ~ZmqTransport() override;
    ZmqTransport(const ZmqTransport&) = delete;
    ZmqTransport& operator=(const ZmqTransport&) = delete;

    [[nodiscard]] std::uint16_t port() const override;
    [[nodiscard]] const channel::NodeId& node_id() const override;
    [[nodiscard]] channel::Expected<void, channel::Rule> connect(const channel::NodeId& peer, const std::string& host,
                                                                 std::uint16_t port) override;
    void disconnect(const channel::NodeId& peer) override;
    [[nodiscard]] channel::Expected<void, channel::Rule> send(const channel::NodeId& peer,
                                                              channel::Bytes frame) override;
    void begin_batch() override;
    void end_batch() override;
    [[nodiscard]] int event_fd() const override;
    void drain(std::vector<Inbound>& out) override;
    [[nodiscard]] std::vector<PeerInfo> peers() const override;

  private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::daemon
