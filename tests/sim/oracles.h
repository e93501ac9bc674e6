#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "channel/market/package.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/random.h"
#include "wallet/keys/private_key.h"

namespace hedgerow::sim {

/// Three oracles that sign RedStone packages of every feed at every slot, and their HTTP histories. Honest ones agree
/// on the price; at most one lies.
class Oracles {
  public:
    using Subscriber = std::function<void(const channel::Bytes& raw)>;
    static constexpr std::size_t kCount = 3;
    static constexpr std::uint8_t kThreshold = 2;

    Oracles(EventQueue& queue, Random random, std::uint64_t slot_s);

    [[nodiscard]] std::vector<channel::Address> addresses() const;  ///< ascending
    [[nodiscard]] std::uint64_t slot_s() const { return m_slot_s; }
    /// What every package goes to, some milliseconds after it was signed; by a number of the subscriber's own.
    void subscribe(std::uint64_t subscriber, Subscriber take) { m_subscribers[subscriber] = std::move(take); }
    void unsubscribe(std::uint64_t subscriber) { m_subscribers.erase(subscriber); }
    /// Signs and publishes the prices of this time, a multiple of the slot.
    void publish(std::uint64_t time_s);

    // Weather.
    void set_silent(std::size_t oracle, bool silent) { m_silent[oracle] = silent; }
    void set_lying(std::optional<std::size_t> oracle) { m_liar = oracle; }
    void set_late(std::uint64_t max_ms) { m_late_ms = max_ms; }
    void set_history_down(bool down) { m_history_down = down; }
    /// The price of everything falls by that much over the next slots.
    void crash_prices(std::uint64_t per_mille, std::uint64_t slots);

    /// Every package for (feed, time) that was ever published; empty while the histories are down.
    [[nodiscard]] std::vector<channel::Bytes> history(const channel::Feed& feed, std::uint64_t time_s) const;
    /// What all published packages of that time attest to: the lower median where at least two signed.
    [[nodiscard]] std::optional<channel::Price> true_price(const channel::Feed& feed, std::uint64_t time_s) const;

    [[nodiscard]] static const channel::Feed& btc();
    [[nodiscard]] static const channel::Feed& perpetual();
    [[nodiscard]] static const channel::Feed& eth();

  private:
    struct Published {
        channel::Bytes raw;
        std::map<channel::Feed, channel::Price> prices;
    };
    void move_prices();

    EventQueue& m_queue;
    Random m_random;
    const std::uint64_t m_slot_s;
    std::map<channel::Feed, channel::Price> m_prices;
    std::map<std::uint64_t, std::vector<Published>> m_published;  ///< by time
    std::map<std::uint64_t, Subscriber> m_subscribers;
    std::array<bool, kCount> m_silent{};
    std::optional<std::size_t> m_liar;
    std::uint64_t m_late_ms = 0;
    bool m_history_down = false;
    std::uint64_t m_fall_per_mille = 0;
    std::uint64_t m_fall_slots = 0;
};

}  // namespace hedgerow::sim
