#include "wallet/chain/tx_fees.h"

#include <algorithm>

namespace hedgerow::wallet {

using channel::U256;

namespace {

/// ceil(value * (8 + eighths) / 8)
U256 raised(const U256& value, unsigned eighths) {
    return (value * U256(8u + eighths) + U256(7u)) / U256(8u);
}

}  // namespace

Fees first_fees(const FeePolicy& policy, const ChainView& view, const U256& cap) {
    const U256 priority = std::max(policy.min_priority_fee, view.priority_fee);
    const U256 max_fee = std::min(cap, view.base_fee * U256(2u) + priority);
    return {max_fee, std::min(priority, max_fee)};
}

std::optional<Fees> replacement_fees(const FeePolicy& policy, const ChainView& view, const Fees& before,
                                     const U256& cap, unsigned urgency) {
    const Fees least{raised(before.max_fee, 1), raised(before.priority, 1)};
    if (least.max_fee > cap) return std::nullopt;
    const unsigned eighths = urgency == 0 ? 1 : (urgency == 1 ? 4 : 8);
    const Fees market = first_fees(policy, view, cap);
    Fees out{std::max(raised(before.max_fee, eighths), market.max_fee),
             std::max(raised(before.priority, eighths), market.priority)};
    out.max_fee = std::min(cap, std::max(out.max_fee, out.priority));
    out.priority = std::min(out.priority, out.max_fee);
    return out;
}

unsigned urgency_at(std::uint64_t now_ms, std::uint64_t created_ms, std::uint64_t deadline_ms) {
    if (deadline_ms == 0) return 0;
    if (now_ms >= deadline_ms) return 2;
    const std::uint64_t total = deadline_ms > created_ms ? deadline_ms - created_ms : 1;
    const std::uint64_t left = deadline_ms - now_ms;
    if (left <= total / 10) return 2;
    return left <= total / 4 ? 1 : 0;
}

std::uint64_t replace_interval(const FeePolicy& policy, std::uint64_t now_ms, std::uint64_t deadline_ms) {
    if (deadline_ms == 0) return policy.replace_after_ms;
    const std::uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    return std::clamp(left / 8, policy.block_ms, std::max(policy.block_ms, policy.replace_after_ms));
}

U256 job_budget(const FeePolicy& policy, const JobRequest& request) {
    if (!request.budget.is_zero()) return request.budget;
    return request.purpose == TxPurpose::defence ? policy.defence_budget : policy.spend_budget;
}

U256 minus_or_zero(const U256& a, const U256& b) {
    return a > b ? a - b : U256();
}

}  // namespace hedgerow::wallet
