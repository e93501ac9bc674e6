#include "daemon/node/backup_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "daemon/store/database.h"
#include "daemon/store/failpoint.h"
#include "daemon/store/files.h"
#include "wallet/keys/sealed.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::Unexpected;
using rpc::NodeError;

namespace {

Unexpected<Fault> invalid(std::string_view why) {
    return Unexpected{rpc::from_node_error(NodeError::backup_invalid, why)};
}

Unexpected<Fault> unusable(int error) {
    return Unexpected{rpc::from_node_error(NodeError::file_unusable, std::strerror(error))};
}

class File {
  public:
    File(const std::filesystem::path& path, int flags, mode_t mode = 0) : m_fd(::open(path.c_str(), flags, mode)) {}
    ~File() {
        if (m_fd >= 0) ::close(m_fd);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int fd() const { return m_fd; }

  private:
    int m_fd;
};

/// 0, or the errno of what failed.
int write_all(int fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return ::fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

Result<Bytes> seal_backup(const Backup& backup, const wallet::SecretBytes& key) {
    Bytes plain = channel::wire_encode(backup);
    auto sealed = wallet::seal_with_key(plain, key, wallet::SealedKind::backup);
    sodium_memzero(plain.data(), plain.size());
    if (!sealed) return Unexpected{rpc::from_node_error(NodeError::file_unusable, wallet_fault_name(sealed.error()))};
    return std::move(*sealed);
}

Result<Backup> open_backup(ByteView file, const wallet::SecretBytes& key) {
    const auto plain = wallet::unseal_with_key(file, key, wallet::SealedKind::backup);
    if (!plain) return invalid(wallet_fault_name(plain.error()));
    channel::Reader reader(plain->reveal());
    std::uint16_t format = 0;
    channel::wire_read(reader, format);
    if (!reader.ok()) return invalid(rule_name(reader.rule()));
    if (format != kBackupFormat) return invalid(rule_name(channel::Rule::protocol_version_unsupported));
    auto backup = channel::wire_decode<Backup>(plain->reveal());
    if (!backup) return invalid(rule_name(backup.error()));
    return std::move(*backup);
}

Result<void> write_new_file(const std::filesystem::path& path, ByteView bytes) {
    if (path.empty()) return unusable(ENOENT);
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0) return Unexpected{rpc::from_node_error(NodeError::file_exists)};
    // Whole under another name first: what a crash leaves half written never bears the name of a backup.
    const std::string partial = path.string() + ".partial";
    ::unlink(partial.c_str());
    const File file(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file.fd() < 0) return unusable(errno);
    failpoint("backup.begun");
    int error = write_all(file.fd(), bytes);
    failpoint("backup.written");
    if (error == 0 && ::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) error = errno;
    if (error != 0) {
        ::unlink(partial.c_str());  // ours: we made it just now
        if (error == EEXIST) return Unexpected{rpc::from_node_error(NodeError::file_exists)};
        return unusable(error);
    }
    try {
        sync_directory(path.parent_path());
    } catch (const StoreError& error) {
        return Unexpected{rpc::from_node_error(NodeError::file_unusable, error.what())};
    }
    return {};
}

Result<Bytes> read_whole_file(const std::filesystem::path& path, std::size_t max) {
    const File file(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // a pipe must not hold us up
    if (file.fd() < 0) return unusable(errno);
    struct stat info {};
    if (::fstat(file.fd(), &info) != 0) return unusable(errno);
    if (!S_ISREG(info.st_mode)) return unusable(EINVAL);
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size > max) return unusable(EFBIG);
    Bytes bytes(static_cast<std::size_t>(size));
    std::size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t got = ::read(file.fd(), bytes.data() + at, bytes.size() - at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unusable(errno);
        if (got == 0) break;  // shorter than it was a moment ago
        at += static_cast<std::size_t>(got);
    }
    bytes.resize(at);
    return bytes;
}

}  // namespace hedgerow::daemon
