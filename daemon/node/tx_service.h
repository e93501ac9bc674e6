#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "daemon/chain/worker.h"
#include "daemon/node/event_loop.h"
#include "daemon/node/node_types.h"
#include "daemon/node/outbox.h"
#include "wallet/chain/tx_manager.h"

namespace hedgerow::daemon {

/// Performs the transaction manager: asks the chain what it wants to know, makes its jobs durable, then broadcasts.
/// Jobs survive a restart and happen once per id.
class TxService {
  public:
    static constexpr std::size_t kMaxWaiters = 4'096;
    static constexpr std::uint64_t kWaitMs =
        60'000;  ///< for a broadcast; then the caller hears timeout, and the job goes on
    using Changed = std::function<void(const wallet::Job&)>;

    TxService(EventLoop& loop, Outbox& outbox, ChainWorker& chain, wallet::TransactionSigner& signer,
              std::uint64_t chain_id, const wallet::FeePolicy& policy);
    TxService(const TxService&) = delete;
    TxService& operator=(const TxService&) = delete;

    /// Jobs stored by an earlier run; before the first tick.
    [[nodiscard]] wallet::ChainExpected<void> restore(const std::vector<std::string>& records);
    /// Accepts the job, or answers why not. The answer is the hash of the newest variant once one was broadcast, or the
    /// job's fault. A job that exists already is the same job; one that has failed is answered with its fault.
    void submit(const wallet::JobRequest& request, Answer<channel::TxHash> done);
    /// Accepts a job nobody waits for; a fault is logged by the caller's `refused` where given.
    void submit(const wallet::JobRequest& request);
    /// Withdraws every job that is not signed yet and whose id holds that text: what it was for is over, and it would
    /// take a place for ever.
    void cancel_unsigned(std::string_view part_of_id);
    /// Called at every change of a job.
    void on_change(Changed changed) { m_changed = std::move(changed); }
    /// Looks at the chain: at every block, and every few seconds while jobs wait.
    void tick();
    /// The manager's clock, Unix milliseconds: what this machine's clock said at the start, and the time since. Setting
    /// the clock changes neither a deadline nor the age of a transaction.
    [[nodiscard]] std::uint64_t now_ms() const { return m_start_ms + (m_loop.steady_ms() - m_start_steady_ms); }
    /// Answers who has waited too long.
    void expire();
    [[nodiscard]] const wallet::Job* find(const std::string& id) const { return m_manager.find(id); }
    [[nodiscard]] bool has_live() const { return m_manager.has_live(); }
    [[nodiscard]] std::optional<channel::U256> uncommitted() const { return m_manager.uncommitted(); }
    /// How many jobs stand where.
    [[nodiscard]] std::map<wallet::JobStatus, std::uint64_t> count_jobs() const;
    [[nodiscard]] channel::U256 spendable() const { return m_manager.spendable(); }

  private:
    void take(const wallet::JobRequest& request, Answer<channel::TxHash> done, bool second_try);
    void observed(const wallet::ChainExpected<wallet::ChainView>& view);
    void perform(const std::vector<wallet::TxAction>& actions);
    void broadcast(const wallet::BroadcastTx& tx);
    void answer_waiters(const std::string& id);

    EventLoop& m_loop;
    const std::uint64_t m_start_ms;
    const std::uint64_t m_start_steady_ms;
    Outbox& m_outbox;
    ChainWorker& m_chain;
    wallet::TxManager m_manager;
    struct Waiter {
        Answer<channel::TxHash> done;
        std::uint64_t until_ms = 0;
    };
    std::multimap<std::string, Waiter> m_waiters;
    std::vector<std::function<void()>> m_after_look;
    Changed m_changed;
    bool m_observing = false;
    std::shared_ptr<const wallet::ChainView> m_last_view;
    bool m_again = false;
    std::shared_ptr<bool> m_alive = std::make_shared<bool>(true);
};

/// The JSON-RPC form of a chain fault.
[[nodiscard]] Fault fault_of(wallet::ChainFault fault, std::string_view detail);

}  // namespace hedgerow::daemon
