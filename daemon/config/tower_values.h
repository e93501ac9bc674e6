#pragma once

#include <span>

#include "daemon/config/values.h"
#include "daemon/tower/tower_limits.h"

namespace hedgerow::daemon {

/// One of a tower's limits as a setting: `--name` of hedgerow-tower, `--tower-name` of hedgerowd.
struct TowerSetting {
    std::string_view name;
    const char* value_name;
    const char* default_text;
    const char* help;
    Problem (*read)(TowerLimits& limits, std::string_view text);
};
[[nodiscard]] std::span<const TowerSetting> tower_settings();

/// Reads the setting of that name, which must be one (asserted).
[[nodiscard]] Problem read_tower_setting(std::string_view name, TowerLimits& limits, std::string_view text);

/// A positive number of the chain's coin (18 decimals), or of gwei (9), in wei.
[[nodiscard]] Problem read_wei(std::string_view text, int decimals, channel::U256& out);

}  // namespace hedgerow::daemon
