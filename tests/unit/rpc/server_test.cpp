#include "rpc/server.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "rpc/client.h"
#include "tests/unit/rpc/raw_http_support.h"

using namespace hedgerow::rpc;
using hedgerow::rpc::test::body_of;
using hedgerow::rpc::test::exchange;
using hedgerow::rpc::test::status_of;
namespace fs = std::filesystem;

namespace {

struct Directory {
    Directory() {
        std::string name = (fs::temp_directory_path() / "hedgerow-rpc-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { fs::remove_all(path); }
    fs::path path;
};

struct Node {
    explicit Node(std::vector<Token> tokens = {}) {
        dispatcher.bind("node_info", [](const Json&, const Reply& reply) { reply.result({{"nodeId", "me"}}); });
        dispatcher.bind("node_stop", [](const Json&, const Reply& reply) { reply.result(Json::object()); });
        RpcServerOptions options;
        options.cookie_path = directory.path / kCookieFileName;
        options.tokens = std::move(tokens);
        options.routes["/readyz"] = {[](const HttpRequest&) { return text_response(503, "chain_not_synced"); }, true};
        options.routes["/metrics"] = {[](const HttpRequest&) { return text_response(200, "metric 1"); }, false};
        server = std::make_unique<RpcServer>(std::move(options), dispatcher);
    }
    RpcClient client() const { return RpcClient({.url = server->url(), .cookie_path = server->cookie_path()}); }
    std::string authorization() const { return basic_authorization(*read_cookie(server->cookie_path())); }

    /// A POST of this body with these header lines, each ending in CRLF.
    std::string post(const std::string& body, const std::string& fields, const std::string& host = "localhost") const {
        return exchange(server->port(), "POST / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + fields +
                                            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    std::string get(const std::string& path, const std::string& fields = "") const {
        return exchange(server->port(),
                        "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + fields + "\r\n");
    }

    Directory directory;
    Dispatcher dispatcher;
    std::unique_ptr<RpcServer> server;
};

const std::string kJson = "Content-Type: application/json\r\n";
const std::string kInfo = R"({"jsonrpc":"2.0","method":"node_info","id":1})";

}  // namespace

TEST_CASE("rpc server: a call with the cookie, over one connection") {
    Node node;
    auto client = node.client();
    for (int i = 0; i < 3; ++i) {
        const auto answer = client.call("node_info", nullptr);
        REQUIRE(answer);
        CHECK((*answer)["nodeId"] == "me");
    }
    const auto unknown = client.call("no_such", Json::object());
    REQUIRE(!unknown);
    CHECK(unknown.error().kind == CallError::Kind::rpc);
    CHECK(unknown.error().error.code == kMethodNotFound);
}

TEST_CASE("rpc server: the cookie file is private, new at every start, and gone after a clean stop") {
    Node node;
    const fs::path path = node.server->cookie_path();
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    const auto first = read_cookie(path);
    REQUIRE(first);
    CHECK(first->size() == kCookieUser.size() + 1 + 64);
    SUBCASE("stop removes it") {
        node.server->stop();
        CHECK(!fs::exists(path));
    }
    SUBCASE("a later cookie on the same path is left alone") {
        const CookieFile other(path);
        CHECK(other.secret() != *first);
        node.server->stop();
        CHECK(read_cookie(path) == other.secret());
    }
    SUBCASE("a leftover of a crash is replaced, and its mode with it") {
        node.server->stop();
        std::ofstream(path) << "__cookie__:old";
        fs::permissions(path, fs::perms::all);
        const CookieFile next(path);
        REQUIRE(::stat(path.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0600);
    }
}

TEST_CASE("rpc server: no or a wrong credential is 401, and calls nothing") {
    Node node({{"reader", *parse_scopes("read"), std::string(32, 'r')}});
    const std::string good = "Authorization: " + node.authorization() + "\r\n";
    CHECK(status_of(node.post(kInfo, kJson + good)) == 200);
    const std::string refused = node.post(kInfo, kJson);
    CHECK(status_of(refused) == 401);
    CHECK(refused.find("WWW-Authenticate: Basic") != std::string::npos);
    const auto with = [&](const std::string& value) {
        return status_of(node.post(kInfo, kJson + "Authorization: " + value + "\r\n"));
    };
    CHECK(with("Basic") == 401);
    CHECK(with("Basic ") == 401);
    CHECK(with(node.authorization() + "=") == 401);
    CHECK(with(node.authorization().substr(0, 40)) == 401);
    CHECK(with(basic_authorization("__cookie__:" + std::string(64, '0'))) == 401);
    CHECK(with("Digest " + node.authorization().substr(6)) == 401);
    CHECK(with("Bearer " + std::string(31, 'r')) == 401);
    CHECK(with("Bearer " + std::string(32, 'r')) == 200);
    CHECK(with("basic " + node.authorization().substr(6)) == 200);
    CHECK(status_of(node.post(kInfo, kJson + good + good)) == 401);
}

TEST_CASE("rpc server: a bearer token has its scopes and no more") {
    Node node({{"reader", *parse_scopes("read"), std::string(32, 'r')}});
    RpcClient client({.url = node.server->url(), .cookie_path = {}, .bearer_token = std::string(32, 'r')});
    CHECK(client.call("node_info", nullptr));
    const auto refused = client.call("node_stop", nullptr);
    REQUIRE(!refused);
    CHECK(refused.error().error.name == "scope_denied");
    CHECK(refused.error().error.outcome == Outcome::not_done);
}

TEST_CASE("rpc server: web pages cannot call it") {
    Node node;
    const std::string good = kJson + "Authorization: " + node.authorization() + "\r\n";
    CHECK(body_of(node.post(kInfo, good, "attacker.example")) == "host_refused\n");
    CHECK(body_of(node.post(kInfo, good, "localhost.attacker.example:80")) == "host_refused\n");
    CHECK(body_of(node.post(kInfo, good, "")) == "host_refused\n");
    for (const char* host : {"localhost", "LOCALHOST:9745", "127.0.0.1:9745", "[::1]:9745"}) {
        CHECK_MESSAGE(status_of(node.post(kInfo, good, host)) == 200, host);
    }
    CHECK(body_of(node.post(kInfo, good + "Origin: http://localhost\r\n")) == "origin_refused\n");
    CHECK(body_of(node.post(kInfo, good + "Origin: null\r\n")) == "origin_refused\n");
}

TEST_CASE("rpc server: content type, method and path") {
    Node node;
    const std::string auth = "Authorization: " + node.authorization() + "\r\n";
    CHECK(status_of(node.post(kInfo, auth)) == 415);
    CHECK(status_of(node.post(kInfo, auth + "Content-Type: text/plain\r\n")) == 415);
    CHECK(status_of(node.post(kInfo, auth + "Content-Type: application/jsonp\r\n")) == 415);
    CHECK(status_of(node.post(kInfo, auth + "Content-Type: Application/JSON; charset=utf-8\r\n")) == 200);
    CHECK(status_of(node.get("/")) == 405);
    CHECK(status_of(node.get("/nothing")) == 404);
    CHECK(status_of(exchange(node.server->port(),
                             "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) == 405);
}

TEST_CASE("rpc server: health routes are open, others are not") {
    Node node;
    CHECK(body_of(node.get("/healthz")) == "ok\n");
    CHECK(status_of(node.get("/readyz")) == 503);
    CHECK(status_of(node.get("/metrics")) == 401);
    CHECK(status_of(node.get("/metrics", "Authorization: " + node.authorization() + "\r\n")) == 200);
}

TEST_CASE("rpc server: notifications alone are answered with 204 and nothing") {
    Node node;
    const std::string good = kJson + "Authorization: " + node.authorization() + "\r\n";
    for (const char* body : {R"({"jsonrpc":"2.0","method":"node_stop"})",
                             R"([{"jsonrpc":"2.0","method":"node_stop"},{"jsonrpc":"2.0","method":"x"}])"}) {
        const std::string answer = node.post(body, good);
        CHECK(status_of(answer) == 204);
        CHECK(body_of(answer).empty());
    }
}

TEST_CASE("rpc server: malformed and oversized bodies") {
    Node node;
    const std::string good = kJson + "Authorization: " + node.authorization() + "\r\n";
    const std::string malformed = node.post("{", good);
    CHECK(status_of(malformed) == 200);
    CHECK(Json::parse(body_of(malformed))["error"]["code"] == kParseError);
    CHECK(status_of(node.post("", good)) == 200);
    CHECK(status_of(node.post(std::string((1 << 20) + 1, ' '), good)) == 413);
    CHECK(status_of(node.post(std::string((1 << 20) - kInfo.size(), ' ') + kInfo, good)) == 200);
}

TEST_CASE("rpc client: finds the new cookie after a restart, and names what went wrong") {
    Directory directory;
    const fs::path cookie = directory.path / ".cookie";
    Dispatcher dispatcher;
    dispatcher.bind("node_info", [](const Json&, const Reply& reply) { reply.result(1); });
    const auto options = [&](std::uint16_t port) {
        RpcServerOptions out;
        out.http.port = port;
        out.cookie_path = cookie;
        return out;
    };
    auto server = std::make_unique<RpcServer>(options(0), dispatcher);
    const auto port = server->port();
    RpcClient client({.url = server->url(), .cookie_path = cookie});
    CHECK(client.call("node_info", nullptr));
    server.reset();
    const auto down = client.call("node_info", nullptr);
    REQUIRE(!down);
    CHECK(down.error().kind == CallError::Kind::connect);
    server = std::make_unique<RpcServer>(options(port), dispatcher);
    CHECK(client.call("node_info", nullptr));

    RpcClient no_cookie({.url = server->url(), .cookie_path = directory.path / "none"});
    CHECK(no_cookie.call("node_info", nullptr).error().kind == CallError::Kind::unauthorised);
    std::ofstream(directory.path / "wrong") << "__cookie__:1234";
    RpcClient wrong({.url = server->url(), .cookie_path = directory.path / "wrong"});
    CHECK(wrong.call("node_info", nullptr).error().kind == CallError::Kind::unauthorised);
}

TEST_CASE("auth: tokens files") {
    Directory directory;
    const fs::path path = directory.path / "tokens";
    const auto write = [&](const std::string& text) {
        std::ofstream(path) << text;
        fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
    };
    write("# comment\nbot read,pay " + std::string(32, 'a') + "\n\nops admin " + std::string(40, 'b') + " # x\n");
    const auto tokens = read_tokens(path);
    REQUIRE(tokens);
    REQUIRE(tokens->size() == 2);
    CHECK((*tokens)[0].name == "bot");
    CHECK(allows((*tokens)[1].scopes, Scope::trade));
    for (const std::string& bad :
         {std::string("bot read short"), "bot all " + std::string(32, 'a'), std::string("bot read"),
          "bot read " + std::string(32, 'a') + " more", "bot read " + std::string(32, '!')}) {
        write(bad + "\n");
        CHECK_MESSAGE(!read_tokens(path), bad);
    }
    write("bot read " + std::string(32, 'a'));
    fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
    CHECK(read_tokens(path).error().find("chmod 600") != std::string::npos);
    CHECK(!read_tokens(directory.path / "none"));
}

TEST_CASE("auth: base64 (RFC 4648 section 10) and comparison") {
    CHECK(base64_encode("") == "");
    CHECK(base64_encode("f") == "Zg==");
    CHECK(base64_encode("fo") == "Zm8=");
    CHECK(base64_encode("foobar") == "Zm9vYmFy");
    CHECK(equal_in_constant_time("abc", "abc"));
    CHECK(!equal_in_constant_time("abc", "abd"));
    CHECK(!equal_in_constant_time("abc", "abcabc"));
    CHECK(!equal_in_constant_time("abc", ""));
    CHECK(!equal_in_constant_time("", "abc"));
    CHECK(equal_in_constant_time("", ""));
}
