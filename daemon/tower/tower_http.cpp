#include "daemon/tower/tower_http.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <map>

#include "rpc/auth.h"
#include "rpc/http_server.h"

namespace hedgerow::daemon {

namespace {

constexpr std::size_t kClientsPerPage = 1'000;

rpc::HttpResponse text(int status, std::string body) {
    rpc::HttpResponse out;
    out.status = status;
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    out.body = std::move(body);
    return out;
}

std::optional<std::uint64_t> number(std::string_view digits) {
    std::uint64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
    return value;
}

struct GrantOrder {
    channel::NodeId client;
    std::uint64_t records = 0, bytes = 0, until_ms = 0;
};

std::optional<GrantOrder> read_grant(std::string_view query) {
    const auto parameters = rpc::parse_query(query);
    const std::map<std::string, std::string> by_name(parameters.begin(), parameters.end());
    const auto value = [&](const char* name) {
        const auto at = by_name.find(name);
        return at == by_name.end() ? std::string() : at->second;
    };
    const auto client = channel::fixed_from_hex<channel::NodeId>(value("client"));
    const auto records = number(value("records")), bytes = number(value("bytes")), until = number(value("untilMs"));
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    if (!client || !records || !bytes || !until || *records > kMost || *bytes > kMost || *until > kMost)
        return std::nullopt;
    return GrantOrder{*client, *records, *bytes, *until};
}

}  // namespace

std::string client_line(const ClientAccount& client) {
    std::string out =
        fmt::format("{} records={} bytes={} backups={} backup_bytes={}", channel::to_hex(client.node).substr(2),
                    client.records, client.bytes, client.backups, client.backup_bytes);
    if (client.granted_until_ms)
        out += fmt::format(" granted_records={} granted_bytes={} until_ms={}", client.granted_records.value_or(0),
                           client.granted_bytes.value_or(0), *client.granted_until_ms);
    return out;
}

struct TowerHttp::Impl {
    Impl(EventLoop& in, TowerDesk& of, const std::filesystem::path& datadir, const std::string& host, std::uint16_t port)
        : loop(in),
          desk(of),
          cookie(datadir / ".cookie"),
          authenticator(cookie.secret()),
          server(options(host, port),
                 [this](rpc::HttpRequest request, rpc::HttpResponder responder) { handle(request, responder); }) {
        url_file = datadir / "http.url";
        const std::filesystem::path fresh = url_file.string() + ".new";
        std::ofstream(fresh) << server.url() << '\n';
        std::filesystem::rename(fresh, url_file);
    }
    ~Impl() {
        server.stop();
        std::error_code ignored;
        std::filesystem::remove(url_file, ignored);
    }

    static rpc::HttpServerOptions options(const std::string& host, std::uint16_t port) {
        rpc::HttpServerOptions out;
        out.address = host;
        out.port = port;
        return out;
    }

    void handle(const rpc::HttpRequest& request, const rpc::HttpResponder& responder) {
        const bool get = request.method == "GET";
        if (get && request.path == "/healthz") return responder.send(text(200, "ok\n"));
        if (get && request.path == "/metrics")
            return on_loop(responder, [this] { return text(200, metrics_text(desk.report())); });
        if (get && request.path == "/readyz") {
            return on_loop(responder,
                           [this] { return desk.ready() ? text(200, "ready\n") : text(503, "tower_behind\n"); });
        }
        const bool clients = get && request.path == "/clients";
        const bool grant = request.method == "POST" && request.path == "/grant";
        if (!clients && !grant) return responder.send(text(404, "not found\n"));
        if (rpc::count_field(request.fields, "Authorization") != 1 ||
            !authenticator.scopes_of(request.field("Authorization")))
            return responder.send(text(401, "the data directory's cookie is needed\n"));
        if (grant) return take_grant(request.query, responder);
        list(request.query, responder);
    }

    void take_grant(std::string_view query, const rpc::HttpResponder& responder) {
        const auto order = read_grant(query);
        if (!order) return responder.send(text(400, "client, records, bytes and untilMs are needed\n"));
        const bool posted = loop.post([this, order = *order, responder] {
            desk.grant(order.client, order.records, order.bytes, order.until_ms,
                        [responder] { responder.send(text(200, "granted\n")); });
        });
        if (!posted) responder.send(text(503, "busy\n"));
    }

    void list(std::string_view query, const rpc::HttpResponder& responder) {
        const auto parameters = rpc::parse_query(query);
        channel::NodeId after;
        for (const auto& [name, value] : parameters) {
            if (name == "after") after = channel::fixed_from_hex<channel::NodeId>(value).value_or(channel::NodeId());
        }
        on_loop(responder, [this, after] {
            std::string out;
            for (const ClientAccount& client : desk.clients(after, kClientsPerPage)) out += client_line(client) + '\n';
            return text(200, std::move(out));
        });
    }

    void on_loop(const rpc::HttpResponder& responder, std::function<rpc::HttpResponse()> make) {
        const bool posted = loop.post([responder, make = std::move(make)] { responder.send(make()); });
        if (!posted) responder.send(text(503, "busy\n"));
    }

    EventLoop& loop;
    TowerDesk& desk;
    const rpc::CookieFile cookie;
    const rpc::Authenticator authenticator;
    std::filesystem::path url_file;
    rpc::HttpServer server;
};

TowerHttp::TowerHttp(EventLoop& loop, TowerDesk& desk, const std::filesystem::path& datadir, const std::string& host,
                     std::uint16_t port)
    : m_impl(std::make_unique<Impl>(loop, desk, datadir, host, port)) {}
TowerHttp::~TowerHttp() = default;

std::string TowerHttp::url() const {
    return m_impl->server.url();
}

}  // namespace hedgerow::daemon
