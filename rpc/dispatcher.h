#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rpc/error.h"
#include "rpc/method.h"
#include "rpc/request.h"

namespace hedgerow::rpc {

/// Answers one call, exactly once, from any thread; a second answer asserts. If every copy goes away unanswered, the
/// caller gets internal_error with outcome unknown. For a notification the answer goes nowhere.
class Reply {
  public:
    struct Slot;
    explicit Reply(std::shared_ptr<Slot> slot) : m_slot(std::move(slot)) {}
    void result(const Json& result) const;
    /// The same, by who writes JSON text itself.
    void result_text(std::string_view json) const;
    void error(RpcError error) const;
    void error(channel::Rule rule) const { error(from_rule(rule)); }

  private:
    std::shared_ptr<Slot> m_slot;
};

/// `params` are named, complete and of the row's types; absent optional ones are absent. Must not block; may answer
/// later. An exception becomes internal_error with outcome unknown.
using Handler = std::function<void(const Json& params, Reply reply)>;

/// Runs a task on the thread that owns the node's state; false where its queue is full (node_busy, nothing was done).
using TaskRunner = std::function<bool(std::function<void()>)>;

/// Calls of a batch that one task makes; the rest follows in further ones, so that a long batch keeps nobody waiting.
inline constexpr std::size_t kCallsPerTask = 250;

struct DispatcherOptions {
    std::size_t max_batch = 1000;  ///< calls in a batch; above: one error for the whole, nothing is called
    bool check_results = false;    ///< a result that its schema does not describe becomes internal_error (tests)
    TaskRunner run = {};           ///< where handlers run; on the calling thread where empty
    /// Asked where handlers run, before each: true refuses all with node_starting but the methods that are answered while starting.
    std::function<bool()> starting = {};
};

/// JSON-RPC 2.0 over the method table, free of transport: text in, text out. bind() everything, then handle() from any
/// thread. A body is read in one pass, goes to the handlers' thread as one task, and comes back as one text. Outlives
/// the tasks that it hands to DispatcherOptions::run.
class Dispatcher {
  public:
    explicit Dispatcher(DispatcherOptions options = {});

    /// Asserts that the table has the method and that it is not bound yet.
    void bind(std::string_view method, Handler handler);
    /// Methods of the table without a handler: a start-up error of the daemon. rpc_discover is bound from the start.
    [[nodiscard]] std::vector<std::string> unbound() const;

    /// Handles one request or batch. `done` is called once, perhaps on another thread, with the response text; with an
    /// empty one where JSON-RPC says that nothing is returned (notifications).
    void handle(std::string_view text, Scopes scopes, std::function<void(std::string)> done) const;

  private:
    struct Calls;
    struct Bound {
        const MethodSpec* method;
        std::shared_ptr<const Handler> handler;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    /// Answers what is wrong by itself; what can be called is added to `calls`.
    void take(Calls& calls, Request&& request, Json&& params, Scopes scopes) const;
    [[nodiscard]] channel::Expected<const Bound*, RpcError> find(const Request& request, Scopes scopes) const;
    void run(std::shared_ptr<Calls> calls) const;

    const DispatcherOptions m_options;
    std::unordered_map<std::string, Bound, TextHash, std::equal_to<>> m_handlers;
};

}  // namespace hedgerow::rpc
