#include "daemon/market/ledger.h"

#include "channel/market/convert.h"
#include "channel/market/instrument.h"
#include "channel/market/payoff.h"
#include "channel/messages/stored_update.h"
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

/// What an op fills, seen from us, but for an expiry's quantity; nothing for ops that fill nothing.
std::optional<TradeRecord> fill_of(const Channel& channel, const OpEntry& entry) {
    const auto ours = [&](auto value) { return channel.me == Party::A ? value : -value; };
    TradeRecord out;
    if (const auto* trade = std::get_if<TradeOp>(&entry.op)) {
        out.kind = "trade";
        out.instrument = trade->instrument;
        out.quantity = ours(trade->quantity);
        out.price = trade->price;
        out.fee = ours(trade->fee);
    } else if (const auto* liquidate = std::get_if<LiquidateOp>(&entry.op)) {
        out.kind = "liquidation";
        out.instrument = liquidate->instrument;
        out.quantity = ours(liquidate->quantity);
        out.price = liquidate->price;
    } else if (const auto* expire = std::get_if<ExpireOp>(&entry.op)) {
        out.kind = "expiry";
        out.instrument = expire->instrument;
    } else {
        return std::nullopt;
    }
    return out;
}

}  // namespace

void Ledger::load() {
    Query rows = m_node.reader().query("SELECT channel, instrument, quantity, average_price, realised16 FROM books");
    while (rows.step()) {
        const auto instrument = feed_from_name(rows.text(1));
        const Bytes realised = rows.blob(4);
        if (!instrument || realised.size() != 32) continue;
        PositionBook& book = m_positions[{rows.fixed<ChannelId>(0), *instrument}];
        book.quantity = rows.number<Quantity>(2);
        book.average = rows.number<Price>(3);
        book.realised16 = I256::from_be(std::span<const std::uint8_t, 32>(realised.data(), 32));
    }
}

void Ledger::on_signed(const Channel& channel, const OpsAgreed& ops) {
    std::map<Feed, PositionBook*> touched;
    std::pair<Feed, PositionBook*> last;  // mostly the same instrument again
    FillsRow row{channel.id, ops.version, ops.timestamp_ms, {}, {}};
    for (std::size_t i = 0; i < ops.ops.size(); ++i) {
        auto fill = fill_of(channel, ops.ops[i]);
        if (!fill) continue;
        if (last.second == nullptr || last.first != fill->instrument) {
            last = {fill->instrument, &m_positions[{channel.id, fill->instrument}]};
            touched.insert(last);
        }
        PositionBook& book = *last.second;
        if (const auto* expire = std::get_if<ExpireOp>(&ops.ops[i].op)) {
            const auto definition = parse_instrument(feed_name(expire->instrument));
            if (!definition || book.quantity.is_zero()) continue;
            fill->quantity = -book.quantity;
            fill->price = payoff(definition->kind, definition->strike, expire->price);
            row.expiries.push_back({static_cast<std::uint16_t>(i), fill->quantity, fill->price});
        }
        book = book_after(book, fill->quantity, fill->price);
    }
    if (touched.empty()) return;
    for (const auto& [instrument, book] : touched) {
        const auto realised = book->realised16.to_be();
        row.books.push_back({feed_name(instrument), book->quantity, book->average, {realised.begin(), realised.end()}});
    }
    m_node.rows().put(row);
}

const PositionBook* Ledger::find(const ChannelId& id, const Feed& instrument) const {
    const auto it = m_positions.find({id, instrument});
    return it == m_positions.end() ? nullptr : &it->second;
}

/// The fills of one update with an index below `below`, newest first.
void Ledger::add_fills(const Channel& channel, std::uint64_t version, std::uint64_t time_ms, const OpList& ops, std::uint16_t below,
                       std::size_t limit, std::vector<TradeRecord>& out) {
    for (std::size_t i = std::min<std::size_t>(ops.size(), below); i-- > 0 && out.size() < limit;) {
        auto fill = fill_of(channel, ops[i]);
        if (!fill) continue;
        fill->channel = channel.id;
        fill->version = version;
        fill->index = static_cast<std::uint16_t>(i);
        fill->time_ms = time_ms;
        if (std::holds_alternative<ExpireOp>(ops[i].op)) {
            Query row = m_node.reader().query("SELECT quantity, price FROM expiries WHERE channel = ? AND version = ? AND op = ?", channel.id, version,
                                              static_cast<std::int64_t>(i));
            if (!row.step()) continue;  // nothing was held
            fill->quantity = row.number<Quantity>(0);
            fill->price = row.number<Price>(1);
        }
        out.push_back(std::move(*fill));
    }
}

std::vector<TradeRecord> Ledger::trades(const std::optional<ChannelId>& id, const Cursor& before, std::size_t limit) {
    const std::string columns =
        "SELECT f.channel, f.version, f.time_ms, u.body FROM fills f JOIN updates u ON u.channel = f.channel AND u.version = f.version WHERE ";
    const std::string order = "(f.time_ms, f.version) <= (?, ?) ORDER BY f.time_ms DESC, f.version DESC";
    Database& reader = m_node.up_to_date_reader();
    Query rows = id ? reader.query(columns + "f.channel = ? AND " + order, *id, before.time_ms, before.version)
                    : reader.query(columns + order, before.time_ms, before.version);
    std::vector<TradeRecord> out;
    while (out.size() < limit && rows.step()) {
        const Channel* channel = m_node.find(rows.fixed<ChannelId>(0));
        const auto update = decode_stored_update(rows.blob_view(3));
        if (channel == nullptr || !update) continue;
        const std::uint64_t version = rows.uint64(1), time_ms = rows.uint64(2);
        const bool at_cursor = time_ms == before.time_ms && version == before.version;
        add_fills(*channel, version, time_ms, update->ops, at_cursor ? before.index : 0xffff, limit, out);
    }
    return out;
}

}  // namespace hedgerow::daemon
