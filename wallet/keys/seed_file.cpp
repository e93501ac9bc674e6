#include "wallet/keys/seed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace hedgerow::wallet {

namespace {

using channel::Unexpected;
namespace fs = std::filesystem;

/// Room for the header, the tag and the checksum around the largest payload.
constexpr std::size_t kMaxFile = kMaxSealedPayload + 4096;

[[noreturn]] void throw_system(const char* what, const fs::path& path) {
    const int error = errno;
    std::string text(what);
    text.append(" ").append(path.string());
    throw std::system_error(error, std::generic_category(), text);
}

class File {
  public:
    explicit File(int fd) : m_fd(fd) {}
    ~File() {
        if (m_fd >= 0) ::close(m_fd);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int fd() const { return m_fd; }

  private:
    int m_fd;
};

/// A file of a random name beside the one to be made; gone again unless it was published.
class TemporaryFile {
  public:
    explicit TemporaryFile(const fs::path& target) : m_name(target.string()) {
        m_name.append(".XXXXXX");
        m_file = ::mkostemp(m_name.data(), O_CLOEXEC);  // mode 0600
        if (m_file < 0) throw_system("cannot create", m_name);
    }
    ~TemporaryFile() {
        ::close(m_file);
        if (!m_published) ::unlink(m_name.c_str());
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    void write_durably(channel::ByteView bytes) const {
        while (!bytes.empty()) {
            const ssize_t done = ::write(m_file, bytes.data(), bytes.size());
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) throw_system("cannot write", m_name);
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        }
        if (::fsync(m_file) != 0) throw_system("cannot sync", m_name);
    }

    /// Takes the final name unless somebody has it. False: somebody has.
    [[nodiscard]] bool publish(const fs::path& target) {
        if (::renameat2(AT_FDCWD, m_name.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) {
            m_published = true;
            return true;
        }
        if (errno == EEXIST) return false;
        if (errno != EINVAL && errno != ENOSYS) throw_system("cannot rename to", target);
        // A file system without RENAME_NOREPLACE: a hard link does not replace either.
        if (::link(m_name.c_str(), target.c_str()) == 0) return true;
        if (errno == EEXIST) return false;
        throw_system("cannot link to", target);
    }

  private:
    std::string m_name;
    int m_file = -1;
    bool m_published = false;
};

void sync_directory_of(const fs::path& path) {
    const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const File file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (file.fd() < 0 || ::fsync(file.fd()) != 0) throw_system("cannot sync", directory);
}

/// The check that spares the user a slow key derivation; publish() is the one that holds.
bool something_there(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace

WalletExpected<void> create_sealed_file(const fs::path& path, channel::ByteView sealed) {
    if (something_there(path)) return Unexpected{WalletFault::wallet_exists};
    TemporaryFile file(path);
    file.write_durably(sealed);
    if (!file.publish(path)) return Unexpected{WalletFault::wallet_exists};
    sync_directory_of(path);
    return {};
}

WalletExpected<channel::Bytes> read_sealed_file(const fs::path& path) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.fd() < 0 && errno == ENOENT) return Unexpected{WalletFault::wallet_missing};
    if (file.fd() < 0) throw_system("cannot open", path);
    struct stat info {};
    if (::fstat(file.fd(), &info) != 0) throw_system("cannot examine", path);
    if (!S_ISREG(info.st_mode)) return Unexpected{WalletFault::wallet_file_corrupt};
    if (static_cast<std::uint64_t>(info.st_size) > kMaxFile) return Unexpected{WalletFault::wallet_file_too_large};

    channel::Bytes out(static_cast<std::size_t>(info.st_size));
    std::size_t used = 0;
    while (used < out.size()) {
        const ssize_t done = ::read(file.fd(), out.data() + used, out.size() - used);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) throw_system("cannot read", path);
        if (done == 0) break;
        used += static_cast<std::size_t>(done);
    }
    out.resize(used);
    return out;
}

WalletExpected<void> create_seed_file(const fs::path& path, const MasterSeed& seed, std::string_view password,
                                      const KdfParameters& kdf) {
    if (something_there(path)) return Unexpected{WalletFault::wallet_exists};
    const auto sealed = seal(seed.encode().reveal(), password, SealedKind::seed, kdf);
    if (!sealed) return Unexpected{sealed.error()};
    return create_sealed_file(path, *sealed);
}

WalletExpected<MasterSeed> open_seed_file(const fs::path& path, std::string_view password) {
    const auto sealed = read_sealed_file(path);
    if (!sealed) return Unexpected{sealed.error()};
    const auto payload = unseal(*sealed, password, SealedKind::seed);
    if (!payload) return Unexpected{payload.error()};
    return MasterSeed::decode(payload->reveal());
}

}  // namespace hedgerow::wallet
