#include "rpc/dispatcher.h"

#include <fmt/format.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>

#include "channel/base/assert.h"

namespace hedgerow::rpc {

/// The answers of one HTTP body: a single call is a batch of one that is written without brackets.
struct Dispatcher::Batch {
    Batch(std::size_t count, bool is_array, std::function<void(std::string)> callback)
        : answers(count), array(is_array), pending(count), done(std::move(callback)) {}

    /// Each index is written by one answer only; the counter's release and acquire order publishes them to the last.
    void finish(std::size_t index, std::string answer) {
        answers[index] = std::move(answer);
        if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) done(join());
    }
    std::string join() const {
        std::string out;
        for (const std::string& answer : answers) {
            if (answer.empty()) continue;
            if (array) out.push_back(out.empty() ? '[' : ',');
            out.append(answer);
        }
        if (array && !out.empty()) out.push_back(']');
        return out;
    }

    std::vector<std::string> answers;
    const bool array;
    std::atomic<std::size_t> pending;
    std::function<void(std::string)> done;
};

namespace {

std::string response_text(const Json& id, const char* member, Json value) {
    Json out{{"jsonrpc", "2.0"}};
    out[member] = std::move(value);
    out["id"] = id;
    return json_text(out);
}

std::string error_text(const Json& id, const RpcError& error) {
    return response_text(id, "error", error_json(error));
}

RpcError protocol_error(int code, std::string_view name, std::string_view message) {
    RpcError out;
    out.code = code;
    out.name = std::string(name);
    out.message = std::string(message);
    return out;
}

/// What makes an object no JSON-RPC 2.0 request.
std::optional<RpcError> check_request(const Json& request) {
    const auto invalid = [](std::string_view name, std::string_view why) {
        return protocol_error(kInvalidRequest, name, fmt::format("Invalid Request: {}", why));
    };
    if (!request.is_object()) return invalid("request_malformed", "a request is an object");
    for (const auto& [key, value] : request.items()) {
        if (key != "jsonrpc" && key != "method" && key != "params" && key != "id") {
            return invalid("unknown_member", "a request has only jsonrpc, method, params and id");
        }
    }
    if (request.contains("id")) {
        const Json& id = request["id"];
        if (!id.is_string() && !id.is_number() && !id.is_null())
            return invalid("id_malformed", "id must be a string, a number or null");
        if (id.is_string() && id.get_ref<const std::string&>().size() > 256)
            return invalid("id_malformed", "id is too long");
    }
    if (!request.contains("jsonrpc") || request["jsonrpc"] != "2.0")
        return invalid("request_malformed", "jsonrpc must be \"2.0\"");
    if (!request.contains("method") || !request["method"].is_string())
        return invalid("request_malformed", "method must be a string");
    if (request.contains("params") && !request["params"].is_structured()) {
        return invalid("params_malformed", "params must be an object or an array");
    }
    return std::nullopt;
}

/// The id to answer with: what is unusable as one is answered with null (JSON-RPC 2.0, section 5).
Json id_of(const Json& request) {
    if (!request.is_object() || !request.contains("id")) return nullptr;
    const Json& id = request["id"];
    const bool usable = (id.is_string() && id.get_ref<const std::string&>().size() <= 256) || id.is_number();
    return usable ? id : Json(nullptr);
}

}  // namespace

/// `deliver` turns into the batch's finish(); `answered` makes it one-shot.
struct Reply::Slot {
    const MethodSpec* method = nullptr;
    bool check = false;
    Json id;
    bool notification = false;
    std::function<void(std::string)> deliver;
    std::atomic<bool> answered{false};

    void fail(const RpcError& error) { deliver(notification ? std::string() : error_text(id, error)); }
    ~Slot() {
        if (!answered.exchange(true)) fail(internal_error(Outcome::unknown));
    }
};

void Reply::result(Json result) const {
    ASSERT(!m_slot->answered.exchange(true));
    if (m_slot->notification) return m_slot->deliver({});
    if (m_slot->check) {
        if (const auto wrong = check_result(*m_slot->method, result)) {
            RpcError error = internal_error(Outcome::done);
            error.name = "result_malformed";
            error.message = fmt::format("{}: {} {}", m_slot->method->name, wrong->path, wrong->message);
            return m_slot->fail(error);
        }
    }
    m_slot->deliver(response_text(m_slot->id, "result", std::move(result)));
}

void Reply::error(RpcError error) const {
    ASSERT(!m_slot->answered.exchange(true));
    m_slot->fail(error);
}

Dispatcher::Dispatcher(DispatcherOptions options) : m_options(std::move(options)) {
    bind("rpc_discover", [](const Json&, const Reply& reply) { reply.result(openrpc_document({})); });
}

void Dispatcher::bind(std::string_view method, Handler handler) {
    const MethodSpec* spec = find_method(method);
    ASSERT(spec != nullptr);
    ASSERT(handler != nullptr);
    Bound bound{spec, std::make_shared<const Handler>(std::move(handler))};
    const bool added = m_handlers.emplace(std::string(method), std::move(bound)).second;
    ASSERT(added);
}

std::vector<std::string> Dispatcher::unbound() const {
    std::vector<std::string> out;
    for (const MethodSpec& method : method_table()) {
        if (!m_handlers.contains(method.name)) out.push_back(method.name);
    }
    return out;
}

void Dispatcher::handle(std::string_view text, Scopes scopes, std::function<void(std::string)> done) const {
    const auto refuse = [&](const RpcError& error) { done(error_text(nullptr, error)); };
    auto parsed = parse_json(text);
    if (!parsed) {
        return refuse(
            protocol_error(kParseError, parsed.error().name, fmt::format("Parse error: {}", parsed.error().message)));
    }
    const Json& body = *parsed;
    if (!body.is_array()) {
        const auto batch = std::make_shared<Batch>(1, false, std::move(done));
        return start(batch, 0, body, scopes);
    }
    if (body.empty())
        return refuse(protocol_error(kInvalidRequest, "batch_empty", "Invalid Request: the batch is empty"));
    if (body.size() > m_options.max_batch) {
        return refuse(
            protocol_error(kInvalidRequest, "batch_too_large",
                           fmt::format("Invalid Request: more than {} calls in a batch", m_options.max_batch)));
    }
    const auto batch = std::make_shared<Batch>(body.size(), true, std::move(done));
    for (std::size_t i = 0; i < body.size(); ++i) start(batch, i, body[i], scopes);
}

void Dispatcher::start(const std::shared_ptr<Batch>& batch, std::size_t index, const Json& request,
                       Scopes scopes) const {
    if (const auto wrong = check_request(request)) return batch->finish(index, error_text(id_of(request), *wrong));
    const auto slot = std::make_shared<Reply::Slot>();
    slot->id = id_of(request);
    slot->notification = !request.contains("id");
    slot->check = m_options.check_results;
    slot->deliver = [batch, index](std::string answer) { batch->finish(index, std::move(answer)); };
    const Reply reply(slot);

    const auto& name = request["method"].get_ref<const std::string&>();
    const auto bound = m_handlers.find(name);
    if (bound == m_handlers.end()) {
        return reply.error(protocol_error(kMethodNotFound, "method_unknown", "Method not found"));
    }
    slot->method = bound->second.method;
    if (!allows(scopes, slot->method->scope)) {
        return reply.error(from_node_error(NodeError::scope_denied,
                                           fmt::format("{} needs {}", name, scope_name(slot->method->scope))));
    }
    auto params = bind_params(*slot->method, request.contains("params") ? request["params"] : Json());
    if (!params) return reply.error(invalid_params(params.error()));
    call(bound->second, std::move(*params), reply);
}

void Dispatcher::call(const Bound& bound, Json params, Reply reply) const {
    // The reply is dropped unanswered where the handler throws, which its slot turns into internal_error.
    const auto guarded = [handler = bound.handler, waits = !bound.method->while_starting, this](const Json& p, Reply r) {
        if (waits && m_options.starting && m_options.starting()) return r.error(from_node_error(NodeError::node_starting));
        try {
            (*handler)(p, std::move(r));
        } catch (const std::exception&) {
        }
    };
    if (!m_options.run) return guarded(params, std::move(reply));
    const bool queued = m_options.run([guarded, p = std::move(params), reply]() { guarded(p, reply); });
    if (!queued) reply.error(from_node_error(NodeError::node_busy));
}

}  // namespace hedgerow::rpc
