#pragma once

#include <span>
#include <vector>

#include "channel/machine/channel.h"

namespace hedgerow::daemon {

/// What the node asks of, and tells, the market: quotes, orders, price bands, marks, margin (DESIGN 5.10, 6). All calls
/// are on the node thread. Calls about effects come when these are durable, in order; a hook may call back into the
/// node (submit_op, …).
class MarketHooks {
  public:
    virtual ~MarketHooks() = default;

    /// The verdict on each op of a peer's Propose or Update before the core applies it: Rule::none where we agree.
    /// Judge only entries whose origin() is the other party; ours come back to us unchanged (the core checks that).
    /// Same length as `ops`.
    [[nodiscard]] virtual std::vector<channel::Rule> judge(const channel::Channel& channel,
                                                           std::span<const channel::OpEntry> ops,
                                                           std::uint64_t now_ms) = 0;

    /// Prices that the core may judge the other side by (spec 5.9); null: none, it is judged at the co-signed marks. Valid as long
    /// as the hooks.
    [[nodiscard]] virtual const channel::OwnPrices* prices() const { return nullptr; }

    /// Both have just signed these. What is persisted now is durable together with them, or not at all.
    virtual void on_signed(const channel::Channel& channel, const channel::OpsAgreed& ops) = 0;
    /// Every op of every version that both have signed, ours and the peer's, in order, once each since start.
    virtual void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op) = 0;
    /// `channel.agreed` is a newer state.
    virtual void on_state(const channel::Channel& channel) = 0;
    /// Status changes, and connection or loss of the peer (`channel.connected`).
    virtual void on_status(const channel::Channel& channel) = 0;
    /// Deposits or withdrawals of the channel changed.
    virtual void on_funds(const channel::Channel& channel) = 0;
    /// QuoteRequest, Quote, QuoteRefuse or StreamQuote of that channel's peer (already checked to be its own channel).
    virtual void on_market_message(const channel::Channel& channel, const channel::PeerMessage& message) = 0;
    /// About every 100 ms.
    virtual void on_tick(std::uint64_t now_ms) = 0;
    /// Emergency stop on or off: cancel all quotes and orders.
    virtual void on_halt(bool halted) = 0;
};

/// The verdicts of a node without a market: payments, locks, withdrawals and closes pass (the core judges them), what
/// needs an opinion on prices or terms is refused: swap_not_authorised, trade_not_authorised, price_missing (marks,
/// liquidations), expiry_price_missing, terms_not_authorised.
[[nodiscard]] channel::Rule judge_without_market(const channel::Op& op);

}  // namespace hedgerow::daemon
