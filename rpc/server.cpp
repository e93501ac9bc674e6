#include "rpc/server.h"

#include <arpa/inet.h>

#include <algorithm>

namespace hedgerow::rpc {

namespace {

HttpResponse unauthorised() {
    HttpResponse out =
        text_response(401, "unauthorised: send the cookie file's content as HTTP Basic, or a bearer token");
    out.fields.emplace_back("WWW-Authenticate", "Basic realm=\"hedgerow\"");
    return out;
}

HttpResponse not_allowed(std::string_view methods) {
    HttpResponse out = text_response(405, "method_not_allowed");
    out.fields.emplace_back("Allow", methods);
    return out;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// "application/json", perhaps with parameters; a browser cannot send that to another origin without asking first.
bool is_json(std::string_view content_type) {
    std::string type = lower_case(content_type.substr(0, content_type.find(';')));
    type.erase(type.find_last_not_of(" \t") + 1);
    return type == "application/json";
}

/// The host without port and brackets.
std::string host_name(std::string_view host) {
    if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
    return lower_case(host.substr(0, host.rfind(':')));
}

bool is_ip_literal(const std::string& host) {
    in6_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

RpcServer::RpcServer(RpcServerOptions options, const Dispatcher& dispatcher)
    : m_options(std::move(options)),
      m_dispatcher(dispatcher),
      m_cookie(std::make_unique<CookieFile>(m_options.cookie_path)),
      m_authenticator(m_cookie->secret(), m_options.tokens),
      m_http(std::make_unique<HttpServer>(m_options.http, [this](HttpRequest request, const HttpResponder& responder) {
          handle(std::move(request), responder);
      })) {}

RpcServer::~RpcServer() {
    stop();
}

std::uint16_t RpcServer::port() const {
    return m_http->port();
}
std::string RpcServer::url() const {
    return m_http->url();
}
const std::filesystem::path& RpcServer::cookie_path() const {
    return m_options.cookie_path;
}

void RpcServer::stop() {
    m_http->stop();
    m_cookie.reset();
}

/// An attacker's page can make its own name resolve to 127.0.0.1, but cannot make the browser send another Host.
bool RpcServer::host_allowed(std::string_view host) const {
    const std::string name = host_name(host);
    const auto& names = m_options.allowed_hosts;
    return name == "localhost" || is_ip_literal(name) || std::find(names.begin(), names.end(), name) != names.end();
}

void RpcServer::handle(HttpRequest request, const HttpResponder& responder) const {
    if (!host_allowed(request.field("Host"))) return responder.send(text_response(403, "host_refused"));
    if (count_field(request.fields, "Origin") > 0) return responder.send(text_response(403, "origin_refused"));
    if (request.path == "/") {
        if (request.method != "POST") return responder.send(not_allowed("POST"));
        return handle_call(std::move(request), responder);
    }
    handle_get(request, responder);
}

void RpcServer::handle_get(const HttpRequest& request, const HttpResponder& responder) const {
    const auto route = m_options.routes.find(request.path);
    const bool known = route != m_options.routes.end();
    if (!known && request.path != "/healthz") return responder.send(text_response(404, "not_found"));
    if (request.method != "GET" && request.method != "HEAD") return responder.send(not_allowed("GET, HEAD"));
    if (!known) return responder.send(text_response(200, "ok"));
    const auto scopes = m_authenticator.scopes_of(request.field("Authorization"));
    if (!route->second.open && (!scopes || !allows(*scopes, Scope::read))) return responder.send(unauthorised());
    responder.send(route->second.respond(request));
}

void RpcServer::handle_call(HttpRequest request, const HttpResponder& responder) const {
    const bool once = count_field(request.fields, "Authorization") == 1;
    const auto scopes = once ? m_authenticator.scopes_of(request.field("Authorization")) : std::nullopt;
    if (!scopes) return responder.send(unauthorised());
    if (!is_json(request.field("Content-Type")))
        return responder.send(text_response(415, "content_type_must_be_application_json"));
    m_dispatcher.handle(request.body, *scopes, [responder](std::string answer) {
        HttpResponse response;
        response.status = answer.empty() ? 204 : 200;
        response.body = std::move(answer);
        responder.send(std::move(response));
    });
}

}  // namespace hedgerow::rpc
