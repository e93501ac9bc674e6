#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "channel/base/assert.h"

namespace hedgerow::sim {

/// The one source of chance in a world: xoshiro256** seeded by splitmix64 (Blackman and Vigna). The same seed gives the
/// same numbers on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) {
        for (std::uint64_t& word : m_state) word = splitmix(seed);
    }
    /// A stream of its own for a part of the world, so that what one part draws does not shift what others get.
    [[nodiscard]] Random fork(std::string_view name) {
        std::uint64_t seed = next();
        for (const char c : name) seed = (seed ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
        return Random(seed);
    }

    [[nodiscard]] std::uint64_t next() {
        const std::uint64_t out = rotate(m_state[1] * 5, 7) * 9;
        const std::uint64_t shifted = m_state[1] << 17;
        m_state[2] ^= m_state[0];
        m_state[3] ^= m_state[1];
        m_state[1] ^= m_state[2];
        m_state[0] ^= m_state[3];
        m_state[2] ^= shifted;
        m_state[3] = rotate(m_state[3], 45);
        return out;
    }
    /// In [0, bound), bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
        ASSERT(bound > 0);
        return next() % bound;
    }
    /// In [low, high].
    [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    [[nodiscard]] bool chance(std::uint64_t per_mille) { return below(1'000) < per_mille; }
    template <typename T>
    [[nodiscard]] T& pick(std::vector<T>& items) {
        return items[below(items.size())];
    }
    template <typename T>
    [[nodiscard]] const T& pick(const std::vector<T>& items) {
        return items[below(items.size())];
    }
    void fill(void* out, std::size_t size) {
        auto* bytes = static_cast<std::uint8_t*>(out);
        for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(next() >> 32);
    }

  private:
    static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    static std::uint64_t splitmix(std::uint64_t& x) {
        x += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = x;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::uint64_t m_state[4]{};
};

}  // namespace hedgerow::sim
