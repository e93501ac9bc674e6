#include "daemon/market/quote_book.h"

namespace hedgerow::daemon {

using namespace channel;

const QuoteId* quote_of(const Op& op) {
    if (const auto* swap = std::get_if<SwapOp>(&op)) return &swap->quote;
    if (const auto* trade = std::get_if<TradeOp>(&op)) return &trade->quote;
    return nullptr;
}

void QuoteBook::add(const QuoteId& id, QuoteEntry entry) {
    if (m_quotes.size() >= kMaxQuotes) {
        const auto first = std::min_element(m_quotes.begin(), m_quotes.end(),
                                            [](const auto& a, const auto& b) { return a.second.expires_ms < b.second.expires_ms; });
        m_quotes.erase(first);
    }
    m_quotes[id] = std::move(entry);
}

const QuoteEntry* QuoteBook::find(const QuoteId& id) const {
    const auto it = m_quotes.find(id);
    return it == m_quotes.end() ? nullptr : &it->second;
}

namespace {

/// Whether `op` takes a part of the streamed offer: the same but for a quantity that is no larger.
bool is_part_of(const Op& op, const QuoteEntry& entry) {
    const auto* taken = std::get_if<TradeOp>(&op);
    const auto* offered = std::get_if<TradeOp>(&entry.op);
    if (taken == nullptr || offered == nullptr || taken->quantity.sign() != offered->quantity.sign()) return false;
    if (taken->quantity.abs() > entry.left) return false;
    TradeOp same = *taken;
    same.quantity = offered->quantity;
    return same == *offered;
}

}  // namespace

Rule QuoteBook::take(const ChannelId& channel, const Op& op, std::uint64_t now_ms) {
    const QuoteId* id = quote_of(op);
    if (id == nullptr || id->is_zero()) return Rule::quote_unknown;
    const auto it = m_quotes.find(*id);
    if (it == m_quotes.end() || it->second.channel != channel) return Rule::quote_unknown;
    QuoteEntry& entry = it->second;
    if (now_ms >= entry.expires_ms) return Rule::quote_expired;
    if (!entry.streamed) {
        if (op != entry.op) return Rule::quote_unavailable;
        m_quotes.erase(it);
        return Rule::none;
    }
    if (!is_part_of(op, entry)) return Rule::quote_unavailable;
    entry.left -= std::get<TradeOp>(op).quantity.abs();
    if (entry.left.is_zero()) m_quotes.erase(it);
    return Rule::none;
}

void QuoteBook::erase_channel(const ChannelId& channel) {
    std::erase_if(m_quotes, [&](const auto& item) { return item.second.channel == channel; });
}

void QuoteBook::expire(std::uint64_t now_ms) {
    std::erase_if(m_quotes, [&](const auto& item) { return now_ms >= item.second.expires_ms; });
}

}  // namespace hedgerow::daemon
