#include <algorithm>

#include "channel/crypto/signature.h"
#include "channel/settle/settlement.h"
#include "tests/sim/adjudicator_call.h"

/// Money, checks, and what both parties agree to: deposits, withdrawals, closes.
namespace hedgerow::sim {

namespace {

constexpr std::uint64_t kMaxAuthorizationS = 86'400;
constexpr std::uint64_t kCoinPushReserve = 50'000 + 50'000 / 63 + 40'000;
constexpr std::uint64_t kTokenPushReserve = 300'000 + 300'000 / 63 + 40'000;

channel::Signature joined(const Signature& signature) {
    channel::Signature out;
    std::copy(signature.r.data.begin(), signature.r.data.end(), out.data.begin());
    std::copy(signature.vs.data.begin(), signature.vs.data.end(), out.data.begin() + 32);
    return out;
}

}  // namespace

[[noreturn]] void revert(std::string_view error) {
    throw Revert{channel::abi_selector(std::string(error).append("()"))};
}
[[noreturn]] void revert(std::string_view error, std::uint64_t value) {
    throw Revert{channel::abi_call(std::string(error).append("(uint256)"), U256(value))};
}

bool takes_coins(const ChainRules& rules, const Address& account) {
    return account != rules.contract && !rules.tokens.contains(account) && !rules.refusing.contains(account);
}

U256 unsigned_of(Amount amount) {
    ASSERT(amount.raw() >= 0);
    return U256(static_cast<Uint128>(amount.raw()));
}

Address signer_of(const channel::Digest& digest, const Signature& signature) {
    const auto key = channel::recover(digest, joined(signature));
    if (!key) revert("BadSignature");
    return channel::address_of(*key);
}

Address tail_of(const channel::Digest& digest) {
    return *Address::from(digest.view().subspan(12));
}

// --- money ----------------------------------------------------------------------------------------------------------

void Call::move_coin(const Address& from, const Address& to, const U256& amount) {
    U256& have = m_state.coins[from];
    if (have < amount) throw Revert{};
    have = have - amount;
    U256& other = m_state.coins[to];
    other = other + amount;
}

bool Call::move_token(const Address& token, const Address& from, const Address& to, const U256& amount) {
    U256& have = m_state.tokens[{token, from}];
    if (have < amount) return false;
    have = have - amount;
    U256& other = m_state.tokens[{token, to}];
    other = other + amount;
    return true;
}

/// No token: asking for its balance reverts without a word.
U256 Call::pull(const Address& token, const U256& wanted) {
    gas(18'300);
    if (!m_rules.tokens.contains(token)) throw Revert{};
    U256& allowed = m_state.allowances[{token, m_context.sender, m_rules.contract}];
    gas_of_write(m_state.tokens[{token, m_rules.contract}].is_zero());
    if (allowed < wanted || !move_token(token, m_context.sender, m_rules.contract, wanted)) revert("TransferFailed");
    if (allowed.bits() < 256) allowed = allowed - wanted;
    return wanted;
}

void Call::pay(const Address& token, const Address& payee, const U256& amount) {
    if (amount.is_zero()) return;
    const std::uint64_t reserve = token.is_zero() ? kCoinPushReserve : kTokenPushReserve;
    m_result.gas_needed = std::max(m_result.gas_needed, m_result.gas_used + reserve);
    bool paid = false;
    if (token.is_zero()) {
        paid = takes_coins(m_rules, payee);
        gas(10'000 + (paid && m_state.coins[payee].is_zero() ? 25'000 : 0));
        if (paid) move_coin(m_rules.contract, payee, amount);
    } else {
        gas(8'500);
        gas_of_write(m_state.tokens[{token, payee}].is_zero());
        paid = move_token(token, m_rules.contract, payee, amount);
    }
    if (paid) return;
    U256& claimable = m_state.claimable[{token, payee}];
    gas_of_write(claimable.is_zero());
    claimable = claimable + amount;
    emit("Held(address,address,uint256)", {topic(token), topic(payee)}, channel::abi_encode(amount));
}

void Call::pay_out(const Terms& terms, const std::vector<Amount>& a, const std::vector<Amount>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        pay(terms.assets[i].token, terms.owner_a, unsigned_of(a[i]));
        pay(terms.assets[i].token, terms.owner_b, unsigned_of(b[i]));
    }
}

// --- checks ---------------------------------------------------------------------------------------------------------

void Call::check_oracles(std::span<const Address> oracles) {
    if (oracles.size() > channel::kMaxOracles) revert("OraclesCountOutOfRange");
    Address last;
    for (const Address& oracle : oracles) {
        if (oracle <= last) revert("OraclesNotAscending");
        last = oracle;
    }
}

ChannelId Call::identify(const Terms& terms) {
    gas(5'800 + 900 * terms.assets.size());
    if (terms.owner_a.is_zero() || terms.owner_b.is_zero()) revert("OwnerZero");
    if (terms.signer_a.is_zero() || terms.signer_b.is_zero()) revert("SignerZero");
    if (terms.signer_a == terms.signer_b) revert("SignersEqual");
    if (terms.price_slot == 0) revert("PriceSlotZero");
    if (terms.assets.empty() || terms.assets.size() > channel::kMaxAssets) revert("AssetsCountOutOfRange");
    for (std::size_t i = 0; i < terms.assets.size(); ++i) {
        if (terms.assets[i].decimals > 18) revert("AssetDecimalsOutOfRange");
        if (terms.assets[i].haircut_bps > 10'000) revert("HaircutOutOfRange");
        for (std::size_t j = 0; j < i; ++j) {
            if (terms.assets[j].token == terms.assets[i].token) revert("AssetDuplicate");
        }
    }
    check_oracles(terms.oracles);
    if (terms.oracle_threshold == 0 || terms.oracle_threshold > terms.oracles.size()) {
        revert("OracleThresholdOutOfRange");
    }
    return channel::channel_id_of(terms, m_rules.separator);
}

void Call::check_net(std::span<const Amount> net) {
    for (const Amount amount : net) {
        if (!amount.within_bits(channel::kNetBits)) revert("NetOutOfRange");
    }
}

void Call::check_state(const Terms& terms, const channel::State& state) {
    const std::size_t assets = terms.assets.size();
    if (state.version > channel::kMaxVersion) revert("VersionOutOfRange");
    if (state.net.size() != assets || state.asset_marks.size() != assets) revert("AssetsCountMismatch");
    check_net(state.net);
    for (const Price mark : state.asset_marks) {
        if (mark.sign() <= 0 || !mark.within_bits(channel::kMarketBits)) revert("AssetMarkOutOfRange");
    }
    for (const channel::Position& position : state.positions) {
        if (position.expiry % terms.price_slot != 0 || position.expiry >> 40 != 0) revert("PositionExpiryOutOfRange");
        if (position.strike.sign() < 0 || !position.strike.within_bits(96)) revert("StrikeOutOfRange");
        if (!position.quantity.within_bits(96)) revert("QuantityOutOfRange");
        if (!position.mark.within_bits(96)) revert("MarkOutOfRange");
    }
    for (const channel::Lock& lock : state.locks) {
        if (lock.asset >= assets) revert("AssetOutOfRange");
        if (!lock.amount.within_bits(96)) revert("LockAmountOutOfRange");
        if (lock.expiry >> 40 != 0) revert("LockExpiryOutOfRange");
    }
}

void Call::check_initial(const channel::State& state) {
    if (state.version != 0 || !state.context.is_zero() || !state.net.empty() || !state.asset_marks.empty() ||
        !state.positions.empty() || !state.locks.empty()) {
        revert("InitialStateNotEmpty");
    }
}

void Call::check_signers(const Terms& terms, const channel::Digest& digest, const Signature& a, const Signature& b) {
    gas(2 * 3'800);
    if (signer_of(digest, a) != terms.signer_a) revert("WrongSigner");
    if (signer_of(digest, b) != terms.signer_b) revert("WrongSigner");
}

Address Call::checked_digest(const Terms& terms, const channel::State& state, const Signature& a, const Signature& b) {
    if (state.version == 0) {
        check_initial(state);
        return {};
    }
    check_state(terms, state);
    gas(2'000 + 800 * terms.assets.size() + 1'200 * (state.positions.size() + state.locks.size()));
    const channel::Digest digest = channel::digest_of(state, m_rules.separator);
    check_signers(terms, digest, a, b);
    return tail_of(digest);
}

Party Call::challenger_of(const Terms& terms, const ChannelId& id, std::uint64_t version,
                          const wallet::abi::Authorization& authorization) {
    Address by = m_context.sender;
    if (authorization.deadline != 0) {
        if (m_context.now_s >= authorization.deadline) revert("DeadlinePassed");
        if (authorization.deadline > m_context.now_s + kMaxAuthorizationS) revert("DeadlineTooFar");
        const channel::Challenge typed{id, version, authorization.deadline};
        by = signer_of(channel::digest_of(typed, m_rules.separator), authorization.signature);
    }
    if (by == terms.owner_a || by == terms.signer_a) return Party::A;
    if (by == terms.owner_b || by == terms.signer_b) return Party::B;
    revert("NotAParty");
}

// --- collateral -----------------------------------------------------------------------------------------------------

Bytes Call::deposit(ByteView data) {
    ChannelId id;
    std::uint8_t party = 0;
    Address token;
    U256 amount;
    read(data, id, party, token, amount);
    gas(1'000);
    if (party > 1) revert("PartyOutOfRange");
    if (m_context.value != (token.is_zero() ? amount : U256())) revert("ValueMismatch");
    if (!token.is_zero()) amount = pull(token, amount);
    if (amount.is_zero()) revert("NothingDue");
    HeldAsset& held = m_state.holdings[{id, token}];
    if (held.is_final) revert("ChannelFinal");
    gas_of_write(held.totals == channel::Holdings());
    Amount& total = party == 0 ? held.totals.deposit_a : held.totals.deposit_b;
    const U256 after = unsigned_of(total) + amount;
    if (after.bits() > channel::kNetBits) revert("DepositOutOfRange");
    total = Amount::from_raw(*after.to_i128());
    emit("Deposited(bytes32,uint8,address,uint256)", {topic(id)}, channel::abi_encode(party, token, total));
    return {};
}

Bytes Call::recover(ByteView data) {
    Terms terms;
    std::uint8_t party = 0;
    Address token;
    read(data, terms, party, token);
    const ChannelId id = identify(terms);
    if (party > 1) revert("PartyOutOfRange");
    for (const channel::Asset& asset : terms.assets) {
        if (asset.token == token) revert("AssetListed");
    }
    HeldAsset& held = m_state.holdings[{id, token}];
    Amount& total = party == 0 ? held.totals.deposit_a : held.totals.deposit_b;
    const Amount amount = total;
    if (amount.is_zero()) revert("NothingDue");
    total = Amount();
    gas_of_write(false);
    emit("Recovered(bytes32,uint8,address,uint256)", {topic(id)}, channel::abi_encode(party, token, amount));
    pay(token, party == 0 ? terms.owner_a : terms.owner_b, unsigned_of(amount));
    return {};
}

Bytes Call::withdraw(ByteView data) {
    Terms terms;
    wallet::abi::Withdraw wanted;
    Signature a;
    Signature b;
    read(data, terms, wanted, a, b);
    const ChannelId id = identify(terms);
    gas(5'800);
    if (wanted.asset >= terms.assets.size()) revert("AssetOutOfRange");
    if (m_context.now_s >= wanted.deadline) revert("DeadlinePassed");
    if (m_state.disputes.contains(id)) revert("ChannelDisputed");
    const Address token = terms.assets[wanted.asset].token;
    HeldAsset& held = m_state.holdings[{id, token}];
    if (held.is_final) revert("ChannelFinal");
    const channel::Withdraw typed{id, wanted.party, wanted.asset, wanted.total, wanted.deadline};
    check_signers(terms, channel::digest_of(typed, m_rules.separator), a, b);
    Amount& before = wanted.party == Party::A ? held.totals.withdrawn_a : held.totals.withdrawn_b;
    if (wanted.total <= before) return {};
    const Amount paid = wanted.total - before;
    if (paid > held.totals.total()) revert("WithdrawUnfunded");
    const bool is_first = held.totals.withdrawn_a.is_zero() && held.totals.withdrawn_b.is_zero();
    gas_of_write(is_first);
    if (is_first) gas(2'900);
    before = wanted.total;
    emit("Withdrawn(bytes32,uint8,address,uint256,uint256)", {topic(id)},
         channel::abi_encode(wanted.party, token, wanted.total, paid));
    pay(token, terms.owner(wanted.party), unsigned_of(paid));
    return {};
}

// --- the end of a channel -------------------------------------------------------------------------------------------

std::vector<channel::Holdings> Call::finalise(const ChannelId& id, const Terms& terms) {
    std::vector<channel::Holdings> out;
    for (const channel::Asset& asset : terms.assets) {
        HeldAsset& held = m_state.holdings[{id, asset.token}];
        if (held.is_final) revert("ChannelFinal");
        gas(1'700);
        gas_of_write(held.totals == channel::Holdings());
        held.is_final = true;
        out.push_back(held.totals);
    }
    return out;
}

wallet::AssetAmounts list_of(const std::vector<Amount>& amounts) {
    wallet::AssetAmounts out;
    out.assign(amounts.begin(), amounts.end());
    return out;
}

Bytes Call::close(ByteView data) {
    Terms terms;
    wallet::abi::Close agreement;
    Signature a;
    Signature b;
    read(data, terms, agreement, a, b);
    const ChannelId id = identify(terms);
    gas(5'000);
    if (m_context.now_s >= agreement.deadline) revert("DeadlinePassed");
    if (agreement.net.size() != terms.assets.size()) revert("AssetsCountMismatch");
    check_net(agreement.net);
    if (const auto open = m_state.disputes.find(id); open != m_state.disputes.end()) {
        if (agreement.version <= open->second.version) revert("VersionMustIncrease");
        m_state.disputes.erase(open);
    }
    const channel::Close typed{id, agreement.version, agreement.net, agreement.deadline};
    check_signers(terms, channel::digest_of(typed, m_rules.separator), a, b);
    const auto holdings = finalise(id, terms);
    const auto shares = channel::cooperative_payout(agreement.net, holdings);
    if (!shares) revert("NetExceedsHoldings");
    std::vector<Amount> rest;
    for (std::size_t i = 0; i < shares->size(); ++i) rest.push_back(holdings[i].total() - (*shares)[i]);
    pay_out(terms, *shares, rest);
    emit("Closed(bytes32,uint64,uint256[],uint256[])", {topic(id)},
         channel::abi_encode(agreement.version, list_of(*shares), list_of(rest)));
    return {};
}
Bytes Call::claim(ByteView data) {
    Address token;
    Address payee;
    read(data, token, payee);
    const auto held = m_state.claimable.find({token, payee});
    if (held == m_state.claimable.end() || held->second.is_zero()) revert("NothingDue");
    const U256 amount = held->second;
    gas(11'500 + (token.is_zero() && m_state.coins[payee].is_zero() ? 25'000 : 0));
    m_state.claimable.erase(held);
    emit("Claimed(address,address,uint256)", {topic(token), topic(payee)}, channel::abi_encode(amount));
    if (token.is_zero()) {
        if (!takes_coins(m_rules, payee)) revert("TransferFailed");
        move_coin(m_rules.contract, payee, amount);
    } else if (!move_token(token, m_rules.contract, payee, amount)) {
        revert("TransferFailed");
    }
    return {};
}

}  // namespace hedgerow::sim
