#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "channel/market/median.h"
#include "daemon/oracle/package_history.h"
#include "daemon/oracle/signer_finder.h"

namespace hedgerow::daemon {

struct PriceBookConfig {
    std::vector<channel::Address> oracles;  ///< whose packages count; 1 to kMaxOracles, distinct
    std::uint32_t threshold = 1;            ///< k: how many must agree; 1 to the number of oracles
    std::vector<channel::Feed> feeds;       ///< what is wanted; empty: every feed, up to PackageHistory::kMaxFeeds
    std::uint64_t max_age_ms = 10'000;      ///< older than this is stale
    std::uint64_t max_future_ms = 2'000;    ///< how far an oracle's clock may run ahead of ours
    std::uint32_t max_deviation_bps = 500;  ///< from the price last agreed on; 1 to 10,000
    HistoryConfig history;                  ///< slot packages kept for attest
};

/// What a submitted package did.
struct PackageReceipt {
    channel::Address signer;
    std::uint64_t timestamp_ms = 0;
    std::vector<channel::Feed>
        moved;  ///< feeds whose agreed price is new (k signers for a time later than before, or one more signer)
};

/// The newest a single oracle said about a feed.
struct OracleView {
    channel::Address signer;
    channel::Price price;
    std::uint64_t timestamp_ms = 0;
    bool held = false;  ///< it deviates, and too few others say the same
};

/// The node's view of prices (DESIGN 7): takes raw packages, refuses by name what must not count, and gives k-of-n
/// medians. A price off the last agreed one by more than max_deviation_bps is held, not counted, until k distinct
/// oracles (the held ones included) say for the same time prices within max_deviation_bps of it: so one mad oracle
/// moves nothing, and a real crash counts as soon as k oracles signed it (two at least; a book of one oracle waits for
/// kLoneConfirmations in a row instead). Safe from several threads; time is handed in.
class PriceBook {
  public:
    static constexpr std::size_t kVotesPerOracle = 64;  ///< newest kept, per feed and oracle; the oldest goes first
    static constexpr std::size_t kLoneConfirmations = 4;

    /// std::invalid_argument for a config out of range; further exceptions of PackageHistory.
    explicit PriceBook(PriceBookConfig config);

    /// A package as it came from an oracle. Errors: those of decode_signed_package; package_unknown_signer;
    /// package_stale; package_from_future; package_wrong_feed (none that is wanted); package_price_out_of_range;
    /// package_replayed (not newer than what this oracle said before, or another price for the same time);
    /// package_deviates (held, see above); queue_full. Of several points the good ones count, and the first error is
    /// given where none is. std::system_error from the history file. Sources that are numbered cost less (SignerFinder):
    /// a package of theirs counts whatever its parity bit says; packages() gives the right one.
    [[nodiscard]] channel::Expected<PackageReceipt, channel::Rule> submit(
        channel::ByteView raw, std::uint64_t now_ms, std::optional<OracleSource> source = std::nullopt);

    /// A package of the past (from an oracle's HTTP history) for attest: it goes to the history only, never into
    /// prices. Rule::none; the errors of submit without package_deviates; package_malformed where its time is no slot;
    /// package_stale only where it is older than what is kept.
    [[nodiscard]] channel::Rule submit_history(channel::ByteView raw, std::uint64_t now_ms);

    /// The median of the newest time for which `threshold` of the oracles (of those in `oracles`, where given) have
    /// signed a price that counts. Errors: oracle_threshold_out_of_range, price_missing (nothing known),
    /// not_enough_signers, price_stale (older than max_age_ms).
    [[nodiscard]] channel::Expected<channel::MedianPrice, channel::Rule> median(
        const channel::Feed& feed, std::uint32_t threshold, std::uint64_t now_ms,
        std::span<const channel::Address> oracles = {}) const;
    /// With the configured threshold, over all oracles.
    [[nodiscard]] channel::Expected<channel::MedianPrice, channel::Rule> median(const channel::Feed& feed,
                                                                                std::uint64_t now_ms) const {
        return median(feed, m_config.threshold, now_ms);
    }

    /// Every kept package for (feed, time), for attest: of these oracles only where given (the contract refuses
    /// others).
    [[nodiscard]] std::vector<channel::Bytes> packages(const channel::Feed& feed, std::uint64_t time_s,
                                                       std::span<const channel::Address> oracles = {}) const;
    /// What attest of those packages would store: the slot's price. Errors of median_of_packages.
    [[nodiscard]] channel::Expected<channel::MedianPrice, channel::Rule> slot_price(
        const channel::Feed& feed, std::uint64_t time_s, std::uint32_t threshold,
        std::span<const channel::Address> oracles) const;

    [[nodiscard]] std::vector<OracleView> latest(const channel::Feed& feed) const;  ///< ascending by signer
    [[nodiscard]] std::vector<channel::Feed> feeds() const;  ///< that anything is known of, ascending
    [[nodiscard]] const PriceBookConfig& config() const { return m_config; }
    [[nodiscard]] std::string history_warning() const;

  private:
    struct Vote {
        std::uint64_t timestamp_ms = 0;
        channel::Price price;
        bool held = false;
    };
    struct FeedPrices {
        std::map<channel::Address, std::deque<Vote>> votes;  // of each oracle, ascending times
        std::optional<channel::MedianPrice> agreed;
    };

    [[nodiscard]] bool is_wanted(const channel::Feed& feed) const;
    [[nodiscard]] channel::Rule check_time(std::uint64_t timestamp_ms, std::uint64_t now_ms) const;
    [[nodiscard]] channel::Rule take_point(const channel::DataPackage& data, const channel::Feed& feed,
                                           const channel::Address& signer, PackageReceipt& receipt);
    [[nodiscard]] bool is_near(channel::Price price, channel::Price reference) const;
    void release(FeedPrices& prices, std::uint64_t timestamp_ms) const;
    void release_alone(FeedPrices& prices) const;
    /// The newest time before this one of which any of the oracles said anything, held or not.
    [[nodiscard]] static std::optional<std::uint64_t> newest_before(const FeedPrices& prices,
                                                                    std::uint64_t timestamp_ms,
                                                                    std::span<const channel::Address> oracles);
    [[nodiscard]] static std::vector<channel::PriceVote> votes_at(const FeedPrices& prices, std::uint64_t timestamp_ms,
                                                                  std::span<const channel::Address> oracles);
    [[nodiscard]] bool agree(FeedPrices& prices, std::uint64_t timestamp_ms) const;

    const PriceBookConfig m_config;
    SignerFinder m_signers;
    mutable std::mutex m_mutex;
    std::map<channel::Feed, FeedPrices> m_feeds;
    PackageHistory m_history;
};

}  // namespace hedgerow::daemon
