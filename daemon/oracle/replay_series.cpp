#include "daemon/oracle/replay_series.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

#include "channel/base/amount.h"

namespace hedgerow::daemon {

namespace {

constexpr std::string_view kHeader = "ts_ms,open,high,low,close,volume";
constexpr std::size_t kMaxLine = 512;

using GzFile = std::unique_ptr<gzFile_s, decltype(&gzclose)>;

/// The next line without its end; nothing at the end of the file.
std::optional<std::string> next_line(gzFile file) {
    std::array<char, kMaxLine> buffer{};
    if (gzgets(file, buffer.data(), static_cast<int>(buffer.size())) == nullptr) {
        int code = Z_OK;
        const char* text = gzerror(file, &code);
        if (code != Z_OK && code != Z_STREAM_END) throw ReplayError(text);
        return std::nullopt;
    }
    std::string line(buffer.data());
    if (line.size() == kMaxLine - 1 && line.back() != '\n') throw ReplayError("line longer than 510 bytes");
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return line;
}

double price_of(std::string_view text) {
    const auto raw = channel::parse_decimal(text, channel::kPriceDecimals);
    if (!raw || *raw <= 0 || *raw > static_cast<channel::Int128>(100'000'000'000'000'000)) {
        throw ReplayError(fmt::format("'{}' is no price above 0 and at most 1000000000 with at most 8 decimals", text));
    }
    return static_cast<double>(*raw) / 1e8;
}

}  // namespace

ReplaySeries::Bar ReplaySeries::parse_line(const std::string& line) {
    std::array<std::string_view, 6> parts;
    std::string_view rest = line;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t comma = rest.find(',');
        if ((comma == std::string_view::npos) != (i + 1 == parts.size())) throw ReplayError("not six columns");
        parts[i] = rest.substr(0, comma);
        if (comma != std::string_view::npos) rest.remove_prefix(comma + 1);
    }
    Bar bar;
    const auto [end, code] = std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), bar.time_ms);
    if (code != std::errc() || end != parts[0].data() + parts[0].size() || bar.time_ms >= 1ULL << 48) {
        throw ReplayError(fmt::format("'{}' is no time in ms", parts[0]));
    }
    bar.open = price_of(parts[1]);
    bar.high = price_of(parts[2]);
    bar.low = price_of(parts[3]);
    bar.close = price_of(parts[4]);
    if (bar.low > std::min(bar.open, bar.close) || bar.high < std::max(bar.open, bar.close)) {
        throw ReplayError("open or close lies outside low to high");
    }
    return bar;
}

ReplaySeries ReplaySeries::load(const std::filesystem::path& path) {
    const GzFile file(gzopen(path.c_str(), "rbe"), &gzclose);
    if (!file) throw ReplayError(fmt::format("cannot read {}", path.string()));
    ReplaySeries out;
    std::size_t number = 1;
    try {
        const auto header = next_line(file.get());
        if (!header || *header != kHeader) throw ReplayError(fmt::format("the first line is not '{}'", kHeader));
        for (auto line = next_line(file.get()); line; line = next_line(file.get())) {
            ++number;
            if (line->empty()) continue;
            if (out.m_bars.size() >= kMaxBars) throw ReplayError("more than 5,000,000 bars");
            const Bar bar = parse_line(*line);
            if (!out.m_bars.empty() && bar.time_ms <= out.m_bars.back().time_ms)
                throw ReplayError("times do not ascend");
            out.m_bars.push_back(bar);
        }
        if (out.m_bars.empty()) throw ReplayError("no bars");
    } catch (const ReplayError& error) {
        throw ReplayError(fmt::format("{}:{}: {}", path.string(), number, error.what()));
    }
    std::uint64_t shortest = UINT64_MAX;
    for (std::size_t i = 1; i < out.m_bars.size(); ++i) {
        shortest = std::min(shortest, out.m_bars[i].time_ms - out.m_bars[i - 1].time_ms);
    }
    if (shortest != UINT64_MAX) out.m_bar_ms = shortest;
    return out;
}

double ReplaySeries::price_at(std::uint64_t at_ms) const {
    if (at_ms <= m_bars.front().time_ms) return m_bars.front().open;
    const auto next = std::upper_bound(m_bars.begin(), m_bars.end(), at_ms,
                                       [](std::uint64_t t, const Bar& bar) { return t < bar.time_ms; });
    const Bar& bar = *(next - 1);
    const double part = static_cast<double>(at_ms - bar.time_ms) / static_cast<double>(m_bar_ms) * 3;
    const bool rises = bar.close >= bar.open;
    const std::array<double, 4> way{bar.open, rises ? bar.low : bar.high, rises ? bar.high : bar.low, bar.close};
    if (part >= 3) return bar.close;
    const auto leg = static_cast<std::size_t>(part);
    return way[leg] + (way[leg + 1] - way[leg]) * (part - static_cast<double>(leg));
}

}  // namespace hedgerow::daemon
