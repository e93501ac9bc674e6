#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "channel/base/assert.h"
#include "channel/base/expected.h"
#include "channel/base/rule.h"

namespace hedgerow::channel {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

/// A signed 128-bit number of one unit (token units, USD 1e-8, underlying 1e-8), with checked arithmetic: leaving the
/// 128 bits is a bug and asserts; staying within the protocol's limits (spec 1.6) is checked by name where ops enter.
template <typename Tag>
class Fixed {
  public:
    constexpr Fixed() = default;
    [[nodiscard]] static constexpr Fixed from_raw(Int128 raw) { return Fixed(raw); }
    /// The number itself; a marked name so that every place which leaves the type can be found.
    [[nodiscard]] constexpr Int128 raw() const { return m_raw; }

    constexpr auto operator<=>(const Fixed&) const = default;
    constexpr Fixed operator-() const { return Fixed(0) - *this; }
    constexpr Fixed operator+(Fixed o) const {
        Int128 out = 0;
        ASSERT(!__builtin_add_overflow(m_raw, o.m_raw, &out));
        return Fixed(out);
    }
    constexpr Fixed operator-(Fixed o) const {
        Int128 out = 0;
        ASSERT(!__builtin_sub_overflow(m_raw, o.m_raw, &out));
        return Fixed(out);
    }
    constexpr Fixed& operator+=(Fixed o) { return *this = *this + o; }
    constexpr Fixed& operator-=(Fixed o) { return *this = *this - o; }
    [[nodiscard]] constexpr Fixed abs() const { return m_raw < 0 ? -*this : *this; }
    [[nodiscard]] constexpr int sign() const { return m_raw < 0 ? -1 : (m_raw > 0 ? 1 : 0); }
    [[nodiscard]] constexpr bool is_zero() const { return m_raw == 0; }
    /// |value| < 2^bits
    [[nodiscard]] constexpr bool within_bits(int bits) const {
        const Int128 limit = static_cast<Int128>(1) << bits;
        return m_raw > -limit && m_raw < limit;
    }

  private:
    constexpr explicit Fixed(Int128 raw) : m_raw(raw) {}
    Int128 m_raw = 0;
};

using Amount = Fixed<struct AmountTag>;      ///< token units, the token's smallest
using Price = Fixed<struct PriceTag>;        ///< USD 1e-8 for one unit of the underlying
using Quantity = Fixed<struct QuantityTag>;  ///< underlying 1e-8
using Usd16 = Fixed<struct Usd16Tag>;        ///< USD 1e-16, the product quantity x price

inline constexpr int kPriceDecimals = 8;
inline constexpr int kNetBits = 120;
inline constexpr int kMarketBits = 96;  ///< quantities, prices, marks, strikes, lock amounts

/// 10^n, n from 0 to 38.
[[nodiscard]] Uint128 pow10(int n);

/// Decimal text such as "-12.5" with at most `decimals` fraction digits, exactly. Refuses exponents, spaces, "+", empty parts,
/// more digits than the unit has (amount_too_precise) and what leaves 127 bits (amount_out_of_range); anything else is amount_malformed.
[[nodiscard]] Expected<Int128, Rule> parse_decimal(std::string_view text, int decimals);
/// Shortest exact decimal text ("12.5", "-0.000001", "0").
[[nodiscard]] std::string format_decimal(Int128 value, int decimals);

}  // namespace hedgerow::channel
