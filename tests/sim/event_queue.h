#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace hedgerow::sim {

/// What happens when, in virtual milliseconds since the Unix epoch. Events of one time run in the order in which they
/// were put in, so that a world has one history.
class EventQueue {
  public:
    using Task = std::function<void()>;

    explicit EventQueue(std::uint64_t start_ms) : m_now(start_ms) {}

    [[nodiscard]] std::uint64_t now_ms() const { return m_now; }
    void at(std::uint64_t time_ms, Task task) {
        m_events.push({time_ms < m_now ? m_now : time_ms, m_sequence++, std::move(task)});
    }
    void after(std::uint64_t delay_ms, Task task) { at(m_now + delay_ms, std::move(task)); }
    /// Runs everything up to and including `until_ms`, then time is that.
    void run_until(std::uint64_t until_ms) {
        while (!m_events.empty() && m_events.top().time_ms <= until_ms) {
            Event event = std::move(const_cast<Event&>(m_events.top()));
            m_events.pop();
            m_now = event.time_ms;
            ++m_count;
            event.task();
        }
        m_now = until_ms;
    }
    [[nodiscard]] std::uint64_t events_run() const { return m_count; }

  private:
    struct Event {
        std::uint64_t time_ms;
        std::uint64_t sequence;
        Task task;
        bool operator<(const Event& other) const {
            return time_ms != other.time_ms ? time_ms > other.time_ms : sequence > other.sequence;
        }
    };
    std::uint64_t m_now;
    std::uint64_t m_sequence = 0;
    std::uint64_t m_count = 0;
    std::priority_queue<Event> m_events;
};

}  // namespace hedgerow::sim
