#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>

#include "channel/machine/channel.h"

namespace hedgerow::daemon {

class PriceBook;

/// The price book as the core judges by it (spec 5.9): medians that are fresh now, and what the chain would take for a
/// past second. Each is looked up once a turn of the loop (`now_ms` moves), so that a batch of ops costs one look, the
/// past once a second. From any thread: channels are stepped beside one another.
class FreshPrices final : public channel::OwnPrices {
  public:
    FreshPrices(const PriceBook& book, std::function<std::uint64_t()> now_ms)
        : m_book(book), m_now_ms(std::move(now_ms)) {}

    [[nodiscard]] std::optional<channel::Price> price(const channel::Feed& feed) const override;
    [[nodiscard]] std::optional<channel::Price> price_at(const channel::Feed& feed, std::uint64_t time_s,
                                                         const channel::Terms& terms) const override;
    /// New packages are in the book.
    void forget();

  private:
    struct Past {
        channel::Feed feed;
        std::uint64_t time_s = 0;
        std::uint32_t threshold = 0;
        std::vector<channel::Address> oracles;
        auto operator<=>(const Past&) const = default;
    };

    const PriceBook& m_book;
    std::function<std::uint64_t()> m_now_ms;
    mutable std::mutex m_mutex;
    mutable std::uint64_t m_turn_ms = 0;  ///< of m_now
    mutable std::uint64_t m_past_s = 0;   ///< of m_past
    mutable std::unordered_map<channel::Feed, std::optional<channel::Price>, channel::FixedBytesHash> m_now;
    mutable std::map<Past, std::optional<channel::Price>> m_past;
};

}  // namespace hedgerow::daemon
