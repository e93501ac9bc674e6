#include "channel/machine/apply.h"

#include "channel/crypto/keccak.h"
#include "channel/market/convert.h"
#include "channel/market/funding.h"
#include "channel/market/payoff.h"

namespace hedgerow::channel {

namespace {

/// What usd16_to_units_toward_zero takes; far above what any net within its limits can be worth.
constexpr int kMaxUsd16Bits = 222;

/// Deposits that both sides have seen; withdrawals that either has (spec 4.3).
Amount usable_deposit(const Channel& channel, Party party, std::size_t asset) {
    return std::min(channel.funds_seen.deposit(party)[asset], channel.funds_peer.deposit(party)[asset]);
}
Amount known_withdrawn(const Channel& channel, Party party, std::size_t asset) {
    return std::max(channel.funds_seen.withdrawn(party)[asset], channel.funds_peer.withdrawn(party)[asset]);
}
/// What no reorganisation or lie can take back from a right to withdraw: both have seen it used.
Amount surely_withdrawn(const Channel& channel, Party party, std::size_t asset) {
    return std::min(channel.funds_seen.withdrawn(party)[asset], channel.funds_peer.withdrawn(party)[asset]);
}

bool lapsed(const Context& context, std::uint64_t deadline) { return context.confirmed_chain_time_s >= deadline; }

/// The positions and balances of one party, laid out for margin_of.
class Account {
  public:
    Account(const Context& context, const Channel& channel, const ChannelState& state, Party party, FundsView funds = FundsView::both)
        : m_view{.balances = {}, .assets = channel.terms.assets, .asset_prices = {}, .positions = {}, .terms = state.risk} {
        const std::size_t n = channel.terms.assets.size();
        for (std::size_t i = 0; i < n; ++i) {
            m_balances[i] = available_of(context, channel, state, party, i, funds);
            m_prices[i] = asset_price(channel.terms, state, i);
        }
        for (std::size_t i = 0; i < state.positions.size(); ++i) {
            const PositionEntry& e = state.positions[i];
            m_positions[i] = {&e.position, party == Party::A ? e.position.quantity : -e.position.quantity, e.position.mark, e.funding_index};
        }
        m_view.balances = std::span(m_balances).first(n);
        m_view.asset_prices = std::span(m_prices).first(n);
        m_view.positions = std::span(m_positions).first(state.positions.size());
    }
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    [[nodiscard]] const AccountView& view() const { return m_view; }
    /// Revalues everything at our own prices (spec 5.9). What has none stays at its mark if it is a position or assets[0], and counts for
    /// nothing if it is other collateral.
    struct Unpriced {
        bool any = false;
        I256 initial16;  ///< initial margin of the positions without a price
    };
    [[nodiscard]] Unpriced value_at(const OwnPrices& prices, const Terms& terms, std::uint64_t now_s);

  private:
    std::array<Amount, kMaxAssets> m_balances{};
    std::array<Price, kMaxAssets> m_prices{};
    std::array<PositionView, kMaxPositions> m_positions{};
    AccountView m_view;
};

Account::Unpriced Account::value_at(const OwnPrices& prices, const Terms& terms, std::uint64_t now_s) {
    Unpriced out;
    for (std::size_t i = 0; i < m_view.assets.size(); ++i) {
        const Asset& asset = terms.assets[i];
        if (asset.feed.is_zero() || m_balances[i].sign() <= 0 || (i > 0 && asset.haircut_bps >= 10'000)) continue;
        const auto price = prices.price(asset.feed);
        if (price) {
            m_prices[i] = *price;
        } else {
            out.any = true;
            if (i > 0) m_balances[i] = {};
        }
    }
    for (std::size_t i = 0; i < m_view.positions.size(); ++i) {
        PositionView& view = m_positions[i];
        if (view.position->kind == Kind::call || view.position->kind == Kind::put) {  // the margin of no other kind asks for it
            if (const auto underlying = prices.price(view.position->underlying)) view.underlying_price = *underlying;
        }
        if (const auto value = own_value(prices, terms, *view.position, now_s)) {
            view.price = *value;
        } else {
            out.any = true;
            out.initial16 = out.initial16 + requirement_of(view, m_view.terms).initial16;
        }
    }
    return out;
}

/// What an op does with the value of the party that it comes from.
enum class Effort : std::uint8_t {
    pay,       ///< hands it to us: payments, locks
    add_risk,  ///< trades that do not only reduce, swaps
    withdraw,  ///< takes it out for good
};

/// The other side at our own prices, for the co-signed marks may be old, and were perhaps moved one-sidedly (spec 5.9).
Rule check_account(const OpScope& scope, Account& account, Effort effort) {
    const Account::Unpriced unpriced = account.value_at(*scope.context.prices, scope.channel.terms, scope.timestamp_ms / 1000);
    const Margin margin = margin_of(account.view());
    switch (effort) {
        case Effort::pay:
            if (margin.breaches_maintenance()) return Rule::initial_margin;
            return margin.equity16 < margin.maintenance16 + unpriced.initial16 ? Rule::price_missing : Rule::none;
        case Effort::add_risk:
            if (unpriced.any) return Rule::price_missing;
            return margin.breaches_maintenance() ? Rule::initial_margin : Rule::none;
        case Effort::withdraw:
            if (unpriced.any) return Rule::price_missing;
            return margin.meets_initial() ? Rule::none : Rule::withdraw_margin;
    }
    ASSERT(false && "effort");
    return Rule::none;
}

bool judged_at_own_prices(const OpScope& scope, const ChannelState& state, Party party) {
    return scope.context.prices != nullptr && party != scope.channel.me && !state.positions.empty();
}

bool meets_initial(const OpScope& scope, const ChannelState& state, Party party) {
    return state.positions.empty() || state_margin(scope.context, scope.channel, state, party).meets_initial();
}

/// Initial margin now, and as it will be once the position is marked at the price of the trade: what a stale mark credits now is not
/// margin (spec 5.3).
Rule check_trader(const OpScope& scope, const ChannelState& state, Party party, const TradeOp& op) {
    Account account(scope.context, scope.channel, state, party);
    const Margin margin = margin_of(account.view());
    if (!margin.meets_initial()) return Rule::initial_margin;
    const PositionEntry* entry = state.find_position(op.instrument);
    ASSERT(entry != nullptr);  // what does not only reduce leaves a position
    const auto index = static_cast<std::size_t>(entry - state.positions.data());
    if (op.price != entry->position.mark && !with_price(margin, account.view(), index, op.price).meets_initial()) return Rule::initial_margin;
    return judged_at_own_prices(scope, state, party) ? check_account(scope, account, Effort::add_risk) : Rule::none;
}

/// After `party` gave something of an asset away: it must still own that much, keep the penalty reserve and its margin.
Rule check_spent(const OpScope& scope, const ChannelState& state, Party party, std::size_t asset, Effort effort) {
    const Amount left = available_of(scope.context, scope.channel, state, party, asset);
    if (left.sign() < 0) return Rule::insufficient_balance;
    if (asset == 0 && left < scope.channel.terms.stale_penalty) return Rule::balance_below_penalty;
    if (!meets_initial(scope, state, party)) return Rule::initial_margin;
    if (!judged_at_own_prices(scope, state, party)) return Rule::none;
    Account account(scope.context, scope.channel, state, party);
    return check_account(scope, account, effort);
}

/// Moves USD 1e-16 to A (negative: to B) in units of assets[0]; what rounding keeps back stays in the residue (spec 4.7).
Rule credit_usd16(const Channel& channel, ChannelState& state, const I256& usd16) {
    const Price price = asset_price(channel.terms, state, 0);
    const int decimals = channel.terms.assets[0].decimals;
    const I256 due = usd16 + I256(state.residue.raw());
    if (due.magnitude.bits() >= kMaxUsd16Bits) return Rule::net_out_of_range;
    const I256 units = usd16_to_units_toward_zero(due, price, decimals);
    if (units.magnitude.bits() > kNetBits) return Rule::net_out_of_range;
    const Amount moved = Amount::from_raw(*units.to_i128());
    const Amount net = state.net[0] - moved;
    if (!net.within_bits(kNetBits)) return Rule::net_out_of_range;
    const I256 worth = units_to_usd16_toward_zero(units, price, decimals);
    const auto residue = (due - worth).to_i128();
    ASSERT(residue.has_value());  // less than one unit of assets[0] is worth: below 2^96 * 10^8
    state.net[0] = net;
    state.residue = Usd16::from_raw(*residue);
    return Rule::none;
}

/// Funding that the holder of A's side owes (spec 5.4), USD 1e-16, rounded once and on the whole position: rounded on one unit of a cheap
/// underlying, marks that follow each other closely would leave nothing of it.
I256 funding_owed16(const PositionEntry& entry, std::uint64_t until_ms) {
    // |quantity|, index < 2^96, |rate| < 2^43, elapsed < 2^64: the first product stays below 2^203, the result below 2^235.
    const I256 over_time = I256(entry.position.quantity.raw()) * I256(entry.funding_rate_e12) * I256(false, U256(until_ms - entry.funded_until_ms));
    const Uint128 period = static_cast<Uint128>(1'000'000'000'000) * kFundingPeriodMs;
    return mul_div_toward_zero(over_time, U256(static_cast<Uint128>(entry.funding_index.raw())), U256(period));
}

bool is_perpetual(const Position& position) { return position.kind == Kind::linear && position.expiry == 0; }

/// Variation from the old mark to `price`, and funding since the last time, into net; the position is then marked at `price`.
Rule settle_position(const OpScope& scope, ChannelState& state, PositionEntry& entry, Price price) {
    Position& position = entry.position;
    I256 to_a = pnl16(position.quantity, price, position.mark);
    if (is_perpetual(position) && !entry.funding_index.is_zero() && scope.timestamp_ms > entry.funded_until_ms) {
        to_a = to_a - funding_owed16(entry, scope.timestamp_ms);
    }
    if (const Rule rule = credit_usd16(scope.channel, state, to_a); rule != Rule::none) return rule;
    position.mark = price;
    entry.funded_until_ms = scope.timestamp_ms;
    entry.changed();
    return Rule::none;
}

bool valid_price(Price price) { return price.sign() > 0 && price.within_bits(kMarketBits); }

// --- pay, swap ------------------------------------------------------------------------------------------------------

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const PayOp& op) {
    if (op.asset >= state.net.size()) return Rule::asset_out_of_range;
    if (op.amount.is_zero()) return Rule::amount_must_be_positive;
    if (!op.amount.within_bits(kMarketBits)) return Rule::amount_out_of_range;
    const Party payer = op.amount.sign() > 0 ? Party::A : Party::B;
    if (payer != origin) return Rule::payer_not_origin;
    const Amount before = state.net[op.asset];
    state.net[op.asset] += op.amount;
    Rule rule = state.net[op.asset].within_bits(kNetBits) ? Rule::none : Rule::net_out_of_range;
    if (rule == Rule::none) rule = check_spent(scope, state, payer, op.asset, Effort::pay);
    if (rule != Rule::none) state.net[op.asset] = before;
    return rule;
}

Rule apply(const OpScope& scope, ChannelState& state, Party, const SwapOp& op) {
    const std::size_t n = state.net.size();
    if (op.give_asset >= n || op.take_asset >= n || op.give_asset == op.take_asset) return Rule::asset_out_of_range;
    if (op.give.sign() * op.take.sign() >= 0) return Rule::amount_must_be_positive;
    if (!op.give.within_bits(kMarketBits) || !op.take.within_bits(kMarketBits)) return Rule::amount_out_of_range;
    const Amount give_before = state.net[op.give_asset];
    const Amount take_before = state.net[op.take_asset];
    state.net[op.give_asset] += op.give;
    state.net[op.take_asset] += op.take;
    const Party giver = op.give.sign() > 0 ? Party::A : Party::B;
    Rule rule = Rule::none;
    if (!state.net[op.give_asset].within_bits(kNetBits) || !state.net[op.take_asset].within_bits(kNetBits)) rule = Rule::net_out_of_range;
    if (rule == Rule::none) rule = check_spent(scope, state, giver, op.give_asset, Effort::add_risk);
    if (rule == Rule::none) rule = check_spent(scope, state, other(giver), op.take_asset, Effort::add_risk);
    if (rule != Rule::none) {
        state.net[op.give_asset] = give_before;
        state.net[op.take_asset] = take_before;
    }
    return rule;
}

// --- positions ------------------------------------------------------------------------------------------------------

/// Puts net, residue and positions back unless `keep()` was called: trades touch several things before the margin is known.
class PositionUndo {
  public:
    PositionUndo(ChannelState& state, const Feed& instrument) : m_state(state), m_net(state.net[0]), m_residue(state.residue) {
        const PositionEntry* entry = state.find_position(instrument);
        m_existed = entry != nullptr;
        if (m_existed) m_index = static_cast<std::size_t>(entry - state.positions.data());
        if (m_existed) m_before = *entry;
    }
    ~PositionUndo() {
        if (m_kept) return;
        m_state.net[0] = m_net;
        m_state.residue = m_residue;
        if (!m_existed) {
            m_state.positions.edit().resize(m_size);
        } else if (m_state.positions.size() < m_size) {
            auto& positions = m_state.positions.edit();
            positions.insert(positions.begin() + static_cast<std::ptrdiff_t>(m_index), m_before);
        } else {
            m_state.positions.edit()[m_index] = m_before;
        }
    }
    PositionUndo(const PositionUndo&) = delete;
    PositionUndo& operator=(const PositionUndo&) = delete;
    void keep() { m_kept = true; }

  private:
    ChannelState& m_state;
    Amount m_net;
    Usd16 m_residue;
    PositionEntry m_before;
    std::size_t m_index = 0;
    std::size_t m_size = m_state.positions.size();
    bool m_existed = false;
    bool m_kept = false;
};

void change_quantity(ChannelState& state, PositionEntry& entry, Quantity change) {
    entry.position.quantity += change;
    if (entry.position.quantity.is_zero()) {
        auto& positions = state.positions.edit();
        positions.erase(positions.begin() + (&entry - positions.data()));
    } else {
        entry.changed();
    }
}

Rule check_trade(const OpScope& scope, const ChannelState& state, const TradeOp& op) {
    if (op.kind != Kind::linear) return Rule::kind_unsupported;
    if (!op.strike.is_zero() || op.instrument.is_zero() || op.underlying.is_zero()) return Rule::instrument_mismatch;
    if (state.risk.find(op.underlying) == nullptr) return Rule::instrument_unknown;
    if (op.quantity.is_zero()) return Rule::quantity_zero;
    if (!op.quantity.within_bits(kMarketBits)) return Rule::quantity_out_of_range;
    if (!valid_price(op.price)) return Rule::price_out_of_range;
    if (!op.fee.within_bits(kMarketBits)) return Rule::fee_out_of_range;
    if (op.expiry != 0 && op.expiry <= scope.timestamp_ms / 1000) return Rule::instrument_expired;
    if (op.expiry % scope.channel.terms.price_slot != 0 || op.expiry > kMaxExpiry) return Rule::instrument_mismatch;
    const PositionEntry* entry = state.find_position(op.instrument);
    if (entry == nullptr) return state.positions.size() < kMaxPositions ? Rule::none : Rule::position_limit;
    const Position& p = entry->position;
    const bool same = p.underlying == op.underlying && p.kind == op.kind && p.expiry == op.expiry && p.strike == op.strike;
    if (!same) return Rule::instrument_mismatch;
    return (p.quantity + op.quantity).within_bits(kMarketBits) ? Rule::none : Rule::quantity_out_of_range;
}

/// The position after the trade; dealing at `price` in a position that is marked elsewhere pays the difference at once.
Rule trade_position(const OpScope& scope, ChannelState& state, const TradeOp& op) {
    PositionEntry* entry = state.edit_position(op.instrument);
    if (entry == nullptr) {
        PositionEntry& fresh = state.positions.edit().emplace_back();
        fresh.position = {op.instrument, op.underlying, op.kind, op.expiry, op.strike, op.quantity, op.price};
        fresh.funded_until_ms = scope.timestamp_ms;
        return Rule::none;
    }
    if (const Rule rule = settle_position(scope, state, *entry, entry->position.mark); rule != Rule::none) return rule;
    if (const Rule rule = credit_usd16(scope.channel, state, pnl16(op.quantity, entry->position.mark, op.price)); rule != Rule::none) return rule;
    change_quantity(state, *entry, op.quantity);
    return Rule::none;
}

bool only_reduces(Quantity before, Quantity change) {
    const Quantity after = before + change;
    return after.is_zero() || (after.sign() == before.sign() && after.abs() <= before.abs());
}

Rule apply(const OpScope& scope, ChannelState& state, Party, const TradeOp& op) {
    if (const Rule rule = check_trade(scope, state, op); rule != Rule::none) return rule;
    PositionUndo undo(state, op.instrument);
    const PositionEntry* entry = state.find_position(op.instrument);
    const bool reducing = entry != nullptr && only_reduces(entry->position.quantity, op.quantity);
    if (const Rule rule = trade_position(scope, state, op); rule != Rule::none) return rule;
    state.net[0] += op.fee;
    if (!state.net[0].within_bits(kNetBits)) return Rule::net_out_of_range;
    for (const Party party : {Party::A, Party::B}) {
        if (reducing) break;
        if (const Rule rule = check_trader(scope, state, party, op); rule != Rule::none) return rule;
    }
    undo.keep();
    return Rule::none;
}

Rule mark_position(const OpScope& scope, ChannelState& state, PositionEntry& entry, const MarkOp& op) {
    if (is_perpetual(entry.position) && op.index.is_zero()) return Rule::price_missing;
    PositionUndo undo(state, entry.position.instrument);
    if (const Rule rule = settle_position(scope, state, entry, op.price); rule != Rule::none) return rule;
    if (!op.index.is_zero()) {
        entry.funding_index = op.index;
        entry.funding_rate_e12 = funding_rate_e12(op.price, op.index, state.risk.funding_deadband_bps, state.risk.funding_cap_bps);
    }
    undo.keep();
    return Rule::none;
}

/// A feed is one instrument's or one underlying's, so at most one position can fail, and it fails before any asset is marked.
Rule apply(const OpScope& scope, ChannelState& state, Party, const MarkOp& op) {
    if (op.feed.is_zero()) return Rule::instrument_unknown;
    if (!valid_price(op.price) || op.index.sign() < 0 || !op.index.within_bits(kMarketBits)) return Rule::price_out_of_range;
    PositionEntry* entry = state.edit_position(op.feed);
    bool used = entry != nullptr;
    if (used) {
        if (const Rule rule = mark_position(scope, state, *entry, op); rule != Rule::none) return rule;
    }
    for (std::size_t i = 0; i < state.asset_marks.size(); ++i) {
        if (scope.channel.terms.assets[i].feed != op.feed) continue;
        state.asset_marks[i] = op.price;
        used = true;
    }
    return used ? Rule::none : Rule::position_unknown;
}

/// The most that a liquidation may close: enough to be back at initial margin, in whole lots (spec 5.6).
Quantity most_to_liquidate(const AccountView& account, const ChannelState& state, const PositionEntry& entry) {
    const RiskClass* risk = state.risk.find(entry.position.underlying);
    const bool usable = risk != nullptr && risk->lot.sign() > 0 && risk->lot.within_bits(kMarketBits);
    const Quantity lot = usable ? risk->lot : Quantity::from_raw(1);
    return liquidation_quantity(account, static_cast<std::size_t>(&entry - state.positions.data()), lot);
}

/// What the victim pays beside the price. It depends on the state alone: what either side has seen on chain must not make two digests of one
/// version. So it is not capped by assets[0]; other collateral covers what is short, as after a mark (spec 4.4).
Rule pay_penalty(const OpScope& scope, ChannelState& state, Party victim, const I256& penalty16) {
    const I256 units = usd16_to_units_toward_zero(penalty16, asset_price(scope.channel.terms, state, 0), scope.channel.terms.assets[0].decimals);
    if (units.magnitude.bits() > kNetBits) return Rule::net_out_of_range;
    const Amount penalty = Amount::from_raw(*units.to_i128());
    state.net[0] += victim == Party::A ? penalty : -penalty;
    return state.net[0].within_bits(kNetBits) ? Rule::none : Rule::net_out_of_range;
}

/// A liquidation of ours by the other side, whose marks may tell only what we lose: it must be due at our own prices too, and close no more
/// than they ask for, with something for a price that has moved since (spec 5.9).
Rule check_own_liquidation(const OpScope& scope, const ChannelState& state, const PositionEntry& entry, Quantity closed) {
    Account account(scope.context, scope.channel, state, scope.channel.me, FundsView::own);
    if (account.value_at(*scope.context.prices, scope.channel.terms, scope.timestamp_ms / 1000).any) return Rule::price_missing;
    if (!margin_of(account.view()).breaches_maintenance()) return Rule::liquidation_unjustified;
    const Quantity needed = most_to_liquidate(account.view(), state, entry);
    const RiskClass* risk = state.risk.find(entry.position.underlying);
    const Quantity more = Quantity::from_raw(needed.raw() / 8 + (risk != nullptr ? risk->lot.raw() : 1));
    return closed <= needed + more ? Rule::none : Rule::liquidation_unjustified;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const LiquidateOp& op) {
    const Party victim = other(origin);
    PositionEntry* entry = state.edit_position(op.instrument);
    if (entry == nullptr) return Rule::position_unknown;
    const Quantity held = entry->position.quantity;
    if (op.price != entry->position.mark) return Rule::liquidation_price;
    if (!op.quantity.within_bits(kMarketBits)) return Rule::liquidation_quantity;
    if (op.quantity.sign() * held.sign() >= 0 || op.quantity.abs() > held.abs()) return Rule::liquidation_quantity;
    // What a victim owns it sees on chain itself; what the liquidator says of it must not make it insolvent (spec 4.3).
    const Account account(scope.context, scope.channel, state, victim, victim == scope.channel.me ? FundsView::own : FundsView::both);
    if (!margin_of(account.view()).breaches_maintenance()) return Rule::maintenance_not_breached;
    if (op.quantity.abs() > most_to_liquidate(account.view(), state, *entry)) return Rule::liquidation_quantity;
    if (victim == scope.channel.me && scope.context.prices != nullptr) {
        if (const Rule rule = check_own_liquidation(scope, state, *entry, op.quantity.abs()); rule != Rule::none) return rule;
    }

    PositionUndo undo(state, op.instrument);
    const PositionView view{&entry->position, victim == Party::A ? held : -held, entry->position.mark, entry->funding_index};
    const I256 penalty16 = liquidation_penalty16(view, op.quantity.abs(), state.risk);
    if (const Rule rule = settle_position(scope, state, *entry, op.price); rule != Rule::none) return rule;
    if (const Rule rule = pay_penalty(scope, state, victim, penalty16); rule != Rule::none) return rule;
    change_quantity(state, *entry, op.quantity);
    undo.keep();
    return Rule::none;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const ExpireOp& op) {
    PositionEntry* entry = state.edit_position(op.instrument);
    if (entry == nullptr) return Rule::position_unknown;
    const Position position = entry->position;
    if (position.expiry == 0 || scope.timestamp_ms / 1000 < position.expiry) return Rule::instrument_not_expired;
    if (!valid_price(op.price)) return Rule::price_out_of_range;
    if (origin != scope.channel.me && scope.context.prices != nullptr) {
        const auto ours = scope.context.prices->price_at(position.underlying, position.expiry, scope.channel.terms);
        if (!ours) return Rule::expiry_price_missing;
        if (*ours != op.price) return Rule::expiry_price_wrong;
    }
    PositionUndo undo(state, op.instrument);
    const Price value = payoff(position.kind, position.strike, op.price);
    if (const Rule rule = settle_position(scope, state, *entry, value); rule != Rule::none) return rule;
    change_quantity(state, *entry, -position.quantity);
    undo.keep();
    return Rule::none;
}

// --- locks ----------------------------------------------------------------------------------------------------------

Party payer_of(const Lock& lock) { return lock.amount.sign() > 0 ? Party::A : Party::B; }

void remove_lock(ChannelState& state, const LockEntry& entry) {
    state.locked_by(payer_of(entry.lock), entry.lock.asset) -= entry.lock.amount.abs();
    const auto index = static_cast<std::size_t>(&entry - state.locks.data());
    auto& locks = state.locks.edit();
    if (index + 1 != locks.size()) locks[index] = locks.back();
    locks.pop_back();
}

/// Our policy on locks towards us: each delays a settlement until its expiry, and costs a registration where it comes to that (spec 5.10).
Rule check_peer_lock(const OpScope& scope, const ChannelState& state, Party payer, const Lock& lock) {
    const PeerLimits& limits = scope.context.limits;
    if (lock.expiry > scope.timestamp_ms / 1000 + limits.max_lock_s) return Rule::lock_expiry_out_of_range;
    const auto open = std::count_if(state.locks.begin(), state.locks.end(), [&](const LockEntry& e) { return payer_of(e.lock) == payer; });
    if (static_cast<std::size_t>(open) >= limits.max_locks) return Rule::lock_limit;
    const Terms& terms = scope.channel.terms;
    const I256 worth = units_to_usd16_floor(lock.amount.abs(), asset_price(terms, state, lock.asset), terms.assets[lock.asset].decimals);
    return worth < I256(limits.min_lock.raw()) ? Rule::amount_out_of_range : Rule::none;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const LockOp& op) {
    const Lock& lock = op.lock;
    const std::uint64_t now = scope.timestamp_ms / 1000;
    if (lock.asset >= state.net.size()) return Rule::asset_out_of_range;
    if (lock.amount.is_zero()) return Rule::lock_amount_zero;
    if (!lock.amount.within_bits(kMarketBits)) return Rule::amount_out_of_range;
    if (payer_of(lock) != origin) return Rule::payer_not_origin;
    if (lock.expiry <= now) return Rule::lock_expired;
    if (lock.expiry > now + kMaxLockSeconds) return Rule::lock_expiry_out_of_range;
    if (state.locks.size() >= kMaxLocks) return Rule::lock_limit;
    if (state.find_lock(lock.hash) != nullptr) return Rule::lock_duplicate;
    if (origin != scope.channel.me) {
        if (const Rule rule = check_peer_lock(scope, state, origin, lock); rule != Rule::none) return rule;
    }
    state.locks.edit().emplace_back().lock = lock;
    state.locked_by(origin, lock.asset) += lock.amount.abs();
    const Rule rule = check_spent(scope, state, origin, lock.asset, Effort::pay);
    if (rule != Rule::none) remove_lock(state, state.locks.back());
    return rule;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const FulfilOp& op) {
    const LockEntry* entry = state.find_lock(op.hash);
    if (entry == nullptr) return Rule::lock_unknown;
    const Lock lock = entry->lock;
    if (origin == payer_of(lock)) return Rule::payee_only;
    if (keccak256(op.preimage.view()).data != op.hash.data) return Rule::preimage_mismatch;
    // By the update's time and by our own clock: a payee who leads could put the former back, and who learns a preimage late cannot use it.
    const bool expired = std::max(scope.timestamp_ms, scope.context.now_ms) / 1000 >= lock.expiry;
    if (expired && !registered_in_time(scope.context, lock)) return Rule::lock_expired;
    const Amount net = state.net[lock.asset] + lock.amount;
    if (!net.within_bits(kNetBits)) return Rule::net_out_of_range;
    remove_lock(state, *entry);
    state.net[lock.asset] = net;
    return Rule::none;
}

/// The payee may always let a lock go; the payer only when a confirmed block at or past the expiry shows no preimage (spec 6.11).
Rule apply(const OpScope& scope, ChannelState& state, Party origin, const CancelOp& op) {
    const LockEntry* entry = state.find_lock(op.hash);
    if (entry == nullptr) return Rule::lock_unknown;
    if (origin == payer_of(entry->lock)) {
        if (scope.context.confirmed_chain_time_s < entry->lock.expiry) return Rule::lock_not_expired;
        if (registered_in_time(scope.context, entry->lock)) return Rule::lock_revealed;
    }
    remove_lock(state, *entry);
    return Rule::none;
}

// --- terms, withdraw, close -----------------------------------------------------------------------------------------

Rule apply(const OpScope&, ChannelState& state, Party, const TermsOp& op) {
    for (std::size_t i = 0; i < op.risk.classes.size(); ++i) {
        const RiskClass& c = op.risk.classes[i];
        if (c.initial_bps < c.maintenance_bps || c.initial_bps > 10'000 || c.penalty_bps > c.maintenance_bps) return Rule::risk_rates_out_of_order;
        if (c.lot.sign() <= 0 || !c.lot.within_bits(kMarketBits)) return Rule::lot_out_of_range;
        for (std::size_t j = 0; j < i; ++j) {
            if (op.risk.classes[j].underlying == c.underlying) return Rule::terms_unacceptable;
        }
    }
    if (op.risk.max_in_doubt.sign() < 0 || !op.risk.max_in_doubt.within_bits(kWireBits) || op.risk.ack_timeout_ms == 0) return Rule::terms_unacceptable;
    for (const PositionEntry& e : state.positions) {
        if (op.risk.find(e.position.underlying) == nullptr) return Rule::terms_unacceptable;
    }
    state.risk = op.risk;
    state.risk_hash = keccak256(wire_encode(state.risk));
    return Rule::none;
}

bool is_outstanding(const OpScope& scope, const ChannelState& state, Party party, std::size_t asset) {
    const Authorisation& a = state.authorised(party)[asset];
    return a.deadline != 0 && !lapsed(scope.context, a.deadline) && surely_withdrawn(scope.channel, party, asset) < a.total;
}

/// While a Close or withdrawal may still be executed the channel waits for it, so from the other side we take shorter ones only (spec 5.10).
bool deadline_in_range(const OpScope& scope, Party origin, std::uint64_t deadline) {
    const std::uint64_t now = scope.timestamp_ms / 1000;
    if (deadline <= now || deadline > now + kMaxDeadlineSeconds) return false;
    return origin == scope.channel.me || deadline <= std::max(now, scope.context.chain_time_s) + scope.context.limits.max_deadline_s;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const WithdrawOp& op) {
    if (op.asset >= state.net.size()) return Rule::asset_out_of_range;
    if (op.party != origin) return Rule::payer_not_origin;
    if (!deadline_in_range(scope, origin, op.deadline)) return Rule::close_deadline_out_of_range;
    if (!op.total.within_bits(kNetBits)) return Rule::amount_out_of_range;
    if (is_outstanding(scope, state, op.party, op.asset)) return Rule::withdraw_outstanding;
    if (op.total <= known_withdrawn(scope.channel, op.party, op.asset)) return Rule::withdraw_total_not_increasing;
    Authorisation& authorisation = state.authorised(op.party)[op.asset];
    const Authorisation before = authorisation;
    authorisation = {op.total, op.deadline};
    const Rule rule = check_spent(scope, state, op.party, op.asset, Effort::withdraw);
    if (rule != Rule::none) authorisation = before;
    return rule;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const CloseOp& op) {
    if (!state.positions.empty()) return Rule::close_with_positions;
    if (!state.locks.empty()) return Rule::close_with_locks;
    if (!deadline_in_range(scope, origin, op.deadline)) return Rule::close_deadline_out_of_range;
    for (const Party party : {Party::A, Party::B}) {
        for (std::size_t i = 0; i < state.net.size(); ++i) {
            if (is_outstanding(scope, state, party, i)) return Rule::withdraw_outstanding;
            if (balance_of(scope.context, scope.channel, state, party, i).sign() < 0) return Rule::insufficient_balance;
        }
    }
    state.close_deadline = op.deadline;
    return Rule::none;
}

}  // namespace

Amount balance_of(const Context& context, const Channel& channel, const ChannelState& state, Party party, std::size_t asset, FundsView funds) {
    const bool own = funds == FundsView::own;
    Amount withdrawn = own ? channel.funds_seen.withdrawn(party)[asset] : known_withdrawn(channel, party, asset);
    const Authorisation& authorisation = state.authorised(party)[asset];
    if (!lapsed(context, authorisation.deadline)) withdrawn = std::max(withdrawn, authorisation.total);
    const Amount net = party == Party::A ? state.net[asset] : -state.net[asset];
    return (own ? channel.funds_seen.deposit(party)[asset] : usable_deposit(channel, party, asset)) - withdrawn - net;
}

Amount available_of(const Context& context, const Channel& channel, const ChannelState& state, Party party, std::size_t asset, FundsView funds) {
    return balance_of(context, channel, state, party, asset, funds) - state.locked_by(party, asset);
}

Margin state_margin(const Context& context, const Channel& channel, const ChannelState& state, Party party) {
    return margin_of(Account(context, channel, state, party).view());
}

std::optional<Price> own_value(const OwnPrices& prices, const Terms& terms, const Position& position, std::uint64_t now_s) {
    if (position.expiry == 0 || now_s < position.expiry) return prices.price(position.instrument);
    const auto settled = prices.price_at(position.underlying, position.expiry, terms);
    return settled ? std::optional(payoff(position.kind, position.strike, *settled)) : std::nullopt;
}

bool is_obligation(const OpEntry& entry, Party me) {
    const Op& op = entry.op;
    if (const auto* pay = std::get_if<PayOp>(&op)) return entry.origin() != me && pay->amount.sign() == -sign_of(me);
    return std::holds_alternative<MarkOp>(op) || std::holds_alternative<FulfilOp>(op) || std::holds_alternative<CancelOp>(op) ||
           std::holds_alternative<LiquidateOp>(op) || std::holds_alternative<ExpireOp>(op);
}

bool registered_in_time(const Context& context, const Lock& lock) {
    if (context.revealed == nullptr) return false;
    const auto found = context.revealed->find(lock.hash);
    return found != context.revealed->end() && found->second < lock.expiry && found->second <= context.confirmed_chain_time_s;
}

Rule begin_update(const Context& context, const Channel& channel, ChannelState& state, std::uint64_t version, std::uint64_t timestamp_ms) {
    if (version <= state.version || version <= channel.highest_signed) return Rule::version_must_increase;
    if (version > kMaxVersion || version > channel.highest_signed + kMaxVersionSkip) return Rule::version_out_of_range;
    if (timestamp_ms < state.timestamp_ms) return Rule::timestamp_not_monotone;
    if (state.close_deadline != 0) {
        if (!lapsed(context, state.close_deadline)) return Rule::channel_closing;
        state.close_deadline = 0;
    }
    state.version = version;
    state.timestamp_ms = timestamp_ms;
    return Rule::none;
}

Rule apply_op(const OpScope& scope, ChannelState& state, const OpEntry& entry) {
    if (state.close_deadline != 0) return Rule::channel_closing;
    if (entry.proposal != 0 && entry.proposal <= state.proposals_done) return Rule::proposal_out_of_order;
    const Rule rule = std::visit([&](const auto& op) { return apply(scope, state, entry.origin(), op); }, entry.op);
    if (rule == Rule::none && entry.proposal != 0) state.proposals_done = entry.proposal;
    return rule;
}

void finish_update(ChannelState& state, const Update& update) {
    Writer out;
    wire_write(out, update.version);
    wire_write(out, update.timestamp_ms);
    wire_write(out, update.ops);
    state.history = keccak256({state.history.view(), out.bytes()});
}

}  // namespace hedgerow::channel
