#include "daemon/config/config_file.h"

#include <fmt/format.h>

#include <fstream>

#include "daemon/config/values.h"

namespace hedgerow::daemon {

using channel::Expected;
using channel::Unexpected;

namespace {

constexpr std::size_t kMaxFileSize = std::size_t{1} << 20;

bool is_key(std::string_view key) {
    return !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

/// Nothing where the line is neither `key = value` nor quoted properly.
std::optional<ConfigEntry> parse_line(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = trim(line.substr(0, equals));
    std::string_view value = trim(line.substr(equals + 1));
    if (!is_key(key)) return std::nullopt;
    if (value.starts_with('"')) {
        if (value.size() < 2 || value.find('"', 1) != value.size() - 1) return std::nullopt;
        value = value.substr(1, value.size() - 2);
    }
    return ConfigEntry{std::string(key), std::string(value), 0};
}

}  // namespace

Expected<std::vector<ConfigEntry>, ConfigError> parse_config_text(std::string_view text, std::string_view file_name) {
    std::vector<ConfigEntry> out;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        ++number;
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        auto entry = parse_line(line);
        if (!entry) {
            return Unexpected{
                ConfigError{ConfigErrorKind::malformed_line,
                            fmt::format("{} line {}: not a line of the form key = value", file_name, number)}};
        }
        entry->line = number;
        out.push_back(std::move(*entry));
    }
    return out;
}

Expected<std::vector<ConfigEntry>, ConfigError> read_config_file(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::string text(kMaxFileSize + 1, '\0');
    // A directory opens but does not read: only then is the stream bad rather than at its end.
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!stream.is_open() || stream.bad()) {
        return Unexpected{ConfigError{ConfigErrorKind::file_unreadable, fmt::format("cannot read {}", file.string())}};
    }
    if (stream.gcount() > static_cast<std::streamsize>(kMaxFileSize)) {
        return Unexpected{
            ConfigError{ConfigErrorKind::file_unreadable, fmt::format("{} is above 1 MiB", file.string())}};
    }
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return parse_config_text(text, file.string());
}

}  // namespace hedgerow::daemon
