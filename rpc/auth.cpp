#include "rpc/auth.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "channel/base/bytes.h"

namespace hedgerow::rpc {

using channel::Unexpected;

namespace {

constexpr std::size_t kMaxTokenLines = 1000;

[[noreturn]] void throw_errno(const std::filesystem::path& path) {
    throw std::system_error(errno, std::generic_category(), path.string());
}

std::string random_hex() {
    std::array<std::uint8_t, 32> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) throw_errno("getrandom");
    return channel::to_hex(bytes).substr(2);
}

void write_private(const std::filesystem::path& path, std::string_view text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) throw_errno(path);
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    if (written) return;
    ::unlink(path.c_str());
    errno = error;
    throw_errno(path);
}

bool is_token_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::optional<Token> parse_token_line(const std::string& line) {
    std::istringstream words(line);
    Token token;
    std::string scopes, rest;
    if (!(words >> token.name >> scopes >> token.secret) || words >> rest) return std::nullopt;
    const auto parsed = parse_scopes(scopes);
    const bool good = token.secret.size() >= 32 && token.secret.size() <= 128 &&
                      std::all_of(token.secret.begin(), token.secret.end(), is_token_char);
    if (!parsed || !good) return std::nullopt;
    token.scopes = *parsed;
    return token;
}

}  // namespace

CookieFile::CookieFile(std::filesystem::path path)
    : m_path(std::move(path)), m_secret(fmt::format("{}:{}", kCookieUser, random_hex())) {
    std::filesystem::path temporary = m_path;
    temporary += fmt::format(".{}.tmp", ::getpid());
    ::unlink(temporary.c_str());
    write_private(temporary, m_secret);
    if (::rename(temporary.c_str(), m_path.c_str()) == 0) return;
    const int error = errno;
    ::unlink(temporary.c_str());
    errno = error;
    throw_errno(m_path);
}

CookieFile::~CookieFile() {
    // Another node that was started on the same directory meanwhile has its own cookie there: leave that.
    if (read_cookie(m_path) == m_secret) ::unlink(m_path.c_str());
}

std::optional<std::string> read_cookie(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string text;
    if (!file || !std::getline(file, text)) return std::nullopt;
    const bool good = text.size() < 256 && text.starts_with(kCookieUser) && text.size() > kCookieUser.size() + 1 &&
                      text[kCookieUser.size()] == ':';
    return good ? std::optional(text) : std::nullopt;
}

channel::Expected<std::vector<Token>, std::string> read_tokens(const std::filesystem::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return Unexpected{fmt::format("{}: cannot be read", path.string())};
    if ((info.st_mode & 0077) != 0) return Unexpected{fmt::format("{}: others can read it; chmod 600", path.string())};
    std::ifstream file(path);
    if (!file) return Unexpected{fmt::format("{}: cannot be read", path.string())};
    std::vector<Token> out;
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        if (number > kMaxTokenLines)
            return Unexpected{fmt::format("{}: more than {} lines", path.string(), kMaxTokenLines)};
        line = line.substr(0, line.find('#'));
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        auto token = parse_token_line(line);
        if (!token) {
            return Unexpected{fmt::format("{} line {}: expected <name> <scopes> <token of 32 to 128 characters>",
                                          path.string(), number)};
        }
        out.push_back(std::move(*token));
    }
    return out;
}

Authenticator::Authenticator(std::string cookie_secret, std::vector<Token> tokens)
    : m_basic(base64_encode(cookie_secret)), m_tokens(std::move(tokens)) {}

std::optional<Scopes> Authenticator::scopes_of(std::string_view authorization) const {
    const std::size_t space = authorization.find(' ');
    if (space == std::string_view::npos || authorization.size() > 512) return std::nullopt;
    std::string scheme(authorization.substr(0, space));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::string_view secret = authorization.substr(space + 1);
    if (scheme == "basic") return equal_in_constant_time(secret, m_basic) ? std::optional(kAllScopes) : std::nullopt;
    if (scheme != "bearer") return std::nullopt;
    std::optional<Scopes> out;
    for (const Token& token : m_tokens) {
        if (equal_in_constant_time(secret, token.secret)) out = token.scopes;
    }
    return out;
}

std::string basic_authorization(std::string_view user_and_password) {
    return fmt::format("Basic {}", base64_encode(user_and_password));
}

std::string base64_encode(std::string_view bytes) {
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group = group << 8 | (j < count ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j) out.push_back(j <= count ? kAlphabet[group >> (18 - 6 * j) & 63U] : '=');
    }
    return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    unsigned difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && !b.empty(); ++i) {
        difference |=
            static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i % b.size()]));
    }
    volatile unsigned result = difference;
    return result == 0;
}

}  // namespace hedgerow::rpc
