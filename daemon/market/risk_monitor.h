#pragma once

#include <map>

#include "daemon/market/account.h"
#include "daemon/market/expiries.h"
#include "daemon/market/market_types.h"

namespace hedgerow::daemon {

class Node;

/// Marks open positions to the oracles, settles expired ones, calls margin, and liquidates a counterparty below maintenance; one that does not let itself be
/// liquidated is challenged on chain (DESIGN 6). One op of each purpose is under way per channel at a time.
class RiskMonitor {
  public:
    RiskMonitor(Node& node, const MarketOptions& options, const channel::OwnPrices& prices);
    void set_fetch(Expiries::Fetch fetch) { m_fetch = std::move(fetch); }

    /// Looks at a channel again: after a new price, a new state, or some time.
    void check(const channel::Channel& channel, std::uint64_t now_ms);
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op);
    void forget(const channel::ChannelId& id) { m_channels.erase(id); }

    [[nodiscard]] MarginInfo margin(const channel::Channel& channel) const;

  private:
    struct FeedMark {
        std::uint64_t since_ms = 0;   ///< of the last mark that we saw agreed or sent, by the steady clock
        bool under_way = false;
    };
    struct Watched {
        std::map<channel::Feed, FeedMark> marks;
        Expiries expiries;
        bool liquidating = false;
        std::uint32_t refusals = 0;           ///< of liquidations, in a row
        std::uint64_t refused_since_ms = 0;  ///< by the steady clock
        MarginStatus status = MarginStatus::ok;
        std::uint64_t calls = 0;
        std::uint64_t last_call_ms = 0;
        std::uint64_t liquidations = 0;
    };

    [[nodiscard]] static bool is_exposed(const channel::Channel& channel);
    [[nodiscard]] bool assets_moved(const channel::Channel& channel) const;
    [[nodiscard]] static bool to_remember(const channel::Channel& channel, const Watched& watched);
    void look(const channel::Channel& channel, Watched& watched, std::uint64_t now_ms);
    void watch_own_margin(const channel::Channel& channel, Watched& watched, std::uint64_t now_ms);
    void mark_feeds(const channel::Channel& channel, Watched& watched, bool urgent);
    void mark(const channel::Channel& channel, Watched& watched, const channel::MarkOp& op);
    void settle_expired(const channel::Channel& channel, Watched& watched, std::uint64_t now_ms);
    void liquidate(const channel::Channel& channel, Watched& watched);
    void liquidation_refused(const channel::ChannelId& id, channel::Rule rule);

    Node& m_node;
    const MarketOptions& m_options;
    const channel::OwnPrices& m_prices;
    Expiries::Fetch m_fetch;
    std::map<channel::ChannelId, Watched> m_channels;  ///< of which there is something to remember
};

}  // namespace hedgerow::daemon
