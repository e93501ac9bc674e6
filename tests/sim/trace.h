#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "tests/sim/event_queue.h"

namespace hedgerow::sim {

/// The story of a world: every line is hashed, so that two runs of one seed can be compared by one number; the last
/// lines are kept for a failure's report, or all are printed as they come.
class Trace {
  public:
    static constexpr std::size_t kKept = 400;

    Trace(const EventQueue& queue, bool print) : m_queue(queue), m_start_ms(queue.now_ms()), m_print(print) {}

    template <typename... T>
    void line(std::string_view who, fmt::format_string<T...> format, T&&... arguments) {
        add(who, fmt::format(format, std::forward<T>(arguments)...));
    }
    [[nodiscard]] std::uint64_t hash() const { return m_hash; }
    [[nodiscard]] std::uint64_t lines() const { return m_lines; }
    void print_tail(std::FILE* out) const {
        if (m_print) return;  // it is all there already
        for (const std::string& text : m_tail) std::fprintf(out, "%s\n", text.c_str());
    }

  private:
    void add(std::string_view who, const std::string& text) {
        const std::uint64_t ms = m_queue.now_ms() - m_start_ms;
        std::string line = fmt::format("{:>7}.{:03} {:<8} {}", ms / 1000, ms % 1000, who, text);
        for (const char c : line) m_hash = (m_hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
        ++m_lines;
        if (m_print) std::printf("%s\n", line.c_str());
        m_tail.push_back(std::move(line));
        if (m_tail.size() > kKept) m_tail.pop_front();
    }

    const EventQueue& m_queue;
    const std::uint64_t m_start_ms;
    const bool m_print;
    std::uint64_t m_hash = 0xcbf29ce484222325ULL;
    std::uint64_t m_lines = 0;
    std::deque<std::string> m_tail;
};

}  // namespace hedgerow::sim
