#include "rpc/request.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

using namespace hedgerow::rpc;

namespace {

struct Taken {
    Request request;
    Json params;
};

struct Reading {
    std::optional<Body> body;
    std::string error;
    std::vector<Taken> taken;
};

Reading read(std::string_view text, std::size_t max_batch = 1000) {
    Reading out;
    const auto body = read_requests(text, max_batch, [&](Request&& request, Json&& params) {
        out.taken.push_back({std::move(request), std::move(params)});
    });
    if (body)
        out.body = *body;
    else
        out.error = body.error().name;
    return out;
}

/// The fault by the specification, from a tree.
std::string fault_of(const Json& request) {
    if (!request.is_object()) return "request_malformed";
    for (const auto& [key, value] : request.items()) {
        if (key != "jsonrpc" && key != "method" && key != "params" && key != "id") return "unknown_member";
    }
    const Json id = request.value("id", Json());
    if (!(id.is_string() && id.get<std::string>().size() <= 256) && !id.is_number() && !id.is_null())
        return "id_malformed";
    if (request.value("jsonrpc", Json()) != "2.0" || !request.value("method", Json()).is_string())
        return "request_malformed";
    return request.contains("params") && !request["params"].is_structured() ? "params_malformed" : "";
}

/// What one pass makes of a text is what a tree of it says.
void compare(const std::string& text) {
    INFO(text);
    const Reading reading = read(text);
    const auto tree = parse_json(text);
    REQUIRE(reading.body.has_value() == tree.has_value());
    if (!tree) {
        CHECK(reading.error == tree.error().name);
        return;
    }
    const Json requests = tree->is_array() ? *tree : Json::array({*tree});
    CHECK(reading.body->array == tree->is_array());
    REQUIRE(reading.body->requests == requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const Json& wanted = requests[i];
        const auto& [request, params] = reading.taken[i];
        CHECK((request.wrong ? request.wrong->name : "") == fault_of(wanted));
        const bool has_id = wanted.is_object() && wanted.contains("id");
        CHECK(request.has_id == has_id);
        const bool usable = has_id && (wanted["id"].is_number() ||
                                       (wanted["id"].is_string() && wanted["id"].get<std::string>().size() <= 256));
        CHECK(parse_json(request.id).value() == (usable ? wanted["id"] : Json()));
        if (request.wrong) continue;
        CHECK(request.method == wanted["method"]);
        CHECK(params == wanted.value("params", Json()));
    }
}

std::string repeated(std::string_view text, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
}

}  // namespace

TEST_CASE("requests: members in any order, with any values, as a tree says") {
    const std::vector<std::string> members = {R"("jsonrpc":"2.0")", R"("method":"pay_send")",
                                              R"("params":{"a":[{"b":1}],"c":null})", R"("id":7)"};
    std::vector<std::size_t> order = {0, 1, 2, 3};
    do {
        std::string text;
        for (const std::size_t i : order) text += (text.empty() ? "{" : ",") + members[i];
        compare(text + "}");
        compare("[" + text + "}," + text + "}]");
    } while (std::next_permutation(order.begin(), order.end()));

    const std::vector<std::string> values = {"null",
                                             "true",
                                             "1",
                                             "-1",
                                             "1.5",
                                             "18446744073709551615",
                                             "99999999999999999999",
                                             R"("")",
                                             R"("2.0")",
                                             R"("x\n\u00e9\"")",
                                             "[]",
                                             "{}",
                                             R"([1,[2,{"a":3}]])",
                                             R"({"a":{"a":1},"b":[]})",
                                             '"' + std::string(256, 'i') + '"',
                                             '"' + std::string(257, 'i') + '"'};
    for (const char* name : {"jsonrpc", "method", "params", "id", "other"}) {
        for (const std::string& value : values) {
            std::string text = R"({"jsonrpc":"2.0","method":"m","params":[1],"id":"i"})";
            const std::string member = '"' + std::string(name) + "\":";
            if (const auto at = text.find(member); at != std::string::npos) {
                const auto end = text.find_first_of(",}", at + member.size());
                text.replace(at, end - at, member + value);
            } else {
                text.insert(1, member + value + ",");
            }
            compare(text);
            compare("[" + text + "]");
        }
    }
    for (const std::string& value : values) compare(value);
    for (const std::string& value : values) compare("[" + value + ",{}," + value + "]");
}

TEST_CASE("requests: what is refused of any text is refused wherever it stands") {
    CHECK(read(R"({"id":1,"id":2})").error == "json_duplicate_key");
    CHECK(read(R"({"jsonrpc":"2.0","method":"a","params":[],"params":[]})").error == "json_duplicate_key");
    CHECK(read(R"({"other":1,"x":1,"other":2})").error == "json_duplicate_key");
    CHECK(read(R"({"other":{"a":1,"a":2}})").error == "json_duplicate_key");
    CHECK(read(R"({"id":{"a":1,"a":2}})").error == "json_duplicate_key");
    CHECK(read(R"({"params":{"amount":"1","amount":"2"}})").error == "json_duplicate_key");
    CHECK(read(R"([{},{"params":[{"a":1,"a":2}]}])").error == "json_duplicate_key");
    CHECK(read(R"([[{"a":1,"a":2}]])").error == "json_duplicate_key");
    std::string members;
    for (int i = 0; i < 257; ++i) members += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
    CHECK(read("{" + members + "}").error == "json_too_many_members");
    CHECK(read(R"({"params":{)" + members + "}}").error == "json_too_many_members");
    for (int depth = 28; depth < 34; ++depth) {
        compare(repeated("[", depth) + repeated("]", depth));
        compare(R"({"params":)" + repeated("[", depth) + repeated("]", depth) + "}");
        compare(R"([{"id":)" + repeated("[", depth) + repeated("]", depth) + "}]");
        compare(R"([{"x":)" + repeated(R"({"x":)", depth) + "1" + repeated("}", depth) + "}]");
    }
    for (const char* broken :
         {"", "[", "[{}", "{\"id\":1", "{} {}", "[{}],", "{\"id\":1e999}", "[1,]", "{\"id\":\"\xff\"}"})
        compare(broken);
}

TEST_CASE("requests: an id that is a number comes back in the digits it was written in") {
    const auto id = [](const std::string& text) {
        return read(R"({"jsonrpc":"2.0","method":"m","id":)" + text + "}").taken.at(0).request.id;
    };
    for (const char* text : {"0", "-7", "18446744073709551615", "1.0", "1e2", "1.50", "123456789012345678901234567890",
                             R"("a\"b")", R"("")", "null"})
        CHECK(id(text) == text);
    CHECK(id("true") == "null");
    CHECK(id("[1]") == "null");
    CHECK(id('"' + std::string(257, 'x') + '"') == "null");
}

TEST_CASE("requests: beyond the bound they are counted and not taken, and must be JSON all the same") {
    const std::string one = R"({"jsonrpc":"2.0","method":"m"})";
    const std::string three = "[" + one + "," + one + "," + one;
    CHECK(read(three + "]", 3).taken.size() == 3);
    const Reading above = read(three + "," + one + "]", 3);
    CHECK(above.taken.size() == 3);
    CHECK(above.body->requests == 4);
    CHECK(read(three + ",1,2]", 3).body->requests == 5);
    CHECK(read(three + "," + one, 3).error == "json_malformed");
    CHECK(read("[]").body->requests == 0);
}

TEST_CASE("requests: whatever arrives is what a tree of it says") {
    constexpr std::uint32_t kSeed = 20261129;
    std::mt19937 random(kSeed);
    const std::vector<std::string> pieces = {"{",
                                             "}",
                                             "[",
                                             "]",
                                             ",",
                                             ":",
                                             "\"jsonrpc\"",
                                             "\"2.0\"",
                                             "\"method\"",
                                             "\"params\"",
                                             "\"id\"",
                                             "\"x\"",
                                             "1",
                                             "1.0",
                                             "null",
                                             "true",
                                             "\"jsonrpc\":\"2.0\"",
                                             "\"method\":\"m\"",
                                             "\"id\":1",
                                             "{}",
                                             "[]"};
    const std::string whole =
        R"([{"jsonrpc":"2.0","method":"pay_send","params":{"asset":"ETH","list":[1,{"a":"b"}]},"id":"x"},{"jsonrpc":"2.0","method":"m","params":[1,2]}])";
    int good = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = whole;
        for (auto edits = 1 + random() % 3; edits > 0; --edits) {
            const auto at = random() % text.size();
            const std::string& piece = pieces[random() % pieces.size()];
            if (random() % 2 == 0)
                text.insert(at, piece);
            else
                text.replace(at, 1 + random() % 12, piece);
        }
        good += parse_json(text) ? 1 : 0;
        compare(text);
    }
    CHECK(good > 500);
}
