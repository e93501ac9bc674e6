#pragma once

#include <atomic>

namespace hedgerow::daemon {

/// Named points at which a test can end the process as a power cut would: HEDGEROW_FAILPOINT=name:count[,name:count...]
/// makes the count-th passage through `name` (1 = the first) call _exit(137). It can do nothing but end the process, so
/// it is compiled in always; unarmed, a passage costs one relaxed load.
extern std::atomic<bool> g_failpoints_armed;

void failpoint_passed(const char* name);

inline void failpoint(const char* name) {
    if (g_failpoints_armed.load(std::memory_order_relaxed)) failpoint_passed(name);
}

/// Arms as the environment variable would; for child processes of tests. Malformed text arms nothing and returns false.
[[nodiscard]] bool arm_failpoints(const char* text);

}  // namespace hedgerow::daemon
