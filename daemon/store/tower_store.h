#pragma once

#include <optional>
#include <string>
#include <vector>

#include "channel/messages/tower.h"
#include "daemon/store/database.h"

/// Reads and writes of what a node keeps as a client of towers, and of the copies that it keeps for its peers. Writers
/// run inside a job of the store's writer; readers on any connection; StoreError{corrupt} where a row does not decode.
namespace hedgerow::daemon {

inline constexpr std::size_t kMaxTowers = 16;

struct TowerRow {
    channel::NodeId id;
    std::string uri;
};
void put_tower(Database& db, const TowerRow& row, std::uint64_t now_ms);
/// With all that was promised, but not the evidence against it.
void delete_tower(Database& db, const channel::NodeId& id);
/// In the order in which they were added.
[[nodiscard]] std::vector<TowerRow> all_towers(Database& db);

/// What one tower promised for one channel.
struct PromiseRow {
    channel::ChannelId channel;
    channel::NodeId tower;
    std::optional<channel::TowerReceipt> receipt;  ///< the newest: the next one names its hash
    std::optional<channel::TowerReceipt> promise;  ///< the newest that is for a version
    channel::Bytes appointment;  ///< wire encoding of what promise's blob was sealed from; may be empty
    std::optional<std::uint64_t> ended_ms;
    std::optional<std::uint64_t> broken_ms;  ///< the tower contradicted a receipt of its own, first
};
void put_promise(Database& db, const PromiseRow& row);
/// Appointments left out: they are large, and only an export reads them.
[[nodiscard]] std::vector<PromiseRow> all_promises(Database& db);
[[nodiscard]] std::optional<PromiseRow> find_promise(Database& db, const channel::ChannelId& channel,
                                                     const channel::NodeId& tower);

struct EvidenceRow {
    channel::NodeId tower;
    channel::ChannelId channel;
    std::uint64_t time_ms = 0;
    channel::TowerReceipt kept;
    std::optional<channel::TowerReceipt> said;
};
/// At most kMaxEvidence a tower are kept, the first ones: a liar must not fill the disk.
void put_evidence(Database& db, const EvidenceRow& row);
inline constexpr std::size_t kMaxEvidence = 1'000;
[[nodiscard]] std::vector<EvidenceRow> evidence_against(Database& db, const channel::NodeId& tower,
                                                        const channel::ChannelId& channel);

/// Which towers a channel uses, and how many of them must hold a version before what it did is reported.
struct TowerPolicy {
    std::optional<channel::List<channel::NodeId, kMaxTowers>> towers;  ///< nothing: all of the node's
    std::uint8_t sync = 0;                                             ///< 0: nobody waits for a tower
    bool operator==(const TowerPolicy&) const = default;
};
void put_tower_policy(Database& db, const channel::ChannelId& channel, const TowerPolicy& policy);
[[nodiscard]] std::vector<std::pair<channel::ChannelId, TowerPolicy>> all_tower_policies(Database& db);

/// What a client of our disk may keep.
struct BackupQuota {
    std::uint64_t slots = 0;
};
/// Keeps one copy more, replaces an older one, or with an empty blob forgets it. backup_older (a lower number, or the
/// same one with another blob), backup_over_quota.
[[nodiscard]] channel::Rule store_peer_backup(Database& db, const channel::NodeId& client,
                                              const channel::BackupStore& backup, const BackupQuota& quota);
/// Ascending by slot, above `after`, at most kMaxBackupsPerMessage.
[[nodiscard]] channel::BackupItems peer_backups(Database& db, const channel::NodeId& client,
                                                const channel::Locator& after);

/// A payment for a subscription; (channel, version, index) name it for good.
struct TowerPayment {
    channel::ChannelId channel;
    std::uint64_t version = 0;
    std::uint16_t index = 0;
    channel::NodeId client;
    channel::Amount amount;
    bool operator==(const TowerPayment&) const = default;
};
/// What the tower in this node has not credited yet. Putting the same one twice is putting it once.
void put_uncredited(Database& db, const TowerPayment& payment);
void delete_uncredited(Database& db, const TowerPayment& payment);
[[nodiscard]] std::vector<TowerPayment> uncredited_payments(Database& db);

}  // namespace hedgerow::daemon
