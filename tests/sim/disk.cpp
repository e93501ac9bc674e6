#include "tests/sim/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace hedgerow::sim {

using daemon::FileError;

namespace {

constexpr int kShmSlots = SQLITE_SHM_NLOCK;

/// What SQLite's connections to one database share in memory.
struct Shm {
    std::vector<std::unique_ptr<char[]>> regions;
    int shared[kShmSlots] = {};
    bool exclusive[kShmSlots] = {};
};

void put(Bytes& into, std::uint64_t offset, ByteView bytes) {
    const auto at = static_cast<std::size_t>(offset);
    if (into.size() < at + bytes.size()) into.resize(at + bytes.size());
    std::copy(bytes.begin(), bytes.end(), into.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

/// One file: as the kernel shows it, as the platter has it, and what lies between the two.
struct SimDisk::File {
    Bytes now;
    Bytes durable;
    std::vector<Change> changes;
    bool named = false;          ///< its name is durable
    bool named_by_sync = false;  ///< a flush makes its name durable too (SQLite's journals)
    // Of the running process's handles; SQLite's lock levels.
    int shared_locks = 0;
    const void* reserved = nullptr;
    const void* pending = nullptr;
    const void* exclusive = nullptr;
    const void* whole = nullptr;  ///< OpenFile::lock
    std::shared_ptr<Shm> shm;
};

struct SimDisk::Vfs {
    std::string name;
    sqlite3_vfs vfs{};
};

// --- files beside SQLite
// ----------------------------------------------------------------------------------------------------

class SimFile final : public daemon::OpenFile {
  public:
    SimFile(SimDisk& disk, std::filesystem::path path, std::shared_ptr<SimDisk::File> file, bool writes)
        : m_disk(disk), m_path(std::move(path)), m_file(std::move(file)), m_epoch(disk.m_epoch), m_writes(writes) {}
    ~SimFile() override {
        if (m_epoch == m_disk.m_epoch && m_file->whole == this) m_file->whole = nullptr;
    }

    std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
        std::size_t got = 0;
        check(alive() ? m_disk.read(*m_file, offset, out, got) : EIO, "cannot read");
        return got;
    }
    void write_at(std::uint64_t offset, ByteView bytes) override {
        check(alive() ? m_writes ? m_disk.write(*m_file, offset, bytes) : EBADF : EIO, "cannot write");
    }
    void truncate(std::uint64_t size) override {
        check(alive() ? m_disk.truncate(*m_file, size) : EIO, "cannot shorten");
    }
    std::uint64_t size() override { return m_file->now.size(); }
    void sync() override { check(alive() ? m_disk.sync(*m_file) : EIO, "cannot flush"); }
    void sync_data() override { sync(); }
    void forget() override {}
    bool lock() override {
        if (m_file->whole != nullptr && m_file->whole != this) return false;
        m_file->whole = this;
        return true;
    }

  private:
    [[nodiscard]] bool alive() const { return m_epoch == m_disk.m_epoch; }
    void check(int error, const char* what) const {
        if (error != 0) throw FileError(error, what, m_path);
    }

    SimDisk& m_disk;
    const std::filesystem::path m_path;
    const std::shared_ptr<SimDisk::File> m_file;
    const std::uint64_t m_epoch;
    const bool m_writes;
};

// --- SQLite's file system
// ---------------------------------------------------------------------------------------------------

struct SimVfs {
    struct Open;
    /// One open file of SQLite.
    struct Handle {
        sqlite3_file base;  // first: SQLite's view of it
        Open* open;
    };
    struct Open {
        SimDisk* disk;
        std::shared_ptr<SimDisk::File> file;
        std::string path;
        std::uint64_t epoch;
        bool delete_on_close;
        int level = SQLITE_LOCK_NONE;
        std::shared_ptr<Shm> shm{};
        unsigned shm_shared = 0;  ///< bit per slot
        unsigned shm_exclusive = 0;
        [[nodiscard]] bool alive() const { return epoch == disk->m_epoch; }
    };
    static Open& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->open; }
    static SimDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<SimDisk*>(vfs->pAppData); }

    static int code_of(int error, int otherwise) {
        if (error == 0) return SQLITE_OK;
        return error == ENOSPC ? SQLITE_FULL : otherwise;
    }

    static int close(sqlite3_file* file) {
        Open& open = of(file);
        if (open.alive()) {
            unlock(file, SQLITE_LOCK_NONE);
            release_shm(open);
            if (open.delete_on_close && !open.path.empty()) open.disk->erase(open.path, false);
        }
        delete &open;
        return SQLITE_OK;
    }
    static int read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
        Open& open = of(file);
        auto* bytes = static_cast<std::uint8_t*>(out);
        std::size_t got = 0;
        const int error = open.alive() ? open.disk->read(*open.file, static_cast<std::uint64_t>(offset),
                                                         {bytes, static_cast<std::size_t>(size)}, got)
                                       : EIO;
        if (error != 0) return SQLITE_IOERR_READ;
        if (got == static_cast<std::size_t>(size)) return SQLITE_OK;
        std::memset(bytes + got, 0, static_cast<std::size_t>(size) - got);
        return SQLITE_IOERR_SHORT_READ;
    }
    static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
        Open& open = of(file);
        if (!open.alive()) return SQLITE_IOERR_WRITE;
        const ByteView bytes(static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size));
        return code_of(open.disk->write(*open.file, static_cast<std::uint64_t>(offset), bytes), SQLITE_IOERR_WRITE);
    }
    static int truncate(sqlite3_file* file, sqlite3_int64 size) {
        Open& open = of(file);
        if (!open.alive()) return SQLITE_IOERR_TRUNCATE;
        return code_of(open.disk->truncate(*open.file, static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
    }
    static int sync(sqlite3_file* file, int) {
        Open& open = of(file);
        if (!open.alive()) return SQLITE_IOERR_FSYNC;
        return code_of(open.disk->sync(*open.file), SQLITE_IOERR_FSYNC);
    }
    static int size(sqlite3_file* file, sqlite3_int64* out) {
        *out = static_cast<sqlite3_int64>(of(file).file->now.size());
        return SQLITE_OK;
    }

    static int lock(sqlite3_file* file, int level) {
        Open& open = of(file);
        if (!open.alive()) return SQLITE_IOERR_LOCK;
        SimDisk::File& f = *open.file;
        const auto others = [&](const void* holder) { return holder != nullptr && holder != &open; };
        if (level <= open.level) return SQLITE_OK;
        if (open.level == SQLITE_LOCK_NONE) {
            if (others(f.pending) || others(f.exclusive)) return SQLITE_BUSY;
            ++f.shared_locks;
            open.level = SQLITE_LOCK_SHARED;
        }
        if (level >= SQLITE_LOCK_RESERVED && open.level < SQLITE_LOCK_RESERVED) {
            if (others(f.reserved) || others(f.pending)) return SQLITE_BUSY;
            f.reserved = &open;
            open.level = SQLITE_LOCK_RESERVED;
        }
        if (level == SQLITE_LOCK_EXCLUSIVE) {
            if (others(f.pending)) return SQLITE_BUSY;
            f.pending = &open;
            open.level = SQLITE_LOCK_PENDING;
            if (f.shared_locks > 1) return SQLITE_BUSY;
            f.exclusive = &open;
            open.level = SQLITE_LOCK_EXCLUSIVE;
        }
        return SQLITE_OK;
    }
    static int unlock(sqlite3_file* file, int level) {
        Open& open = of(file);
        if (!open.alive() || level >= open.level) return SQLITE_OK;
        SimDisk::File& f = *open.file;
        for (const void** holder : {&f.reserved, &f.pending, &f.exclusive}) {
            if (*holder == &open) *holder = nullptr;
        }
        if (level == SQLITE_LOCK_NONE) --f.shared_locks;
        open.level = level;
        return SQLITE_OK;
    }
    static int check_reserved(sqlite3_file* file, int* out) {
        const SimDisk::File& f = *of(file).file;
        *out = f.reserved != nullptr || f.pending != nullptr || f.exclusive != nullptr ? 1 : 0;
        return SQLITE_OK;
    }
    static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
    static int sector_size(sqlite3_file*) { return 4096; }
    // As SQLite's unix file system says of itself: a write spoils nothing beside it.
    static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

    static int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
        Open& open = of(file);
        *out = nullptr;
        if (!open.alive()) return SQLITE_IOERR_SHMMAP;
        if (!open.file->shm) open.file->shm = std::make_shared<Shm>();
        open.shm = open.file->shm;
        const auto wanted = static_cast<std::size_t>(region) + 1;
        while (open.shm->regions.size() < wanted) {
            if (extend == 0) return SQLITE_OK;
            open.shm->regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
        }
        *out = open.shm->regions[static_cast<std::size_t>(region)].get();
        return SQLITE_OK;
    }
    static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
        Open& open = of(file);
        if (!open.alive() || !open.shm) return SQLITE_IOERR_SHMLOCK;
        Shm& shm = *open.shm;
        const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
        if ((flags & SQLITE_SHM_LOCK) != 0) {
            for (int i = offset; i < offset + count; ++i) {
                const unsigned bit = 1U << i;
                const int mine = (open.shm_shared & bit) != 0 ? 1 : 0;
                if (shm.exclusive[i] && (open.shm_exclusive & bit) == 0) return SQLITE_BUSY;
                if (exclusive && shm.shared[i] > mine) return SQLITE_BUSY;
            }
        }
        for (int i = offset; i < offset + count; ++i) set_slot(open, i, (flags & SQLITE_SHM_LOCK) != 0, exclusive);
        return SQLITE_OK;
    }
    static void set_slot(Open& open, int slot, bool locks, bool exclusive) {
        const unsigned bit = 1U << slot;
        Shm& shm = *open.shm;
        unsigned& held = exclusive ? open.shm_exclusive : open.shm_shared;
        if (((held & bit) != 0) == locks) return;
        held ^= bit;
        if (exclusive)
            shm.exclusive[slot] = locks;
        else
            shm.shared[slot] += locks ? 1 : -1;
    }
    static void release_shm(Open& open) {
        if (!open.shm) return;
        for (int i = 0; i < kShmSlots; ++i) {
            set_slot(open, i, false, false);
            set_slot(open, i, false, true);
        }
        open.shm.reset();
    }
    static void shm_barrier(sqlite3_file*) {}
    static int shm_unmap(sqlite3_file* file, int remove) {
        Open& open = of(file);
        if (!open.alive()) {
            open.shm.reset();
            return SQLITE_OK;
        }
        release_shm(open);
        if (remove != 0) open.file->shm.reset();
        return SQLITE_OK;
    }

    static const sqlite3_io_methods& methods() {
        static const sqlite3_io_methods table = [] {
            sqlite3_io_methods m{};
            m.iVersion = 2;
            m.xClose = close;
            m.xRead = read;
            m.xWrite = write;
            m.xTruncate = truncate;
            m.xSync = sync;
            m.xFileSize = size;
            m.xLock = lock;
            m.xUnlock = unlock;
            m.xCheckReservedLock = check_reserved;
            m.xFileControl = control;
            m.xSectorSize = sector_size;
            m.xDeviceCharacteristics = characteristics;
            m.xShmMap = shm_map;
            m.xShmLock = shm_lock;
            m.xShmBarrier = shm_barrier;
            m.xShmUnmap = shm_unmap;
            return m;
        }();
        return table;
    }

    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
        out->pMethods = nullptr;
        SimDisk& disk = disk_of(vfs);
        if (!disk.m_up) return SQLITE_CANTOPEN;
        const std::string path = name != nullptr ? name : "";
        std::shared_ptr<SimDisk::File> file = path.empty() ? std::make_shared<SimDisk::File>() : disk.find(path);
        if (!file) {
            if ((flags & SQLITE_OPEN_CREATE) == 0 || disk.m_faults.read_only) return SQLITE_CANTOPEN;
            file = disk.make(path);
            file->named_by_sync =
                (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
        } else if ((flags & SQLITE_OPEN_EXCLUSIVE) != 0 && (flags & SQLITE_OPEN_CREATE) != 0 && !path.empty()) {
            return SQLITE_CANTOPEN;
        }
        auto* handle = reinterpret_cast<Handle*>(out);
        const bool temporary = path.empty() || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
        auto open = std::make_unique<Open>(Open{&disk, std::move(file), path, disk.m_epoch, temporary});
        handle->open = open.release();
        out->pMethods = &methods();
        if (out_flags != nullptr) {
            *out_flags = flags;
            if (disk.m_faults.read_only && (flags & SQLITE_OPEN_READWRITE) != 0) {
                *out_flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
            }
        }
        return SQLITE_OK;
    }
    static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
        SimDisk& disk = disk_of(vfs);
        if (!disk.m_up || disk.m_faults.read_only) return SQLITE_IOERR_DELETE;
        if (!disk.find(name)) return SQLITE_IOERR_DELETE_NOENT;
        disk.erase(name, sync_directory != 0);
        return SQLITE_OK;
    }
    static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
        *out = disk_of(vfs).find(name) ? 1 : 0;
        return SQLITE_OK;
    }
    static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
        if (std::strlen(name) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
        std::strcpy(out, name);
        return SQLITE_OK;
    }
    static int randomness(sqlite3_vfs* vfs, int size, char* out) {
        disk_of(vfs).m_random.fill(out, static_cast<std::size_t>(size));
        return size;
    }
    static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
    static int current_time(sqlite3_vfs*, sqlite3_int64* out) {
        *out = 2'460'000LL * 86'400'000LL;  // nothing of ours asks SQLite for the time
        return SQLITE_OK;
    }
    static int last_error(sqlite3_vfs*, int, char*) { return 0; }

    static void fill(sqlite3_vfs& vfs, const char* name, SimDisk* disk) {
        vfs.iVersion = 2;
        vfs.szOsFile = sizeof(Handle);
        vfs.mxPathname = 1'024;
        vfs.zName = name;
        vfs.pAppData = disk;
        vfs.xOpen = open;
        vfs.xDelete = remove;
        vfs.xAccess = access;
        vfs.xFullPathname = full_path;
        vfs.xRandomness = randomness;
        vfs.xSleep = sleep;
        vfs.xGetLastError = last_error;
        vfs.xCurrentTimeInt64 = current_time;
    }
};

// --- the disk
// ---------------------------------------------------------------------------------------------------------------

SimDisk::SimDisk(Random random) : m_random(random), m_vfs(std::make_unique<Vfs>()) {
    static std::atomic<std::uint64_t> number{0};
    m_vfs->name = "hedgerow-sim-" + std::to_string(number.fetch_add(1));
    SimVfs::fill(m_vfs->vfs, m_vfs->name.c_str(), this);
    const int code = sqlite3_vfs_register(&m_vfs->vfs, 0);
    ASSERT(code == SQLITE_OK);
}

SimDisk::~SimDisk() {
    sqlite3_vfs_unregister(&m_vfs->vfs);
}

const char* SimDisk::vfs() const {
    return m_vfs->name.c_str();
}

bool SimDisk::strikes(std::uint64_t per_million) {
    if (per_million == 0 || m_random.below(1'000'000) >= per_million) return false;
    ++m_counts.failed;
    return true;
}

std::uint64_t SimDisk::used() const {
    std::uint64_t sum = 0;
    for (const auto& [path, file] : m_files) sum += file->now.size();
    return sum;
}

std::shared_ptr<SimDisk::File> SimDisk::find(const std::string& path) const {
    const auto found = m_files.find(path);
    return found == m_files.end() ? nullptr : found->second;
}

std::shared_ptr<SimDisk::File> SimDisk::make(const std::string& path) {
    return m_files[path] = std::make_shared<File>();
}

void SimDisk::erase(const std::string& path, bool durably) {
    const auto found = m_files.find(path);
    if (found == m_files.end()) return;
    std::erase_if(m_removed, [&](const Removed& removed) { return removed.path == path; });
    if (!durably && found->second->named) m_removed.push_back({path, found->second});
    m_files.erase(found);
}

int SimDisk::check_write(const File& file, std::uint64_t end) {
    ++m_counts.writes;
    if (m_faults.read_only) return EROFS;
    if (end > file.now.size() && used() + (end - file.now.size()) > m_faults.capacity) {
        ++m_counts.failed;
        return ENOSPC;
    }
    return strikes(m_faults.fail_writes) ? EIO : 0;
}

int SimDisk::write(File& file, std::uint64_t offset, ByteView bytes) {
    if (const int error = check_write(file, offset + bytes.size()); error != 0) return error;
    put(file.now, offset, bytes);
    file.changes.push_back({m_sequence++, offset, Bytes(bytes.begin(), bytes.end())});
    return burn();
}

int SimDisk::truncate(File& file, std::uint64_t size) {
    if (const int error = check_write(file, size); error != 0) return error;
    file.now.resize(static_cast<std::size_t>(size));
    file.changes.push_back({m_sequence++, size, std::nullopt});
    return burn();
}

int SimDisk::sync(File& file) {
    ++m_counts.syncs;
    if (const int error = burn(); error != 0) return error;
    if (strikes(m_faults.fail_syncs)) return EIO;
    if (m_faults.lies_about_sync) return 0;
    for (const Change& change : file.changes) {
        if (change.bytes)
            put(file.durable, change.offset, *change.bytes);
        else
            file.durable.resize(static_cast<std::size_t>(change.offset));
    }
    file.changes.clear();
    if (file.named_by_sync) file.named = true;
    return 0;
}

int SimDisk::read(const File& file, std::uint64_t offset, std::span<std::uint8_t> out, std::size_t& got) {
    ++m_counts.reads;
    if (strikes(m_faults.fail_reads)) return EIO;
    if (offset >= file.now.size()) return 0;
    got = std::min<std::size_t>(out.size(), file.now.size() - static_cast<std::size_t>(offset));
    std::copy_n(file.now.begin() + static_cast<std::ptrdiff_t>(offset), got, out.begin());
    return 0;
}

// --- the end of processes
// ---------------------------------------------------------------------------------------------------

/// Handles and their locks are void. What is mapped stays with its handle until that is destroyed.
void SimDisk::end_processes() {
    ++m_epoch;
    for (auto& [path, file] : m_files) {
        file->shared_locks = 0;
        file->reserved = file->pending = file->exclusive = file->whole = nullptr;
        file->shm.reset();
    }
}

void SimDisk::end(End how) {
    if (!m_up) return;
    m_up = false;
    m_fuse.reset();
    if (how == End::power) cut_power();
    end_processes();
}

void SimDisk::boot() {
    if (m_up) end_processes();
    m_up = true;
    m_fuse.reset();
}

int SimDisk::burn() {
    if (!m_fuse || m_fuse->left-- != 0) return 0;
    end(m_fuse->how);
    return EIO;
}

SimDisk::Cut SimDisk::draw_cut() {
    Cut cut;
    cut.garbage = m_random.chance(500);
    switch (m_random.below(4)) {
        case 0:  // nothing had reached the platter
            break;
        case 1:  // all had
            cut.keep_per_mille = 1'000;
            break;
        case 2: {  // a disk that keeps the order, cut in the midst of one write
            std::vector<std::uint64_t> sequences;
            for (const auto& [path, file] : m_files) {
                for (const Change& change : file->changes) sequences.push_back(change.sequence);
            }
            if (sequences.empty()) break;
            std::sort(sequences.begin(), sequences.end());
            cut.keep_per_mille = 500;  // of the torn one
            cut.ordered_before = cut.torn_at = m_random.pick(sequences);
            break;
        }
        default:  // a disk that keeps no order
            cut.keep_per_mille = m_random.between(50, 950);
    }
    return cut;
}

void SimDisk::cut(File& file, const Cut& cut) {
    const bool in_order = cut.ordered_before != UINT64_MAX;
    Bytes left = std::move(file.durable);
    for (const Change& change : file.changes) {
        const bool sure = in_order && change.sequence < cut.ordered_before;
        const bool gone = in_order && change.sequence > cut.torn_at;
        if (gone) {
            ++m_counts.sectors_lost;
            continue;
        }
        if (!change.bytes) {
            if (sure || m_random.chance(cut.keep_per_mille)) left.resize(static_cast<std::size_t>(change.offset));
            continue;
        }
        const std::size_t end = static_cast<std::size_t>(change.offset) + change.bytes->size();
        for (std::size_t at = static_cast<std::size_t>(change.offset); at < end;) {
            const std::size_t next = std::min(end, (at / kSector + 1) * kSector);
            const auto part = ByteView(*change.bytes).subspan(at - static_cast<std::size_t>(change.offset), next - at);
            if (sure || m_random.chance(cut.keep_per_mille)) {
                const std::size_t before = left.size();
                put(left, at, part);
                // A file that grew over a hole: what is in it was never written.
                if (cut.garbage && at > before) m_random.fill(left.data() + before, at - before);
                ++m_counts.sectors_kept;
            } else {
                ++m_counts.sectors_lost;
            }
            at = next;
        }
    }
    file.changes.clear();
    file.durable = left;
    file.now = std::move(left);
}

void SimDisk::cut_names(const Cut& cut) {
    for (auto it = m_files.begin(); it != m_files.end();) {
        if (it->second->named || m_random.chance(cut.keep_per_mille)) {
            it->second->named = true;
            ++it;
            continue;
        }
        ++m_counts.names_lost;
        it = m_files.erase(it);
    }
    for (Removed& removed : m_removed) {
        if (m_files.contains(removed.path) || m_random.chance(cut.keep_per_mille)) continue;
        m_files[removed.path] = removed.file;
    }
    m_removed.clear();
}

void SimDisk::cut_power() {
    ++m_counts.power_cuts;
    const Cut how = draw_cut();
    for (Removed& removed : m_removed) cut(*removed.file, how);
    for (auto& [path, file] : m_files) cut(*file, how);
    cut_names(how);
}

SimDisk::Image SimDisk::image() const {
    Image out;
    for (const auto& [path, file] : m_files) out[path] = file->now;
    return out;
}

void SimDisk::restore(const Image& image) {
    end_processes();
    m_files.clear();
    m_removed.clear();
    for (const auto& [path, bytes] : image) {
        File& file = *make(path);
        file.now = file.durable = bytes;
        file.named = true;
    }
}

bool SimDisk::corrupt(const std::string& path, std::size_t count) {
    const auto file = find(path);
    if (!file || file->now.empty()) return false;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = m_random.below(file->now.size());
        file->now[at] ^= static_cast<std::uint8_t>(1U << m_random.below(8));
    }
    file->durable = file->now;
    file->changes.clear();
    return true;
}

// --- daemon::FileSystem
// -----------------------------------------------------------------------------------------------------

std::unique_ptr<daemon::OpenFile> SimDisk::open(const std::filesystem::path& path, Open how) {
    if (!m_up) throw FileError(EIO, "cannot open", path);
    auto file = find(path.string());
    if (!file) {
        if (how == Open::existing) throw FileError(ENOENT, "cannot open", path);
        if (m_faults.read_only) throw FileError(EROFS, "cannot open", path);
        file = make(path.string());
    } else if (how == Open::create) {
        throw FileError(EEXIST, "cannot open", path);
    }
    if (m_faults.read_only && how != Open::existing) throw FileError(EROFS, "cannot open", path);
    return std::make_unique<SimFile>(*this, path, std::move(file), how != Open::existing);
}

void SimDisk::rename(const std::filesystem::path& from, const std::filesystem::path& to, bool replace) {
    if (!m_up) throw FileError(EIO, "cannot rename to", to);
    const auto file = find(from.string());
    if (!file) throw FileError(ENOENT, "cannot rename to", to);
    if (m_faults.read_only) throw FileError(EROFS, "cannot rename to", to);
    // Old or new, but never neither: the name is as durable as the one that it takes over.
    const auto replaced = find(to.string());
    if (replaced && !replace) throw FileError(EEXIST, "cannot rename to", to);
    file->named = file->named || (replaced && replaced->named);
    m_files.erase(from.string());
    m_files[to.string()] = file;
}

void SimDisk::remove(const std::filesystem::path& path) noexcept {
    if (m_up && !m_faults.read_only) erase(path.string(), false);
}

void SimDisk::sync_directory(const std::filesystem::path& directory) {
    ++m_counts.syncs;
    if (!m_up || burn() != 0 || strikes(m_faults.fail_syncs)) throw FileError(EIO, "cannot flush", directory);
    if (m_faults.lies_about_sync) return;
    for (auto& [path, file] : m_files) {
        if (std::filesystem::path(path).parent_path() == directory) file->named = true;
    }
    std::erase_if(m_removed, [&](const Removed& removed) {
        return std::filesystem::path(removed.path).parent_path() == directory;
    });
}

}  // namespace hedgerow::sim
