#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hedgerow::daemon {

/// Threads that compute for one other: it hands them a list of independent pieces, takes pieces itself, and goes on when all are done. They keep
/// nothing between two lists.
class Workers {
  public:
    /// `count` threads take part in run(), its caller among them; at least 1, and then there is no other.
    explicit Workers(std::size_t count);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    [[nodiscard]] std::size_t count() const { return m_threads.size() + 1; }
    /// piece(0) … piece(pieces - 1), each once, in any order and on any of the threads; returns when all have. `piece` must not throw. From one
    /// thread at a time.
    void run(std::size_t pieces, const std::function<void(std::size_t)>& piece);

  private:
    void work();
    void take_pieces();

    std::mutex m_mutex;
    std::condition_variable m_begin, m_end;
    std::uint64_t m_list = 0;      ///< counts lists
    std::size_t m_busy = 0;        ///< threads that have not left the newest list
    bool m_stop = false;
    const std::function<void(std::size_t)>* m_piece = nullptr;
    std::size_t m_pieces = 0;
    std::atomic<std::size_t> m_next = 0;
    std::vector<std::thread> m_threads;  // last: they start when all else is there
};

}  // namespace hedgerow::daemon
