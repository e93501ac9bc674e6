#include "daemon/net/zmq_socket.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>

#if defined(__SANITIZE_THREAD__)
// The packaged libzmq is not instrumented: its lock-free queues, and what passes through them, look like races.
extern "C" const char* __tsan_default_suppressions() {
    return "called_from_lib:libzmq.so\ncalled_from_lib:libsodium.so\nrace:libzmq.so\nrace:ZmqMessage::property\n";
}
#endif

namespace hedgerow::daemon {

ZmqContext::ZmqContext() : m_context(zmq_ctx_new()) {
    if (m_context == nullptr) throw std::runtime_error("zmq_ctx_new failed");
}

ZmqContext::~ZmqContext() {
    while (zmq_ctx_term(m_context) != 0 && errno == EINTR) {
    }
}

ZmqMessage::ZmqMessage(std::size_t size) {
    if (zmq_msg_init_size(&m_message, size) != 0) throw std::bad_alloc();
}

ZmqMessage::ZmqMessage(channel::ByteView bytes) : ZmqMessage(bytes.size()) {
    if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
}

ZmqMessage::ZmqMessage(ZmqMessage&& other) noexcept {
    zmq_msg_init(&m_message);
    zmq_msg_move(&m_message, &other.m_message);
}

ZmqMessage& ZmqMessage::operator=(ZmqMessage&& other) noexcept {
    zmq_msg_move(&m_message, &other.m_message);
    return *this;
}

std::string_view ZmqMessage::property(const char* name) const {
    const char* value = zmq_msg_gets(&m_message, name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

ZmqSocket::ZmqSocket(const ZmqContext& context, int type) : m_socket(zmq_socket(context.handle(), type)) {
    if (m_socket == nullptr) throw std::runtime_error(fmt::format("zmq_socket: {}", zmq_strerror(errno)));
}

ZmqSocket::~ZmqSocket() {
    if (m_monitor != nullptr) {
        zmq_socket_monitor(m_socket, nullptr, 0);
        zmq_close(m_monitor);
    }
    zmq_close(m_socket);
}

void ZmqSocket::check(int result, const char* doing) const {
    if (result != 0) throw std::runtime_error(fmt::format("{}: {}", doing, zmq_strerror(errno)));
}

void ZmqSocket::set(int option, int value) {
    check(zmq_setsockopt(m_socket, option, &value, sizeof value), "zmq option");
}

void ZmqSocket::set_int64(int option, std::int64_t value) {
    check(zmq_setsockopt(m_socket, option, &value, sizeof value), "zmq option");
}

void ZmqSocket::set_bytes(int option, channel::ByteView value) {
    check(zmq_setsockopt(m_socket, option, value.data(), value.size()), "zmq option");
}

void ZmqSocket::bind(const std::string& endpoint) {
    check(zmq_bind(m_socket, endpoint.c_str()), ("cannot listen on " + endpoint).c_str());
}

void ZmqSocket::connect(const std::string& endpoint) {
    check(zmq_connect(m_socket, endpoint.c_str()), ("cannot connect to " + endpoint).c_str());
}

std::string ZmqSocket::last_endpoint() const {
    std::array<char, 300> text{};
    std::size_t size = text.size();
    check(zmq_getsockopt(m_socket, ZMQ_LAST_ENDPOINT, text.data(), &size), "zmq last endpoint");
    return text.data();
}

void ZmqSocket::start_monitor(const ZmqContext& context, int events) {
    static std::atomic<std::uint64_t> number = 0;
    const std::string endpoint = fmt::format("inproc://hedgerow-monitor-{}", ++number);
    check(zmq_socket_monitor(m_socket, endpoint.c_str(), events), "zmq monitor");
    m_monitor = zmq_socket(context.handle(), ZMQ_PAIR);
    if (m_monitor == nullptr) check(-1, "zmq monitor");
    check(zmq_connect(m_monitor, endpoint.c_str()), "zmq monitor");
}

std::optional<ZmqEvent> ZmqSocket::next_event() {
    ZmqMessage head;
    if (zmq_msg_recv(head.raw(), m_monitor, ZMQ_DONTWAIT) < 0) return std::nullopt;
    ZmqEvent out;
    if (head.size() == sizeof out.event + sizeof out.value) {
        std::memcpy(&out.event, head.data(), sizeof out.event);
        std::memcpy(&out.value, head.data() + sizeof out.event, sizeof out.value);
    }
    ZmqMessage address;
    if (head.more()) zmq_msg_recv(address.raw(), m_monitor, 0);
    return out;
}

SendResult ZmqSocket::send(ZmqMessage& message, bool more) {
    while (zmq_msg_send(message.raw(), m_socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) {
        if (errno == EAGAIN) return SendResult::would_block;
        if (errno == EHOSTUNREACH) return SendResult::unreachable;
        if (errno != EINTR) check(-1, "zmq send");
    }
    return SendResult::sent;
}

bool ZmqSocket::receive(ZmqMessage& message) {
    while (zmq_msg_recv(message.raw(), m_socket, ZMQ_DONTWAIT) < 0) {
        if (errno == EAGAIN) return false;
        if (errno != EINTR) check(-1, "zmq receive");
    }
    return true;
}

}  // namespace hedgerow::daemon
