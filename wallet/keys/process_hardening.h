#pragma once

#include <cstdint>

namespace hedgerow::wallet {

struct Hardening {
    bool dumps_off = false;        ///< no core dump, and no other process of this user may attach or read our memory
    bool core_limit_zero = false;  ///< RLIMIT_CORE is 0, also for children
    std::uint64_t lockable_bytes = 0;  ///< how much memory may be kept out of swap (RLIMIT_MEMLOCK)
};

/// Call first in main of every process that will hold keys. Turns core dumps off and raises the limit of locked memory
/// as far as the system allows. Never throws: what could not be done is in the answer, to be logged as a warning.
Hardening harden_process() noexcept;

}  // namespace hedgerow::wallet
