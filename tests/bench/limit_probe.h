#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hedgerow::bench {

/// One shape of load for the bare probe.
struct ProbeLoad {
    std::size_t channels = 1;
    std::size_t ops_per_update = 1;
    double seconds = 2.0;
};

struct ProbeResult {
    std::uint64_t updates = 0;  ///< both have signed and flushed
    double seconds = 0;
    std::vector<double> latency_ms;  ///< of each round of one channel, from its start to the counter-signature
    [[nodiscard]] double updates_per_s() const { return seconds > 0 ? static_cast<double>(updates) / seconds : 0; }
};

/// What this machine allows at best: two pinned processes over a Unix socket; per update both hash its ops and the new
/// state (keccak-256), sign, and verify the other's signature; each appends what it signs to a file of its own and
/// fdatasyncs before the signature leaves, one flush for all that came together. No protocol, no checks, no encryption,
/// no history, no margin: the bound that a real node is compared with. The files go into `directory`. Throws
/// std::runtime_error.
[[nodiscard]] ProbeResult run_probe(const ProbeLoad& load, const char* directory);

/// CPU that this thread has taken, microseconds.
[[nodiscard]] double thread_cpu_us();
/// One ECDSA verification against a known key, bare, on this thread: mean of so many, microseconds of CPU. Of different
/// signatures (others with another salt): one that is verified again and again costs a fifth less, since the processor
/// has learned its branches.
[[nodiscard]] double verify_us(std::size_t count, std::uint64_t salt);

}  // namespace hedgerow::bench
