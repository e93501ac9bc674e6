#pragma once

#include <functional>

#include "channel/machine/apply.h"

namespace hedgerow::daemon {

/// Gives the newest price of a feed, or nothing where there is none to be trusted.
using PriceOf = std::function<std::optional<channel::Price>(const channel::Feed&)>;

/// One party's account in a channel at the oracles' prices, where the core's own (spec 5.5) is at the marks: what margin calls and
/// liquidations look at. A feed without a price stands at its mark.
class MarketAccount {
  public:
    MarketAccount(const channel::Context& context, const channel::Channel& channel, const channel::ChannelState& state, channel::Party party,
                  const PriceOf& price_of);
    MarketAccount(const MarketAccount&) = delete;
    MarketAccount& operator=(const MarketAccount&) = delete;

    [[nodiscard]] const channel::AccountView& view() const { return m_view; }
    [[nodiscard]] channel::Margin margin() const { return channel::margin_of(m_view); }

  private:
    std::array<channel::Amount, channel::kMaxAssets> m_balances{};
    std::array<channel::Price, channel::kMaxAssets> m_prices{};
    std::array<channel::PositionView, channel::kMaxPositions> m_positions{};
    channel::AccountView m_view;
};

}  // namespace hedgerow::daemon
