#include "daemon/oracle/oracle_service.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>

#include "daemon/net/zmq_socket.h"
#include "daemon/oracle/oracle_client.h"
#include "tests/unit/daemon/oracle/oracle_support.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using namespace hedgerow::daemon::testing;
using hedgerow::wallet::PrivateKey;

namespace {

constexpr std::uint64_t kStart = 1'795'255'200'000;

PrivateKey key(std::uint8_t byte) {
    return *PrivateKey::from_bytes(Bytes(32, byte));
}

std::unique_ptr<OracleService> service(std::uint8_t byte, std::uint64_t now = kStart, OracleServiceConfig config = {}) {
    return std::make_unique<OracleService>(
        std::move(config), key(byte), MarketModel(default_scenario(), 1, kStart), [] { return kStart; }, now);
}

/// Waits for what other threads bring about.
template <typename Check>
bool soon(Check check) {
    for (int i = 0; i < 1'000; ++i) {
        if (check()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

/// Two oracles, a book that trusts them (two of two), and a clock set by hand.
struct Network {
    std::unique_ptr<OracleService> a = service(1), b = service(2);
    PriceBook book;
    std::atomic<std::uint64_t> now_ms{kStart};
    std::atomic<int> moves{0}, faults{0};

    explicit Network(std::vector<Address> trusted) : book(config(std::move(trusted))) {}
    static PriceBookConfig config(std::vector<Address> trusted) {
        PriceBookConfig out;
        out.threshold = static_cast<std::uint32_t>(trusted.size());
        out.oracles = std::move(trusted);
        out.feeds = {feed("BTC_USD"), feed("ETH_USD-PERPETUAL")};
        return out;
    }
    [[nodiscard]] std::unique_ptr<OracleClient> connect() {
        OracleClientConfig out;
        for (const auto* oracle : {a.get(), b.get()})
            out.endpoints.push_back({oracle->publish_endpoint(), oracle->http_url()});
        return std::make_unique<OracleClient>(
            std::move(out), book, [this] { return now_ms.load(); }, [this](auto) { ++moves; },
            [this](const auto&) { ++faults; });
    }
    void tick() {
        now_ms += 250;
        a->run_until(now_ms);
        b->run_until(now_ms);
    }
};

}  // namespace

TEST_CASE("ticks: multiples of the interval, and every whole second") {
    CHECK(next_tick(0, 250) == 250);
    CHECK(next_tick(999, 250) == 1'000);
    CHECK(next_tick(1'000, 300) == 1'200);
    CHECK(next_tick(1'800, 300) == 2'000);
    CHECK(next_tick(2'000, 300) == 2'100);
    CHECK(next_tick(1'500, 60'000) == 2'000);
}

TEST_CASE("noise: bounded, the oracle's own, and the same whenever asked") {
    const Price base = price("50000");
    std::set<Price> seen;
    for (std::uint8_t who = 1; who < 50; ++who) {
        const Price noisy = noisy_price(base, 2, key(who).address(), feed("BTC_USD"), kStart);
        CHECK((noisy - base).abs() <= price("10"));
        CHECK(noisy == noisy_price(base, 2, key(who).address(), feed("BTC_USD"), kStart));
        seen.insert(noisy);
    }
    CHECK(seen.size() > 45);
    CHECK(noisy_price(base, 0, key(1).address(), feed("BTC_USD"), kStart) == base);
    CHECK(noisy_price(Price::from_raw(1), 1'000, key(1).address(), feed("BTC_USD"), kStart).sign() > 0);
}

TEST_CASE("service: signs each time once, nothing early, and leaves out what is long past") {
    const auto s = service(1);
    CHECK(s->run_until(kStart - 1) == 0);
    CHECK(s->run_until(kStart) == 1);
    CHECK(s->run_until(kStart) == 0);
    CHECK(s->next_tick_ms() == kStart + 250);
    CHECK(s->run_until(kStart + 1'100) == 4);
    CHECK(s->skipped_ms() == 0);
    const std::uint64_t later = kStart + 1'100 + OracleService::kMaxLagMs + 1'000;
    CHECK(s->run_until(later) == 0);
    CHECK(s->skipped_ms() > 0);
    CHECK(s->next_tick_ms() > later);
    CHECK(service(1, kStart - 5'000)->next_tick_ms() == kStart);
}

TEST_CASE("service: after a restart it begins behind what it may have signed") {
    const TempDir dir;
    OracleServiceConfig config;
    config.history.file = dir.path() / "history";
    {
        const auto s = service(1, kStart, config);
        CHECK(s->run_until(kStart + 1'500) == 7);
    }
    const auto again = service(1, kStart + 1'500, config);
    CHECK(again->next_tick_ms() == kStart + 2'000);
}

TEST_CASE("service: configs out of range") {
    OracleServiceConfig config;
    config.interval_ms = 9;
    CHECK_THROWS_AS(service(1, kStart, config), std::invalid_argument);
    config = {};
    config.noise_bps = 1'001;
    CHECK_THROWS_AS(service(1, kStart, config), std::invalid_argument);
    config = {};
    config.feeds = {feed("SOL_USD")};
    CHECK_THROWS_AS(service(1, kStart, config), std::invalid_argument);
    config = {};
    config.publish = "tcp://nonsense";
    CHECK_THROWS(service(1, kStart, config));
}

TEST_CASE("client: packages of two oracles become a median") {
    Network net({key(1).address(), key(2).address()});
    const auto client = net.connect();
    REQUIRE(soon([&] {
        net.tick();
        return net.book.median(feed("BTC_USD"), net.now_ms).has_value();
    }));
    CHECK(net.book.median(feed("BTC_USD"), net.now_ms)->signers == 2);
    CHECK(soon([&] {
        net.tick();
        return net.book.median(feed("ETH_USD-PERPETUAL"), net.now_ms).has_value();
    }));
    CHECK(net.book.feeds().size() == 2);  // it subscribed to no others
    CHECK(soon([&] { return net.moves > 0; }));
    CHECK(net.faults == 0);
    for (const auto& status : client->status()) {
        CHECK(status.accepted > 0);
        CHECK(status.refused.empty());
    }
}

TEST_CASE("client: an oracle that is not trusted is counted by name") {
    Network net({key(1).address()});
    const auto client = net.connect();
    CHECK(soon([&] {
        net.tick();
        return client->status()[1].refused[Rule::package_unknown_signer] > 0;
    }));
    CHECK(client->status()[1].accepted == 0);
}

TEST_CASE("client: history over HTTP, for what was missed") {
    Network net({key(1).address(), key(2).address()});
    for (int i = 0; i < 40; ++i) net.tick();  // nobody is listening
    const auto client = net.connect();
    const std::uint64_t slot = kStart / 1'000 + 3;
    CHECK(net.book.packages(feed("BTC_USD"), slot).empty());
    CHECK(client->request_history(feed("BTC_USD"), slot) == Rule::none);
    CHECK(client->request_history(feed("BTC_USD"), slot) == Rule::none);
    CHECK(client->request_history(feed("BTC_USD"), slot + 1'000) == Rule::none);  // nobody has it
    REQUIRE(soon([&] { return client->pending_requests() == 0; }));
    CHECK(net.book.packages(feed("BTC_USD"), slot).size() == 2);
    CHECK(net.book.slot_price(feed("BTC_USD"), slot, 2, net.book.config().oracles)->timestamp_ms == slot * 1'000);
    CHECK(net.book.packages(feed("BTC_USD"), slot + 1'000).empty());
    CHECK(client->status()[0].last_error.empty());
    CHECK(net.book.median(feed("BTC_USD"), net.now_ms).error() == Rule::price_missing);
}

TEST_CASE("client: requests are bounded, and a server that is gone is an error by name") {
    PriceBook book(Network::config({key(1).address()}));
    OracleClientConfig config{{{"tcp://127.0.0.1:9", "http://127.0.0.1:9"}}, 200};
    OracleClient client(config, book, [] { return kStart; }, {}, {});
    Rule last = Rule::none;
    for (std::uint64_t i = 0; i < 10 * OracleClient::kMaxRequests && last == Rule::none; ++i) {
        last = client.request_history(feed("BTC_USD"), i);
    }
    CHECK(last == Rule::queue_full);
    CHECK(soon([&] { return !client.status()[0].last_error.empty(); }));
}

TEST_CASE("client: frames that are no packages are counted and change nothing") {
    ZmqContext context;
    ZmqSocket publisher(context, ZMQ_PUB);
    publisher.set(ZMQ_LINGER, 0);
    publisher.bind("tcp://127.0.0.1:0");
    PriceBookConfig book_config = Network::config({key(1).address()});
    book_config.feeds.clear();
    PriceBook book(book_config);
    OracleClient client({{{publisher.last_endpoint(), ""}}}, book, [] { return kStart; }, {}, {});
    CHECK(soon([&] {
        for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{32}, std::size_t{500}}) {
            ZmqMessage alone(Bytes(size, 1));
            static_cast<void>(publisher.send(alone));
            ZmqMessage topic(feed("BTC_USD").view()), body(Bytes(size, 1)), more(Bytes(3, 1));
            static_cast<void>(publisher.send(topic, true));
            static_cast<void>(publisher.send(body, size == 5));
            if (size == 5) static_cast<void>(publisher.send(more));
        }
        return client.status()[0].refused[Rule::package_malformed] >= 16;
    }));
    CHECK(book.feeds().empty());
}

TEST_CASE("client: endpoints that are none") {
    PriceBook book(Network::config({key(1).address()}));
    const auto make = [&](const OracleEndpoint& endpoint) {
        OracleClient({{endpoint}}, book, [] { return kStart; }, {}, {});
    };
    CHECK_THROWS_AS(make({"ipc:///tmp/x", ""}), std::invalid_argument);
    CHECK_THROWS_AS(make({"tcp://127.0.0.1:notaport", ""}), std::invalid_argument);
    CHECK_THROWS_AS(make({"tcp://127.0.0.1:9", "127.0.0.1:9"}), std::invalid_argument);
}
