#pragma once

#include "channel/messages/typed.h"

namespace hedgerow::channel {

/// Margin rates of everything on one underlying, basis points of notional.
struct RiskClass {
    Feed underlying;
    std::uint16_t initial_bps = 0;
    std::uint16_t maintenance_bps = 0;
    std::uint16_t penalty_bps = 0;  ///< what a liquidated party loses of the notional closed
    Quantity lot;                   ///< a close-out is rounded up to a multiple of it

    static constexpr auto fields() {
        return std::make_tuple(field("underlying", &RiskClass::underlying), field("initialBps", &RiskClass::initial_bps),
                               field("maintenanceBps", &RiskClass::maintenance_bps), field("penaltyBps", &RiskClass::penalty_bps),
                               field("lot", &RiskClass::lot));
    }
    bool operator==(const RiskClass&) const = default;
};

/// What both parties agreed about risk; part of every state's context (spec 4.9), changed only by a `terms` op.
struct RiskTerms {
    static constexpr std::size_t kMaxClasses = 16;

    List<RiskClass, kMaxClasses> classes;       ///< by underlying; what is not listed cannot be traded
    std::uint16_t funding_deadband_bps = 5;     ///< of the perpetual's premium, per 8 hours (spec 5.4)
    std::uint16_t funding_cap_bps = 50;         ///< greatest |rate| per 8 hours
    std::uint32_t ack_timeout_ms = 60'000;      ///< past three of them the leader challenges (spec 6.7)
    Usd16 max_in_doubt;                         ///< greatest worst-case loss over unacknowledged versions

    static constexpr auto fields() {
        return std::make_tuple(field("classes", &RiskTerms::classes), field("fundingDeadbandBps", &RiskTerms::funding_deadband_bps),
                               field("fundingCapBps", &RiskTerms::funding_cap_bps), field("ackTimeoutMs", &RiskTerms::ack_timeout_ms),
                               field("maxInDoubt", &RiskTerms::max_in_doubt));
    }
    [[nodiscard]] const RiskClass* find(const Feed& underlying) const {
        for (const RiskClass& c : classes) {
            if (c.underlying == underlying) return &c;
        }
        return nullptr;
    }
    bool operator==(const RiskTerms&) const = default;
};

}  // namespace hedgerow::channel
