#include "channel/settle/settlement.h"

#include <algorithm>

#include "channel/market/convert.h"
#include "channel/market/payoff.h"

namespace hedgerow::channel {

namespace {

constexpr Price kOneUsd = Price::from_raw(100'000'000);
constexpr Uint128 kBps = 10'000;

U256 unsigned_of(Amount amount) {
    ASSERT(amount.raw() >= 0);
    return {static_cast<Uint128>(amount.raw())};
}
U256 unsigned_of(Price price) {
    ASSERT(price.raw() >= 0);
    return {static_cast<Uint128>(price.raw())};
}
Amount amount_of(const U256& value) {
    const auto raw = value.to_i128();
    ASSERT(raw.has_value());
    return Amount::from_raw(*raw);
}

/// A settlement in the making: A's balances may still lie outside [0, total].
struct Draft {
    std::vector<I256> a;
    std::vector<Amount> total;
    bool absent = false;  // a needed price is
};

Amount base_balance(const Holdings& held, Amount net) {
    return held.deposit_a - held.withdrawn_a - net;
}

/// Spec 3.6.
Draft base_balances(const SettlementCase& facts) {
    const auto& net = facts.state.net;
    ASSERT(facts.holdings.size() == facts.terms.assets.size());
    ASSERT(net.size() == facts.terms.assets.size() || (net.empty() && facts.state.version == 0));
    ASSERT(facts.registered_s.size() == facts.state.locks.size());
    Draft out;
    for (std::size_t i = 0; i < facts.holdings.size(); ++i) {
        const Amount owed = net.empty() ? Amount() : net[i];
        out.a.emplace_back(base_balance(facts.holdings[i], owed).raw());
        out.total.push_back(facts.holdings[i].total());
        ASSERT(out.total.back().raw() >= 0);
    }
    for (std::size_t i = 0; i < facts.state.locks.size(); ++i) {
        const Lock& lock = facts.state.locks[i];
        if (!is_lock_executed(lock, facts.registered_s[i])) continue;
        ASSERT(lock.asset < out.a.size());
        out.a[lock.asset] = out.a[lock.asset] - I256(lock.amount.raw());
    }
    return out;
}

bool lacks_price(const SettlementCase& facts, const Feed& underlying) {
    for (std::size_t i = 0; i < facts.state.positions.size(); ++i) {
        if (!facts.prices.positions[i] && facts.state.positions[i].underlying == underlying) return true;
    }
    return false;
}

/// Spec 3.7: profit of A in USD 1e-16. Where one position lacks its price, all on that underlying count nothing.
I256 profit16(const SettlementCase& facts, bool& absent) {
    const auto& positions = facts.state.positions;
    ASSERT(facts.prices.positions.size() == positions.size());
    I256 sum;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        const Position& position = positions[i];
        if (lacks_price(facts, position.underlying)) {
            absent = true;
            continue;
        }
        const Price found = *facts.prices.positions[i];
        const bool expired = is_expired_at(position, facts.valuation_s);
        const Price value = expired ? payoff(position.kind, position.strike, found) : found;
        sum = sum + pnl16(position.quantity, value, position.mark);
    }
    return sum;
}

/// The price that stands for asset i (spec 3.7, 3.8), and in `absent` whether it is only its mark.
Price asset_price(const SettlementCase& facts, std::size_t i, bool& absent) {
    ASSERT(facts.prices.assets.size() == facts.terms.assets.size());
    if (facts.terms.assets[i].feed.is_zero()) return kOneUsd;
    if (facts.prices.assets[i]) return *facts.prices.assets[i];
    absent = true;
    ASSERT(i < facts.state.asset_marks.size());
    return facts.state.asset_marks[i];
}

/// Spec 3.8: what assets[0] falls short by, and of whom; clamps all balances.
struct Shortfall {
    std::optional<Party> loser;
    U256 units;
};

Shortfall clamp_balances(Draft& draft) {
    Shortfall out;
    const I256 total(draft.total[0].raw());
    if (draft.a[0].sign() < 0) {
        out = {Party::A, draft.a[0].magnitude};
    } else if (draft.a[0] > total) {
        out = {Party::B, (draft.a[0] - total).magnitude};
    }
    for (std::size_t i = 0; i < draft.a.size(); ++i) {
        draft.a[i] = std::clamp(draft.a[i], I256(), I256(draft.total[i].raw()));
    }
    return out;
}

/// Spec 3.8: num and den, whose quotient is how many units of asset i stand for one unit of assets[0], haircut taken.
struct CoverRate {
    U256 num;
    U256 den;
};

CoverRate cover_rate(const SettlementCase& facts, std::size_t i, bool& absent) {
    const Asset& first = facts.terms.assets[0];
    const Asset& asset = facts.terms.assets[i];
    const U256 price0 = unsigned_of(asset_price(facts, 0, absent));
    const U256 price_i = unsigned_of(asset_price(facts, i, absent));
    return {price0 * U256(pow10(asset.decimals)) * U256(kBps),
            U256(pow10(first.decimals)) * price_i * U256(kBps - asset.haircut_bps)};
}

/// Spec 3.8: covers the shortfall from the loser's other assets, in order.
void cover(const SettlementCase& facts, Draft& draft, Shortfall& shortfall) {
    if (!shortfall.loser || facts.state.version == 0) return;  // version 0 has no marks and no positions
    const bool loser_is_a = *shortfall.loser == Party::A;
    for (std::size_t i = 1; i < draft.a.size() && !shortfall.units.is_zero(); ++i) {
        const U256 total = unsigned_of(draft.total[i]);
        const U256 have = loser_is_a ? draft.a[i].magnitude : total - draft.a[i].magnitude;
        if (have.is_zero() || facts.terms.assets[i].haircut_bps == kBps) continue;
        const CoverRate rate = cover_rate(facts, i, draft.absent);
        const auto wanted = mul_div_ceil(shortfall.units, rate.num, rate.den);
        const U256 take = wanted && *wanted < have ? *wanted : have;
        if (take < have) {
            shortfall.units = U256();
        } else {
            // A quotient of 2^256 or more covers any shortfall.
            const auto covered = mul_div_floor(take, rate.den, rate.num);
            shortfall.units = covered && *covered < shortfall.units ? shortfall.units - *covered : U256();
        }
        const I256 moved(loser_is_a, take);
        draft.a[i] = draft.a[i] + moved;
    }
}

/// Spec 3.9: what moves from a stale challenger.
Amount penalty_of(const SettlementCase& facts, Amount a0, Amount total0) {
    if (!is_stale(facts.challenger, facts.lead)) return {};
    return std::min(facts.terms.stale_penalty, facts.challenger == Party::A ? a0 : total0 - a0);
}

}  // namespace

std::uint64_t valuation_time(std::uint64_t start_s, std::uint32_t price_slot_s) {
    ASSERT(price_slot_s > 0);
    return (start_s / price_slot_s + 2) * price_slot_s;
}

std::uint64_t marks_time(std::uint64_t valuation_s, const Terms& terms) {
    return valuation_s + kPriceSlots * terms.price_slot + terms.price_grace;
}

std::uint64_t settle_due_time(std::uint64_t end_s, const State& state) {
    for (const Lock& lock : state.locks) end_s = std::max(end_s, lock.expiry);
    return end_s;
}

std::uint64_t dispute_lead(std::uint64_t newest_version, std::uint64_t challenged_version) {
    ASSERT(newest_version >= challenged_version);
    return std::min(newest_version - challenged_version, kMaxLead);
}

bool is_stale(Party challenger, std::uint64_t lead) {
    return lead > (challenger == Party::A ? kPipelineWindow : 0);
}

bool is_lock_executed(const Lock& lock, std::uint64_t registered_s) {
    return registered_s != 0 && registered_s < lock.expiry;
}

bool is_expired_at(const Position& position, std::uint64_t valuation_s) {
    return position.expiry != 0 && position.expiry <= valuation_s;
}

std::optional<Price> slot_price(const AttestedPrice& attested, const Feed& feed, std::uint64_t valuation_s,
                                std::uint32_t price_slot_s) {
    for (std::uint64_t i = 0; i <= kPriceSlots; ++i) {
        if (const auto price = attested(feed, valuation_s + i * price_slot_s)) return price;
    }
    return std::nullopt;
}

SettlementPrices find_prices(const Terms& terms, const State& state, std::uint64_t valuation_s,
                             const AttestedPrice& attested) {
    SettlementPrices out;
    for (const Position& position : state.positions) {
        out.positions.push_back(is_expired_at(position, valuation_s)
                                    ? attested(position.underlying, position.expiry)
                                    : slot_price(attested, position.instrument, valuation_s, terms.price_slot));
    }
    for (const Asset& asset : terms.assets) {
        out.assets.push_back(asset.feed.is_zero() ? std::nullopt
                                                  : slot_price(attested, asset.feed, valuation_s, terms.price_slot));
    }
    return out;
}

Settlement settle_case(const SettlementCase& facts) {
    Draft draft = base_balances(facts);
    Settlement out;
    if (!facts.state.positions.empty()) {
        const I256 sum = profit16(facts, draft.absent);
        const Price price0 = asset_price(facts, 0, draft.absent);
        out.pnl = usd16_to_units_toward_zero(sum, price0, facts.terms.assets[0].decimals);
        draft.a[0] = draft.a[0] + out.pnl;
    }
    Shortfall shortfall = clamp_balances(draft);
    cover(facts, draft, shortfall);
    out.loser = shortfall.loser;
    out.shortfall = shortfall.units;
    out.marks_used = draft.absent;
    out.price_missing = draft.absent && !facts.marks_allowed;
    for (std::size_t i = 0; i < draft.a.size(); ++i) out.a.push_back(amount_of(draft.a[i].magnitude));
    out.penalty = penalty_of(facts, out.a[0], draft.total[0]);
    out.a[0] += facts.challenger == Party::A ? -out.penalty : out.penalty;
    for (std::size_t i = 0; i < draft.a.size(); ++i) {
        out.b.push_back(draft.total[i] - out.a[i]);
        ASSERT(out.a[i].raw() >= 0 && out.b[i].raw() >= 0);
    }
    return out;
}

SettleAnswer settle_at(const Terms& terms, const State& state, std::span<const Holdings> holdings,
                       const OpenDispute& dispute, std::uint64_t now_s, const AttestedPrice& attested,
                       const RegisteredTime& registered) {
    ASSERT(dispute.end_s >= terms.dispute_period);
    const std::uint64_t valuation_s = valuation_time(dispute.end_s - terms.dispute_period, terms.price_slot);
    const std::uint64_t marks_s = marks_time(valuation_s, terms);
    const SettlementPrices prices = find_prices(terms, state, valuation_s, attested);
    std::vector<std::uint64_t> registered_s;
    for (const Lock& lock : state.locks) registered_s.push_back(registered(lock.hash));
    SettleAnswer out;
    out.due_s = settle_due_time(dispute.end_s, state);
    out.result = settle_case({.terms = terms,
                              .state = state,
                              .holdings = holdings,
                              .registered_s = registered_s,
                              .prices = prices,
                              .valuation_s = valuation_s,
                              .lead = dispute.lead,
                              .challenger = dispute.challenger,
                              .marks_allowed = now_s >= marks_s});
    if (now_s < out.due_s) {
        out.status = SettleStatus::waits_for_end;
    } else if (out.result.price_missing) {
        out.status = SettleStatus::waits_for_price;
        out.due_s = marks_s;
    }
    return out;
}

Expected<std::vector<Amount>, Rule> cooperative_payout(std::span<const Amount> net,
                                                       std::span<const Holdings> holdings) {
    ASSERT(net.size() == holdings.size());
    std::vector<Amount> out;
    for (std::size_t i = 0; i < holdings.size(); ++i) {
        const Amount a = base_balance(holdings[i], net[i]);
        if (a.raw() < 0 || a > holdings[i].total()) return Unexpected{Rule::net_exceeds_holdings};
        out.push_back(a);
    }
    return out;
}

}  // namespace hedgerow::channel
