#pragma once

#include <string>
#include <vector>

#include "channel/base/expected.h"
#include "rpc/json.h"

namespace hedgerow::cli {

/// What one proof of a bundle (tower_proof) shows, for people.
struct ProvenPromise {
    std::string channel, tower;
    std::uint64_t version = 0;
    std::uint64_t number = 0;
    std::uint64_t time_ms = 0;
    bool with_state = false;      ///< the sealed blob is here, opens, and holds that version with both signatures
    std::size_t broken = 0;       ///< pairs of receipts with which the tower contradicts itself
};

/// Checks every proof of a bundle by itself, offline: receipts are signed by the tower; locator and key follow from the
/// secret, whose hash is in the terms; the blob is the one that the receipt names, opens, and holds the state of the
/// receipt's version for exactly that channel, signed by both. The error says what is wrong, and where.
[[nodiscard]] channel::Expected<std::vector<ProvenPromise>, std::string> check_bundle(const rpc::Json& bundle);

inline constexpr const char* kBundleKind = "hedgerow tower receipts";
inline constexpr unsigned kBundleFormat = 1;

}  // namespace hedgerow::cli
