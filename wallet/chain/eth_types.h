#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "channel/base/ids.h"
#include "channel/base/u256.h"

namespace hedgerow::wallet {

/// What of a block Hedgerow reads. Timestamp in Unix seconds, base fee in wei a gas.
struct BlockHeader {
    std::uint64_t number = 0;
    channel::BlockHash hash;
    channel::BlockHash parent;
    std::uint64_t timestamp = 0;
    channel::U256 base_fee;
    std::uint64_t gas_limit = 0;
    bool operator==(const BlockHeader&) const = default;
};

/// A log as mined: every place field is present (pending logs are refused).
struct LogEntry {
    channel::Address address;
    std::vector<channel::Hash> topics;  ///< at most 4
    channel::Bytes data;
    std::uint64_t block_number = 0;
    channel::BlockHash block_hash;
    channel::TxHash tx_hash;
    std::uint64_t log_index = 0;  ///< within the block
    bool operator==(const LogEntry&) const = default;
};

struct Receipt {
    channel::TxHash tx_hash;
    channel::BlockHash block_hash;
    std::uint64_t block_number = 0;
    bool success = false;
    std::uint64_t gas_used = 0;
    channel::U256 effective_gas_price;  ///< wei a gas
    std::optional<channel::Address> created;
    std::vector<LogEntry> logs;
    bool operator==(const Receipt&) const = default;
};

/// eth_feeHistory of the newest blocks, at one reward percentile.
struct FeeHistory {
    std::uint64_t oldest = 0;
    std::vector<channel::U256> base_fees;  ///< one a block and one more: the next block's
    std::vector<channel::U256> rewards;    ///< one a block
};

struct CallRequest {
    std::optional<channel::Address> from;
    std::optional<channel::Address> to;
    channel::U256 value;
    channel::Bytes data;
};

/// Which block a question is about.
struct BlockTag {
    enum class Kind : std::uint8_t { latest, pending, safe, finalized, number };
    Kind kind = Kind::latest;
    std::uint64_t number = 0;
    [[nodiscard]] static BlockTag at(std::uint64_t number) { return {Kind::number, number}; }
    [[nodiscard]] static BlockTag latest() { return {Kind::latest, 0}; }
    [[nodiscard]] static BlockTag pending() { return {Kind::pending, 0}; }
    [[nodiscard]] static BlockTag safe() { return {Kind::safe, 0}; }
    [[nodiscard]] static BlockTag finalized() { return {Kind::finalized, 0}; }
};

/// Logs of one contract; an element of `topics` that is empty matches all, else any of its hashes.
struct LogFilter {
    channel::Address address;
    std::vector<std::vector<channel::Hash>> topics;
};

}  // namespace hedgerow::wallet
