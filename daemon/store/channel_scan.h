#pragma once

#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

/// Everything that is stored of a channel and needed to go on with it.
struct StoredChannel {
    ChannelRow row;
    std::vector<channel::PersistUpdate> in_flight;  ///< above the agreed version, ascending
    std::uint32_t signer_index = 0;
    channel::Bytes signing_record;  ///< empty: none
};

/// The channels with ids from `first` to `last`, ascending: one ordered scan a table, however many they are. StoreError{corrupt}
/// where a row does not decode, or a channel has no signer.
[[nodiscard]] std::vector<StoredChannel> stored_channels(Database& db, const channel::ChannelId& first,
                                                         const channel::ChannelId& last);

/// What is in `meta` under that prefix and a channel's id in hex, by id.
[[nodiscard]] std::vector<std::pair<channel::ChannelId, channel::Bytes>> meta_by_channel(Database& db, std::string_view prefix);

void put_signer_index(Database& db, const channel::ChannelId& id, std::uint32_t index);

}  // namespace hedgerow::daemon
