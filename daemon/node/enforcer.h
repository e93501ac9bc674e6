#pragma once

#include <array>
#include <map>

#include "channel/settle/settlement.h"
#include "daemon/node/node_parts.h"
#include "wallet/chain/contract_calls.h"

namespace hedgerow::daemon {

/// A price that a settlement may read, and what the chain has of it.
struct PriceNeed {
    channel::Feed feed;
    std::uint64_t time_s = 0;
    bool operator<(const PriceNeed& o) const { return std::tie(feed, time_s) < std::tie(o.feed, o.time_s); }
};

/// What the chain says about a dispute, in one look.
struct DisputeLook {
    bool failed = false;      ///< the node did not answer everything
    std::uint64_t now_s = 0;  ///< of the newest block
    wallet::DisputeView view;
    std::vector<channel::Holdings> holdings;
    bool is_final = false;
    std::map<PriceNeed, wallet::AttestedView> attested;
    std::map<channel::LockHash, std::uint64_t> revealed;
    bool current = false;  ///< the contract records the version of the state that was asked about; else no `answer`
    channel::SettleAnswer answer;
};

/// Asks the chain all that settling that state depends on; blocking, for the chain's thread.
[[nodiscard]] DisputeLook look_at_dispute(wallet::EthClient& client, const channel::Address& contract,
                                          const channel::ChannelId& id, const channel::Terms& terms,
                                          const channel::State& state);

/// What is enforced in a dispute, for one party or both: a node's own channel, or a tower's appointment.
struct Enforced {
    channel::ChannelId id;
    channel::Terms terms;
    channel::State newest;              ///< co-signed; version 0: there is none
    wallet::BothSignatures signatures;  ///< on newest
    std::array<bool, 2> protects{};     ///< by party: whose locks are claimed
    std::uint64_t settle_after_s = 0;   ///< this much later than due, so that others may go first
    std::function<std::optional<channel::Preimage>(const channel::LockHash&)> preimage;  ///< known ones

    [[nodiscard]] bool protects_party(channel::Party party) const { return protects[static_cast<std::size_t>(party)]; }
};

/// Does on chain what a dispute calls for: respond, reveal, attest, settle. Each is a job of the transaction manager
/// under a name of its own, so that nothing happens twice, everything survives a restart, and what failed is tried
/// again.
class Enforcer {
  public:
    /// Uses the transactions, packages, clocks and the contract of `parts`.
    explicit Enforcer(NodeParts& parts) : m_parts(parts) {}

    /// A call of the contract, by `deadline_s` of the chain's clock (0: whenever). Where its last attempt has failed it
    /// is tried again after a pause that grows with each, and is bounded by what is left of the time; meanwhile `done`
    /// hears the fault.
    void submit(const std::string& id, channel::Bytes data, wallet::TxPurpose purpose, std::uint64_t deadline_s,
                Answer<channel::TxHash> done = {});
    /// Under what name that call is, or would now be, a job of the transaction manager; nothing while a failed attempt
    /// rests. `deadline_ms` by the manager's clock, 0 for none.
    [[nodiscard]] std::optional<std::string> job_to_try(const std::string& id, std::uint64_t deadline_ms) const;
    /// Registers preimages (1 to 64) before `deadline_s`; the job's name is theirs, so nobody registers them twice.
    void reveal(std::span<const channel::Preimage> preimages, std::uint64_t deadline_s);
    /// Answers a challenge with the newest state (version above 0).
    void respond(const Enforced& enforced, std::uint64_t end_s);
    /// All that a look calls for, given the state that the contract has recorded.
    void act(const Enforced& enforced, const channel::State& recorded, const DisputeLook& look);
    /// The channel is over: what waits unsigned for it is withdrawn.
    void finished(const channel::ChannelId& id);

  private:
    void reveal_known(const Enforced& enforced, const channel::State& recorded, const DisputeLook& look);
    void attest(const Enforced& enforced, const DisputeLook& look);
    void settle(const Enforced& enforced, const channel::State& recorded, const DisputeLook& look);

    NodeParts& m_parts;
    std::uint64_t m_seen_s = 0;  ///< newest block time of any look: ahead of a follower that is catching up
};

/// "what:channel:number", the name of a job about a channel.
[[nodiscard]] std::string channel_job(std::string_view what, const channel::ChannelId& id, std::uint64_t number);

}  // namespace hedgerow::daemon
