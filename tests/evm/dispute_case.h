#pragma once

#include <array>
#include <map>

#include "channel/settle/settlement.h"
#include "wallet/keys/private_key.h"

/// A whole dispute for the deployed contract: what is deposited, attested, revealed, challenged and answered, and when;
/// and the same facts for the C++ twin.
namespace hedgerow::tests {

/// The keys of every case; they are no secret.
struct Cast {
    wallet::PrivateKey signer_a;
    wallet::PrivateKey signer_b;
    std::vector<wallet::PrivateKey> oracles;  ///< ascending by address

    static Cast make();
};

/// Calldata sent at a time.
struct Step {
    std::uint64_t time_s = 0;
    channel::Address to;
    channel::Bytes data;
    channel::Amount value;
    bool is_settle = false;  ///< an attempt, which may fail; every other step must succeed
};

struct DisputeCase {
    channel::Terms terms;
    channel::State state;  ///< the newest
    std::vector<channel::Holdings> holdings;
    channel::OpenDispute dispute;
    std::map<std::pair<channel::Feed, std::uint64_t>, channel::Price> attested;  ///< by at least the threshold
    std::map<channel::LockHash, std::uint64_t> registered;
    std::vector<Step> steps;  ///< ascending by time

    /// Instead of the dispute: what comes before it, and a cooperative close at `close_net`, which one in three times
    /// exceeds what is held by a unit.
    std::vector<Step> close_steps;
    std::vector<channel::Amount> close_net;

    /// What the twin says of an attempt to settle at `now_s`.
    [[nodiscard]] channel::SettleAnswer settle_at(std::uint64_t now_s) const;
};

/// Random, from seed and index only. `start_s` is before anything of the case.
[[nodiscard]] DisputeCase random_dispute(std::uint64_t seed, std::uint64_t index, const Cast& cast,
                                         const channel::Domain& domain, std::uint64_t start_s);

}  // namespace hedgerow::tests
