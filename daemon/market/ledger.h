#pragma once

#include <map>

#include "daemon/market/market_types.h"
#include "daemon/store/database.h"

namespace hedgerow::daemon {

class Node;

/// Fills and entry prices, seen from this node: stored with the update that holds them.
class Ledger {
  public:
    explicit Ledger(Node& node) : m_node(node) {}

    /// Reads every position's entry price.
    void load();
    void on_signed(const channel::Channel& channel, const channel::OpsAgreed& ops);

    [[nodiscard]] const PositionBook* find(const channel::ChannelId& id, const channel::Feed& instrument) const;
    /// Newest first, at most `limit`, before `before` (time, version, op of the last one seen).
    struct Cursor {
        std::uint64_t time_ms = ~std::uint64_t{0} >> 1;
        std::uint64_t version = channel::kMaxVersion;
        std::uint16_t index = 0xffff;
    };
    [[nodiscard]] std::vector<TradeRecord> trades(const std::optional<channel::ChannelId>& id, const Cursor& before, std::size_t limit);

  private:
    void add_fills(const channel::Channel& channel, std::uint64_t version, std::uint64_t time_ms, const channel::OpList& ops, std::uint16_t below,
                   std::size_t limit, std::vector<TradeRecord>& out);

    Node& m_node;
    std::map<std::pair<channel::ChannelId, channel::Feed>, PositionBook> m_positions;
};

}  // namespace hedgerow::daemon
