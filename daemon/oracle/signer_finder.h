#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "channel/market/package.h"

namespace hedgerow::daemon {

/// Where a package came from, as the caller numbers its sources.
using OracleSource = std::size_t;

/// Says which of the oracles signed a package. A source that brings one oracle's packages (most do) is remembered with
/// that oracle's key, and the next is verified against it, which is cheaper than recovery; whatever that does not
/// answer is recovered. Safe from several threads.
class SignerFinder {
  public:
    static constexpr std::size_t kMaxSources = 64;

    explicit SignerFinder(std::vector<channel::Address> oracles) : m_oracles(std::move(oracles)) {}

    /// Who made r and s, whatever the parity bit says: enough for a price. `attest` recovers: whoever hands the package on finds out which bit is right
    /// (spec 2.4). `source`, where it is known, and below kMaxSources. Errors: bad_signature, package_unknown_signer.
    [[nodiscard]] channel::Expected<channel::Address, channel::Rule> find(const channel::SignedPackage& package,
                                                                          std::optional<OracleSource> source);

  private:
    struct Known {
        channel::Address signer;
        channel::PublicKey key;
        bool steady = false;  ///< the last two were this oracle's
    };
    [[nodiscard]] channel::Expected<channel::Address, channel::Rule> recover(const channel::SignedPackage& package,
                                                                             std::optional<OracleSource> source);
    [[nodiscard]] std::optional<Known> known(std::optional<OracleSource> source) const;
    void remember(std::optional<OracleSource> source, const channel::Address& signer, const channel::PublicKey& key);

    const std::vector<channel::Address> m_oracles;
    mutable std::mutex m_mutex;
    std::array<std::optional<Known>, kMaxSources> m_known;
};

}  // namespace hedgerow::daemon
