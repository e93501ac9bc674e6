#pragma once

#include <map>

#include "daemon/market/market_types.h"
#include "daemon/store/database.h"

namespace hedgerow::daemon {

class Node;

/// Fills and entry prices, seen from this node. What is stored is derived from agreed ops, so after a crash the part that had not been
/// written is taken from the channel's history again.
class Ledger {
  public:
    explicit Ledger(Node& node) : m_node(node) {}

    /// Reads a channel's stored fills and takes up later ones from its history.
    void load(const channel::Channel& channel);
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op);

    [[nodiscard]] const PositionBook* find(const channel::ChannelId& id, const channel::Feed& instrument) const;
    /// Newest first, at most `limit`, before `before` (time, version, op of the last one seen).
    struct Cursor {
        std::uint64_t time_ms = ~std::uint64_t{0} >> 1;
        std::uint64_t version = channel::kMaxVersion;
        std::uint16_t index = 0xffff;
    };
    [[nodiscard]] std::vector<TradeRecord> trades(const std::optional<channel::ChannelId>& id, const Cursor& before, std::size_t limit);

  private:
    struct Fill {
        TradeRecord record;
        PositionBook after;
    };
    /// The fill that an op is to us, with the position after it; nothing for ops that are none.
    [[nodiscard]] std::optional<Fill> fill_of(const channel::Channel& channel, const channel::OpEntry& entry, std::uint64_t version,
                                              std::uint16_t index, std::uint64_t time_ms);
    void store(const Fill& fill);

    Node& m_node;
    std::map<std::pair<channel::ChannelId, channel::Feed>, PositionBook> m_positions;
    std::map<channel::ChannelId, std::pair<std::uint64_t, std::uint16_t>> m_newest;  ///< (version, op) of the last fill taken up
};

}  // namespace hedgerow::daemon
