#include "rpc/method.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "rpc/error.h"
#include "rpc/rule_text.h"

using namespace hedgerow::rpc;
using hedgerow::channel::Rule;

namespace {

/// Name -> parameters in order, "?" after optional ones: API.md's rows for this release, with what Hedgerow adds at the
/// end.
const std::vector<std::pair<std::string, std::string>> kExpected = {
    {"rpc_discover", ""},
    {"node_info", ""},
    {"node_stop", ""},
    {"node_halt", ""},
    {"node_resume", ""},
    {"wallet_create", "password"},
    {"wallet_restore", "password mnemonic"},
    {"wallet_unlock", "password"},
    {"wallet_lock", ""},
    {"wallet_addresses", ""},
    {"wallet_balance", ""},
    {"wallet_send", "to asset amount clientRef?"},
    {"wallet_import", "keystore password"},
    {"wallet_export", "password address?"},
    {"peer_connect", "uri"},
    {"peer_disconnect", "uri"},
    {"peer_list", "limit? cursor?"},
    {"channel_open", "peer deposits disputePeriod? oracles? risk? towers? towerSync? clientRef?"},
    {"channel_list", "limit? cursor?"},
    {"channel_get", "channelId"},
    {"channel_state", "channelId"},
    {"channel_deposit", "channelId asset amount clientRef?"},
    {"channel_withdraw", "channelId asset amount clientRef?"},
    {"channel_close", "channelId force? clientRef?"},
    {"channel_history", "channelId limit? cursor?"},
    {"channel_backup", "path"},
    {"channel_restore", "path"},
    {"tower_add", "uri"},
    {"tower_remove", "uri"},
    {"tower_list", "limit? cursor?"},
    {"tower_proof", "channelId tower"},
    {"channel_towers", "channelId towers? all? sync?"},
    {"pay_send", "channelId? invoice? nodeId? asset? amount? memo? clientRef?"},
    {"pay_list", "limit? cursor?"},
    {"invoice_create", "asset amount? memo? expirySeconds? clientRef?"},
    {"invoice_decode", "invoice"},
    {"invoice_list", "limit? cursor?"},
    {"swap_quote", "channelId give take"},
    {"swap_accept", "quoteId clientRef?"},
    {"market_instruments", "limit? cursor?"},
    {"market_quote", "channelId instrument? side quantity legs?"},
    {"market_accept", "quoteId clientRef?"},
    {"market_publish", "channelId? instrument bid? ask? size validMs clientRef?"},
    {"position_list", "channelId? limit? cursor?"},
    {"trade_list", "channelId? limit? cursor?"},
    {"margin_get", "channelId"},
    {"oracle_prices", "feeds? limit? cursor?"},
};

std::string params_of(const MethodSpec& method) {
    std::string out;
    for (const Field& field : method.params)
        out.append(out.empty() ? "" : " ").append(field.name).append(field.required ? "" : "?");
    return out;
}

}  // namespace

TEST_CASE("method table: every method with exactly its parameters in their order") {
    for (const auto& [name, params] : kExpected) {
        const MethodSpec* method = find_method(name);
        REQUIRE_MESSAGE(method != nullptr, name);
        CHECK_MESSAGE(params_of(*method) == params, name);
    }
    CHECK(find_method("node_nothing") == nullptr);
    CHECK(find_method("") == nullptr);
}

TEST_CASE("method table: what moves money takes a clientRef and is not open to readers") {
    for (const char* name : {"wallet_send", "channel_open", "channel_deposit", "channel_withdraw", "channel_close",
                             "pay_send", "swap_accept", "market_accept", "market_publish"}) {
        const MethodSpec* method = find_method(name);
        REQUIRE(method != nullptr);
        CHECK_MESSAGE(params_of(*method).ends_with("clientRef?"), name);
        CHECK_MESSAGE(method->scope != Scope::read, name);
    }
    for (const char* name : {"wallet_export", "wallet_unlock", "node_stop", "channel_backup", "wallet_restore"}) {
        CHECK_MESSAGE(find_method(name)->scope == Scope::admin, name);
    }
}

TEST_CASE("method table: passwords and phrases are marked secret") {
    for (const MethodSpec& method : method_table()) {
        for (const Field& field : method.params) {
            if (field.name == "password" || field.name == "mnemonic") CHECK_MESSAGE(field.schema.secret, method.name);
            CHECK_MESSAGE(!field.description.empty(), method.name);
        }
    }
}

TEST_CASE("openrpc: a valid document that describes every method") {
    const Json document = openrpc_document("http://127.0.0.1:9745");
    CHECK(document["openrpc"].get<std::string>().starts_with("1."));
    CHECK(document["info"]["title"].is_string());
    CHECK(document["info"]["version"].is_string());
    CHECK(document["servers"][0]["url"] == "http://127.0.0.1:9745");
    REQUIRE(document["methods"].is_array());
    CHECK(document["methods"].size() == method_table().size());
    std::set<std::string> names;
    for (const Json& method : document["methods"]) {
        CHECK(names.insert(method["name"].get<std::string>()).second);
        CHECK(method["tags"].is_array());
        REQUIRE(method["params"].is_array());
        std::set<std::string> params;
        for (const Json& param : method["params"]) {
            CHECK(params.insert(param["name"].get<std::string>()).second);
            CHECK(param["schema"].is_object());
            CHECK(param["required"].is_boolean());
        }
        CHECK(method["result"]["name"].is_string());
        CHECK(method["result"]["schema"].is_object());
    }
    for (const auto& [name, params] : kExpected) CHECK_MESSAGE(names.contains(name), name);
    const Json& open = *std::find_if(document["methods"].begin(), document["methods"].end(),
                                     [](const Json& m) { return m["name"] == "channel_open"; });
    CHECK(open["params"][1]["schema"]["items"]["required"] == Json::array({"asset", "amount"}));
    CHECK(open["params"][1]["schema"]["items"]["properties"]["amount"]["type"] == "string");
}

TEST_CASE("errors: codes follow the rules and never collide") {
    CHECK(from_rule(Rule::insufficient_balance).code == 20000 + static_cast<int>(Rule::insufficient_balance));
    CHECK(from_rule(Rule::insufficient_balance).name == "insufficient_balance");
    CHECK(from_rule(Rule::timeout).outcome == Outcome::unknown);
    CHECK(from_rule(Rule::queue_full).retryable);
    CHECK(static_cast<int>(Rule::count_) < kFirstNodeCode - kFirstRuleCode);
    for (int i = 0; i < static_cast<int>(Rule::count_); ++i) {
        const auto rule = static_cast<Rule>(i);
        CHECK(!from_rule(rule).message.empty());
        if (!rule_text(rule)) MESSAGE("rule without a text of its own: ", from_rule(rule).name);
    }
    for (int i = 0; i < static_cast<int>(NodeError::count_); ++i) {
        CHECK(!from_node_error(static_cast<NodeError>(i)).name.empty());
    }
    CHECK(from_chain_error(ChainError::transaction_rejected, "nonce too low").code == -32003);
}

TEST_CASE("errors: to JSON and back") {
    RpcError error = from_node_error(NodeError::peer_refused, "too many channels");
    error.outcome = Outcome::unknown;
    error.param = "peer";
    const RpcError back = error_from_json(error_json(error));
    CHECK(back.code == error.code);
    CHECK(back.name == "peer_refused");
    CHECK(back.message == "the peer refused: too many channels");
    CHECK(back.outcome == Outcome::unknown);
    CHECK(back.param == "peer");
    CHECK(error_from_json(Json::parse(R"({"code":-32601,"message":"no"})")).outcome == Outcome::not_done);
    CHECK(error_from_json(Json::parse(R"({"code":-32000,"message":"no"})")).outcome == Outcome::unknown);
    CHECK(error_from_json(Json(5)).outcome == Outcome::unknown);
}

TEST_CASE("json: strict where the grammar is not enough") {
    CHECK(parse_json(R"({"a":[1,{"b":null}]})"));
    CHECK(parse_json(R"({"a":{"x":1},"b":{"x":2}})"));
    CHECK(parse_json(R"({"a":1,"\u0061":2})").error().name == "json_duplicate_key");
    CHECK(parse_json(std::string(32, '[') + std::string(32, ']')));
    CHECK(parse_json(std::string(33, '[') + std::string(33, ']')).error().name == "json_too_deep");
    CHECK(parse_json("[1,]").error().name == "json_malformed");
    CHECK(parse_json("NaN").error().name == "json_malformed");
    CHECK(parse_json("\"\xc3\x28\"").error().name == "json_malformed");
    CHECK(parse_json("\"\\ud800\"").error().name == "json_malformed");
    CHECK(parse_json("01").error().name == "json_malformed");
    CHECK(parse_json("{} {}").error().name == "json_malformed");
    CHECK(parse_json("// x\n1").error().name == "json_malformed");
    CHECK(parse_json("").error().name == "json_malformed");
    std::string many = "{";
    for (std::size_t i = 0; i <= kMaxJsonMembers; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":1";
    CHECK(parse_json(many + "}").error().name == "json_too_many_members");
    CHECK(parse_json("9223372036854775807")->is_number_integer());
    CHECK(parse_json("99999999999999999999")->is_number_float());
    CHECK(parse_json("1.0")->is_number_float());
}

TEST_CASE("json: a string that is written by hand is what the library writes") {
    for (const std::string text : {"", "USDC", "a\"b", "\\", "\n", "\x01", "\x7f", "\xc3\xa9", "\xff", "~ !"}) {
        std::string out = "[";
        append_json_string(out, text);
        CHECK(out == "[" + json_text(text));
    }
}

TEST_CASE("json: amounts are decimal strings") {
    CHECK(*decimal_from_json("1.5", 18) == 1'500'000'000'000'000'000);
    CHECK(decimal_from_json(1.5, 18).error() == Rule::amount_malformed);
    CHECK(decimal_from_json("1.5", 0).error() == Rule::amount_too_precise);
    CHECK(decimal_to_json(-1'500'000, 6) == "-1.5");
}
