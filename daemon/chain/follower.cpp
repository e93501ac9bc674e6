#include "daemon/chain/follower.h"

#include <algorithm>

namespace hedgerow::daemon {

using wallet::ChainExpected;

ChainExpected<std::unique_ptr<ChainFollower>> ChainFollower::start(std::unique_ptr<wallet::ChainTransport> transport,
                                                                   const FollowerConfig& config,
                                                                   std::optional<FollowerCursor> cursor, Drive drive) {
    ChainTracker tracker(config.tracker);
    if (cursor) {
        const auto resumed = tracker.resume(std::move(*cursor));
        if (!resumed) return channel::Unexpected{resumed.error()};
    }
    return std::unique_ptr<ChainFollower>(new ChainFollower(std::move(transport), config, std::move(tracker), drive));
}

ChainFollower::ChainFollower(std::unique_ptr<wallet::ChainTransport> transport, const FollowerConfig& config,
                             ChainTracker tracker, Drive drive)
    : m_transport(std::move(transport)),
      m_config(config),
      m_tracker(std::move(tracker)),
      m_client(*m_transport, config.tracker.chain_id),
      m_queue(kQueue) {
    m_status.height = m_tracker.height();
    if (drive == Drive::threads) m_thread = std::thread([this] { run(); });
}

ChainFollower::~ChainFollower() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_queue.close();
    m_wake.notify_all();
    if (m_thread.joinable()) m_thread.join();
}

FollowerStatus ChainFollower::status() const {
    const std::lock_guard lock(m_mutex);
    return m_status;
}

void ChainFollower::poke() {
    const std::lock_guard lock(m_mutex);
    m_poked = true;
    m_wake.notify_all();
}

bool ChainFollower::wait(std::uint64_t ms) {
    std::unique_lock lock(m_mutex);
    m_wake.wait_for(lock, std::chrono::milliseconds(ms), [&] { return m_stop || m_poked; });
    m_poked = false;
    return !m_stop;
}

void ChainFollower::run() {
    std::uint64_t pause = 0;
    while (wait(pause)) {
        bool failed = false;
        pause = attempt(m_failures, failed);
        m_failures = failed ? m_failures + 1 : 0;
    }
}

bool ChainFollower::step(std::uint64_t steady_ms) {
    ASSERT(!m_thread.joinable());
    if (m_queue.full() || (!m_poked && steady_ms < m_next_step_ms)) return false;
    m_poked = false;
    bool failed = false;
    const std::uint64_t pause = attempt(m_failures, failed);
    m_failures = failed ? m_failures + 1 : 0;
    m_next_step_ms = steady_ms + pause;
    return true;
}

std::uint64_t ChainFollower::attempt(std::uint64_t failures, bool& failed) {
    EthSource source(m_client, m_config.tracker.contract);
    auto batch = m_tracker.step(source);
    failed = !batch;
    {
        const std::lock_guard lock(m_mutex);
        if (failed) {
            m_status.synced = false;
            m_status.problem = batch.error();
        } else {
            m_status = {batch->synced, m_tracker.height(), batch->head, std::nullopt};
        }
    }
    if (failed) return std::min(m_config.max_backoff_ms, m_config.poll_ms << std::min<std::uint64_t>(failures, 16));
    const bool synced = batch->synced;
    const bool news = !batch->inputs.empty();
    // Also without news: after a restart on a chain that stands still, the loop must hear that it is at the head.
    if ((news || synced != m_told_synced) && !m_queue.push(std::move(*batch))) return 0;
    m_told_synced = synced;
    // A node that is behind, or a range that was too large, gives no news without being at the head.
    return synced || !news ? m_config.poll_ms : 0;
}

}  // namespace hedgerow::daemon
