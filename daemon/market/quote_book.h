#pragma once

#include <map>
#include <optional>
#include <vector>

#include "channel/messages/peer.h"

namespace hedgerow::daemon {

/// A firm price that we gave (as maker) or got (as taker).
struct QuoteEntry {
    channel::ChannelId channel;
    channel::Op op;  ///< a SwapOp or TradeOp that names the quote; of a streamed one the quantity is the greatest
    std::uint64_t expires_ms = 0;
    bool streamed = false;       ///< may be taken in parts
    channel::Quantity left;      ///< of a streamed one, > 0
};

/// Quotes by id: those we issued bind us until they are used, replaced or expired; those we received can be accepted. Bounded: at the
/// bound the one that expires first goes.
class QuoteBook {
  public:
    static constexpr std::size_t kMaxQuotes = 16'384;

    void add(const channel::QuoteId& id, QuoteEntry entry);
    [[nodiscard]] const QuoteEntry* find(const channel::QuoteId& id) const;

    /// Uses an issued quote for `op` from that channel: Rule::none, and the quote (or that part of it) is gone; else quote_unknown,
    /// quote_expired, or quote_unavailable where the op is not what was offered.
    [[nodiscard]] channel::Rule take(const channel::ChannelId& channel, const channel::Op& op, std::uint64_t now_ms);

    void erase(const channel::QuoteId& id) { m_quotes.erase(id); }
    void erase_channel(const channel::ChannelId& channel);
    void clear() { m_quotes.clear(); }
    void expire(std::uint64_t now_ms);
    [[nodiscard]] std::size_t size() const { return m_quotes.size(); }

  private:
    std::map<channel::QuoteId, QuoteEntry> m_quotes;
};

/// The id of the quote that an op fills; nothing for other ops.
[[nodiscard]] const channel::QuoteId* quote_of(const channel::Op& op);

}  // namespace hedgerow::daemon
