#include "tests/evm/adjudicator_player.h"

namespace hedgerow::tests {

// --- moves -----------------------------------------------------------------------------------------------------------

Move Player::any_move() {
    const bool is_open = open_dispute(m_channels[0]) != nullptr;
    const std::uint64_t dice = m_random.below(78);
    if (dice < 5) return deposit();
    if (dice < 8) return withdraw();
    if (dice < 11) return recover();
    if (dice < 15) return close();
    if (dice < 18) return claim();
    if (dice < 22) return reveal();
    if (dice < 30) return attest();
    if (dice < 33) return multicall();
    if (dice < 36) return again();
    if (dice < 38) return token_call();
    if (dice < 40) return coins();
    if (dice < 43) return nonsense();
    if (dice < (is_open ? 47 : 44)) return settle();
    if (is_open) return dice < 72 ? respond() : (dice < 75 ? settle() : challenge());
    return dice < 48 ? respond() : (dice < 54 ? deposit() : (dice < 59 ? withdraw() : challenge()));
}

Move Player::deposit() {
    const PlayChannel& one = channel();
    const Address token = any_token(one);
    const Amount amount =
        Amount::from_raw(m_random.one_in(5) ? m_random.sized(121) : static_cast<Int128>(m_random.below(5'000)));
    const U256 full(static_cast<Uint128>(amount.raw()));
    Move out =
        to_contract("deposit", wallet::deposit_call(one.id, m_random.one_in(2) ? Party::A : Party::B, token, amount));
    if (token.is_zero() != m_random.one_in(12)) out.value = full;
    if (m_random.one_in(20)) {
        out.data[4 + 32 + 31] = 2;  // a third party
        out.is_malformed = true;
    }
    return out;
}

Move Player::recover() {
    const PlayChannel& one = channel();
    const Party party = m_random.one_in(2) ? Party::A : Party::B;
    if (m_random.one_in(2)) {  // first something to be recovered
        act({"deposit",
             m_senders[0],
             m_play.rules.contract,
             {},
             wallet::deposit_call(one.id, party, case_token(3), Amount::from_raw(70))});
    }
    const Address token = m_random.one_in(2) ? case_token(3) : any_token(one);
    return to_contract("recover", wallet::recover_call(terms_of(one), party, token));
}

Move Player::withdraw() {
    PlayChannel& one = channel();
    const auto asset =
        static_cast<std::uint8_t>(m_random.below(one.terms.assets.size() + (m_random.one_in(12) ? 1 : 0)));
    const Int128 left = asset < one.terms.assets.size() ? total_of(one, asset).raw() : 5;
    const Int128 totals[] = {0, left / 3, left / 2, left, left + 1, m_random.sized(100)};
    const Withdraw agreed{one.id, m_random.one_in(2) ? Party::A : Party::B, asset,
                          Amount::from_raw(totals[m_random.below(6)]), deadline()};
    one.sent.push_back(wallet::withdraw_call(one.terms, agreed, m_hands.both(agreed)));
    return to_contract("withdraw", wallet::withdraw_call(terms_of(one), agreed, m_hands.both(agreed, m_random, 85)));
}

Move Player::close() {
    PlayChannel& one = channel();
    const DisputeSlot* open = open_dispute(one);
    Close agreed{one.id, (open != nullptr ? open->version : 0) + m_random.below(3), {}, deadline()};
    for (std::size_t i = 0; i < one.terms.assets.size(); ++i) {
        const auto held = m_state.holdings.find({one.id, one.terms.assets[i].token});
        const Holdings totals = held == m_state.holdings.end() ? Holdings() : held->second.totals;
        const Int128 total = totals.total().raw();
        Int128 share = total * static_cast<Int128>(m_random.below(5)) / 4;
        if (m_random.one_in(12)) share = m_random.one_in(2) ? -1 : total + 1;
        agreed.net.push_back(totals.deposit_a - totals.withdrawn_a - Amount::from_raw(share));
        if (m_random.one_in(30)) agreed.net.back() = Amount::from_raw(static_cast<Int128>(1) << kNetBits);
    }
    if (m_random.one_in(16)) agreed.net.push_back(Amount());
    Move out = to_contract("close", wallet::close_call(terms_of(one), agreed, m_hands.both(agreed, m_random, 75)));
    if (m_random.one_in(4)) {  // what is signed for one channel is shown to the other
        out.data = wallet::close_call(m_channels[1].terms, agreed, m_hands.both(agreed));
    } else if (m_random.one_in(2)) {
        one.sent.push_back(out.data);
        return nonsense();  // it is sent later, or never
    }
    return out;
}

Move Player::challenge() {
    PlayChannel& one = channel();
    const DisputeSlot* open = open_dispute(one);
    const State state =
        m_random.one_in(4) ? new_state(one, 0) : some_state(one, open != nullptr ? open->version : m_random.below(200));
    wallet::ChallengeAuthorization by;
    if (!m_random.one_in(4)) {
        by.deadline = deadline();
        const Challenge made{one.id, m_random.one_in(16) ? state.version + 1 : state.version, by.deadline};
        const auto& key =
            m_random.one_in(12) ? m_hands.stranger() : m_hands.of(m_random.one_in(2) ? Party::A : Party::B);
        by.signature = m_hands.sign(made, key);
        if (m_random.one_in(16)) Hands::spoil(by.signature, m_random);
    }
    const Secret secret = m_random.one_in(14) ? Secret() : one.secret;
    State shown = state;
    if (state.version == 0 && m_random.one_in(5)) shown.context.data[0] = 1;
    Move out = to_contract("challenge",
                           wallet::challenge_call(terms_of(one), secret, shown, m_hands.both(state, m_random, 85), by));
    if (m_random.one_in(6)) one.sent.push_back(out.data);
    return out;
}

Move Player::respond() {
    PlayChannel& one = channel();
    const DisputeSlot* open = open_dispute(one);
    const State state = some_state(one, open != nullptr ? open->version : 1);
    Move out = to_contract("respond", wallet::respond_call(terms_of(one), state, m_hands.both(state, m_random, 85)));
    one.sent.push_back(out.data);
    return out;
}

Move Player::settle() {
    PlayChannel& one = channel();
    auto state = recorded(one);
    if (!state || m_random.one_in(8)) state = some_state(one, 1);
    return to_contract("settle", wallet::settle_call(terms_of(one), *state));
}

Move Player::claim() {
    const PlayChannel& one = channel();
    Address token = any_token(one);
    Address payee = m_random.one_in(2) ? one.terms.owner_a : one.terms.owner_b;
    if (!m_state.claimable.empty() && !m_random.one_in(3)) std::tie(token, payee) = m_state.claimable.begin()->first;
    return to_contract("claim", wallet::claim_call(token, payee));
}

Move Player::reveal() {
    std::vector<Preimage> shown;
    for (std::size_t i = m_random.below(4); i > 0; --i) shown.push_back(play_preimages()[m_random.below(4)]);
    return to_contract("reveal", wallet::reveal_call(shown));
}

Move Player::attest() {
    const PlayChannel& one = m_channels[0];
    const DisputeSlot* open = open_dispute(one);
    const std::uint64_t slot = one.terms.price_slot;
    const std::uint64_t valued =
        valuation_time(open != nullptr ? open->end - one.terms.dispute_period : m_now, one.terms.price_slot);
    const std::uint64_t time =
        valued + (m_random.one_in(2) ? 0 : m_random.below(11) * slot) - (m_random.one_in(8) ? slot : 0);
    std::vector<Feed> feeds;
    for (std::size_t i = m_random.below(5); i < 6; i += 1 + m_random.below(3)) feeds.push_back(play_feed(i));
    if (feeds.empty() || m_random.one_in(4)) feeds.push_back(play_feed(m_random.below(kPlayFeeds)));
    std::vector<Bytes> packages;
    const bool together = m_random.one_in(3);
    for (const auto& oracle : m_hands.cast().oracles) {
        if (m_random.one_in(4)) continue;
        std::vector<std::pair<Feed, U256>> points;
        for (const Feed& feed : feeds) {
            if (std::any_of(points.begin(), points.end(), [&](const auto& p) { return p.first == feed; })) continue;
            points.emplace_back(feed, U256(static_cast<Uint128>(40'000'000 + m_random.below(120'000'000))));
        }
        if (m_random.one_in(10)) points.emplace_back(play_feed(m_random.below(kPlayFeeds)), U256(Uint128{7}));
        if (m_random.one_in(12))
            points.insert(points.begin(), {m_random.one_in(2) ? Feed() : Feed{{1, 2}}, U256(~Uint128{0})});
        if (m_random.one_in(24))
            points.back().second = m_random.one_in(2) ? U256() : U256((Uint128{1} << 96) - m_random.below(2));
        const auto& by = m_random.one_in(24) ? m_hands.stranger() : oracle;
        const std::uint64_t at_ms = time * 1'000 + (m_random.one_in(24) ? 1 : 0);
        if (together) {
            packages.push_back(package_bytes(points, at_ms, by));
        } else {
            for (const auto& point : points) packages.push_back(package_bytes(std::span(&point, 1), at_ms, by));
        }
    }
    if (!packages.empty() && m_random.one_in(8)) spoil_package(packages[m_random.below(packages.size())], m_random);
    if (!packages.empty() && m_random.one_in(12)) packages.push_back(packages.front());
    std::vector<Address> oracles(one.terms.oracles.begin(), one.terms.oracles.end());
    if (m_random.one_in(16)) std::swap(oracles[0], oracles[1]);
    if (m_random.one_in(16)) oracles.pop_back();
    for (const Feed& feed : feeds) m_attested.emplace_back(feed, time);
    const std::uint64_t named = m_random.one_in(40) ? ~std::uint64_t{0} - m_random.below(9) : time;
    return to_contract("attest", wallet::attest_call(oracles, named, feeds, packages));
}

Move Player::multicall() {
    std::vector<Bytes> calls;
    for (std::size_t i = m_random.below(4); i > 0; --i) {
        const Move inner = m_random.one_in(2) ? attest() : (m_random.one_in(2) ? reveal() : any_move());
        if (inner.to == m_play.rules.contract && !inner.is_malformed) calls.push_back(inner.data);
    }
    Move out = to_contract("multicall", wallet::multicall_call(calls));
    if (m_random.one_in(16)) out.value = U256(Uint128{1});
    return out;
}

/// A call of before, by whomever.
Move Player::again() {
    const PlayChannel& one = channel();
    if (one.sent.empty()) return nonsense();
    return to_contract("again", one.sent[m_random.below(one.sent.size())]);
}

Move Player::token_call() {
    const Address token = case_token(m_random.below(4));
    const U256 amount(
        static_cast<Uint128>(m_random.one_in(4) ? m_random.sized(126) : static_cast<Int128>(m_random.below(9'000))));
    const Address whom = m_random.one_in(2) ? m_play.rules.contract : m_channels[0].terms.owner_b;
    switch (m_random.below(4)) {
        case 0:
            return {"transfer", anyone(), token, {}, abi_call("transfer(address,uint256)", whom, amount), false};
        case 1:
            return {"approve", anyone(), token, {}, abi_call("approve(address,uint256)", whom, amount), false};
        case 2:
            return {"allowance",
                    anyone(),
                    token,
                    {},
                    abi_call("allowance(address,address)", anyone(), m_play.rules.contract),
                    false};
        default:
            return {
                "decimals", anyone(), token, U256(Uint128{m_random.one_in(2) ? 1U : 0U}), abi_selector("decimals()"),
                false};
    }
}

Move Player::coins() {
    const Address to[] = {m_channels[0].terms.owner_b, m_channels[0].terms.owner_a, m_play.rules.contract,
                          case_token(0), m_senders[0]};
    return {"coins", anyone(), to[m_random.below(5)], U256(static_cast<Uint128>(m_random.below(3))), {}, false};
}

/// What no program of ours sends, or asks for without a transaction.
Move Player::nonsense() {
    const PlayChannel& one = channel();
    Move out = to_contract("view", {});
    State state = some_state(m_channels[0], 1);
    switch (m_random.below(8)) {
        case 0:
            out.data = wallet::domain_separator_call();
            break;
        case 1:
            out.data = wallet::channel_id_call(terms_of(one));
            break;
        case 2:
            out.data = wallet::state_digest_call(one.id, state);
            break;
        case 3:
            out.data = wallet::oracle_set_call(one.terms.oracles);
            break;
        case 4:
            out.data = abi_call("mint(address,uint256)", out.from, U256(Uint128{1}));
            break;
        case 5:
            out.data = wallet::respond_call(one.terms, state, m_hands.both(state));
            out.data.resize(m_random.below(40));
            break;
        case 6: {  // more of something than there may be, or an unknown kind
            if (m_random.one_in(3))
                state.locks.resize(kMaxLocks + 1);
            else if (m_random.one_in(2))
                state.positions.resize(kMaxPositions + 1);
            else
                state.positions.push_back({{}, {}, static_cast<Kind>(5), 0, {}, {}, {}});
            out =
                to_contract("too much", wallet::challenge_call(one.terms, one.secret, state, m_hands.both(state), {}));
            out.from = one.terms.signer_a;
            out.is_malformed = true;
            break;
        }
        default: {
            Terms terms = one.terms;
            if (m_random.one_in(2))
                terms.assets.resize(kMaxAssets + 1);
            else
                terms.oracles.resize(kMaxOracles + 1);
            out = to_contract("too much", wallet::channel_id_call(terms));
            out.is_malformed = true;
            break;
        }
    }
    if (m_random.one_in(6)) out.value = U256(Uint128{1});
    return out;
}

}  // namespace hedgerow::tests
