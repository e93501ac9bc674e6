#pragma once

#include <utility>

#include "channel/base/ids.h"
#include "channel/crypto/keccak.h"

namespace hedgerow::test {

/// The preimage that a test names by a number, and its hash.
[[nodiscard]] inline std::pair<channel::Preimage, channel::LockHash> test_preimage(std::uint8_t number) {
    channel::Preimage preimage;
    preimage.data[0] = number;
    channel::LockHash hash;
    hash.data = channel::keccak256(preimage.view()).data;
    return {preimage, hash};
}

}  // namespace hedgerow::test
