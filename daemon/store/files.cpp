#include "daemon/store/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace hedgerow::daemon {

namespace {

constexpr mode_t kOwnerOnly = 0600;

StoreErrorKind kind_of_errno(int error) {
    switch (error) {
        case EACCES:
        case EPERM:
        case EROFS:
            return StoreErrorKind::read_only;
        case ENOSPC:
        case EDQUOT:
            return StoreErrorKind::disk_full;
        default:
            return StoreErrorKind::io;
    }
}

/// Owns the descriptor.
class RealFile final : public OpenFile {
  public:
    RealFile(int fd, std::filesystem::path path) : m_fd(fd), m_path(std::move(path)) {}
    ~RealFile() override { ::close(m_fd); }
    RealFile(const RealFile&) = delete;
    RealFile& operator=(const RealFile&) = delete;

    std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
        std::size_t done = 0;
        while (done < out.size()) {
            const ssize_t got = ::pread(m_fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw_errno("cannot read", m_path);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }
    void write_at(std::uint64_t offset, channel::ByteView bytes) override {
        while (!bytes.empty()) {
            const ssize_t written = ::pwrite(m_fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) throw_errno("cannot write", m_path);
            offset += static_cast<std::uint64_t>(written);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }
    void truncate(std::uint64_t size) override {
        if (::ftruncate(m_fd, static_cast<off_t>(size)) != 0) throw_errno("cannot shorten", m_path);
    }
    std::uint64_t size() override {
        struct stat info {};
        if (::fstat(m_fd, &info) != 0) throw_errno("cannot stat", m_path);
        return static_cast<std::uint64_t>(info.st_size);
    }
    void sync() override {
        if (::fsync(m_fd) != 0) throw_errno("cannot flush", m_path);
    }
    void sync_data() override {
        if (::fdatasync(m_fd) != 0) throw_errno("cannot flush", m_path);
    }
    void forget() override { (void)::posix_fadvise(m_fd, 0, 0, POSIX_FADV_DONTNEED); }
    bool lock() override {
        if (::flock(m_fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK) throw_errno("cannot lock", m_path);
        return false;
    }

  private:
    const int m_fd;
    const std::filesystem::path m_path;
};

int flags_of(FileSystem::Open how) {
    switch (how) {
        case FileSystem::Open::existing:
            return O_RDONLY | O_NONBLOCK;  // a pipe must not hold us up
        case FileSystem::Open::or_create:
            return O_RDWR | O_CREAT;
        case FileSystem::Open::create:
            return O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    }
    return O_RDONLY;
}

class RealFiles final : public FileSystem {
  public:
    [[nodiscard]] const char* vfs() const override { return nullptr; }
    std::unique_ptr<OpenFile> open(const std::filesystem::path& path, Open how) override {
        const int fd = ::open(path.c_str(), flags_of(how) | O_CLOEXEC, kOwnerOnly);
        if (fd < 0) throw_errno("cannot open", path);
        auto file = std::make_unique<RealFile>(fd, path);
        struct stat info {};
        if (how == Open::existing && (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)))
            throw FileError(EINVAL, "cannot open", path);
        return file;
    }
    void rename(const std::filesystem::path& from, const std::filesystem::path& to, bool replace) override {
        const unsigned flags = replace ? 0 : RENAME_NOREPLACE;
        if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) throw_errno("cannot rename to", to);
    }
    void remove(const std::filesystem::path& path) noexcept override { ::unlink(path.c_str()); }
    void sync_directory(const std::filesystem::path& directory) override {
        const std::filesystem::path named = directory.empty() ? "." : directory;
        const int fd = ::open(named.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) throw_errno("cannot open", named);
        RealFile(fd, named).sync();
    }
};

}  // namespace

FileError::FileError(int error_number, std::string_view what, const std::filesystem::path& path)
    : StoreError(kind_of_errno(error_number),
                 fmt::format("{} {}: {}", what, path.string(), std::strerror(error_number))),
      m_error_number(error_number) {}

std::string FileError::reason() const {
    return std::strerror(m_error_number);
}

FileSystem& real_files() {
    static RealFiles files;
    return files;
}

void throw_errno(std::string_view what, const std::filesystem::path& path) {
    throw FileError(errno, what, path);
}

std::filesystem::path with_suffix(const std::filesystem::path& path, std::string_view suffix) {
    return path.string().append(suffix);
}

std::string read_small_file(OpenFile& file) {
    std::array<std::uint8_t, 255> buffer{};
    std::size_t size = 0;
    try {
        size = file.read_at(0, buffer);
    } catch (const FileError&) {
        return {};
    }
    std::string text(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    const std::size_t end = text.find_last_not_of(" \r\n\t");
    text.resize(end == std::string::npos ? 0 : end + 1);
    return text;
}

void sync_and_rename(FileSystem& files, const std::filesystem::path& from, const std::filesystem::path& to) {
    files.open(from, FileSystem::Open::existing)->sync();
    files.rename(from, to, true);
    files.sync_directory(to.parent_path());
}

}  // namespace hedgerow::daemon
