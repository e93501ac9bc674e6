#pragma once

#include <initializer_list>

#include "channel/base/ids.h"

namespace hedgerow::channel {

/// Ethereum's Keccak-256 (the original padding, not FIPS-202 SHA3-256), over the concatenation of the parts.
[[nodiscard]] Hash keccak256(ByteView bytes);
[[nodiscard]] Hash keccak256(std::initializer_list<ByteView> parts);

}  // namespace hedgerow::channel
