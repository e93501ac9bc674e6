#include "daemon/config/password.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace hedgerow::daemon {

using channel::Expected;
using channel::Unexpected;
using wallet::SecretBytes;

namespace {

constexpr std::size_t kMaxPasswordSize = 1024;
constexpr mode_t kOthers = 077;

using Password = Expected<std::optional<SecretBytes>, ConfigError>;

Unexpected<ConfigError> problem(ConfigErrorKind kind, std::string text) {
    return {ConfigError{kind, std::move(text)}};
}

Password from_descriptor(int fd, const std::string& path) {
    struct stat status {};
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return problem(ConfigErrorKind::file_unreadable, fmt::format("{} is not a file", path));
    if ((status.st_mode & kOthers) != 0)
        return problem(ConfigErrorKind::inconsistent, fmt::format("{} can be read by others; chmod 600 it", path));
    std::array<std::uint8_t, kMaxPasswordSize + 2> buffer{};
    const wallet::WipeOnExit wipe(buffer);
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0) return problem(ConfigErrorKind::file_unreadable, fmt::format("cannot read {}", path));
    auto size = static_cast<std::size_t>(got);
    if (size > 0 && buffer[size - 1] == '\n') --size;
    if (size > 0 && buffer[size - 1] == '\r') --size;
    if (size == 0 || size > kMaxPasswordSize)
        return problem(ConfigErrorKind::malformed_value,
                       fmt::format("{} does not hold a password of 1 to 1024 bytes", path));
    return std::optional(SecretBytes::copy_of({buffer.data(), size}));
}

}  // namespace

Password read_password(const WalletConfig& config) {
    std::filesystem::path path = config.password_file;
    if (path.empty() && config.password_credential.empty()) return std::optional<SecretBytes>();
    if (path.empty()) {
        const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
        if (directory == nullptr)
            return problem(ConfigErrorKind::inconsistent,
                           "password-credential: systemd passed no credentials to this process");
        path = std::filesystem::path(directory) / config.password_credential;
    }
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return problem(ConfigErrorKind::file_unreadable, fmt::format("cannot read {}", path.string()));
    Password out = from_descriptor(fd, path.string());
    close(fd);
    return out;
}

}  // namespace hedgerow::daemon
