#pragma once

#include <map>
#include <string>

#include "tests/sim/chain.h"
#include "wallet/chain/eth_client.h"

namespace hedgerow::sim {

/// How the chain looks to one who asks it over a node of somebody's: the faults of that way.
struct ChainAccess {
    bool down = false;                       ///< chain_unreachable
    std::uint64_t lag = 0;                   ///< the node is this many blocks behind …
    std::uint64_t lag_per_mille = 1'000;     ///< … for so many of the calls (several nodes behind one address)
    std::uint64_t lose_answer_per_mille = 0; ///< the call is done, and its answer never comes
};

/// One way to the chain, as EthClient speaks it: JSON-RPC text in and out. The access and the chain outlive it.
class SimChainTransport final : public wallet::ChainTransport {
  public:
    SimChainTransport(Chain& chain, const ChainAccess& access, Random& random)
        : m_chain(chain), m_access(access), m_random(random) {}
    [[nodiscard]] wallet::ChainExpected<wallet::ChainReply> post(const std::string& body) override;

  private:
    /// The members of a reply behind its id.
    [[nodiscard]] std::string answer(const std::string& body, std::uint64_t head);

    Chain& m_chain;
    const ChainAccess& m_access;
    Random& m_random;
    /// Answers of this revision, by head and request without its id: nodes ask the same over and over while they wait.
    std::map<std::pair<std::uint64_t, std::string>, std::string> m_cache;
    std::uint64_t m_revision = 0;
};

}  // namespace hedgerow::sim
