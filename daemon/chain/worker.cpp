#include "daemon/chain/worker.h"

namespace hedgerow::daemon {

ChainWorker::ChainWorker(std::unique_ptr<wallet::ChainTransport> transport, std::uint64_t chain_id, Drive drive)
    : m_transport(std::move(transport)), m_client(*m_transport, chain_id), m_done(kQueue) {
    if (drive == Drive::threads) m_thread = std::thread([this] { run(); });
}

ChainWorker::~ChainWorker() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_done.close();
    m_wake.notify_all();
    if (m_thread.joinable()) m_thread.join();
}

bool ChainWorker::post(Work work) {
    const std::lock_guard lock(m_mutex);
    if (m_waiting.size() >= kQueue) return false;
    m_waiting.push_back(std::move(work));
    m_wake.notify_all();
    return true;
}

void ChainWorker::run_completions() {
    for (const Completion& completion : m_done.take()) {
        if (completion) completion();
    }
}

bool ChainWorker::step() {
    ASSERT(!m_thread.joinable());
    if (m_done.full()) return false;
    Work work;
    {
        const std::lock_guard lock(m_mutex);
        if (m_waiting.empty()) return false;
        work = std::move(m_waiting.front());
        m_waiting.pop_front();
    }
    return m_done.push(work(m_client));
}

void ChainWorker::run() {
    while (true) {
        Work work;
        {
            std::unique_lock lock(m_mutex);
            m_wake.wait(lock, [&] { return m_stop || !m_waiting.empty(); });
            if (m_stop) return;
            work = std::move(m_waiting.front());
            m_waiting.pop_front();
        }
        if (!m_done.push(work(m_client))) return;
    }
}

}  // namespace hedgerow::daemon
