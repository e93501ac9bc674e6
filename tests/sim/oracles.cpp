#include "tests/sim/oracles.h"

#include <algorithm>

namespace hedgerow::sim {

using channel::Bytes;
using channel::Feed;
using channel::Int128;
using channel::Price;

namespace {

constexpr Int128 kUsd = 100'000'000;
constexpr Int128 kBasis = 10'000;

Price scaled(Price price, std::uint64_t basis_points) {
    return Price::from_raw(price.raw() * static_cast<Int128>(basis_points) / kBasis);
}

/// Signing is what worlds spend most on, and every world has the same three oracles.
const std::vector<wallet::PrivateKey>& keys() {
    static const std::vector<wallet::PrivateKey> kKeys = [] {
        std::vector<wallet::PrivateKey> out;
        for (std::uint8_t i = 1; i <= Oracles::kCount; ++i) {
            std::array<std::uint8_t, 32> secret{};
            secret.back() = i;
            secret.front() = 0x51;
            out.push_back(std::move(*wallet::PrivateKey::from_bytes(secret)));
        }
        std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.address() < b.address(); });
        return out;
    }();
    return kKeys;
}

}  // namespace

const Feed& Oracles::btc() {
    static const Feed feed = *channel::feed_from_name("BTC_USD");
    return feed;
}
const Feed& Oracles::perpetual() {
    static const Feed feed = *channel::feed_from_name("BTC_USD-PERPETUAL");
    return feed;
}
const Feed& Oracles::eth() {
    static const Feed feed = *channel::feed_from_name("ETH_USD");
    return feed;
}

Oracles::Oracles(EventQueue& queue, Random random, std::uint64_t slot_s)
    : m_queue(queue), m_random(random), m_slot_s(slot_s) {
    m_prices[btc()] = Price::from_raw(60'000 * kUsd);
    m_prices[perpetual()] = Price::from_raw(60'000 * kUsd);
    m_prices[eth()] = Price::from_raw(3'000 * kUsd);
}

std::vector<channel::Address> Oracles::addresses() const {
    std::vector<channel::Address> out;
    for (const wallet::PrivateKey& key : keys()) out.push_back(key.address());
    return out;
}

void Oracles::crash_prices(std::uint64_t per_mille, std::uint64_t slots) {
    m_fall_per_mille = per_mille;
    m_fall_slots = std::max<std::uint64_t>(slots, 1);
}

void Oracles::move_prices() {
    std::uint64_t fall = 0;
    if (m_fall_slots > 0) {
        fall = m_fall_per_mille * 10 / m_fall_slots;
        m_fall_per_mille -= fall / 10;
        --m_fall_slots;
    }
    for (const Feed& feed : {btc(), eth()}) {
        Price& price = m_prices.at(feed);
        price = scaled(price, 10'000 + m_random.below(41) - 20 - fall);
    }
    // The perpetual stays near its index.
    Price& perp = m_prices.at(perpetual());
    const Price index = m_prices.at(btc());
    perp = scaled(index, 10'000 + m_random.below(11) - 5);
    perp = Price::from_raw(perp.raw() - perp.raw() % (kUsd / 2));  // its tick
}

void Oracles::publish(std::uint64_t time_s) {
    move_prices();
    for (std::size_t i = 0; i < kCount; ++i) {
        if (m_silent[i]) continue;
        channel::SignedPackage package;
        package.data.timestamp_ms = time_s * 1000;
        Published published;
        for (const auto& [feed, price] : m_prices) {
            const Price said = m_liar == i ? scaled(price, m_random.chance(500) ? 7'000 : 13'000) : price;
            published.prices[feed] = said;
            package.data.points.push_back({feed, channel::U256(static_cast<channel::Uint128>(said.raw()))});
        }
        package.signature = keys()[i].sign(channel::package_digest(package.data));
        published.raw = channel::encode_signed_package(package);
        const std::uint64_t late = m_late_ms == 0 ? 0 : m_random.below(m_late_ms);
        for (const auto& [subscriber, take] : m_subscribers) {
            m_queue.after(late + m_random.between(5, 200), [this, subscriber = subscriber, raw = published.raw] {
                const auto found = m_subscribers.find(subscriber);
                if (found != m_subscribers.end()) found->second(raw);
            });
        }
        m_published[time_s].push_back(std::move(published));
    }
}

std::vector<Bytes> Oracles::history(const Feed& feed, std::uint64_t time_s) const {
    std::vector<Bytes> out;
    const auto found = m_published.find(time_s);
    if (m_history_down || found == m_published.end()) return out;
    for (const Published& published : found->second) {
        if (published.prices.contains(feed)) out.push_back(published.raw);
    }
    return out;
}

std::optional<Price> Oracles::true_price(const Feed& feed, std::uint64_t time_s) const {
    const auto found = m_published.find(time_s);
    if (found == m_published.end() || found->second.size() < kThreshold) return std::nullopt;
    std::vector<Price> prices;
    for (const Published& published : found->second) {
        const auto price = published.prices.find(feed);
        if (price != published.prices.end()) prices.push_back(price->second);
    }
    if (prices.size() < kThreshold) return std::nullopt;
    std::sort(prices.begin(), prices.end());
    return prices[(prices.size() - 1) / 2];
}

}  // namespace hedgerow::sim
