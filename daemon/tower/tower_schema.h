#pragma once

#include <span>

#include "daemon/store/database.h"

namespace hedgerow::daemon {

/// "HDGT": a tower's database is none of a node's.
inline constexpr std::int32_t kTowerApplicationId = 0x48444754;
/// Bytes: three of the smallest records fill a page, so that a million of them take about 6 GB.
inline constexpr int kTowerPageSize = 16'384;

/// The tower's tables, as migrations from an empty database. Append only: a released migration never changes.
[[nodiscard]] std::span<const Migration> tower_schema();

inline constexpr const char* kTowerFileName = "tower.sqlite";  ///< in a tower's directory
/// How a tower's database is opened: no scan at the start, whatever its size.
[[nodiscard]] DatabaseOptions tower_database(const std::filesystem::path& path);

}  // namespace hedgerow::daemon
