#include "daemon/market/ledger.h"

#include "channel/market/convert.h"
#include "channel/market/instrument.h"
#include "channel/market/payoff.h"
#include "daemon/node/node.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

/// The average of the old position and what was added to it, rounded down; a reduction keeps it, a flip begins at the new price.
Price average_after(const PositionBook& before, Quantity change, Price price) {
    const Quantity after = before.quantity + change;
    if (after.is_zero()) return {};
    if (before.quantity.is_zero() || before.quantity.sign() != after.sign()) return price;
    if (after.abs() <= before.quantity.abs()) return before.average;
    const U256 held = U256(static_cast<Uint128>(before.quantity.abs().raw())) * U256(static_cast<Uint128>(before.average.raw()));
    const U256 added = U256(static_cast<Uint128>(change.abs().raw())) * U256(static_cast<Uint128>(price.raw()));
    const auto average = ((held + added) / U256(static_cast<Uint128>(after.abs().raw()))).to_i128();
    return average ? Price::from_raw(*average) : price;
}

/// What of the old position the change closes, with the old position's sign.
Quantity closed_by(Quantity held, Quantity change) {
    if (held.sign() * change.sign() >= 0) return {};
    const Quantity size = std::min(held.abs(), change.abs());
    return held.sign() > 0 ? size : -size;
}

PositionBook book_after(const PositionBook& before, Quantity change, Price price) {
    PositionBook after = before;
    after.realised16 = before.realised16 + pnl16(closed_by(before.quantity, change), price, before.average);
    after.average = average_after(before, change, price);
    after.quantity = before.quantity + change;
    return after;
}

void put(Database& db, const TradeRecord& r, const PositionBook& after) {
    const auto realised = after.realised16.to_be();
    db.run("INSERT OR IGNORE INTO trades (channel, version, op, time_ms, kind, instrument, quantity, price, fee, position_after, "
           "average_price, realised16) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
           r.channel, r.version, static_cast<std::int64_t>(r.index), r.time_ms, r.kind,
           r.instrument.is_zero() ? std::string() : feed_name(r.instrument), r.quantity, r.price, r.fee, after.quantity, after.average,
           ByteView(realised));
}

constexpr std::size_t kHistoryPage = 1'000;

}  // namespace

std::optional<Ledger::Fill> Ledger::fill_of(const Channel& channel, const OpEntry& entry, std::uint64_t version, std::uint16_t index,
                                            std::uint64_t time_ms) {
    const auto ours = [&](auto value) { return channel.me == Party::A ? value : -value; };
    Fill fill;
    fill.record.channel = channel.id;
    fill.record.version = version;
    fill.record.index = index;
    fill.record.time_ms = time_ms;
    if (const auto* trade = std::get_if<TradeOp>(&entry.op)) {
        fill.record.kind = "trade";
        fill.record.instrument = trade->instrument;
        fill.record.quantity = ours(trade->quantity);
        fill.record.price = trade->price;
        fill.record.fee = ours(trade->fee);
    } else if (const auto* liquidate = std::get_if<LiquidateOp>(&entry.op)) {
        fill.record.kind = "liquidation";
        fill.record.instrument = liquidate->instrument;
        fill.record.quantity = ours(liquidate->quantity);
        fill.record.price = liquidate->price;
    } else if (const auto* expire = std::get_if<ExpireOp>(&entry.op)) {
        const auto definition = parse_instrument(feed_name(expire->instrument));
        const auto held = m_positions.find({channel.id, expire->instrument});
        if (!definition || held == m_positions.end() || held->second.quantity.is_zero()) return std::nullopt;
        fill.record.kind = "expiry";
        fill.record.instrument = expire->instrument;
        fill.record.quantity = -held->second.quantity;
        fill.record.price = payoff(definition->kind, definition->strike, expire->price);
    } else {
        return std::nullopt;
    }
    const PositionBook& before = m_positions[{channel.id, fill.record.instrument}];
    fill.after = book_after(before, fill.record.quantity, fill.record.price);
    return fill;
}

void Ledger::load(const Channel& channel) {
    Query rows = m_node.reader().query("SELECT version, op, instrument, position_after, average_price, realised16 FROM trades WHERE channel = ? "
                                       "ORDER BY version, op",
                                       channel.id);
    while (rows.step()) {
        m_newest[channel.id] = {rows.uint64(0), static_cast<std::uint16_t>(rows.int64(1))};
        const auto instrument = feed_from_name(rows.text(2));
        const Bytes realised = rows.blob(5);
        if (!instrument || realised.size() != 32) continue;
        PositionBook& book = m_positions[{channel.id, *instrument}];
        book.quantity = rows.number<Quantity>(3);
        book.average = rows.number<Price>(4);
        book.realised16 = I256::from_be(std::span<const std::uint8_t, 32>(realised.data(), 32));
    }
    std::vector<HistoryItem> missed;
    const auto newest = m_newest[channel.id];
    for (HistoryCursor cursor;;) {
        const auto page = m_node.history(channel.id, cursor, kHistoryPage);
        if (!page) break;
        for (const HistoryItem& item : *page) {
            cursor = {item.version, item.index};
            if (std::pair(item.version, item.index) <= newest) break;
            if (item.agreed && item.version <= channel.agreed.state.version) missed.push_back(item);
        }
        if (page->size() < kHistoryPage || std::pair(cursor.version, cursor.index) <= newest) break;
    }
    for (auto it = missed.rbegin(); it != missed.rend(); ++it) {
        const auto fill = fill_of(channel, it->entry, it->version, it->index, it->timestamp_ms);
        if (fill) store(*fill);
    }
}

void Ledger::on_agreed(const Channel& channel, const OpAgreed& op) {
    if (std::pair(op.version, op.index) <= m_newest[channel.id]) return;  // taken up from history already
    const auto fill = fill_of(channel, op.entry, op.version, op.index, op.timestamp_ms);
    if (fill) store(*fill);
}

void Ledger::store(const Fill& fill) {
    m_positions[{fill.record.channel, fill.record.instrument}] = fill.after;
    m_newest[fill.record.channel] = {fill.record.version, fill.record.index};
    m_node.persist([fill](Database& db) { put(db, fill.record, fill.after); });
}

const PositionBook* Ledger::find(const ChannelId& id, const Feed& instrument) const {
    const auto it = m_positions.find({id, instrument});
    return it == m_positions.end() ? nullptr : &it->second;
}

std::vector<TradeRecord> Ledger::trades(const std::optional<ChannelId>& id, const Cursor& before, std::size_t limit) {
    const std::string columns = "SELECT channel, version, op, time_ms, kind, instrument, quantity, price, fee FROM trades WHERE ";
    const std::string order =
        "(time_ms, version, op) < (?, ?, ?) ORDER BY time_ms DESC, version DESC, op DESC LIMIT ?";
    const auto index = static_cast<std::int64_t>(before.index);
    Query rows = id ? m_node.reader().query(columns + "channel = ? AND " + order, *id, before.time_ms, before.version, index, limit)
                    : m_node.reader().query(columns + order, before.time_ms, before.version, index, limit);
    std::vector<TradeRecord> out;
    while (rows.step()) {
        TradeRecord r;
        r.channel = rows.fixed<ChannelId>(0);
        r.version = rows.uint64(1);
        r.index = static_cast<std::uint16_t>(rows.int64(2));
        r.time_ms = rows.uint64(3);
        r.kind = rows.text(4);
        r.instrument = feed_from_name(rows.text(5)).value_or(Feed{});
        r.quantity = rows.number<Quantity>(6);
        r.price = rows.number<Price>(7);
        r.fee = rows.number<Amount>(8);
        out.push_back(std::move(r));
    }
    return out;
}

}  // namespace hedgerow::daemon
