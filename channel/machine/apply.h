#pragma once

#include "channel/machine/channel.h"
#include "channel/market/margin.h"

/// What each op does to a state (spec 5). An op that breaks a rule leaves the state exactly as it was.
namespace hedgerow::channel {

/// What an update's ops may look at beside the state.
struct OpScope {
    const Context& context;
    const Channel& channel;
    std::uint64_t timestamp_ms = 0;  ///< of the update
};

/// Most versions that one update may skip: void ones and a Close take versions that the follower never signs (spec 6.4).
inline constexpr std::uint64_t kMaxVersionSkip = 4096;
/// Greatest expiry of a position or lock that the contract takes, seconds (spec 1.6).
inline constexpr std::uint64_t kMaxExpiry = (std::uint64_t{1} << 40) - 1;

/// By whose view of the chain: what both have seen (spec 4.3), or what we have.
enum class FundsView { both, own };

/// What `party` owns of an asset: deposits less withdrawals (done, or authorised and not lapsed), less or plus net.
[[nodiscard]] Amount balance_of(const Context& context, const Channel& channel, const ChannelState& state, Party party, std::size_t asset,
                                FundsView funds = FundsView::both);
/// balance_of less what the party has locked; below zero only in assets[0], where a loss is covered by other assets.
[[nodiscard]] Amount available_of(const Context& context, const Channel& channel, const ChannelState& state, Party party, std::size_t asset,
                                  FundsView funds = FundsView::both);
/// Margin of one party at the marks of the state, from what it has available (spec 5.5).
[[nodiscard]] Margin state_margin(const Context& context, const Channel& channel, const ChannelState& state, Party party);

/// What one unit of a position is worth at our own prices: of an expired one its payoff, which no later price moves. Nothing where we have none.
[[nodiscard]] std::optional<Price> own_value(const OwnPrices& prices, const Terms& terms, const Position& position, std::uint64_t now_s);

/// Spec 6.13: what follows from what was agreed before, or only pays `me`; a locked wallet signs it.
[[nodiscard]] bool is_obligation(const OpEntry& entry, Party me);

/// Spec 3.6 off chain: its preimage was registered before the lock's expiry, in a block that is confirmed.
[[nodiscard]] bool registered_in_time(const Context& context, const Lock& lock);

/// Begins the next update on `state`: version, time, and an op-less state after a lapsed close. Rule::none or what is wrong.
[[nodiscard]] Rule begin_update(const Context& context, const Channel& channel, ChannelState& state, std::uint64_t version,
                                std::uint64_t timestamp_ms);
[[nodiscard]] Rule apply_op(const OpScope& scope, ChannelState& state, const OpEntry& entry);
/// Takes the update into the running hash of history (spec 4.9).
void finish_update(ChannelState& state, const Update& update);

}  // namespace hedgerow::channel
