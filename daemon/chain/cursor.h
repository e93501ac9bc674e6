#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wallet/chain/chain_error.h"
#include "wallet/chain/eth_types.h"

namespace hedgerow::daemon {

struct BlockRef {
    std::uint64_t number = 0;
    channel::BlockHash hash;
    std::uint64_t timestamp = 0;  ///< Unix seconds
    bool operator==(const BlockRef&) const = default;
};

struct SeenLog {
    wallet::LogEntry log;
    std::uint64_t timestamp = 0;  ///< of its block, Unix seconds
    bool confirmed = false;
    bool operator==(const SeenLog&) const = default;
};

/// How far a follower is: what it needs to go on, or back, after a restart. The consumer persists it in the same
/// transaction as the effects of the batch that brought it, so that no event is lost or acted on twice.
struct FollowerCursor {
    std::uint64_t chain_id = 0;
    channel::Address contract;
    std::deque<BlockRef> blocks;  ///< ascending, not necessarily contiguous; the last is the newest followed
    std::vector<SeenLog> logs;    ///< of the blocks that may yet leave the chain, in chain order
    bool operator==(const FollowerCursor&) const = default;
};

[[nodiscard]] std::string write_cursor(const FollowerCursor& cursor);
/// chain_cursor_malformed where the text is not one.
[[nodiscard]] wallet::ChainExpected<FollowerCursor> read_cursor(std::string_view text);

}  // namespace hedgerow::daemon
