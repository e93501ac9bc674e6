#include "daemon/store/tower_store.h"

#include "channel/codec/wire.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ChannelId;
using channel::NodeId;
using channel::Rule;
using channel::TowerReceipt;

namespace {

template <typename T>
T decoded(const Bytes& bytes, const char* what) {
    auto value = channel::wire_decode<T>(bytes);
    if (!value) throw StoreError(StoreErrorKind::corrupt, what);
    return std::move(*value);
}

std::optional<Bytes> encoded(const std::optional<TowerReceipt>& receipt) {
    return receipt ? std::optional<Bytes>(channel::wire_encode(*receipt)) : std::nullopt;
}

std::optional<TowerReceipt> receipt_at(const Query& q, int column) {
    if (q.is_null(column)) return std::nullopt;
    return decoded<TowerReceipt>(q.blob(column), "tower_promises.receipt");
}

PromiseRow read_promise(const Query& q) {
    PromiseRow row;
    row.channel = q.fixed<ChannelId>(0);
    row.tower = q.fixed<NodeId>(1);
    row.receipt = receipt_at(q, 2);
    row.promise = receipt_at(q, 3);
    if (!q.is_null(4)) row.ended_ms = q.uint64(4);
    if (!q.is_null(5)) row.broken_ms = q.uint64(5);
    return row;
}

}  // namespace

void put_tower(Database& db, const TowerRow& row, std::uint64_t now_ms) {
    db.run(
        "INSERT INTO towers (node_id, uri, added_ms) VALUES (?, ?, ?) ON CONFLICT (node_id) DO UPDATE SET uri = "
        "excluded.uri",
        row.id, row.uri, now_ms);
}

void delete_tower(Database& db, const NodeId& id) {
    db.run("DELETE FROM towers WHERE node_id = ?", id);
    db.run("DELETE FROM tower_promises WHERE tower = ?", id);
}

std::vector<TowerRow> all_towers(Database& db) {
    std::vector<TowerRow> out;
    Query q = db.query("SELECT node_id, uri FROM towers ORDER BY added_ms, node_id");
    while (q.step()) out.push_back({q.fixed<NodeId>(0), q.text(1)});
    return out;
}

void put_promise(Database& db, const PromiseRow& row) {
    db.run(
        "INSERT INTO tower_promises (channel, tower, receipt, promise, appointment, ended_ms, broken_ms) VALUES (?, ?, "
        "?, ?, ?, ?, ?) ON CONFLICT (channel, tower) DO UPDATE SET receipt = excluded.receipt, promise = "
        "excluded.promise, appointment = CASE WHEN length(excluded.appointment) = 0 THEN appointment ELSE "
        "excluded.appointment END, ended_ms = excluded.ended_ms, broken_ms = excluded.broken_ms",
        row.channel, row.tower, encoded(row.receipt), encoded(row.promise), row.appointment, row.ended_ms,
        row.broken_ms);
}

std::vector<PromiseRow> all_promises(Database& db) {
    std::vector<PromiseRow> out;
    Query q = db.query("SELECT channel, tower, receipt, promise, ended_ms, broken_ms FROM tower_promises");
    while (q.step()) out.push_back(read_promise(q));
    return out;
}

std::optional<PromiseRow> find_promise(Database& db, const ChannelId& channel, const NodeId& tower) {
    Query q = db.query(
        "SELECT channel, tower, receipt, promise, ended_ms, broken_ms, appointment FROM tower_promises WHERE channel = "
        "? AND tower = ?",
        channel, tower);
    if (!q.step()) return std::nullopt;
    PromiseRow row = read_promise(q);
    row.appointment = q.blob(6);
    return row;
}

void put_evidence(Database& db, const EvidenceRow& row) {
    db.run(
        "INSERT INTO tower_evidence (tower, channel, time_ms, kept, said) SELECT ?, ?, ?, ?, ? WHERE (SELECT count(*) "
        "FROM tower_evidence WHERE tower = ?) < ?",
        row.tower, row.channel, row.time_ms, channel::wire_encode(row.kept), encoded(row.said).value_or(Bytes()),
        row.tower, static_cast<std::uint64_t>(kMaxEvidence));
}

std::vector<EvidenceRow> evidence_against(Database& db, const NodeId& tower, const ChannelId& channel) {
    std::vector<EvidenceRow> out;
    Query q = db.query("SELECT time_ms, kept, said FROM tower_evidence WHERE tower = ? AND channel = ? ORDER BY id",
                       tower, channel);
    while (q.step()) {
        EvidenceRow row{tower, channel, q.uint64(0), decoded<TowerReceipt>(q.blob(1), "tower_evidence.kept"), {}};
        if (const Bytes said = q.blob(2); !said.empty()) row.said = decoded<TowerReceipt>(said, "tower_evidence.said");
        out.push_back(std::move(row));
    }
    return out;
}

void put_tower_policy(Database& db, const ChannelId& channel, const TowerPolicy& policy) {
    const auto towers = policy.towers ? std::optional<Bytes>(channel::wire_encode(*policy.towers)) : std::nullopt;
    db.run(
        "INSERT INTO tower_policies (channel, towers, sync) VALUES (?, ?, ?) ON CONFLICT (channel) DO UPDATE SET "
        "towers = excluded.towers, sync = excluded.sync",
        channel, towers, static_cast<std::uint64_t>(policy.sync));
}

std::vector<std::pair<ChannelId, TowerPolicy>> all_tower_policies(Database& db) {
    std::vector<std::pair<ChannelId, TowerPolicy>> out;
    Query q = db.query("SELECT channel, towers, sync FROM tower_policies");
    while (q.step()) {
        TowerPolicy policy;
        if (!q.is_null(1))
            policy.towers = decoded<channel::List<NodeId, kMaxTowers>>(q.blob(1), "tower_policies.towers");
        const std::uint64_t sync = q.uint64(2);
        if (sync > kMaxTowers) throw StoreError(StoreErrorKind::corrupt, "tower_policies.sync");
        policy.sync = static_cast<std::uint8_t>(sync);
        out.emplace_back(q.fixed<ChannelId>(0), std::move(policy));
    }
    return out;
}

Rule store_peer_backup(Database& db, const NodeId& client, const channel::BackupStore& backup,
                       const BackupQuota& quota) {
    if (backup.number >> 63 != 0) return Rule::field_out_of_range;  // more than a column holds
    {
        Query q = db.query("SELECT number, blob FROM peer_backups WHERE client = ? AND slot = ?", client, backup.slot);
        if (q.step()) {
            const std::uint64_t number = q.uint64(0);
            const bool same = number == backup.number && std::ranges::equal(q.blob_view(1), backup.blob);
            if (same) return Rule::none;
            if (number >= backup.number) return Rule::backup_older;
        } else if (backup.blob.empty()) {
            return Rule::none;
        } else {
            Query count = db.query("SELECT count(*) FROM peer_backups WHERE client = ?", client);
            if (!count.step() || count.uint64(0) >= quota.slots) return Rule::backup_over_quota;
        }
    }
    if (backup.blob.empty()) {
        db.run("DELETE FROM peer_backups WHERE client = ? AND slot = ?", client, backup.slot);
        return Rule::none;
    }
    db.run(
        "INSERT INTO peer_backups (client, slot, number, blob) VALUES (?, ?, ?, ?) ON CONFLICT (client, slot) DO "
        "UPDATE SET number = excluded.number, blob = excluded.blob",
        client, backup.slot, backup.number, channel::ByteView(backup.blob));
    return Rule::none;
}

channel::BackupItems peer_backups(Database& db, const NodeId& client, const channel::Locator& after) {
    channel::BackupItems out;
    Query q =
        db.query("SELECT slot, number, blob FROM peer_backups WHERE client = ? AND slot > ? ORDER BY slot LIMIT ?",
                 client, after, static_cast<std::uint64_t>(channel::kMaxBackupsPerMessage + 1));
    while (q.step()) {
        if (out.items.size() == channel::kMaxBackupsPerMessage) {
            out.more = true;
            break;
        }
        channel::BackupStore item{q.fixed<channel::Locator>(0), q.uint64(1), {}};
        const channel::ByteView blob = q.blob_view(2);
        if (blob.size() > channel::kMaxBackupBlob) throw StoreError(StoreErrorKind::corrupt, "peer_backups.blob");
        item.blob.assign(blob.begin(), blob.end());
        out.items.push_back(std::move(item));
    }
    return out;
}

void put_uncredited(Database& db, const TowerPayment& payment) {
    db.run("INSERT OR IGNORE INTO tower_payments (channel, version, op, client, amount) VALUES (?, ?, ?, ?, ?)",
           payment.channel, payment.version, static_cast<std::uint64_t>(payment.index), payment.client, payment.amount);
}

void delete_uncredited(Database& db, const TowerPayment& payment) {
    db.run("DELETE FROM tower_payments WHERE channel = ? AND version = ? AND op = ?", payment.channel, payment.version,
           static_cast<std::uint64_t>(payment.index));
}

std::vector<TowerPayment> uncredited_payments(Database& db) {
    std::vector<TowerPayment> out;
    Query q = db.query("SELECT channel, version, op, client, amount FROM tower_payments ORDER BY channel, version, op");
    while (q.step()) {
        out.push_back({q.fixed<ChannelId>(0), q.uint64(1), static_cast<std::uint16_t>(q.uint64(2)), q.fixed<NodeId>(3),
                       q.number<channel::Amount>(4)});
    }
    return out;
}

}  // namespace hedgerow::daemon
