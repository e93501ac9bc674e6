#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "channel/base/expected.h"
#include "rpc/method.h"

namespace hedgerow::rpc {

inline constexpr std::string_view kCookieUser = "__cookie__";

/// The file ".cookie" in the data directory: a fresh random secret per run, readable by its owner only, so whoever may
/// read the node's files may call it (as bitcoind has it). Removed when this goes away.
class CookieFile {
  public:
    /// Writes the file whole or not at all (a temporary beside it, then rename); std::system_error where it cannot.
    explicit CookieFile(std::filesystem::path path);
    ~CookieFile();
    CookieFile(const CookieFile&) = delete;
    CookieFile& operator=(const CookieFile&) = delete;

    [[nodiscard]] const std::string& secret() const { return m_secret; }  ///< "__cookie__:<64 hex>"
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

  private:
    std::filesystem::path m_path;
    std::string m_secret;
};

/// What a client reads; nothing where there is no readable file of that form.
[[nodiscard]] std::optional<std::string> read_cookie(const std::filesystem::path& path);

struct Token {
    std::string name;  ///< for logs
    Scopes scopes = 0;
    std::string secret;
};

/// A tokens file has lines "<name> <scopes> <token>", scopes like "read,pay", a token of 32 to 128 of [A-Za-z0-9_-];
/// '#' starts a comment. Refused: a file that others can read, more than 1,000 lines, a malformed one; the text says
/// why.
[[nodiscard]] channel::Expected<std::vector<Token>, std::string> read_tokens(const std::filesystem::path& path);

/// Decides who calls, from the Authorization field alone.
class Authenticator {
  public:
    explicit Authenticator(std::string cookie_secret, std::vector<Token> tokens = {});
    /// The scopes of "Basic <base64 of the cookie>" (all) or "Bearer <token>"; nothing for anything else. Takes as long
    /// for a wrong secret as for the right one.
    [[nodiscard]] std::optional<Scopes> scopes_of(std::string_view authorization) const;

  private:
    std::string m_basic;  ///< base64 of the cookie
    std::vector<Token> m_tokens;
};

/// "Basic <base64>" for a client.
[[nodiscard]] std::string basic_authorization(std::string_view user_and_password);
[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// Equal, in a time that depends on the lengths only.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace hedgerow::rpc
