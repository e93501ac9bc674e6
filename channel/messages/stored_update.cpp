#include "channel/messages/stored_update.h"

namespace hedgerow::channel {

namespace {

/// Update as protocol 1 had it.
struct FirstUpdate {
    ChannelId channel;
    std::uint64_t version = 0;
    std::uint64_t base = 0;
    std::uint64_t timestamp_ms = 0;
    List<OpEntry, kMaxOpsPerUpdate> ops;
    std::optional<Signature> signature;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &FirstUpdate::channel), field("version", &FirstUpdate::version),
                               field("base", &FirstUpdate::base), field("timestamp", &FirstUpdate::timestamp_ms),
                               field("ops", &FirstUpdate::ops), field("signature", &FirstUpdate::signature));
    }
};

}  // namespace

Expected<Update, Rule> decode_stored_update(ByteView bytes) {
    auto update = wire_decode<Update>(bytes);
    if (update) return update;
    auto first = wire_decode<FirstUpdate>(bytes);
    if (!first) return Unexpected{update.error()};
    return Update{first->channel,      first->version,           first->base,
                  first->timestamp_ms, OpList(std::move(first->ops)), first->signature};
}

}  // namespace hedgerow::channel
