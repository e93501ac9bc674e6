#pragma once

#include <span>

#include "channel/market/package.h"
#include "channel/messages/typed.h"

namespace hedgerow::channel {

/// What one oracle says about one (feed, timestamp).
struct PriceVote {
    Address signer;
    Price price;
};

/// The price of a (feed, timestamp) that at least a threshold of distinct oracles signed for.
struct MedianPrice {
    Price price;
    std::uint64_t timestamp_ms = 0;
    std::uint32_t signers = 0;  ///< distinct oracles whose prices went into it
    bool operator==(const MedianPrice&) const = default;
};

/// The median of votes for one (feed, timestamp): of an even number the lower middle one, never a mean, so that the
/// price is one that an oracle signed (DESIGN 3). Errors: oracle_threshold_out_of_range (0), list_too_long (above
/// kMaxOracles), package_duplicate_signer, package_price_out_of_range, not_enough_signers.
[[nodiscard]] Expected<MedianPrice, Rule> median(std::span<const PriceVote> votes, std::uint32_t threshold,
                                                 std::uint64_t timestamp_ms);

/// What the contract's attest would store for (feed, timestamp) given these packages, by the same refusals: a package
/// counts only if its timestamp is exactly that (else package_stale or package_from_future) and its signer is one of
/// `oracles`; one without the feed adds nothing.
[[nodiscard]] Expected<MedianPrice, Rule> median_of_packages(std::span<const SignedPackage> packages,
                                                             std::span<const Address> oracles, const Feed& feed,
                                                             std::uint64_t timestamp_ms, std::uint32_t threshold);

}  // namespace hedgerow::channel
