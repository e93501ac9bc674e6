#pragma once

#include <cstdint>
#include <optional>

#include "channel/base/amount.h"
#include "channel/base/u256.h"

/// Continuous funding of perpetuals, as Deribit has it (support.deribit.com, "Funding Specifications"):
///   premium = (mark - index) / index
///   rate    = clamp(max(deadband, premium) + min(-deadband, premium), -cap, cap), per 8 hours
///   payment = rate x position x elapsed / 8 hours, a positive one from longs to shorts.
/// Zero-sum whatever is rounded: every rounding is toward zero, hence the same for a number and its negation, and the
/// one amount that comes out is taken from one party and given to the other.
namespace hedgerow::channel {

inline constexpr std::uint64_t kFundingPeriodMs = 8ULL * 3600 * 1000;

/// The rate per 8 hours times 1e12, |rate| <= cap_bps * 1e8, rounded toward zero. `mark` is the price of the perpetual,
/// `index` that of its underlying, both within (0, 2^96).
[[nodiscard]] std::int64_t funding_rate_e12(Price mark, Price index, std::uint16_t deadband_bps, std::uint16_t cap_bps);

/// What longs owe shorts for one whole unit of the underlying (10^8 of quantity) after `elapsed_ms` at that rate, in
/// USD 1e-16, rounded toward zero; negative: shorts owe longs. Nothing where the result needs more than 127 bits.
[[nodiscard]] std::optional<Usd16> funding_per_unit_16(Price index, std::int64_t rate_e12, std::uint64_t elapsed_ms);

/// What the holder of `quantity` (negative: short) owes for it, in USD 1e-16, rounded toward zero: quantity * per_unit
/// / 10^8.
[[nodiscard]] I256 funding_owed_16(Quantity quantity, Usd16 per_unit);

}  // namespace hedgerow::channel
