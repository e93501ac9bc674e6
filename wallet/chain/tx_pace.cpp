#include "wallet/chain/tx_pace.h"

#include <algorithm>
#include <limits>

namespace hedgerow::wallet {

using channel::U256;

namespace {

U256 an_eighth_more(const U256& value) {
    return (value * U256(9u) + U256(7u)) / U256(8u);
}

/// The least of a series of equal raises of which `steps` lead from `value` to `cap`.
U256 towards(const U256& value, const U256& cap, std::size_t steps) {
    std::size_t raises = 0;
    for (U256 at = std::max(value, U256(1u)); at < cap; at = an_eighth_more(at)) ++raises;
    U256 out = std::max(value, U256(1u));
    for (std::size_t i = 0; i < (raises + steps - 1) / steps; ++i) out = an_eighth_more(out);
    return std::min(out, cap);
}

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
/// Of a late replacement: one is due when the newest is as old as this many sixteenths of what then remains.
constexpr std::uint64_t kDensest = 2;
constexpr std::uint64_t kSparsest = 64;

std::uint64_t saturating_sub(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

/// How many replacements come until two blocks before the deadline, where one is made now; stops counting above `most`.
std::size_t count_late(std::uint64_t left_ms, std::uint64_t block_ms, std::uint64_t sixteenths, std::size_t most) {
    std::size_t count = 1;
    for (;;) {
        const std::uint64_t wait = std::max(block_ms, left_ms / (16 + sixteenths) * sixteenths);
        if (count > most || left_ms < wait + 2 * block_ms) return count;
        left_ms -= wait;
        ++count;
    }
}

Pace late_pace(const FeePolicy& policy, std::uint64_t left_ms, std::size_t slots) {
    const std::uint64_t block_ms = std::max<std::uint64_t>(policy.block_ms, 1);
    for (std::uint64_t sixteenths = kDensest; sixteenths <= kSparsest; ++sixteenths) {
        const std::size_t steps = count_late(left_ms, block_ms, sixteenths, slots);
        if (steps <= slots) return {std::max(block_ms, left_ms / 16 * sixteenths), slots, steps};
    }
    // What is left is for the end.
    return {left_ms < 3 * block_ms ? block_ms : kNever, slots, slots};
}

Pace early_pace(const FeePolicy& policy, const Schedule& schedule, std::size_t slots) {
    const bool dated = schedule.deadline_ms != 0;
    const std::uint64_t left_ms = saturating_sub(schedule.deadline_ms, schedule.now_ms);
    const std::uint64_t usual_ms = replace_interval(policy, schedule.now_ms, schedule.deadline_ms);
    if (slots == 0) return {kNever, 0, 0};
    const std::uint64_t total_ms = saturating_sub(schedule.deadline_ms, schedule.created_ms);
    const std::uint64_t even_ms = dated ? saturating_sub(left_ms, total_ms / 4) / slots : kNever;
    const std::uint64_t grown_ms = saturating_sub(schedule.now_ms, schedule.created_ms) / 4;
    return {std::max(usual_ms, std::min(grown_ms, even_ms)), slots, 0};
}

}  // namespace

unsigned urgency_of(const FeePolicy& policy, const Schedule& schedule) {
    if (schedule.deadline_ms == 0) return 0;
    const std::uint64_t left_ms = saturating_sub(schedule.deadline_ms, schedule.now_ms);
    const unsigned in_blocks = left_ms <= 2 * policy.block_ms ? 2 : (left_ms <= 4 * policy.block_ms ? 1 : 0);
    return std::max(in_blocks, urgency_at(schedule.now_ms, schedule.created_ms, schedule.deadline_ms));
}

Pace pace_at(const FeePolicy& policy, const Schedule& schedule, std::size_t slots) {
    if (urgency_of(policy, schedule) != 0)
        return late_pace(policy, saturating_sub(schedule.deadline_ms, schedule.now_ms), slots);
    return early_pace(policy, schedule, slots - std::min(slots, kLateVariants));
}

std::optional<Fees> rising_fees(const FeePolicy& policy, const ChainView& view, const Fees& before, const U256& cap,
                                unsigned urgency, std::size_t steps) {
    // Room for the last one, unless only more than that could be mined at all.
    const U256 room = steps > 1 ? std::max(cap * U256(8u) / U256(9u), std::min(cap, view.base_fee * U256(2u))) : cap;
    auto out = replacement_fees(policy, view, before, room, urgency);
    if (!out || steps == 0) return out;
    const U256 priority = std::min(room, std::max(out->priority, towards(before.priority, cap, steps)));
    out->max_fee = std::min(room, std::max({out->max_fee, priority, towards(before.max_fee, cap, steps)}));
    out->priority = std::min(priority, out->max_fee);
    return out;
}

}  // namespace hedgerow::wallet
