#include "channel/machine/apply.h"

#include "channel/crypto/keccak.h"
#include "channel/market/convert.h"
#include "channel/market/funding.h"

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
    void value_at(std::size_t position, Price price) { m_positions[position].price = price; }

  private:
    std::array<Amount, kMaxAssets> m_balances{};
    std::array<Price, kMaxAssets> m_prices{};
    std::array<PositionView, kMaxPositions> m_positions{};
    AccountView m_view;
};

bool meets_initial(const OpScope& scope, const ChannelState& state, Party party) {
    return state.positions.empty() || state_margin(scope.context, scope.channel, state, party).meets_initial();
}

/// Initial margin as it will be once the position is marked at the price of the trade: what a stale mark credits now is not margin (spec 5.3).
bool meets_initial_at(const OpScope& scope, const ChannelState& state, Party party, const TradeOp& op) {
    const PositionEntry* entry = state.find_position(op.instrument);
    if (entry == nullptr) return meets_initial(scope, state, party);
    Account account(scope.context, scope.channel, state, party);
    account.value_at(static_cast<std::size_t>(entry - state.positions.data()), op.price);
    return margin_of(account.view()).meets_initial();
}

/// After `party` gave something of an asset away: it must still own that much, keep the penalty reserve and its margin.
Rule check_spent(const OpScope& scope, const ChannelState& state, Party party, std::size_t asset) {
    const Amount left = available_of(scope.context, scope.channel, state, party, asset);
    if (left.sign() < 0) return Rule::insufficient_balance;
    if (asset == 0 && left < scope.channel.terms.stale_penalty) return Rule::balance_below_penalty;
    return meets_initial(scope, state, party) ? Rule::none : Rule::initial_margin;
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
    const I256 worth = mul_div_toward_zero(units, U256(static_cast<Uint128>(price.raw())) * U256(pow10(8)), U256(pow10(decimals)));
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
    entry.refresh();
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
    if (rule == Rule::none) rule = check_spent(scope, state, payer, op.asset);
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
    if (rule == Rule::none) rule = check_spent(scope, state, giver, op.give_asset);
    if (rule == Rule::none) rule = check_spent(scope, state, other(giver), op.take_asset);
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
            m_state.positions.resize(m_size);
        } else if (m_state.positions.size() < m_size) {
            m_state.positions.insert(m_state.positions.begin() + static_cast<std::ptrdiff_t>(m_index), m_before);
        } else {
            m_state.positions[m_index] = m_before;
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
        state.positions.erase(state.positions.begin() + (&entry - state.positions.data()));
    } else {
        entry.refresh();
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
    PositionEntry* entry = state.find_position(op.instrument);
    if (entry == nullptr) {
        PositionEntry& fresh = state.positions.emplace_back();
        fresh.position = {op.instrument, op.underlying, op.kind, op.expiry, op.strike, op.quantity, op.price};
        fresh.funded_until_ms = scope.timestamp_ms;
        fresh.refresh();
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
        if (!reducing && !(meets_initial(scope, state, party) && meets_initial_at(scope, state, party, op))) return Rule::initial_margin;
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
    PositionEntry* entry = state.find_position(op.feed);
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

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const LiquidateOp& op) {
    const Party victim = other(origin);
    PositionEntry* entry = state.find_position(op.instrument);
    if (entry == nullptr) return Rule::position_unknown;
    const Quantity held = entry->position.quantity;
    if (op.price != entry->position.mark) return Rule::liquidation_price;
    if (!op.quantity.within_bits(kMarketBits)) return Rule::liquidation_quantity;
    if (op.quantity.sign() * held.sign() >= 0 || op.quantity.abs() > held.abs()) return Rule::liquidation_quantity;
    // What a victim owns it sees on chain itself; what the liquidator says of it must not make it insolvent (spec 4.3).
    const Account account(scope.context, scope.channel, state, victim, victim == scope.channel.me ? FundsView::own : FundsView::both);
    if (!margin_of(account.view()).breaches_maintenance()) return Rule::maintenance_not_breached;
    if (op.quantity.abs() > most_to_liquidate(account.view(), state, *entry)) return Rule::liquidation_quantity;

    PositionUndo undo(state, op.instrument);
    const PositionView view{&entry->position, victim == Party::A ? held : -held, entry->position.mark, entry->funding_index};
    const I256 penalty16 = liquidation_penalty16(view, op.quantity.abs(), state.risk);
    if (const Rule rule = settle_position(scope, state, *entry, op.price); rule != Rule::none) return rule;
    if (const Rule rule = pay_penalty(scope, state, victim, penalty16); rule != Rule::none) return rule;
    change_quantity(state, *entry, op.quantity);
    undo.keep();
    return Rule::none;
}

// --- locks ----------------------------------------------------------------------------------------------------------

Party payer_of(const Lock& lock) { return lock.amount.sign() > 0 ? Party::A : Party::B; }

void remove_lock(ChannelState& state, LockEntry& entry) {
    state.locked_by(payer_of(entry.lock), entry.lock.asset) -= entry.lock.amount.abs();
    if (&entry != &state.locks.back()) entry = state.locks.back();
    state.locks.pop_back();
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
    state.locks.emplace_back().lock = lock;
    state.locks.back().refresh();
    state.locked_by(origin, lock.asset) += lock.amount.abs();
    const Rule rule = check_spent(scope, state, origin, lock.asset);
    if (rule != Rule::none) remove_lock(state, state.locks.back());
    return rule;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const FulfilOp& op) {
    LockEntry* entry = state.find_lock(op.hash);
    if (entry == nullptr) return Rule::lock_unknown;
    const Lock lock = entry->lock;
    if (origin == payer_of(lock)) return Rule::payee_only;
    if (keccak256(op.preimage.view()).data != op.hash.data) return Rule::preimage_mismatch;
    // By the update's time and by our own clock: a payee who leads could put the former back, and who learns a preimage late cannot use it.
    if (std::max(scope.timestamp_ms, scope.context.now_ms) / 1000 >= lock.expiry) return Rule::lock_expired;
    const Amount net = state.net[lock.asset] + lock.amount;
    if (!net.within_bits(kNetBits)) return Rule::net_out_of_range;
    remove_lock(state, *entry);
    state.net[lock.asset] = net;
    return Rule::none;
}

/// The payee may always let a lock go; the payer only when a confirmed block at or past the expiry shows no preimage (spec 6.11).
Rule apply(const OpScope& scope, ChannelState& state, Party origin, const CancelOp& op) {
    LockEntry* entry = state.find_lock(op.hash);
    if (entry == nullptr) return Rule::lock_unknown;
    if (origin == payer_of(entry->lock)) {
        if (scope.context.confirmed_chain_time_s < entry->lock.expiry) return Rule::lock_not_expired;
        const auto* revealed = scope.context.revealed;
        if (revealed != nullptr && std::find(revealed->begin(), revealed->end(), op.hash) != revealed->end()) return Rule::payee_only;
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

bool deadline_in_range(const OpScope& scope, std::uint64_t deadline) {
    const std::uint64_t now = scope.timestamp_ms / 1000;
    return deadline > now && deadline <= now + kMaxDeadlineSeconds;
}

Rule apply(const OpScope& scope, ChannelState& state, Party origin, const WithdrawOp& op) {
    if (op.asset >= state.net.size()) return Rule::asset_out_of_range;
    if (op.party != origin) return Rule::payer_not_origin;
    if (!deadline_in_range(scope, op.deadline)) return Rule::close_deadline_out_of_range;
    if (!op.total.within_bits(kNetBits)) return Rule::amount_out_of_range;
    if (is_outstanding(scope, state, op.party, op.asset)) return Rule::withdraw_outstanding;
    if (op.total <= known_withdrawn(scope.channel, op.party, op.asset)) return Rule::withdraw_total_not_increasing;
    Authorisation& authorisation = state.authorised(op.party)[op.asset];
    const Authorisation before = authorisation;
    authorisation = {op.total, op.deadline};
    const Rule rule = check_spent(scope, state, op.party, op.asset);
    if (rule != Rule::none) authorisation = before;
    return rule;
}

Rule apply(const OpScope& scope, ChannelState& state, Party, const CloseOp& op) {
    if (!state.positions.empty()) return Rule::close_with_positions;
    if (!state.locks.empty()) return Rule::close_with_locks;
    if (!deadline_in_range(scope, op.deadline)) return Rule::close_deadline_out_of_range;
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
