#pragma once

#include <variant>

#include "daemon/chain/cursor.h"
#include "wallet/chain/contract_events.h"

/// Following a chain, without I/O, thread or clock: what comes next, what left the chain, and what is deep enough.
namespace hedgerow::daemon {

/// The chain as the tracker asks for it. EthSource (follower.h) is the real one, tests and simulation script theirs.
class ChainSource {
  public:
    virtual ~ChainSource() = default;
    [[nodiscard]] virtual wallet::ChainExpected<wallet::BlockHeader> head() = 0;
    [[nodiscard]] virtual wallet::ChainExpected<wallet::BlockHeader> block(std::uint64_t number) = 0;
    /// Of the contract, in chain order.
    [[nodiscard]] virtual wallet::ChainExpected<std::vector<wallet::LogEntry>> logs(std::uint64_t from,
                                                                                    std::uint64_t to) = 0;
    [[nodiscard]] virtual wallet::ChainExpected<std::vector<wallet::LogEntry>> logs(
        const channel::BlockHash& block) = 0;
};

struct TrackerConfig {
    std::uint64_t chain_id = 0;
    channel::Address contract;
    std::uint64_t start_block = 0;    ///< the first to follow where there is no cursor: at most the contract's own
    std::uint64_t confirmations = 6;  ///< blocks, an event's own included, that make it confirmed; at least 1
    std::uint64_t max_reorg = 128;    ///< how far back the chain may be rewritten; more is chain_reorg_too_deep
    std::uint64_t max_range = 2'000;  ///< blocks asked for at once while catching up
};

/// An event and where it stands.
struct ChainEvent {
    wallet::AdjudicatorEvent event;
    std::uint64_t block_number = 0;
    channel::BlockHash block_hash;
    std::uint64_t timestamp = 0;  ///< of its block, Unix seconds
    channel::TxHash tx_hash;
    std::uint64_t log_index = 0;
};

struct EventPending {
    ChainEvent event;
};
struct EventConfirmed {
    ChainEvent event;
};
struct EventRolledBack {
    ChainEvent event;
    bool was_confirmed = false;  ///< the rewriting was deeper than `confirmations`
};
/// The chain is now followed up to this block: every event up to it, and every confirmation it brings, was said before.
struct NewBlock {
    BlockRef block;
    std::optional<BlockRef> confirmed;  ///< the newest known block that is `confirmations` deep
};
/// This block left the chain; its events were rolled back before.
struct BlockGone {
    BlockRef block;
};
using ChainInput = std::variant<EventPending, EventConfirmed, EventRolledBack, NewBlock, BlockGone>;

struct ChainBatch {
    std::vector<ChainInput> inputs;  ///< in the order in which they hold
    FollowerCursor cursor;           ///< after them
    std::uint64_t head = 0;          ///< the node's newest block when it was asked
    bool synced = false;             ///< followed up to that head
};

/// Follows one contract. Each step asks for a bounded amount, and either changes the cursor and says so, or fails and
/// changes nothing, so that it can be repeated: no block is ever skipped.
class ChainTracker {
  public:
    static constexpr std::size_t kMaxBatchLogs = 5'000;  ///< of several blocks at once
    static constexpr std::size_t kMaxKeptLogs =
        4'096;  ///< confirmed ones that are still remembered for a deep rewriting

    explicit ChainTracker(TrackerConfig config);
    /// Goes on from there: chain_cursor_mismatch where it is of another chain or contract.
    [[nodiscard]] wallet::ChainExpected<void> resume(FollowerCursor cursor);

    /// One block, one range of old blocks, or one walk back. A batch without inputs: nothing new.
    [[nodiscard]] wallet::ChainExpected<ChainBatch> step(ChainSource& source);

    [[nodiscard]] const FollowerCursor& cursor() const { return m_cursor; }
    [[nodiscard]] std::uint64_t height() const { return m_cursor.blocks.empty() ? 0 : m_cursor.blocks.back().number; }

  private:
    using Result = wallet::ChainExpected<void>;
    [[nodiscard]] Result advance(ChainSource& source, const wallet::BlockHeader& head, FollowerCursor& cursor,
                                 std::vector<ChainInput>& out);
    [[nodiscard]] Result begin(ChainSource& source, FollowerCursor& cursor, std::vector<ChainInput>& out);
    [[nodiscard]] wallet::ChainExpected<bool> is_behind(ChainSource& source, const wallet::BlockHeader& head,
                                                        const FollowerCursor& cursor) const;
    [[nodiscard]] Result take_block(ChainSource& source, const wallet::BlockHeader& block, FollowerCursor& cursor,
                                    std::vector<ChainInput>& out);
    [[nodiscard]] Result take_range(ChainSource& source, std::uint64_t from, std::uint64_t to, FollowerCursor& cursor,
                                    std::vector<ChainInput>& out);
    [[nodiscard]] Result go_back(ChainSource& source, const wallet::BlockHeader& head, FollowerCursor& cursor,
                                 std::vector<ChainInput>& out);
    [[nodiscard]] Result add_logs(const std::vector<wallet::LogEntry>& logs, const std::vector<BlockRef>& blocks,
                                  FollowerCursor& cursor, std::vector<ChainInput>& out) const;
    void add_block(const BlockRef& block, FollowerCursor& cursor, std::vector<ChainInput>& out) const;
    [[nodiscard]] ChainEvent event_of(const SeenLog& seen) const;

    TrackerConfig m_config;
    std::uint64_t m_range;  ///< halved where a node refuses, doubled where it does not
    FollowerCursor m_cursor;
};

}  // namespace hedgerow::daemon
