#pragma once

#include "channel/base/amount.h"
#include "channel/base/ids.h"
#include "channel/base/u256.h"

namespace hedgerow::daemon {

/// What one client may keep.
struct TowerQuota {
    std::uint64_t records = 0;       ///< appointments
    std::uint64_t bytes = 0;         ///< of their sealed blobs
    std::uint64_t backups = 0;       ///< slots
    std::uint64_t backup_bytes = 0;  ///< of their blobs
};

/// What a subscription costs that is paid for in a channel; in proportion, so that half the fee buys half a period.
struct TowerFee {
    channel::Address token;
    channel::Amount amount;  ///< for one period; zero: none is sold
    std::uint64_t period_s = 0;
    std::uint64_t records = 0;  ///< appointments, of whatever size
    [[nodiscard]] bool sold() const { return amount.sign() > 0; }
    /// Less than a thousandth buys nothing: each payment is kept in two stores.
    [[nodiscard]] bool counts(channel::Amount paid) const { return paid.raw() >= (amount.raw() + 999) / 1'000; }
};

/// What a tower promises, and what it keeps back for it.
struct TowerLimits {
    TowerQuota free;  ///< of a client without a subscription
    TowerFee fee;
    std::uint64_t concurrent_disputes = 8;     ///< that the wallet must be able to pay for at once
    channel::U256 fee_cap{50'000'000'000ull};  ///< wei a gas that is planned for at worst
    std::uint64_t settle_grace_s = 60;         ///< settle where nobody else has, this long after it is due
    std::uint64_t behind_after_ms = 120'000;   ///< without a look at the chain's newest block: takes nothing more
};

}  // namespace hedgerow::daemon
