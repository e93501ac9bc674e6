#pragma once

#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "channel/messages/typed.h"
#include "channel/settle/settlement.h"
#include "wallet/chain/contract_abi.h"

/// What the simulated chain runs: coins, tokens and the Adjudicator. The contract's rules are those of
/// channel/contract/Adjudicator.sol, its settlement arithmetic is the C++ twin (channel/settle), its ABI that of the
/// coders in wallet/chain.
namespace hedgerow::sim {

using channel::Address;
using channel::Amount;
using channel::Bytes;
using channel::ByteView;
using channel::ChannelId;
using channel::Feed;
using channel::Hash;
using channel::U256;

struct EmittedLog {
    Address address;
    std::vector<Hash> topics;
    Bytes data;
};

/// An open dispute's slot (DESIGN 3); `end` 0: none.
struct DisputeSlot {
    Address digest_tail;
    std::uint64_t version = 0;
    std::uint64_t end = 0;
    std::uint64_t lead = 0;
    channel::Party challenger = channel::Party::A;
};

struct HeldAsset {
    channel::Holdings totals;
    bool is_final = false;
};

struct AttestedEntry {
    channel::Price price;
    std::uint8_t signers = 0;
};

/// Everything that a block changes. A copy is a snapshot.
struct ChainState {
    std::map<Address, U256> coins;
    std::map<Address, std::uint64_t> nonces;
    std::map<std::pair<Address, Address>, U256> tokens;                ///< (token, holder)
    std::map<std::tuple<Address, Address, Address>, U256> allowances;  ///< (token, owner, spender)
    U256 burned;                                                       ///< base fees
    std::map<std::pair<ChannelId, Address>, HeldAsset> holdings;       ///< (channel, token)
    std::map<ChannelId, DisputeSlot> disputes;
    std::map<std::tuple<Hash, Feed, std::uint64_t>, AttestedEntry> prices;  ///< (oracle set, feed, time)
    std::map<channel::LockHash, std::uint64_t> revealed_at;
    std::map<std::pair<Address, Address>, U256> claimable;  ///< (token, payee)
};

/// What never changes.
struct ChainRules {
    std::uint64_t chain_id = 0;
    Address contract;
    Hash separator;
    std::map<Address, std::uint8_t> tokens;  ///< and their decimals
    std::set<Address> refusing;              ///< accounts that take no coin (contracts that revert)
};

struct CallContext {
    Address sender;
    Address to;
    U256 value;
    std::uint64_t now_s = 0;
};

struct CallResult {
    bool success = false;
    Bytes output;  ///< returned or revert data
    std::vector<EmittedLog> logs;
    // Without what the transaction itself costs (transaction_gas); within bounds of the contract's (tests/evm).
    std::uint64_t gas_used = 0;
    std::uint64_t gas_needed = 0;  ///< limit below which it runs out of gas (pushes want a reserve)
};

/// Runs one call on `state`; a failed one leaves it as it was.
[[nodiscard]] CallResult execute(const ChainRules& rules, ChainState& state, const CallContext& call, ByteView data);

/// Of a whole transaction: 21,000, what the calldata costs, and `execution`; at least the floor of EIP-7623.
[[nodiscard]] std::uint64_t transaction_gas(ByteView data, std::uint64_t execution);

}  // namespace hedgerow::sim
