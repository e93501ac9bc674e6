#include "daemon/node/history.h"

#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

using channel::Amount;
using Net = channel::List<Amount, channel::kMaxAssets>;

namespace {

constexpr std::size_t kRowsAtOnce = 64;

/// Net before an update: after the update that it is built on, which is not always the version before (spec 6.7).
class NetBefore {
  public:
    NetBefore(Database& db, const channel::Channel& channel) : m_db(db), m_channel(channel) {}
    [[nodiscard]] Net operator()(std::uint64_t base) const {
        Net zero;
        zero.resize(m_channel.terms.assets.size());
        if (base == 0) return zero;
        const std::vector<UpdateRow> rows = updates_down_from(m_db, m_channel.id, base, 1);
        return rows.empty() || rows.front().update.version != base ? zero : rows.front().net;
    }

  private:
    Database& m_db;
    const channel::Channel& m_channel;
};

/// The ops of one update with their effects. What ops do not say themselves (variation, funding, fulfilled locks,
/// penalties) is what remains of the update's change of net, and stands at the last such op: exact per update, and per
/// op wherever an update holds one of them.
std::vector<HistoryItem> items_of(const UpdateRow& row, const Net& before, bool agreed) {
    std::vector<HistoryItem> items;
    Net rest = row.net;
    for (std::size_t a = 0; a < rest.size() && a < before.size(); ++a) rest[a] -= before[a];
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < row.update.ops.size(); ++i) {
        const channel::OpEntry& entry = row.update.ops[i];
        HistoryItem item{row.update.version,
                         static_cast<std::uint16_t>(i),
                         row.update.timestamp_ms,
                         agreed,
                         entry,
                         direct_effect(entry.op, rest.size())};
        for (std::size_t a = 0; a < rest.size(); ++a) rest[a] -= item.effect[a];
        if (moves_more(entry.op)) last = i;
        items.push_back(std::move(item));
    }
    if (!last) return items;
    for (std::size_t a = 0; a < rest.size(); ++a) items[*last].effect[a] += rest[a];
    return items;
}

}  // namespace

bool moves_more(const channel::Op& op) {
    return std::holds_alternative<channel::TradeOp>(op) || std::holds_alternative<channel::MarkOp>(op) ||
           std::holds_alternative<channel::FulfilOp>(op) || std::holds_alternative<channel::LiquidateOp>(op) ||
           std::holds_alternative<channel::ExpireOp>(op);
}

Net direct_effect(const channel::Op& op, std::size_t assets) {
    Net out;
    out.resize(assets);
    const auto add = [&](std::size_t asset, Amount amount) {
        if (asset < assets) out[asset] += amount;
    };
    if (const auto* pay = std::get_if<channel::PayOp>(&op)) add(pay->asset, pay->amount);
    if (const auto* trade = std::get_if<channel::TradeOp>(&op)) add(0, trade->fee);
    if (const auto* swap = std::get_if<channel::SwapOp>(&op)) {
        add(swap->give_asset, swap->give);
        add(swap->take_asset, swap->take);
    }
    return out;
}

std::vector<HistoryItem> read_history(Database& db, const channel::Channel& channel, HistoryCursor before,
                                      std::size_t limit) {
    std::vector<HistoryItem> out;
    const NetBefore net_before(db, channel);
    std::uint64_t version = before.version;
    while (out.size() < limit) {
        const std::vector<UpdateRow> rows = updates_down_from(db, channel.id, version, kRowsAtOnce);
        for (std::size_t r = 0; r < rows.size() && out.size() < limit; ++r) {
            const UpdateRow& row = rows[r];
            if (row.is_void) continue;
            const bool next_is_base = r + 1 < rows.size() && rows[r + 1].update.version == row.update.base;
            const bool agreed = row.update.version <= channel.agreed.state.version;
            std::vector<HistoryItem> items =
                items_of(row, next_is_base ? rows[r + 1].net : net_before(row.update.base), agreed);
            for (auto it = items.rbegin(); it != items.rend() && out.size() < limit; ++it) {
                if (it->version == before.version && it->index >= before.index) continue;
                out.push_back(std::move(*it));
            }
        }
        if (rows.size() < kRowsAtOnce || rows.back().update.version == 0) break;
        version = rows.back().update.version - 1;
    }
    return out;
}

}  // namespace hedgerow::daemon
