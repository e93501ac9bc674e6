#pragma once

#include <algorithm>

#include "channel/base/amount.h"
#include "channel/base/bytes.h"

namespace hedgerow::fuzz {

/// A fuzzer's bytes, taken as numbers of chosen ranges; zeros once they are used up.
class FuzzData {
  public:
    FuzzData(const std::uint8_t* data, std::size_t size) : m_rest(data, size) {}

    [[nodiscard]] bool empty() const { return m_rest.empty(); }
    [[nodiscard]] channel::ByteView rest() const { return m_rest; }
    std::uint8_t byte() {
        if (m_rest.empty()) return 0;
        const std::uint8_t out = m_rest.front();
        m_rest = m_rest.subspan(1);
        return out;
    }
    channel::Uint128 bytes(int count) {
        channel::Uint128 out = 0;
        for (int i = 0; i < count; ++i) out = out << 8 | byte();
        return out;
    }
    /// In [0, n).
    std::uint64_t below(std::uint64_t n) { return static_cast<std::uint64_t>(bytes(n > 256 ? 4 : 1) % n); }
    bool flag() { return (byte() & 1) != 0; }
    /// Below 2^bits, of any size: a size, then one of 0, 1, all ones, a power of two, or as many bytes as it takes.
    channel::Uint128 sized(int bits) {
        const int size = static_cast<int>(below(static_cast<std::uint64_t>(bits) + 1));
        if (size == 0) return 0;
        const channel::Uint128 top = static_cast<channel::Uint128>(1) << (size - 1);
        const channel::Uint128 all = top | (top - 1);
        switch (byte() % 4) {
            case 0: return all;
            case 1: return top;
            default: return bytes((size + 7) / 8) & all;
        }
    }
    channel::Int128 either(int bits) {
        const auto size = static_cast<channel::Int128>(sized(bits));
        return flag() ? -size : size;
    }

  private:
    channel::ByteView m_rest;
};

}  // namespace hedgerow::fuzz
