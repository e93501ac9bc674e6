#pragma once

#include <zmq.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "channel/base/bytes.h"

namespace hedgerow::daemon {

/// RAII over libzmq's context. The transport thread, all sockets and ZMQ's own I/O thread end before it does.
class ZmqContext {
  public:
    ZmqContext();
    ~ZmqContext();
    ZmqContext(const ZmqContext&) = delete;
    ZmqContext& operator=(const ZmqContext&) = delete;
    [[nodiscard]] void* handle() const { return m_context; }

  private:
    void* m_context;
};

/// One ZeroMQ message.
class ZmqMessage {
  public:
    ZmqMessage() { zmq_msg_init(&m_message); }
    explicit ZmqMessage(std::size_t size);
    explicit ZmqMessage(channel::ByteView bytes);
    ~ZmqMessage() { zmq_msg_close(&m_message); }
    ZmqMessage(ZmqMessage&& other) noexcept;
    ZmqMessage& operator=(ZmqMessage&& other) noexcept;

    [[nodiscard]] std::uint8_t* data() { return static_cast<std::uint8_t*>(zmq_msg_data(&m_message)); }
    [[nodiscard]] std::size_t size() const { return zmq_msg_size(&m_message); }
    [[nodiscard]] channel::ByteView view() { return {data(), size()}; }
    [[nodiscard]] bool more() const { return zmq_msg_more(&m_message) != 0; }
    /// A property of the connection that it came over; empty where there is none.
    [[nodiscard]] std::string_view property(const char* name) const;
    [[nodiscard]] zmq_msg_t* raw() { return &m_message; }

  private:
    zmq_msg_t m_message;
};

/// An event of a socket monitor.
struct ZmqEvent {
    std::uint16_t event = 0;
    std::uint32_t value = 0;
};

enum class SendResult : std::uint8_t { sent, would_block, unreachable };

/// RAII over one socket and, where asked for, its monitor. Used by one thread at a time. Errors that can only be our
/// own mistake throw std::runtime_error.
class ZmqSocket {
  public:
    ZmqSocket(const ZmqContext& context, int type);
    ~ZmqSocket();
    ZmqSocket(const ZmqSocket&) = delete;
    ZmqSocket& operator=(const ZmqSocket&) = delete;

    void set(int option, int value);
    void set_int64(int option, std::int64_t value);
    void set_bytes(int option, channel::ByteView value);
    void bind(const std::string& endpoint);
    void connect(const std::string& endpoint);
    [[nodiscard]] std::string last_endpoint() const;
    /// Starts a monitor for `events`; its own socket is monitor_handle().
    void start_monitor(const ZmqContext& context, int events);
    [[nodiscard]] std::optional<ZmqEvent> next_event();

    /// Never blocks. `message` is consumed where it was sent.
    SendResult send(ZmqMessage& message, bool more = false);
    /// Never blocks; false where nothing waits.
    bool receive(ZmqMessage& message);

    [[nodiscard]] void* handle() const { return m_socket; }
    [[nodiscard]] void* monitor_handle() const { return m_monitor; }

  private:
    void check(int result, const char* doing) const;

    void* m_socket = nullptr;
    void* m_monitor = nullptr;
};

}  // namespace hedgerow::daemon
