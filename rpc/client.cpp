#include "rpc/client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "rpc/auth.h"

namespace hedgerow::rpc {

using channel::Unexpected;

namespace {

CallError make_error(CallError::Kind kind, std::string_view name, std::string message, Outcome outcome) {
    CallError out;
    out.kind = kind;
    out.error.name = std::string(name);
    out.error.message = std::move(message);
    out.error.outcome = outcome;
    return out;
}

CallError from_http(const HttpError& error) {
    const auto kind = error.maybe_delivered ? CallError::Kind::transport : CallError::Kind::connect;
    return make_error(kind, http_error_name(error.code), error.message,
                      error.maybe_delivered ? Outcome::unknown : Outcome::not_done);
}

/// Statuses that a server gives before or instead of calling anything; 5xx may come after.
CallError from_status(const HttpResponse& response) {
    const Outcome outcome = response.status >= 400 && response.status < 500 ? Outcome::not_done : Outcome::unknown;
    const std::string text = response.body.substr(0, std::min<std::size_t>(response.body.find('\n'), 200));
    return make_error(CallError::Kind::transport, "http_status",
                      fmt::format("the server answered {}: {}", response.status, text), outcome);
}

}  // namespace

struct RpcClient::Impl {
    explicit Impl(RpcClientOptions the_options) : options(std::move(the_options)), http(options.url, options.http) {}

    bool load_credentials() {
        if (!options.bearer_token.empty()) {
            authorization = fmt::format("Bearer {}", options.bearer_token);
            return true;
        }
        const auto cookie = read_cookie(options.cookie_path);
        if (cookie) authorization = basic_authorization(*cookie);
        return cookie.has_value();
    }

    CallError unauthorised(std::string message) const {
        CallError out =
            make_error(CallError::Kind::unauthorised, "unauthorised", std::move(message), Outcome::not_done);
        out.error.remedy =
            "the node writes the cookie file at every start, in its data directory; --datadir or --cookie say where";
        return out;
    }

    /// The answer's HTTP response, with fresh credentials tried once: a 401 means that nothing was called.
    channel::Expected<HttpResponse, CallError> post(const std::string& body) {
        const bool fresh = authorization.empty();
        if (fresh && !load_credentials()) return missing_credentials();
        auto response = http.post(body, "application/json", {}, {{"Authorization", authorization}});
        if (response && response->status == 401 && !fresh && load_credentials()) {
            response = http.post(body, "application/json", {}, {{"Authorization", authorization}});
        }
        if (!response) return Unexpected{from_http(response.error())};
        if (response->status == 401) return Unexpected{unauthorised("the node does not accept these credentials")};
        return std::move(*response);
    }

    /// Without a cookie most often no node runs: then say that, it is what the caller has to mend.
    channel::Expected<HttpResponse, CallError> missing_credentials() {
        const auto probe = http.get("/healthz");
        if (!probe) return Unexpected{from_http(probe.error())};
        return Unexpected{unauthorised(fmt::format("no cookie file at {}", options.cookie_path.string()))};
    }

    channel::Expected<Json, CallError> read(const HttpResponse& response, std::uint64_t id) const {
        if (response.status != 200) return Unexpected{from_status(response)};
        const auto malformed = [&](std::string_view why) {
            return make_error(CallError::Kind::transport, "response_malformed", fmt::format("{}: {}", options.url, why),
                              Outcome::unknown);
        };
        auto parsed = parse_json(response.body, 2 * kMaxJsonDepth);
        if (!parsed) return Unexpected{malformed(parsed.error().message)};
        Json& answer = *parsed;
        if (!answer.is_object() || !answer.contains("jsonrpc") || answer["jsonrpc"] != "2.0" ||
            !answer.contains("id")) {
            return Unexpected{malformed("not a JSON-RPC 2.0 response")};
        }
        if (answer.contains("error") && (answer["id"] == id || answer["id"].is_null())) {
            return Unexpected{CallError{CallError::Kind::rpc, error_from_json(answer["error"])}};
        }
        if (answer["id"] != id) return Unexpected{malformed("the answer is to another call")};
        if (!answer.contains("result")) return Unexpected{malformed("neither result nor error")};
        return std::move(answer["result"]);
    }

    const RpcClientOptions options;
    HttpClient http;
    std::string authorization;
    std::uint64_t next_id = 1;
};

RpcClient::RpcClient(RpcClientOptions options) : m_impl(std::make_unique<Impl>(std::move(options))) {}
RpcClient::~RpcClient() = default;
RpcClient::RpcClient(RpcClient&&) noexcept = default;

channel::Expected<Json, CallError> RpcClient::call(std::string_view method, const Json& params) {
    const std::uint64_t id = m_impl->next_id++;
    Json request{{"jsonrpc", "2.0"}, {"method", method}};
    if (!params.is_null()) request["params"] = params;
    request["id"] = id;
    auto response = m_impl->post(json_text(request));
    if (!response) return Unexpected{response.error()};
    return m_impl->read(*response, id);
}

}  // namespace hedgerow::rpc
