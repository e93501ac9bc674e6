#include "daemon/base/workers.h"

#include "channel/base/assert.h"

namespace hedgerow::daemon {

Workers::Workers(std::size_t count) {
    ASSERT(count > 0);
    for (std::size_t i = 1; i < count; ++i) m_threads.emplace_back([this] { work(); });
}

Workers::~Workers() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_begin.notify_all();
    for (std::thread& thread : m_threads) thread.join();
}

void Workers::run(std::size_t pieces, const std::function<void(std::size_t)>& piece) {
    if (m_threads.empty() || pieces < 2) {
        for (std::size_t i = 0; i < pieces; ++i) piece(i);
        return;
    }
    {
        const std::lock_guard lock(m_mutex);
        m_piece = &piece;
        m_pieces = pieces;
        m_next.store(0, std::memory_order_relaxed);
        m_busy = m_threads.size();
        ++m_list;
    }
    m_begin.notify_all();
    take_pieces();
    std::unique_lock lock(m_mutex);
    m_end.wait(lock, [this] { return m_busy == 0; });
    m_piece = nullptr;
}

void Workers::take_pieces() {
    for (;;) {
        const std::size_t i = m_next.fetch_add(1, std::memory_order_relaxed);
        if (i >= m_pieces) return;
        (*m_piece)(i);
    }
}

void Workers::work() {
    std::uint64_t done = 0;
    for (;;) {
        {
            std::unique_lock lock(m_mutex);
            m_begin.wait(lock, [&] { return m_stop || m_list != done; });
            if (m_stop) return;
            done = m_list;
        }
        take_pieces();
        const std::lock_guard lock(m_mutex);
        if (--m_busy == 0) m_end.notify_one();
    }
}

}  // namespace hedgerow::daemon
