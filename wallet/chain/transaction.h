#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "channel/base/ids.h"
#include "channel/base/u256.h"

namespace hedgerow::wallet {

class PrivateKey;

/// An EIP-2930 access list entry.
struct AccessEntry {
    channel::Address address;
    std::vector<channel::Hash> storage_keys;
    bool operator==(const AccessEntry&) const = default;
};

/// An EIP-1559 (type 2) transaction before its signature. Fees are wei a gas, value is wei.
struct Transaction {
    std::uint64_t chain_id = 0;
    std::uint64_t nonce = 0;
    channel::U256 max_priority_fee;
    channel::U256 max_fee;
    std::uint64_t gas_limit = 0;
    std::optional<channel::Address> to;  ///< none creates a contract
    channel::U256 value;
    channel::Bytes data;
    std::vector<AccessEntry> access_list;
    bool operator==(const Transaction&) const = default;
};

struct SignedTransaction {
    Transaction body;
    channel::Signature signature;
    channel::Bytes raw;  ///< what eth_sendRawTransaction takes
    channel::TxHash hash;
};

/// keccak256(0x02 || rlp(fields)): what the sender signs (EIP-1559).
[[nodiscard]] channel::Digest transaction_digest(const Transaction& body);
/// Joins a body with the compact (EIP-2098) signature over its digest.
[[nodiscard]] SignedTransaction assemble_transaction(const Transaction& body, const channel::Signature& signature);
[[nodiscard]] SignedTransaction sign_transaction(const Transaction& body, const PrivateKey& key);
/// Reads a raw type 2 transaction; nothing where it is not exactly one canonical, low-s signed transaction.
[[nodiscard]] std::optional<SignedTransaction> decode_transaction(channel::ByteView raw);
/// Who signed; nothing for a signature that recovers to no key.
[[nodiscard]] std::optional<channel::Address> transaction_sender(const SignedTransaction& transaction);

/// value + gas limit x max fee: what the account must hold for a node to accept it; nothing past 256 bits.
[[nodiscard]] std::optional<channel::U256> maximum_cost(const Transaction& body);

/// The address of a contract created by `sender` at `nonce`: the last 20 bytes of keccak256(rlp([sender, nonce])).
[[nodiscard]] channel::Address created_address(const channel::Address& sender, std::uint64_t nonce);

}  // namespace hedgerow::wallet
