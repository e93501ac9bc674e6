#include "daemon/oracle/package_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "channel/messages/typed.h"
#include "daemon/oracle/package_file.h"

namespace hedgerow::daemon {

namespace {

using channel::Address;
using channel::Bytes;
using channel::ByteView;
using channel::Feed;
using channel::Rule;

/// A file may hold this much beside what is still wanted before it is written anew.
constexpr std::uint64_t kSlackBytes = 4ULL << 20;

void check(const HistoryConfig& config) {
    if (config.tiers.empty() || config.tiers.size() > HistoryConfig::kMaxTiers) {
        throw std::invalid_argument("a package history has 1 to 16 tiers");
    }
    for (const HistoryTier& tier : config.tiers) {
        if (tier.slot_s == 0 || tier.keep_s / tier.slot_s > HistoryConfig::kMaxSlots) {
            throw std::invalid_argument(
                "a tier of a package history has slots of at least 1 s and at most 1,000,000 of them");
        }
    }
}

}  // namespace

PackageHistory::PackageHistory(HistoryConfig config) : m_config(std::move(config)) {
    check(m_config);
    if (m_config.file.empty()) return;
    m_file = std::make_unique<PackageFile>(m_config.file);
    load();
}

PackageHistory::~PackageHistory() = default;

void PackageHistory::load() {
    std::size_t refused = 0;
    const std::uint64_t lost = m_file->read([&](PackageRecord record) {
        const auto package = channel::decode_signed_package(record.raw);
        if (!package || package->data.timestamp_ms % 1000 != 0) {
            ++refused;
            return;
        }
        // Records that the tiers no longer hold are dropped in silence; the next compaction removes them.
        static_cast<void>(insert(record.feed, package->data.timestamp_ms / 1000, record.signer, record.raw));
    });
    if (lost != 0 || refused != 0) {
        m_warning = fmt::format("{}: cut off {} damaged bytes, left out {} malformed records", m_config.file.string(),
                                lost, refused);
    }
    compact_if_large();
}

bool PackageHistory::wants(std::uint64_t timestamp_ms) const {
    if (timestamp_ms % 1000 != 0) return false;
    return std::any_of(m_config.tiers.begin(), m_config.tiers.end(),
                       [&](const HistoryTier& tier) { return timestamp_ms / 1000 % tier.slot_s == 0; });
}

Rule PackageHistory::add(const Feed& feed, std::uint64_t timestamp_ms, const Address& signer, ByteView raw) {
    if (!wants(timestamp_ms) || raw.size() > channel::kMaxPackageBytes) return Rule::package_malformed;
    const Rule rule = insert(feed, timestamp_ms / 1000, signer, raw);
    if (rule == Rule::none && m_file) {
        m_file->append(PackageRecord{feed, signer, Bytes(raw.begin(), raw.end())});
        compact_if_large();
    }
    return rule;
}

Rule PackageHistory::insert(const Feed& feed, std::uint64_t time_s, const Address& signer, ByteView raw) {
    auto found = m_feeds.find(feed);
    if (found == m_feeds.end()) {
        if (m_feeds.size() >= kMaxFeeds) return Rule::queue_full;
        found = m_feeds.emplace(feed, FeedHistory{0, std::vector<Timeline>(m_config.tiers.size())}).first;
    }
    FeedHistory& history = found->second;
    const auto kept = std::make_shared<const Bytes>(raw.begin(), raw.end());
    Rule rule = Rule::package_stale;
    for (std::size_t i = 0; i < m_config.tiers.size(); ++i) {
        const HistoryTier& tier = m_config.tiers[i];
        if (time_s % tier.slot_s != 0 || time_s + tier.keep_s < history.newest_s) continue;
        Slot& slot = history.tiers[i][time_s];
        if (std::any_of(slot.begin(), slot.end(), [&](const Kept& k) { return k.signer == signer; }))
            return Rule::package_replayed;
        if (slot.size() >= channel::kMaxOracles) return Rule::queue_full;
        slot.push_back(Kept{signer, kept});
        ++m_count;
        m_live_bytes += PackageFile::record_size(raw.size());
        rule = Rule::none;
    }
    if (rule != Rule::none) return rule;
    m_newest_s = std::max(m_newest_s, time_s);
    if (time_s > history.newest_s) {
        history.newest_s = time_s;
        trim(history);
    }
    return Rule::none;
}

void PackageHistory::trim(FeedHistory& history) {
    for (std::size_t i = 0; i < m_config.tiers.size(); ++i) {
        Timeline& timeline = history.tiers[i];
        while (!timeline.empty() && timeline.begin()->first + m_config.tiers[i].keep_s < history.newest_s) {
            for (const Kept& kept : timeline.begin()->second)
                m_live_bytes -= PackageFile::record_size(kept.raw->size());
            m_count -= timeline.begin()->second.size();
            timeline.erase(timeline.begin());
        }
    }
}

const PackageHistory::Slot* PackageHistory::find(const Feed& feed, std::uint64_t time_s) const {
    const auto history = m_feeds.find(feed);
    if (history == m_feeds.end()) return nullptr;
    for (const Timeline& timeline : history->second.tiers) {
        const auto slot = timeline.find(time_s);
        if (slot != timeline.end()) return &slot->second;
    }
    return nullptr;
}

std::vector<Bytes> PackageHistory::list(const Feed& feed, std::uint64_t time_s,
                                        std::span<const Address> signers) const {
    std::vector<Bytes> out;
    const Slot* slot = find(feed, time_s);
    if (slot == nullptr) return out;
    for (const Kept& kept : *slot) {
        if (signers.empty() || std::find(signers.begin(), signers.end(), kept.signer) != signers.end())
            out.push_back(*kept.raw);
    }
    return out;
}

void PackageHistory::compact_if_large() {
    if (!m_file || m_file->size() <= 2 * m_live_bytes + kSlackBytes) return;
    m_file->rewrite([&](const PackageFile::Sink& write) {
        for (const auto& [feed, history] : m_feeds) {
            for (std::size_t i = 0; i < history.tiers.size(); ++i) {
                for (const auto& [time_s, slot] : history.tiers[i]) {
                    // What a finer tier holds too is written once, with that one.
                    const Slot* first = find(feed, time_s);
                    if (first != &slot) continue;
                    for (const Kept& kept : slot) write(PackageRecord{feed, kept.signer, *kept.raw});
                }
            }
        }
    });
}

}  // namespace hedgerow::daemon
