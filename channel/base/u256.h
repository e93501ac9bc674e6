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

    constexpr bool operator==(const U256&) const = default;
    std::strong_ordering operator<=>(const U256& other) const;
    [[nodiscard]] bool is_zero() const { return *this == U256(); }
    /// Number of significant bits, 0 for zero.
    [[nodiscard]] int bits() const;
    /// The value where it fits 128 (127 for the signed one) bits.
    [[nodiscard]] std::optional<Uint128> to_u128() const;
    [[nodiscard]] std::optional<Int128> to_i128() const;
    /// 32 bytes, big-endian.
    [[nodiscard]] std::array<std::uint8_t, 32> to_be() const;
    [[nodiscard]] static U256 from_be(std::span<const std::uint8_t, 32> bytes);
};

[[nodiscard]] U256 operator+(const U256& a, const U256& b);
[[nodiscard]] U256 operator-(const U256& a, const U256& b);  ///< asserts a >= b
[[nodiscard]] U256 operator*(const U256& a, const U256& b);
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
    I256(Int128 value) : negative(value < 0), magnitude(value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value)) {}
    I256(bool is_negative, const U256& size) : negative(is_negative && !size.is_zero()), magnitude(size) {}
    bool operator==(const I256&) const = default;
    std::strong_ordering operator<=>(const I256& other) const;
    [[nodiscard]] int sign() const { return magnitude.is_zero() ? 0 : (negative ? -1 : 1); }
    [[nodiscard]] std::optional<Int128> to_i128() const;
    /// Two's complement, 32 bytes big-endian, as the EVM has it.
    [[nodiscard]] std::array<std::uint8_t, 32> to_be() const;
    [[nodiscard]] static I256 from_be(std::span<const std::uint8_t, 32> bytes);
};

[[nodiscard]] I256 operator-(const I256& a);
[[nodiscard]] I256 operator+(const I256& a, const I256& b);
[[nodiscard]] I256 operator-(const I256& a, const I256& b);
[[nodiscard]] I256 operator*(const I256& a, const I256& b);
/// floor(|a| * b / d) with a's sign (rounding toward zero); asserts that it fits 256 bits.
[[nodiscard]] I256 mul_div_toward_zero(const I256& a, const U256& b, const U256& d);
[[nodiscard]] std::string to_decimal(const I256& value);

}  // namespace hedgerow::channel
