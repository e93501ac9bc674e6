#pragma once

#include <map>
#include <set>

#include "daemon/market/fresh_prices.h"
#include "daemon/market/ledger.h"
#include "daemon/market/risk_monitor.h"
#include "daemon/node/market_hooks.h"
#include "daemon/node/node.h"

namespace hedgerow::daemon {

class PriceBook;

/// The node's market: judges what peers trade, quotes as a maker, takes as a taker, keeps the ledger and the risk. On the node thread.
class Market final : public MarketHooks {
  public:
    Market(Node& node, PriceBook& prices, channel::Registry registry, MarketOptions options);

    // --- for the RPC ----------------------------------------------------------------------------------------------------
    [[nodiscard]] const channel::Registry& registry() const { return m_registry; }
    [[nodiscard]] PriceBook& book() { return m_prices; }
    /// Positive quantity: we buy. Answers with the peer's firm price: instrument_unknown, price_off_tick, …, quote_unavailable, timeout.
    void ask_trade(const channel::ChannelId& id, const channel::Feed& instrument, channel::Quantity quantity, Answer<QuoteInfo> done);
    void ask_swap(const channel::ChannelId& id, const SwapAsk& ask, Answer<QuoteInfo> done);
    /// A quote that we received, asked for or streamed.
    [[nodiscard]] std::optional<QuoteInfo> received(const channel::QuoteId& id) const;
    void accept(const channel::QuoteId& id, const ClientRef& ref, Answer<std::pair<QuoteInfo, OpDone>> done);
    /// Streams a two-way quote to the peer of one channel or of all; size zero ends it.
    [[nodiscard]] Result<Published> publish(const std::optional<channel::ChannelId>& id, const channel::Feed& instrument,
                                            std::optional<channel::Price> bid, std::optional<channel::Price> ask, channel::Quantity size,
                                            std::uint64_t valid_ms);
    [[nodiscard]] MarginInfo margin(const channel::Channel& channel) const;
    [[nodiscard]] Ledger& ledger() { return m_ledger; }
    /// Before run(): how packages of a past second are asked for, for positions that expired.
    void set_fetch(Expiries::Fetch fetch) { m_risk.set_fetch(std::move(fetch)); }

    // --- MarketHooks ------------------------------------------------------------------------------------------------------
    [[nodiscard]] std::vector<channel::Rule> judge(const channel::Channel& channel, std::span<const channel::OpEntry> ops,
                                                   std::uint64_t now_ms) override;
    [[nodiscard]] const channel::OwnPrices* prices() const override { return &m_fresh; }
    void on_signed(const channel::Channel& channel, const channel::OpsAgreed& ops) override { m_ledger.on_signed(channel, ops); }
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op) override;
    void on_state(const channel::Channel& channel) override { watch(channel); }
    void on_status(const channel::Channel& channel) override;
    void on_funds(const channel::Channel& channel) override { watch(channel); }
    void on_market_message(const channel::Channel& channel, const channel::PeerMessage& message) override;
    void on_tick(std::uint64_t now_ms) override;
    void on_halt(bool halted) override;
    /// New prices are in the book.
    void on_prices();

  private:
    struct Waiting {
        channel::ChannelId channel;
        channel::QuoteRequest request;
        Answer<QuoteInfo> done;
        std::uint64_t until_ms = 0;
    };
    static constexpr std::size_t kMaxWaiting = 4'096;

    [[nodiscard]] channel::Rule judge_op(const channel::Channel& channel, const channel::Op& op, std::uint64_t now_ms);
    [[nodiscard]] channel::Rule judge_price(const channel::Feed& feed, channel::Price price, std::uint64_t now_ms) const;
    [[nodiscard]] channel::Rule judge_mark(const channel::Channel& channel, const channel::MarkOp& op, std::uint64_t now_ms) const;
    void ask(const channel::Channel& channel, channel::QuoteRequest request, Answer<QuoteInfo> done);
    void on_request(const channel::Channel& channel, const channel::QuoteRequest& request);
    [[nodiscard]] channel::Expected<channel::Op, channel::Rule> price_trade(const channel::Channel& channel, const channel::QuoteRequest& request);
    [[nodiscard]] channel::Expected<channel::Op, channel::Rule> price_swap(const channel::Channel& channel, const channel::QuoteRequest& request);
    void on_quote(const channel::Channel& channel, const channel::Quote& quote);
    void on_refused(const channel::Channel& channel, const channel::QuoteRefuse& refuse);
    void on_stream(const channel::Channel& channel, const channel::StreamQuote& quote);
    void answer(const channel::QuoteId& request, Result<QuoteInfo> result);
    [[nodiscard]] channel::QuoteId fresh_id() const;
    void stream_quotes(std::uint64_t now_ms);
    void watch(const channel::Channel& channel);

    Node& m_node;
    PriceBook& m_prices;
    const channel::Registry m_registry;
    const MarketOptions m_options;
    FreshPrices m_fresh;
    QuoteBook m_issued;
    QuoteBook m_received;
    std::map<channel::QuoteId, Waiting> m_waiting;  ///< by request
    std::map<std::pair<channel::ChannelId, channel::Feed>, std::array<channel::QuoteId, 4>> m_streams;  ///< ours bid, ask; theirs bid, ask
    std::uint64_t m_streamed_ms = 0;
    Ledger m_ledger;
    RiskMonitor m_risk;
    std::set<channel::ChannelId> m_exposed;  ///< channels with positions: prices matter to no other
    bool m_looked = false;                   ///< at the channels that were restored
};

}  // namespace hedgerow::daemon
