#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "daemon/base/drive.h"
#include "daemon/base/event_fd.h"
#include "daemon/store/channel_scan.h"
#include "daemon/store/file_system.h"
#include "wallet/keys/master_seed.h"
#include "wallet/signer/signing_record.h"

namespace hedgerow::daemon {

/// A stored channel whose head was checked: decoded, both signatures on it verified.
struct RestoredChannel {
    channel::Channel channel;
    std::uint32_t signer_index = 0;
    wallet::PrivateKey signer;
    std::optional<wallet::SigningRecord> record;
};

/// What the store has of channels, read and checked at start on a thread a processor while the node's loop goes on (stepped:
/// here and now). Each thread has a part of the ids at a time, so that what is in memory beside the channels is bounded.
class ChannelRestore {
  public:
    ChannelRestore(const Database& store, FileSystem& files, const channel::Hash& separator, wallet::MasterSeed seed, Drive drive);
    /// Waits for the threads, which leave what they have not begun.
    ~ChannelRestore();
    ChannelRestore(const ChannelRestore&) = delete;
    ChannelRestore& operator=(const ChannelRestore&) = delete;

    /// Readable while take() has something to say.
    [[nodiscard]] int fd() const { return m_event.fd(); }
    struct Progress {
        std::vector<RestoredChannel> channels;
        bool finished = false;  ///< these were the last
    };
    /// Those that were checked since the last call. Throws what went wrong with any: StoreError{corrupt}, with the channel's id and
    /// the broken rule where it is a channel that does not restore.
    [[nodiscard]] Progress take();

  private:
    void work();
    [[nodiscard]] std::vector<RestoredChannel> restore(Database& reader, std::size_t part) const;
    [[nodiscard]] RestoredChannel restore(const StoredChannel& stored) const;

    const std::filesystem::path m_path;
    FileSystem& m_files;
    const channel::Hash m_separator;
    const wallet::MasterSeed m_seed;
    EventFd m_event;
    std::atomic<std::size_t> m_next{0};  ///< part that nobody has begun with
    std::atomic<bool> m_stop{false};
    std::mutex m_mutex;  ///< guards the rest
    std::vector<RestoredChannel> m_done;
    std::size_t m_parts_done = 0;
    std::exception_ptr m_failure;
    std::vector<std::thread> m_threads;
};

}  // namespace hedgerow::daemon
