#pragma once

#include "channel/base/amount.h"
#include "channel/base/u256.h"

/// The two units that money is counted in: USD with 16 decimals (quantity x price) and a token's smallest units.
/// Total within the limits of spec 1.6.
namespace hedgerow::channel {

/// quantity x (value - mark), exact, USD 1e-16 (spec 3.7). Positive: the party that holds `quantity` gains.
[[nodiscard]] I256 pnl16(Quantity quantity, Price value, Price mark);

/// sign(usd16) * floor(|usd16| * 10^decimals / (asset_price * 10^8)): USD 1e-16 in units of a token (spec 3.7), rounded
/// once, toward zero, so that the same amount with the other sign is the same number with the other sign. 0 <
/// asset_price < 2^96, decimals 0 to 18, |usd16| < 2^222.
[[nodiscard]] I256 usd16_to_units_toward_zero(const I256& usd16, Price asset_price, int decimals);

/// sign(units) * floor(|units| * asset_price * 10^8 / 10^decimals), of what the function above gave: |units| <= 2^120.
[[nodiscard]] I256 units_to_usd16_toward_zero(const I256& units, Price asset_price, int decimals);

/// floor(units * asset_price * 10^8 / 10^decimals): what units of a token are worth, USD 1e-16, rounded toward minus
/// infinity, so that nobody's collateral is counted for more than it is. 0 <= asset_price < 2^96, decimals 0 to 18.
[[nodiscard]] I256 units_to_usd16_floor(Amount units, Price asset_price, int decimals);

}  // namespace hedgerow::channel
