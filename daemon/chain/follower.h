#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "daemon/base/drive.h"
#include "daemon/chain/loop_queue.h"
#include "daemon/chain/tracker.h"
#include "wallet/chain/eth_client.h"

namespace hedgerow::daemon {

struct FollowerConfig {
    TrackerConfig tracker;
    std::uint64_t poll_ms = 1'000;          ///< how often a synced follower asks for the head
    std::uint64_t max_backoff_ms = 30'000;  ///< between attempts while the node fails; the first waits poll_ms
};

struct FollowerStatus {
    bool synced = false;
    std::uint64_t height = 0;  ///< followed
    std::uint64_t head = 0;    ///< the node's
    std::optional<wallet::ChainError>
        problem;  ///< of the last attempt; chain_id_wrong and chain_reorg_too_deep need the operator
};

/// Follows the adjudicator in a thread of its own with blocking requests, and hands batches to the event loop through a
/// bounded queue. While the loop does not take them it waits. It retries for ever, with growing pauses, and skips
/// nothing.
class ChainFollower {
  public:
    static constexpr std::size_t kQueue = 16;  ///< batches

    /// `cursor`: the one last persisted with a batch's effects. chain_cursor_mismatch where it is of another chain or
    /// contract.
    [[nodiscard]] static wallet::ChainExpected<std::unique_ptr<ChainFollower>> start(
        std::unique_ptr<wallet::ChainTransport> transport, const FollowerConfig& config,
        std::optional<FollowerCursor> cursor, Drive drive = Drive::threads);
    ~ChainFollower();  ///< waits for the request under way
    ChainFollower(const ChainFollower&) = delete;
    ChainFollower& operator=(const ChainFollower&) = delete;

    /// Readable when take() has something.
    [[nodiscard]] int fd() const { return m_queue.fd(); }
    [[nodiscard]] std::vector<ChainBatch> take() { return m_queue.take(); }
    [[nodiscard]] FollowerStatus status() const;
    /// Asks for the head now rather than at the next poll.
    void poke();
    /// Stepped only: asks the chain where that is due at `steady_ms` (any clock that does not jump) and the queue has
    /// room. False where it is not.
    bool step(std::uint64_t steady_ms);

  private:
    ChainFollower(std::unique_ptr<wallet::ChainTransport> transport, const FollowerConfig& config, ChainTracker tracker,
                  Drive drive);
    void run();
    [[nodiscard]] std::uint64_t attempt(std::uint64_t failures, bool& failed);
    [[nodiscard]] bool wait(std::uint64_t ms);

    std::unique_ptr<wallet::ChainTransport> m_transport;
    FollowerConfig m_config;
    ChainTracker m_tracker;
    wallet::EthClient m_client;
    LoopQueue<ChainBatch> m_queue;
    mutable std::mutex m_mutex;
    std::condition_variable m_wake;
    bool m_stop = false;
    bool m_poked = false;
    FollowerStatus m_status;
    bool m_told_synced = false;       ///< of the last batch that was handed over
    std::uint64_t m_failures = 0;     ///< in a row
    std::uint64_t m_next_step_ms = 0;  ///< stepped
    std::thread m_thread;             ///< none where stepped
};

/// The tracker's questions, asked of a node.
class EthSource final : public ChainSource {
  public:
    EthSource(wallet::EthClient& client, const channel::Address& contract) : m_client(client), m_filter{contract, {}} {}
    wallet::ChainExpected<wallet::BlockHeader> head() override { return m_client.block(wallet::BlockTag::latest()); }
    wallet::ChainExpected<wallet::BlockHeader> block(std::uint64_t number) override {
        return m_client.block(wallet::BlockTag::at(number));
    }
    wallet::ChainExpected<std::vector<wallet::LogEntry>> logs(std::uint64_t from, std::uint64_t to) override {
        return m_client.logs(m_filter, from, to);
    }
    wallet::ChainExpected<std::vector<wallet::LogEntry>> logs(const channel::BlockHash& block) override {
        return m_client.logs(m_filter, block);
    }

  private:
    wallet::EthClient& m_client;
    wallet::LogFilter m_filter;
};

}  // namespace hedgerow::daemon
