#pragma once

#include <thread>

#include "daemon/node/backup_file.h"
#include "daemon/node/node_parts.h"
#include "daemon/node/world.h"

namespace hedgerow::daemon {

/// Key of one byte in the store: 1 where this wallet may have channels that the database does not know, for it was made
/// from a phrase or put back from an older copy, and no backup file was restored since.
inline constexpr const char* kMayLackChannels = "may_lack_channels";
void set_may_lack_channels(NodeParts& parts, bool may);

class ChainEvents;
class Openings;

/// Writes encrypted backups of what recovery needs, and recovers channels from them (spec 6.8). File work is done on a
/// thread of its own (stepped: in step()), one file at a time (else node_busy). Only once the wallet is open.
class Backups {
  public:
    Backups(NodeParts& parts, Openings& openings, ChainEvents& chain_events, const World& world)
        : m_parts(parts), m_openings(openings), m_chain_events(chain_events), m_world(world) {}
    ~Backups() { stop(); }
    Backups(const Backups&) = delete;
    Backups& operator=(const Backups&) = delete;

    /// Every channel that is not closed, into a new file. file_exists, file_unusable, wallet_locked.
    void backup(const std::string& path, Answer<BackedUp> done);
    /// Channels that this node does not know, or knows an older state of; answers with their number once they are
    /// stored, in one transaction. They are recovering, and live at once: their past is looked up on chain, and their
    /// peers are dialled. file_unusable, backup_invalid (open_backup's reasons, and any part that does not fit this
    /// wallet), wrong_chain, wrong_contract, limit_exceeded, wallet_locked; each changes nothing.
    void restore(const std::string& path, Answer<std::size_t> done);
    // Copies that others keep (BackupCopies).
    /// Where a copy of that channel is kept: only this wallet can tell. Asserts an unlocked wallet.
    [[nodiscard]] channel::Locator slot_of(const channel::ChannelId& id) const;
    /// The sealed backup of one channel of ours, with what is small beside it. wallet_locked.
    [[nodiscard]] Result<channel::Bytes> seal_one(const channel::ChannelId& id) const;
    /// As restore, from what another kept: the number of channels that were recovered from it.
    [[nodiscard]] Result<std::size_t> take_copy(channel::ByteView blob) { return take(blob); }
    /// Waits for the file under way (stepped: one that was not begun stays so).
    void stop();
    /// Stepped only: does the file work that waits; false where there is none.
    bool step();

  private:
    struct Checked;

    template <typename T>
    void with_file(std::function<Result<T>()> work, Answer<T> done);
    [[nodiscard]] Backup collect() const;
    [[nodiscard]] Backup begin_backup() const;
    void add_channel(Backup& backup, const channel::Channel& channel) const;
    [[nodiscard]] Result<Checked> check(Backup backup) const;
    [[nodiscard]] Result<std::size_t> take(channel::ByteView file);
    [[nodiscard]] Result<std::size_t> recover(Checked checked);
    [[nodiscard]] Result<void> take_imports(const Backup& backup);
    void add_towers(const Backup& backup);
    void dial(const channel::NodeId& peer, const std::string& uri);

    NodeParts& m_parts;
    Openings& m_openings;
    ChainEvents& m_chain_events;
    const World& m_world;
    bool m_busy = false;
    std::function<void()> m_waiting;  ///< stepped
    std::thread m_thread;
};

}  // namespace hedgerow::daemon
