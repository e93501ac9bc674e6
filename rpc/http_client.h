#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "channel/base/expected.h"
#include "rpc/http_message.h"

namespace hedgerow::rpc {

/// "http://host:port/target". A port is optional (80), IPv6 hosts stand in brackets, user info is refused.
struct HttpUrl {
    std::string host;  ///< without brackets
    std::uint16_t port = 80;
    std::string target = "/";
};
[[nodiscard]] std::optional<HttpUrl> parse_http_url(std::string_view url);

struct HttpClientOptions {
    std::uint32_t connect_timeout_ms = 5'000;   ///< to connect; a name look-up that hangs is waited for
    std::uint32_t request_timeout_ms = 30'000;  ///< from the first byte sent to the last received
    std::uint32_t keep_alive_ms = 20'000;       ///< an idle connection older than this is not reused
    std::uint64_t max_response_bytes = 16 << 20;
};

enum class HttpErrorCode {
    url_malformed,
    connect_failed,  ///< no such host, refused, unreachable
    connect_timeout,
    request_timeout,
    connection_lost,  ///< closed before a whole answer
    response_malformed,
    response_too_large,
};
[[nodiscard]] std::string_view http_error_name(HttpErrorCode code);

struct HttpError {
    HttpErrorCode code;
    bool maybe_delivered = false;  ///< the server may have acted on the request
    std::string message;           ///< for people: names host, port and cause
};

template <typename T>
using HttpExpected = channel::Expected<T, HttpError>;

/// A blocking client of one server that keeps one connection alive. Not for two threads at once. A request that fails
/// on a reused connection before any of it was answered is repeated once only if it is a GET: a POST is never sent
/// twice.
class HttpClient {
  public:
    /// The URL's own target is used where a request names none. A malformed URL makes every request fail by that name.
    explicit HttpClient(std::string url, HttpClientOptions options = {});
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;

    /// Any status is a response, not an error.
    [[nodiscard]] HttpExpected<HttpResponse> get(std::string_view target = {}, const HttpFields& fields = {});
    [[nodiscard]] HttpExpected<HttpResponse> post(std::string_view body,
                                                  std::string_view content_type = "application/json",
                                                  std::string_view target = {}, const HttpFields& fields = {});
    /// Closes the kept connection.
    void close();
    [[nodiscard]] const std::string& url() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::rpc
