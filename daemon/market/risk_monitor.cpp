#include "daemon/market/risk_monitor.h"

#include "channel/market/convert.h"
#include "daemon/log/log.h"
#include "daemon/node/node.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

/// So many refusals over so long, and the chain decides.
constexpr std::uint32_t kMaxRefusals = 5;
constexpr std::uint64_t kRefusalPatienceMs = 10'000;

bool moved_by(Price from, Price to, std::uint32_t bps) {
    const Int128 distance = (to - from).abs().raw();
    return U256(static_cast<Uint128>(distance)) * U256(10'000) >= U256(static_cast<Uint128>(from.raw())) * U256(bps);
}

/// The feeds that a channel's state is marked by: of positions, and of assets that have one.
struct MarkedFeed {
    Feed feed;
    Price mark;
    Feed underlying;  ///< of positions; zero for assets
};

std::vector<MarkedFeed> marked_feeds(const Channel& channel) {
    std::vector<MarkedFeed> out;
    const ChannelState& state = channel.tip();
    for (const PositionEntry& e : state.positions) out.push_back({e.position.instrument, e.position.mark, e.position.underlying});
    for (std::size_t i = 0; i < state.asset_marks.size(); ++i) {
        if (!channel.terms.assets[i].feed.is_zero()) out.push_back({channel.terms.assets[i].feed, state.asset_marks[i], {}});
    }
    return out;
}

MarginStatus status_of(const Margin& margin) {
    if (margin.breaches_maintenance()) return MarginStatus::breach;
    return margin.meets_initial() ? MarginStatus::ok : MarginStatus::call;
}

}  // namespace

std::string_view margin_status_name(MarginStatus status) {
    switch (status) {
        case MarginStatus::ok: return "ok";
        case MarginStatus::call: return "call";
        case MarginStatus::breach: return "breach";
    }
    return "unknown";
}

RiskMonitor::RiskMonitor(Node& node, const MarketOptions& options, const OwnPrices& prices) : m_node(node), m_options(options), m_prices(prices) {}

void RiskMonitor::check(const Channel& channel, std::uint64_t now_ms) {
    if (channel.status != Status::open) return;
    const ChannelId id = channel.id;
    auto it = m_channels.find(id);
    if (it == m_channels.end() && !is_exposed(channel) && !assets_moved(channel)) return;
    look(channel, m_channels[id], now_ms);
    it = m_channels.find(id);
    if (it != m_channels.end() && !to_remember(channel, it->second)) m_channels.erase(it);
}

bool RiskMonitor::is_exposed(const Channel& channel) {
    return !channel.tip().positions.empty() || !channel.agreed.state.positions.empty();
}

/// Whether mark_feeds would mark one, as far as its price says.
bool RiskMonitor::assets_moved(const Channel& channel) const {
    const auto& marks = channel.tip().asset_marks;
    for (std::size_t i = 0; i < marks.size(); ++i) {
        const Feed& feed = channel.terms.assets[i].feed;
        const auto price = feed.is_zero() ? std::nullopt : m_prices.price(feed);
        if (price && moved_by(marks[i], *price, m_options.mark_move_bps)) return true;
    }
    return false;
}

bool RiskMonitor::to_remember(const Channel& channel, const Watched& watched) {
    const bool exposed = is_exposed(channel);
    const bool past = watched.status != MarginStatus::ok || watched.calls != 0 || watched.liquidations != 0 || watched.refusals != 0;
    const bool marking = std::any_of(watched.marks.begin(), watched.marks.end(), [](const auto& mark) { return mark.second.under_way; });
    return exposed || past || marking || watched.liquidating;
}

void RiskMonitor::look(const Channel& channel, Watched& watched, std::uint64_t now_ms) {
    if (!channel.tip().positions.empty()) watch_own_margin(channel, watched, now_ms);
    if (!channel.connected || m_node.halted()) return;  // a locked wallet goes on defending
    bool urgent = false;
    if (!channel.agreed.state.positions.empty()) {
        const Context at = m_node.context();
        const MarketAccount theirs(at, channel, channel.agreed.state, other(channel.me), m_prices);
        urgent = theirs.margin().breaches_maintenance();
    }
    settle_expired(channel, watched, now_ms);
    mark_feeds(channel, watched, urgent);
    if (urgent && !watched.liquidating) liquidate(channel, watched);
}

void RiskMonitor::watch_own_margin(const Channel& channel, Watched& watched, std::uint64_t now_ms) {
    const Context at = m_node.context();
    const MarketAccount ours(at, channel, channel.tip(), channel.me, m_prices);
    const MarginStatus status = status_of(ours.margin());
    if (status == watched.status) return;
    if (status > watched.status && watched.status == MarginStatus::ok) {
        ++watched.calls;
        watched.last_call_ms = now_ms;
        LOG_WARN("margin call", {"channel", channel.id}, {"status", margin_status_name(status)});
    }
    watched.status = status;
}

/// The leader marks as time passes and prices move; the follower when its risk needs it, or the leader has long not.
void RiskMonitor::mark_feeds(const Channel& channel, Watched& watched, bool urgent) {
    const std::uint64_t interval = channel.is_leader() ? m_options.mark_interval_ms : 5ULL * m_options.mark_interval_ms;
    for (const MarkedFeed& marked : marked_feeds(channel)) {
        FeedMark& last = watched.marks[marked.feed];
        const auto price = m_prices.price(marked.feed);
        if (!price || last.under_way) continue;
        const bool moved = moved_by(marked.mark, *price, m_options.mark_move_bps) && (channel.is_leader() || urgent);
        const bool due = !marked.underlying.is_zero() && m_node.steady_ms() - last.since_ms >= interval;
        if (!moved && !(due && *price != marked.mark) && !(urgent && *price != marked.mark)) continue;
        MarkOp op{marked.feed, *price, {}};
        if (!marked.underlying.is_zero()) {
            const auto index = m_prices.price(marked.underlying);
            if (!index) continue;
            op.index = *index;
        }
        mark(channel, watched, op);
    }
}

void RiskMonitor::mark(const Channel& channel, Watched& watched, const MarkOp& op) {
    FeedMark& last = watched.marks[op.feed];
    last.under_way = true;
    last.since_ms = m_node.steady_ms();
    const ChannelId id = channel.id;
    m_node.submit_op(id, op, [this, id, feed = op.feed](Rule rule) {
        const auto it = m_channels.find(id);
        if (it == m_channels.end()) return;
        it->second.marks[feed].under_way = false;
        LOG_INFO("mark refused", {"channel", id}, {"feed", feed_name(feed)}, {"rule", rule});
    });
}

void RiskMonitor::settle_expired(const Channel& channel, Watched& watched, std::uint64_t now_ms) {
    for (const ExpireOp& op : watched.expiries.due(channel, now_ms, m_prices, m_fetch)) {
        m_node.submit_op(channel.id, op, [id = channel.id, instrument = op.instrument](Rule rule) {
            LOG_INFO("expiry refused", {"channel", id}, {"instrument", feed_name(instrument)}, {"rule", rule});
        });
    }
}

/// At the marks that both have signed: the newest mark goes first, then what is in breach is closed, largest notional first.
void RiskMonitor::liquidate(const Channel& channel, Watched& watched) {
    const ChannelState& state = channel.agreed.state;
    const Party victim = other(channel.me);
    const Context at = m_node.context();
    const MarketAccount account(at, channel, state, victim, NoPrices());
    if (!account.margin().breaches_maintenance()) return;  // at the oracles' price only: the mark is on its way
    std::size_t largest = 0;
    for (std::size_t i = 1; i < state.positions.size(); ++i) {
        if (notional16(account.view().positions[i]) > notional16(account.view().positions[largest])) largest = i;
    }
    const Position& position = state.positions[largest].position;
    const RiskClass* risk = state.risk.find(position.underlying);
    const Quantity lot = risk != nullptr && risk->lot.sign() > 0 ? risk->lot : Quantity::from_raw(1);
    const Quantity size = liquidation_quantity(account.view(), largest, lot);
    if (size.is_zero()) return;
    watched.liquidating = true;
    const LiquidateOp op{position.instrument, position.quantity.sign() > 0 ? -size : size, position.mark};
    LOG_WARN("liquidating", {"channel", channel.id}, {"instrument", feed_name(position.instrument)},
                             {"quantity", format_decimal(op.quantity.raw(), 8)}, {"price", format_decimal(op.price.raw(), 8)});
    const ChannelId id = channel.id;
    if (watched.refusals == 0) watched.refused_since_ms = m_node.steady_ms();
    m_node.submit_op(id, op, [this, id](Rule rule) { liquidation_refused(id, rule); });
}

void RiskMonitor::liquidation_refused(const ChannelId& id, Rule rule) {
    const auto it = m_channels.find(id);
    if (it == m_channels.end()) return;
    Watched& watched = it->second;
    watched.liquidating = false;
    LOG_WARN("liquidation refused", {"channel", id}, {"rule", rule});
    if (rule == Rule::maintenance_not_breached || rule == Rule::liquidation_price || rule == Rule::liquidation_quantity) return;  // a newer state
    ++watched.refusals;
    if (watched.refusals < kMaxRefusals || m_node.steady_ms() - watched.refused_since_ms < kRefusalPatienceMs) return;
    watched.refusals = 0;
    LOG_ERROR("counterparty refuses liquidation: closing on chain", {"channel", id});
    m_node.force_close(id, {}, [id](const Result<TxHash>& done) {
        if (!done) LOG_ERROR("force close failed", {"channel", id}, {"error", done.error().name});
    });
}

void RiskMonitor::on_agreed(const Channel& channel, const OpAgreed& op) {
    const Op& done = op.entry.op;
    if (!std::holds_alternative<MarkOp>(done) && !std::holds_alternative<ExpireOp>(done) && !std::holds_alternative<LiquidateOp>(done)) return;
    Watched& watched = m_channels[channel.id];
    if (const auto* mark = std::get_if<MarkOp>(&op.entry.op)) {
        FeedMark& last = watched.marks[mark->feed];
        last.since_ms = m_node.steady_ms();
        if (op.local_id != 0) last.under_way = false;
    } else if (const auto* expire = std::get_if<ExpireOp>(&op.entry.op)) {
        watched.expiries.done(expire->instrument);
        watched.marks.erase(expire->instrument);
    } else if (std::holds_alternative<LiquidateOp>(op.entry.op)) {
        if (op.local_id != 0) {
            watched.liquidating = false;
            watched.refusals = 0;
        }
        if (op.entry.origin() != channel.me) ++watched.liquidations;
    }
}

MarginInfo RiskMonitor::margin(const Channel& channel) const {
    MarginInfo out;
    const Context at = m_node.context();
    const MarketAccount account(at, channel, channel.agreed.state, channel.me, m_prices);
    out.margin = account.margin();
    out.status = status_of(out.margin);
    if (const auto it = m_channels.find(channel.id); it != m_channels.end()) {
        out.calls = it->second.calls;
        out.last_call_ms = it->second.last_call_ms;
        out.liquidations = it->second.liquidations;
    }
    for (std::size_t i = 0; i < account.view().positions.size(); ++i) {
        const PositionView& view = account.view().positions[i];
        const Requirement need = requirement_of(view, channel.agreed.state.risk);
        PositionInfo info;
        info.channel = channel.id;
        info.position = *view.position;
        info.quantity = view.quantity;
        info.price = view.price;
        info.liquidation = liquidation_price(account.view(), i);
        info.initial16 = need.initial16;
        info.maintenance16 = need.maintenance16;
        out.positions.push_back(std::move(info));
    }
    return out;
}

}  // namespace hedgerow::daemon
