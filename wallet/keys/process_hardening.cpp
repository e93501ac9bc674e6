#include "wallet/keys/process_hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace hedgerow::wallet {

namespace {

std::uint64_t raise_lockable() noexcept {
    rlimit limit{};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (limit.rlim_cur != limit.rlim_max && setrlimit(RLIMIT_MEMLOCK, &raised) == 0) limit = raised;
    return limit.rlim_cur;
}

}  // namespace

Hardening harden_process() noexcept {
    Hardening out;
    const rlimit none{0, 0};
    out.core_limit_zero = setrlimit(RLIMIT_CORE, &none) == 0;
    // RLIMIT_CORE alone does not stop a core_pattern that pipes to a program (systemd-coredump); this does.
    out.dumps_off = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
    out.lockable_bytes = raise_lockable();
    return out;
}

}  // namespace hedgerow::wallet
