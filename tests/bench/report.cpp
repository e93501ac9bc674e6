#include "tests/bench/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace hedgerow::bench {

namespace {

std::string number(double value) {
    if (value > 0 && value < 0.01) return fmt::format("{:.2e}", value);
    if (value >= 1'000) return fmt::format("{:.0f}", value);
    return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.3f}", value);
}

}  // namespace

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void print(const Figure& f) {
    const auto [least, most] = std::minmax_element(f.values.begin(), f.values.end());
    fmt::print("{:<24} {:>10} {:<10} ({} to {}, {} runs)", f.name, number(median(f.values)), f.unit, number(*least),
               number(*most), f.values.size());
    if (!f.p50_ms.empty())
        fmt::print("  p50 {} p99 {} p99.9 {} ms", number(median(f.p50_ms)), number(median(f.p99_ms)),
                   number(median(f.p999_ms)));
    if (f.limit > 0) fmt::print("  bare probe {} ({:.2f} x)", number(f.limit), median(f.values) / f.limit);
    fmt::print("\n{:<24} goal {}\n", "", f.goal);
    for (const auto& [name, values] : f.more) fmt::print("{:<24} {} {}\n", "", name, number(median(values)));
    std::fflush(stdout);
}

nlohmann::json to_json(const std::vector<Figure>& figures) {
    nlohmann::json out = nlohmann::json::object();
    for (const Figure& f : figures) {
        const auto [least, most] = std::minmax_element(f.values.begin(), f.values.end());
        nlohmann::json one{{"median", median(f.values)}, {"min", *least}, {"max", *most}, {"unit", f.unit},
                           {"runs", f.values.size()},    {"goal", f.goal}};
        one["p50_ms"] = f.p50_ms.empty() ? nlohmann::json() : nlohmann::json(median(f.p50_ms));
        one["p99_ms"] = f.p99_ms.empty() ? nlohmann::json() : nlohmann::json(median(f.p99_ms));
        one["p999_ms"] = f.p999_ms.empty() ? nlohmann::json() : nlohmann::json(median(f.p999_ms));
        one["limit"] = f.limit > 0 ? nlohmann::json(f.limit) : nlohmann::json();
        if (f.limit > 0) one["of_limit"] = median(f.values) / f.limit;
        for (const auto& [name, values] : f.more) one["more"][name] = median(values);
        out[f.name] = std::move(one);
    }
    return out;
}

}  // namespace hedgerow::bench
