#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "channel/base/amount.h"
#include "channel/base/bytes.h"

namespace hedgerow::channel {

/// Unsigned 256-bit integer for products of 128-bit numbers (settlement, margin, EVM words). Little-endian 64-bit limbs.
/// Arithmetic that would leave 256 bits asserts; callers bound their operands (spec 3.7) or use mul_div_*.
struct U256 {
    std::array<std::uint64_t, 4> limb{};

    constexpr U256() = default;
    constexpr U256(Uint128 value) : limb{static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64), 0, 0} {}
    constexpr U256(Uint128 low_half, Uint128 high_half)
        : limb{static_cast<std::uint64_t>(low_half), static_cast<std::uint64_t>(low_half >> 64), static_cast<std::uint64_t>(high_half),
               static_cast<std::uint64_t>(high_half >> 64)} {}
    /// The two halves.
    [[nodiscard]] constexpr Uint128 low() const { return (static_cast<Uint128>(limb[1]) << 64) | limb[0]; }
    [[nodiscard]] constexpr Uint128 high() const { return (static_cast<Uint128>(limb[3]) << 64) | limb[2]; }

    constexpr bool operator==(const U256&) const = default;
    constexpr std::strong_ordering operator<=>(const U256& other) const {
        return high() != other.high() ? high() <=> other.high() : low() <=> other.low();
    }
    [[nodiscard]] constexpr bool is_zero() const { return (limb[0] | limb[1] | limb[2] | limb[3]) == 0; }
    /// Number of significant bits, 0 for zero.
    [[nodiscard]] int bits() const;
    /// The value where it fits 128 (127 for the signed one) bits.
    [[nodiscard]] constexpr std::optional<Uint128> to_u128() const { return high() == 0 ? std::optional(low()) : std::nullopt; }
    [[nodiscard]] std::optional<Int128> to_i128() const;
    /// 32 bytes, big-endian.
    [[nodiscard]] std::array<std::uint8_t, 32> to_be() const;
    [[nodiscard]] static U256 from_be(std::span<const std::uint8_t, 32> bytes);
};

[[nodiscard]] constexpr U256 operator+(const U256& a, const U256& b) {
    const Uint128 low = a.low() + b.low();
    Uint128 high = 0;
    ASSERT(!__builtin_add_overflow(a.high(), b.high(), &high) && !__builtin_add_overflow(high, Uint128{low < a.low()}, &high));
    return {low, high};
}
/// Asserts a >= b.
[[nodiscard]] constexpr U256 operator-(const U256& a, const U256& b) {
    ASSERT(a >= b);
    return {a.low() - b.low(), a.high() - b.high() - Uint128{a.low() < b.low()}};
}
/// The whole product of two 128-bit numbers.
[[nodiscard]] constexpr U256 multiply_128(Uint128 a, Uint128 b) {
    const auto a0 = static_cast<std::uint64_t>(a), a1 = static_cast<std::uint64_t>(a >> 64);
    const auto b0 = static_cast<std::uint64_t>(b), b1 = static_cast<std::uint64_t>(b >> 64);
    const Uint128 bottom = static_cast<Uint128>(a0) * b0;
    // (2^64 - 1)^2 + 2^64 - 1 < 2^128: neither sum overflows.
    const Uint128 first = static_cast<Uint128>(a0) * b1 + static_cast<std::uint64_t>(bottom >> 64);
    const Uint128 second = static_cast<Uint128>(a1) * b0 + static_cast<std::uint64_t>(first);
    return {(second << 64) | static_cast<std::uint64_t>(bottom), static_cast<Uint128>(a1) * b1 + (first >> 64) + (second >> 64)};
}
[[nodiscard]] U256 multiply_256(const U256& a, const U256& b);
[[nodiscard]] constexpr U256 operator*(const U256& a, const U256& b) {
    return (a.high() | b.high()) == 0 ? multiply_128(a.low(), b.low()) : multiply_256(a, b);
}
[[nodiscard]] U256 operator/(const U256& a, const U256& b);  ///< asserts b != 0
[[nodiscard]] U256 operator%(const U256& a, const U256& b);

/// floor / ceil of a * b / d with a 512-bit product; nothing where the quotient needs more than 256 bits. d != 0.
[[nodiscard]] std::optional<U256> mul_div_floor(const U256& a, const U256& b, const U256& d);
[[nodiscard]] std::optional<U256> mul_div_ceil(const U256& a, const U256& b, const U256& d);

[[nodiscard]] std::string to_decimal(const U256& value);
/// Decimal digits only, at most 2^256 - 1.
[[nodiscard]] std::optional<U256> u256_from_decimal(std::string_view text);

/// Sign and magnitude; zero is never negative.
struct I256 {
    bool negative = false;
    U256 magnitude;

    constexpr I256() = default;
    constexpr I256(Int128 value) : negative(value < 0), magnitude(value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value)) {}
    constexpr I256(bool is_negative, const U256& size) : negative(is_negative && !size.is_zero()), magnitude(size) {}
    constexpr bool operator==(const I256&) const = default;
    constexpr std::strong_ordering operator<=>(const I256& other) const {
        if (negative != other.negative) return negative ? std::strong_ordering::less : std::strong_ordering::greater;
        return negative ? other.magnitude <=> magnitude : magnitude <=> other.magnitude;
    }
    [[nodiscard]] int sign() const { return magnitude.is_zero() ? 0 : (negative ? -1 : 1); }
    [[nodiscard]] std::optional<Int128> to_i128() const;
    /// Two's complement, 32 bytes big-endian, as the EVM has it.
    [[nodiscard]] std::array<std::uint8_t, 32> to_be() const;
    [[nodiscard]] static I256 from_be(std::span<const std::uint8_t, 32> bytes);
};

[[nodiscard]] constexpr I256 operator-(const I256& a) { return {!a.negative, a.magnitude}; }
[[nodiscard]] constexpr I256 operator+(const I256& a, const I256& b) {
    if (a.negative == b.negative) return {a.negative, a.magnitude + b.magnitude};
    if (a.magnitude >= b.magnitude) return {a.negative, a.magnitude - b.magnitude};
    return {b.negative, b.magnitude - a.magnitude};
}
[[nodiscard]] constexpr I256 operator-(const I256& a, const I256& b) { return a + -b; }
[[nodiscard]] constexpr I256 operator*(const I256& a, const I256& b) { return {a.negative != b.negative, a.magnitude * b.magnitude}; }
/// floor(|a| * b / d) with a's sign (rounding toward zero); asserts that it fits 256 bits.
[[nodiscard]] I256 mul_div_toward_zero(const I256& a, const U256& b, const U256& d);
[[nodiscard]] std::string to_decimal(const I256& value);

}  // namespace hedgerow::channel
