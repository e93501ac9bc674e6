#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace hedgerow::daemon {

/// One step of SplitMix64 (Steele, Lea, Flood 2014), also used as a hash of 64 bits.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15ULL;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}
[[nodiscard]] constexpr std::uint64_t hash64(std::uint64_t seed, std::string_view text) {
    std::uint64_t out = mix64(seed);
    for (const char c : text) out = mix64(out ^ static_cast<std::uint8_t>(c));
    return out;
}
/// In [0, 1), 53 bits.
[[nodiscard]] constexpr double unit_interval(std::uint64_t bits) {
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

/// A stream of numbers that is the same wherever the seed and name are: unlike the standard library's distributions,
/// which differ between implementations. For prices of tests and demonstrations, never for keys.
class SeededRandom {
  public:
    SeededRandom(std::uint64_t seed, std::string_view name) : m_state(hash64(seed, name)) {}

    [[nodiscard]] double uniform() { return unit_interval(mix64(m_state += 0x9e3779b97f4a7c15ULL)); }
    /// Standard normal, by Box and Muller (1958).
    [[nodiscard]] double normal() {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        return radius * std::cos(2.0 * std::numbers::pi * uniform());
    }

  private:
    std::uint64_t m_state;
};

}  // namespace hedgerow::daemon
