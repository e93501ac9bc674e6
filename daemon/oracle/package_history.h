#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "channel/market/package.h"

namespace hedgerow::daemon {

class PackageFile;

/// Keeps packages whose time is a whole multiple of `slot_s`, for `keep_s` seconds behind the newest of their feed.
struct HistoryTier {
    std::uint32_t slot_s = 1;
    std::uint32_t keep_s = 6 * 3600;
};

struct HistoryConfig {
    std::vector<HistoryTier> tiers{{1, 6 * 3600},
                                   {60, 30 * 24 * 3600}};  ///< 1 to 16; slot_s > 0; at most kMaxSlots slots each
    std::filesystem::path file;                            ///< empty: memory only
    static constexpr std::size_t kMaxTiers = 16;
    static constexpr std::uint32_t kMaxSlots = 1'000'000;
};

/// The signed packages of slot times, for `attest` and disputes (DESIGN 7): per (feed, time) at most one of each signer
/// and at most kMaxOracles, per feed what the tiers hold, at most kMaxFeeds feeds. Takes packages as verified by the
/// caller. With a file it survives a restart; a record is in the file before add() returns (a power cut may lose the
/// last ones, which other oracles' histories still have). Not thread-safe.
class PackageHistory {
  public:
    static constexpr std::size_t kMaxFeeds = 512;

    /// Reads the file where there is one. std::invalid_argument for a config out of range; std::runtime_error for a
    /// file that is no history, a newer one, or in use by another process; std::system_error where it cannot be opened.
    explicit PackageHistory(HistoryConfig config);
    ~PackageHistory();
    PackageHistory(const PackageHistory&) = delete;
    PackageHistory& operator=(const PackageHistory&) = delete;

    /// A whole second that one of the tiers keeps?
    [[nodiscard]] bool wants(std::uint64_t timestamp_ms) const;

    /// Keeps `raw`, a package of `signer` that holds `feed` and has this time. Rule::none, or why it was not kept:
    /// package_malformed (not a slot time, or longer than kMaxPackageBytes), package_stale (older than what the tiers
    /// keep), package_replayed (that signer's is here already), queue_full. std::system_error where the file cannot be
    /// written.
    [[nodiscard]] channel::Rule add(const channel::Feed& feed, std::uint64_t timestamp_ms,
                                    const channel::Address& signer, channel::ByteView raw);

    /// All packages for (feed, time), in the order of arrival; of these signers only, where `signers` is not empty.
    [[nodiscard]] std::vector<channel::Bytes> list(const channel::Feed& feed, std::uint64_t time_s,
                                                   std::span<const channel::Address> signers = {}) const;
    /// The newest time kept, of any feed; 0 where there is none.
    [[nodiscard]] std::uint64_t newest_s() const { return m_newest_s; }
    /// Packages kept, counted once per tier.
    [[nodiscard]] std::size_t size() const { return m_count; }
    /// What was found when the file was read and had to be left out; empty normally.
    [[nodiscard]] const std::string& warning() const { return m_warning; }

  private:
    struct Kept {
        channel::Address signer;
        std::shared_ptr<const channel::Bytes> raw;
    };
    using Slot = std::vector<Kept>;
    using Timeline = std::map<std::uint64_t, Slot>;  // by seconds
    struct FeedHistory {
        std::uint64_t newest_s = 0;
        std::vector<Timeline> tiers;
    };

    [[nodiscard]] channel::Rule insert(const channel::Feed& feed, std::uint64_t time_s, const channel::Address& signer,
                                       channel::ByteView raw);
    [[nodiscard]] const Slot* find(const channel::Feed& feed, std::uint64_t time_s) const;
    void trim(FeedHistory& history);
    void load();
    void compact_if_large();

    const HistoryConfig m_config;
    std::map<channel::Feed, FeedHistory> m_feeds;
    std::unique_ptr<PackageFile> m_file;
    std::uint64_t m_newest_s = 0;
    std::size_t m_count = 0;
    std::uint64_t m_live_bytes = 0;  // of records in the file that memory still holds
    std::string m_warning;
};

}  // namespace hedgerow::daemon
