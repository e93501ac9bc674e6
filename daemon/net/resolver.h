#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channel/base/ids.h"

namespace hedgerow::daemon {

/// Looks names up on a thread of its own, because libzmq would do it on the thread that serves every peer. At most one
/// look-up a peer is under way, so the number of peers bounds it.
class Resolver {
  public:
    struct Result {
        channel::NodeId peer;
        std::string host;
        std::string address;  ///< numeric; empty where the name does not resolve
    };

    /// `on_result` is called on the resolver's thread when a result waits.
    explicit Resolver(std::function<void()> on_result);
    /// Does not wait for a look-up that hangs: its thread ends by itself.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    void resolve(const channel::NodeId& peer, const std::string& host);
    [[nodiscard]] std::vector<Result> take_results();

  private:
    struct State;
    std::shared_ptr<State> m_state;
};

}  // namespace hedgerow::daemon
