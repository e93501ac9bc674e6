#include "tests/evm/adjudicator_play.h"

#include "tests/evm/adjudicator_player.h"

namespace hedgerow::tests {

// --- the stage -------------------------------------------------------------------------------------------------------

void Player::open_channels() {
    for (std::size_t i = 0; i < 2; ++i) {
        PlayChannel one;
        one.terms = i == 0 || m_random.one_in(2) ? random_terms(m_random, m_hands.cast(), m_play.rules.contract)
                                                 : m_channels[0].terms;
        one.secret.data[0] = static_cast<std::uint8_t>(m_random.below(256));
        one.secret.data[1] = static_cast<std::uint8_t>(i);
        one.terms.salt = keccak256(one.secret.view());
        one.id = channel_id_of(one.terms, m_play.rules.separator);
        m_channels.push_back(std::move(one));
    }
    if (m_random.one_in(3)) m_play.rules.refusing.insert(m_channels[0].terms.owner_b);
    m_play.rules.refusing.erase(case_token(0));
    m_play.refusing = m_play.rules.refusing;
}

void Player::make_genesis() {
    m_senders = {m_hands.of(Party::A).address(), m_hands.of(Party::B).address(), m_hands.stranger().address()};
    for (const Address& sender : m_senders) {
        m_state.coins[sender] = U256(static_cast<Uint128>(1) << kRichBits);
        for (const auto& [token, decimals] : m_play.rules.tokens) {
            m_state.tokens[{token, sender}] = U256(static_cast<Uint128>(1) << kRichBits);
        }
    }
    m_play.genesis = m_state;
}

/// Allowances, and mostly something to fight over.
void Player::begin() {
    for (std::size_t i = 0; i < 2; ++i) {
        for (const auto& [token, decimals] : m_play.rules.tokens) {
            U256 allowed(static_cast<Uint128>(m_random.one_in(2) ? 100'000 : 1'000));
            if (m_random.one_in(3)) allowed.limb.fill(~std::uint64_t{0});
            if (m_random.one_in(3)) allowed = U256(static_cast<Uint128>(1) << 124);
            act({"approve",
                 m_senders[i],
                 token,
                 {},
                 abi_call("approve(address,uint256)", m_play.rules.contract, allowed)});
        }
    }
    for (const Asset& asset : m_channels[0].terms.assets) {
        for (const Party party : {Party::A, Party::B}) {
            if (m_random.one_in(5)) continue;
            const Amount amount = Amount::from_raw(static_cast<Int128>(1 + m_random.below(9'000)));
            const U256 value = asset.token.is_zero() ? U256(static_cast<Uint128>(amount.raw())) : U256();
            act({"deposit", m_senders[party == Party::A ? 0 : 1], m_play.rules.contract, value,
                 wallet::deposit_call(m_channels[0].id, party, asset.token, amount)});
        }
    }
}

/// Brings whatever is disputed to its end, in the order that an honest party would.
void Player::finish() {
    PlayChannel& one = m_channels[0];
    if (open_dispute(one) == nullptr) act(challenge());
    for (int tries = 0; tries < 6 && open_dispute(one) != nullptr; ++tries) {
        const auto state = recorded(one);
        if (!state) return;
        const std::uint64_t end = open_dispute(one)->end;
        const std::uint64_t due = settle_due_time(end, *state);
        if (due > m_now + kDayS) return;  // a lock of the year 36812, at which the contract's slot ends
        const std::uint64_t marks =
            marks_time(valuation_time(end - one.terms.dispute_period, one.terms.price_slot), one.terms);
        const std::uint64_t times[] = {due - 1, due, due + 1, marks - 1, marks, std::max(due, marks)};
        m_now = std::max(m_now, times[tries]);
        if (tries < 2 && m_random.one_in(2)) act(attest());
        act({"settle", anyone(), m_play.rules.contract, {}, wallet::settle_call(one.terms, *state)});
    }
    if (m_random.one_in(2)) relent();
    for (int claims = 0; claims < 2 && !m_state.claimable.empty(); ++claims) act(claim());
}

/// Who took no coins does from now on.
void Player::relent() {
    if (m_play.rules.refusing.empty()) return;
    m_play.accepts_from_s = ++m_now;
    m_play.rules.refusing.clear();
}

void Player::pass_time() {
    if (m_random.one_in(12)) relent();
    const std::uint64_t dice = m_random.below(8);
    if (dice < 4) return;
    if (dice < 6) {
        m_now += m_random.below(20);
        return;
    }
    const auto next = m_edges.upper_bound(m_now + 1);
    if (next == m_edges.end()) return;
    m_now = std::max(m_now, *next + m_random.below(3) - 1);
}

sim::CallResult Player::run(const Move& move) {
    return sim::execute(m_play.rules, m_state, {move.from, move.to, move.value, m_now}, move.data);
}

void Player::act(Move move) {
    if (m_state.coins[move.from] < move.value) return;  // no such transaction is mined
    PlayStep step{move.what, m_now, move.from, move.to, move.value, move.data, move.is_malformed, run(move)};
    const bool changed = step.twin.success;
    m_play.steps.push_back(std::move(step));
    for (PlayChannel& one : m_channels) {
        const DisputeSlot* open = open_dispute(one);
        if (open == nullptr) continue;
        m_edges.insert(open->end);
        const auto state = recorded(one);
        const std::uint64_t due = state ? settle_due_time(open->end, *state) : open->end;
        if (due < m_now + kDayS) m_edges.insert(due);
        const std::uint64_t start = open->end - one.terms.dispute_period;
        m_edges.insert(marks_time(valuation_time(start, one.terms.price_slot), one.terms));
    }
    if (changed || m_random.one_in(6)) look();
}

void Player::ask(std::string what, const Address& to, Bytes data) {
    const Move move{std::move(what), m_senders[2], to, {}, std::move(data), false};
    PlayStep step{move.what, m_now, move.from, to, {}, move.data, false, {}};
    if (to == balance_reader()) {
        Address holder;
        ASSERT(abi_decode(move.data, holder));
        const auto found = m_state.coins.find(holder);
        step.twin.success = true;
        step.twin.output = abi_encode(found == m_state.coins.end() ? U256() : found->second);
    } else {
        step.twin = run(move);
    }
    m_play.steps.push_back(std::move(step));
}

/// Every view, every balance.
void Player::look() {
    std::vector<Bytes> views;
    const Hash set = wallet::oracle_set_of(m_channels[0].terms.oracles);
    for (const PlayChannel& one : m_channels) {
        views.push_back(wallet::dispute_call(one.id));
        views.push_back(wallet::holdings_call(one.id, {}));
        for (std::size_t i = 0; i < 4; ++i) views.push_back(wallet::holdings_call(one.id, case_token(i)));
    }
    for (const Preimage& preimage : play_preimages()) {
        views.push_back(wallet::revealed_at_call(LockHash{keccak256(preimage.view()).data}));
    }
    for (const auto& [feed, time] : m_attested) views.push_back(wallet::attested_call(set, feed, time));
    std::set<Address> holders{m_play.rules.contract};
    for (const PlayChannel& one : m_channels) holders.insert({one.terms.owner_a, one.terms.owner_b});
    for (const Address& holder : holders) {
        views.push_back(wallet::claimable_call({}, holder));
        for (std::size_t i = 0; i < 3; ++i) views.push_back(wallet::claimable_call(case_token(i), holder));
        for (std::size_t i = 0; i < 4; ++i) {
            ask("balanceOf", case_token(i), abi_call("balanceOf(address)", holder));
        }
        ask("coins of", balance_reader(), abi_encode(holder));
    }
    ask("views", m_play.rules.contract, wallet::multicall_call(views));
}

// --- what moves are made of ------------------------------------------------------------------------------------------

Address Player::anyone() {
    return m_senders[m_random.below(m_senders.size())];
}

Terms Player::terms_of(const PlayChannel& channel) {
    Terms out = channel.terms;
    if (m_random.one_in(14)) break_terms(out, m_random);
    return out;
}

State Player::new_state(PlayChannel& channel, std::uint64_t version) {
    if (version == 0) {
        State out;
        out.channel_id = channel.id;
        return out;
    }
    State out = random_state(m_random, channel.terms, channel.id, version, m_now);
    if (m_random.one_in(4)) stretch_state(out, channel.terms, m_random);
    for (const Lock& lock : out.locks) {
        if (lock.expiry < m_now + kDayS) m_edges.insert(lock.expiry);
    }
    const Digest digest = digest_of(out, m_play.rules.separator);
    channel.states[*Address::from(digest.view().subspan(12))] = out;
    channel.newest = std::max(channel.newest, std::min(out.version, kMaxVersion / 2));
    return out;
}

State Player::some_state(PlayChannel& channel, std::uint64_t above) {
    constexpr std::uint64_t kSteps[] = {0, 1, 1, 1, 2, 63, 64, 65, 126, 127, 128, 5'000};
    if (!channel.states.empty() && m_random.one_in(6)) {
        auto any = channel.states.begin();
        std::advance(any, static_cast<std::ptrdiff_t>(m_random.below(channel.states.size())));
        return any->second;
    }
    const std::uint64_t step = kSteps[m_random.below(12)];
    if (m_random.one_in(8)) return new_state(channel, above == 0 ? 0 : above - 1);
    return new_state(channel, above + step);
}

std::optional<State> Player::recorded(const PlayChannel& channel) const {
    const DisputeSlot* open = open_dispute(channel);
    if (open == nullptr) return std::nullopt;
    if (open->version == 0) return State{channel.id, 0, {}, {}, {}, {}, {}};
    const auto found = channel.states.find(open->digest_tail);
    return found == channel.states.end() ? std::nullopt : std::optional(found->second);
}

std::uint64_t Player::deadline() {
    constexpr std::uint64_t kFromNow[] = {0, 1, 2, 30, 600, kDayS - 1, kDayS, kDayS + 1};
    const std::uint64_t out = m_now + kFromNow[m_random.one_in(3) ? m_random.below(8) : 3 + m_random.below(3)];
    if (out < m_now + kDayS / 2) m_edges.insert(out);
    return out;
}

Address Player::any_token(const PlayChannel& channel) {
    if (!m_random.one_in(4)) return channel.terms.assets[m_random.below(channel.terms.assets.size())].token;
    const Address others[] = {Address(),    case_token(3),         case_token(0),
                              m_senders[2], m_play.rules.contract, channel.terms.owner_b};
    return others[m_random.below(6)];
}

Amount Player::total_of(const PlayChannel& channel, std::size_t asset) const {
    const auto found = m_state.holdings.find({channel.id, channel.terms.assets[asset].token});
    return found == m_state.holdings.end() ? Amount() : found->second.totals.total();
}

const Address& balance_reader() {
    static const Address address = *fixed_from_hex<Address>("0x00000000000000000000000000000000ba1a9ce5");
    return address;
}

Play random_play(std::uint64_t seed, std::uint64_t index, const Cast& cast, const Domain& domain,
                 std::uint64_t start_s) {
    return Player(seed, index, cast, domain, start_s).play();
}

}  // namespace hedgerow::tests
