#include "daemon/node/event_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace hedgerow::daemon {

namespace {
constexpr int kMaxWaitMs = 1'000;
}

EventLoop::EventLoop(Clock wall, Clock steady)
    : m_wall(std::move(wall)), m_steady(steady ? std::move(steady) : m_wall) {}

bool EventLoop::post(Task task) {
    bool first = false;
    {
        const std::lock_guard lock(m_mutex);
        if (m_posted.size() >= kMaxPosted || stopping()) return false;
        first = m_posted.empty();
        m_posted.push_back(std::move(task));
    }
    // Behind another it is run with that one, for which the loop was woken.
    if (first) m_wake.signal();
    return true;
}

void EventLoop::post_completion(Task task) {
    {
        const std::lock_guard lock(m_mutex);
        m_posted.push_back(std::move(task));
    }
    m_wake.signal();
}

void EventLoop::watch(int fd, Task ready) {
    set_watch(fd, std::move(ready), false);
}
void EventLoop::watch_always(int fd, Task ready) {
    set_watch(fd, std::move(ready), true);
}
void EventLoop::unwatch(int fd) {
    std::erase_if(m_watches, [fd](const Watch& watch) { return watch.fd == fd; });
}
void EventLoop::set_watch(int fd, Task ready, bool always) {
    unwatch(fd);
    m_watches.push_back({fd, std::move(ready), always});
}

void EventLoop::every(std::uint64_t period_ms, Task task) {
    m_timers.emplace(steady_ms() + period_ms, Timer{period_ms, std::move(task)});
}
void EventLoop::after(std::uint64_t delay_ms, Task task) {
    m_timers.emplace(steady_ms() + delay_ms, Timer{0, std::move(task)});
}

bool EventLoop::quiet() {
    {
        const std::lock_guard lock(m_mutex);
        if (!m_posted.empty()) return false;
    }
    std::vector<pollfd> fds;
    for (const Watch& watch : m_watches) fds.push_back({watch.fd, POLLIN, 0});
    return ::poll(fds.data(), fds.size(), 0) == 0;
}

void EventLoop::stop() noexcept {
    m_stop.store(true, std::memory_order_relaxed);
    m_wake.signal();
}

void EventLoop::run() {
    while (!stopping()) turn(kMaxWaitMs);
}

void EventLoop::turn(int wait_ms) {
    if (!poll_once(wait_for_timer(wait_ms))) return;
    run_posted();
    run_timers();
    if (m_end_of_turn) m_end_of_turn();
}

int EventLoop::wait_for_timer(int wait_ms) const {
    if (m_timers.empty()) return wait_ms;
    const std::uint64_t now = steady_ms();
    const std::uint64_t due = m_timers.begin()->first;
    if (due <= now) return 0;
    return static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(wait_ms), due - now));
}

bool EventLoop::poll_once(int wait_ms) {
    const bool inputs = !m_inputs_open || m_inputs_open();
    std::vector<pollfd> fds;
    fds.push_back({m_wake.fd(), POLLIN, 0});
    for (const Watch& watch : m_watches) {
        if (inputs || watch.always) fds.push_back({watch.fd, POLLIN, 0});
    }
    if (::poll(fds.data(), fds.size(), wait_ms) < 0) {
        if (errno == EINTR) return !stopping();
        throw std::system_error(errno, std::generic_category(), "poll");
    }
    if (m_start_of_turn) m_start_of_turn();
    for (const pollfd& fd : fds) {
        if (fd.fd == m_wake.fd() || (fd.revents & (POLLIN | POLLERR | POLLHUP)) == 0) continue;
        // A task may unwatch itself or others; look it up each time, and run a copy.
        const auto at = std::find_if(m_watches.begin(), m_watches.end(), [&](const Watch& w) { return w.fd == fd.fd; });
        if (at == m_watches.end()) continue;
        const Task ready = at->ready;
        ready();
    }
    return true;
}

void EventLoop::run_posted() {
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(m_mutex);
        m_wake.clear();
        if (m_posted.size() <= kMaxTasksPerTurn) {
            tasks.swap(m_posted);
        } else {
            const auto end = m_posted.begin() + static_cast<std::ptrdiff_t>(kMaxTasksPerTurn);
            tasks.assign(std::make_move_iterator(m_posted.begin()), std::make_move_iterator(end));
            m_posted.erase(m_posted.begin(), end);
            m_wake.signal();
        }
    }
    for (Task& task : tasks) task();
}

void EventLoop::run_timers() {
    const std::uint64_t now = steady_ms();
    std::vector<Timer> due;
    while (!m_timers.empty() && m_timers.begin()->first <= now) {
        due.push_back(std::move(m_timers.begin()->second));
        m_timers.erase(m_timers.begin());
    }
    for (Timer& timer : due) {
        timer.task();
        // From now, not from when it was due: after a long pause timers do not catch up.
        if (timer.period_ms != 0) m_timers.emplace(now + timer.period_ms, std::move(timer));
    }
}

}  // namespace hedgerow::daemon
