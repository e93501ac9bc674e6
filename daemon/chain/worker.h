#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "daemon/base/drive.h"
#include "daemon/chain/loop_queue.h"
#include "wallet/chain/eth_client.h"

namespace hedgerow::daemon {

/// Runs blocking questions to a chain node in a thread of its own, apart from the follower's, so that a broadcast never
/// waits for a catch-up. Work runs in the thread; what it returns runs in the event loop.
class ChainWorker {
  public:
    using Completion = std::function<void()>;
    using Work = std::function<Completion(wallet::EthClient&)>;
    static constexpr std::size_t kQueue = 256;

    ChainWorker(std::unique_ptr<wallet::ChainTransport> transport, std::uint64_t chain_id,
                Drive drive = Drive::threads);
    ~ChainWorker();  ///< waits for the request under way; what is queued is dropped
    ChainWorker(const ChainWorker&) = delete;
    ChainWorker& operator=(const ChainWorker&) = delete;

    /// False, and nothing happens, while kQueue works wait (rule queue_full).
    [[nodiscard]] bool post(Work work);
    /// Readable when run_completions() has something.
    [[nodiscard]] int fd() const { return m_done.fd(); }
    /// Event loop: runs what finished works returned, in their order.
    void run_completions();
    /// Stepped only: does the oldest work that waits. False where there is none, or its completion would find no room.
    bool step();

  private:
    void run();

    std::unique_ptr<wallet::ChainTransport> m_transport;
    wallet::EthClient m_client;
    LoopQueue<Completion> m_done;
    std::mutex m_mutex;
    std::condition_variable m_wake;
    std::deque<Work> m_waiting;
    bool m_stop = false;
    std::thread m_thread;  ///< none where stepped
};

}  // namespace hedgerow::daemon
