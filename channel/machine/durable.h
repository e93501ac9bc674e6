#pragma once

#include "channel/machine/channel.h"

namespace hedgerow::channel {

/// The head whose body this is, with the check bytes that restore_channel asks for: what encode_head does last.
/// Bytes that are no head get none.
[[nodiscard]] Bytes seal_head(ByteView body);

}  // namespace hedgerow::channel
