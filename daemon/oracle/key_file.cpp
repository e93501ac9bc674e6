#include "daemon/oracle/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace hedgerow::daemon {

namespace {

/// 0x, 64 digits, CR, LF.
constexpr std::size_t kMaxBytes = 68;

class Descriptor {
  public:
    explicit Descriptor(int fd) : m_fd(fd) {}
    ~Descriptor() {
        if (m_fd >= 0) ::close(m_fd);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return m_fd; }

  private:
    int m_fd;
};

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view why) {
    throw KeyFileError(fmt::format("key file {}: {}", file.string(), why));
}

void check_mode(int fd, const std::filesystem::path& file) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) fail(file, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) fail(file, "not a regular file");
    if ((status.st_mode & 077) != 0) fail(file, "others can read it; chmod 600 it");
}

}  // namespace

wallet::PrivateKey load_key_file(const std::filesystem::path& file) {
    wallet::ensure_sodium();
    const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (in.get() < 0) fail(file, std::strerror(errno));
    check_mode(in.get(), file);
    wallet::SecretBytes text(kMaxBytes + 1);
    const ssize_t got = ::read(in.get(), text.writable().data(), text.size());
    if (got < 0) fail(file, std::strerror(errno));
    const char* begin = reinterpret_cast<const char*>(text.reveal().data());
    auto size = static_cast<std::size_t>(got);
    while (size > 0 && (begin[size - 1] == '\n' || begin[size - 1] == '\r')) --size;
    if (size == 66 && begin[0] == '0' && begin[1] == 'x') {
        begin += 2;
        size -= 2;
    }
    wallet::SecretBytes secret(32);
    std::size_t decoded = 0;
    const char* end = nullptr;
    if (size != 64 || sodium_hex2bin(secret.writable().data(), 32, begin, size, nullptr, &decoded, &end) != 0 ||
        decoded != 32 || end != begin + size) {
        fail(file, "not 64 hex digits");
    }
    auto key = wallet::PrivateKey::from_bytes(secret.reveal());
    if (!key) fail(file, wallet::wallet_fault_name(key.error()));
    return *std::move(key);
}

bool generate_key_file(const std::filesystem::path& file) {
    wallet::ensure_sodium();
    const Descriptor out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (out.get() < 0 && errno == EEXIST) return false;
    if (out.get() < 0) fail(file, std::strerror(errno));
    const wallet::PrivateKey key = wallet::PrivateKey::generate();
    wallet::SecretBytes text(65);  // digits and the zero that sodium_bin2hex ends with
    sodium_bin2hex(reinterpret_cast<char*>(text.writable().data()), text.size(), key.secret().reveal().data(), 32);
    text.writable()[64] = '\n';
    if (::write(out.get(), text.reveal().data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(out.get()) != 0) {
        const int error = errno;
        ::unlink(file.c_str());
        fail(file, std::strerror(error));
    }
    return true;
}

}  // namespace hedgerow::daemon
