#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/file_system.h"
#include "tests/sim/random.h"

struct sqlite3_vfs;

namespace hedgerow::sim {

using channel::Bytes;
using channel::ByteView;

/// What is wrong with a disk. Rates are per million operations.
struct DiskFaults {
    std::uint64_t capacity = UINT64_MAX;  ///< bytes of all files; beyond it the disk is full
    bool read_only = false;
    std::uint64_t fail_reads = 0, fail_writes = 0, fail_syncs = 0;  ///< EIO
    bool lies_about_sync =
        false;  ///< a flush is acknowledged and not done: the broken disk that every promise rests on
};

/// The disk of one node: SQLite's file system and the files beside it, in memory, with what a kernel and a disk do to
/// them. Written bytes are seen at once, but survive a power cut only if they were flushed; of those that were not, the
/// seed decides which survive: any of them, in any order, in parts of kSector bytes (what lies within one sector is
/// written whole or not at all), and a file that grew may hold garbage where its data was lost. The same goes for
/// names: one that was made or removed lasts once its directory was flushed (SQLite flushes it with a new journal).
class SimDisk final : public daemon::FileSystem {
  public:
    static constexpr std::size_t kSector = 512;
    using Image = std::map<std::string, Bytes>;

    explicit SimDisk(Random random);
    ~SimDisk() override;
    SimDisk(const SimDisk&) = delete;
    SimDisk& operator=(const SimDisk&) = delete;

    void set_faults(const DiskFaults& faults) { m_faults = faults; }
    [[nodiscard]] const DiskFaults& faults() const { return m_faults; }

    // The end of a process. From then on, and until boot(), nobody reaches anything: destroy what still holds files
    // open at leisure.
    enum class End {
        kill,   ///< kill -9: the kernel keeps what was written
        power,  ///< a power cut: what was not flushed is at the seed's mercy
    };
    void end(End how);
    /// The same, in the midst of the write or flush after that many more of them.
    void end_after(std::uint64_t operations, End how) { m_fuse = Fuse{operations, how}; }
    /// The process ended; also by end_after().
    [[nodiscard]] bool ended() const { return !m_up; }
    /// A next process may begin.
    void boot();

    // What befalls a disk while no process runs.
    /// All files as they are.
    [[nodiscard]] Image image() const;
    /// Those files and no others, as if from a copy.
    void restore(const Image& image);
    /// Turns over bits in `count` bytes of a file; false where there is no such file, or it is empty.
    bool corrupt(const std::string& path, std::size_t count);
    [[nodiscard]] std::uint64_t used() const;

    struct Counts {
        std::uint64_t writes = 0, syncs = 0, reads = 0, failed = 0;
        std::uint64_t power_cuts = 0, sectors_lost = 0, sectors_kept = 0, names_lost = 0;
    };
    [[nodiscard]] const Counts& counts() const { return m_counts; }

    // daemon::FileSystem
    [[nodiscard]] const char* vfs() const override;
    [[nodiscard]] std::unique_ptr<daemon::OpenFile> open(const std::filesystem::path& path, Open how) override;
    void rename(const std::filesystem::path& from, const std::filesystem::path& to, bool replace) override;
    void remove(const std::filesystem::path& path) noexcept override;
    void sync_directory(const std::filesystem::path& directory) override;

  private:
    friend class SimFile;
    friend struct SimVfs;

    /// One write or truncation since the last flush.
    struct Change {
        std::uint64_t sequence = 0;
        std::uint64_t offset = 0;    ///< of a truncation: the new size
        std::optional<Bytes> bytes;  ///< nothing: a truncation
    };
    struct File;
    struct Removed {
        std::string path;
        std::shared_ptr<File> file;
    };

    [[nodiscard]] std::shared_ptr<File> find(const std::string& path) const;
    std::shared_ptr<File> make(const std::string& path);
    void erase(const std::string& path, bool durably);
    // 0, or an errno.
    [[nodiscard]] int check_write(const File& file, std::uint64_t end);
    [[nodiscard]] int write(File& file, std::uint64_t offset, ByteView bytes);
    [[nodiscard]] int truncate(File& file, std::uint64_t size);
    [[nodiscard]] int sync(File& file);
    [[nodiscard]] int read(const File& file, std::uint64_t offset, std::span<std::uint8_t> out, std::size_t& got);
    [[nodiscard]] bool strikes(std::uint64_t per_million);
    /// How a power cut treats what was not flushed; drawn anew at each.
    struct Cut {
        std::uint64_t keep_per_mille = 0;           ///< of sectors
        std::uint64_t ordered_before = UINT64_MAX;  ///< all changes before this one are kept, none after
        std::uint64_t torn_at = UINT64_MAX;         ///< the one at the edge
        bool garbage = false;
    };
    [[nodiscard]] Cut draw_cut();
    void cut(File& file, const Cut& cut);
    void cut_names(const Cut& cut);
    void end_processes();
    void cut_power();
    struct Fuse {
        std::uint64_t left = 0;
        End how = End::kill;
    };
    /// EIO where the process ended with this operation.
    [[nodiscard]] int burn();

    Random m_random;
    DiskFaults m_faults;
    Counts m_counts;
    bool m_up = true;
    std::optional<Fuse> m_fuse;
    std::uint64_t m_epoch = 0;  ///< of processes: a file opened in an older one reaches nothing
    std::uint64_t m_sequence = 0;
    std::map<std::string, std::shared_ptr<File>> m_files;
    std::vector<Removed> m_removed;  ///< names whose removal was not flushed
    struct Vfs;
    std::unique_ptr<Vfs> m_vfs;
};

}  // namespace hedgerow::sim
