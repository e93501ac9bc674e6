#pragma once

#include "wallet/chain/tx_fees.h"

/// How the replacements of one job are spread over the time that it has, and how they rise to its budget at the end.
/// Pure.
namespace hedgerow::wallet {

/// Of the replacements of one job, what is kept for the end: the last quarter of the time before a deadline.
inline constexpr std::size_t kLateVariants = 28;

/// Where a job stands in the time that it has, or that the one has whose deadline it must meet; Unix milliseconds.
struct Schedule {
    std::uint64_t now_ms = 0;
    std::uint64_t created_ms = 0;
    std::uint64_t deadline_ms = 0;  ///< 0: none, also where it has passed
};

/// As urgency_at() of tx_fees.h, but never below 1 in the last four blocks and 2 in the last two.
[[nodiscard]] unsigned urgency_of(const FeePolicy& policy, const Schedule& schedule);

/// When the next replacement is due, and how many are left.
struct Pace {
    std::uint64_t interval_ms = 0;  ///< how long the newest variant is waited for; UINT64_MAX: no replacement now
    std::size_t left = 0;           ///< replacements that may be made now, by their number alone
    /// Late only: replacements that number and time still allow, the next one included; the last is meant to land two
    /// blocks before the deadline. 0: not late.
    std::size_t steps = 0;
};
/// Of `slots` replacements that are left in all. Early: an eighth of what remains, within the policy's bounds, then a
/// quarter of its age, or what spreads the rest of them evenly if that is less. Late: closer and closer towards the
/// deadline, as dense as their number allows.
[[nodiscard]] Pace pace_at(const FeePolicy& policy, const Schedule& schedule, std::size_t slots);

/// replacement_fees() that, with `steps` left (0: not late), rises so that the last of them offers all of `cap`; those
/// before leave room for it.
[[nodiscard]] std::optional<Fees> rising_fees(const FeePolicy& policy, const ChainView& view, const Fees& before,
                                              const channel::U256& cap, unsigned urgency, std::size_t steps);

}  // namespace hedgerow::wallet
