#pragma once

#include <span>

#include "daemon/store/database.h"

namespace hedgerow::daemon {

/// The node's tables, as migrations from an empty database (DESIGN 12). Append only: a released migration never
/// changes.
[[nodiscard]] std::span<const Migration> node_schema();

}  // namespace hedgerow::daemon
