#pragma once

#include <span>

#include "channel/messages/typed.h"
#include "wallet/chain/chain_error.h"

/// Calldata for the Adjudicator, and what its views answer (channel/contract/IAdjudicator.sol). No call sends coin
/// except `deposit` of the chain's own coin (token zero), whose value is its amount.
namespace hedgerow::wallet {

using channel::BothSignatures;

/// Whose challenge it is: with deadline 0 the sender's own, else that of who signed Challenge(channelId, version,
/// deadline).
struct ChallengeAuthorization {
    std::uint64_t deadline = 0;  ///< Unix seconds
    channel::Signature signature;
};

[[nodiscard]] channel::Bytes deposit_call(const channel::ChannelId& id, channel::Party party,
                                          const channel::Address& token, channel::Amount amount);
/// `permit_signature` is over the token's EIP-2612 Permit of the sender for the contract and exactly that amount
/// (erc20.h).
[[nodiscard]] channel::Bytes deposit_with_permit_call(const channel::ChannelId& id, channel::Party party,
                                                      const channel::Address& token, channel::Amount amount,
                                                      std::uint64_t deadline,
                                                      const channel::Signature& permit_signature);
[[nodiscard]] channel::Bytes recover_call(const channel::Terms& terms, channel::Party party,
                                          const channel::Address& token);
[[nodiscard]] channel::Bytes withdraw_call(const channel::Terms& terms, const channel::Withdraw& withdrawal,
                                           const BothSignatures& signatures);
[[nodiscard]] channel::Bytes close_call(const channel::Terms& terms, const channel::Close& agreement,
                                        const BothSignatures& signatures);
/// Version 0: an empty state, whose signatures are not looked at.
[[nodiscard]] channel::Bytes challenge_call(const channel::Terms& terms, const channel::Secret& secret,
                                            const channel::State& state, const BothSignatures& signatures,
                                            const ChallengeAuthorization& authorization);
[[nodiscard]] channel::Bytes respond_call(const channel::Terms& terms, const channel::State& state,
                                          const BothSignatures& signatures);
[[nodiscard]] channel::Bytes settle_call(const channel::Terms& terms, const channel::State& state);
[[nodiscard]] channel::Bytes claim_call(const channel::Address& token, const channel::Address& payee);
/// At most 256 preimages.
[[nodiscard]] channel::Bytes reveal_call(std::span<const channel::Preimage> preimages);
/// All oracles of the channel, ascending; time in seconds; packages as signed, byte for byte.
[[nodiscard]] channel::Bytes attest_call(std::span<const channel::Address> oracles, std::uint64_t time,
                                         std::span<const channel::Feed> feeds,
                                         std::span<const channel::Bytes> packages);
[[nodiscard]] channel::Bytes multicall_call(std::span<const channel::Bytes> calls);

[[nodiscard]] channel::Bytes domain_separator_call();
[[nodiscard]] channel::Bytes channel_id_call(const channel::Terms& terms);
[[nodiscard]] channel::Bytes state_digest_call(const channel::ChannelId& id, const channel::State& state);
[[nodiscard]] channel::Bytes dispute_call(const channel::ChannelId& id);
[[nodiscard]] channel::Bytes holdings_call(const channel::ChannelId& id, const channel::Address& token);
[[nodiscard]] channel::Bytes oracle_set_call(std::span<const channel::Address> oracles);
[[nodiscard]] channel::Bytes attested_call(const channel::Hash& oracle_set, const channel::Feed& feed,
                                           std::uint64_t time);
[[nodiscard]] channel::Bytes revealed_at_call(const channel::LockHash& hash);
[[nodiscard]] channel::Bytes claimable_call(const channel::Address& token, const channel::Address& payee);

/// keccak256 of the addresses as words: under what attested prices of these oracles are kept, and what Attested names.
[[nodiscard]] channel::Hash oracle_set_of(std::span<const channel::Address> oracles);

struct DisputeView {
    channel::Address digest_tail;  ///< the last 20 bytes of the recorded state's digest, zero for version 0
    std::uint64_t version = 0;
    std::uint64_t end = 0;  ///< Unix seconds; 0: no dispute is open
    std::uint8_t lead = 0;
    channel::Party challenger = channel::Party::A;
    bool operator==(const DisputeView&) const = default;
};
struct HoldingsView {
    channel::Amount deposit_a, deposit_b, withdrawn_a, withdrawn_b;
    bool is_final = false;
    bool operator==(const HoldingsView&) const = default;
};
struct AttestedView {
    channel::Price price;  ///< zero: none
    std::uint8_t signers = 0;
    bool operator==(const AttestedView&) const = default;
};
// Each is chain_response_unexpected where the bytes are not exactly such an answer.
[[nodiscard]] ChainExpected<DisputeView> read_dispute(channel::ByteView answer);
[[nodiscard]] ChainExpected<HoldingsView> read_holdings(channel::ByteView answer);
[[nodiscard]] ChainExpected<AttestedView> read_attested(channel::ByteView answer);
[[nodiscard]] ChainExpected<channel::Hash> read_hash(channel::ByteView answer);
[[nodiscard]] ChainExpected<std::uint64_t> read_uint64(channel::ByteView answer);
[[nodiscard]] ChainExpected<channel::U256> read_uint256(channel::ByteView answer);

/// The name of a revert: one of the Adjudicator's custom errors ("VersionMustIncrease"), the text of a Solidity
/// require, or "Panic"; empty where the data is none of these.
[[nodiscard]] std::string revert_reason(channel::ByteView revert_data);

}  // namespace hedgerow::wallet
