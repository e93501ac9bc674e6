#include "daemon/store/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "daemon/store/database.h"

namespace hedgerow::daemon {

namespace {

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

void sync_path(const std::filesystem::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) throw_errno("cannot open", path);
    const int result = fsync(fd);
    ::close(fd);
    if (result != 0) throw_errno("cannot flush", path);
}

}  // namespace

void throw_errno(std::string_view what, const std::filesystem::path& path) {
    const int error = errno;
    throw StoreError(kind_of_errno(error), fmt::format("{} {}: {}", what, path.string(), std::strerror(error)));
}

std::string read_small_file(int fd) {
    std::array<char, 255> buffer{};
    const ssize_t size = pread(fd, buffer.data(), buffer.size(), 0);
    std::string text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::size_t end = text.find_last_not_of(" \r\n\t");
    text.resize(end == std::string::npos ? 0 : end + 1);
    return text;
}

void sync_directory(const std::filesystem::path& directory) {
    sync_path(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
}

void sync_and_rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    sync_path(from, O_RDONLY);
    if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("cannot rename to", to);
    sync_directory(to.parent_path());
}

}  // namespace hedgerow::daemon
