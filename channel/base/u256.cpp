#include "channel/base/u256.h"

#include <algorithm>
#include <bit>

namespace hedgerow::channel {

namespace {

using Wide = std::array<std::uint64_t, 8>;

Wide widen(const U256& a) { return {a.limb[0], a.limb[1], a.limb[2], a.limb[3], 0, 0, 0, 0}; }

Wide multiply(const U256& a, const U256& b) {
    Wide out{};
    for (std::size_t i = 0; i < 4; ++i) {
        if (a.limb[i] == 0) continue;
        std::uint64_t carry = 0;
        for (std::size_t j = 0; j < 4; ++j) {
            const Uint128 t = static_cast<Uint128>(a.limb[i]) * b.limb[j] + out[i + j] + carry;
            out[i + j] = static_cast<std::uint64_t>(t);
            carry = static_cast<std::uint64_t>(t >> 64);
        }
        out[i + 4] = carry;
    }
    return out;
}

std::size_t significant_limbs(std::span<const std::uint64_t> limbs) {
    std::size_t n = limbs.size();
    while (n > 0 && limbs[n - 1] == 0) --n;
    return n;
}

/// out = in << shift (shift < 64), one limb longer.
template <std::size_t N>
std::array<std::uint64_t, N + 1> shifted(const std::array<std::uint64_t, N>& in, int shift) {
    std::array<std::uint64_t, N + 1> out{};
    for (std::size_t i = 0; i < N; ++i) {
        out[i] |= in[i] << shift;
        if (shift != 0) out[i + 1] = in[i] >> (64 - shift);
    }
    return out;
}

struct WideDivision {
    Wide quotient{};
    U256 remainder;
};

struct LimbDivision {
    std::uint64_t quotient = 0;
    std::uint64_t remainder = 0;
};

/// (high, low) / divisor, where high < divisor, so that the quotient is one limb.
LimbDivision divide_two_limbs(std::uint64_t high, std::uint64_t low, std::uint64_t divisor) {
    LimbDivision out;
    if (high == 0) return {low / divisor, low % divisor};
#if defined(__x86_64__)
    // The compiler does not know that the quotient fits, and would call a routine of the runtime library.
    __asm__("divq %4" : "=a"(out.quotient), "=d"(out.remainder) : "a"(low), "d"(high), "r"(divisor) : "cc");
#else
    const Uint128 whole = (static_cast<Uint128>(high) << 64) | low;
    out = {static_cast<std::uint64_t>(whole / divisor), static_cast<std::uint64_t>(whole % divisor)};
#endif
    return out;
}

WideDivision divide_by_limb(const Wide& numerator, std::uint64_t divisor) {
    WideDivision out;
    std::uint64_t rest = 0;
    for (std::size_t i = significant_limbs(numerator); i-- > 0;) {
        const LimbDivision part = divide_two_limbs(rest, numerator[i], divisor);
        out.quotient[i] = part.quotient;
        rest = part.remainder;
    }
    out.remainder = U256(rest);
    return out;
}

/// Knuth, The Art of Computer Programming, vol. 2, 4.3.1, algorithm D, in base 2^64.
WideDivision divide(const Wide& numerator, const U256& divisor) {
    const std::size_t n = significant_limbs(divisor.limb);
    ASSERT(n > 0);
    if (n == 1) return divide_by_limb(numerator, divisor.limb[0]);
    const int shift = std::countl_zero(divisor.limb[n - 1]);
    const auto v = shifted(divisor.limb, shift);
    auto u = shifted(numerator, shift);
    WideDivision out;
    const std::size_t used = significant_limbs(u);
    if (used < n) {
        out.remainder = {};
        std::copy_n(numerator.begin(), 4, out.remainder.limb.begin());
        return out;
    }
    for (std::size_t j = std::min(9 - n, used - n + 1); j-- > 0;) {
        Uint128 guess = 0;
        Uint128 rest = 0;
        if (u[j + n] < v[n - 1]) {
            const LimbDivision first = divide_two_limbs(u[j + n], u[j + n - 1], v[n - 1]);
            guess = first.quotient;
            rest = first.remainder;
        } else {
            const Uint128 top = (static_cast<Uint128>(u[j + n]) << 64) | u[j + n - 1];
            guess = top / v[n - 1];
            rest = top % v[n - 1];
        }
        while ((guess >> 64) != 0 || static_cast<Uint128>(static_cast<std::uint64_t>(guess)) * v[n - 2] > ((rest << 64) | u[j + n - 2])) {
            --guess;
            rest += v[n - 1];
            if ((rest >> 64) != 0) break;
        }
        std::uint64_t borrow = 0;
        std::uint64_t carry = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const Uint128 product = guess * v[i] + carry;
            carry = static_cast<std::uint64_t>(product >> 64);
            const Uint128 difference = static_cast<Uint128>(u[i + j]) - static_cast<std::uint64_t>(product) - borrow;
            u[i + j] = static_cast<std::uint64_t>(difference);
            borrow = static_cast<std::uint64_t>(difference >> 64) & 1;
        }
        const Uint128 difference = static_cast<Uint128>(u[j + n]) - carry - borrow;
        u[j + n] = static_cast<std::uint64_t>(difference);
        if ((static_cast<std::uint64_t>(difference >> 64) & 1) != 0) {
            --guess;
            std::uint64_t back = 0;
            for (std::size_t i = 0; i < n; ++i) {
                const Uint128 sum = static_cast<Uint128>(u[i + j]) + v[i] + back;
                u[i + j] = static_cast<std::uint64_t>(sum);
                back = static_cast<std::uint64_t>(sum >> 64);
            }
            u[j + n] += back;
        }
        out.quotient[j] = static_cast<std::uint64_t>(guess);
    }
    for (std::size_t i = 0; i < n; ++i) {
        out.remainder.limb[i] = u[i] >> shift;
        if (shift != 0 && i + 1 < u.size()) out.remainder.limb[i] |= u[i + 1] << (64 - shift);
    }
    return out;
}

struct Division {
    U256 quotient;
    U256 remainder;
};

/// The same of 256 bits, by the shortest way: nearly all numbers here have one limb or two.
Division divide(const U256& numerator, const U256& divisor) {
    if (divisor.high() == 0 && divisor.limb[1] == 0) {
        const std::uint64_t by = divisor.limb[0];
        ASSERT(by != 0);
        Division out;
        std::uint64_t rest = 0;
        for (std::size_t i = 4; i-- > 0;) {
            if (rest == 0 && numerator.limb[i] == 0) continue;
            const LimbDivision part = divide_two_limbs(rest, numerator.limb[i], by);
            out.quotient.limb[i] = part.quotient;
            rest = part.remainder;
        }
        out.remainder.limb[0] = rest;
        return out;
    }
    if ((numerator.high() | divisor.high()) == 0) return {numerator.low() / divisor.low(), numerator.low() % divisor.low()};
    const WideDivision wide = divide(widen(numerator), divisor);
    return {{(static_cast<Uint128>(wide.quotient[1]) << 64) | wide.quotient[0], (static_cast<Uint128>(wide.quotient[3]) << 64) | wide.quotient[2]},
            wide.remainder};
}

std::optional<U256> narrow(const Wide& wide) {
    if (significant_limbs(wide) > 4) return std::nullopt;
    U256 out;
    std::copy_n(wide.begin(), 4, out.limb.begin());
    return out;
}

U256 narrow_or_assert(const Wide& wide) {
    const auto out = narrow(wide);
    ASSERT(out.has_value());
    return *out;
}

}  // namespace

int U256::bits() const {
    const std::size_t n = significant_limbs(limb);
    return n == 0 ? 0 : static_cast<int>(64 * n) - std::countl_zero(limb[n - 1]);
}

std::optional<Int128> U256::to_i128() const {
    const auto value = to_u128();
    if (!value || (*value >> 127) != 0) return std::nullopt;
    return static_cast<Int128>(*value);
}

std::array<std::uint8_t, 32> U256::to_be() const {
    std::array<std::uint8_t, 32> out{};
    for (std::size_t i = 0; i < 32; ++i) out[31 - i] = static_cast<std::uint8_t>(limb[i / 8] >> (8 * (i % 8)));
    return out;
}

U256 U256::from_be(std::span<const std::uint8_t, 32> bytes) {
    U256 out;
    for (std::size_t i = 0; i < 32; ++i) out.limb[i / 8] |= static_cast<std::uint64_t>(bytes[31 - i]) << (8 * (i % 8));
    return out;
}

U256 multiply_256(const U256& a, const U256& b) { return narrow_or_assert(multiply(a, b)); }
U256 operator/(const U256& a, const U256& b) { return divide(a, b).quotient; }
U256 operator%(const U256& a, const U256& b) { return divide(a, b).remainder; }

std::optional<U256> mul_div_floor(const U256& a, const U256& b, const U256& d) {
    if ((a.high() | b.high()) == 0) return divide(multiply_128(a.low(), b.low()), d).quotient;
    return narrow(divide(multiply(a, b), d).quotient);
}

std::optional<U256> mul_div_ceil(const U256& a, const U256& b, const U256& d) {
    if ((a.high() | b.high()) == 0) {
        const Division division = divide(multiply_128(a.low(), b.low()), d);
        // A product of two 128-bit numbers is below 2^256 - 1.
        return division.remainder.is_zero() ? division.quotient : division.quotient + U256(1);
    }
    const WideDivision division = divide(multiply(a, b), d);
    const auto quotient = narrow(division.quotient);
    if (!quotient || division.remainder.is_zero()) return quotient;
    constexpr U256 kMax(~Uint128{0}, ~Uint128{0});
    return *quotient == kMax ? std::nullopt : std::optional(*quotient + U256(1));
}

std::string to_decimal(const U256& value) {
    std::string digits;
    U256 rest = value;
    while (!rest.is_zero()) {
        const WideDivision division = divide_by_limb(widen(rest), 10);
        digits += static_cast<char>('0' + static_cast<int>(division.remainder.limb[0]));
        rest = narrow_or_assert(division.quotient);
    }
    if (digits.empty()) digits.push_back('0');
    std::reverse(digits.begin(), digits.end());
    return digits;
}

std::optional<U256> u256_from_decimal(std::string_view text) {
    if (text.empty() || text.size() > 78) return std::nullopt;
    U256 out;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const auto scaled = narrow(multiply(out, U256(10)));
        if (!scaled) return std::nullopt;
        const U256 digit(static_cast<Uint128>(c - '0'));
        const U256 room = U256::from_be(I256(true, U256(1)).to_be()) - *scaled;  // 2^256 - 1 less what is there
        if (room < digit) return std::nullopt;
        out = *scaled + digit;
    }
    return out;
}

std::optional<Int128> I256::to_i128() const {
    const auto value = magnitude.to_i128();
    if (!value) return std::nullopt;
    return negative ? -*value : *value;
}

std::array<std::uint8_t, 32> I256::to_be() const {
    auto out = magnitude.to_be();
    if (!negative) return out;
    unsigned carry = 1;
    for (std::size_t i = 32; i-- > 0;) {
        carry += static_cast<std::uint8_t>(~out[i]);
        out[i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    return out;
}

I256 I256::from_be(std::span<const std::uint8_t, 32> bytes) {
    if ((bytes[0] & 0x80) == 0) return {false, U256::from_be(bytes)};
    std::array<std::uint8_t, 32> negated{};
    unsigned carry = 1;
    for (std::size_t i = 32; i-- > 0;) {
        carry += static_cast<std::uint8_t>(~bytes[i]);
        negated[i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    return {true, U256::from_be(negated)};
}

I256 mul_div_toward_zero(const I256& a, const U256& b, const U256& d) {
    const auto quotient = mul_div_floor(a.magnitude, b, d);
    ASSERT(quotient.has_value());
    return {a.negative, *quotient};
}

std::string to_decimal(const I256& value) {
    std::string out(value.negative ? "-" : "");
    return out.append(to_decimal(value.magnitude));
}

}  // namespace hedgerow::channel
