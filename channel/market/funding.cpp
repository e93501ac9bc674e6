#include "channel/market/funding.h"

#include <algorithm>

namespace hedgerow::channel {

namespace {
constexpr std::int64_t kBpsE12 = 100'000'000;  // one basis point times 1e12
constexpr Uint128 kE12 = 1'000'000'000'000;
constexpr Uint128 kPriceUnit = 100'000'000;
}  // namespace

std::int64_t funding_rate_e12(Price mark, Price index, std::uint16_t deadband_bps, std::uint16_t cap_bps) {
    ASSERT(mark.raw() > 0 && index.raw() > 0);
    const I256 premium =
        mul_div_toward_zero(I256((mark - index).raw()), U256(kE12), U256(static_cast<Uint128>(index.raw())));
    const I256 deadband(Int128{deadband_bps} * kBpsE12);
    const I256 cap(Int128{cap_bps} * kBpsE12);
    const I256 damped = std::max(deadband, premium) + std::min(-deadband, premium);
    const auto rate = std::clamp(damped, -cap, cap).to_i128();
    ASSERT(rate.has_value());
    return static_cast<std::int64_t>(*rate);
}

std::optional<Usd16> funding_per_unit_16(Price index, std::int64_t rate_e12, std::uint64_t elapsed_ms) {
    ASSERT(index.raw() > 0);
    const I256 over_time = I256(rate_e12) * I256(false, U256(elapsed_ms));
    const U256 index16 = U256(static_cast<Uint128>(index.raw())) * U256(kPriceUnit);
    // |rate| < 2^63, elapsed < 2^64, index16 < 2^123: the product stays below 2^250.
    const auto owed = mul_div_toward_zero(over_time, index16, U256(kE12 * kFundingPeriodMs)).to_i128();
    return owed ? std::optional(Usd16::from_raw(*owed)) : std::nullopt;
}

I256 funding_owed_16(Quantity quantity, Usd16 per_unit) {
    return mul_div_toward_zero(I256(quantity.raw()) * I256(per_unit.raw()), U256(1), U256(kPriceUnit));
}

}  // namespace hedgerow::channel
