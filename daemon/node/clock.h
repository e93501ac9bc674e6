#pragma once

#include <cstdint>

namespace hedgerow::daemon {

/// The one real clock of the node: Unix milliseconds. Everything below the event loop is handed the time of its turn.
[[nodiscard]] std::uint64_t wall_clock_ms();
/// Milliseconds since the machine started, its sleep included: what waits are measured by, for nobody sets it.
[[nodiscard]] std::uint64_t steady_clock_ms();

}  // namespace hedgerow::daemon
