#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/config/config.h"

namespace hedgerow::daemon {

struct ConfigEntry {
    std::string key;
    std::string value;
    std::size_t line = 0;
};

/// The `key = value` lines of a file of at most 1 MiB; the value may stand in double quotes. Blank lines and lines that
/// begin with '#' or ';' are comments. Keys are not judged here. Errors: file_unreadable, malformed_line.
[[nodiscard]] channel::Expected<std::vector<ConfigEntry>, ConfigError> read_config_file(
    const std::filesystem::path& file);
[[nodiscard]] channel::Expected<std::vector<ConfigEntry>, ConfigError> parse_config_text(std::string_view text,
                                                                                         std::string_view file_name);

}  // namespace hedgerow::daemon
