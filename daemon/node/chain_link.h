#pragma once

#include <memory>

#include "daemon/chain/follower.h"
#include "daemon/node/node_parts.h"
#include "daemon/node/tx_service.h"
#include "daemon/node/world.h"

namespace hedgerow::daemon {

/// A program's ways to the chain: a worker that broadcasts, one for slow questions beside it, and the transaction
/// manager with the jobs that the store has. Enters all three in `parts`.
class ChainLink {
  public:
    static constexpr std::uint64_t kIdleLookMs = 10'000;  ///< while no job is live

    /// `parts` with keys. Throws StoreError{corrupt}.
    ChainLink(NodeParts& parts, const World& world);
    ChainLink(const ChainLink&) = delete;
    ChainLink& operator=(const ChainLink&) = delete;

    /// Every second or so: answers who has waited too long, and looks at the chain where a job is live, or now and
    /// then.
    void tick();
    /// There is a new block: looks now.
    void new_block();
    /// Waits for the requests under way; then nothing more is asked.
    void stop();
    // Stepped only: one request of that worker; false where none waits.
    bool step_chain() { return m_chain && m_chain->step(); }
    bool step_questions() { return m_questions && m_questions->step(); }

  private:
    NodeParts& m_parts;
    std::unique_ptr<ChainWorker> m_chain;
    std::unique_ptr<ChainWorker> m_questions;
    std::unique_ptr<TxService> m_transactions;
    std::uint64_t m_last_look_ms = 0;
};

/// A worker for questions whose completions run in the loop of `parts`.
[[nodiscard]] std::unique_ptr<ChainWorker> start_chain_worker(const NodeParts& parts, const World& world);

/// Follows the chain from the cursor in the store of `parts`, which then know its newest block. Throws
/// StoreError{corrupt}.
[[nodiscard]] std::unique_ptr<ChainFollower> start_follower(NodeParts& parts, const World& world);

}  // namespace hedgerow::daemon
