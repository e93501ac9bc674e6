#pragma once

#include "channel/base/bytes.h"

namespace hedgerow::channel {

/// SipHash-2-4 (Aumasson and Bernstein, 2012) of these parts, one after the other, under the key of zeros: sees what rots, not what somebody forges.
[[nodiscard]] std::array<std::uint8_t, 8> checksum(std::initializer_list<ByteView> parts);

}  // namespace hedgerow::channel
