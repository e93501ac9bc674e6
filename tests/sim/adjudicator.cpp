#include "tests/sim/adjudicator.h"

#include "tests/sim/adjudicator_call.h"
#include "wallet/chain/contract_calls.h"

namespace hedgerow::sim {

// --- views ----------------------------------------------------------------------------------------------------------

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

// --- dispatch -------------------------------------------------------------------------------------------------------

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
    if (selector == kSeparator && m_context.value.is_zero()) return channel::abi_encode(m_rules.separator);
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
        if (!move_token(m_context.to, m_context.sender, first, amount)) revert("InsufficientBalance");
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
        } else if (rules.refusing.contains(context.to)) {
            throw Revert{};
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

std::uint64_t transaction_gas(ByteView data, std::uint64_t execution) {
    std::uint64_t tokens = 0;
    for (const std::uint8_t byte : data) tokens += byte == 0 ? 1 : 4;
    return 21'000 + std::max(4 * tokens + execution, 10 * tokens);
}

}  // namespace hedgerow::sim
