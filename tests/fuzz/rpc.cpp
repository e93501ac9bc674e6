// JSON-RPC (rpc/dispatcher): whatever arrives, `done` is called once, with text that the specification allows: one answer a
// request that has an id, in order, with that id, and either a result or a named error; nothing for notifications.
// An input is a byte that selects the form, and then the body as it is, or numbers from which a batch of calls is made.
#include <nlohmann/json.hpp>

#include "rpc/dispatcher.h"
#include "tests/fuzz/decoders.h"

namespace {

using namespace hedgerow;
using namespace hedgerow::fuzz;
using rpc::Json;

constexpr std::size_t kMaxBatch = 20;

/// Every method of the table, with handlers that do all that handlers may.
const rpc::Dispatcher& dispatcher() {
    static const auto made = [] {
        rpc::DispatcherOptions options;
        options.max_batch = kMaxBatch;
        auto out = std::make_unique<rpc::Dispatcher>(options);
        std::size_t number = 0;
        for (const std::string& method : out->unbound()) {
            switch (number++ % 5) {
                case 0:
                    out->bind(method, [](const Json&, const rpc::Reply&) { throw std::runtime_error("handler"); });
                    break;
                case 1:
                    out->bind(method, [](const Json&, const rpc::Reply& reply) {
                        reply.error(channel::Rule::channel_unknown);
                    });
                    break;
                case 2:
                    out->bind(method, [](const Json&, const rpc::Reply&) {});  // never answers
                    break;
                default:
                    out->bind(method, [](const Json& params, const rpc::Reply& reply) { reply.result(params); });
                    break;
            }
        }
        return out;
    }();
    return *made;
}

std::string answer_to(std::string_view text, rpc::Scopes scopes) {
    int calls = 0;
    std::string out;
    dispatcher().handle(text, scopes, [&](std::string answer) {
        ++calls;
        out = std::move(answer);
    });
    ASSERT(calls == 1);
    return out;
}

void check_answer(const Json& answer) {
    ASSERT(answer.is_object() && answer.value("jsonrpc", "") == "2.0" && answer.contains("id"));
    ASSERT(answer.contains("result") != answer.contains("error") && answer.size() == 3);
    if (answer.contains("result")) return;
    const Json& error = answer["error"];
    ASSERT(error.is_object() && error["code"].is_number_integer() && error["message"].is_string());
    ASSERT(!error["data"]["name"].get<std::string>().empty());
}

/// By the specification alone: a request object of another shape is answered with an error all the same.
bool is_notification(const Json& request) {
    if (!request.is_object() || request.contains("id")) return false;
    if (request.value("jsonrpc", Json()) != "2.0" || !request.value("method", Json()).is_string()) return false;
    if (request.contains("params") && !request["params"].is_structured()) return false;
    for (const auto& [key, value] : request.items()) {
        if (key != "jsonrpc" && key != "method" && key != "params") return false;
    }
    return true;
}

void check_id(const Json& request, const Json& answer) {
    if (!request.is_object() || !request.contains("id")) {
        ASSERT(answer["id"].is_null());
        return;
    }
    const Json& id = request["id"];
    const bool usable = id.is_number() || (id.is_string() && id.get<std::string>().size() <= 256);
    ASSERT(usable ? rpc::json_text(answer["id"]) == rpc::json_text(id) : answer["id"].is_null());
}

void check(std::string_view text, rpc::Scopes scopes) {
    const std::string answered = answer_to(text, scopes);
    const auto body = rpc::parse_json(text);
    if (answered.empty()) {
        ASSERT(body && (body->is_array() ? !body->empty() : is_notification(*body)));
        for (const Json& request : body->is_array() ? *body : Json::array({*body})) ASSERT(is_notification(request));
        return;
    }
    const auto answer = rpc::parse_json(answered, 64);
    ASSERT(answer.has_value());
    if (!body || !body->is_array() || body->empty() || body->size() > kMaxBatch) {
        check_answer(*answer);
        if (body && !body->is_array()) check_id(*body, *answer);
        if (!body) ASSERT((*answer)["error"]["code"] == rpc::kParseError);
        return;
    }
    ASSERT(answer->is_array());
    auto next = answer->begin();
    for (const Json& request : *body) {
        if (is_notification(request)) continue;
        ASSERT(next != answer->end());
        check_answer(*next);
        check_id(request, *next++);
    }
    ASSERT(next == answer->end());
}

Json value_from(FuzzData& data, int depth) {
    switch (data.below(depth == 0 ? 8 : 10)) {
        case 0: return nullptr;
        case 1: return data.flag();
        case 2: return static_cast<std::int64_t>(data.either(63));
        case 3: return channel::format_decimal(data.either(100), static_cast<int>(data.below(19)));
        case 4: return channel::to_hex(channel::Bytes(data.flag() ? 32 : 20, data.byte()));
        case 5: return std::string(data.below(300), static_cast<char>('a' + data.below(26)));
        case 6: return static_cast<double>(data.either(40)) / 7;
        case 7: return "USDC";
        case 8: {
            Json out = Json::array();
            for (std::uint64_t i = data.below(4); i > 0; --i) out.push_back(value_from(data, depth - 1));
            return out;
        }
        default: {
            Json out = Json::object();
            for (std::uint64_t i = data.below(4); i > 0; --i) out["asset" + std::to_string(i)] = value_from(data, depth - 1);
            return out;
        }
    }
}

Json call_from(FuzzData& data) {
    const auto& table = rpc::method_table();
    const rpc::MethodSpec& method = table[data.below(table.size())];
    Json out{{"jsonrpc", data.below(16) == 0 ? "1.0" : "2.0"}, {"method", data.below(16) == 0 ? "no_such" : method.name}};
    Json params = data.flag() ? Json::array() : Json::object();
    for (const rpc::Field& field : method.params) {
        if (!field.required && data.flag()) continue;
        Json value = value_from(data, 2);
        if (params.is_array()) {
            params.push_back(std::move(value));
        } else {
            params[field.name] = std::move(value);
        }
    }
    if (data.below(8) != 0) out["params"] = std::move(params);
    if (data.below(4) != 0) out["id"] = value_from(data, 1);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    FuzzData data(bytes + 1, size - 1);
    const auto scopes = static_cast<rpc::Scopes>(bytes[0] >> 4);
    if (bytes[0] % 2 == 0) {
        check(text_of(data.rest()), scopes);
        return 0;
    }
    Json batch = Json::array();
    while (!data.empty() && batch.size() <= kMaxBatch) batch.push_back(call_from(data));
    check(rpc::json_text(batch.size() == 1 ? batch[0] : batch), scopes);
    return 0;
}
