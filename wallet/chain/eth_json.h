#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "wallet/chain/eth_types.h"

/// Between Ethereum's JSON and eth_types.h. Readers yield nothing on a missing field or a wrong type, form or length.
namespace hedgerow::wallet {

[[nodiscard]] nlohmann::json block_tag_to_json(BlockTag tag);
[[nodiscard]] nlohmann::json call_to_json(const CallRequest& request);
[[nodiscard]] nlohmann::json filter_to_json(const LogFilter& filter);

[[nodiscard]] std::optional<channel::U256> quantity_from_json(const nlohmann::json& value);
[[nodiscard]] std::optional<std::uint64_t> quantity64_from_json(const nlohmann::json& value);
/// 0x-prefixed hex of any length.
[[nodiscard]] std::optional<channel::Bytes> data_from_json(const nlohmann::json& value);
[[nodiscard]] std::optional<BlockHeader> block_from_json(const nlohmann::json& value);
[[nodiscard]] std::optional<LogEntry> log_from_json(const nlohmann::json& value);
[[nodiscard]] std::optional<Receipt> receipt_from_json(const nlohmann::json& value);
[[nodiscard]] std::optional<FeeHistory> fee_history_from_json(const nlohmann::json& value);

/// A log as text that log_from_json reads back (a follower's persisted cursor).
[[nodiscard]] nlohmann::json log_to_json(const LogEntry& log);

}  // namespace hedgerow::wallet
