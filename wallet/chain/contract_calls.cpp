#include "wallet/chain/contract_calls.h"

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "wallet/chain/contract_abi.h"

namespace hedgerow::wallet {

using channel::abi_call;
using channel::Address;
using channel::Amount;
using channel::Bytes;
using channel::ByteView;
using channel::ChannelId;
using channel::Hash;
using channel::List;
using channel::Party;
using channel::Terms;
using channel::U256;

namespace {

// What one transaction carries at most; well above any block's gas.
constexpr std::size_t kMaxElements = 1024;

template <typename T>
List<T, kMaxElements> list_of(std::span<const T> elements) {
    ASSERT(elements.size() <= kMaxElements);
    List<T, kMaxElements> out;
    out.assign(elements.begin(), elements.end());
    return out;
}

abi::Withdraw without_channel(const channel::Withdraw& withdrawal) {
    return {withdrawal.party, withdrawal.asset, withdrawal.total, withdrawal.deadline};
}

template <typename... T>
bool decode_exactly(ByteView answer, T&... values) {
    return answer.size() == 32 * sizeof...(T) && channel::abi_decode(answer, values...);
}

template <typename T>
ChainExpected<T> read_one(ByteView answer) {
    T value{};
    if (!decode_exactly(answer, value)) return chain_error(ChainFault::chain_response_unexpected, "eth_call");
    return value;
}

}  // namespace

Bytes deposit_call(const ChannelId& id, Party party, const Address& token, Amount amount) {
    return abi_call("deposit(bytes32,uint8,address,uint256)", id, party, token, amount);
}

Bytes deposit_with_permit_call(const ChannelId& id, Party party, const Address& token, Amount amount,
                               std::uint64_t deadline, const channel::Signature& permit_signature) {
    const auto rsv = channel::rsv_from_compact(permit_signature);
    const std::uint8_t v = rsv.data[64];
    return abi_call("depositWithPermit(bytes32,uint8,address,uint256,uint256,uint8,bytes32,bytes32)", id, party, token,
                    amount, deadline, v, *Hash::from(rsv.view().first(32)), *Hash::from(rsv.view().subspan(32, 32)));
}

Bytes recover_call(const Terms& terms, Party party, const Address& token) {
    return abi_call("recover(" HEDGEROW_ABI_CHANNEL ",uint8,address)", terms, party, token);
}

Bytes withdraw_call(const Terms& terms, const channel::Withdraw& withdrawal, const BothSignatures& signatures) {
    return abi_call("withdraw(" HEDGEROW_ABI_CHANNEL ",(uint8,uint8,uint256,uint64)," HEDGEROW_ABI_SIGNATURE
                    "," HEDGEROW_ABI_SIGNATURE ")",
                    terms, without_channel(withdrawal), abi::split(signatures.a), abi::split(signatures.b));
}

Bytes close_call(const Terms& terms, const channel::Close& agreement, const BothSignatures& signatures) {
    const abi::Close close{agreement.version, agreement.net, agreement.deadline};
    return abi_call("close(" HEDGEROW_ABI_CHANNEL ",(uint64,int256[],uint64)," HEDGEROW_ABI_SIGNATURE
                    "," HEDGEROW_ABI_SIGNATURE ")",
                    terms, close, abi::split(signatures.a), abi::split(signatures.b));
}

Bytes challenge_call(const Terms& terms, const channel::Secret& secret, const channel::State& state,
                     const BothSignatures& signatures, const ChallengeAuthorization& authorization) {
    return abi_call("challenge(" HEDGEROW_ABI_CHANNEL ",bytes32," HEDGEROW_ABI_STATE "," HEDGEROW_ABI_SIGNATURE
                    "," HEDGEROW_ABI_SIGNATURE ",(uint64," HEDGEROW_ABI_SIGNATURE "))",
                    terms, secret, abi::without_channel(state), abi::split(signatures.a), abi::split(signatures.b),
                    abi::Authorization{authorization.deadline, abi::split(authorization.signature)});
}

Bytes respond_call(const Terms& terms, const channel::State& state, const BothSignatures& signatures) {
    return abi_call("respond(" HEDGEROW_ABI_CHANNEL "," HEDGEROW_ABI_STATE "," HEDGEROW_ABI_SIGNATURE
                    "," HEDGEROW_ABI_SIGNATURE ")",
                    terms, abi::without_channel(state), abi::split(signatures.a), abi::split(signatures.b));
}

Bytes settle_call(const Terms& terms, const channel::State& state) {
    return abi_call("settle(" HEDGEROW_ABI_CHANNEL "," HEDGEROW_ABI_STATE ")", terms, abi::without_channel(state));
}

Bytes claim_call(const Address& token, const Address& payee) {
    return abi_call("claim(address,address)", token, payee);
}

Bytes reveal_call(std::span<const channel::Preimage> preimages) {
    return abi_call("reveal(bytes32[])", list_of(preimages));
}

Bytes attest_call(std::span<const Address> oracles, std::uint64_t time, std::span<const channel::Feed> feeds,
                  std::span<const Bytes> packages) {
    return abi_call("attest(address[],uint64,bytes32[],bytes[])", list_of(oracles), time, list_of(feeds),
                    list_of(packages));
}

Bytes multicall_call(std::span<const Bytes> calls) {
    return abi_call("multicall(bytes[])", list_of(calls));
}

Bytes domain_separator_call() {
    return channel::abi_selector("domainSeparator()");
}
Bytes channel_id_call(const Terms& terms) {
    return abi_call("channelId(" HEDGEROW_ABI_CHANNEL ")", terms);
}
Bytes state_digest_call(const ChannelId& id, const channel::State& state) {
    return abi_call("stateDigest(bytes32," HEDGEROW_ABI_STATE ")", id, abi::without_channel(state));
}
Bytes dispute_call(const ChannelId& id) {
    return abi_call("dispute(bytes32)", id);
}
Bytes holdings_call(const ChannelId& id, const Address& token) {
    return abi_call("holdings(bytes32,address)", id, token);
}
Bytes oracle_set_call(std::span<const Address> oracles) {
    return abi_call("oracleSet(address[])", list_of(oracles));
}
Bytes attested_call(const Hash& oracle_set, const channel::Feed& feed, std::uint64_t time) {
    return abi_call("attested(bytes32,bytes32,uint64)", oracle_set, feed, time);
}
Bytes revealed_at_call(const channel::LockHash& hash) {
    return abi_call("revealedAt(bytes32)", hash);
}
Bytes claimable_call(const Address& token, const Address& payee) {
    return abi_call("claimable(address,address)", token, payee);
}

Hash oracle_set_of(std::span<const Address> oracles) {
    Bytes words;
    for (const Address& oracle : oracles) channel::abi_write_word(words, channel::to_word(oracle));
    return channel::keccak256(words);
}

ChainExpected<DisputeView> read_dispute(ByteView answer) {
    DisputeView out;
    if (!decode_exactly(answer, out.digest_tail, out.version, out.end, out.lead, out.challenger)) {
        return chain_error(ChainFault::chain_response_unexpected, "dispute");
    }
    return out;
}

ChainExpected<HoldingsView> read_holdings(ByteView answer) {
    HoldingsView out;
    if (!decode_exactly(answer, out.deposit_a, out.deposit_b, out.withdrawn_a, out.withdrawn_b, out.is_final) ||
        out.deposit_a.sign() < 0 || out.deposit_b.sign() < 0 || out.withdrawn_a.sign() < 0 ||
        out.withdrawn_b.sign() < 0) {
        return chain_error(ChainFault::chain_response_unexpected, "holdings");
    }
    return out;
}

ChainExpected<AttestedView> read_attested(ByteView answer) {
    AttestedView out;
    if (!decode_exactly(answer, out.price, out.signers) || out.price.sign() < 0) {
        return chain_error(ChainFault::chain_response_unexpected, "attested");
    }
    return out;
}

ChainExpected<Hash> read_hash(ByteView answer) {
    return read_one<Hash>(answer);
}
ChainExpected<std::uint64_t> read_uint64(ByteView answer) {
    return read_one<std::uint64_t>(answer);
}
ChainExpected<U256> read_uint256(ByteView answer) {
    return read_one<U256>(answer);
}

}  // namespace hedgerow::wallet
