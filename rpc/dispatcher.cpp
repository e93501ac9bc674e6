#include "rpc/dispatcher.h"

#include <fmt/format.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>

#include "channel/base/assert.h"

namespace hedgerow::rpc {

using channel::Unexpected;

namespace {

/// The answers of one HTTP body: a single call is a batch of one that is written without brackets.
struct Batch {
    explicit Batch(std::function<void(std::string)> callback) : done(std::move(callback)) {}

    /// Each index is written by one answer only; the counter's release and acquire order publishes them to the last.
    void finish(std::size_t index, std::string answer) {
        answers[index] = std::move(answer);
        if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) done(join());
    }
    std::string join() {
        if (!array) return std::move(answers.front());
        std::size_t size = answers.size() + 1;
        for (const std::string& answer : answers) size += answer.size();
        std::string out;
        out.reserve(size);
        for (const std::string& answer : answers) {
            if (answer.empty()) continue;
            out.push_back(out.empty() ? '[' : ',');
            out.append(answer);
        }
        if (!out.empty()) out.push_back(']');
        return out;
    }

    std::vector<std::string> answers;  ///< one a request, in order; empty for a notification
    bool array = false;
    std::atomic<std::size_t> pending{0};
    std::function<void(std::string)> done;
};

std::string response_text(std::string_view id, std::string_view member, std::string_view value) {
    std::string out;
    out.reserve(id.size() + member.size() + value.size() + 32);
    out.append(R"({"jsonrpc":"2.0",")").append(member).append("\":").append(value);
    out.append(R"(,"id":)").append(id).append("}");
    return out;
}

std::string error_text(std::string_view id, const RpcError& error) {
    return response_text(id, "error", json_text(error_json(error)));
}

RpcError protocol_error(int code, std::string_view name, std::string_view message) {
    RpcError out;
    out.code = code;
    out.name = std::string(name);
    out.message = std::string(message);
    return out;
}

}  // namespace

/// `answered` makes it one-shot.
struct Reply::Slot {
    std::shared_ptr<Batch> batch;
    std::size_t index = 0;
    const MethodSpec* method = nullptr;
    bool check = false;
    bool notification = false;
    std::string id;
    std::atomic<bool> answered{false};

    void deliver(std::string answer) { batch->finish(index, std::move(answer)); }
    void fail(const RpcError& error) { deliver(notification ? std::string() : error_text(id, error)); }
    ~Slot() {
        if (batch && !answered.exchange(true)) fail(internal_error(Outcome::unknown));
    }
};

/// What is to be called of one body.
struct Dispatcher::Calls {
    struct Call {
        std::shared_ptr<const Handler> handler;
        Json params;
        std::shared_ptr<Reply::Slot> slot;  ///< empty once it was called
    };
    std::vector<Call> calls;
    std::vector<std::string> answers;  ///< so far; of each request
    std::size_t next = 0;              ///< to be called

    /// The reply is dropped unanswered where the handler throws, which its slot turns into internal_error.
    void call_some(const std::function<bool()>& starting) {
        for (std::size_t i = 0; i < kCallsPerTask && next < calls.size(); ++i) {
            Call& call = calls[next++];
            if (!call.slot->method->while_starting && starting && starting()) {
                Reply(std::move(call.slot)).error(from_node_error(NodeError::node_starting));
                continue;
            }
            try {
                (*call.handler)(call.params, Reply(std::move(call.slot)));
            } catch (const std::exception&) {
            }
        }
    }
};

void Reply::result(const Json& result) const {
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
    m_slot->deliver(response_text(m_slot->id, "result", json_text(result)));
}

void Reply::result_text(std::string_view json) const {
    if (m_slot->check) return result(Json::parse(json));
    ASSERT(!m_slot->answered.exchange(true));
    m_slot->deliver(m_slot->notification ? std::string() : response_text(m_slot->id, "result", json));
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
    const auto refuse = [&](int code, std::string_view name, std::string_view message) {
        done(error_text("null", protocol_error(code, name, message)));
    };
    auto calls = std::make_shared<Calls>();
    const auto body = read_requests(text, m_options.max_batch, [&](Request&& request, Json&& params) {
        take(*calls, std::move(request), std::move(params), scopes);
    });
    if (!body) return refuse(kParseError, body.error().name, fmt::format("Parse error: {}", body.error().message));
    if (body->requests == 0) return refuse(kInvalidRequest, "batch_empty", "Invalid Request: the batch is empty");
    if (body->requests > m_options.max_batch)
        return refuse(kInvalidRequest, "batch_too_large",
                      fmt::format("Invalid Request: more than {} calls in a batch", m_options.max_batch));
    const auto batch = std::make_shared<Batch>(std::move(done));
    batch->answers = std::move(calls->answers);
    batch->array = body->array;
    batch->pending = calls->calls.size();
    if (calls->calls.empty()) return batch->done(batch->join());
    for (Calls::Call& call : calls->calls) call.slot->batch = batch;
    run(std::move(calls));
}

/// What it will be answered with, but for requests that are none.
channel::Expected<const Dispatcher::Bound*, RpcError> Dispatcher::find(const Request& request, Scopes scopes) const {
    const auto bound = m_handlers.find(std::string_view(request.method));
    if (bound == m_handlers.end())
        return Unexpected{protocol_error(kMethodNotFound, "method_unknown", "Method not found")};
    const Scope needed = bound->second.method->scope;
    if (allows(scopes, needed)) return &bound->second;
    return Unexpected{
        from_node_error(NodeError::scope_denied, fmt::format("{} needs {}", request.method, scope_name(needed)))};
}

void Dispatcher::take(Calls& calls, Request&& request, Json&& params, Scopes scopes) const {
    std::string& answer = calls.answers.emplace_back();
    if (request.wrong) {
        answer = error_text(request.id, *request.wrong);
        return;
    }
    const auto refuse = [&](const RpcError& error) {
        if (request.has_id) answer = error_text(request.id, error);
    };
    const auto bound = find(request, scopes);
    if (!bound) return refuse(bound.error());
    const MethodSpec& method = *(*bound)->method;
    auto named = bind_params(method, std::move(params));
    if (!named) return refuse(invalid_params(named.error()));
    auto slot = std::make_shared<Reply::Slot>();
    slot->index = calls.answers.size() - 1;
    slot->method = &method;
    slot->check = m_options.check_results;
    slot->notification = !request.has_id;
    slot->id = std::move(request.id);
    calls.calls.push_back({(*bound)->handler, std::move(*named), std::move(slot)});
}

void Dispatcher::run(std::shared_ptr<Calls> calls) const {
    const auto some = [this, calls] {
        calls->call_some(m_options.starting);
        if (calls->next < calls->calls.size()) run(calls);
    };
    if (!m_options.run) return some();
    if (m_options.run(some)) return;
    for (; calls->next < calls->calls.size(); ++calls->next)
        Reply(std::move(calls->calls[calls->next].slot)).error(from_node_error(NodeError::node_busy));
}

}  // namespace hedgerow::rpc
