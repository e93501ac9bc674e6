#include "tests/fuzz/core_model.h"

#include "channel/crypto/keccak.h"

namespace hedgerow::fuzz {

using namespace channel;

namespace {

const Big kPriceUnit = 100'000'000;
const Big kE12 = 1'000'000'000'000;
const Big kEightHours = 8 * 3600 * 1000;

bool below_bits(const Big& number, unsigned bits) {
    return abs(number) < Big(1) << bits;
}
std::size_t index_of(Party party) {
    return party == Party::A ? 0 : 1;
}
/// Of A's numbers, what they are for the party.
Big seen_from(Party party, const Big& number) {
    return party == Party::A ? number : Big(-number);
}
Party payer_of(const Big& amount) {
    return amount > 0 ? Party::A : Party::B;
}

}  // namespace

Model::Model(const Terms& terms, const ChannelState& initial, const Revealed& revealed)
    : m_terms(terms), m_revealed(&revealed), m_risk(initial.risk) {
    ASSERT(initial.version == 0);
    m_net.assign(terms.assets.size(), Big(0));
    for (const Price mark : initial.asset_marks) m_marks.push_back(big(mark));
}

void Model::apply(const OpEntry& entry, std::uint64_t timestamp_ms, const DepositBounds& deposits) {
    m_now_ms = timestamp_ms;
    m_deposits = &deposits;
    if (entry.proposal != 0) {
        ASSERT(entry.proposal > m_proposals_done);
        m_proposals_done = entry.proposal;
    }
    const Party origin = entry.proposal == 0 ? Party::A : Party::B;
    std::visit([&](const auto& op) { apply_op(origin, op); }, entry.op);
    for (const Big& net : m_net) ASSERT(below_bits(net, 120));
}

void Model::finish(std::uint64_t version, std::uint64_t close_deadline) {
    ASSERT(version > m_version);
    m_version = version;
    m_close_deadline = close_deadline;
}

Big Model::price_of_asset(std::size_t asset) const {
    return m_terms.assets[asset].feed.is_zero() ? kPriceUnit : m_marks[asset];
}

Big Model::locked(Party payer, std::size_t asset) const {
    Big sum = 0;
    for (const auto& [hash, lock] : m_locks) {
        if (lock.asset == asset && payer_of(lock.amount) == payer) sum += abs(lock.amount);
    }
    return sum;
}

Big Model::most_available(Party party, std::size_t asset, const DepositBounds& deposits) const {
    return deposits[index_of(party)][asset] - seen_from(party, m_net[asset]) - locked(party, asset);
}

void Model::check_spent(Party party, std::size_t asset, const DepositBounds& deposits) const {
    const Big left = most_available(party, asset, deposits);
    ASSERT(left >= 0);
    if (asset == 0) ASSERT(left >= big(m_terms.stale_penalty));
    check_initial(party, deposits, nullptr, 0);
}

void Model::check_initial(Party party, const DepositBounds& deposits, const Feed* feed, const Big& price) const {
    if (m_positions.empty()) return;
    Big equity = 0;
    for (std::size_t i = 0; i < m_net.size(); ++i) {
        const Asset& asset = m_terms.assets[i];
        const Big worth = most_available(party, i, deposits) * price_of_asset(i) * kPriceUnit;
        // Rounded in the party's favour: this is a bound from above.
        const Big units = worth / ten_to(asset.decimals) + 1;
        equity += i == 0 || worth < 0 ? units : Big(units * (10'000 - asset.haircut_bps) / 10'000 + 1);
    }
    Big initial = 0;
    for (const auto& [name, position] : m_positions) {
        const Big at = feed != nullptr && name == *feed ? price : position.mark;
        const RiskClass* risk = m_risk.find(position.underlying);
        ASSERT(risk != nullptr);
        initial += ceil_div(abs(position.quantity) * at * Big(risk->initial_bps), 10'000);
        equity += seen_from(party, position.quantity) * (at - position.mark);
    }
    ASSERT(equity >= initial);
}

/// Spec 4.7.
void Model::credit(const Big& usd16_to_a) {
    const Big due = usd16_to_a + m_residue;
    const Big price = price_of_asset(0);
    const Big unit = ten_to(m_terms.assets[0].decimals);
    const Big units = due * unit / (price * kPriceUnit);
    m_net[0] -= units;
    m_residue = due - units * price * kPriceUnit / unit;
}

/// Spec 5.4: variation and funding.
void Model::settle(ModelPosition& position, const Big& price, std::uint64_t now_ms) {
    Big to_a = position.quantity * (price - position.mark);
    if (position.expiry == 0 && position.index != 0 && now_ms > position.funded_until_ms) {
        const Big elapsed = now_ms - position.funded_until_ms;
        to_a -= position.quantity * position.rate_e12 * elapsed * position.index / (kE12 * kEightHours);
    }
    credit(to_a);
    position.mark = price;
    position.funded_until_ms = now_ms;
}

void Model::reduce(const Feed& instrument, const Big& change) {
    ModelPosition& position = m_positions.at(instrument);
    position.quantity += change;
    ASSERT(below_bits(position.quantity, 96));
    if (position.quantity == 0) m_positions.erase(instrument);
}

void Model::apply_op(Party origin, const PayOp& op) {
    const Big amount = big(op.amount);
    ASSERT(amount != 0 && below_bits(amount, 96) && payer_of(amount) == origin);
    m_net.at(op.asset) += amount;
    check_spent(origin, op.asset, *m_deposits);
}

void Model::apply_op(Party, const SwapOp& op) {
    const Big give = big(op.give);
    const Big take = big(op.take);
    ASSERT(op.give_asset != op.take_asset && give * take < 0);
    m_net.at(op.give_asset) += give;
    m_net.at(op.take_asset) += take;
    check_spent(payer_of(give), op.give_asset, *m_deposits);
    check_spent(payer_of(take), op.take_asset, *m_deposits);
}

void Model::apply_op(Party, const TradeOp& op) {
    ASSERT(op.kind == Kind::linear && op.strike.is_zero() && big(op.price) > 0 && below_bits(big(op.price), 96));
    ASSERT(m_risk.find(op.underlying) != nullptr && !op.quantity.is_zero());
    ASSERT(op.expiry == 0 || (op.expiry > m_now_ms / 1000 && op.expiry % m_terms.price_slot == 0));
    const Big quantity = big(op.quantity);
    bool reducing = false;
    if (const auto it = m_positions.find(op.instrument); it == m_positions.end()) {
        ASSERT(m_positions.size() < 32);
        m_positions[op.instrument] = {op.underlying, op.expiry, quantity, big(op.price), m_now_ms, 0, 0};
    } else {
        ModelPosition& position = it->second;
        ASSERT(position.underlying == op.underlying && position.expiry == op.expiry);
        const Big after = position.quantity + quantity;
        reducing = after == 0 || ((after > 0) == (position.quantity > 0) && abs(after) <= abs(position.quantity));
        settle(position, position.mark, m_now_ms);
        credit(quantity * (position.mark - big(op.price)));
        reduce(op.instrument, quantity);
    }
    m_net[0] += big(op.fee);
    if (reducing) return;
    for (const Party party : {Party::A, Party::B}) {
        check_initial(party, *m_deposits, nullptr, 0);
        check_initial(party, *m_deposits, &op.instrument, big(op.price));
    }
}

void Model::apply_op(Party, const MarkOp& op) {
    const Big price = big(op.price);
    ASSERT(price > 0 && below_bits(price, 96) && op.index.sign() >= 0);
    if (const auto it = m_positions.find(op.feed); it != m_positions.end()) {
        ModelPosition& position = it->second;
        ASSERT(position.expiry != 0 || !op.index.is_zero());
        settle(position, price, m_now_ms);
        if (const Big index = big(op.index); index != 0) {
            const Big premium = (price - index) * kE12 / index;
            const Big deadband = kE12 * m_risk.funding_deadband_bps / 10'000;
            const Big cap = kE12 * m_risk.funding_cap_bps / 10'000;
            const Big damped = std::max(deadband, premium) + std::min(Big(-deadband), premium);
            position.index = index;
            position.rate_e12 = std::clamp(damped, Big(-cap), cap);
        }
    }
    for (std::size_t i = 0; i < m_marks.size(); ++i) {
        if (m_terms.assets[i].feed == op.feed) m_marks[i] = price;
    }
}

void Model::apply_op(Party origin, const LockOp& op) {
    const Big amount = big(op.lock.amount);
    ASSERT(amount != 0 && below_bits(amount, 96) && payer_of(amount) == origin && m_locks.size() < 256);
    ASSERT(op.lock.expiry > m_now_ms / 1000 && op.lock.expiry <= m_now_ms / 1000 + 30ULL * 24 * 3600);
    ASSERT(m_locks.emplace(op.lock.hash, ModelLock{amount, op.lock.asset, op.lock.expiry}).second);
    check_spent(origin, op.lock.asset, *m_deposits);
}

void Model::apply_op(Party origin, const FulfilOp& op) {
    const ModelLock lock = m_locks.at(op.hash);
    ASSERT(payer_of(lock.amount) != origin);
    const auto registered = m_revealed->find(op.hash);  // spec 5.7
    ASSERT(m_now_ms / 1000 < lock.expiry || (registered != m_revealed->end() && registered->second < lock.expiry));
    ASSERT(keccak256(op.preimage.view()).data == op.hash.data);
    m_net.at(lock.asset) += lock.amount;
    m_locks.erase(op.hash);
}

void Model::apply_op(Party, const CancelOp& op) {
    ASSERT(m_locks.erase(op.hash) == 1);
}

void Model::apply_op(Party origin, const LiquidateOp& op) {
    ModelPosition& position = m_positions.at(op.instrument);
    const Big quantity = big(op.quantity);
    const bool toward_zero = (quantity > 0) != (position.quantity > 0);
    ASSERT(quantity != 0 && toward_zero && abs(quantity) <= abs(position.quantity));
    ASSERT(big(op.price) == position.mark);
    const RiskClass* risk = m_risk.find(position.underlying);
    ASSERT(risk != nullptr);
    const Big penalty16 = ceil_div(abs(quantity) * position.mark * Big(risk->penalty_bps), 10'000);
    settle(position, position.mark, m_now_ms);
    const Big penalty = penalty16 * ten_to(m_terms.assets[0].decimals) / (price_of_asset(0) * kPriceUnit);
    m_net[0] += origin == Party::B ? penalty : Big(-penalty);
    reduce(op.instrument, quantity);
}

void Model::apply_op(Party, const TermsOp& op) {
    for (const auto& [name, position] : m_positions) ASSERT(op.risk.find(position.underlying) != nullptr);
    m_risk = op.risk;
}

void Model::apply_op(Party origin, const WithdrawOp& op) {
    ASSERT(op.party == origin && op.total.sign() > 0 && op.deadline > m_now_ms / 1000);
    m_rights[index_of(origin)][op.asset] = {big(op.total), op.deadline};
    const Big left = most_available(origin, op.asset, *m_deposits) - big(op.total);
    ASSERT(left >= 0);  // the total counts as withdrawn from now on (spec 4.6)
    if (op.asset == 0) ASSERT(left >= big(m_terms.stale_penalty));
}

void Model::apply_op(Party, const CloseOp& op) {
    ASSERT(m_positions.empty() && m_locks.empty() && op.deadline > m_now_ms / 1000);
}

/// Spec 5.11; only linear instruments are traded.
void Model::apply_op(Party, const ExpireOp& op) {
    ModelPosition& position = m_positions.at(op.instrument);
    ASSERT(position.expiry != 0 && m_now_ms / 1000 >= position.expiry && op.price.sign() > 0);
    credit(position.quantity * (big(op.price) - position.mark));
    m_positions.erase(op.instrument);
}

void Model::check(const ChannelState& state) const {
    ASSERT(state.version == m_version && state.proposals_done == m_proposals_done);
    ASSERT(state.close_deadline == m_close_deadline && state.risk == m_risk);
    ASSERT(big(state.residue) == m_residue && state.net.size() == m_net.size());
    for (std::size_t i = 0; i < m_net.size(); ++i) {
        ASSERT(big(state.net[i]) == m_net[i] && big(state.asset_marks[i]) == m_marks[i]);
        for (const Party party : {Party::A, Party::B}) {
            const Authorisation& right = state.authorised(party)[i];
            const auto it = m_rights[index_of(party)].find(i);
            const bool none = it == m_rights[index_of(party)].end();
            ASSERT(big(right.total) == (none ? Big(0) : it->second.first));
            ASSERT(right.deadline == (none ? 0 : it->second.second));
            ASSERT(big(state.locked_by(party, i)) == locked(party, i));
        }
    }
    ASSERT(state.positions.size() == m_positions.size() && state.locks.size() == m_locks.size());
    for (const PositionEntry& entry : state.positions) {
        const ModelPosition& position = m_positions.at(entry.position.instrument);
        ASSERT(entry.position.underlying == position.underlying && entry.position.expiry == position.expiry);
        ASSERT(big(entry.position.quantity) == position.quantity && big(entry.position.mark) == position.mark);
        ASSERT(entry.funded_until_ms == position.funded_until_ms && big(entry.funding_index) == position.index);
        ASSERT(Big(entry.funding_rate_e12) == position.rate_e12);
    }
    for (const LockEntry& entry : state.locks) {
        const ModelLock& lock = m_locks.at(entry.lock.hash);
        ASSERT(big(entry.lock.amount) == lock.amount && entry.lock.asset == lock.asset);
        ASSERT(entry.lock.expiry == lock.expiry);
    }
}

}  // namespace hedgerow::fuzz
