#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "daemon/base/event_fd.h"

namespace hedgerow::daemon {

/// Bounded hand-over from one worker thread to the event loop: the worker waits while it is full, the loop polls fd().
template <typename T>
class LoopQueue {
  public:
    explicit LoopQueue(std::size_t capacity) : m_capacity(capacity) {}

    /// Worker: waits for room. False, and the item is dropped, once the queue is closed.
    [[nodiscard]] bool push(T item) {
        std::unique_lock lock(m_mutex);
        m_room.wait(lock, [&] { return m_closed || m_items.size() < m_capacity; });
        if (m_closed) return false;
        m_items.push_back(std::move(item));
        m_ready.signal();
        return true;
    }
    /// No room for another one.
    [[nodiscard]] bool full() {
        const std::lock_guard lock(m_mutex);
        return m_items.size() >= m_capacity;
    }
    /// Loop: everything there is, oldest first.
    [[nodiscard]] std::vector<T> take() {
        const std::lock_guard lock(m_mutex);
        m_ready.clear();
        std::vector<T> out(std::make_move_iterator(m_items.begin()), std::make_move_iterator(m_items.end()));
        m_items.clear();
        m_room.notify_all();
        return out;
    }
    void close() {
        const std::lock_guard lock(m_mutex);
        m_closed = true;
        m_room.notify_all();
    }
    /// Readable while there are items.
    [[nodiscard]] int fd() const { return m_ready.fd(); }

  private:
    std::size_t m_capacity;
    std::mutex m_mutex;
    std::condition_variable m_room;
    std::deque<T> m_items;
    bool m_closed = false;
    EventFd m_ready;
};

}  // namespace hedgerow::daemon
