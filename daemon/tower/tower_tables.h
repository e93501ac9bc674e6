#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "channel/messages/tower.h"
#include "daemon/store/database.h"
#include "daemon/store/tower_store.h"
#include "daemon/tower/tower_limits.h"

/// What a tower keeps for its clients: reads and writes of tower_schema's tables. What changes something runs inside a
/// job of the store's writer, so that check and change are one transaction.
namespace hedgerow::daemon {

/// Who makes receipts, and of when. `sign`: Ed25519 of the tower's identity under kReceiptDomain, from any thread.
struct ReceiptMaker {
    channel::NodeId tower;
    std::function<channel::NodeSignature(channel::ByteView)> sign;
    std::uint64_t now_ms = 0;
};

/// What becomes of a store or an end. With a rule other than none nothing was changed.
struct StoreOutcome {
    channel::Rule rule = channel::Rule::none;
    channel::TowerReceipt receipt;
    bool repeated = false;                       ///< this version and blob were here before
    std::optional<channel::ChannelId> disputed;  ///< the locator is of a channel that is challenged already
};

/// Spec 10.3. `free` is what a client without a subscription may keep; `more` what forbids keeping more than now
/// (tower_cannot_afford, tower_behind) or none. Refuses version_out_of_range (0 and above kMaxVersion),
/// tower_blob_size, tower_version_old, tower_not_subscribed (the quota is zero), tower_over_quota. A client whose
/// subscription has ended may still replace what it has by something no larger: an old record would protect nobody.
[[nodiscard]] StoreOutcome store_appointment(Database& db, const ReceiptMaker& maker, const channel::NodeId& client,
                                             const channel::TowerStore& store, const TowerQuota& free,
                                             channel::Rule more);

/// Spec 10.5, for a signature that is right. tower_record_unknown, tower_version_old where a newer record is here. Of
/// what has ended kMaxEnded receipts a client are kept, then the oldest go.
[[nodiscard]] StoreOutcome end_appointment(Database& db, const ReceiptMaker& maker, const channel::NodeId& client,
                                           const channel::TowerEnd& end);
inline constexpr std::uint64_t kMaxEnded = 1'000;

/// tower_record_unknown where there is none, or it has ended.
[[nodiscard]] channel::Expected<channel::TowerRecord, channel::Rule> fetch_appointment(Database& db,
                                                                                       const channel::NodeId& client,
                                                                                       const channel::Locator& locator);

/// One record under a locator, of whichever client.
struct HeldRecord {
    std::int64_t client = 0;  ///< the place of the client in this store, for paging
    std::uint64_t version = 0;
    channel::Bytes blob;
};
/// Records under that locator that have not ended, ascending by client above `after`, at most `limit`. Every one must
/// be tried: anybody who knows the secret can store rubbish under it.
[[nodiscard]] std::vector<HeldRecord> records_under(Database& db, const channel::Locator& locator, std::int64_t after,
                                                    std::size_t limit);
/// Spec 10.6. backup_older (a lower number, or the same one with another blob), backup_over_quota. An empty blob
/// forgets the slot; forgetting one that is not here is no fault.
[[nodiscard]] channel::Rule store_backup(Database& db, const channel::NodeId& client,
                                         const channel::BackupStore& backup, const TowerQuota& free,
                                         std::uint64_t now_ms);
[[nodiscard]] channel::BackupItems fetch_backups(Database& db, const channel::NodeId& client,
                                                 const channel::Locator& after);

/// A subscription: replaces the client's earlier one. Backup slots stay those of the free quota.
void grant(Database& db, const channel::NodeId& client, std::uint64_t records, std::uint64_t bytes,
           std::uint64_t until_ms);

/// The client's subscription grows by what that buys, from its end or from now on, and allows no fewer records than
/// before. Nothing, where this payment was credited before. `fee` is sold().
void credit_payment(Database& db, const TowerPayment& payment, const TowerFee& fee, std::uint64_t now_ms);

// --- what the chain has revealed and recorded
// ----------------------------------------------------------------------------------------------

/// An event of a dispute, at its place in the chain.
struct RecordedEvent {
    std::uint64_t block = 0;
    std::uint64_t log_index = 0;
    std::uint64_t end_s = 0;  ///< of a challenge; 0: a response
    channel::Party challenger = channel::Party::A;
    channel::State state;
    bool operator<(const RecordedEvent& o) const { return std::tie(block, log_index) < std::tie(o.block, o.log_index); }
};
/// A channel whose watch secret a challenge has revealed.
struct DisputeRow {
    channel::ChannelId channel;
    channel::Secret secret;
    channel::Locator locator_a, locator_b;
};
/// Also a second time, after a reorganisation.
void put_dispute(Database& db, const DisputeRow& row);
[[nodiscard]] std::optional<DisputeRow> find_dispute(Database& db, const channel::ChannelId& id);
void put_recorded(Database& db, const channel::ChannelId& id, const RecordedEvent& event);
void delete_recorded(Database& db, const channel::ChannelId& id, std::uint64_t block, std::uint64_t log_index);
/// Ascending.
[[nodiscard]] std::vector<RecordedEvent> recorded_events(Database& db, const channel::ChannelId& id);
/// Those under whose locators anything is or was kept: what is taken up again at the start.
[[nodiscard]] std::vector<DisputeRow> engaged_disputes(Database& db);
/// It is over: its dispute, and what was kept for it, for all clients.
void drop_dispute(Database& db, const channel::ChannelId& id);

/// What a client has and may have; for the operator.
struct ClientAccount {
    channel::NodeId node;
    std::uint64_t records = 0, bytes = 0, backups = 0, backup_bytes = 0;
    std::optional<std::uint64_t> granted_records, granted_bytes, granted_until_ms;
};
/// Of a client that is not known: nothing.
[[nodiscard]] ClientAccount client_account(Database& db, const channel::NodeId& client);
/// In order of their ids, above `after`, at most `limit`.
[[nodiscard]] std::vector<ClientAccount> list_clients(Database& db, const channel::NodeId& after, std::size_t limit);

struct TowerTotals {
    std::array<std::uint64_t, 4> records{};  ///< by class of size (kAppointmentClasses)
    std::uint64_t bytes = 0, clients = 0, backups = 0, backup_bytes = 0;
    [[nodiscard]] std::uint64_t all_records() const { return records[0] + records[1] + records[2] + records[3]; }
};
[[nodiscard]] TowerTotals tower_totals(Database& db);

}  // namespace hedgerow::daemon
