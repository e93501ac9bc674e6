#pragma once

#include <cstdint>

namespace hedgerow::bench {

/// What this process has really done so far, counted where it calls the libraries (counters.cpp stands between), not
/// where our code says that it did.
struct Counters {
    std::uint64_t flushes = 0;   ///< fsync and fdatasync that succeeded
    std::uint64_t signed_ = 0;   ///< ECDSA signatures made
    std::uint64_t verified = 0;  ///< ECDSA signatures verified, or keys recovered
};
[[nodiscard]] Counters counters();

}  // namespace hedgerow::bench
