#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace hedgerow::daemon {

/// A price file that is refused; the text names file, line and cause.
struct ReplayError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A recorded price: bars from a CSV file, plain or gzipped, whose first line is "ts_ms,open,high,low,close,volume".
/// Times are Unix ms of each bar's beginning, ascending; the length of a bar is the smallest gap between two (of one
/// bar alone, a minute).
class ReplaySeries {
  public:
    static constexpr std::size_t kMaxBars = 5'000'000;

    [[nodiscard]] static ReplaySeries load(const std::filesystem::path& file);

    /// USD at `at_ms` of the recording, clamped to its ends. Inside a bar the price goes in straight lines from open
    /// over the extreme that lies against the bar's direction and then the other one to close, a third of the bar each,
    /// so that every recorded high and low is reached. In a gap between bars the last close stands.
    [[nodiscard]] double price_at(std::uint64_t at_ms) const;
    [[nodiscard]] std::uint64_t begin_ms() const { return m_bars.front().time_ms; }
    [[nodiscard]] std::uint64_t end_ms() const { return m_bars.back().time_ms + m_bar_ms; }
    [[nodiscard]] std::size_t bars() const { return m_bars.size(); }

  private:
    struct Bar {
        std::uint64_t time_ms = 0;
        double open = 0, high = 0, low = 0, close = 0;
    };
    [[nodiscard]] static Bar parse_line(const std::string& line);

    std::vector<Bar> m_bars;
    std::uint64_t m_bar_ms = 60'000;
};

}  // namespace hedgerow::daemon
