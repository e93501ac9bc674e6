#include "daemon/market/account.h"

namespace hedgerow::daemon {

using namespace channel;

MarketAccount::MarketAccount(const Context& context, const Channel& channel, const ChannelState& state, Party party, const OwnPrices& prices)
    : m_view{.balances = {}, .assets = channel.terms.assets, .asset_prices = {}, .positions = {}, .terms = state.risk} {
    const std::size_t n = channel.terms.assets.size();
    for (std::size_t i = 0; i < n; ++i) {
        const Feed& feed = channel.terms.assets[i].feed;
        m_balances[i] = available_of(context, channel, state, party, i);
        m_prices[i] = feed.is_zero() ? asset_price(channel.terms, state, i) : prices.price(feed).value_or(state.asset_marks[i]);
    }
    for (std::size_t i = 0; i < state.positions.size(); ++i) {
        const PositionEntry& e = state.positions[i];
        m_positions[i].position = &e.position;
        m_positions[i].quantity = party == Party::A ? e.position.quantity : -e.position.quantity;
        m_positions[i].price = own_value(prices, channel.terms, e.position, context.now_ms / 1'000).value_or(e.position.mark);
        m_positions[i].underlying_price = prices.price(e.position.underlying).value_or(e.funding_index);
    }
    m_view.balances = std::span(m_balances).first(n);
    m_view.asset_prices = std::span(m_prices).first(n);
    m_view.positions = std::span(m_positions).first(state.positions.size());
}

}  // namespace hedgerow::daemon
