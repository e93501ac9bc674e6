#pragma once

#include <cstdint>
#include <random>

#include "channel/base/amount.h"

namespace hedgerow::tests {

/// One case's numbers: a seed gives the same ones on every machine.
class Random {
  public:
    /// Case `index` of a run with `seed`; cases do not depend on one another, so one can be run alone.
    Random(std::uint64_t seed, std::uint64_t index) : m_engine(seed * 0x9e3779b97f4a7c15ULL + index) {}

    std::uint64_t below(std::uint64_t n) { return m_engine() % n; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    std::uint64_t word() { return m_engine(); }

    /// In [0, 2^bits), of any size: the number of bits is drawn first; one in eight is 2^bits - 1 or the next below.
    channel::Int128 sized(int bits) {
        const auto limit = static_cast<channel::Uint128>(1) << bits;
        if (one_in(8)) return static_cast<channel::Int128>(limit - 1 - below(2));
        const auto all = static_cast<channel::Uint128>(m_engine()) << 64 | m_engine();
        const auto size = static_cast<int>(below(static_cast<std::uint64_t>(bits) + 1));
        return size == 0 ? 0 : static_cast<channel::Int128>(all >> (128 - size));
    }
    /// In (-2^bits, 2^bits).
    channel::Int128 either(int bits) {
        const channel::Int128 size = sized(bits);
        return one_in(2) ? size : -size;
    }

  private:
    std::mt19937_64 m_engine;
};

}  // namespace hedgerow::tests
