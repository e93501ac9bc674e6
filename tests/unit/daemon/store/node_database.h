#pragma once

#include "daemon/store/database.h"
#include "daemon/store/schema.h"
#include "tests/unit/daemon/store/temp_dir.h"

namespace hedgerow::daemon {

/// A node's database in that directory, made where there is none.
inline std::unique_ptr<Database> open_node_database(const TempDir& dir) {
    DatabaseOptions options;
    options.path = dir.path() / "node.sqlite";
    options.migrations = node_schema();
    return std::make_unique<Database>(options);
}

}  // namespace hedgerow::daemon
