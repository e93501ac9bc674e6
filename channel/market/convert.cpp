#include "channel/market/convert.h"

namespace hedgerow::channel {

namespace {

U256 magnitude_of(Price price) {
    ASSERT(price.raw() >= 0);
    return {static_cast<Uint128>(price.raw())};
}

/// One unit of a token is worth price * 10^8 / 10^decimals, USD 1e-16: price * num / den with one of them 1, which
/// spares a division where decimals <= 8.
struct UnitScale {
    U256 num{1};
    U256 den{1};
};

UnitScale scale_of(int decimals) {
    ASSERT(decimals >= 0 && decimals <= 18);
    return decimals <= kPriceDecimals ? UnitScale{pow10(kPriceDecimals - decimals), U256(1)} : UnitScale{U256(1), pow10(decimals - kPriceDecimals)};
}

}  // namespace

I256 pnl16(Quantity quantity, Price value, Price mark) {
    return I256(quantity.raw()) * I256((value - mark).raw());
}

I256 usd16_to_units_toward_zero(const I256& usd16, Price asset_price, int decimals) {
    ASSERT(asset_price.raw() > 0);
    const UnitScale scale = scale_of(decimals);
    return mul_div_toward_zero(usd16, scale.den, magnitude_of(asset_price) * scale.num);
}

I256 units_to_usd16_toward_zero(const I256& units, Price asset_price, int decimals) {
    const UnitScale scale = scale_of(decimals);
    const U256 price = magnitude_of(asset_price) * scale.num;
    if (decimals <= kPriceDecimals) return {units.negative, units.magnitude * price};
    return mul_div_toward_zero(units, price, scale.den);
}

I256 units_to_usd16_floor(Amount units, Price asset_price, int decimals) {
    const I256 amount(units.raw());
    if (!amount.negative || decimals <= kPriceDecimals) return units_to_usd16_toward_zero(amount, asset_price, decimals);
    const auto worth = mul_div_ceil(amount.magnitude, magnitude_of(asset_price), scale_of(decimals).den);
    ASSERT(worth.has_value());
    return {amount.negative, *worth};
}

}  // namespace hedgerow::channel
