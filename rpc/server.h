#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rpc/auth.h"
#include "rpc/dispatcher.h"
#include "rpc/http_server.h"

namespace hedgerow::rpc {

inline constexpr std::uint16_t kDefaultRpcPort = 9736;
inline constexpr std::string_view kCookieFileName = ".cookie";
/// In the data directory while the node runs: the URL that it serves, for clients that are told the directory only.
inline constexpr std::string_view kUrlFileName = "rpc.url";

/// A GET route beside the JSON-RPC one, such as /healthz; called on a server thread.
struct Route {
    std::function<HttpResponse(const HttpRequest&)> respond;
    bool open = false;  ///< without authentication (health checks); others need the scope read
};

struct RpcServerOptions {
    HttpServerOptions http = {};
    std::filesystem::path cookie_path;
    std::vector<Token> tokens = {};               ///< see read_tokens
    std::vector<std::string> allowed_hosts = {};  ///< names in Host besides localhost and IP literals
    std::map<std::string, Route> routes = {};  ///< by path, e.g. {"/readyz", …}; /healthz answers "ok" unless given
};

/// JSON-RPC at POST /. Refused by name, before a method is looked at: a Host that is a foreign name (403 host_refused:
/// DNS rebinding), any Origin (403 origin_refused: a web page), no or a wrong Authorization (401), a body that is not
/// application/json (415), another method (405) or path (404). Notifications alone are answered with 204.
class RpcServer {
  public:
    /// Writes the cookie file, then listens; std::system_error where either fails. The dispatcher outlives the server.
    RpcServer(RpcServerOptions options, const Dispatcher& dispatcher);
    ~RpcServer();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string url() const;
    [[nodiscard]] const std::filesystem::path& cookie_path() const;
    /// Lets answers already given go out, closes connections, removes the cookie file. Idempotent.
    void stop();

  private:
    void handle(HttpRequest request, const HttpResponder& responder) const;
    [[nodiscard]] bool host_allowed(std::string_view host) const;
    void handle_get(const HttpRequest& request, const HttpResponder& responder) const;
    void handle_call(HttpRequest request, const HttpResponder& responder) const;

    const RpcServerOptions m_options;
    const Dispatcher& m_dispatcher;
    std::unique_ptr<CookieFile> m_cookie;
    const Authenticator m_authenticator;
    std::unique_ptr<HttpServer> m_http;
};

}  // namespace hedgerow::rpc
