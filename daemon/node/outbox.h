#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "daemon/store/rows.h"
#include "daemon/store/writer.h"

namespace hedgerow::daemon {

/// Persist, then send (DESIGN 5.4): what one turn of the loop stores, across all channels, is one job of the writer;
/// what it sends or reports waits until that job is durable. A turn that stores nothing still waits for those before
/// it, so order holds.
class Outbox {
  public:
    using Action = std::function<void()>;
    static constexpr std::size_t kMaxTurnsInFlight =
        64;  ///< beyond: the loop takes no inputs until the store catches up

    explicit Outbox(Writer& writer) : m_writer(writer) {}
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    /// Part of this turn's transaction, put before its jobs. A turn of rows alone is durable at the cost of one sequential write.
    [[nodiscard]] Rows& rows() { return m_rows; }
    /// Part of this turn's transaction; runs on the writer's thread, in order.
    void persist(Writer::Job job) { m_jobs.push_back(std::move(job)); }
    /// In a transaction soon, beside this turn and those that follow, for what nobody waits for; `done` runs on the node thread once it is durable.
    /// Throws StoreError where the writer has failed.
    void persist_later(Writer::Job job, Action done);
    /// Runs on the node thread once everything persisted so far is durable, in order.
    void when_durable(Action action) { m_actions.push_back(std::move(action)); }

    /// Hands the turn to the writer; of a node that is `idle` otherwise it is stored here and now. True where actions ran at once, so that
    /// what they caused is waiting for another call. Throws StoreError where the writer has failed.
    bool end_turn(const std::function<bool()>& idle = nullptr);

    [[nodiscard]] std::size_t turns_in_flight() const { return m_in_flight; }
    [[nodiscard]] bool accepts() const { return m_in_flight < kMaxTurnsInFlight; }
    [[nodiscard]] bool idle() const { return m_in_flight == 0 && stores_nothing() && m_actions.empty(); }

  private:
    using Actions = std::shared_ptr<std::vector<Action>>;
    static void run_all(std::vector<Action>& actions);
    [[nodiscard]] bool stores_nothing() const { return m_jobs.empty() && m_rows.empty(); }
    [[nodiscard]] Writer::Work take_work();

    Writer& m_writer;
    Rows m_rows;
    std::vector<Writer::Job> m_jobs;
    std::vector<Action> m_actions;
    Actions m_newest;  ///< of the newest turn in flight
    std::size_t m_in_flight = 0;
};

}  // namespace hedgerow::daemon
