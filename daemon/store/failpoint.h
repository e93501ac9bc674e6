#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>

namespace hedgerow::daemon {

/// Every point at which a test can end the process as kill -9 would. tests/functional/crash walks the whole table: a name
/// that no walk passes fails there, and a name that is not in it does not compile.
inline constexpr auto kFailpoints = std::to_array<std::string_view>({
    // The writer: the jobs of one transaction, its commit, the side file, and the way of the completion to the node.
    "store.after_migration", "store.in_transaction", "store.before_commit", "store.after_commit_before_generation",
    "store.after_commit", "store.completed", "outbox.after_actions",
    // The journal: a record written and not flushed; durable, and nobody was told; in the database, and the journal does not know.
    "journal.written", "journal.flushed", "journal.checkpoint",
    // The wallet file is there, the database does not know of it yet.
    "wallet.created",
    // Opening: the channel is open, whoever asked has not heard.
    "opening.opened", "chain_ops.before_answer", "ops.before_answer",
    // A batch of the chain follower: nothing of it is fed; all of it is, and nothing is stored.
    "chain.before_batch", "chain.after_batch",
    // The chain has said whether a dispute that a reorganisation touched is still there, and nobody was told.
    "chain.dispute_asked",
    // A backup file: begun under another name; complete, and not yet under its own.
    "backup.begun", "backup.written",
    // A message before it leaves, and once it has left and nothing else was done.
    "send.Hello", "sent.Hello", "send.OpenPropose", "sent.OpenPropose", "send.OpenAccept", "sent.OpenAccept",
    "send.OpenRefuse", "sent.OpenRefuse", "send.OpenConfirm", "sent.OpenConfirm", "send.OpenDone", "sent.OpenDone",
    "send.FundsSeen", "sent.FundsSeen", "send.Propose", "sent.Propose", "send.Refuse", "sent.Refuse", "send.Update",
    "sent.Update", "send.Ack", "sent.Ack", "send.Reject", "sent.Reject", "send.Reestablish", "sent.Reestablish",
    "send.WithdrawSignature", "sent.WithdrawSignature", "send.CloseSignature", "sent.CloseSignature", "send.HandOver",
    "sent.HandOver", "send.QuoteRequest", "sent.QuoteRequest", "send.Quote", "sent.Quote", "send.QuoteRefuse",
    "sent.QuoteRefuse", "send.StreamQuote", "sent.StreamQuote", "send.PeerError", "sent.PeerError", "send.TowerStore",
    "sent.TowerStore", "send.TowerReceipt", "sent.TowerReceipt", "send.TowerRefuse", "sent.TowerRefuse",
    "send.TowerFetch", "sent.TowerFetch", "send.TowerRecord", "sent.TowerRecord", "send.TowerEnd", "sent.TowerEnd",
    "send.BackupStore", "sent.BackupStore", "send.BackupStored", "sent.BackupStored", "send.BackupFetch",
    "sent.BackupFetch", "send.BackupItems", "sent.BackupItems", "send.TowerPlanAsk", "sent.TowerPlanAsk",
    "send.TowerPlan", "sent.TowerPlan",
    // In the transaction: a tower's record with its receipt, its copy of a backup, an event of a dispute, the cursor
    // behind it, and what is dropped when a dispute is over; durable, and not yet looked at: what a challenge calls for.
    "tower.record", "tower.backup", "tower.event", "tower.cursor", "tower.forget", "tower.before_answer",
    // A fee that was paid in a channel: in the node's store and not in the tower's; in the tower's transaction; credited
    // and still in the node's.
    "tower.paid", "tower.credit", "tower.credited",
    // In the transaction: a tower's receipt at its client; a copy that a node keeps for its channel's peer.
    "tower_client.receipt", "backup.copy",
    // A job of the transaction manager: stored and not broadcast; the chain node has it and we have not heard.
    "tx.stored.approve", "tx.broadcast.approve", "tx.stored.open", "tx.broadcast.open", "tx.stored.ref",
    "tx.broadcast.ref", "tx.stored.withdraw", "tx.broadcast.withdraw", "tx.stored.close", "tx.broadcast.close",
    "tx.stored.challenge", "tx.broadcast.challenge", "tx.stored.respond", "tx.broadcast.respond", "tx.stored.attest",
    "tx.broadcast.attest", "tx.stored.settle", "tx.broadcast.settle", "tx.stored.reveal", "tx.broadcast.reveal",
    "tx.stored.claim", "tx.broadcast.claim",
});

[[nodiscard]] constexpr bool is_failpoint(std::string_view name) {
    return std::find(kFailpoints.begin(), kFailpoints.end(), name) != kFailpoints.end();
}

/// A name of the table, known when compiling.
class FailpointName {
  public:
    consteval FailpointName(const char* text) : m_text(text) {
        if (!is_failpoint(m_text)) throw "not in kFailpoints";
    }
    [[nodiscard]] constexpr std::string_view text() const { return m_text; }

  private:
    std::string_view m_text;
};

/// HEDGEROW_FAILPOINT=name:count[,name:count...] makes the count-th passage through `name` (1 = the first) kill the
/// process as kill -9 does. It can do nothing but end the process, so it is compiled in always; unarmed, a passage costs
/// one relaxed load.
extern std::atomic<bool> g_failpoints_armed;

void failpoint_passed(std::string_view name);
void failpoint_passed(std::string_view group, std::string_view name);

inline void failpoint(FailpointName name) {
    if (g_failpoints_armed.load(std::memory_order_relaxed)) failpoint_passed(name.text());
}

/// The point `group`.`name`; passes over what is not in the table. A process that dies at one of the group "sent" first
/// stands still for a moment, so that what this thread handed on has left.
inline void failpoint(std::string_view group, std::string_view name) {
    if (g_failpoints_armed.load(std::memory_order_relaxed)) failpoint_passed(group, name);
}

/// Arms as the environment variable would; for child processes of tests. Malformed text, and a name that is not in the
/// table, arm nothing and return false.
[[nodiscard]] bool arm_failpoints(const char* text);

}  // namespace hedgerow::daemon
