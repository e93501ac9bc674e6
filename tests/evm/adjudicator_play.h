#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/evm/dispute_case.h"
#include "tests/sim/adjudicator.h"

/// A random history of calls for the deployed Adjudicator, and what the simulator's makes of each.
namespace hedgerow::tests {

struct PlayStep {
    std::string what;  ///< "challenge", …
    std::uint64_t time_s = 0;
    channel::Address from;
    channel::Address to;
    channel::U256 value;
    channel::Bytes data;
    /// No coder of ours writes such calldata: both must refuse it, and by which name is not looked at.
    bool is_malformed = false;
    sim::CallResult twin;
};

struct Play {
    sim::ChainRules rules;
    sim::ChainState genesis;
    std::set<channel::Address> refusing;  ///< take no coin before `accepts_from_s` (0: ever)
    std::uint64_t accepts_from_s = 0;
    std::vector<PlayStep> steps;  ///< ascending by time
};

/// Answers a call whose data is a word, an address, with its coins: code for eth_simulateV1, as the twin has it in
/// PlayStep.
[[nodiscard]] const channel::Address& balance_reader();
inline constexpr const char* kBalanceReaderCode = "0x5f35315f5260205ff3";
/// Takes no coin.
inline constexpr const char* kRefusingCode = "0x5f5ffd";

/// From seed and index only. `start_s` is before anything of the play.
[[nodiscard]] Play random_play(std::uint64_t seed, std::uint64_t index, const Cast& cast, const channel::Domain& domain,
                               std::uint64_t start_s);

}  // namespace hedgerow::tests
