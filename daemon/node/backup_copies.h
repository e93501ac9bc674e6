#pragma once

#include <algorithm>
#include <deque>
#include <map>

#include "daemon/node/backup.h"
#include "daemon/node/node_parts.h"

namespace hedgerow::daemon {

/// Sealed copies of what recovery of a channel needs (spec 10.6): ours, at the channel's peer and its towers; and those
/// that our channels' peers keep here. A node that was made from its phrase asks everyone it meets for its own.
class BackupCopies {
  public:
    static constexpr std::uint64_t kRefreshMs = 10'000;   ///< between two copies of one channel at one holder
    static constexpr std::size_t kMaxSentPerTick = 256;   ///< a tick is a second
    static constexpr std::size_t kMaxLookedAtPerTick = 4'096;  ///< of those with something to do
    static constexpr std::uint64_t kMaxSlots = 131'072;   ///< that one peer may keep here, and no more than it has channels with us, and a few
    static constexpr std::size_t kMaxStoringBytes = std::size_t{4} << 20;  ///< of others' copies, until they are stored at leisure
    static constexpr std::uint64_t kSpareSlots = 4;       ///< beyond one for each channel that it ever had with us

    BackupCopies(NodeParts& parts, Backups& backups) : m_parts(parts), m_backups(backups) {}

    /// Every channel's copies are refreshed once after a start. `fetch`: this node may lack channels of its own; it
    /// then asks in all later runs too.
    void restore(bool fetch);
    /// The head of that channel is in this turn's commit.
    void head_stored(const channel::Channel& channel);
    void on_ready(const channel::NodeId& peer);
    void on_lost(const channel::NodeId& peer);
    void tick();

    void on_message(const channel::NodeId& peer, const channel::BackupStored& stored);
    void on_message(const channel::NodeId& peer, const channel::BackupItems& items);
    /// True where it was about a copy of ours.
    [[nodiscard]] bool on_refuse(const channel::NodeId& peer, const channel::TowerRefuse& refuse);
    // As the one who keeps them: backup_older, and backup_over_quota, also for a node that never had a channel with us.
    // Where this node is a tower too, it is the tower who keeps what would be over quota here, and a fetch is answered
    // with what both have.
    void on_message(const channel::NodeId& peer, const channel::BackupStore& backup);
    void on_message(const channel::NodeId& peer, const channel::BackupFetch& fetch);

  private:
    struct Holder {
        channel::NodeId id;
        bool dirty = true;
        std::uint64_t next_ms = 0;
        std::uint64_t sent_number = 0;  ///< under way; 0: none
        std::uint64_t sent_ms = 0;
        unsigned refusals = 0;
    };
    struct Copy {
        std::uint64_t number = 0;  ///< of the newest
        bool over = false;         ///< closed before this run: nothing to keep
        bool due = false;          ///< in m_due
        std::vector<Holder> holders;  ///< few

        [[nodiscard]] Holder* find(const channel::NodeId& peer) {
            const auto at = std::find_if(holders.begin(), holders.end(), [&](const Holder& h) { return h.id == peer; });
            return at == holders.end() ? nullptr : &*at;
        }
    };

    using Copies = std::map<channel::ChannelId, Copy>;  // its entries stay where they are

    void send(const channel::Channel& channel, Copy& copy, Holder& holder);
    [[nodiscard]] Holder* find(const channel::NodeId& peer, const channel::Locator& slot);
    /// True where nothing is left to do for it.
    [[nodiscard]] bool look(Copies::value_type& entry, std::size_t& sent);
    void add_holders(const channel::Channel& channel, Copy& copy);
    void add_due(const channel::ChannelId& id);

    NodeParts& m_parts;
    Backups& m_backups;
    bool m_fetch = false;
    Copies m_copies;
    std::deque<Copies::value_type*> m_due;  ///< of which a holder lacks the newest, or has not said that it stored it
    std::map<channel::Locator, Copy*> m_by_slot;
    std::size_t m_storing_bytes = 0;  ///< of others' copies that are not durable yet
};

}  // namespace hedgerow::daemon
