#pragma once

#include "channel/codec/abi.h"
#include "channel/messages/typed.h"

/// The Adjudicator's own shapes of what peers sign: the same members without the channel id, which the contract
/// computes from the terms (IAdjudicator.sol). Used by the calldata builders and the event decoders.
namespace hedgerow::wallet::abi {

struct Signature {
    channel::Hash r;
    channel::Hash vs;
    static constexpr auto fields() {
        return std::make_tuple(channel::field("r", &Signature::r, "bytes32"),
                               channel::field("vs", &Signature::vs, "bytes32"));
    }
};
[[nodiscard]] inline Signature split(const channel::Signature& signature) {
    return {*channel::Hash::from(signature.view().first(32)), *channel::Hash::from(signature.view().subspan(32))};
}

struct State {
    std::uint64_t version = 0;
    channel::Hash context;
    channel::List<channel::Amount, channel::kMaxAssets> net;
    channel::List<channel::Price, channel::kMaxAssets> asset_marks;
    channel::List<channel::Position, channel::kMaxPositions> positions;
    channel::List<channel::Lock, channel::kMaxLocks> locks;
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(
            field("version", &State::version, "uint64"), field("context", &State::context, "bytes32"),
            field("net", &State::net, "int256[]"), field("assetMarks", &State::asset_marks, "uint128[]"),
            field("positions", &State::positions, "Position[]"), field("locks", &State::locks, "Lock[]"));
    }
};
[[nodiscard]] inline State without_channel(const channel::State& state) {
    return {state.version, state.context, state.net, state.asset_marks, state.positions, state.locks};
}
[[nodiscard]] inline channel::State with_channel(const channel::ChannelId& id, State&& state) {
    return {id,
            state.version,
            state.context,
            std::move(state.net),
            std::move(state.asset_marks),
            std::move(state.positions),
            std::move(state.locks)};
}

struct Close {
    std::uint64_t version = 0;
    channel::List<channel::Amount, channel::kMaxAssets> net;
    std::uint64_t deadline = 0;
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("version", &Close::version, "uint64"), field("net", &Close::net, "int256[]"),
                               field("deadline", &Close::deadline, "uint64"));
    }
};

struct Withdraw {
    channel::Party party = channel::Party::A;
    std::uint8_t asset = 0;
    channel::Amount total;
    std::uint64_t deadline = 0;
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("party", &Withdraw::party, "uint8"), field("asset", &Withdraw::asset, "uint8"),
                               field("total", &Withdraw::total, "uint256"),
                               field("deadline", &Withdraw::deadline, "uint64"));
    }
};

struct Authorization {
    std::uint64_t deadline = 0;
    Signature signature;
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("deadline", &Authorization::deadline, "uint64"),
                               field("signature", &Authorization::signature, "Signature"));
    }
};

// The tuples as they stand in function and event signatures.
#define HEDGEROW_ABI_CHANNEL                                                                                          \
    "(address,address,address,address,(address,bytes32,uint8,uint16)[],address[],uint8,uint32,uint32,uint32,uint128," \
    "bytes32)"
#define HEDGEROW_ABI_STATE                                                                                             \
    "(uint64,bytes32,int256[],uint128[],(bytes32,bytes32,uint8,uint64,uint128,int128,int128)[],(bytes32,uint64,uint8," \
    "int128)[])"
#define HEDGEROW_ABI_SIGNATURE "(bytes32,bytes32)"

}  // namespace hedgerow::wallet::abi
