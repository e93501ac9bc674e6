#pragma once

#include <cstdint>

namespace hedgerow::daemon {

/// How the parts of a program run that wait for disks and chains: on threads of their own, or a step at a time by whoever
/// owns them, in one thread (simulation: one seed, one history).
enum class Drive : std::uint8_t { threads, stepped };

}  // namespace hedgerow::daemon
