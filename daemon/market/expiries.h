#pragma once

#include <functional>
#include <map>

#include "channel/machine/channel.h"

namespace hedgerow::daemon {

/// Which expired positions of one channel are due to be settled (spec 5.11): the leader's a few seconds after the
/// expiry, when the oracles' packages of that second are there, the follower's if the leader has not by then; again
/// every few seconds until it is done.
class Expiries {
  public:
    static constexpr std::uint64_t kLeaderMs = 3'000;
    static constexpr std::uint64_t kFollowerMs = 30'000;
    static constexpr std::uint64_t kAgainMs = 5'000;
    /// Asks the oracles' histories for the packages of a past second; returns at once.
    using Fetch = std::function<void(const channel::Feed&, std::uint64_t)>;

    /// The ops to propose now. Packages are fetched for each of them, known price or not, so that both sides end with
    /// all that there are.
    [[nodiscard]] std::vector<channel::ExpireOp> due(const channel::Channel& channel, std::uint64_t now_ms,
                                                     const channel::OwnPrices& prices, const Fetch& fetch);
    void done(const channel::Feed& instrument) { m_next_ms.erase(instrument); }

  private:
    std::map<channel::Feed, std::uint64_t> m_next_ms;
};

}  // namespace hedgerow::daemon
