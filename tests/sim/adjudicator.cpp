#include "tests/sim/adjudicator.h"

#include <algorithm>
#include <optional>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "channel/market/median.h"
#include "channel/market/package.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"

namespace hedgerow::sim {

using channel::Party;
using channel::Price;
using channel::Terms;
using channel::Uint128;
using wallet::abi::Signature;

namespace {

constexpr std::uint64_t kMaxAuthorizationS = 86'400;
constexpr std::uint64_t kCoinPushReserve = 50'000 + 50'000 / 63 + 40'000;
constexpr std::uint64_t kTokenPushReserve = 300'000 + 300'000 / 63 + 40'000;

/// What a call ends with where a rule is broken: its revert data.
struct Revert {
    Bytes data;
};
[[noreturn]] void revert(std::string_view error) {
    throw Revert{channel::abi_selector(std::string(error).append("()"))};
}
[[noreturn]] void revert(std::string_view error, std::uint64_t value) {
    throw Revert{channel::abi_call(std::string(error).append("(uint256)"), U256(value))};
}

U256 unsigned_of(Amount amount) {
    ASSERT(amount.raw() >= 0);
    return U256(static_cast<Uint128>(amount.raw()));
}

channel::Signature joined(const Signature& signature) {
    channel::Signature out;
    std::copy(signature.r.data.begin(), signature.r.data.end(), out.data.begin());
    std::copy(signature.vs.data.begin(), signature.vs.data.end(), out.data.begin() + 32);
    return out;
}

Address signer_of(const channel::Digest& digest, const Signature& signature) {
    const auto key = channel::recover(digest, joined(signature));
    if (!key) revert("BadSignature");
    return channel::address_of(*key);
}

/// What of a recorded state's digest is kept.
Address tail_of(const channel::Digest& digest) {
    return *Address::from(digest.view().subspan(12));
}

/// One call, with everything that it may touch.
class Call {
  public:
    Call(const ChainRules& rules, ChainState& state, const CallContext& context, CallResult& result)
        : m_rules(rules), m_state(state), m_context(context), m_result(result) {}

    Bytes run(ByteView data);
    Bytes run_token(ByteView data);

  private:
    template <typename... T>
    static void read(ByteView data, T&... values) {
        if (!channel::abi_decode(data.subspan(4), values...)) throw Revert{};
    }
    void gas(std::uint64_t amount) { m_result.gas_used += amount; }
    void emit(std::string_view signature, std::vector<Hash> topics, Bytes data) {
        topics.insert(topics.begin(), channel::keccak256(channel::as_bytes(signature)));
        gas(375 * (topics.size() + 1) + 8 * data.size());
        m_result.logs.push_back({m_rules.contract, std::move(topics), std::move(data)});
    }
    template <typename Id>
    static Hash topic(const Id& id) {
        return Hash{channel::to_word(id)};
    }

    // Entry points.
    Bytes deposit(ByteView data);
    Bytes recover(ByteView data);
    Bytes withdraw(ByteView data);
    Bytes close(ByteView data);
    Bytes challenge(ByteView data);
    Bytes respond(ByteView data);
    Bytes settle(ByteView data);
    Bytes claim(ByteView data);
    Bytes reveal(ByteView data);
    Bytes attest(ByteView data);
    Bytes multicall(ByteView data);
    // Views.
    Bytes view_channel_id(ByteView data);
    Bytes view_state_digest(ByteView data);
    Bytes view_dispute(ByteView data);
    Bytes view_holdings(ByteView data);
    Bytes view_oracle_set(ByteView data);
    Bytes view_attested(ByteView data);
    Bytes view_revealed_at(ByteView data);
    Bytes view_claimable(ByteView data);

    // Rules.sol and the private parts of Adjudicator.sol.
    ChannelId identify(const Terms& terms);
    static void check_oracles(std::span<const Address> oracles);
    static void check_state(const Terms& terms, const channel::State& state);
    static void check_net(std::span<const Amount> net);
    static void check_initial(const channel::State& state);
    void check_signers(const Terms& terms, const channel::Digest& digest, const Signature& a, const Signature& b);
    Address checked_digest(const Terms& terms, const channel::State& state, const Signature& a, const Signature& b);
    Party challenger_of(const Terms& terms, const ChannelId& id, std::uint64_t version,
                        const wallet::abi::Authorization& authorization);
    void respond_with(const Terms& terms, const ChannelId& id, const channel::State& state, const Signature& a,
                      const Signature& b);
    std::vector<channel::Holdings> finalise(const ChannelId& id, const Terms& terms);
    void pay(const Address& token, const Address& payee, const U256& amount);
    void pay_out(const Terms& terms, const std::vector<Amount>& a, const std::vector<Amount>& b);
    Amount pull(const Address& token, Amount amount);
    void move_coin(const Address& from, const Address& to, const U256& amount);
    bool move_token(const Address& token, const Address& from, const Address& to, const U256& amount);

    const ChainRules& m_rules;
    ChainState& m_state;
    const CallContext& m_context;
    CallResult& m_result;
};

}  // namespace

// --- money
// ------------------------------------------------------------------------------------------------------------------

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

Amount Call::pull(const Address& token, Amount amount) {
    gas(30'000);
    const U256 wanted = unsigned_of(amount);
    if (!m_rules.tokens.contains(token)) revert("TransferFailed");
    U256& allowed = m_state.allowances[{token, m_context.sender, m_rules.contract}];
    if (allowed < wanted || !move_token(token, m_context.sender, m_rules.contract, wanted)) revert("TransferFailed");
    if (allowed.bits() < 256) allowed = allowed - wanted;
    return amount;
}

void Call::pay(const Address& token, const Address& payee, const U256& amount) {
    if (amount.is_zero()) return;
    const std::uint64_t reserve = token.is_zero() ? kCoinPushReserve : kTokenPushReserve;
    m_result.gas_needed = std::max(m_result.gas_needed, m_result.gas_used + reserve);
    gas(token.is_zero() ? 34'000 : 45'000);
    bool paid = false;
    if (token.is_zero()) {
        paid = !m_rules.refusing.contains(payee);
        if (paid) move_coin(m_rules.contract, payee, amount);
    } else {
        paid = move_token(token, m_rules.contract, payee, amount);
    }
    if (paid) return;
    U256& claimable = m_state.claimable[{token, payee}];
    claimable = claimable + amount;
    emit("Held(address,address,uint256)", {topic(token), topic(payee)}, channel::abi_encode(amount));
}

void Call::pay_out(const Terms& terms, const std::vector<Amount>& a, const std::vector<Amount>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        pay(terms.assets[i].token, terms.owner_a, unsigned_of(a[i]));
        pay(terms.assets[i].token, terms.owner_b, unsigned_of(b[i]));
    }
}

// --- checks
// -----------------------------------------------------------------------------------------------------------------

void Call::check_oracles(std::span<const Address> oracles) {
    if (oracles.size() > channel::kMaxOracles) revert("OraclesCountOutOfRange");
    Address last;
    for (const Address& oracle : oracles) {
        if (oracle <= last) revert("OraclesNotAscending");
        last = oracle;
    }
}

ChannelId Call::identify(const Terms& terms) {
    gas(5'000);
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
    gas(2 * 6'000);
    if (signer_of(digest, a) != terms.signer_a) revert("WrongSigner");
    if (signer_of(digest, b) != terms.signer_b) revert("WrongSigner");
}

Address Call::checked_digest(const Terms& terms, const channel::State& state, const Signature& a, const Signature& b) {
    if (state.version == 0) {
        check_initial(state);
        return {};
    }
    check_state(terms, state);
    gas(300 * (state.positions.size() + state.locks.size()));
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

// --- collateral
// -------------------------------------------------------------------------------------------------------------

Bytes Call::deposit(ByteView data) {
    ChannelId id;
    std::uint8_t party = 0;
    Address token;
    Amount amount;
    read(data, id, party, token, amount);
    gas(30'000);
    if (party > 1) revert("PartyOutOfRange");
    if (amount.sign() < 0) throw Revert{};
    if (m_context.value != (token.is_zero() ? unsigned_of(amount) : U256())) revert("ValueMismatch");
    if (!token.is_zero()) amount = pull(token, amount);
    if (amount.is_zero()) revert("NothingDue");
    HeldAsset& held = m_state.holdings[{id, token}];
    if (held.is_final) revert("ChannelFinal");
    Amount& total = party == 0 ? held.totals.deposit_a : held.totals.deposit_b;
    if (!(total + amount).within_bits(channel::kNetBits)) revert("DepositOutOfRange");
    total += amount;
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
    gas(25'000);
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
    before = wanted.total;
    emit("Withdrawn(bytes32,uint8,address,uint256,uint256)", {topic(id)},
         channel::abi_encode(wanted.party, token, wanted.total, paid));
    pay(token, terms.owner(wanted.party), unsigned_of(paid));
    return {};
}

// --- the end of a channel
// ---------------------------------------------------------------------------------------------------

std::vector<channel::Holdings> Call::finalise(const ChannelId& id, const Terms& terms) {
    std::vector<channel::Holdings> out;
    for (const channel::Asset& asset : terms.assets) {
        HeldAsset& held = m_state.holdings[{id, asset.token}];
        if (held.is_final) revert("ChannelFinal");
        held.is_final = true;
        out.push_back(held.totals);
        gas(7'000);
    }
    return out;
}

namespace {

wallet::AssetAmounts list_of(const std::vector<Amount>& amounts) {
    wallet::AssetAmounts out;
    out.assign(amounts.begin(), amounts.end());
    return out;
}

}  // namespace

Bytes Call::close(ByteView data) {
    Terms terms;
    wallet::abi::Close agreement;
    Signature a;
    Signature b;
    read(data, terms, agreement, a, b);
    const ChannelId id = identify(terms);
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

Bytes Call::challenge(ByteView data) {
    Terms terms;
    channel::Secret secret;
    wallet::abi::State given;
    Signature a;
    Signature b;
    wallet::abi::Authorization authorization;
    read(data, terms, secret, given, a, b, authorization);
    const ChannelId id = identify(terms);
    const channel::State state = wallet::abi::with_channel(id, std::move(given));
    if (m_state.disputes.contains(id)) {
        respond_with(terms, id, state, a, b);
        return {};
    }
    gas(30'000);
    const auto held = m_state.holdings.find({id, terms.assets[0].token});
    if (held != m_state.holdings.end() && held->second.is_final) revert("ChannelFinal");
    if (channel::keccak256(secret.view()) != terms.salt) revert("SaltMismatch");
    const Party challenger = challenger_of(terms, id, state.version, authorization);
    const Address tail = checked_digest(terms, state, a, b);
    const std::uint64_t end = m_context.now_s + terms.dispute_period;
    m_state.disputes[id] = {tail, state.version, end, 0, challenger};
    emit("Challenged(bytes32,uint8,bytes32,uint64," HEDGEROW_ABI_STATE ")", {topic(id)},
         channel::abi_encode(challenger, secret, end, wallet::abi::without_channel(state)));
    return {};
}

Bytes Call::respond(ByteView data) {
    Terms terms;
    wallet::abi::State given;
    Signature a;
    Signature b;
    read(data, terms, given, a, b);
    const ChannelId id = identify(terms);
    respond_with(terms, id, wallet::abi::with_channel(id, std::move(given)), a, b);
    return {};
}

void Call::respond_with(const Terms& terms, const ChannelId& id, const channel::State& state, const Signature& a,
                        const Signature& b) {
    gas(10'000);
    const auto open = m_state.disputes.find(id);
    if (open == m_state.disputes.end()) revert("NotDisputed");
    DisputeSlot& slot = open->second;
    if (m_context.now_s >= slot.end) revert("DisputeEnded");
    if (state.version <= slot.version) revert("VersionMustIncrease");
    slot.digest_tail = checked_digest(terms, state, a, b);
    slot.lead = std::min(slot.lead + (state.version - slot.version), channel::kMaxLead);
    slot.version = state.version;
    emit("Responded(bytes32," HEDGEROW_ABI_STATE ")", {topic(id)},
         channel::abi_encode(wallet::abi::without_channel(state)));
}

Bytes Call::settle(ByteView data) {
    Terms terms;
    wallet::abi::State given;
    read(data, terms, given);
    const ChannelId id = identify(terms);
    const channel::State state = wallet::abi::with_channel(id, std::move(given));
    const auto open = m_state.disputes.find(id);
    if (open == m_state.disputes.end()) revert("NotDisputed");
    const DisputeSlot slot = open->second;
    if (slot.version == 0) {
        check_initial(state);
    } else if (tail_of(channel::digest_of(state, m_rules.separator)) != slot.digest_tail) {
        revert("StateMismatch");
    }
    gas(25'000 + 6'000 * (state.positions.size() + state.locks.size()));
    const std::uint64_t due = channel::settle_due_time(slot.end, state);
    if (m_context.now_s < due) revert("SettlementNotDue", due);
    m_state.disputes.erase(open);
    const auto holdings = finalise(id, terms);
    const Hash set = wallet::oracle_set_of(terms.oracles);
    const auto attested = [&](const Feed& feed, std::uint64_t time_s) -> std::optional<Price> {
        const auto found = m_state.prices.find({set, feed, time_s});
        if (found == m_state.prices.end() || found->second.signers < terms.oracle_threshold) return std::nullopt;
        return found->second.price;
    };
    const auto registered = [&](const channel::LockHash& hash) {
        const auto found = m_state.revealed_at.find(hash);
        return found == m_state.revealed_at.end() ? std::uint64_t{0} : found->second;
    };
    const channel::OpenDispute dispute{slot.end, slot.lead, slot.challenger};
    const auto answer = channel::settle_at(terms, state, holdings, dispute, m_context.now_s, attested, registered);
    if (answer.status == channel::SettleStatus::waits_for_price) revert("PriceMissing", answer.due_s);
    pay_out(terms, answer.result.a, answer.result.b);
    emit("Settled(bytes32,uint64,uint256[],uint256[])", {topic(id)},
         channel::abi_encode(state.version, list_of(answer.result.a), list_of(answer.result.b)));
    return {};
}

Bytes Call::claim(ByteView data) {
    Address token;
    Address payee;
    read(data, token, payee);
    const auto held = m_state.claimable.find({token, payee});
    if (held == m_state.claimable.end() || held->second.is_zero()) revert("NothingDue");
    const U256 amount = held->second;
    m_state.claimable.erase(held);
    emit("Claimed(address,address,uint256)", {topic(token), topic(payee)}, channel::abi_encode(amount));
    if (token.is_zero()) {
        if (m_rules.refusing.contains(payee)) revert("TransferFailed");
        move_coin(m_rules.contract, payee, amount);
    } else if (!move_token(token, m_rules.contract, payee, amount)) {
        revert("TransferFailed");
    }
    return {};
}

// --- evidence
// ---------------------------------------------------------------------------------------------------------------

Bytes Call::reveal(ByteView data) {
    channel::List<channel::Preimage, 1024> preimages;
    read(data, preimages);
    for (const channel::Preimage& preimage : preimages) {
        gas(25'000);
        channel::LockHash hash;
        hash.data = channel::keccak256(preimage.view()).data;
        if (!m_state.revealed_at.emplace(hash, m_context.now_s).second) continue;
        emit("Revealed(bytes32,bytes32)", {topic(hash)}, channel::abi_encode(preimage));
    }
    return {};
}

namespace {

/// Packages.collect: per feed the values by oracle.
using Values = std::vector<std::map<Address, Price>>;

void collect(const Bytes& bytes, std::uint64_t timestamp_ms, std::span<const Address> oracles,
             std::span<const Feed> feeds, Values& values) {
    const auto package = channel::decode_signed_package(bytes);
    if (!package) revert("PackageMalformed");
    if (package->data.timestamp_ms != timestamp_ms) revert("PackageTimeMismatch");
    const auto by = channel::package_signer(*package);
    if (!by) revert("BadSignature");
    if (std::find(oracles.begin(), oracles.end(), *by) == oracles.end()) revert("PackageUnknownSigner");
    for (const channel::DataPoint& point : package->data.points) {
        for (std::size_t f = 0; f < feeds.size(); ++f) {
            if (feeds[f] != point.feed) continue;
            const auto price = channel::price_of(package->data, point.feed);
            if (!price) revert("PackagePriceOutOfRange");
            if (!values[f].emplace(*by, *price).second) revert("PackageDuplicateSigner");
        }
    }
}

/// The lower of two middle ones.
Price lower_median(const std::map<Address, Price>& by_oracle) {
    std::vector<Price> sorted;
    for (const auto& [oracle, price] : by_oracle) sorted.push_back(price);
    std::sort(sorted.begin(), sorted.end());
    return sorted[(sorted.size() - 1) / 2];
}

}  // namespace

Bytes Call::attest(ByteView data) {
    channel::List<Address, 1024> oracles;
    std::uint64_t time = 0;
    channel::List<Feed, 1024> feeds;
    channel::List<Bytes, 1024> packages;
    read(data, oracles, time, feeds, packages);
    check_oracles(oracles);
    Values values(feeds.size());
    for (const Bytes& package : packages) {
        gas(8'000);
        collect(package, time * 1000, oracles, feeds, values);
    }
    const Hash set = wallet::oracle_set_of(oracles);
    for (std::size_t i = 0; i < feeds.size(); ++i) {
        if (values[i].empty()) revert("PackageMissing");
        gas(25'000);
        const auto signers = static_cast<std::uint8_t>(values[i].size());
        AttestedEntry& entry = m_state.prices[{set, feeds[i], time}];
        if (signers <= entry.signers) continue;
        entry = {lower_median(values[i]), signers};
        emit("Attested(bytes32,bytes32,uint64,uint96,uint8)", {topic(set), topic(feeds[i])},
             channel::abi_encode(time, entry.price, entry.signers));
    }
    return {};
}

Bytes Call::multicall(ByteView data) {
    channel::List<Bytes, 1024> calls;
    read(data, calls);
    channel::List<Bytes, 1024> results;
    if (!m_context.value.is_zero()) throw Revert{};
    for (const Bytes& call : calls) {
        gas(3'000);
        results.push_back(run(call));
    }
    return channel::abi_encode(results);
}

// --- views
// ------------------------------------------------------------------------------------------------------------------

Bytes Call::view_channel_id(ByteView data) {
    Terms terms;
    read(data, terms);
    return channel::abi_encode(identify(terms));
}

Bytes Call::view_state_digest(ByteView data) {
    ChannelId id;
    wallet::abi::State given;
    read(data, id, given);
    return channel::abi_encode(channel::digest_of(wallet::abi::with_channel(id, std::move(given)), m_rules.separator));
}

Bytes Call::view_dispute(ByteView data) {
    ChannelId id;
    read(data, id);
    const auto open = m_state.disputes.find(id);
    const DisputeSlot slot = open == m_state.disputes.end() ? DisputeSlot() : open->second;
    return channel::abi_encode(slot.digest_tail, slot.version, slot.end, static_cast<std::uint8_t>(slot.lead),
                               slot.challenger);
}

Bytes Call::view_holdings(ByteView data) {
    ChannelId id;
    Address token;
    read(data, id, token);
    const auto found = m_state.holdings.find({id, token});
    const HeldAsset held = found == m_state.holdings.end() ? HeldAsset() : found->second;
    return channel::abi_encode(held.totals.deposit_a, held.totals.deposit_b, held.totals.withdrawn_a,
                               held.totals.withdrawn_b, held.is_final);
}

Bytes Call::view_oracle_set(ByteView data) {
    channel::List<Address, 1024> oracles;
    read(data, oracles);
    return channel::abi_encode(wallet::oracle_set_of(oracles));
}

Bytes Call::view_attested(ByteView data) {
    Hash set;
    Feed feed;
    std::uint64_t time = 0;
    read(data, set, feed, time);
    const auto found = m_state.prices.find({set, feed, time});
    const AttestedEntry entry = found == m_state.prices.end() ? AttestedEntry() : found->second;
    return channel::abi_encode(entry.price, entry.signers);
}

Bytes Call::view_revealed_at(ByteView data) {
    channel::LockHash hash;
    read(data, hash);
    const auto found = m_state.revealed_at.find(hash);
    return channel::abi_encode(found == m_state.revealed_at.end() ? std::uint64_t{0} : found->second);
}

Bytes Call::view_claimable(ByteView data) {
    Address token;
    Address payee;
    read(data, token, payee);
    const auto found = m_state.claimable.find({token, payee});
    return channel::abi_encode(found == m_state.claimable.end() ? U256() : found->second);
}

// --- dispatch
// ---------------------------------------------------------------------------------------------------------------

namespace {

constexpr const char* kTwoSignatures = HEDGEROW_ABI_SIGNATURE "," HEDGEROW_ABI_SIGNATURE;

std::string with_terms(std::string_view name, std::string_view rest) {
    return std::string(name).append("(" HEDGEROW_ABI_CHANNEL).append(rest).append(")");
}

}  // namespace

Bytes Call::run(ByteView data) {
    using Handler = Bytes (Call::*)(ByteView);
    static const std::map<Bytes, Handler> kTable = [] {
        const std::string two = std::string(",").append(kTwoSignatures);
        std::map<Bytes, Handler> out;
        const auto add = [&](std::string_view signature, Handler handler) {
            out.emplace(channel::abi_selector(signature), handler);
        };
        add("deposit(bytes32,uint8,address,uint256)", &Call::deposit);
        add(with_terms("recover", ",uint8,address"), &Call::recover);
        add(with_terms("withdraw", ",(uint8,uint8,uint256,uint64)" + two), &Call::withdraw);
        add(with_terms("close", ",(uint64,int256[],uint64)" + two), &Call::close);
        add(with_terms("challenge", ",bytes32," HEDGEROW_ABI_STATE + two + ",(uint64," HEDGEROW_ABI_SIGNATURE ")"),
            &Call::challenge);
        add(with_terms("respond", "," HEDGEROW_ABI_STATE + two), &Call::respond);
        add(with_terms("settle", "," HEDGEROW_ABI_STATE), &Call::settle);
        add("claim(address,address)", &Call::claim);
        add("reveal(bytes32[])", &Call::reveal);
        add("attest(address[],uint64,bytes32[],bytes[])", &Call::attest);
        add("multicall(bytes[])", &Call::multicall);
        add(with_terms("channelId", ""), &Call::view_channel_id);
        add("stateDigest(bytes32," HEDGEROW_ABI_STATE ")", &Call::view_state_digest);
        add("dispute(bytes32)", &Call::view_dispute);
        add("holdings(bytes32,address)", &Call::view_holdings);
        add("oracleSet(address[])", &Call::view_oracle_set);
        add("attested(bytes32,bytes32,uint64)", &Call::view_attested);
        add("revealedAt(bytes32)", &Call::view_revealed_at);
        add("claimable(address,address)", &Call::view_claimable);
        return out;
    }();
    if (data.size() < 4) throw Revert{};
    static const Bytes kSeparator = channel::abi_selector("domainSeparator()");
    const Bytes selector(data.begin(), data.begin() + 4);
    if (selector == kSeparator) return channel::abi_encode(m_rules.separator);
    const auto entry = kTable.find(selector);
    if (entry == kTable.end()) throw Revert{};
    // Only deposit is payable.
    if (!m_context.value.is_zero() && entry->second != &Call::deposit) throw Revert{};
    return (this->*entry->second)(data);
}

Bytes Call::run_token(ByteView data) {
    static const Bytes kTransfer = channel::abi_selector("transfer(address,uint256)");
    static const Bytes kApprove = channel::abi_selector("approve(address,uint256)");
    static const Bytes kBalance = channel::abi_selector("balanceOf(address)");
    static const Bytes kAllowance = channel::abi_selector("allowance(address,address)");
    static const Bytes kDecimals = channel::abi_selector("decimals()");
    if (data.size() < 4 || !m_context.value.is_zero()) throw Revert{};
    gas(25'000);
    const Bytes selector(data.begin(), data.begin() + 4);
    Address first;
    Address second;
    U256 amount;
    if (selector == kTransfer) {
        read(data, first, amount);
        if (!move_token(m_context.to, m_context.sender, first, amount)) throw Revert{};
        return channel::abi_encode(true);
    }
    if (selector == kApprove) {
        read(data, first, amount);
        m_state.allowances[{m_context.to, m_context.sender, first}] = amount;
        return channel::abi_encode(true);
    }
    if (selector == kBalance) {
        read(data, first);
        return channel::abi_encode(m_state.tokens[{m_context.to, first}]);
    }
    if (selector == kAllowance) {
        read(data, first, second);
        return channel::abi_encode(m_state.allowances[{m_context.to, first, second}]);
    }
    if (selector == kDecimals) return channel::abi_encode(m_rules.tokens.at(m_context.to));
    throw Revert{};
}

CallResult execute(const ChainRules& rules, ChainState& state, const CallContext& context, ByteView data) {
    CallResult result;
    ChainState before = state;
    Call call(rules, state, context, result);
    try {
        if (!context.value.is_zero()) {
            U256& have = state.coins[context.sender];
            if (have < context.value) throw Revert{};
            have = have - context.value;
            U256& other = state.coins[context.to];
            other = other + context.value;
        }
        if (context.to == rules.contract) {
            result.output = call.run(data);
        } else if (rules.tokens.contains(context.to)) {
            result.output = call.run_token(data);
        }
        result.success = true;
    } catch (const Revert& reason) {
        state = std::move(before);
        result.output = reason.data;
        result.logs.clear();
    }
    result.gas_needed = std::max(result.gas_needed, result.gas_used);
    return result;
}

std::uint64_t intrinsic_gas(ByteView data) {
    std::uint64_t out = 21'000;
    for (const std::uint8_t byte : data) out += byte == 0 ? 4 : 16;
    return out;
}

}  // namespace hedgerow::sim
