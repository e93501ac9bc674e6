#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "channel/base/ids.h"
#include "channel/base/u256.h"
#include "tests/support/anvil.h"

/// The deployed Adjudicator, and calls on it that leave no trace: what the differentials of this folder share.
namespace hedgerow::tests {

inline constexpr std::size_t kMaxCaseTokens = 8;
/// Where the test tokens stand; asset i is token i, or the chain's coin.
[[nodiscard]] channel::Address case_token(std::size_t index);

/// An Anvil without bounds of a block's gas, code or requests. Nothing where node_modules has none for this machine.
[[nodiscard]] std::optional<test::Anvil> start_unbounded_anvil();
/// channel/contract/artifact/<name>.json; throws where it is not there.
[[nodiscard]] nlohmann::json artifact(const std::string& name);
/// Deploys the Adjudicator, and puts a TestToken (of 0 decimals) at every case_token.
[[nodiscard]] channel::Address install_contract(test::Anvil& anvil);

struct SimulatedCall {
    std::uint64_t time_s = 0;  ///< of its block; ascending
    channel::Address from;
    channel::Address to;
    channel::U256 value;
    channel::Bytes data;
    std::uint64_t gas = 1'000'000'000;
};
/// Results of the calls, in order, one block a time, each upon the state that those before it left
/// (eth_simulateV1: status, returnData, logs, gasUsed). `overrides` are what that method calls so, each before the
/// first block of its time or later.
[[nodiscard]] std::vector<nlohmann::json> simulate(test::Anvil& anvil, std::span<const SimulatedCall> calls,
                                                   const std::map<std::uint64_t, nlohmann::json>& overrides);

[[nodiscard]] bool succeeded(const nlohmann::json& result);
/// The custom error and its argument, or what the node said of a call that failed otherwise.
[[nodiscard]] std::string revert_text(const nlohmann::json& result);
[[nodiscard]] std::string revert_text(channel::ByteView data);
[[nodiscard]] std::string hex_quantity(const channel::U256& value);

}  // namespace hedgerow::tests
