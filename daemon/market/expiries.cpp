#include "daemon/market/expiries.h"

namespace hedgerow::daemon {

using namespace channel;

std::vector<ExpireOp> Expiries::due(const Channel& channel, std::uint64_t now_ms, const OwnPrices& prices,
                                    const Fetch& fetch) {
    std::vector<ExpireOp> out;
    for (const PositionEntry& entry : channel.tip().positions) {
        const Position& position = entry.position;
        if (position.expiry == 0 || now_ms / 1'000 < position.expiry) continue;
        std::uint64_t& next_ms = m_next_ms[position.instrument];
        if (next_ms == 0) next_ms = position.expiry * 1'000 + (channel.is_leader() ? kLeaderMs : kFollowerMs);
        if (now_ms < next_ms) continue;
        next_ms = now_ms + kAgainMs;
        if (fetch) fetch(position.underlying, position.expiry);
        if (const auto price = prices.price_at(position.underlying, position.expiry, channel.terms))
            out.push_back({position.instrument, *price});
    }
    return out;
}

}  // namespace hedgerow::daemon
