#pragma once

#include "wallet/chain/tx_job.h"

/// Pure fee policy of EIP-1559 transactions: what to offer first, when to offer more, and how much more.
namespace hedgerow::wallet {

struct FeePolicy {
    channel::U256 min_priority_fee{1'000'000};                 ///< wei a gas
    channel::U256 spend_budget{10'000'000'000'000'000ull};     ///< fees of one spending job, wei (0.01)
    channel::U256 defence_budget{200'000'000'000'000'000ull};  ///< fees of one defending job, wei (0.2)
    channel::U256 gas_reserve{50'000'000'000'000'000ull};      ///< kept back for defence, wei (0.05)
    std::uint64_t replace_after_ms = 60'000;                   ///< unmined for this long: offer more
    std::uint64_t block_ms = 12'000;                           ///< never more often than this
    std::uint64_t rebroadcast_ms = 15'000;                     ///< a transaction the node does not know is sent again
    std::uint64_t confirmations = 6;  ///< blocks, its own included, that make a transaction confirmed
    std::uint64_t final_depth = 64;   ///< blocks after which it is not looked up any more
};

struct Fees {
    channel::U256 max_fee;
    channel::U256 priority;
    bool operator==(const Fees&) const = default;
};

/// Twice the base fee (six full blocks ahead), plus the usual priority fee; at most `cap` in all.
[[nodiscard]] Fees first_fees(const FeePolicy& policy, const ChainView& view, const channel::U256& cap);

/// At least one eighth more of both, more as the deadline nears, and at least what first_fees says now: nothing where
/// one eighth more would exceed `cap` (nodes refuse a replacement by less than a tenth).
[[nodiscard]] std::optional<Fees> replacement_fees(const FeePolicy& policy, const ChainView& view, const Fees& before,
                                                   const channel::U256& cap, unsigned urgency);

/// 0 far from the deadline or without one, 1 in the last quarter of the time, 2 in the last tenth and after it.
[[nodiscard]] unsigned urgency_at(std::uint64_t now_ms, std::uint64_t created_ms, std::uint64_t deadline_ms);

/// How long to wait for a variant before replacing it: an eighth of what remains to the deadline, within the policy's
/// bounds.
[[nodiscard]] std::uint64_t replace_interval(const FeePolicy& policy, std::uint64_t now_ms, std::uint64_t deadline_ms);

[[nodiscard]] channel::U256 job_budget(const FeePolicy& policy, const JobRequest& request);

/// a - b, or zero.
[[nodiscard]] channel::U256 minus_or_zero(const channel::U256& a, const channel::U256& b);

}  // namespace hedgerow::wallet
