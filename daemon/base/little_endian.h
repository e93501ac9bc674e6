#pragma once

#include <cstddef>
#include <cstdint>

namespace hedgerow::daemon {

/// Unsigned integers as sizeof(T) bytes, the least significant first.
template <typename T>
void put_le(std::uint8_t* at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
template <typename T>
T get_le(const std::uint8_t* at) {
    T out = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) out |= static_cast<T>(T{at[i]} << (8 * i));
    return out;
}

}  // namespace hedgerow::daemon
