#include "daemon/oracle/oracle_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/net/zmq_socket.h"
#include "daemon/oracle/oracle_client.h"
#include "rpc/http_server.h"
#include "rpc/json.h"

namespace hedgerow::daemon {

using channel::Address;
using channel::Bytes;
using channel::Feed;
using channel::Price;
using channel::Rule;
using rpc::HttpRequest;
using rpc::HttpResponse;
using rpc::Json;

namespace {

constexpr std::uint64_t kLateMs = 5'000;  // without a tick for so long (and an interval), we are not healthy

void check(const OracleServiceConfig& config, const std::vector<Feed>& model_feeds) {
    if (config.interval_ms < 10 || config.interval_ms > 60'000)
        throw std::invalid_argument("the interval lies between 10 and 60,000 ms");
    if (!(config.noise_bps >= 0 && config.noise_bps <= 1'000))
        throw std::invalid_argument("the noise lies between 0 and 1,000 bps");
    for (const Feed& feed : config.feeds) {
        if (std::find(model_feeds.begin(), model_feeds.end(), feed) == model_feeds.end()) {
            throw std::invalid_argument(fmt::format("{}: there are no prices for this feed", channel::feed_name(feed)));
        }
    }
}

HttpResponse json_response(int status, const Json& body) {
    HttpResponse out;
    out.status = status;
    out.body = rpc::json_text(body);
    out.fields.emplace_back("Cache-Control", "no-store");
    out.fields.emplace_back("Access-Control-Allow-Origin", "*");  // signed public data
    return out;
}

HttpResponse refusal(int status, std::string_view name, std::string_view message) {
    return json_response(status, Json{{"error", {{"name", name}, {"message", message}}}});
}

/// A name, or the hex of a feed that has none.
std::optional<Feed> parse_feed(std::string_view text) {
    if (text.starts_with("0x")) return channel::fixed_from_hex<Feed>(text);
    return channel::feed_from_name(text);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return out;
}

}  // namespace

std::uint64_t next_tick(std::uint64_t after_ms, std::uint32_t interval_ms) {
    return std::min((after_ms / interval_ms + 1) * interval_ms, (after_ms / 1'000 + 1) * 1'000);
}

Price noisy_price(Price price, double noise_bps, const Address& signer, const Feed& feed, std::uint64_t timestamp_ms) {
    const std::uint64_t own = hash64(hash64(timestamp_ms, channel::to_hex(signer)), channel::feed_name(feed));
    const double factor = (2 * unit_interval(own) - 1) * noise_bps / 1e4;
    const auto shift = static_cast<std::int64_t>(std::llround(static_cast<double>(price.raw()) * factor));
    return std::max(Price::from_raw(1), price + Price::from_raw(shift));
}

struct OracleService::Impl {
    struct Latest {
        Price price;
        std::uint64_t timestamp_ms = 0;
        Bytes raw;
    };

    Impl(OracleServiceConfig c, wallet::PrivateKey k, MarketModel m, Clock t, std::uint64_t now_ms)
        : config(std::move(c)),
          key(std::move(k)),
          model(std::move(m)),
          clock(std::move(t)),
          history(config.history),
          publisher(context, ZMQ_PUB),
          warning(history.warning()) {
        // Asked for the start, which nothing is before, the model names its feeds.
        for (const FeedPrice& price : model.prices_at(model.start_ms())) feeds.push_back(price.feed);
        check(config, feeds);
        if (!config.feeds.empty()) feeds = config.feeds;
        last_tick_ms = std::max(model.start_ms(), now_ms) - 1;
        // Parts of the second behind the last kept one may have been signed; the next second is kept before it is
        // published.
        if (history.newest_s() != 0) last_tick_ms = std::max(last_tick_ms, history.newest_s() * 1'000 + 999);
        publisher.set(ZMQ_LINGER, 0);
        publisher.set(ZMQ_SNDHWM, OracleClient::kHighWater);
        publisher.set(ZMQ_IPV6, config.publish.find('[') == std::string::npos ? 0 : 1);
        publisher.set_int64(ZMQ_MAXMSGSIZE, 1'024);  // all that subscribers may send: subscriptions
        publisher.bind(config.publish);
        endpoint = publisher.last_endpoint();
        rpc::HttpLimits limits;
        limits.max_body_bytes = 1'024;
        const rpc::HttpServerOptions options{config.http_address, config.http_port, 1, limits};
        server = std::make_unique<rpc::HttpServer>(
            options, [this](const HttpRequest& request, const rpc::HttpResponder& responder) {
                responder.send(answer(request));
            });
    }

    void tick(std::uint64_t time_ms) {
        for (const FeedPrice& point : model.prices_at(time_ms)) {
            if (std::find(feeds.begin(), feeds.end(), point.feed) == feeds.end()) continue;
            const Price price = noisy_price(point.price, config.noise_bps, key.address(), point.feed, time_ms);
            const channel::DataPackage data = channel::single_price_package(point.feed, price, time_ms);
            const Bytes raw = channel::encode_signed_package({data, key.sign(channel::package_digest(data))});
            {
                const std::lock_guard lock(mutex);
                if (history.wants(time_ms)) static_cast<void>(history.add(point.feed, time_ms, key.address(), raw));
                latest[point.feed] = Latest{price, time_ms, raw};
            }
            publish(point.feed, raw);
        }
        const std::lock_guard lock(mutex);
        last_tick_ms = time_ms;
    }

    void publish(const Feed& feed, const Bytes& raw) {
        ZmqMessage topic(feed.view());
        ZmqMessage body{channel::ByteView(raw)};
        if (publisher.send(topic, true) == SendResult::sent) static_cast<void>(publisher.send(body));
    }

    HttpResponse answer(const HttpRequest& request) {
        if (request.method != "GET") return refusal(405, "method_not_allowed", "only GET");
        if (request.path == "/v1/latest") return answer_latest(request);
        if (request.path == "/v1/packages") return answer_packages(request);
        if (request.path == "/v1/info") return answer_info();
        if (request.path == "/healthz") return answer_health();
        return refusal(404, "path_unknown", "try /v1/latest, /v1/packages, /v1/info, /healthz");
    }

    static std::string package_text(const Bytes& raw) { return channel::to_hex(channel::ByteView(raw)); }

    HttpResponse answer_latest(const HttpRequest& request) {
        std::vector<Feed> wanted;
        for (const auto& [name, value] : rpc::parse_query(request.query)) {
            if (name != "feeds") return refusal(400, "parameter_unknown", "only feeds is known");
            for (std::size_t at = 0; at <= value.size();) {
                const std::size_t end = std::min(value.find(',', at), value.size());
                const auto feed = parse_feed(std::string_view(value).substr(at, end - at));
                if (!feed) return refusal(400, "feed_malformed", "feeds is a list of names with commas between");
                wanted.push_back(*feed);
                if (wanted.size() > Scenario::kMaxFeeds) return refusal(400, "list_too_long", "at most 64 feeds");
                at = end + 1;
            }
        }
        const std::lock_guard lock(mutex);
        Json list = Json::array();
        for (const Feed& feed : wanted.empty() ? feeds : wanted) {
            const auto found = latest.find(feed);
            if (found == latest.end()) {
                if (wanted.empty()) continue;
                return refusal(404, "feed_unknown", channel::feed_name(feed));
            }
            list.push_back({{"feed", channel::feed_name(feed)},
                            {"price", channel::format_decimal(found->second.price.raw(), channel::kPriceDecimals)},
                            {"timestampMs", found->second.timestamp_ms},
                            {"package", package_text(found->second.raw)}});
        }
        return json_response(200, Json{{"signer", channel::to_hex(key.address())}, {"items", list}});
    }

    HttpResponse answer_packages(const HttpRequest& request) {
        std::optional<Feed> feed;
        std::optional<std::uint64_t> time_s;
        for (const auto& [name, value] : rpc::parse_query(request.query)) {
            if (name == "feed") {
                feed = parse_feed(value);
            } else if (name == "time") {
                time_s = parse_number(value);
            } else {
                return refusal(400, "parameter_unknown", "only feed and time are known");
            }
        }
        if (!feed) return refusal(400, "feed_malformed", "feed is the name of a feed");
        if (!time_s) return refusal(400, "time_malformed", "time is a number of Unix seconds");
        const std::lock_guard lock(mutex);
        const std::vector<Bytes> kept = history.list(*feed, *time_s);
        if (kept.empty()) return refusal(404, "package_unknown", "nothing is kept for this feed and time");
        Json list = Json::array();
        for (const Bytes& raw : kept) list.push_back(package_text(raw));
        return json_response(200, Json{{"feed", channel::feed_name(*feed)}, {"time", *time_s}, {"packages", list}});
    }

    HttpResponse answer_info() const {
        Json names = Json::array();
        for (const Feed& feed : feeds) names.push_back(channel::feed_name(feed));
        return json_response(200, Json{{"signer", channel::to_hex(key.address())},
                                       {"feeds", names},
                                       {"intervalMs", config.interval_ms},
                                       {"publish", endpoint},
                                       {"startTimeMs", model.start_ms()}});
    }

    HttpResponse answer_health() {
        const std::uint64_t now_ms = clock();
        const std::lock_guard lock(mutex);
        const bool waiting = now_ms < model.start_ms();
        const bool late = now_ms > last_tick_ms + config.interval_ms + kLateMs;
        return json_response(late ? 503 : 200, Json{{"status", late ? "late" : (waiting ? "waiting" : "ok")},
                                                    {"signer", channel::to_hex(key.address())},
                                                    {"lastTickMs", last_tick_ms},
                                                    {"packagesKept", history.size()}});
    }

    const OracleServiceConfig config;
    const wallet::PrivateKey key;
    MarketModel model;  // the caller's thread alone, but for its start time
    const Clock clock;
    mutable std::mutex mutex;  // guards history, latest, last_tick_ms
    PackageHistory history;
    std::map<Feed, Latest> latest;
    std::vector<Feed> feeds;  // constant after construction
    std::uint64_t last_tick_ms = 0;
    std::uint64_t skipped_ms = 0;
    ZmqContext context;
    ZmqSocket publisher;
    const std::string warning;
    std::string endpoint;                     // as bound
    std::unique_ptr<rpc::HttpServer> server;  // last: its thread ends before what it reads
};

OracleService::OracleService(OracleServiceConfig config, wallet::PrivateKey key, MarketModel model, Clock clock,
                             std::uint64_t now_ms)
    : m_impl(std::make_unique<Impl>(std::move(config), std::move(key), std::move(model), std::move(clock), now_ms)) {}

OracleService::~OracleService() = default;

std::uint64_t OracleService::next_tick_ms() const {
    return next_tick(m_impl->last_tick_ms, m_impl->config.interval_ms);
}

std::size_t OracleService::run_until(std::uint64_t now_ms) {
    std::size_t ticks = 0;
    for (std::uint64_t due = next_tick_ms(); due <= now_ms; due = next_tick_ms()) {
        if (now_ms - due > kMaxLagMs) {
            const std::lock_guard lock(m_impl->mutex);
            m_impl->skipped_ms += now_ms - 1 - m_impl->last_tick_ms;
            m_impl->last_tick_ms = now_ms - 1;
            continue;
        }
        m_impl->tick(due);
        ++ticks;
    }
    return ticks;
}

bool OracleService::is_over(std::uint64_t now_ms) const {
    return m_impl->model.is_over(now_ms);
}
std::string OracleService::publish_endpoint() const {
    return m_impl->endpoint;
}
std::string OracleService::http_url() const {
    return m_impl->server->url();
}
const Address& OracleService::signer() const {
    return m_impl->key.address();
}
std::vector<Feed> OracleService::feeds() const {
    return m_impl->feeds;
}
std::uint64_t OracleService::skipped_ms() const {
    return m_impl->skipped_ms;
}
const std::string& OracleService::history_warning() const {
    return m_impl->warning;
}

}  // namespace hedgerow::daemon
