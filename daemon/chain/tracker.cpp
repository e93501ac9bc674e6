#include "daemon/chain/tracker.h"

#include <algorithm>

namespace hedgerow::daemon {

using channel::Unexpected;
using wallet::BlockHeader;
using wallet::chain_error;
using wallet::ChainExpected;
using wallet::ChainFault;
using wallet::LogEntry;

namespace {

/// Blocks this far below the head are asked for in ranges; nearer ones one by one, by hash.
constexpr std::uint64_t kRangeMargin = 64;

BlockRef ref(const BlockHeader& block) {
    return {block.number, block.hash, block.timestamp};
}

bool refused_as_too_much(ChainFault fault) {
    return fault == ChainFault::chain_too_many_logs || fault == ChainFault::chain_response_too_large ||
           fault == ChainFault::chain_limit_exceeded;
}

}  // namespace

ChainTracker::ChainTracker(TrackerConfig config) : m_config(config), m_range(config.max_range) {
    ASSERT(m_config.confirmations >= 1 && m_config.max_reorg >= m_config.confirmations && m_config.max_range >= 1);
    m_cursor.chain_id = config.chain_id;
    m_cursor.contract = config.contract;
}

ChainExpected<void> ChainTracker::resume(FollowerCursor cursor) {
    if (cursor.chain_id != m_config.chain_id || cursor.contract != m_config.contract)
        return chain_error(ChainFault::chain_cursor_mismatch);
    for (const SeenLog& seen : cursor.logs) {
        if (!wallet::decode_event(seen.log, m_config.contract)) return chain_error(ChainFault::chain_cursor_malformed);
    }
    m_cursor = std::move(cursor);
    return {};
}

ChainExpected<ChainBatch> ChainTracker::step(ChainSource& source) {
    const auto head = source.head();
    if (!head) return Unexpected{head.error()};
    FollowerCursor cursor = m_cursor;
    ChainBatch batch;
    const auto done =
        cursor.blocks.empty() ? begin(source, cursor, batch.inputs) : advance(source, *head, cursor, batch.inputs);
    if (!done) return Unexpected{done.error()};
    m_cursor = std::move(cursor);
    batch.cursor = m_cursor;
    batch.head = head->number;
    batch.synced = !m_cursor.blocks.empty() && m_cursor.blocks.back().hash == head->hash;
    return batch;
}

ChainTracker::Result ChainTracker::begin(ChainSource& source, FollowerCursor& cursor, std::vector<ChainInput>& out) {
    const auto first = source.block(m_config.start_block);
    if (!first) return Unexpected{first.error()};
    return take_block(source, *first, cursor, out);
}

ChainTracker::Result ChainTracker::advance(ChainSource& source, const BlockHeader& head, FollowerCursor& cursor,
                                           std::vector<ChainInput>& out) {
    const BlockRef tip = cursor.blocks.back();
    if (head.hash == tip.hash) return {};
    if (head.number <= tip.number) {
        const auto behind = is_behind(source, head, cursor);
        if (!behind) return Unexpected{behind.error()};
        return *behind ? Result() : go_back(source, head, cursor, out);
    }
    const std::uint64_t next = tip.number + 1;
    const auto block = source.block(next);
    if (!block) return Unexpected{block.error()};
    if (block->parent != tip.hash) return go_back(source, head, cursor, out);
    const std::uint64_t margin = std::max(kRangeMargin, m_config.confirmations);
    if (m_range == 1 || head.number < next + margin) {
        m_range = std::min(m_range * 2, m_config.max_range);
        return take_block(source, *block, cursor, out);
    }
    return take_range(source, next, std::min(next + m_range - 1, head.number - margin), cursor, out);
}

ChainExpected<bool> ChainTracker::is_behind(ChainSource& source, const BlockHeader& head,
                                            const FollowerCursor& cursor) const {
    // A balanced endpoint may answer from a node that has not caught up. The newest block that both know decides;
    // whether a chain that is really shorter diverges above it shows when it grows.
    const auto known = std::find_if(cursor.blocks.rbegin(), cursor.blocks.rend(),
                                    [&](const BlockRef& b) { return b.number <= head.number; });
    if (known == cursor.blocks.rend() && m_config.start_block < cursor.blocks.front().number) {
        // Below everything that is remembered: it is catching up from far behind, or is another chain. Nothing can be
        // told.
        return chain_error(ChainFault::chain_node_behind, "the node's newest block is older than any that is followed");
    }
    if (known == cursor.blocks.rend() || head.number == cursor.blocks.back().number) return false;
    if (known->number == head.number) return known->hash == head.hash;
    const auto now = source.block(known->number);
    if (!now) return Unexpected{now.error()};
    return now->hash == known->hash;
}

ChainTracker::Result ChainTracker::take_block(ChainSource& source, const BlockHeader& block, FollowerCursor& cursor,
                                              std::vector<ChainInput>& out) {
    const auto logs = source.logs(block.hash);
    if (!logs) return Unexpected{logs.error()};
    if (auto added = add_logs(*logs, {ref(block)}, cursor, out); !added) return added;
    add_block(ref(block), cursor, out);
    return {};
}

ChainTracker::Result ChainTracker::take_range(ChainSource& source, std::uint64_t from, std::uint64_t to,
                                              FollowerCursor& cursor, std::vector<ChainInput>& out) {
    const auto logs = source.logs(from, to);
    const bool too_much = logs ? logs->size() > kMaxBatchLogs : refused_as_too_much(logs.error().fault);
    if (too_much) {
        m_range = std::max<std::uint64_t>(1, m_range / 2);
        return {};  // the next step asks for less
    }
    if (!logs) return Unexpected{logs.error()};
    std::vector<BlockRef> blocks;
    const auto fetch = [&](std::uint64_t number) -> Result {
        if (!blocks.empty() && blocks.back().number == number) return {};
        const auto block = source.block(number);
        if (!block) return Unexpected{block.error()};
        blocks.push_back(ref(*block));
        return {};
    };
    for (const LogEntry& log : *logs) {
        if (auto fetched = fetch(log.block_number); !fetched) return fetched;
    }
    if (auto fetched = fetch(to); !fetched) return fetched;
    if (auto added = add_logs(*logs, blocks, cursor, out); !added) return added;
    // Also the blocks of events are kept, so that a walk back need not leave them all at once.
    for (const BlockRef& block : blocks) {
        if (block.number != to) cursor.blocks.push_back(block);
    }
    add_block(blocks.back(), cursor, out);
    m_range = std::min(m_range * 2, m_config.max_range);
    return {};
}

ChainTracker::Result ChainTracker::add_logs(const std::vector<LogEntry>& logs, const std::vector<BlockRef>& blocks,
                                            FollowerCursor& cursor, std::vector<ChainInput>& out) const {
    for (const LogEntry& log : logs) {
        const auto block =
            std::find_if(blocks.begin(), blocks.end(), [&](const BlockRef& b) { return b.number == log.block_number; });
        // The node's chain changed between two answers, or it contradicts itself.
        if (block == blocks.end() || block->hash != log.block_hash)
            return chain_error(ChainFault::chain_response_unexpected, "log of another block");
        auto event = wallet::decode_event(log, m_config.contract);
        if (!event) return Unexpected{event.error()};
        cursor.logs.push_back({log, block->timestamp, false});
        out.push_back(EventPending{
            {std::move(*event), log.block_number, log.block_hash, block->timestamp, log.tx_hash, log.log_index}});
    }
    return {};
}

void ChainTracker::add_block(const BlockRef& block, FollowerCursor& cursor, std::vector<ChainInput>& out) const {
    cursor.blocks.push_back(block);
    const auto deep_enough = [&](std::uint64_t number) { return number + m_config.confirmations <= block.number + 1; };
    for (SeenLog& seen : cursor.logs) {
        if (seen.confirmed || !deep_enough(seen.log.block_number)) continue;
        seen.confirmed = true;
        out.push_back(EventConfirmed{event_of(seen)});
    }
    std::optional<BlockRef> confirmed;
    for (const BlockRef& b : cursor.blocks) {
        if (deep_enough(b.number)) confirmed = b;
    }
    out.push_back(NewBlock{block, confirmed});
    // One block at or below the limit stays, as the ancestor of all above it.
    while (cursor.blocks.size() > 1 && cursor.blocks[1].number + m_config.max_reorg <= block.number)
        cursor.blocks.pop_front();
    const std::uint64_t oldest = cursor.blocks.front().number;
    std::erase_if(cursor.logs, [&](const SeenLog& seen) { return seen.confirmed && seen.log.block_number <= oldest; });
    auto confirmed_logs =
        std::count_if(cursor.logs.begin(), cursor.logs.end(), [](const SeenLog& seen) { return seen.confirmed; });
    std::erase_if(cursor.logs, [&](const SeenLog& seen) {
        return seen.confirmed && confirmed_logs-- > static_cast<std::ptrdiff_t>(kMaxKeptLogs);
    });
}

ChainTracker::Result ChainTracker::go_back(ChainSource& source, const BlockHeader& head, FollowerCursor& cursor,
                                           std::vector<ChainInput>& out) {
    while (!cursor.blocks.empty()) {
        const BlockRef tip = cursor.blocks.back();
        if (tip.number <= head.number) {
            const auto now = source.block(tip.number);
            if (!now) return Unexpected{now.error()};
            if (now->hash == tip.hash) return {};
        }
        cursor.blocks.pop_back();
        const std::uint64_t kept = cursor.blocks.empty() ? 0 : cursor.blocks.back().number;
        while (!cursor.logs.empty() && (cursor.blocks.empty() || cursor.logs.back().log.block_number > kept)) {
            out.push_back(EventRolledBack{event_of(cursor.logs.back()), cursor.logs.back().confirmed});
            cursor.logs.pop_back();
        }
        out.push_back(BlockGone{tip});
        // Just begun, and nothing older was ever said: begin again. Another genesis is another chain.
        if (cursor.blocks.empty() && tip.number == m_config.start_block && tip.number != 0) return {};
    }
    return chain_error(ChainFault::chain_reorg_too_deep, "no block of the followed chain is left");
}

ChainEvent ChainTracker::event_of(const SeenLog& seen) const {
    auto event = wallet::decode_event(seen.log, m_config.contract);
    ASSERT(event.has_value());  // it was decoded before it was kept
    return {std::move(*event), seen.log.block_number, seen.log.block_hash,
            seen.timestamp,    seen.log.tx_hash,      seen.log.log_index};
}

}  // namespace hedgerow::daemon
