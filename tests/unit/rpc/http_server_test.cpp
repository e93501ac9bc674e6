#include "rpc/http_server.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "rpc/http_client.h"
#include "tests/unit/rpc/raw_http_support.h"

using namespace hedgerow::rpc;
using hedgerow::rpc::test::body_of;
using hedgerow::rpc::test::exchange;
using hedgerow::rpc::test::RawConnection;
using hedgerow::rpc::test::status_of;

namespace {

void echo(HttpRequest request, const HttpResponder& responder) {
    HttpResponse out;
    out.content_type = "text/plain";
    out.body = request.method + " " + request.path + " " + request.query + " " + request.body;
    responder.send(std::move(out));
}

HttpServerOptions with(HttpLimits limits) {
    HttpServerOptions out;
    out.limits = limits;
    return out;
}

constexpr const char* kGet = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr const char* kGetAndClose = "GET /z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("http server: answers, keeps alive, and keeps the order of pipelined requests") {
    HttpServer server({}, echo);
    CHECK(server.port() != 0);
    const std::string answers = exchange(server.port(), std::string(kGet) + kGet + kGetAndClose);
    const auto first = answers.find("GET /a b=c");
    const auto last = answers.find("GET /z");
    CHECK(first != std::string::npos);
    CHECK(answers.find("GET /a b=c", first + 1) != std::string::npos);
    CHECK(last > first);
    CHECK(answers.find("<timeout>") == std::string::npos);
}

TEST_CASE("http server: requests that come in any pieces, and answers larger than a socket takes at once") {
    HttpServer server({}, echo);
    const std::string body(20'000, 'b');
    const std::string request = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + body;
    for (const std::size_t cut :
         {1UL, 30UL, request.size() - body.size(), request.size() - body.size() + 1, 4'096UL, request.size() - 1}) {
        const RawConnection connection(server.port());
        connection.send(request.substr(0, cut));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        connection.send(request.substr(cut) + kGetAndClose);
        const std::string answers = connection.read_until_closed();
        CHECK(answers.find("POST /p  " + body) != std::string::npos);
        CHECK(answers.find("GET /z") != std::string::npos);
    }

    HttpServer large({}, [](HttpRequest, const HttpResponder& responder) {
        responder.send(text_response(200, std::string(20 << 20, 'a')));
    });
    const RawConnection connection(large.port());
    connection.send(std::string(kGet) + kGetAndClose);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // more than fits is written by then
    const std::string answers = connection.read_until_closed();
    CHECK(answers.size() > 2 * (20 << 20));
    CHECK(answers.find("<timeout>") == std::string::npos);
}

TEST_CASE("http server: malformed requests are refused by status and name") {
    HttpServer server({}, echo);
    const auto port = server.port();
    CHECK(status_of(exchange(port, "NONSENSE\r\n\r\n")) == 400);
    CHECK(status_of(exchange(port, "GET / HTTP/3.0\r\nHost: x\r\n\r\n")) == 400);
    CHECK(status_of(exchange(port, "GET / HTTP/1.1\r\nHo st: x\r\n\r\n")) == 400);
    CHECK(status_of(exchange(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n")) == 400);
    CHECK(status_of(exchange(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")) == 400);
    CHECK(status_of(exchange(port, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")) == 400);
    CHECK(body_of(exchange(port, "GET / HTTP/1.1\r\n\r\n")) == "host_field_required_once\n");
    CHECK(body_of(exchange(port, "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")) == "host_field_required_once\n");
    CHECK(status_of(exchange(
              port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")) == 400);
    CHECK(
        status_of(exchange(
            port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) ==
        400);
    // and it still serves others
    CHECK(status_of(exchange(port, kGetAndClose)) == 200);
}

TEST_CASE("http server: body limit, at it and above it, with a length and chunked") {
    HttpLimits limits;
    limits.max_body_bytes = 1000;
    HttpServer server(with(limits), echo);
    const auto post = [&](std::size_t size) {
        return exchange(server.port(), "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                                           std::to_string(size) + "\r\n\r\n" + std::string(size, 'q'));
    };
    CHECK(status_of(post(1000)) == 200);
    CHECK(status_of(post(1001)) == 413);
    CHECK(body_of(post(500'000)) == "body_too_large\n");
    const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" +
                                std::string(1024, 'q') + "\r\n0\r\n\r\n";
    CHECK(status_of(exchange(server.port(), chunked)) == 413);
}

TEST_CASE("http server: header limit") {
    HttpLimits limits;
    limits.max_header_bytes = 1000;
    HttpServer server(with(limits), echo);
    const auto get = [&](std::size_t size) {
        return exchange(server.port(),
                        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + std::string(size, 'q') + "\r\n\r\n");
    };
    CHECK(status_of(get(500)) == 200);
    CHECK(status_of(get(2000)) == 431);
    CHECK(body_of(get(200'000)) == "header_too_large\n");
}

TEST_CASE("http server: a request that trickles in is cut off, however lively it looks") {
    HttpLimits limits;
    limits.read_timeout_ms = 300;
    HttpServer server(with(limits), echo);
    const RawConnection slow(server.port());
    const auto begin = std::chrono::steady_clock::now();
    std::thread trickle([&] {
        for (int i = 0; i < 12; ++i) {
            slow.send(i == 0 ? "GET / HTTP/1.1\r\nX: " : "q");
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    });
    const std::string answer = slow.read_until("\r\n\r\n");
    trickle.join();
    CHECK(status_of(answer) == 408);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    SUBCASE("and a body that never comes too") {
        const std::string body = exchange(server.port(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
        CHECK(body_of(body) == "request_timeout\n");
    }
}

TEST_CASE("http server: an idle connection is closed silently") {
    HttpLimits limits;
    limits.idle_timeout_ms = 100;
    HttpServer server(with(limits), echo);
    CHECK(exchange(server.port(), "") == "");
}

TEST_CASE("http server: silence is counted from the last request, not from the first") {
    HttpLimits limits;
    limits.idle_timeout_ms = 300;
    HttpServer server(with(limits), echo);
    const RawConnection connection(server.port());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
        connection.send(kGet);
        CHECK(status_of(connection.read_until("b=c ")) == 200);
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
    }
    const auto last = std::chrono::steady_clock::now();
    CHECK(last - start > std::chrono::milliseconds(600));
    CHECK(connection.read_until_closed().empty());
    CHECK(std::chrono::steady_clock::now() - last < std::chrono::seconds(2));
}

TEST_CASE("http server: connections beyond the limit are told so") {
    HttpLimits limits;
    limits.max_connections = 2;
    HttpServer server(with(limits), echo);
    const RawConnection a(server.port());
    const RawConnection b(server.port());
    a.send(kGet);
    b.send(kGet);
    CHECK(status_of(a.read_until("GET /a")) == 200);
    CHECK(status_of(b.read_until("GET /a")) == 200);
    CHECK(server.connections() == 2);
    const std::string third = exchange(server.port(), kGet);
    CHECK(status_of(third) == 503);
    CHECK(body_of(third) == "too_many_connections\n");
}

TEST_CASE("http server: the answer may come later, from another thread") {
    std::vector<std::thread> threads;
    std::mutex mutex;
    {
        HttpServer server({}, [&](HttpRequest, const HttpResponder& responder) {
            const std::lock_guard lock(mutex);
            threads.emplace_back([responder] {
                std::this_thread::sleep_for(std::chrono::milliseconds(30));
                responder.send(text_response(202, "later"));
            });
        });
        CHECK(status_of(exchange(server.port(), kGetAndClose)) == 202);
    }
    for (auto& thread : threads) thread.join();
}

TEST_CASE("http server: no answer, a late answer, an exception") {
    HttpLimits limits;
    limits.handler_timeout_ms = 200;
    std::optional<HttpResponder> kept;
    HttpServer server(with(limits), [&](HttpRequest request, const HttpResponder& responder) {
        if (request.path == "/throw") throw std::runtime_error("secret text");
        if (request.path == "/keep") kept = responder;
    });
    CHECK(body_of(exchange(server.port(), "GET /drop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) ==
          "no_answer\n");
    CHECK(body_of(exchange(server.port(), "GET /throw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) ==
          "internal_error\n");
    CHECK(body_of(exchange(server.port(), "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n")) == "handler_timeout\n");
    REQUIRE(kept);
    kept->send(text_response(200, "too late"));  // harmless
}

TEST_CASE("http server: stop lets a given answer out, ends waiting calls, and outlived responders are harmless") {
    std::promise<HttpResponder> waiting;
    auto server = std::make_unique<HttpServer>(
        HttpServerOptions{}, [&](HttpRequest, HttpResponder responder) { waiting.set_value(std::move(responder)); });
    const RawConnection client(server->port());
    client.send(kGet);
    const HttpResponder responder = waiting.get_future().get();
    const RawConnection idle(server->port());
    SUBCASE("answered just before") {
        responder.send(text_response(200, "goodbye"));
        server->stop();
        CHECK(body_of(client.read_until_closed()) == "goodbye\n");
    }
    SUBCASE("not answered") {
        server->stop();
        CHECK(body_of(client.read_until_closed()) == "server_stopping\n");
        server.reset();
        responder.send(text_response(200, "nobody hears this"));
    }
    CHECK(idle.read_until_closed() == "");
}

TEST_CASE("http server: an address that is not ours is an operating-system error") {
    HttpServer server({}, echo);
    HttpServerOptions same;
    same.port = server.port();
    CHECK_THROWS_AS(HttpServer(same, echo), std::system_error);
    HttpServerOptions bad;
    bad.address = "not-an-address";
    CHECK_THROWS_AS(HttpServer(bad, echo), std::system_error);
}

TEST_CASE("http server: Expect: 100-continue") {
    HttpServer server({}, echo);
    const RawConnection client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    CHECK(status_of(client.read_until("\r\n\r\n")) == 100);
    client.send("hello");
    CHECK(client.read_until_closed().find("hello") != std::string::npos);
}

TEST_CASE("http client: keeps its connection, and finds out when the server has closed it") {
    HttpLimits limits;
    limits.idle_timeout_ms = 100;
    HttpServer server(with(limits), echo);
    HttpClient client(server.url() + "/base");
    auto first = client.get();
    REQUIRE(first);
    CHECK(first->body.starts_with("GET /base"));
    REQUIRE(client.post("data"));
    CHECK(server.connections() == 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    auto later = client.post("again");
    REQUIRE(later);
    CHECK(later->body == "POST /base  again");
}

TEST_CASE("http client: failures have names, and say whether the request may have arrived") {
    std::uint16_t free_port = 0;
    {
        HttpServer server({}, echo);
        free_port = server.port();
    }
    HttpClient nobody("http://127.0.0.1:" + std::to_string(free_port));
    const auto refused = nobody.get();
    REQUIRE(!refused);
    CHECK(refused.error().code == HttpErrorCode::connect_failed);
    CHECK(!refused.error().maybe_delivered);
    CHECK(HttpClient("ftp://x").get().error().code == HttpErrorCode::url_malformed);

    std::optional<HttpResponder> kept;
    HttpServer silent({}, [&](HttpRequest, const HttpResponder& responder) { kept = responder; });
    HttpClientOptions quick;
    quick.request_timeout_ms = 200;
    const auto timeout = HttpClient(silent.url(), quick).post("x");
    REQUIRE(!timeout);
    CHECK(timeout.error().code == HttpErrorCode::request_timeout);
    CHECK(timeout.error().maybe_delivered);

    HttpServer big({}, [](HttpRequest, const HttpResponder& responder) {
        responder.send(text_response(200, std::string(5000, 'x')));
    });
    HttpClientOptions small;
    small.max_response_bytes = 1000;
    CHECK(HttpClient(big.url(), small).get().error().code == HttpErrorCode::response_too_large);
}

TEST_CASE("http client: URLs") {
    const auto url = parse_http_url("http://127.0.0.1:8545/rpc?x=1");
    REQUIRE(url);
    CHECK(url->host == "127.0.0.1");
    CHECK(url->port == 8545);
    CHECK(url->target == "/rpc?x=1");
    CHECK(parse_http_url("http://localhost")->port == 80);
    CHECK(parse_http_url("http://[::1]:99")->host == "::1");
    for (const char* bad : {"", "http://", "https://x", "http://x:0", "http://x:65536", "http://x:1x", "http://u:p@x",
                            "http://x y", "http://[::1"}) {
        CHECK_MESSAGE(!parse_http_url(bad), bad);
    }
}

TEST_CASE("http message: query strings") {
    const auto query = parse_query("a=1&b=x%20y+z&c");
    REQUIRE(query.size() == 3);
    CHECK(query[1].second == "x y z");
    CHECK(query[2].first == "c");
    CHECK(parse_query("a=%2").empty());
    CHECK(parse_query("a=%zz").empty());
    CHECK(parse_query("").empty());
}
