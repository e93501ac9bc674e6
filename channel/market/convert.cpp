#include "channel/market/convert.h"

namespace hedgerow::channel {

namespace {
/// 10^8: what turns USD 1e-8 into USD 1e-16.
U256 price_unit() {
    return {pow10(kPriceDecimals)};
}

U256 magnitude_of(Price price) {
    ASSERT(price.raw() >= 0);
    return {static_cast<Uint128>(price.raw())};
}
}  // namespace

I256 pnl16(Quantity quantity, Price value, Price mark) {
    return I256(quantity.raw()) * I256((value - mark).raw());
}

I256 usd16_to_units_toward_zero(const I256& usd16, Price asset_price, int decimals) {
    ASSERT(decimals >= 0 && decimals <= 18);
    ASSERT(asset_price.raw() > 0);
    return mul_div_toward_zero(usd16, U256(pow10(decimals)), magnitude_of(asset_price) * price_unit());
}

I256 units_to_usd16_floor(Amount units, Price asset_price, int decimals) {
    ASSERT(decimals >= 0 && decimals <= 18);
    const I256 amount(units.raw());
    const U256 scaled_price = magnitude_of(asset_price) * price_unit();
    const auto worth = amount.negative ? mul_div_ceil(amount.magnitude, scaled_price, U256(pow10(decimals)))
                                       : mul_div_floor(amount.magnitude, scaled_price, U256(pow10(decimals)));
    ASSERT(worth.has_value());
    return {amount.negative, *worth};
}

}  // namespace hedgerow::channel
