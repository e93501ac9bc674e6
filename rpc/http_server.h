#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "rpc/http_message.h"

namespace hedgerow::rpc {

/// What a server accepts, and what it does at each bound.
struct HttpLimits {
    std::uint64_t max_body_bytes = 1 << 20;     ///< above: 413 body_too_large, then the connection closes
    std::uint32_t max_header_bytes = 16 << 10;  ///< request line and fields; above: 431 header_too_large, then closes
    std::uint32_t max_connections = 256;        ///< above: 503 too_many_connections, then closes
    std::uint32_t read_timeout_ms =
        10'000;  ///< from a request's first byte to its last; beyond: 408 request_timeout, closes
    std::uint32_t idle_timeout_ms = 60'000;  ///< between requests; beyond: closes silently
    std::uint32_t handler_timeout_ms =
        120'000;  ///< for the answer; beyond: 504 handler_timeout, a later answer is dropped
    std::uint32_t write_timeout_ms = 30'000;  ///< for a client to take the answer; beyond: closes
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";  ///< an IPv4 or IPv6 literal
    std::uint16_t port = 0;             ///< 0: chosen by the system, see HttpServer::port()
    unsigned threads = 1;               ///< that serve connections and call the handler
    HttpLimits limits;
};

/// Answers one request, exactly once, from any thread; a second send() asserts. If every copy goes away unanswered, the
/// client gets 500 no_answer. Harmless after the connection or the server is gone.
class HttpResponder {
  public:
    struct Slot;
    explicit HttpResponder(std::shared_ptr<Slot> slot) : m_slot(std::move(slot)) {}
    void send(HttpResponse response) const;

  private:
    std::shared_ptr<Slot> m_slot;
};

/// Called on a server thread; must not block: keep the responder and answer later. An exception becomes 500.
using HttpHandler = std::function<void(HttpRequest, HttpResponder)>;

/// HTTP/1.1 with keep-alive over TCP. A connection's requests are answered in order: a pipelined request is read only
/// once the one before it has been answered, so a client holds at most one request in the handler per connection.
class HttpServer {
  public:
    /// Binds and listens at once; std::system_error where it cannot (address in use, not permitted, no such address).
    HttpServer(HttpServerOptions options, HttpHandler handler);
    /// Stops: see stop().
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string url() const;  ///< "http://127.0.0.1:8645"
    /// Open connections now.
    [[nodiscard]] std::size_t connections() const;
    /// Stops accepting, closes every connection and joins the threads; handlers are not called afterwards. Idempotent.
    /// Not from a handler.
    void stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::rpc
