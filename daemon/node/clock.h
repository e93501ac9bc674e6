#pragma once

#include <cstdint>

namespace hedgerow::daemon {

/// The one real clock of the node: Unix milliseconds. Everything below the event loop is handed the time of its turn.
[[nodiscard]] std::uint64_t wall_clock_ms();

}  // namespace hedgerow::daemon
