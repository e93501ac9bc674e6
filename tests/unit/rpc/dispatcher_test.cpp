#include "rpc/dispatcher.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <thread>

using namespace hedgerow::rpc;
using hedgerow::channel::Rule;

namespace {

const std::string kChannel = "0x" + std::string(64, '1');

/// Echoes parameters for every method but rpc_discover.
struct Fixture {
    explicit Fixture(DispatcherOptions options = {}) : dispatcher(std::move(options)) {
        for (const std::string& method : dispatcher.unbound()) {
            if (method == "node_halt") {
                dispatcher.bind(method, [](const Json&, const Reply& reply) { reply.error(Rule::node_halted); });
            } else if (method == "node_resume") {
                dispatcher.bind(method, [](const Json&, const Reply&) { throw std::runtime_error("secret"); });
            } else {
                dispatcher.bind(method, [this](const Json& params, const Reply& reply) {
                    ++calls;
                    reply.result(params);
                });
            }
        }
    }
    std::string raw(std::string_view text, Scopes scopes = kAllScopes) {
        std::optional<std::string> out;
        dispatcher.handle(text, scopes, [&](std::string answer) { out = std::move(answer); });
        REQUIRE(out);
        return *out;
    }
    Json ask(std::string_view text, Scopes scopes = kAllScopes) { return Json::parse(raw(text, scopes)); }
    int code(std::string_view text) { return ask(text)["error"]["code"].get<int>(); }
    std::string name(std::string_view text) { return ask(text)["error"]["data"]["name"].get<std::string>(); }

    Dispatcher dispatcher;
    int calls = 0;
};

std::string call(std::string_view method, std::string_view params) {
    return "{\"jsonrpc\":\"2.0\",\"method\":\"" + std::string(method) + "\",\"params\":" + std::string(params) +
           ",\"id\":1}";
}

std::string batch_of(int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
        out += std::string(i ? "," : "[") + R"({"jsonrpc":"2.0","method":"node_info","id":)" + std::to_string(i) + "}";
    return out + "]";
}

}  // namespace

TEST_CASE("dispatcher: every method of the table needs a handler") {
    Dispatcher empty;
    CHECK(empty.unbound().size() == method_table().size() - 1);
    CHECK(Fixture().dispatcher.unbound().empty());
}

TEST_CASE("dispatcher: a node that takes up its channels answers about itself, and refuses the rest by name") {
    bool starting = true;
    DispatcherOptions options;
    options.starting = [&] { return starting; };
    Fixture f(std::move(options));
    for (const MethodSpec& method : method_table()) {
        const bool early = method.name.starts_with("node_") || method.name == "rpc_discover";
        CHECK_MESSAGE(method.while_starting == early, method.name);
    }
    CHECK(f.ask(call("node_info", "{}")).contains("result"));
    CHECK(f.calls == 1);
    const Json refused = f.ask(call("channel_list", "{}"))["error"]["data"];
    CHECK(refused["name"] == "node_starting");
    CHECK(refused["retryable"] == true);
    CHECK(refused["outcome"] == "not_done");
    CHECK(f.calls == 1);
    starting = false;
    CHECK(f.ask(call("channel_list", "{}")).contains("result"));
}

TEST_CASE("dispatcher: calls by position and by name (jsonrpc.org examples)") {
    Fixture f;
    const Json by_position = f.ask(call("channel_deposit", "[\"" + kChannel + "\",\"ETH\",\"1.5\"]"));
    const Json by_name =
        f.ask(call("channel_deposit", R"({"amount":"1.5","asset":"ETH","channelId":")" + kChannel + "\"}"));
    CHECK(by_position == by_name);
    CHECK(by_position["jsonrpc"] == "2.0");
    CHECK(by_position["id"] == 1);
    CHECK(by_position["result"]["amount"] == "1.5");
    CHECK(!by_position.contains("error"));
    CHECK(f.calls == 2);
}

TEST_CASE("dispatcher: identifiers come back as they were sent") {
    Fixture f;
    for (const char* id : {"1", "\"abc\"", "-7", "1.5", "\"\"", "null", "18446744073709551615"}) {
        const std::string text = std::string(R"({"jsonrpc":"2.0","method":"node_stop","id":)") + id + "}";
        CHECK_MESSAGE(f.ask(text)["id"] == Json::parse(id), id);
    }
    for (const char* id : {"{}", "[1]", "true"}) {
        const Json answer = f.ask(std::string(R"({"jsonrpc":"2.0","method":"node_stop","id":)") + id + "}");
        CHECK(answer["id"].is_null());
        CHECK(answer["error"]["code"] == kInvalidRequest);
    }
}

TEST_CASE("dispatcher: notifications are carried out and never answered, right or wrong") {
    Fixture f;
    CHECK(f.raw(R"({"jsonrpc":"2.0","method":"node_stop"})") == "");
    CHECK(f.calls == 1);
    CHECK(f.raw(R"({"jsonrpc":"2.0","method":"foobar"})") == "");
    CHECK(f.raw(R"({"jsonrpc":"2.0","method":"channel_get","params":{"bad":1}})") == "");
    CHECK(f.raw(R"({"jsonrpc":"2.0","method":"node_halt"})") == "");
    CHECK(f.raw(R"({"jsonrpc":"2.0","method":"node_resume"})") == "");
    CHECK(f.raw(R"([{"jsonrpc":"2.0","method":"node_stop"},{"jsonrpc":"2.0","method":"foobar"}])") == "");
    CHECK(f.calls == 2);
}

TEST_CASE("dispatcher: the error codes of JSON-RPC 2.0 (jsonrpc.org examples)") {
    Fixture f;
    const Json missing = f.ask(R"({"jsonrpc": "2.0", "method": "foobar", "id": "1"})");
    CHECK(missing["error"]["code"] == -32601);
    CHECK(missing["error"]["message"] == "Method not found");
    CHECK(missing["id"] == "1");

    const Json garbled = f.ask(R"({"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz])");
    CHECK(garbled["error"]["code"] == -32700);
    CHECK(garbled["id"].is_null());

    const Json invalid = f.ask(R"({"jsonrpc": "2.0", "method": 1, "params": "bar"})");
    CHECK(invalid["error"]["code"] == -32600);
    CHECK(invalid["id"].is_null());

    const Json batch =
        f.ask(R"([ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method" ])");
    CHECK(batch.is_object());
    CHECK(batch["error"]["code"] == -32700);

    const Json empty = f.ask("[]");
    CHECK(empty.is_object());
    CHECK(empty["error"]["code"] == -32600);
    CHECK(empty["id"].is_null());

    const Json one = f.ask("[1]");
    REQUIRE(one.is_array());
    CHECK(one.size() == 1);
    const Json three = f.ask("[1,2,3]");
    REQUIRE(three.size() == 3);
    CHECK(three[2]["error"]["code"] == -32600);
}

TEST_CASE("dispatcher: a mixed batch (jsonrpc.org example) answers what asks for an answer, in order") {
    Fixture f;
    const Json answers = f.ask(R"([
        {"jsonrpc": "2.0", "method": "node_info", "params": {}, "id": "1"},
        {"jsonrpc": "2.0", "method": "node_stop", "params": []},
        {"jsonrpc": "2.0", "method": "channel_list", "params": [42], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "wallet_lock", "id": "9"}])");
    REQUIRE(answers.size() == 5);
    CHECK(answers[0]["id"] == "1");
    CHECK(answers[1]["result"]["limit"] == 42);
    CHECK(answers[2]["error"]["code"] == -32600);
    CHECK(answers[2]["id"].is_null());
    CHECK(answers[3]["error"]["code"] == -32601);
    CHECK(answers[4]["id"] == "9");
}

TEST_CASE("dispatcher: a batch at its bound and above it") {
    Fixture f;
    CHECK(f.ask(batch_of(1000)).size() == 1000);
    f.calls = 0;
    CHECK(f.name(batch_of(1001)) == "batch_too_large");
    CHECK(f.calls == 0);
}

TEST_CASE("dispatcher: malformed requests are named") {
    Fixture f;
    CHECK(f.name(R"({"jsonrpc":"1.0","method":"node_info","id":1})") == "request_malformed");
    CHECK(f.name(R"({"method":"node_info","id":1})") == "request_malformed");
    CHECK(f.name(R"({"jsonrpc":"2.0","id":1})") == "request_malformed");
    CHECK(f.name(R"({"jsonrpc":"2.0","method":"node_info","params":null,"id":1})") == "params_malformed");
    CHECK(f.name(R"({"jsonrpc":"2.0","method":"node_info","params":"x","id":1})") == "params_malformed");
    CHECK(f.name(R"({"jsonrpc":"2.0","method":"node_info","parms":{},"id":1})") == "unknown_member");
    CHECK(f.name("\"text\"") == "request_malformed");
    CHECK(f.name("") == "json_malformed");
    CHECK(f.name(R"({"jsonrpc":"2.0","method":"node_info","method":"node_stop","id":1})") == "json_duplicate_key");
    CHECK(f.name(call("channel_open", R"({"peer":"x","deposits":[{"asset":"ETH","amount":"1","amount":"2"}]})")) ==
          "json_duplicate_key");
    CHECK(f.name(std::string(200, '[')) == "json_too_deep");
    CHECK(f.name("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":1}") == "json_malformed");
    CHECK(f.name(R"({"jsonrpc":"2.0","method":"node_info","id":1} x)") == "json_malformed");
    CHECK(f.calls == 0);
}

TEST_CASE("dispatcher: parameters of wrong type, range, precision, name or number") {
    Fixture f;
    const auto check = [&](const char* method, const std::string& params, const char* name, const char* param) {
        const Json error = f.ask(call(method, params))["error"];
        CHECK_MESSAGE(error["code"] == kInvalidParams, params);
        CHECK_MESSAGE(error["data"]["name"] == name, params, " gave ", error.dump());
        CHECK_MESSAGE(error["data"]["param"] == param, params, " gave ", error.dump());
        CHECK(error["data"]["outcome"] == "not_done");
    };
    const std::string id = "\"channelId\":\"" + kChannel + "\"";
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\"}", "missing_parameter", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":1.5}", "type_mismatch", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":1}", "type_mismatch", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":null}", "type_mismatch", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":\"1e18\"}", "amount_malformed", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":\"-1\"}", "out_of_range", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":\"0.0000000000000000001\"}",
          "amount_too_precise", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":\"999999999999999999999999999999\"}",
          "amount_out_of_range", "amount");
    check("channel_deposit", "{" + id + ",\"asset\":\"\",\"amount\":\"1\"}", "out_of_range", "asset");
    check("channel_deposit", "{" + id + ",\"asset\":\"ETH\",\"amount\":\"1\",\"ammount\":\"1\"}", "unknown_parameter",
          "ammount");
    check("channel_get", R"({"channelId":"0x12"})", "hex_malformed", "channelId");
    check("channel_get", R"({"channelId":"1111111111111111111111111111111111111111111111111111111111111111"})",
          "hex_malformed", "channelId");
    check("channel_get", R"([])", "missing_parameter", "channelId");
    check("channel_get", "[\"" + kChannel + "\",2]", "too_many_parameters", "channel_get");
    check("channel_close", "{" + id + ",\"force\":\"yes\"}", "type_mismatch", "force");
    check("channel_list", R"({"limit":0})", "out_of_range", "limit");
    check("channel_list", R"({"limit":1001})", "out_of_range", "limit");
    check("channel_list", R"({"limit":10.0})", "type_mismatch", "limit");
    check("channel_list", R"({"limit":99999999999999999999})", "type_mismatch", "limit");
    check("channel_list", R"({"limit":18446744073709551615})", "out_of_range", "limit");
    check("channel_open", R"({"peer":"x","deposits":[]})", "out_of_range", "deposits");
    check("channel_open", R"({"peer":"x","deposits":[{"asset":"ETH"}]})", "missing_parameter", "deposits[0].amount");
    check("channel_open", R"({"peer":"x","deposits":[{"asset":"ETH","amount":"1","x":1}]})", "unknown_parameter",
          "deposits[0].x");
    check("channel_open", R"({"peer":"x","deposits":{"asset":"ETH","amount":"1"}})", "type_mismatch", "deposits");
    check("wallet_send", R"({"to":"0x123","asset":"ETH","amount":"1"})", "address_malformed", "to");
    check("wallet_send", R"({"to":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD0","asset":"ETH","amount":"1"})",
          "address_malformed", "to");
    check("wallet_send", R"({"to":"0x5aAeb6053f3E94C9b9A09f33669435E7Ef1BeAed","asset":"ETH","amount":"1"})",
          "address_malformed", "to");
    check("market_quote", "{" + id + R"(,"instrument":"BTC_USD-PERPETUAL","side":"hold","quantity":"1"})",
          "out_of_range", "side");
    check("pay_send", "{" + id + ",\"invoice\":\"x\",\"asset\":\"ETH\",\"amount\":\"1\"}", "one_target_required",
          "channelId");
    check("pay_send", R"({"asset":"ETH","amount":"1"})", "one_target_required", "channelId");
    check("pay_send", "{" + id + ",\"asset\":\"ETH\"}", "missing_parameter", "amount");
    check("swap_quote", "{" + id + R"(,"give":{"asset":"ETH"},"take":{"asset":"USDC"}})", "missing_parameter",
          "give.amount");
    CHECK(f.calls == 0);
}

TEST_CASE("dispatcher: an optional parameter may be null, by name and to skip a position") {
    Fixture f;
    const Json named =
        f.ask(call("channel_close", "{\"channelId\":\"" + kChannel + "\",\"force\":null,\"clientRef\":\"r1\"}"));
    CHECK(named["result"].contains("clientRef"));
    CHECK(!named["result"].contains("force"));
    const Json paid = f.ask(call("pay_send", "[null,null,\"" + kChannel + "\",\"ETH\",\"1\"]"));
    CHECK(paid["result"]["nodeId"] == kChannel);
    CHECK(paid["result"].size() == 3);
}

TEST_CASE("dispatcher: scopes") {
    Fixture f;
    const Scopes pay = *parse_scopes("pay");
    const std::string send = call("wallet_send", R"(["0x0000000000000000000000000000000000000001","ETH","1"])");
    CHECK(f.ask(send, pay).contains("result"));
    CHECK(f.ask(call("node_info", "[]"), pay).contains("result"));
    CHECK(f.ask(send, *parse_scopes("read"))["error"]["data"]["name"] == "scope_denied");
    CHECK(f.ask(send, *parse_scopes("trade"))["error"]["data"]["name"] == "scope_denied");
    CHECK(f.ask(call("node_stop", "[]"), *parse_scopes("read,pay,trade"))["error"]["data"]["name"] == "scope_denied");
    CHECK(!parse_scopes("reed"));
    CHECK(!parse_scopes(""));
    CHECK(!parse_scopes("read,"));
}

TEST_CASE("dispatcher: a handler's error, exception and silence") {
    Fixture f;
    const Json halted = f.ask(call("node_halt", "[]"))["error"];
    CHECK(halted["code"] == 20000 + static_cast<int>(Rule::node_halted));
    CHECK(halted["data"]["name"] == "node_halted");
    CHECK(halted["data"]["retryable"] == false);
    CHECK(halted["data"]["outcome"] == "not_done");
    const std::string thrown = f.raw(call("node_resume", "[]"));
    CHECK(thrown.find("secret") == std::string::npos);
    CHECK(Json::parse(thrown)["error"]["code"] == kInternalError);
    CHECK(Json::parse(thrown)["error"]["data"]["outcome"] == "unknown");
}

TEST_CASE("dispatcher: answers may come later and out of order; the batch waits for all") {
    Dispatcher dispatcher;
    std::vector<Reply> replies;
    dispatcher.bind("node_info", [&](const Json&, Reply reply) { replies.push_back(std::move(reply)); });
    std::string answer;
    dispatcher.handle(
        R"([{"jsonrpc":"2.0","method":"node_info","id":1},{"jsonrpc":"2.0","method":"node_info","id":2},{"jsonrpc":"2.0","method":"node_info","id":3}])",
        kAllScopes, [&](std::string text) { answer = std::move(text); });
    REQUIRE(replies.size() == 3);
    std::thread([&] { replies[1].result("second"); }).join();
    replies[0].result("first");
    CHECK(answer.empty());
    replies.clear();  // the third is dropped
    const Json all = Json::parse(answer);
    CHECK(all[0]["result"] == "first");
    CHECK(all[1]["result"] == "second");
    CHECK(all[2]["error"]["data"]["outcome"] == "unknown");
}

TEST_CASE("dispatcher: handlers run where the daemon says; a full queue is named") {
    std::vector<std::function<void()>> queue;
    DispatcherOptions options;
    options.run = [&](std::function<void()> task) {
        if (queue.size() == 1) return false;
        queue.push_back(std::move(task));
        return true;
    };
    Fixture f(options);
    std::string first, second;
    f.dispatcher.handle(call("node_info", "[]"), kAllScopes, [&](std::string text) { first = std::move(text); });
    f.dispatcher.handle(call("node_info", "[]"), kAllScopes, [&](std::string text) { second = std::move(text); });
    CHECK(first.empty());
    CHECK(Json::parse(second)["error"]["data"]["name"] == "node_busy");
    queue[0]();
    CHECK(Json::parse(first).contains("result"));
}

namespace {

/// Tasks that wait; beyond `room` none is taken.
struct Queue {
    std::vector<std::function<void()>> tasks;
    std::size_t taken = 0;
    std::size_t room = SIZE_MAX;
    DispatcherOptions options() {
        DispatcherOptions out;
        out.run = [this](std::function<void()> task) {
            if (tasks.size() >= room) return false;
            ++taken;
            tasks.push_back(std::move(task));
            return true;
        };
        return out;
    }
    void run_next() {
        const auto task = std::move(tasks.front());
        tasks.erase(tasks.begin());
        task();
    }
};

}  // namespace

TEST_CASE("dispatcher: a batch is one task, and a long one is several, one after the other") {
    Queue queue;
    Fixture f(queue.options());
    std::string answer;
    const auto ask = [&](int calls) {
        answer.clear();
        f.calls = 0;
        queue.taken = 0;
        f.dispatcher.handle(batch_of(calls), kAllScopes, [&](std::string text) { answer = std::move(text); });
    };
    ask(100);
    CHECK(queue.tasks.size() == 1);
    CHECK(f.calls == 0);
    queue.run_next();
    CHECK(f.calls == 100);
    CHECK(queue.taken == 1);
    CHECK(Json::parse(answer).size() == 100);

    ask(2 * static_cast<int>(kCallsPerTask) + 1);
    for (const std::size_t done : {kCallsPerTask, 2 * kCallsPerTask, 2 * kCallsPerTask + 1}) {
        CHECK(answer.empty());
        REQUIRE(queue.tasks.size() == 1);
        queue.run_next();
        CHECK(static_cast<std::size_t>(f.calls) == done);
    }
    CHECK(queue.tasks.empty());
    const Json all = Json::parse(answer);
    REQUIRE(all.size() == 2 * kCallsPerTask + 1);
    for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i]["id"] == i);
}

TEST_CASE("dispatcher: what a full queue leaves over of a batch is busy, and what was called is answered as it is") {
    Queue queue;
    Fixture f(queue.options());
    std::string answer;
    f.dispatcher.handle(batch_of(static_cast<int>(kCallsPerTask) + 2), kAllScopes,
                        [&](std::string text) { answer = std::move(text); });
    queue.room = 0;
    queue.run_next();
    const Json all = Json::parse(answer);
    REQUIRE(all.size() == kCallsPerTask + 2);
    for (std::size_t i = 0; i < kCallsPerTask; ++i) REQUIRE(all[i].contains("result"));
    CHECK(all[kCallsPerTask]["error"]["data"]["name"] == "node_busy");
    CHECK(all[kCallsPerTask + 1]["error"]["data"]["name"] == "node_busy");
    CHECK(all[kCallsPerTask + 1]["id"] == kCallsPerTask + 1);
}

TEST_CASE("dispatcher: a task that is dropped is answered, for nobody knows what becomes of it") {
    Queue queue;
    Fixture f(queue.options());
    std::string answer;
    f.dispatcher.handle(batch_of(2), kAllScopes, [&](std::string text) { answer = std::move(text); });
    queue.tasks.clear();
    const Json all = Json::parse(answer);
    REQUIRE(all.size() == 2);
    CHECK(all[1]["error"]["code"] == kInternalError);
    CHECK(all[1]["error"]["data"]["outcome"] == "unknown");
    CHECK(f.calls == 0);
}

TEST_CASE("dispatcher: a result may be written as text, and is checked where results are") {
    for (const bool checked : {false, true}) {
        DispatcherOptions options;
        options.check_results = checked;
        Dispatcher dispatcher(options);
        std::string text;
        dispatcher.bind("wallet_send", [&](const Json&, const Reply& reply) { reply.result_text(text); });
        const auto ask = [&](std::string_view id) {
            std::string out;
            dispatcher.handle(
                R"({"jsonrpc":"2.0","method":"wallet_send","params":["0x0000000000000000000000000000000000000001","ETH","1"])" +
                    std::string(id) + "}",
                kAllScopes, [&](std::string answer) { out = std::move(answer); });
            return out;
        };
        text = "{\"txHash\":\"" + kChannel + "\"}";
        CHECK(ask(",\"id\":7") == "{\"jsonrpc\":\"2.0\",\"result\":" + text + ",\"id\":7}");
        CHECK(ask("").empty());
        text = "{\"txHash\":\"nonsense\"}";
        CHECK((Json::parse(ask(",\"id\":7")).contains("error")) == checked);
    }
}

TEST_CASE("dispatcher: results are checked against their schema where asked to") {
    DispatcherOptions options;
    options.check_results = true;
    Dispatcher dispatcher(options);
    dispatcher.bind("wallet_send", [](const Json& params, const Reply& reply) {
        reply.result({{"txHash", params["asset"] == "ETH" ? Json(kChannel) : Json("nonsense")}, {"more", 1}});
    });
    const auto ask = [&](const char* asset) {
        Json out;
        dispatcher.handle(call("wallet_send",
                               std::string(R"(["0x0000000000000000000000000000000000000001",")") + asset + "\",\"1\"]"),
                          kAllScopes, [&](std::string text) { out = Json::parse(text); });
        return out;
    };
    CHECK(ask("ETH").contains("result"));
    CHECK(ask("USDC")["error"]["data"]["name"] == "result_malformed");
}

TEST_CASE("dispatcher: whatever arrives, the answer is nothing or JSON-RPC 2.0") {
    Fixture f;
    constexpr std::uint32_t kSeed = 20261121;
    INFO("seed ", kSeed);
    std::mt19937 random(kSeed);
    const std::string alphabet = "{}[]\",:0123456789.-eE\\ntrufals\x00\xff ";
    const std::vector<std::string> seeds = {
        call("channel_open", R"({"peer":"x","deposits":[{"asset":"ETH","amount":"1"}],"disputePeriod":60})"),
        call("pay_send", "[\"" + kChannel + "\",null,null,\"ETH\",\"1.5\",\"memo\"]"),
        "[" + call("node_info", "[]") + "," + R"({"jsonrpc":"2.0","method":"node_stop"})" + "]",
    };
    for (int i = 0; i < 5000; ++i) {
        std::string text = seeds[random() % seeds.size()];
        for (auto edits = 1 + random() % 4; edits > 0; --edits) {
            const auto at = random() % text.size();
            const char c = alphabet[random() % alphabet.size()];
            if (random() % 3 == 0)
                text.erase(at, 1 + random() % 8);
            else if (random() % 2 == 0)
                text.insert(at, 1, c);
            else
                text[at] = c;
            if (text.empty()) text = "[";
        }
        const std::string answer = f.raw(text);
        if (answer.empty()) continue;
        const auto parsed = parse_json(answer);
        REQUIRE_MESSAGE(parsed, text);
        for (const Json& one : parsed->is_array() ? *parsed : Json::array({*parsed})) {
            REQUIRE_MESSAGE(one["jsonrpc"] == "2.0", text);
            REQUIRE_MESSAGE(one.contains("result") != one.contains("error"), text);
            REQUIRE_MESSAGE(one.contains("id"), text);
        }
    }
}
