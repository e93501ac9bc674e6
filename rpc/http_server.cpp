#include "rpc/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "channel/base/assert.h"

namespace hedgerow::rpc {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using error_code = boost::system::error_code;

namespace {

// One session type serves every kind of byte stream: TCP now, a unix socket by another acceptor.
using Executor = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Parser = http::request_parser<http::string_body>;
using Clock = asio::steady_timer::clock_type;

constexpr std::size_t kFirstRead = 4 << 10;  ///< what an idle connection keeps room for
constexpr std::size_t kFurtherRead = 64 << 10;

/// After a refusal the rest of what the client sends is read and dropped for this long and this far, so that it sees
/// the answer instead of a reset connection.
constexpr auto kDrainTime = std::chrono::seconds(2);
constexpr std::size_t kDrainBytes = 4 << 20;
constexpr auto kAcceptPause = std::chrono::milliseconds(50);
/// How long stop() lets answers that were already given reach their clients.
constexpr auto kStopTime = std::chrono::seconds(1);

std::chrono::milliseconds ms(std::uint32_t count) {
    return std::chrono::milliseconds(count);
}

class Session;

/// What server, sessions and responders share; outlives the server while a responder is kept.
struct Shared {
    Shared(HttpLimits the_limits, HttpHandler the_handler) : limits(the_limits), handler(std::move(the_handler)) {}
    const HttpLimits limits;
    const HttpHandler handler;
    std::mutex mutex;
    std::condition_variable changed;
    std::map<Session*, std::weak_ptr<Session>> sessions;
    bool stopping = false;  ///< connections end as soon as their answers are written
    bool stopped = false;   ///< the io context may be gone: nothing may be posted to it any more
};

HttpRequest to_request(http::request<http::string_body>&& message, std::string remote) {
    HttpRequest out;
    out.method = std::string(message.method_string());
    const std::string_view target(message.target().data(), message.target().size());
    const std::size_t question = target.find('?');
    out.path = std::string(target.substr(0, question));
    if (question != std::string_view::npos) out.query = std::string(target.substr(question + 1));
    for (const auto& field : message) out.fields.emplace_back(field.name_string(), field.value());
    out.body = std::move(message.body());
    out.remote = std::move(remote);
    return out;
}

std::string describe_peer(const Socket& socket) {
    error_code ec;
    const auto endpoint = socket.remote_endpoint(ec);
    if (ec) return "unknown";
    const int family = endpoint.protocol().family();
    if (family != AF_INET && family != AF_INET6) return "local";
    tcp::endpoint ip(family == AF_INET ? tcp::v4() : tcp::v6(), 0);
    ip.resize(endpoint.size());
    std::memcpy(ip.data(), endpoint.data(), endpoint.size());
    return fmt::format("{}:{}", ip.address().to_string(), ip.port());
}

}  // namespace

/// The one-shot channel from a handler back to its session; `answered` decides the race between answer and drop.
struct HttpResponder::Slot {
    std::shared_ptr<Shared> shared;
    std::weak_ptr<Session> session;
    std::uint64_t request = 0;
    std::atomic<bool> answered{false};
    void post(HttpResponse response);
    ~Slot();
};

namespace {

/// One connection: read a request, hand it over, write the answer, repeat. Everything runs on the connection's strand.
class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(Socket socket, std::shared_ptr<Shared> shared)
        : m_remote(describe_peer(socket)),
          m_shared(std::move(shared)),
          m_socket(std::move(socket)),
          m_timer(m_socket.get_executor()) {}
    ~Session() {
        const std::lock_guard lock(m_shared->mutex);
        m_shared->sessions.erase(this);
        m_shared->changed.notify_all();
    }

    Executor executor() { return m_socket.get_executor(); }
    void start() {
        asio::dispatch(executor(), [self = shared_from_this()] { self->wait_for_request(); });
    }
    void start_refused() {
        asio::dispatch(executor(), [self = shared_from_this()] { self->refuse(503, "too_many_connections"); });
    }
    void start_closing() {
        asio::post(executor(), [self = shared_from_this()] { self->finish_soon(); });
    }

    /// The first answer to the current request counts; one that comes after a timeout finds another number.
    void on_answer(std::uint64_t request, HttpResponse&& response) {
        if (request != m_request || m_phase != Phase::handling) return;
        ++m_request;
        m_waiting.reset();
        write(std::move(response));
    }

    void close_now() {
        if (m_phase == Phase::closed) return;
        m_phase = Phase::closed;
        m_timer.cancel();
        m_waiting.reset();
        error_code ignored;
        m_socket.close(ignored);
    }

  private:
    enum class Phase { idle, reading, handling, writing, draining, closed };

    /// Enters a phase that may last this long. A timer that is set already and would end sooner is left: when it does,
    /// it is set again, so that a connection whose requests come and go has one timer and not four a request.
    void enter(Phase phase, std::chrono::milliseconds at_most) {
        m_phase = phase;
        m_deadline = Clock::now() + at_most;
        if (!m_timer_set || m_deadline < m_timer.expiry()) set_timer();
    }
    /// One that fired just before it was set again finds another count.
    void set_timer() {
        m_timer_set = true;
        m_timer.expires_at(m_deadline);
        m_timer.async_wait([weak = weak_from_this(), count = ++m_timer_count](error_code ec) {
            const auto self = weak.lock();
            if (ec || !self || count != self->m_timer_count) return;
            self->m_timer_set = false;
            Clock::now() < self->m_deadline ? self->set_timer() : self->on_timeout();
        });
    }

    void on_timeout() {
        switch (m_phase) {
            case Phase::reading: {
                m_timed_out = true;
                error_code ignored;
                m_socket.cancel(ignored);
                return;
            }
            case Phase::handling:
                m_keep_alive = false;
                return on_answer(m_request, text_response(504, "handler_timeout"));
            case Phase::idle:
            case Phase::writing:
            case Phase::draining:
            case Phase::closed:
                return close_now();
        }
    }

    void finish_soon() {
        m_keep_alive = false;
        if (m_phase == Phase::handling) return on_answer(m_request, text_response(503, "server_stopping"));
        if (m_phase != Phase::writing) close_now();
    }

    /// Between requests only silence is bounded; the clock of the request itself starts with its first byte.
    void wait_for_request() {
        m_parser.emplace();
        m_parser->body_limit(m_shared->limits.max_body_bytes);
        m_parser->header_limit(m_shared->limits.max_header_bytes);
        m_parser->eager(true);
        if (m_buffer.size() > 0) return read_request();
        enter(Phase::idle, ms(m_shared->limits.idle_timeout_ms));
        m_socket.async_read_some(m_buffer.prepare(kFirstRead),
                                 [self = shared_from_this()](error_code ec, std::size_t n) {
                                     if (ec || self->m_phase != Phase::idle) return self->close_now();
                                     self->m_buffer.commit(n);
                                     self->read_request();
                                 });
    }

    /// What is there already is often the whole request: then nothing is waited for, and no clock is set.
    void read_request() {
        m_phase = Phase::reading;
        error_code ec;
        for (;;) {
            m_buffer.consume(m_parser->put(m_buffer.data(), ec));
            if (ec && ec != http::error::need_more) return on_read_error(ec);
            if (m_parser->is_done()) return on_header({});
            const std::size_t n = m_socket.read_some(m_buffer.prepare(kFurtherRead), ec);
            if (ec) break;
            m_buffer.commit(n);
        }
        if (ec != asio::error::would_block) return on_read_error(ec);
        enter(Phase::reading, ms(m_shared->limits.read_timeout_ms));
        if (m_parser->is_header_done()) return on_header({});
        http::async_read_header(
            m_socket, m_buffer, *m_parser,
            [self = shared_from_this()](error_code read_ec, std::size_t) { self->on_header(read_ec); });
    }

    void on_header(error_code ec) {
        if (ec) return on_read_error(ec);
        const auto& message = m_parser->get();
        if (message.version() != 10 && message.version() != 11) return refuse(505, "http_version_unsupported");
        // Smuggling: a body described in two ways is read differently by different readers (RFC 9112 6.3).
        const auto lengths = message.count(http::field::content_length);
        if (lengths > 1 || (lengths == 1 && message.count(http::field::transfer_encoding) > 0)) {
            return refuse(400, "ambiguous_body_length");
        }
        const auto hosts = message.count(http::field::host);
        if (hosts > 1 || (message.version() == 11 && hosts == 0)) return refuse(400, "host_field_required_once");
        const bool asks = beast::iequals(message[http::field::expect], "100-continue");
        if (!asks || m_buffer.size() > 0 || m_parser->is_done()) return read_body();
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(m_socket, asio::buffer(kContinue),
                          [self = shared_from_this()](error_code write_ec, std::size_t) {
                              if (write_ec) return self->on_read_error(write_ec);
                              self->read_body();
                          });
    }

    void read_body() {
        if (m_parser->is_done()) return hand_over();
        http::async_read(m_socket, m_buffer, *m_parser, [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec || self->m_phase != Phase::reading) return self->on_read_error(ec);
            self->hand_over();
        });
    }

    void on_read_error(error_code ec) {
        if (m_phase != Phase::reading) return close_now();
        if (m_timed_out) return refuse(408, "request_timeout");
        if (ec == http::error::body_limit) return refuse(413, "body_too_large");
        if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
            return refuse(431, "header_too_large");
        if (ec == http::error::end_of_stream || ec == http::error::partial_message) return close_now();
        if (ec.category() == http::make_error_code(http::error::bad_method).category())
            return refuse(400, "http_malformed");
        close_now();
    }

    void hand_over() {
        m_keep_alive = m_parser->keep_alive();
        m_version = m_parser->get().version();
        m_head_only = m_parser->get().method() == http::verb::head;
        auto slot = std::make_shared<HttpResponder::Slot>();
        slot->shared = m_shared;
        slot->session = weak_from_this();
        slot->request = m_request;
        enter(Phase::handling, ms(m_shared->limits.handler_timeout_ms));
        m_waiting = shared_from_this();
        try {
            m_shared->handler(to_request(m_parser->release(), m_remote), HttpResponder(slot));
        } catch (const std::exception&) {
            // The text may hold what no client should read; handlers that want to say more answer themselves.
            if (!slot->answered.exchange(true)) slot->post(text_response(500, "internal_error"));
        }
    }

    void refuse(int status, std::string_view name) {
        m_keep_alive = false;
        m_drain = true;
        write(text_response(status, name));
    }

    void write(HttpResponse&& response) {
        m_response.emplace(static_cast<http::status>(response.status), m_version);
        for (auto& [name, value] : response.fields) m_response->set(name, value);
        m_response->set(http::field::server, "hedgerow");
        m_response->keep_alive(m_keep_alive);
        if (!response.body.empty()) m_response->set(http::field::content_type, response.content_type);
        m_response->body() = std::move(response.body);
        if (response.status != 204) m_response->prepare_payload();
        if (m_head_only) m_response->body().clear();
        m_serializer.emplace(*m_response);
        error_code ec;
        while (!ec && !m_serializer->is_done()) http::write_some(m_socket, *m_serializer, ec);
        if (ec != asio::error::would_block) return on_written(ec);
        enter(Phase::writing, ms(m_shared->limits.write_timeout_ms));
        http::async_write(m_socket, *m_serializer, [self = shared_from_this()](error_code write_ec, std::size_t) {
            self->on_written(write_ec);
        });
    }
    void on_written(error_code ec) {
        if (ec) return close_now();
        m_serializer.reset();
        m_response.reset();
        if (m_keep_alive) return wait_for_request();
        finish();
    }

    void finish() {
        error_code ignored;
        m_socket.shutdown(Socket::shutdown_send, ignored);
        if (!m_drain) return close_now();
        enter(Phase::draining, kDrainTime);
        drain();
    }
    void drain() {
        m_buffer.clear();
        m_socket.async_read_some(m_buffer.prepare(16 << 10), [self = shared_from_this()](error_code ec, std::size_t n) {
            self->m_drained += n;
            if (ec || self->m_drained > kDrainBytes) return self->close_now();
            self->drain();
        });
    }

    const std::string m_remote;
    const std::shared_ptr<Shared> m_shared;
    Socket m_socket;
    asio::steady_timer m_timer;
    beast::flat_buffer m_buffer;
    std::optional<Parser> m_parser;
    std::optional<http::response<http::string_body>> m_response;
    std::optional<http::response_serializer<http::string_body>> m_serializer;
    std::shared_ptr<Session> m_waiting;  ///< keeps the session while nothing but a responder knows it
    Phase m_phase = Phase::idle;
    std::uint64_t m_request = 0;
    std::uint64_t m_timer_count = 0;
    bool m_timer_set = false;
    Clock::time_point m_deadline;  ///< of the phase
    std::size_t m_drained = 0;
    unsigned m_version = 11;
    bool m_keep_alive = true;
    bool m_head_only = false;
    bool m_drain = false;
    bool m_timed_out = false;
};

}  // namespace

void HttpResponder::Slot::post(HttpResponse response) {
    const std::lock_guard lock(shared->mutex);
    if (shared->stopped) return;
    auto held = session.lock();
    if (!held) return;
    const Executor executor = held->executor();
    // The reference moves into the task: were it the last and dropped here, ~Session would lock the mutex again.
    asio::post(executor, [held = std::move(held), id = request, r = std::move(response)]() mutable {
        held->on_answer(id, std::move(r));
    });
}

HttpResponder::Slot::~Slot() {
    if (!answered.exchange(true)) post(text_response(500, "no_answer"));
}

void HttpResponder::send(HttpResponse response) const {
    ASSERT(!m_slot->answered.exchange(true));
    m_slot->post(std::move(response));
}

struct HttpServer::Impl {
    Impl(HttpServerOptions the_options, HttpHandler handler)
        : options(std::move(the_options)),
          shared(std::make_shared<Shared>(options.limits, std::move(handler))),
          io(static_cast<int>(std::max(options.threads, 1U))),
          acceptor(asio::make_strand(io)),
          pause(acceptor.get_executor()) {
        error_code ec;
        const auto address = asio::ip::make_address(options.address, ec);
        if (ec) throw std::system_error(ec, fmt::format("listen address {}", options.address));
        listen(tcp::endpoint(address, options.port), ec);
        if (ec) throw std::system_error(ec, fmt::format("listen on {} port {}", options.address, options.port));
        port = acceptor.local_endpoint().port();
    }

    void listen(const tcp::endpoint& endpoint, error_code& ec) {
        acceptor.open(endpoint.protocol(), ec);
        if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
        if (!ec) acceptor.bind(endpoint, ec);
        if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    }

    void run() {
        asio::post(acceptor.get_executor(), [this] { accept(); });
        for (unsigned i = 0; i < std::max(options.threads, 1U); ++i) {
            threads.emplace_back([this] { io.run(); });
        }
    }

    void accept() {
        acceptor.async_accept(asio::make_strand(io), [this](error_code ec, auto socket) {
            if (ec == asio::error::operation_aborted || !acceptor.is_open()) return;
            if (!ec) serve(Socket(std::move(socket)));
            if (!ec || ec == asio::error::connection_aborted) return accept();
            // Out of descriptors or memory: what is open goes on, new connections wait in the kernel's queue.
            pause.expires_after(kAcceptPause);
            pause.async_wait([this](error_code wait_ec) {
                if (!wait_ec) accept();
            });
        });
    }

    void serve(Socket socket) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        socket.non_blocking(true, ignored);
        const auto session = std::make_shared<Session>(std::move(socket), shared);
        std::size_t open = 0;
        {
            const std::lock_guard lock(shared->mutex);
            if (!shared->stopping) open = shared->sessions.size();
            if (shared->stopping || open >= 2ULL * options.limits.max_connections) open = SIZE_MAX;
            if (open != SIZE_MAX) shared->sessions.emplace(session.get(), session);
        }
        // Those being told "too many" are bounded too: beyond as many again, the connection just closes.
        if (open == SIZE_MAX) return;
        open >= options.limits.max_connections ? session->start_refused() : session->start();
    }

    std::vector<std::shared_ptr<Session>> open_sessions() {
        const std::lock_guard lock(shared->mutex);
        std::vector<std::shared_ptr<Session>> out;
        for (const auto& [key, weak] : shared->sessions) {
            if (auto session = weak.lock()) out.push_back(std::move(session));
        }
        return out;
    }

    void stop() {
        {
            const std::lock_guard lock(shared->mutex);
            if (shared->stopping) return;
            shared->stopping = true;
        }
        asio::post(acceptor.get_executor(), [this] {
            error_code ignored;
            acceptor.close(ignored);
            pause.cancel();
        });
        for (const auto& session : open_sessions()) session->start_closing();
        {
            std::unique_lock lock(shared->mutex);
            shared->changed.wait_for(lock, kStopTime, [this] { return shared->sessions.empty(); });
            shared->stopped = true;
        }
        io.stop();
        for (auto& thread : threads) thread.join();
        for (const auto& session : open_sessions()) session->close_now();
    }

    const HttpServerOptions options;
    std::shared_ptr<Shared> shared;
    asio::io_context io;
    asio::basic_socket_acceptor<tcp, Executor> acceptor;
    asio::steady_timer pause;
    std::vector<std::thread> threads;
    std::uint16_t port = 0;
};

HttpServer::HttpServer(HttpServerOptions options, HttpHandler handler)
    : m_impl(std::make_unique<Impl>(std::move(options), std::move(handler))) {
    m_impl->run();
}

HttpServer::~HttpServer() {
    m_impl->stop();
}

std::uint16_t HttpServer::port() const {
    return m_impl->port;
}

std::string HttpServer::url() const {
    const bool v6 = m_impl->options.address.find(':') != std::string::npos;
    return v6 ? fmt::format("http://[{}]:{}", m_impl->options.address, port())
              : fmt::format("http://{}:{}", m_impl->options.address, port());
}

std::size_t HttpServer::connections() const {
    const std::lock_guard lock(m_impl->shared->mutex);
    return m_impl->shared->sessions.size();
}

void HttpServer::stop() {
    m_impl->stop();
}

}  // namespace hedgerow::rpc
