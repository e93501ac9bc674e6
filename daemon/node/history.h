#pragma once

#include "channel/machine/channel.h"
#include "daemon/node/node_types.h"
#include "daemon/store/database.h"

namespace hedgerow::daemon {

/// A channel's ops, newest first, read from its updates; nothing is stored for it (DESIGN 12: one row an update).
[[nodiscard]] std::vector<HistoryItem> read_history(Database& db, const channel::Channel& channel, HistoryCursor before,
                                                    std::size_t limit);

/// What an op moved, as far as it says so itself: pays, swaps and trade fees. Others depend on the state they met.
[[nodiscard]] channel::List<channel::Amount, channel::kMaxAssets> direct_effect(const channel::Op& op,
                                                                                std::size_t assets);
[[nodiscard]] bool moves_more(const channel::Op& op);

}  // namespace hedgerow::daemon
