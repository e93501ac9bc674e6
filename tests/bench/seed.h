#pragma once

#include <functional>

#include "channel/state/channel_state.h"
#include "daemon/store/database.h"
#include "tests/support/daemon_world.h"

namespace hedgerow::bench {

/// What the newest co-signed state of a seeded channel holds beside its deposits.
using Fill = std::function<void(channel::ChannelState&)>;

/// Adds `count` channels between two nodes that are not running to both databases, as alike to their one channel
/// `model` as channels of one pair are: other signers, other ids, the same terms and deposits, open, with a first state
/// that both policies have signed. It is what `count` openings would have left, but for the deposits on chain.
void seed_channels(test::DaemonWorld& world, test::Daemon& leader, test::Daemon& follower,
                   const channel::ChannelId& model, std::size_t count, const Fill& fill = nullptr);

/// The database of a node that is not running, as the node itself opens it.
[[nodiscard]] std::unique_ptr<daemon::Database> open_store(const test::Daemon& node);

}  // namespace hedgerow::bench
