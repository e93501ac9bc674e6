#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/help.h"
#include "cli/names.h"
#include "cli/render.h"
#include "cli/run.h"
#include "rpc/server.h"
#include "tests/paths.h"

using namespace hedgerow;
using hedgerow::rpc::Json;
namespace fs = std::filesystem;

namespace {

const std::string kId = "0x" + std::string(64, '1');

/// A node that answers every method with what it was asked, or with what a test sets.
struct FakeNode {
    FakeNode() {
        std::string name = (fs::temp_directory_path() / "hedgerow-cli-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        directory = name;
        for (const std::string& method : dispatcher.unbound()) {
            dispatcher.bind(method, [this, method](const Json& params, const rpc::Reply& reply) {
                last_method = method;
                last_params = params;
                if (error) return reply.error(*error);
                reply.result(pages.empty() ? result : std::exchange(pages.front(), Json()));
                if (!pages.empty()) pages.erase(pages.begin());
            });
        }
        rpc::RpcServerOptions options;
        options.cookie_path = directory / rpc::kCookieFileName;
        options.tokens = {{"reader", *rpc::parse_scopes("read"), std::string(32, 'r')}};
        server = std::make_unique<rpc::RpcServer>(std::move(options), dispatcher);
    }
    ~FakeNode() {
        server.reset();
        fs::remove_all(directory);
    }

    int cli(std::vector<std::string> arguments, const std::string& input = "") {
        out.str("");
        err.str("");
        last_method.clear();
        std::istringstream in(input);
        cli::Environment environment{.out = out,
                                     .err = err,
                                     .in = in,
                                     .variable = [this](const std::string& name) -> std::optional<std::string> {
                                         if (name == "HEDGEROW_RPC") return server->url();
                                         if (name == "HEDGEROW_DATADIR") return directory.string();
                                         return std::nullopt;
                                     },
                                     .ask_secret = [this](const std::string& prompt) -> std::optional<std::string> {
                                         prompts.push_back(prompt);
                                         if (typed.empty()) return std::nullopt;
                                         const std::string text = typed.front();
                                         typed.erase(typed.begin());
                                         return text;
                                     }};
        return cli::run(arguments, environment);
    }
    /// The parameters that arrive for a command line, or the error it gives.
    std::string sent(const std::vector<std::string>& arguments) {
        const int code = cli(arguments);
        return code == cli::kDone ? last_method + " " + rpc::json_text(last_params) : err.str();
    }

    fs::path directory;
    rpc::Dispatcher dispatcher;
    std::unique_ptr<rpc::RpcServer> server;
    std::string last_method;
    Json last_params;
    Json result = Json::object();
    std::vector<Json> pages;
    std::optional<rpc::RpcError> error;
    std::vector<std::string> typed;
    std::vector<std::string> prompts;
    std::ostringstream out, err;
};

std::string file_text(const fs::path& path) {
    std::ifstream file(path);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

}  // namespace

namespace {

/// A port that refuses connections and that nobody else can get meanwhile: bound, not listening.
struct DeadPort {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    DeadPort() {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    }
    ~DeadPort() { ::close(fd); }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)); }
};

}  // namespace

TEST_CASE("cli: parameters by name, by order and mixed") {
    FakeNode node;
    const std::string wanted = "channel_deposit {\"channelId\":\"" + kId + "\",\"asset\":\"ETH\",\"amount\":\"2.5\"}";
    CHECK(node.sent({"channel", "deposit", "--channel-id", kId, "--asset", "ETH", "--amount", "2.5"}) == wanted);
    CHECK(node.sent({"channel", "deposit", "--channel-id=" + kId, "--asset=ETH", "--amount=2.5"}) == wanted);
    CHECK(node.sent({"channel", "deposit", kId, "ETH", "2.5"}) == wanted);
    CHECK(node.sent({"channel", "deposit", "--amount", "2.5", kId, "ETH"}) == wanted);
    CHECK(node.sent({"--json", "channel", "deposit", kId, "--timeout", "5", "ETH", "2.5"}) == wanted);
    CHECK(node.sent({"channel", "deposit", kId, "ETH", "2.5", "ref-1"}).find("\"clientRef\":\"ref-1\"") !=
          std::string::npos);
    CHECK(node.sent({"pay", "send", kId, "-", "-", "ETH", "1"}) ==
          "pay_send {\"channelId\":\"" + kId + "\",\"asset\":\"ETH\",\"amount\":\"1\"}");
    CHECK(node.sent({"pay", "send", "--node-id", kId, "--asset", "ETH", "--amount", "1", "--memo", "list"})
              .find("\"memo\":\"list\"") != std::string::npos);
}

TEST_CASE("cli: friendly spellings of structured parameters") {
    FakeNode node;
    const std::string deposits = R"("deposits":[{"asset":"ETH","amount":"10"},{"asset":"USDC","amount":"5000"}])";
    CHECK(node.sent({"channel", "open", "--peer", "p", "--deposit", "ETH=10", "--deposit", "USDC=5000"}) ==
          "channel_open {\"peer\":\"p\"," + deposits + "}");
    CHECK(node.sent({"channel", "open", "p", "ETH=10", "USDC=5000"}) ==
          "channel_open {\"peer\":\"p\"," + deposits + "}");
    CHECK(node.sent({"channel", "open", "p", "--deposits", R"([{"asset":"ETH","amount":"10"}])"})
              .find(R"([{"asset":"ETH","amount":"10"}])") != std::string::npos);
    CHECK(
        node.sent({"channel", "open", "p", "--deposit", "ETH=1", "--dispute-period", "3600", "--risk",
                   R"({"maxInDoubt":"5"})"}) ==
        R"(channel_open {"peer":"p","deposits":[{"asset":"ETH","amount":"1"}],"disputePeriod":3600,"risk":{"maxInDoubt":"5"}})");
    CHECK(node.sent({"swap", "quote", kId, "--give", "ETH=1", "--take", "USDC"}) ==
          "swap_quote {\"channelId\":\"" + kId + R"(","give":{"asset":"ETH","amount":"1"},"take":{"asset":"USDC"}})");
    CHECK(node.sent({"oracle", "prices", "BTC_USD", "ETH_USD"}) == R"(oracle_prices {"feeds":["BTC_USD","ETH_USD"]})");
    CHECK(node.sent({"oracle", "prices", "--feed", "BTC_USD", "--feed", "ETH_USD"}) ==
          R"(oracle_prices {"feeds":["BTC_USD","ETH_USD"]})");
    CHECK(node.sent({"channel", "close", kId, "--force"}) ==
          "channel_close {\"channelId\":\"" + kId + "\",\"force\":true}");
    CHECK(node.sent({"channel", "close", kId, "false"}) ==
          "channel_close {\"channelId\":\"" + kId + "\",\"force\":false}");
    CHECK(node.sent({"market", "quote", kId, "BTC_USD-PERPETUAL", "buy", "0.5"}) ==
          "market_quote {\"channelId\":\"" + kId +
              R"(","instrument":"BTC_USD-PERPETUAL","side":"buy","quantity":"0.5"})");
    CHECK(node.sent({"peer", "list", "--limit", "5"}) == R"(peer_list {"limit":5})");
}

TEST_CASE("cli: every method has a command, and every command a help page") {
    FakeNode node;
    for (const rpc::MethodSpec& method : rpc::method_table()) {
        CHECK_MESSAGE(node.cli({cli::namespace_of(method), cli::verb_of(method), "--help"}) == cli::kDone, method.name);
        const std::string page = node.out.str();
        CHECK_MESSAGE(page.find(method.name) != std::string::npos, method.name);
        for (const rpc::Field& field : method.params)
            CHECK_MESSAGE(page.find(cli::option_name(field)) != std::string::npos, method.name, " ", field.name);
        CHECK(node.last_method.empty());
        CHECK(cli::bash_completion().find("'" + cli::namespace_of(method) + " " + cli::verb_of(method) + "'") !=
              std::string::npos);
    }
    CHECK(node.cli({"--help"}) == cli::kDone);
    CHECK(node.out.str().find("Exit codes") != std::string::npos);
    CHECK(node.cli({"channel", "--help"}) == cli::kDone);
    CHECK(node.out.str().find("withdraw") != std::string::npos);
    CHECK(node.cli({"--version"}) == cli::kDone);
}

TEST_CASE("cli: wrong usage is exit 2, names what is wrong, and asks the node nothing") {
    FakeNode node;
    const auto wrong = [&](const std::vector<std::string>& arguments, const char* text) {
        CHECK_MESSAGE(node.cli(arguments) == cli::kUsage, text);
        CHECK_MESSAGE(node.err.str().find(text) != std::string::npos, text, " not in: ", node.err.str());
        CHECK(node.err.str().find("see: hedgerow-cli") != std::string::npos);
        CHECK(node.last_method.empty());
        CHECK(node.out.str().empty());
    };
    wrong({}, "command is missing");
    wrong({"chanel", "list"}, "did you mean channel?");
    wrong({"channel", "opne"}, "did you mean open?");
    wrong({"channel"}, "required");
    wrong({"channel", "get"}, "--channel-id is required");
    wrong({"channel", "get", "0x12"}, "--channel-id must be 32 bytes");
    wrong({"channel", "get", kId, "more"}, "too many: more");
    wrong({"channel", "get", kId, "--colour", "red"}, "--colour");
    wrong({"channel", "deposit", kId, "ETH", "1e18"}, "--amount must be a decimal string");
    wrong({"channel", "deposit", kId, "ETH", "-1"}, "--amount must not be negative");
    wrong({"channel", "open", "p", "ETH"}, "--deposit must be ASSET=AMOUNT");
    wrong({"channel", "open", "p", "ETH=x"}, "--deposit must be a decimal");
    wrong({"channel", "open", "p"}, "--deposit is required");
    wrong({"channel", "close", kId, "maybe"}, "--force must be true or false");
    wrong({"channel", "close", kId, "--force=maybe"}, "maybe");
    wrong({"peer", "list", "--limit", "many"}, "--limit must be a whole number");
    wrong({"peer", "list", "--limit", "1", "--limit", "2"}, "--limit is given twice");
    wrong({"channel", "open", "p", "ETH=1", "--risk", "{"}, "--risk is not JSON");
    wrong({"pay", "send", "--asset", "ETH", "--amount", "1"}, "exactly one");
    wrong({"node", "info", "--timeout", "0"}, "timeout");
    wrong({"node", "info", "--rpc", "https://x"}, "--rpc");
    wrong({"wallet", "import", "@/nowhere/at/all"}, "cannot be read");
    wrong({"call", "node_info", "{"}, "not JSON");
    wrong({"wallet", "unlock", "hunter2"}, "too many");
    wrong({"wallet", "unlock", "--password", "hunter2"}, "--password");
}

TEST_CASE("cli: passwords come from a prompt, a file or standard input") {
    FakeNode node;
    node.typed = {"secret"};
    CHECK(node.sent({"wallet", "unlock"}) == R"(wallet_unlock {"password":"secret"})");
    CHECK(node.prompts.size() == 1);
    std::ofstream(node.directory / "pw") << "from file\nmore\n";
    CHECK(node.sent({"wallet", "unlock", "--password-file", (node.directory / "pw").string()}) ==
          R"(wallet_unlock {"password":"from file"})");
    CHECK(node.cli({"wallet", "restore", "--password-file", "-", "--mnemonic-file", "-"}, "pw\nten words\n") ==
          cli::kDone);
    CHECK(node.last_params["password"] == "pw");
    CHECK(node.last_params["mnemonic"] == "ten words");
    SUBCASE("a new one is asked for twice") {
        node.typed = {"a", "a"};
        CHECK(node.sent({"wallet", "create"}) == R"(wallet_create {"password":"a"})");
        node.typed = {"a", "b"};
        CHECK(node.cli({"wallet", "create"}) == cli::kUsage);
        CHECK(node.err.str().find("differ") != std::string::npos);
    }
    SUBCASE("without a terminal the way out is named") {
        CHECK(node.cli({"wallet", "unlock"}) == cli::kUsage);
        CHECK(node.err.str().find("--password-file") != std::string::npos);
    }
    SUBCASE("a file that is not there") {
        CHECK(node.cli({"wallet", "unlock", "--password-file", "/nowhere"}) == cli::kUsage);
    }
}

TEST_CASE("cli: exit codes and what stands on standard error") {
    FakeNode node;
    node.error = rpc::from_rule(channel::Rule::insufficient_balance);
    CHECK(node.cli({"pay", "send", kId, "-", "-", "ETH", "1"}) == cli::kNotDone);
    CHECK(node.err.str().find("[insufficient_balance]") != std::string::npos);
    CHECK(node.err.str().find("remedy: deposit more") != std::string::npos);
    CHECK(node.out.str().empty());
    node.error->outcome = rpc::Outcome::unknown;
    CHECK(node.cli({"pay", "send", kId, "-", "-", "ETH", "1"}) == cli::kOutcomeUnknown);
    node.error->outcome = rpc::Outcome::done;
    CHECK(node.cli({"pay", "send", kId, "-", "-", "ETH", "1"}) == cli::kDoneWithError);
    CHECK(node.cli({"pay", "send", kId, "-", "-", "ETH", "1", "--json"}) == cli::kDoneWithError);
    CHECK(Json::parse(node.err.str())["error"]["data"]["name"] == "insufficient_balance");
    node.error.reset();

    CHECK(node.cli({"node", "info", "--cookie", "/nowhere"}) == cli::kUnauthorised);
    CHECK(node.err.str().find("/nowhere") != std::string::npos);
    std::ofstream(node.directory / "token") << std::string(32, 'r') << "\n";
    CHECK(node.cli({"node", "info", "--token-file", (node.directory / "token").string()}) == cli::kDone);
    CHECK(node.cli({"node", "stop", "--token-file", (node.directory / "token").string()}) == cli::kUnauthorised);
    CHECK(node.cli({"call", "no_such_method"}) == cli::kNotDone);
    const DeadPort dead;
    CHECK(node.cli({"node", "info", "--rpc", dead.url()}) == cli::kCannotConnect);
    CHECK(node.err.str().find("hedgerowd") != std::string::npos);
}

TEST_CASE("cli: raw calls") {
    FakeNode node;
    CHECK(node.sent({"call", "channel_get", "[\"" + kId + "\"]"}) == "channel_get {\"channelId\":\"" + kId + "\"}");
    CHECK(node.sent({"call", "node_info"}) == "node_info {}");
}

TEST_CASE("cli: --json gives the node's result unchanged") {
    FakeNode node;
    node.result = Json::parse(R"({"b":"1.50","a":[1,null,{"x":true}]})");
    CHECK(node.cli({"node", "info", "--json"}) == cli::kDone);
    CHECK(Json::parse(node.out.str()) == node.result);
}

TEST_CASE("cli: lists page by page, and all at once") {
    FakeNode node;
    const Json first = Json::parse(R"({"items":[{"nodeId":"a"}],"cursor":"c1"})");
    const Json last = Json::parse(R"({"items":[{"nodeId":"b"}],"cursor":null})");
    node.pages = {first};
    CHECK(node.cli({"peer", "list"}) == cli::kDone);
    CHECK(node.out.str() == "nodeId\na\nmore: --cursor c1\n");
    node.pages = {first, last};
    CHECK(node.cli({"peer", "list", "--all"}) == cli::kDone);
    CHECK(node.out.str() == "nodeId\na\nb\n");
    CHECK(node.last_params["cursor"] == "c1");
}

TEST_CASE("render: tables, objects, times") {
    CHECK(cli::render(Json::parse(R"([{"asset":"ETH","amount":"1.5"},{"asset":"USDC","amount":"12000"}])")) ==
          "asset  amount\n"
          "ETH       1.5\n"
          "USDC    12000\n");
    CHECK(cli::render(Json::parse(
              R"({"id":"x","open":true,"time":1767225600123,"list":[{"a":"1"},{"b":"2"}],"none":[],"null":null})")) ==
          "id    x\n"
          "open  yes\n"
          "time  2026-01-01 00:00:00.123Z\n"
          "list\n"
          "  a  b\n"
          "  1  -\n"
          "  -  2\n"
          "none  -\n"
          "null  -\n");
    CHECK(cli::render(Json::object()) == "done\n");
    CHECK(cli::render(Json::array()) == "none\n");
    CHECK(cli::render(Json::parse(R"({"items":[],"cursor":null})")) == "none\n");
    CHECK(cli::render("text") == "text\n");
}

TEST_CASE("render: text from elsewhere cannot drive the terminal") {
    CHECK(cli::printable("a\x1b[31mb\nc\x7f") == "a\\u001b[31mb\\u000ac\\u007f");
    CHECK(cli::printable("\xc2\x9b"
                         "31m") == "\\u009b31m");
    CHECK(cli::printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
    CHECK(cli::render(Json{{"memo", "x\x1b]0;evil\x07"}}) == "memo  x\\u001b]0;evil\\u0007\n");
    CHECK(cli::render(Json{{"memo\x1b", "x"}}) == "memo\\u001b  x\n");
}

TEST_CASE("completion: the committed script is the one the table makes, and bash accepts it") {
    const fs::path path = fs::path(HEDGEROW_SOURCE_DIR) / "contrib/completions/hedgerow-cli.bash";
    CHECK_MESSAGE(file_text(path) == cli::bash_completion(),
                  "run: hedgerow-cli --print-completion > contrib/completions/hedgerow-cli.bash");
    CHECK(std::system(("bash -n " + path.string()).c_str()) == 0);
}
