#pragma once

#include "channel/messages/peer.h"

namespace hedgerow::channel {

/// An update as a store holds it: wire_encode of it, or that of protocol 1, in which every trade stands in full. Only
/// for what this node wrote itself; from the wire one encoding is taken (spec 6.1).
[[nodiscard]] Expected<Update, Rule> decode_stored_update(ByteView bytes);

}  // namespace hedgerow::channel
