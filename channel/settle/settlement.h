#pragma once

#include <functional>
#include <span>
#include <vector>

#include "channel/base/u256.h"
#include "channel/messages/typed.h"

/// The C++ twin of contract/Settlement.sol and of the order in which the Adjudicator applies it (spec 3.2 to 3.11): the
/// same integers from the same facts, shown by tests/evm. Only A's side is computed and B gets the rest, so nothing is
/// created or lost.
namespace hedgerow::channel {

inline constexpr std::uint64_t kPriceSlots = 8;       ///< slots after T whose price may stand for T's (spec 3.4)
inline constexpr std::uint64_t kPipelineWindow = 64;  ///< versions the leader may have in flight (spec 3.3)
inline constexpr std::uint64_t kMaxLead = 127;        ///< where `lead` saturates (spec 3.3)

/// What the contract holds of one asset of a channel (spec 3.1). Deposits are below 2^120 and never less, together,
/// than withdrawals.
struct Holdings {
    Amount deposit_a;
    Amount deposit_b;
    Amount withdrawn_a;
    Amount withdrawn_b;

    [[nodiscard]] Amount total() const { return deposit_a + deposit_b - withdrawn_a - withdrawn_b; }
    bool operator==(const Holdings&) const = default;
};

/// Valuation time T of a dispute that began at `start_s` (spec 3.2). price_slot_s > 0.
[[nodiscard]] std::uint64_t valuation_time(std::uint64_t start_s, std::uint32_t price_slot_s);
/// From when co-signed marks stand in for absent prices: T + 8 slots + grace (spec 3.5).
[[nodiscard]] std::uint64_t marks_time(std::uint64_t valuation_s, const Terms& terms);
/// max(end, latest lock expiry): when settle is due if no needed price is absent (spec 3.5).
[[nodiscard]] std::uint64_t settle_due_time(std::uint64_t end_s, const State& state);
/// newest - challenged version, at most 127. newest >= challenged.
[[nodiscard]] std::uint64_t dispute_lead(std::uint64_t newest_version, std::uint64_t challenged_version);
/// Spec 3.3: whether the challenger pays the penalty.
[[nodiscard]] bool is_stale(Party challenger, std::uint64_t lead);
/// Spec 3.6: registered (0: never) strictly before its expiry.
[[nodiscard]] bool is_lock_executed(const Lock& lock, std::uint64_t registered_s);
/// Spec 3.7: valued by its payoff at expiry rather than by its instrument's price at T.
[[nodiscard]] bool is_expired_at(const Position& position, std::uint64_t valuation_s);

/// Attested price of (feed, time) by at least the channel's threshold of its oracles, in (0, 2^96); nothing where
/// absent (spec 3.4).
using AttestedPrice = std::function<std::optional<Price>(const Feed& feed, std::uint64_t time_s)>;
/// When the preimage of a hash was registered on chain, seconds; 0: never.
using RegisteredTime = std::function<std::uint64_t(const LockHash& hash)>;

/// The earliest attested price at T, T + slot, ... T + 8 slots (spec 3.4).
[[nodiscard]] std::optional<Price> slot_price(const AttestedPrice& attested, const Feed& feed,
                                              std::uint64_t valuation_s, std::uint32_t price_slot_s);

/// Prices that a settlement may need, one a position (of its instrument at T, or of its underlying at expiry) and one
/// an asset (of its feed at T; not read where the feed is zero).
struct SettlementPrices {
    std::vector<std::optional<Price>> positions;
    std::vector<std::optional<Price>> assets;
};
[[nodiscard]] SettlementPrices find_prices(const Terms& terms, const State& state, std::uint64_t valuation_s,
                                           const AttestedPrice& attested);

/// All that the arithmetic depends on. `state` has passed the contract's check (spec 1.6; version 0 has empty lists),
/// and `holdings` has one row an asset.
struct SettlementCase {
    const Terms& terms;
    const State& state;
    std::span<const Holdings> holdings;
    std::span<const std::uint64_t> registered_s;  ///< per lock, 0 never
    const SettlementPrices& prices;
    std::uint64_t valuation_s = 0;
    std::uint64_t lead = 0;
    Party challenger = Party::A;
    bool marks_allowed = false;  ///< now >= marks_time: an absent price no longer waits
};

struct Settlement {
    bool price_missing = false;  ///< a needed price is absent and no mark may stand in yet: the rest is a forecast
    bool marks_used = false;     ///< a co-signed mark stood in for an absent price
    std::vector<Amount> a;       ///< A's payout per asset, within [0, total]
    std::vector<Amount> b;       ///< B's: total - a
    I256 pnl;                    ///< of A, in units of assets[0], before any clamp
    Amount penalty;              ///< moved from the challenger, of assets[0]
    U256 shortfall;              ///< of assets[0], left uncovered: the winner's loss
    std::optional<Party> loser;  ///< who fell short, covered or not
};
[[nodiscard]] Settlement settle_case(const SettlementCase& facts);

/// An open dispute as the chain records it.
struct OpenDispute {
    std::uint64_t end_s = 0;  ///< start + disputePeriod
    std::uint64_t lead = 0;
    Party challenger = Party::A;
};

enum class SettleStatus : std::uint8_t { due, waits_for_end, waits_for_price };

struct SettleAnswer {
    SettleStatus status = SettleStatus::due;
    std::uint64_t due_s = 0;  ///< not due before; for waits_for_price: from then on even without the price
    Settlement result;        ///< of status due; otherwise what it would be now with marks standing in
};

/// Whether the contract would settle at `now_s` (block timestamp), and to what (spec 3.5).
[[nodiscard]] SettleAnswer settle_at(const Terms& terms, const State& state, std::span<const Holdings> holdings,
                                     const OpenDispute& dispute, std::uint64_t now_s, const AttestedPrice& attested,
                                     const RegisteredTime& registered);

/// Spec 3.11: A's payout per asset of a cooperative close, or net_exceeds_holdings. `net` and `holdings` have one
/// length.
[[nodiscard]] Expected<std::vector<Amount>, Rule> cooperative_payout(std::span<const Amount> net,
                                                                     std::span<const Holdings> holdings);

}  // namespace hedgerow::channel
