#include "daemon/oracle/oracle_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "daemon/base/event_fd.h"
#include "daemon/net/zmq_socket.h"
#include "rpc/http_client.h"
#include "rpc/json.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::Feed;
using channel::Rule;

namespace {

constexpr std::size_t kMessagesPerTurn = 256;  // of one endpoint, so that a loud one does not starve the others
constexpr std::uint64_t kMaxHistoryResponse = 1U << 20;

void check(const OracleClientConfig& config) {
    if (config.endpoints.size() > OracleClientConfig::kMaxEndpoints)
        throw std::invalid_argument("at most 64 oracle endpoints");
    for (const OracleEndpoint& endpoint : config.endpoints) {
        if (!endpoint.publish.starts_with("tcp://")) {
            throw std::invalid_argument(fmt::format("oracle endpoint '{}' is not tcp://host:port", endpoint.publish));
        }
        if (!endpoint.http.empty() && !rpc::parse_http_url(endpoint.http)) {
            throw std::invalid_argument(fmt::format("oracle history '{}' is not http://host:port", endpoint.http));
        }
    }
}

/// The packages of a history answer; nothing where it is not one.
std::optional<std::vector<Bytes>> parse_history(std::string_view body) {
    const auto json = rpc::parse_json(body);
    if (!json || !json->is_object() || !json->contains("packages")) return std::nullopt;
    const rpc::Json& list = (*json)["packages"];
    if (!list.is_array() || list.size() > channel::kMaxOracles) return std::nullopt;
    std::vector<Bytes> out;
    for (const rpc::Json& element : list) {
        if (!element.is_string()) return std::nullopt;
        auto bytes = channel::from_hex(element.get_ref<const std::string&>());
        if (!bytes) return std::nullopt;
        out.push_back(*std::move(bytes));
    }
    return out;
}

}  // namespace

struct OracleClient::Impl {
    struct Request {
        Feed feed;
        std::uint64_t time_s = 0;
        auto operator<=>(const Request&) const = default;
    };

    Impl(OracleClientConfig c, PriceBook& b, Clock k, OnMoved moved, OnFault fault)
        : config((check(c), std::move(c))),
          book(b),
          clock(std::move(k)),
          on_moved(std::move(moved)),
          on_fault(std::move(fault)) {
        for (const OracleEndpoint& endpoint : config.endpoints) {
            status.push_back(OracleEndpointStatus{endpoint, 0, 0, {}, {}});
            sockets.push_back(subscribe(endpoint));
        }
        subscriber = std::thread([this] { guard([this] { run_subscriber(); }); });
        fetcher = std::thread([this] { guard([this] { run_fetcher(); }); });
    }

    ~Impl() {
        {
            const std::lock_guard lock(mutex);
            stop = true;
        }
        wake.signal();
        has_work.notify_all();
        subscriber.join();
        fetcher.join();
    }

    std::unique_ptr<ZmqSocket> subscribe(const OracleEndpoint& endpoint) {
        auto socket = std::make_unique<ZmqSocket>(context, ZMQ_SUB);
        socket->set(ZMQ_LINGER, 0);
        socket->set(ZMQ_RCVHWM, kHighWater);
        socket->set(ZMQ_RECONNECT_IVL, 100);
        socket->set(ZMQ_RECONNECT_IVL_MAX, 5'000);
        socket->set(ZMQ_HEARTBEAT_IVL, 1'000);
        socket->set(ZMQ_HEARTBEAT_TIMEOUT, 5'000);
        socket->set(ZMQ_IPV6, 1);
        socket->set_int64(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(channel::kMaxPackageBytes));
        const auto& feeds = book.config().feeds;
        if (feeds.empty()) socket->set_bytes(ZMQ_SUBSCRIBE, {});
        for (const Feed& feed : feeds) socket->set_bytes(ZMQ_SUBSCRIBE, feed.view());
        try {
            socket->connect(endpoint.publish);
        } catch (const std::runtime_error& error) {
            throw std::invalid_argument(error.what());
        }
        return socket;
    }

    template <typename Run>
    void guard(Run run) {
        try {
            run();
        } catch (const std::exception& error) {
            if (on_fault) on_fault(error.what());
        }
    }

    void run_subscriber() {
        std::vector<zmq_pollitem_t> items{{nullptr, wake.fd(), ZMQ_POLLIN, 0}};
        for (const auto& socket : sockets) items.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
        while (!stop) {
            zmq_poll(items.data(), static_cast<int>(items.size()), 1'000);
            std::set<Feed> moved;
            for (std::size_t i = 0; i < sockets.size(); ++i) {
                if ((items[i + 1].revents & ZMQ_POLLIN) != 0) read(i, moved);
            }
            if (!moved.empty() && on_moved) on_moved({moved.begin(), moved.end()});
        }
    }

    void read(std::size_t index, std::set<Feed>& moved) {
        ZmqMessage message;
        for (std::size_t n = 0; n < kMessagesPerTurn && sockets[index]->receive(message); ++n) {
            const bool is_topic = message.more() && message.size() == kOracleTopicBytes;
            bool whole = is_topic && sockets[index]->receive(message) && !message.more();
            while (message.more() && sockets[index]->receive(message)) whole = false;
            const std::uint64_t now_ms = clock();
            if (!whole) {
                note(index, now_ms, Rule::package_malformed);
                continue;
            }
            const auto receipt = book.submit(message.view(), now_ms, index);
            if (receipt) moved.insert(receipt->moved.begin(), receipt->moved.end());
            note(index, now_ms, receipt ? Rule::none : receipt.error());
        }
    }

    void note(std::size_t index, std::uint64_t now_ms, Rule rule) {
        const std::lock_guard lock(mutex);
        status[index].last_message_ms = now_ms;
        if (rule == Rule::none) {
            ++status[index].accepted;
        } else {
            ++status[index].refused[rule];
        }
    }

    void run_fetcher() {
        std::vector<std::unique_ptr<rpc::HttpClient>> clients;
        for (const OracleEndpoint& endpoint : config.endpoints) {
            const rpc::HttpClientOptions options{config.http_timeout_ms, config.http_timeout_ms, 20'000,
                                                 kMaxHistoryResponse};
            clients.push_back(endpoint.http.empty() ? nullptr
                                                    : std::make_unique<rpc::HttpClient>(endpoint.http, options));
        }
        std::unique_lock lock(mutex);
        while (true) {
            has_work.wait(lock, [this] { return stop || !requests.empty(); });
            if (stop) return;
            const Request request = requests.front();
            lock.unlock();
            for (std::size_t i = 0; i < clients.size() && !stop; ++i) {
                if (clients[i]) fetch(i, *clients[i], request);
            }
            lock.lock();
            requests.pop_front();
        }
    }

    void fetch(std::size_t index, rpc::HttpClient& client, const Request& request) {
        const auto response =
            client.get(fmt::format("/v1/packages?feed={}&time={}", channel::feed_name(request.feed), request.time_s));
        std::string error;
        std::vector<Rule> outcomes;
        if (!response) {
            error = response.error().message;
        } else if (response->status != 200) {
            if (response->status != 404) error = fmt::format("HTTP status {}", response->status);
        } else if (const auto packages = parse_history(response->body)) {
            for (const Bytes& raw : *packages) outcomes.push_back(book.submit_history(raw, clock()));
        } else {
            error = "the answer is no list of packages";
        }
        const std::lock_guard lock(mutex);
        status[index].last_error = error;
        for (const Rule rule : outcomes) {
            if (rule == Rule::none) {
                ++status[index].accepted;
            } else if (rule != Rule::package_replayed) {
                ++status[index].refused[rule];
            }
        }
    }

    const OracleClientConfig config;
    PriceBook& book;
    const Clock clock;
    const OnMoved on_moved;
    const OnFault on_fault;
    ZmqContext context;
    std::vector<std::unique_ptr<ZmqSocket>> sockets;  // the subscriber's alone once it runs
    EventFd wake;
    mutable std::mutex mutex;
    std::condition_variable has_work;
    std::deque<Request> requests;  // the first is being made
    std::vector<OracleEndpointStatus> status;
    std::atomic<bool> stop{false};
    std::thread subscriber;
    std::thread fetcher;
};

OracleClient::OracleClient(OracleClientConfig config, PriceBook& book, Clock clock, OnMoved on_moved, OnFault on_fault)
    : m_impl(std::make_unique<Impl>(std::move(config), book, std::move(clock), std::move(on_moved),
                                    std::move(on_fault))) {}

OracleClient::~OracleClient() = default;

Rule OracleClient::request_history(const Feed& feed, std::uint64_t time_s) {
    const std::lock_guard lock(m_impl->mutex);
    const Impl::Request request{feed, time_s};
    auto& requests = m_impl->requests;
    if (std::find(requests.begin(), requests.end(), request) != requests.end()) return Rule::none;
    if (requests.size() >= kMaxRequests) return Rule::queue_full;
    requests.push_back(request);
    m_impl->has_work.notify_one();
    return Rule::none;
}

std::size_t OracleClient::pending_requests() const {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->requests.size();
}

std::vector<OracleEndpointStatus> OracleClient::status() const {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->status;
}

}  // namespace hedgerow::daemon
