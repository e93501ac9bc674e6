#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/error.h"
#include "rpc/method.h"

namespace hedgerow::rpc {

/// Answers one call, exactly once, from any thread; a second answer asserts. If every copy goes away unanswered, the
/// caller gets internal_error with outcome unknown. For a notification the answer goes nowhere.
class Reply {
  public:
    struct Slot;
    explicit Reply(std::shared_ptr<Slot> slot) : m_slot(std::move(slot)) {}
    void result(Json result) const;
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

struct DispatcherOptions {
    std::size_t max_batch = 1000;  ///< calls in a batch; above: one error for the whole, nothing is called
    bool check_results = false;    ///< a result that its schema does not describe becomes internal_error (tests)
    TaskRunner run = {};           ///< where handlers run; on the calling thread where empty
    /// Asked where handlers run, before each: true refuses all with node_starting but the methods that are answered while starting.
    std::function<bool()> starting = {};
};

/// JSON-RPC 2.0 over the method table, free of transport: text in, text out. bind() everything, then handle() from any
/// thread.
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
    struct Batch;
    struct Bound {
        const MethodSpec* method;
        std::shared_ptr<const Handler> handler;
    };
    void start(const std::shared_ptr<Batch>& batch, std::size_t index, const Json& request, Scopes scopes) const;
    void call(const Bound& bound, Json params, Reply reply) const;

    const DispatcherOptions m_options;
    std::map<std::string, Bound, std::less<>> m_handlers;
};

}  // namespace hedgerow::rpc
