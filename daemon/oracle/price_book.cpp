#include "daemon/oracle/price_book.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace hedgerow::daemon {

namespace {

using channel::Address;
using channel::Bytes;
using channel::ByteView;
using channel::DataPackage;
using channel::Expected;
using channel::Feed;
using channel::MedianPrice;
using channel::Price;
using channel::PriceVote;
using channel::Rule;
using channel::Unexpected;

/// The first of an oracle's votes, whose times ascend, that is not before `timestamp_ms`.
template <typename Votes>
auto at_or_after(Votes& votes, std::uint64_t timestamp_ms) {
    if (votes.empty() || votes.back().timestamp_ms < timestamp_ms) return votes.end();
    if (votes.back().timestamp_ms == timestamp_ms) return std::prev(votes.end());  // mostly it is the newest
    return std::lower_bound(votes.begin(), votes.end(), timestamp_ms,
                            [](const auto& vote, std::uint64_t time) { return vote.timestamp_ms < time; });
}

bool contains(std::span<const Address> set, const Address& address) {
    return std::find(set.begin(), set.end(), address) != set.end();
}

void check(const PriceBookConfig& config) {
    const std::set<Address> distinct(config.oracles.begin(), config.oracles.end());
    if (distinct.empty() || distinct.size() != config.oracles.size() || distinct.size() > channel::kMaxOracles) {
        throw std::invalid_argument("a price book has 1 to 20 distinct oracles");
    }
    if (config.threshold == 0 || config.threshold > config.oracles.size()) {
        throw std::invalid_argument("the oracle threshold lies between 1 and the number of oracles");
    }
    if (config.feeds.size() > PackageHistory::kMaxFeeds)
        throw std::invalid_argument("a price book has at most 512 feeds");
    if (config.max_deviation_bps == 0 || config.max_deviation_bps > 10'000) {
        throw std::invalid_argument("the greatest deviation lies between 1 and 10,000 bps");
    }
}

/// Of a kept package r and s were an oracle's, the parity bit need not have been right (SignerFinder). A contract recovers.
template <typename Fn>
void prove_parity(Bytes& raw, Fn&& is_oracle) {
    const auto signed_by_oracle = [&](const Bytes& bytes) {
        const auto package = channel::decode_signed_package(bytes);
        const auto signer = package ? channel::package_signer(*package) : Unexpected{package.error()};
        return signer && is_oracle(*signer);
    };
    if (signed_by_oracle(raw)) return;
    Bytes other = raw;
    other.back() = static_cast<std::uint8_t>(27 + 28 - raw.back());
    if (signed_by_oracle(other)) raw = std::move(other);
}

}  // namespace

PriceBook::PriceBook(PriceBookConfig config)
    : m_config((check(config), std::move(config))), m_signers(m_config.oracles), m_history(m_config.history) {}

bool PriceBook::is_wanted(const Feed& feed) const {
    return m_config.feeds.empty() ||
           std::find(m_config.feeds.begin(), m_config.feeds.end(), feed) != m_config.feeds.end();
}

Rule PriceBook::check_time(std::uint64_t timestamp_ms, std::uint64_t now_ms) const {
    if (timestamp_ms > now_ms && timestamp_ms - now_ms > m_config.max_future_ms) return Rule::package_from_future;
    if (timestamp_ms < now_ms && now_ms - timestamp_ms > m_config.max_age_ms) return Rule::package_stale;
    return Rule::none;
}

bool PriceBook::is_near(Price price, Price reference) const {
    // Prices are below 2^96, bps at most 10^4: no overflow.
    return (price - reference).abs().raw() * 10'000 <=
           reference.raw() * static_cast<channel::Int128>(m_config.max_deviation_bps);
}

Expected<PackageReceipt, Rule> PriceBook::submit(ByteView raw, std::uint64_t now_ms,
                                                 std::optional<OracleSource> source) {
    const auto package = channel::decode_signed_package(raw);
    if (!package) return Unexpected{package.error()};
    const DataPackage& data = package->data;
    // The time costs nothing to look at, a signature does.
    if (const Rule rule = check_time(data.timestamp_ms, now_ms); rule != Rule::none) return Unexpected{rule};
    const auto signer = m_signers.find(*package, source);
    if (!signer) return Unexpected{signer.error()};

    const std::lock_guard lock(m_mutex);
    PackageReceipt receipt{*signer, data.timestamp_ms, {}};
    Rule first_error = Rule::package_wrong_feed;
    bool has_error = false;
    bool counts = false;
    for (const channel::DataPoint& point : data.points) {
        if (!is_wanted(point.feed)) continue;
        const Rule rule = take_point(data, point.feed, *signer, receipt);
        if (rule == Rule::none || rule == Rule::package_deviates) {
            // A deviating package is evidence too: on chain the median judges it. Its own oracle's second word for one
            // time is not.
            if (m_history.wants(data.timestamp_ms))
                static_cast<void>(m_history.add(point.feed, data.timestamp_ms, *signer, raw));
        }
        counts = counts || rule == Rule::none;
        if (rule != Rule::none && !has_error) {
            first_error = rule;
            has_error = true;
        }
    }
    if (!counts) return Unexpected{first_error};
    return receipt;
}

Rule PriceBook::submit_history(ByteView raw, std::uint64_t now_ms) {
    const auto package = channel::decode_signed_package(raw);
    if (!package) return package.error();
    const std::uint64_t time_ms = package->data.timestamp_ms;
    if (time_ms > now_ms && time_ms - now_ms > m_config.max_future_ms) return Rule::package_from_future;
    const auto signer = channel::verify_package(*package, m_config.oracles);
    if (!signer) return signer.error();
    const std::lock_guard lock(m_mutex);
    Rule outcome = Rule::package_wrong_feed;
    for (const channel::DataPoint& point : package->data.points) {
        if (!is_wanted(point.feed)) continue;
        const auto price = channel::price_of(package->data, point.feed);
        const Rule rule = price ? m_history.add(point.feed, time_ms, *signer, raw) : price.error();
        if (outcome != Rule::none) outcome = rule;
    }
    return outcome;
}

Rule PriceBook::take_point(const DataPackage& data, const Feed& feed, const Address& signer, PackageReceipt& receipt) {
    const auto price = channel::price_of(data, feed);
    if (!price) return price.error();
    auto found = m_feeds.find(feed);
    if (found == m_feeds.end()) {
        if (m_feeds.size() >= PackageHistory::kMaxFeeds) return Rule::queue_full;
        found = m_feeds.emplace(feed, FeedPrices()).first;
    }
    FeedPrices& prices = found->second;
    std::deque<Vote>& votes = prices.votes[signer];
    if (!votes.empty() && data.timestamp_ms <= votes.back().timestamp_ms) return Rule::package_replayed;
    const bool near = !prices.agreed || is_near(*price, prices.agreed->price);
    votes.push_back(Vote{data.timestamp_ms, *price, !near});
    if (votes.size() > kVotesPerOracle) votes.pop_front();
    release(prices, data.timestamp_ms);
    const bool held = votes.back().held;
    if (agree(prices, data.timestamp_ms)) receipt.moved.push_back(feed);
    return held ? Rule::package_deviates : Rule::none;
}

void PriceBook::release(FeedPrices& prices, std::uint64_t timestamp_ms) const {
    if (m_config.oracles.size() == 1) return release_alone(prices);
    std::vector<Vote*> at_time;
    bool any_held = false;
    for (auto& [signer, votes] : prices.votes) {
        const auto vote = at_or_after(votes, timestamp_ms);
        if (vote == votes.end() || vote->timestamp_ms != timestamp_ms) continue;
        at_time.push_back(&*vote);
        any_held = any_held || vote->held;
    }
    if (!any_held) return;
    const std::uint32_t needed = std::max(m_config.threshold, 2U);
    for (Vote* vote : at_time) {
        if (!vote->held) continue;
        const auto agreeing = std::count_if(at_time.begin(), at_time.end(),
                                            [&](const Vote* other) { return is_near(other->price, vote->price); });
        vote->held = static_cast<std::uint32_t>(agreeing) < needed;
    }
}

void PriceBook::release_alone(FeedPrices& prices) const {
    std::deque<Vote>& votes = prices.votes.begin()->second;
    if (votes.size() < kLoneConfirmations) return;
    const auto last = votes.end() - static_cast<std::ptrdiff_t>(kLoneConfirmations);
    const bool steady = std::all_of(
        last, votes.end(), [&](const Vote& vote) { return vote.held && is_near(vote.price, votes.back().price); });
    if (steady) votes.back().held = false;
}

std::optional<std::uint64_t> PriceBook::newest_before(const FeedPrices& prices, std::uint64_t timestamp_ms,
                                                      std::span<const Address> oracles) {
    std::optional<std::uint64_t> newest;
    for (const auto& [signer, votes] : prices.votes) {
        if (!oracles.empty() && !contains(oracles, signer)) continue;
        const auto after = at_or_after(votes, timestamp_ms);
        if (after != votes.begin()) newest = std::max(newest, std::optional(std::prev(after)->timestamp_ms));
    }
    return newest;
}

std::vector<PriceVote> PriceBook::votes_at(const FeedPrices& prices, std::uint64_t timestamp_ms,
                                           std::span<const Address> oracles) {
    std::vector<PriceVote> out;
    for (const auto& [signer, votes] : prices.votes) {
        if (!oracles.empty() && !contains(oracles, signer)) continue;
        const auto vote = at_or_after(votes, timestamp_ms);
        if (vote != votes.end() && vote->timestamp_ms == timestamp_ms && !vote->held)
            out.push_back(PriceVote{signer, vote->price});
    }
    return out;
}

bool PriceBook::agree(FeedPrices& prices, std::uint64_t timestamp_ms) const {
    if (prices.agreed && timestamp_ms < prices.agreed->timestamp_ms) return false;
    const auto result = channel::median(votes_at(prices, timestamp_ms, {}), m_config.threshold, timestamp_ms);
    if (!result || (prices.agreed && *prices.agreed == *result)) return false;
    prices.agreed = *result;
    return true;
}

Expected<MedianPrice, Rule> PriceBook::median(const Feed& feed, std::uint32_t threshold, std::uint64_t now_ms,
                                              std::span<const Address> oracles) const {
    if (threshold == 0) return Unexpected{Rule::oracle_threshold_out_of_range};
    const std::lock_guard lock(m_mutex);
    const auto found = m_feeds.find(feed);
    if (found == m_feeds.end()) return Unexpected{Rule::price_missing};
    Rule rule = Rule::price_missing;
    // From the newest time back; mostly the first has enough signers.
    for (auto time = newest_before(found->second, ~std::uint64_t{0}, oracles); time;
         time = newest_before(found->second, *time, oracles)) {
        rule = Rule::not_enough_signers;
        const auto votes = votes_at(found->second, *time, oracles);
        if (votes.size() < threshold) continue;
        if (*time < now_ms && now_ms - *time > m_config.max_age_ms) return Unexpected{Rule::price_stale};
        return channel::median(votes, threshold, *time);
    }
    return Unexpected{rule};
}

std::vector<Bytes> PriceBook::packages(const Feed& feed, std::uint64_t time_s, std::span<const Address> oracles) const {
    std::vector<Bytes> out;
    {
        const std::lock_guard lock(m_mutex);
        out = m_history.list(feed, time_s, oracles);
    }
    const auto is_oracle = [&](const Address& signer) { return contains(m_config.oracles, signer) || contains(oracles, signer); };
    for (Bytes& raw : out) prove_parity(raw, is_oracle);
    return out;
}

Expected<MedianPrice, Rule> PriceBook::slot_price(const Feed& feed, std::uint64_t time_s, std::uint32_t threshold,
                                                  std::span<const Address> oracles) const {
    std::vector<channel::SignedPackage> decoded;
    for (const Bytes& raw : packages(feed, time_s, oracles)) {
        auto package = channel::decode_signed_package(raw);
        if (package) decoded.push_back(*std::move(package));
    }
    return channel::median_of_packages(decoded, oracles, feed, time_s * 1'000, threshold);
}

std::vector<OracleView> PriceBook::latest(const Feed& feed) const {
    const std::lock_guard lock(m_mutex);
    std::vector<OracleView> out;
    const auto found = m_feeds.find(feed);
    if (found == m_feeds.end()) return out;
    for (const auto& [signer, votes] : found->second.votes) {
        if (!votes.empty())
            out.push_back(OracleView{signer, votes.back().price, votes.back().timestamp_ms, votes.back().held});
    }
    return out;
}

std::vector<Feed> PriceBook::feeds() const {
    const std::lock_guard lock(m_mutex);
    std::vector<Feed> out;
    for (const auto& [feed, prices] : m_feeds) out.push_back(feed);
    return out;
}

std::string PriceBook::history_warning() const {
    const std::lock_guard lock(m_mutex);
    return m_history.warning();
}

}  // namespace hedgerow::daemon
