#pragma once

#include "tests/support/channel_pair.h"

namespace hedgerow::testing {

/// What one side's oracles say, as the test sets it.
struct TestPrices final : OwnPrices {
    std::map<Feed, Price> now;
    std::map<std::pair<Feed, std::uint64_t>, Price> past;

    [[nodiscard]] std::optional<Price> price(const Feed& of) const override {
        const auto found = now.find(of);
        return found == now.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] std::optional<Price> price_at(const Feed& of, std::uint64_t time_s, const Terms&) const override {
        const auto found = past.find({of, time_s});
        return found == past.end() ? std::nullopt : std::optional(found->second);
    }
    void set(const char* of, double price) { now[feed(of)] = usd(price); }
};

/// A dated future on BTC that expires in a day.
inline TradeOp dated(const Pair& pair, double quantity, double price) {
    TradeOp op = perp(quantity, price);
    op.instrument = feed("BTC_USD-26MAR27");
    op.expiry = pair.context.now_ms / 1000 / 10 * 10 + 86'400;
    return op;
}

}  // namespace hedgerow::testing
