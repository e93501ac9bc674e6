#include "tests/evm/settlement_case.h"

namespace hedgerow::tests {

using namespace hedgerow::channel;

namespace {

struct AbiHoldings {
    Amount deposit_a, deposit_b, withdrawn_a, withdrawn_b;
    static constexpr auto fields() {
        return std::make_tuple(field("depositA", &AbiHoldings::deposit_a), field("depositB", &AbiHoldings::deposit_b),
                               field("withdrawnA", &AbiHoldings::withdrawn_a),
                               field("withdrawnB", &AbiHoldings::withdrawn_b));
    }
};

/// State as the contract takes it: without the channel id, which it computes.
struct AbiState {
    std::uint64_t version = 0;
    Hash context;
    List<Amount, kMaxAssets> net;
    List<Price, kMaxAssets> asset_marks;
    List<Position, kMaxPositions> positions;
    List<Lock, kMaxLocks> locks;
    static constexpr auto fields() {
        return std::make_tuple(field("version", &AbiState::version), field("context", &AbiState::context),
                               field("net", &AbiState::net), field("assetMarks", &AbiState::asset_marks),
                               field("positions", &AbiState::positions), field("locks", &AbiState::locks));
    }
};

struct AbiCase {
    List<Asset, kMaxAssets> assets;
    List<AbiHoldings, kMaxAssets> holdings;
    AbiState state;
    List<std::uint64_t, kMaxLocks> registered_at;
    List<Price, kMaxPositions> position_prices;
    List<Price, kMaxAssets> asset_prices;
    std::uint64_t valuation_time = 0;
    Party challenger = Party::A;
    std::uint8_t lead = 0;
    Amount stale_penalty;
    bool grace_over = false;
    static constexpr auto fields() {
        return std::make_tuple(
            field("assets", &AbiCase::assets), field("holdings", &AbiCase::holdings), field("state", &AbiCase::state),
            field("registeredAt", &AbiCase::registered_at), field("positionPrices", &AbiCase::position_prices),
            field("assetPrices", &AbiCase::asset_prices), field("valuationTime", &AbiCase::valuation_time),
            field("challenger", &AbiCase::challenger), field("lead", &AbiCase::lead),
            field("stalePenalty", &AbiCase::stale_penalty), field("graceOver", &AbiCase::grace_over));
    }
};

constexpr std::string_view kSettleMany =
    "settleMany(((address,bytes32,uint8,uint16)[],(uint256,uint256,uint256,uint256)[],(uint64,bytes32,int256[],uint128["
    "],"
    "(bytes32,bytes32,uint8,uint64,uint128,int128,int128)[],(bytes32,uint64,uint8,int128)[]),uint64[],uint256[],"
    "uint256[],"
    "uint64,uint8,uint8,uint128,bool)[])";

AbiCase abi_case(const SettlementInput& input) {
    AbiCase out;
    out.assets = input.terms.assets;
    for (const Holdings& held : input.holdings) {
        out.holdings.push_back({held.deposit_a, held.deposit_b, held.withdrawn_a, held.withdrawn_b});
    }
    const State& state = input.state;
    out.state = {state.version, state.context, state.net, state.asset_marks, state.positions, state.locks};
    out.registered_at.assign(input.registered_s.begin(), input.registered_s.end());
    for (const auto& price : input.prices.positions) out.position_prices.push_back(price.value_or(Price()));
    for (const auto& price : input.prices.assets) out.asset_prices.push_back(price.value_or(Price()));
    out.valuation_time = input.valuation_s;
    out.challenger = input.challenger;
    out.lead = static_cast<std::uint8_t>(input.lead);
    out.stale_penalty = input.terms.stale_penalty;
    out.grace_over = input.marks_allowed;
    return out;
}

}  // namespace

Bytes settle_many_call(std::span<const SettlementInput> cases) {
    List<AbiCase, kMaxBatch> list;
    for (const SettlementInput& input : cases) list.push_back(abi_case(input));
    return abi_call(kSettleMany, list);
}

std::optional<std::vector<HarnessResult>> settle_many_result(ByteView bytes, std::size_t cases) {
    List<HarnessResult, kMaxBatch> list;
    if (!abi_decode(bytes, list) || list.size() != cases) return std::nullopt;
    return std::vector<HarnessResult>(list.begin(), list.end());
}

}  // namespace hedgerow::tests
