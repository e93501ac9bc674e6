#include "channel/market/median.h"

#include <algorithm>

namespace hedgerow::channel {

namespace {

bool has_duplicate_signer(std::span<const PriceVote> votes) {
    for (std::size_t i = 0; i < votes.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (votes[i].signer == votes[j].signer) return true;
        }
    }
    return false;
}

}  // namespace

Expected<MedianPrice, Rule> median(std::span<const PriceVote> votes, std::uint32_t threshold,
                                   std::uint64_t timestamp_ms) {
    if (threshold == 0) return Unexpected{Rule::oracle_threshold_out_of_range};
    if (votes.size() > kMaxOracles) return Unexpected{Rule::list_too_long};
    if (has_duplicate_signer(votes)) return Unexpected{Rule::package_duplicate_signer};
    std::vector<Price> prices;
    prices.reserve(votes.size());
    for (const PriceVote& vote : votes) {
        if (vote.price.sign() <= 0 || !vote.price.within_bits(kMarketBits))
            return Unexpected{Rule::package_price_out_of_range};
        prices.push_back(vote.price);
    }
    if (prices.size() < threshold) return Unexpected{Rule::not_enough_signers};
    std::sort(prices.begin(), prices.end());
    return MedianPrice{prices[(prices.size() - 1) / 2], timestamp_ms, static_cast<std::uint32_t>(prices.size())};
}

Expected<MedianPrice, Rule> median_of_packages(std::span<const SignedPackage> packages,
                                               std::span<const Address> oracles, const Feed& feed,
                                               std::uint64_t timestamp_ms, std::uint32_t threshold) {
    if (packages.size() > kMaxOracles) return Unexpected{Rule::list_too_long};
    std::vector<PriceVote> votes;
    for (const SignedPackage& package : packages) {
        if (package.data.timestamp_ms < timestamp_ms) return Unexpected{Rule::package_stale};
        if (package.data.timestamp_ms > timestamp_ms) return Unexpected{Rule::package_from_future};
        const auto signer = verify_package(package, oracles);
        if (!signer) return Unexpected{signer.error()};
        const auto price = price_of(package.data, feed);
        if (price) {
            votes.push_back(PriceVote{*signer, *price});
        } else if (price.error() != Rule::package_wrong_feed) {
            return Unexpected{price.error()};
        }
    }
    return median(votes, threshold, timestamp_ms);
}

}  // namespace hedgerow::channel
