#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "channel/base/u256.h"

namespace hedgerow::wallet {

/// Ethereum JSON-RPC quantities (EIP-1474): 0x, lower-case hex, no leading zero except in 0x0.
[[nodiscard]] std::string to_quantity(const channel::U256& value);
[[nodiscard]] std::string to_quantity(std::uint64_t value);
/// Exactly such a text of at most 256 (64) bits, either case; otherwise nothing.
[[nodiscard]] std::optional<channel::U256> parse_quantity(std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> parse_quantity64(std::string_view text);

}  // namespace hedgerow::wallet
