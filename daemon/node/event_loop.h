#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/base/event_fd.h"

namespace hedgerow::daemon {

/// The node's single thread: waits on descriptors, timers and tasks posted by other threads, and after each round of
/// them calls the end-of-turn function once, so that whatever came together is persisted together (DESIGN 5.4).
class EventLoop {
  public:
    using Task = std::function<void()>;
    using Clock = std::function<std::uint64_t()>;  ///< Unix milliseconds
    static constexpr std::size_t kMaxPosted = 65'536;  ///< waiting tasks; at it post() refuses
    static constexpr std::size_t kMaxTasksPerTurn = 4'096;

    /// Timers go by `steady`, which never jumps; null: one clock is both.
    explicit EventLoop(Clock wall, Clock steady = nullptr);

    /// Queues a task for the node thread; from any thread. False (nothing queued) when full or stopped.
    [[nodiscard]] bool post(Task task);
    /// As post(), but for completions of work that the loop itself started, whose number is bounded by that: never
    /// refused but after the loop has ended.
    void post_completion(Task task);

    // The rest on the node thread only, or before run().

    /// Calls `ready` in every round in which `fd` is readable.
    void watch(int fd, Task ready);
    void unwatch(int fd);
    /// Calls `task` about every `period_ms`.
    void every(std::uint64_t period_ms, Task task);
    /// Calls `task` once, `delay_ms` from now.
    void after(std::uint64_t delay_ms, Task task);
    /// Called at the start of each round, after the wait.
    void at_start_of_turn(Task task) { m_start_of_turn = std::move(task); }
    /// Called at the end of each round.
    void at_end_of_turn(Task task) { m_end_of_turn = std::move(task); }
    /// While it returns false, watched descriptors rest: the store is behind (a bound with a named behaviour).
    void gate_inputs(std::function<bool()> open) { m_inputs_open = std::move(open); }
    /// Watched even while inputs are gated: what opens the gate again.
    void watch_always(int fd, Task ready);

    void run();
    /// From any thread or a signal handler.
    /// On the loop's thread: nothing is posted, and no file descriptor that is watched has anything.
    [[nodiscard]] bool quiet();
    void stop() noexcept;
    [[nodiscard]] bool stopping() const { return m_stop.load(std::memory_order_relaxed); }
    /// One round, waiting at most `wait_ms`; for tests.
    void turn(int wait_ms);

    [[nodiscard]] std::uint64_t now_ms() const { return m_wall(); }
    /// For waits within this process: what is set to another hour is the other clock.
    [[nodiscard]] std::uint64_t steady_ms() const { return m_steady(); }

  private:
    struct Watch {
        int fd = -1;
        Task ready;
        bool always = false;
    };
    struct Timer {
        std::uint64_t period_ms = 0;  ///< 0: once
        Task task;
    };

    [[nodiscard]] bool poll_once(int wait_ms);
    void run_posted();
    void run_timers();
    [[nodiscard]] int wait_for_timer(int wait_ms) const;

    void set_watch(int fd, Task ready, bool always);

    const Clock m_wall;
    const Clock m_steady;
    EventFd m_wake;
    std::atomic<bool> m_stop{false};
    std::mutex m_mutex;
    std::vector<Task> m_posted;
    std::vector<Watch> m_watches;  ///< in the order in which they began, whatever numbers the system gave them
    std::multimap<std::uint64_t, Timer> m_timers;  ///< by steady time
    Task m_start_of_turn;
    Task m_end_of_turn;
    std::function<bool()> m_inputs_open;
};

}  // namespace hedgerow::daemon
