#pragma once

#include "channel/machine/apply.h"

namespace hedgerow::daemon {

/// One party's account in a channel at the oracles' prices, where the core's own (spec 5.5) is at the marks: what margin calls and
/// liquidations look at. A feed without a price stands at its mark, an expired position at its payoff.
class MarketAccount {
  public:
    MarketAccount(const channel::Context& context, const channel::Channel& channel, const channel::ChannelState& state, channel::Party party,
                  const channel::OwnPrices& prices);
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

/// Knows no price: everything stands at its mark.
class NoPrices final : public channel::OwnPrices {
  public:
    [[nodiscard]] std::optional<channel::Price> price(const channel::Feed&) const override { return std::nullopt; }
    [[nodiscard]] std::optional<channel::Price> price_at(const channel::Feed&, std::uint64_t, const channel::Terms&) const override {
        return std::nullopt;
    }
};

}  // namespace hedgerow::daemon
