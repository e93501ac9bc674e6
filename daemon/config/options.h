#pragma once

#include <span>
#include <string>
#include <vector>

#include "daemon/config/values.h"

namespace hedgerow::daemon {

/// What is read before anything is validated across options: texts whose meaning depends on other options.
struct Draft {
    Config config;
    std::string stale_penalty;  ///< in units of the first asset
    std::string max_stale_penalty;
    std::string tower_fee;
    std::uint8_t oracle_threshold = 0;  ///< 0: the least strict majority
    std::filesystem::path log_file;
};

/// One option, under one name on the command line and in the file.
struct Option {
    const char* group;  ///< heading in --help
    const char* name;
    const char* value_name;    ///< "" for true/false options: bare `--name` means true
    const char* default_text;  ///< applied first; "" for none
    bool repeats;              ///< may be given several times; each adds one
    const char* help;
    Problem (*apply)(Draft& draft, std::string_view text);
    void (*clear)(Draft& draft) = nullptr;  ///< for options that repeat: forget what was added
};

[[nodiscard]] std::span<const Option> all_options();
[[nodiscard]] const Option* find_option(std::string_view name);
/// The page that --help prints.
[[nodiscard]] std::string help_text();

/// Checks what no option can check alone, and fills what depends on several. Errors: missing_required, inconsistent,
/// and those of the texts in the draft.
[[nodiscard]] channel::Expected<Config, ConfigError> finish_config(Draft draft);

}  // namespace hedgerow::daemon
