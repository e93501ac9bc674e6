#include "daemon/market/fresh_prices.h"

#include "daemon/oracle/price_book.h"

namespace hedgerow::daemon {

using namespace channel;

std::optional<Price> FreshPrices::price(const Feed& feed) const {
    const std::lock_guard lock(m_mutex);
    if (const std::uint64_t now_ms = m_now_ms(); now_ms != m_turn_ms) {
        m_turn_ms = now_ms;
        m_now.clear();
    }
    const auto [found, is_new] = m_now.try_emplace(feed);
    if (is_new) {
        if (const auto median = m_book.median(feed, m_turn_ms)) found->second = median->price;
    }
    return found->second;
}

std::optional<Price> FreshPrices::price_at(const Feed& feed, std::uint64_t time_s, const Terms& terms) const {
    const std::lock_guard lock(m_mutex);
    if (const std::uint64_t now_s = m_now_ms() / 1'000; now_s != m_past_s) {
        m_past_s = now_s;
        m_past.clear();
    }
    Past past{feed, time_s, terms.oracle_threshold, {terms.oracles.begin(), terms.oracles.end()}};
    const auto [found, is_new] = m_past.try_emplace(std::move(past));
    if (is_new) {
        if (const auto median = m_book.slot_price(feed, time_s, terms.oracle_threshold, terms.oracles))
            found->second = median->price;
    }
    return found->second;
}

void FreshPrices::forget() {
    const std::lock_guard lock(m_mutex);
    m_turn_ms = 0;
}

}  // namespace hedgerow::daemon
