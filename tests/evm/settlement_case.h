#pragma once

#include "channel/codec/abi.h"
#include "channel/settle/settlement.h"

/// One settlement, as the C++ twin takes it and as contract/test/SettlementHarness.sol takes it.
namespace hedgerow::tests {

struct SettlementInput {
    channel::Terms terms;  ///< assets and stale_penalty count
    channel::State state;
    std::vector<channel::Holdings> holdings;
    std::vector<std::uint64_t> registered_s;
    channel::SettlementPrices prices;
    std::uint64_t valuation_s = 0;
    std::uint64_t lead = 0;
    channel::Party challenger = channel::Party::A;
    bool marks_allowed = false;

    [[nodiscard]] channel::Settlement settle() const {
        return channel::settle_case(
            {terms, state, holdings, registered_s, prices, valuation_s, lead, challenger, marks_allowed});
    }
};

/// A random case within the limits of spec 1.6 that the contract's check of a State would accept. Cases 0 to 15 are the
/// extremes.
[[nodiscard]] SettlementInput random_settlement(std::uint64_t seed, std::uint64_t index);

/// What the harness answers.
struct HarnessResult {
    bool price_missing = false;
    channel::List<channel::U256, channel::kMaxAssets> a;
    channel::List<channel::U256, channel::kMaxAssets> totals;

    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("priceMissing", &HarnessResult::price_missing), field("a", &HarnessResult::a),
                               field("totals", &HarnessResult::totals));
    }
    bool operator==(const HarnessResult&) const = default;
};

inline constexpr std::size_t kMaxBatch = 64;
/// Call data of settleMany; at most kMaxBatch cases.
[[nodiscard]] channel::Bytes settle_many_call(std::span<const SettlementInput> cases);
/// Nothing where the answer is not one result a case.
[[nodiscard]] std::optional<std::vector<HarnessResult>> settle_many_result(channel::ByteView bytes, std::size_t cases);

}  // namespace hedgerow::tests
