#include "channel/base/u256.h"

#include <doctest/doctest.h>

#include <random>

using namespace hedgerow::channel;

namespace {
U256 random_u256(std::mt19937_64& rng) {
    U256 out;
    const auto limbs = rng() % 5;
    for (std::size_t i = 0; i < limbs; ++i) out.limb[i] = (rng() % 4 == 0) ? ~std::uint64_t{0} : rng();
    return out;
}
}  // namespace

TEST_CASE("u256: division undoes multiplication, for random operands of every width") {
    std::mt19937_64 rng(7);
    for (int i = 0; i < 200'000; ++i) {
        const U256 a = random_u256(rng);
        const U256 b = random_u256(rng);
        U256 d = random_u256(rng);
        if (d.is_zero()) d = U256(1);
        CHECK((a / d) * d + a % d == a);
        CHECK(a % d < d);
        const auto floor = mul_div_floor(a, b, d);
        const auto ceil = mul_div_ceil(a, b, d);
        if (floor && ceil) CHECK((*ceil == *floor || *ceil == *floor + U256(1)));
        if (!b.is_zero()) CHECK(mul_div_floor(a, b, b) == a);
    }
}

namespace {

/// Digits in base 2^16, least first.
using Digits = std::array<std::uint64_t, 32>;
Digits digits_of(const U256& value) {
    Digits out{};
    for (std::size_t i = 0; i < 16; ++i) out[i] = (value.limb[i / 4] >> (16 * (i % 4))) & 0xffff;
    return out;
}
/// With carries done; nothing where it leaves 256 bits.
std::optional<U256> from_digits(Digits digits) {
    U256 out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i + 1 < digits.size()) digits[i + 1] += digits[i] >> 16;
        digits[i] &= 0xffff;
        if (i < 16) out.limb[i / 4] |= digits[i] << (16 * (i % 4));
        if (i >= 16 && digits[i] != 0) return std::nullopt;
    }
    return out;
}
std::optional<U256> sum_by_hand(const U256& a, const U256& b) {
    Digits out = digits_of(a);
    const Digits more = digits_of(b);
    for (std::size_t i = 0; i < 16; ++i) out[i] += more[i];
    return from_digits(out);
}
std::optional<U256> product_by_hand(const U256& a, const U256& b) {
    const Digits x = digits_of(a), y = digits_of(b);
    Digits out{};
    for (std::size_t i = 0; i < 16; ++i) {
        for (std::size_t j = 0; j < 16; ++j) out[i + j] += (x[i] * y[j]) & 0xffff;
        for (std::size_t j = 0; j < 16; ++j) out[i + j + 1] += (x[i] * y[j]) >> 16;
    }
    return from_digits(out);
}

}  // namespace

TEST_CASE("u256: sums, differences, products and order are those of a sum by hand") {
    std::mt19937_64 rng(11);
    for (int i = 0; i < 100'000; ++i) {
        const U256 a = random_u256(rng);
        const U256 b = random_u256(rng);
        if (const auto sum = sum_by_hand(a, b)) {
            CHECK(a + b == *sum);
            CHECK(*sum - b == a);
            CHECK(*sum >= a);
        }
        if (const auto product = product_by_hand(a, b)) CHECK(a * b == *product);
        const auto by_bytes = a.to_be() <=> b.to_be();
        CHECK((a <=> b) == by_bytes);
        CHECK((a == b) == (by_bytes == 0));
    }
}

TEST_CASE("u256: rounding up is floor plus one where something is left, at every width") {
    std::mt19937_64 rng(12);
    for (int i = 0; i < 100'000; ++i) {
        const U256 a = random_u256(rng), b = random_u256(rng);
        U256 d = random_u256(rng);
        if (d.is_zero()) d = U256(3);
        const auto product = product_by_hand(a, b);
        if (!product) continue;
        CHECK(*mul_div_floor(a, b, d) == *product / d);
        const U256 more = (*product % d).is_zero() ? U256() : U256(1);
        CHECK(*mul_div_ceil(a, b, d) == *product / d + more);
    }
    const U256 most(~Uint128{0}, ~Uint128{0});
    CHECK_FALSE(mul_div_floor(most, U256(2), U256(1)).has_value());
    CHECK(mul_div_ceil(most, most, most) == most);
}

TEST_CASE("u256: decimal text and bytes round trip") {
    std::mt19937_64 rng(8);
    for (int i = 0; i < 1000; ++i) {
        const U256 a = random_u256(rng);
        CHECK(u256_from_decimal(to_decimal(a)) == a);
        CHECK(U256::from_be(a.to_be()) == a);
    }
    const std::string max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    CHECK(to_decimal(*u256_from_decimal(max)) == max);
    CHECK_FALSE(u256_from_decimal("115792089237316195423570985008687907853269984665640564039457584007913129639936"));
    CHECK_FALSE(u256_from_decimal(""));
    CHECK_FALSE(u256_from_decimal("-1"));
}

TEST_CASE("i256: two's complement and signed arithmetic agree with 128-bit integers") {
    std::mt19937_64 rng(9);
    for (int i = 0; i < 10'000; ++i) {
        const auto a = static_cast<Int128>(static_cast<std::int64_t>(rng())) * 3;
        const auto b = static_cast<Int128>(static_cast<std::int64_t>(rng()));
        CHECK((I256(a) + I256(b)) == I256(a + b));
        CHECK((I256(a) - I256(b)) == I256(a - b));
        CHECK((I256(a) < I256(b)) == (a < b));
        CHECK(I256::from_be(I256(a).to_be()) == I256(a));
        CHECK((I256(b / 4) * I256(7)) == I256(b / 4 * 7));
    }
    CHECK(to_decimal(mul_div_toward_zero(I256(-7), U256(1), U256(2))) == "-3");
}
