#include "daemon/node/backup_copies.h"

#include "daemon/node/channel_manager.h"
#include "daemon/node/peer_manager.h"
#include "daemon/node/tower_client.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/failpoint.h"
#include "daemon/tower/node_tower.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::Channel;
using channel::ChannelId;
using channel::NodeId;
using channel::Rule;

namespace {

constexpr const char* kMetaKey = "fetch_backups";
constexpr std::uint64_t kAnswerTimeoutMs = 10'000;
constexpr std::uint64_t kRefusedMs = 60'000;

}  // namespace

void BackupCopies::restore(bool fetch) {
    const auto stored = get_meta(m_parts.reader, kMetaKey);
    m_fetch = fetch || (stored && !stored->empty());
    if (fetch) m_parts.outbox.persist([](Database& db) { put_meta(db, kMetaKey, Bytes{1}); });
    for (const Channel* channel : m_parts.channels->all()) {
        Copy& copy = m_copies[channel->id];
        copy.over = channel->status == channel::Status::closed;
        if (!copy.over) add_holders(*channel, copy);
    }
}

void BackupCopies::add_holders(const Channel& channel, Copy& copy) {
    const auto add = [&](const NodeId& id) {
        if (copy.find(id) == nullptr) copy.holders.emplace_back().id = id;
    };
    add(channel.peer);
    for (const NodeId& tower : m_parts.towers->towers_of(channel.id)) add(tower);
    add_due(channel.id);
}

void BackupCopies::add_due(const ChannelId& id) {
    const auto entry = m_copies.find(id);
    if (std::exchange(entry->second.due, true)) return;
    m_due.push_back(&*entry);
}

void BackupCopies::head_stored(const Channel& channel) {
    Copy& copy = m_copies[channel.id];
    if (copy.over) return;
    add_holders(channel, copy);
    for (Holder& holder : copy.holders) holder.dirty = true;
}

void BackupCopies::on_ready(const NodeId& peer) {
    for (auto& [id, copy] : m_copies) {
        if (Holder* holder = copy.find(peer)) holder->next_ms = 0;
    }
    if (m_fetch) m_parts.peers->send(peer, channel::BackupFetch{});
}

void BackupCopies::on_lost(const NodeId& peer) {
    for (auto& [id, copy] : m_copies) {
        Holder* holder = copy.find(peer);
        if (holder == nullptr || holder->sent_number == 0) continue;
        holder->sent_number = 0;
        holder->dirty = true;
    }
}

/// In turn, and a bounded number a tick: a peer that is away must not cost a look at each of its channels every second.
void BackupCopies::tick() {
    std::size_t sent = 0;
    for (std::size_t n = std::min(m_due.size(), kMaxLookedAtPerTick); n > 0 && sent < kMaxSentPerTick; --n) {
        Copies::value_type* const entry = m_due.front();
        m_due.pop_front();
        if (look(*entry, sent))
            entry->second.due = false;
        else
            m_due.push_back(entry);
    }
}

bool BackupCopies::look(Copies::value_type& entry, std::size_t& sent) {
    auto& [id, copy] = entry;
    const Channel* channel = m_parts.channels->find(id);
    const bool over = channel == nullptr || copy.over ||
                      std::none_of(copy.holders.begin(), copy.holders.end(), [](const Holder& h) { return h.dirty || h.sent_number != 0; });
    if (over) return true;
    for (Holder& holder : copy.holders) {
        if (holder.sent_number != 0 && m_parts.steady_ms >= holder.sent_ms + kAnswerTimeoutMs) {
            holder.sent_number = 0;
            holder.dirty = true;
        }
        const bool due = holder.dirty && holder.sent_number == 0 && m_parts.steady_ms >= holder.next_ms;
        if (!due || !m_parts.peers->ready(holder.id) || m_parts.keys->locked()) continue;
        ++sent;
        send(*channel, copy, holder);
    }
    return false;
}

void BackupCopies::send(const Channel& channel, Copy& copy, Holder& holder) {
    const channel::Locator slot = m_backups.slot_of(channel.id);
    m_by_slot[slot] = &copy;
    channel::BackupStore message{slot, std::max(m_parts.now_ms, copy.number + 1), {}};
    holder.dirty = false;
    holder.next_ms = m_parts.steady_ms + kRefreshMs;
    if (channel.status != channel::Status::closed) {
        const Result<Bytes> sealed = m_backups.seal_one(channel.id);
        if (!sealed || sealed->size() > channel::kMaxBackupBlob) {
            LOG_WARN("no copy of the channel is kept elsewhere", {"channel", channel.id},
                     {"error", sealed ? "too_large" : sealed.error().name});
            return;
        }
        message.blob.assign(sealed->begin(), sealed->end());
    }
    copy.number = message.number;
    holder.sent_number = message.number;
    holder.sent_ms = m_parts.steady_ms;
    m_parts.peers->send(holder.id, message);
}

BackupCopies::Holder* BackupCopies::find(const NodeId& peer, const channel::Locator& slot) {
    const auto copy = m_by_slot.find(slot);
    return copy == m_by_slot.end() ? nullptr : copy->second->find(peer);
}

void BackupCopies::on_message(const NodeId& peer, const channel::BackupStored& stored) {
    Holder* holder = find(peer, stored.slot);
    if (holder == nullptr || holder->sent_number != stored.number) return;
    holder->sent_number = 0;
    holder->refusals = 0;
}

bool BackupCopies::on_refuse(const NodeId& peer, const channel::TowerRefuse& refuse) {
    Holder* holder = find(peer, refuse.locator);
    if (holder == nullptr) return false;
    if (holder->sent_number == 0) return true;
    LOG_WARN("copy refused", {"peer", peer}, {"rule", refuse.rule});
    holder->sent_number = 0;
    holder->dirty = true;
    holder->next_ms = m_parts.steady_ms + (kRefusedMs << std::min(holder->refusals++, 6U));
    return true;
}

/// Only what our own key sealed is believed, and never over something newer: the worst that a liar can do is to give an
/// old copy, with which the channel is recovering as with a new one.
void BackupCopies::on_message(const NodeId& peer, const channel::BackupItems& items) {
    if (!m_fetch) return m_parts.peers->error(peer, {}, Rule::unexpected_message);
    for (const channel::BackupStore& item : items.items) {
        const Result<std::size_t> recovered = m_backups.take_copy(item.blob);
        if (!recovered) {
            LOG_WARN("copy not usable", {"peer", peer}, {"error", recovered.error().name},
                     {"text", recovered.error().message});
        } else if (*recovered != 0) {
            LOG_INFO("channel recovered from a copy", {"peer", peer}, {"number", item.number});
        }
    }
    if (items.more && !items.items.empty())
        m_parts.peers->send(peer, channel::BackupFetch{items.items.back().slot});
}

// --- kept for others
// ----------------------------------------------------------------------------------------------

void BackupCopies::on_message(const NodeId& peer, const channel::BackupStore& backup) {
    const auto refuse = [this, peer](const channel::Locator& slot, Rule rule) {
        m_parts.peers->send(peer, channel::TowerRefuse{slot, 0, rule});
    };
    const std::size_t channels = m_parts.channels->count_with(peer);
    if (channels == 0) {
        if (m_parts.tower != nullptr) return m_parts.tower->on_message(peer, backup);
        return refuse(backup.slot, Rule::backup_over_quota);
    }
    const BackupQuota quota{std::min<std::uint64_t>(channels + kSpareSlots, kMaxSlots)};
    const auto outcome = std::make_shared<Rule>(Rule::none);
    auto job = [outcome, peer, backup, quota](Database& db) {
        *outcome = store_peer_backup(db, peer, backup, quota);
        failpoint("backup.copy");
    };
    m_storing_bytes += backup.blob.size();
    auto stored = [this, outcome, peer, refuse, backup] {
        m_storing_bytes -= backup.blob.size();
        // Beyond what its channels with us entitle it to, it is the tower's client; what it forgets may be there.
        const bool beyond = *outcome == Rule::backup_over_quota || (*outcome == Rule::none && backup.blob.empty());
        if (beyond && m_parts.tower != nullptr) return m_parts.tower->on_message(peer, backup);
        if (*outcome != Rule::none) return refuse(backup.slot, *outcome);
        m_parts.peers->send(peer, channel::BackupStored{backup.slot, backup.number});
    };
    // No payment waits for a copy, and a turn with a job in it is a transaction of its own. But what waits here is memory.
    if (m_storing_bytes <= kMaxStoringBytes) return m_parts.outbox.persist_later(std::move(job), std::move(stored));
    m_parts.outbox.persist(std::move(job));
    m_parts.outbox.when_durable(std::move(stored));
}

void BackupCopies::on_message(const NodeId& peer, const channel::BackupFetch& fetch) {
    const channel::BackupItems kept = peer_backups(m_parts.reader, peer, fetch.after);
    if (m_parts.tower != nullptr) return m_parts.tower->fetch_backups(peer, fetch.after, kept);
    m_parts.peers->send(peer, kept);
}

}  // namespace hedgerow::daemon
