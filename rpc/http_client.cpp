#include "rpc/http_client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <optional>

#include "channel/base/assert.h"

namespace hedgerow::rpc {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using error_code = boost::system::error_code;
using channel::Unexpected;
using Clock = std::chrono::steady_clock;

std::optional<HttpUrl> parse_http_url(std::string_view url) {
    static constexpr std::string_view kScheme = "http://";
    if (!url.starts_with(kScheme)) return std::nullopt;
    url.remove_prefix(kScheme.size());
    const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
    std::string_view authority = url.substr(0, end);
    std::string_view target = url.substr(end);
    target = target.substr(0, target.find('#'));
    HttpUrl out;
    if (!target.empty()) out.target = target.front() == '/' ? std::string(target) : fmt::format("/{}", target);
    const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!plain || authority.find('@') != std::string_view::npos) return std::nullopt;
    const bool v6 = authority.starts_with('[');
    const std::size_t host_end = v6 ? authority.find(']') : std::min(authority.find(':'), authority.size());
    if (host_end == std::string_view::npos) return std::nullopt;
    out.host = std::string(v6 ? authority.substr(1, host_end - 1) : authority.substr(0, host_end));
    std::string_view port = authority.substr(host_end + (v6 ? 1 : 0));
    if (out.host.empty()) return std::nullopt;
    if (port.empty()) return out;
    if (port.front() != ':') return std::nullopt;
    port.remove_prefix(1);
    const auto [last, ec] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (ec != std::errc() || last != port.data() + port.size() || out.port == 0) return std::nullopt;
    return out;
}

std::string_view http_error_name(HttpErrorCode code) {
    switch (code) {
        case HttpErrorCode::url_malformed:
            return "url_malformed";
        case HttpErrorCode::connect_failed:
            return "connect_failed";
        case HttpErrorCode::connect_timeout:
            return "connect_timeout";
        case HttpErrorCode::request_timeout:
            return "request_timeout";
        case HttpErrorCode::connection_lost:
            return "connection_lost";
        case HttpErrorCode::response_malformed:
            return "response_malformed";
        case HttpErrorCode::response_too_large:
            return "response_too_large";
    }
    return "unknown";
}

struct HttpClient::Impl {
    using Message = http::request<http::string_body>;
    using Result = HttpExpected<HttpResponse>;

    Impl(std::string the_url, HttpClientOptions the_options)
        : text(std::move(the_url)), url(parse_http_url(text)), options(the_options) {}

    HttpError failure(HttpErrorCode code, bool maybe_delivered, std::string_view cause) const {
        return {code, maybe_delivered, fmt::format("{}: {}", text, cause)};
    }

    /// Runs what was started until it is done or the deadline passes; then everything of this connection is cancelled.
    bool run_until(Clock::time_point deadline) {
        io.restart();
        io.run_until(deadline);
        if (io.stopped()) return true;
        drop();
        io.run();
        return false;
    }

    void drop() {
        error_code ignored;
        if (socket) socket->close(ignored);
        resolver.cancel();
    }

    /// Still open, and nothing unread in it: a server that timed the connection out has already said so.
    bool reusable() {
        if (!socket || !socket->is_open() ||
            Clock::now() - last_used > std::chrono::milliseconds(options.keep_alive_ms))
            return false;
        char byte = 0;
        const auto n = ::recv(socket->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }

    std::optional<HttpError> connect() {
        drop();
        socket.emplace(io);
        buffer.clear();
        error_code result = asio::error::would_block;
        resolver.async_resolve(
            url->host, std::to_string(url->port), [&](error_code ec, tcp::resolver::results_type found) {
                result = ec;
                if (ec) return;
                asio::async_connect(*socket, found,
                                    [&](error_code connect_ec, const tcp::endpoint&) { result = connect_ec; });
            });
        const bool in_time = run_until(Clock::now() + std::chrono::milliseconds(options.connect_timeout_ms));
        if (!in_time) return failure(HttpErrorCode::connect_timeout, false, "no connection in time");
        if (result) return failure(HttpErrorCode::connect_failed, false, result.message());
        error_code ignored;
        socket->set_option(tcp::no_delay(true), ignored);
        return std::nullopt;
    }

    Message build(http::verb verb, std::string_view target, const HttpFields& fields) const {
        Message message{verb, target.empty() ? url->target : std::string(target), 11};
        const bool v6 = url->host.find(':') != std::string::npos;
        const std::string host = v6 ? fmt::format("[{}]", url->host) : url->host;
        message.set(http::field::host, url->port == 80 ? host : fmt::format("{}:{}", host, url->port));
        message.set(http::field::user_agent, "hedgerow");
        for (const auto& [name, value] : fields) message.set(name, value);
        return message;
    }

    Result exchange(const Message& message) {
        http::response_parser<http::string_body> parser;
        parser.body_limit(options.max_response_bytes);
        error_code result = asio::error::would_block;
        http::async_write(*socket, message, [&](error_code ec, std::size_t) {
            result = ec;
            if (!ec)
                http::async_read(*socket, buffer, parser, [&](error_code read_ec, std::size_t) { result = read_ec; });
        });
        const bool in_time = run_until(Clock::now() + std::chrono::milliseconds(options.request_timeout_ms));
        if (!in_time) return Unexpected{failure(HttpErrorCode::request_timeout, true, "no answer in time")};
        if (result) return Unexpected{read_failure(result, parser.got_some())};
        last_used = Clock::now();
        if (!parser.keep_alive()) drop();
        return to_response(parser.release());
    }

    HttpError read_failure(error_code ec, bool got_some) {
        drop();
        answered_in_part = got_some;
        if (ec == http::error::body_limit || ec == http::error::header_limit) {
            return failure(HttpErrorCode::response_too_large, true, "the answer is too large");
        }
        const bool lost = ec == http::error::end_of_stream || ec == http::error::partial_message;
        if (!lost && ec.category() == http::make_error_code(http::error::bad_method).category()) {
            return failure(HttpErrorCode::response_malformed, true, ec.message());
        }
        return failure(HttpErrorCode::connection_lost, true, "connection closed before the answer");
    }

    static HttpResponse to_response(http::response<http::string_body>&& message) {
        HttpResponse out;
        out.status = static_cast<int>(message.result_int());
        out.content_type = std::string(message[http::field::content_type]);
        for (const auto& field : message) out.fields.emplace_back(field.name_string(), field.value());
        out.body = std::move(message.body());
        return out;
    }

    Result request(const Message& message) {
        const bool reused = reusable();
        if (!reused) {
            if (auto failed = connect()) return Unexpected{std::move(*failed)};
        }
        answered_in_part = false;
        auto result = exchange(message);
        const bool again = !result && reused && message.method() == http::verb::get && !answered_in_part &&
                           result.error().code == HttpErrorCode::connection_lost;
        if (!again) return result;
        if (auto failed = connect()) return Unexpected{std::move(*failed)};
        return exchange(message);
    }

    const std::string text;
    const std::optional<HttpUrl> url;
    const HttpClientOptions options;
    asio::io_context io{1};
    tcp::resolver resolver{io};
    std::optional<tcp::socket> socket;
    beast::flat_buffer buffer;
    Clock::time_point last_used{};
    bool answered_in_part = false;
};

HttpClient::HttpClient(std::string url, HttpClientOptions options)
    : m_impl(std::make_unique<Impl>(std::move(url), options)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

HttpExpected<HttpResponse> HttpClient::get(std::string_view target, const HttpFields& fields) {
    if (!m_impl->url) return Unexpected{m_impl->failure(HttpErrorCode::url_malformed, false, "not an http:// URL")};
    return m_impl->request(m_impl->build(http::verb::get, target, fields));
}

HttpExpected<HttpResponse> HttpClient::post(std::string_view body, std::string_view content_type,
                                            std::string_view target, const HttpFields& fields) {
    if (!m_impl->url) return Unexpected{m_impl->failure(HttpErrorCode::url_malformed, false, "not an http:// URL")};
    auto message = m_impl->build(http::verb::post, target, fields);
    message.set(http::field::content_type, content_type);
    message.body() = std::string(body);
    message.prepare_payload();
    return m_impl->request(message);
}

void HttpClient::close() {
    m_impl->drop();
}

const std::string& HttpClient::url() const {
    return m_impl->text;
}

}  // namespace hedgerow::rpc
