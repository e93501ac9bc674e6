#include "daemon/tower/tower_tables.h"

#include <fmt/format.h>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/tower/appointment.h"

namespace hedgerow::daemon {

using channel::ByteView;
using channel::Expected;
using channel::Hash;
using channel::Locator;
using channel::NodeId;
using channel::Rule;
using channel::TowerReceipt;
using channel::Unexpected;

namespace {

struct ClientRow {
    std::int64_t id = 0;  ///< 0: not known yet
    std::uint64_t records = 0, bytes = 0, backups = 0, backup_bytes = 0;
    std::optional<std::uint64_t> granted_records, granted_bytes, granted_until_ms;

    [[nodiscard]] TowerQuota quota(const TowerQuota& free, std::uint64_t now_ms) const {
        TowerQuota out = free;
        if (!granted_until_ms || *granted_until_ms <= now_ms) return out;
        out.records = granted_records.value_or(0);
        out.bytes = granted_bytes.value_or(0);
        return out;
    }
};

constexpr std::uint64_t kMostPaidMs = 100ull * 365 * 86'400 * 1'000;  ///< a hundred years ahead

std::optional<std::uint64_t> optional_uint64(const Query& q, int column) {
    if (q.is_null(column)) return std::nullopt;
    return q.uint64(column);
}

constexpr const char* kClientColumns =
    "SELECT id, records, bytes, backups, backup_bytes, granted_records, granted_bytes, granted_until_ms, node FROM "
    "clients ";

ClientRow read_client(const Query& q) {
    ClientRow row;
    row.id = q.int64(0);
    row.records = q.uint64(1);
    row.bytes = q.uint64(2);
    row.backups = q.uint64(3);
    row.backup_bytes = q.uint64(4);
    row.granted_records = optional_uint64(q, 5);
    row.granted_bytes = optional_uint64(q, 6);
    row.granted_until_ms = optional_uint64(q, 7);
    return row;
}

ClientRow find_client(Database& db, const NodeId& node) {
    static const std::string sql = std::string(kClientColumns) + "WHERE node = ?";
    Query q = db.query(sql, node);
    return q.step() ? read_client(q) : ClientRow();
}

std::int64_t make_client(Database& db, const ClientRow& known, const NodeId& node) {
    if (known.id != 0) return known.id;
    db.run("INSERT INTO clients (node) VALUES (?)", node);
    const std::int64_t id = db.last_insert_id();
    db.run("UPDATE totals SET clients = clients + 1");
    return id;
}

struct RecordRow {
    std::int64_t id = 0;  ///< 0: none
    std::uint64_t version = 0;
    std::uint64_t bytes = 0;
    TowerReceipt receipt;
};

TowerReceipt read_receipt(ByteView bytes) {
    auto receipt = channel::wire_decode<TowerReceipt>(bytes);
    if (!receipt) throw StoreError(StoreErrorKind::corrupt, "records.receipt");
    return *receipt;
}

RecordRow find_record(Database& db, const Locator& locator, std::int64_t client) {
    RecordRow row;
    if (client == 0) return row;
    Query q = db.query("SELECT id, version, receipt, length(blob) FROM records WHERE locator = ? AND client = ?",
                       locator, client);
    if (!q.step()) return row;
    row.id = q.int64(0);
    row.version = q.uint64(1);
    row.receipt = read_receipt(q.blob_view(2));
    row.bytes = q.uint64(3);
    return row;
}

TowerReceipt make_receipt(const ReceiptMaker& maker, const NodeId& client, const Locator& locator,
                          const RecordRow& before, std::uint64_t version, const Hash& blob_hash) {
    TowerReceipt out;
    out.tower = maker.tower;
    out.client = client;
    out.locator = locator;
    out.number = before.receipt.number + 1;
    out.version = version;
    out.blob_hash = blob_hash;
    if (before.id != 0) out.previous = channel::receipt_hash(before.receipt);
    out.time_ms = maker.now_ms;
    out.signature = maker.sign(channel::receipt_message(out));
    return out;
}

/// Moves the counts of a client and of all by one record of `bytes` added or taken away.
void count_record(Database& db, std::int64_t client, std::uint64_t bytes, int sign) {
    const auto size_class = appointment_class(bytes);
    ASSERT(size_class.has_value());
    const std::int64_t by = sign * static_cast<std::int64_t>(bytes);
    db.run("UPDATE clients SET records = records + ?, bytes = bytes + ? WHERE id = ?", sign, by, client);
    static const std::array<std::string, 4> sql = [] {
        std::array<std::string, 4> out;
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = fmt::format("UPDATE totals SET class{0} = class{0} + ?, bytes = bytes + ?", i);
        return out;
    }();
    db.run(sql[*size_class], sign, by);
}

Rule judge_room(const ClientRow& client, const RecordRow& held, std::uint64_t bytes, const TowerQuota& quota,
                Rule more) {
    if (held.version != 0 && bytes <= held.bytes) return Rule::none;
    if (more != Rule::none) return more;
    if (quota.records == 0 || quota.bytes == 0) return Rule::tower_not_subscribed;
    const std::uint64_t records = client.records + (held.version == 0 ? 1 : 0);
    if (records > quota.records || client.bytes - held.bytes + bytes > quota.bytes) return Rule::tower_over_quota;
    return Rule::none;
}

std::optional<channel::ChannelId> disputed_under(Database& db, const Locator& locator) {
    for (const char* sql :
         {"SELECT channel FROM disputes WHERE locator_a = ?", "SELECT channel FROM disputes WHERE locator_b = ?"}) {
        Query q = db.query(sql, locator);
        if (q.step()) return q.fixed<channel::ChannelId>(0);
    }
    return std::nullopt;
}

/// What was kept under its locators goes, for all clients.
void drop_records(Database& db, const Locator& locator) {
    struct Row {
        std::int64_t id, client;
        std::uint64_t version, bytes;
    };
    std::vector<Row> rows;
    {
        Query q = db.query("SELECT id, client, version, length(blob) FROM records WHERE locator = ?", locator);
        while (q.step()) rows.push_back({q.int64(0), q.int64(1), q.uint64(2), q.uint64(3)});
    }
    for (const Row& row : rows) {
        db.run("DELETE FROM records WHERE id = ?", row.id);
        if (row.version != 0) count_record(db, row.client, row.bytes, -1);
    }
}

StoreOutcome refuse(Rule rule) {
    StoreOutcome out;
    out.rule = rule;
    return out;
}

}  // namespace

StoreOutcome store_appointment(Database& db, const ReceiptMaker& maker, const NodeId& client,
                               const channel::TowerStore& store, const TowerQuota& free, Rule more) {
    if (store.version == 0 || store.version > channel::kMaxVersion) return refuse(Rule::version_out_of_range);
    if (!appointment_class(store.blob.size())) return refuse(Rule::tower_blob_size);
    const ClientRow known = find_client(db, client);
    const RecordRow held = find_record(db, store.locator, known.id);
    const Hash blob_hash = channel::keccak256(store.blob);
    StoreOutcome out;
    if (held.version > store.version) return refuse(Rule::tower_version_old);
    if (held.version == store.version && held.receipt.blob_hash == blob_hash) {
        out.receipt = held.receipt;
        out.repeated = true;
        return out;
    }
    const Rule room = judge_room(known, held, store.blob.size(), known.quota(free, maker.now_ms), more);
    if (room != Rule::none) return refuse(room);

    const std::int64_t id = make_client(db, known, client);
    out.receipt = make_receipt(maker, client, store.locator, held, store.version, blob_hash);
    const channel::Bytes receipt = channel::wire_encode(out.receipt);
    if (held.id == 0) {
        db.run("INSERT INTO records (locator, client, version, receipt, blob) VALUES (?, ?, ?, ?, ?)", store.locator,
               id, store.version, receipt, store.blob);
    } else {
        db.run("UPDATE records SET version = ?, ended_ms = NULL, receipt = ?, blob = ? WHERE id = ?", store.version,
               receipt, store.blob, held.id);
        if (held.version != 0) count_record(db, id, held.bytes, -1);
    }
    count_record(db, id, store.blob.size(), 1);
    out.disputed = disputed_under(db, store.locator);
    if (out.disputed) db.run("UPDATE disputes SET engaged = 1 WHERE channel = ?", *out.disputed);
    return out;
}

StoreOutcome end_appointment(Database& db, const ReceiptMaker& maker, const NodeId& client,
                             const channel::TowerEnd& end) {
    const ClientRow known = find_client(db, client);
    const RecordRow held = find_record(db, end.locator, known.id);
    StoreOutcome out;
    if (held.id == 0) return refuse(Rule::tower_record_unknown);
    if (held.version > end.version) return refuse(Rule::tower_version_old);
    if (held.version == 0) {
        out.receipt = held.receipt;
        out.repeated = true;
        return out;
    }
    out.receipt = make_receipt(maker, client, end.locator, held, 0, Hash());
    db.run("UPDATE records SET version = 0, ended_ms = ?, receipt = ?, blob = x'' WHERE id = ?", maker.now_ms,
           channel::wire_encode(out.receipt), held.id);
    count_record(db, known.id, held.bytes, -1);
    db.run(
        "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE client = ? AND ended_ms IS NOT NULL "
        "ORDER BY ended_ms DESC, id DESC LIMIT -1 OFFSET ?)",
        known.id, kMaxEnded);
    return out;
}

Expected<channel::TowerRecord, Rule> fetch_appointment(Database& db, const NodeId& client, const Locator& locator) {
    const ClientRow known = find_client(db, client);
    Query q =
        db.query("SELECT version, receipt, blob FROM records WHERE locator = ? AND client = ?", locator, known.id);
    if (!q.step() || q.uint64(0) == 0) return Unexpected{Rule::tower_record_unknown};
    channel::TowerRecord out;
    out.locator = locator;
    out.version = q.uint64(0);
    out.receipt = read_receipt(q.blob_view(1));
    out.blob = channel::Blob<channel::kMaxTowerBlob>(q.blob_view(2));
    return out;
}

std::vector<HeldRecord> records_under(Database& db, const Locator& locator, std::int64_t after, std::size_t limit) {
    Query q = db.query(
        "SELECT client, version, blob FROM records WHERE locator = ? AND client > ? AND version > 0 "
        "ORDER BY client LIMIT ?",
        locator, after, static_cast<std::uint64_t>(limit));
    std::vector<HeldRecord> out;
    while (q.step()) out.push_back({q.int64(0), q.uint64(1), q.blob(2)});
    return out;
}

Rule store_backup(Database& db, const NodeId& client, const channel::BackupStore& backup, const TowerQuota& free,
                  std::uint64_t now_ms) {
    if (backup.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return Rule::field_out_of_range;
    const ClientRow known = find_client(db, client);
    std::int64_t held = 0;
    std::uint64_t held_bytes = 0;
    if (known.id != 0) {
        Query q = db.query("SELECT id, number, blob FROM backups WHERE client = ? AND slot = ?", known.id, backup.slot);
        if (q.step()) {
            held = q.int64(0);
            held_bytes = q.blob_view(2).size();
            if (q.uint64(1) > backup.number) return Rule::backup_older;
            const bool same = std::ranges::equal(q.blob_view(2), ByteView(backup.blob));
            if (q.uint64(1) == backup.number && !backup.blob.empty()) return same ? Rule::none : Rule::backup_older;
        }
    }
    if (backup.blob.empty() && held == 0) return Rule::none;
    const TowerQuota quota = known.quota(free, now_ms);
    const std::uint64_t backups = known.backups + (held == 0 ? 1 : 0);
    const std::uint64_t bytes = known.backup_bytes - held_bytes + backup.blob.size();
    if (!backup.blob.empty() && (backups > quota.backups || bytes > quota.backup_bytes)) return Rule::backup_over_quota;

    const std::int64_t id = make_client(db, known, client);
    std::int64_t more = 0;
    if (backup.blob.empty()) {
        db.run("DELETE FROM backups WHERE id = ?", held);
        more = -1;
    } else if (held == 0) {
        db.run("INSERT INTO backups (client, slot, number, blob) VALUES (?, ?, ?, ?)", id, backup.slot, backup.number,
               backup.blob);
        more = 1;
    } else {
        db.run("UPDATE backups SET number = ?, blob = ? WHERE id = ?", backup.number, backup.blob, held);
    }
    const std::int64_t grown = static_cast<std::int64_t>(backup.blob.size()) - static_cast<std::int64_t>(held_bytes);
    db.run("UPDATE clients SET backups = backups + ?, backup_bytes = backup_bytes + ? WHERE id = ?", more, grown, id);
    db.run("UPDATE totals SET backups = backups + ?, backup_bytes = backup_bytes + ?", more, grown);
    return Rule::none;
}

channel::BackupItems fetch_backups(Database& db, const NodeId& client, const Locator& after) {
    channel::BackupItems out;
    const ClientRow known = find_client(db, client);
    const char* sql =
        after.is_zero() ? "SELECT slot, number, blob FROM backups WHERE client = ? AND slot >= ? ORDER BY slot LIMIT ?"
                        : "SELECT slot, number, blob FROM backups WHERE client = ? AND slot > ? ORDER BY slot LIMIT ?";
    Query q = db.query(sql, known.id, after, std::uint64_t{channel::kMaxBackupsPerMessage + 1});
    while (q.step()) {
        if (out.items.size() == channel::kMaxBackupsPerMessage) {
            out.more = true;
            break;
        }
        channel::BackupStore item;
        item.slot = q.fixed<Locator>(0);
        item.number = q.uint64(1);
        item.blob = channel::Blob<channel::kMaxBackupBlob>(q.blob_view(2));
        out.items.push_back(std::move(item));
    }
    return out;
}

void put_dispute(Database& db, const DisputeRow& row) {
    db.run(
        "INSERT INTO disputes (channel, secret, locator_a, locator_b, engaged) VALUES (?, ?, ?, ?, 0) ON CONFLICT DO "
        "NOTHING",
        row.channel, row.secret, row.locator_a, row.locator_b);
    db.run(
        "UPDATE disputes SET engaged = 1 WHERE channel = ? AND EXISTS (SELECT 1 FROM records WHERE locator IN (?, ?))",
        row.channel, row.locator_a, row.locator_b);
}

namespace {
DisputeRow read_dispute_row(const Query& q) {
    return {q.fixed<channel::ChannelId>(0), q.fixed<channel::Secret>(1), q.fixed<Locator>(2), q.fixed<Locator>(3)};
}
}  // namespace

std::optional<DisputeRow> find_dispute(Database& db, const channel::ChannelId& id) {
    Query q = db.query("SELECT channel, secret, locator_a, locator_b FROM disputes WHERE channel = ?", id);
    if (!q.step()) return std::nullopt;
    return read_dispute_row(q);
}

void put_recorded(Database& db, const channel::ChannelId& id, const RecordedEvent& event) {
    db.run(
        "INSERT INTO recorded (channel, block, log_index, end_s, challenger, state) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        id, event.block, event.log_index, event.end_s, static_cast<std::uint64_t>(event.challenger),
        channel::wire_encode(event.state));
}

void delete_recorded(Database& db, const channel::ChannelId& id, std::uint64_t block, std::uint64_t log_index) {
    db.run("DELETE FROM recorded WHERE channel = ? AND block = ? AND log_index = ?", id, block, log_index);
}

std::vector<RecordedEvent> recorded_events(Database& db, const channel::ChannelId& id) {
    Query q = db.query(
        "SELECT block, log_index, end_s, challenger, state FROM recorded WHERE channel = ? ORDER BY block, log_index",
        id);
    std::vector<RecordedEvent> out;
    while (q.step()) {
        auto state = channel::wire_decode<channel::State>(q.blob_view(4));
        if (!state || q.uint64(3) > 1) throw StoreError(StoreErrorKind::corrupt, "recorded");
        out.push_back(
            {q.uint64(0), q.uint64(1), q.uint64(2), static_cast<channel::Party>(q.uint64(3)), std::move(*state)});
    }
    return out;
}

std::vector<DisputeRow> engaged_disputes(Database& db) {
    Query q = db.query("SELECT channel, secret, locator_a, locator_b FROM disputes WHERE engaged = 1 ORDER BY channel");
    std::vector<DisputeRow> out;
    while (q.step()) out.push_back(read_dispute_row(q));
    return out;
}

void drop_dispute(Database& db, const channel::ChannelId& id) {
    const auto row = find_dispute(db, id);
    if (!row) return;
    drop_records(db, row->locator_a);
    drop_records(db, row->locator_b);
    db.run("DELETE FROM recorded WHERE channel = ?", id);
    db.run("DELETE FROM disputes WHERE channel = ?", id);
}

void grant(Database& db, const NodeId& client, std::uint64_t records, std::uint64_t bytes, std::uint64_t until_ms) {
    const std::int64_t id = make_client(db, find_client(db, client), client);
    db.run("UPDATE clients SET granted_records = ?, granted_bytes = ?, granted_until_ms = ? WHERE id = ?", records,
           bytes, until_ms, id);
}

namespace {

/// What that much buys, in milliseconds; at most kMostPaidMs.
std::uint64_t paid_ms(channel::Amount amount, const TowerFee& fee) {
    using channel::U256;
    const auto wide = [](channel::Amount value) { return U256(static_cast<channel::Uint128>(value.raw())); };
    const U256 bought = wide(amount) * U256(fee.period_s) * U256(1'000u) / wide(fee.amount);
    return bought < U256(kMostPaidMs) ? static_cast<std::uint64_t>(*bought.to_u128()) : kMostPaidMs;
}

ClientAccount account_of(const NodeId& node, const ClientRow& row) {
    return {node,
            row.records,
            row.bytes,
            row.backups,
            row.backup_bytes,
            row.granted_records,
            row.granted_bytes,
            row.granted_until_ms};
}

}  // namespace

void credit_payment(Database& db, const TowerPayment& payment, const TowerFee& fee, std::uint64_t now_ms) {
    const ClientRow known = find_client(db, payment.client);
    const std::int64_t id = make_client(db, known, payment.client);
    const bool first = db.run(
                           "INSERT OR IGNORE INTO payments (channel, version, op, client, amount, credited_ms) VALUES "
                           "(?, ?, ?, ?, ?, ?)",
                           payment.channel, payment.version, static_cast<std::uint64_t>(payment.index), id,
                           payment.amount, now_ms) != 0;
    if (!first) return;
    const std::uint64_t ends = known.granted_until_ms.value_or(0);
    const bool runs = ends > now_ms;
    const std::uint64_t until =
        std::max(ends, std::min(now_ms + kMostPaidMs, std::max(now_ms, ends) + paid_ms(payment.amount, fee)));
    grant(db, payment.client, std::max(fee.records, runs ? known.granted_records.value_or(0) : 0),
          std::max(fee.records * channel::kMaxTowerBlob, runs ? known.granted_bytes.value_or(0) : 0), until);
}

ClientAccount client_account(Database& db, const NodeId& client) {
    return account_of(client, find_client(db, client));
}

std::vector<ClientAccount> list_clients(Database& db, const NodeId& after, std::size_t limit) {
    static const std::string sql = std::string(kClientColumns) + "WHERE node > ? ORDER BY node LIMIT ?";
    Query q = db.query(sql, after, static_cast<std::uint64_t>(limit));
    std::vector<ClientAccount> out;
    while (q.step()) {
        out.push_back(account_of(q.fixed<NodeId>(8), read_client(q)));
    }
    return out;
}

TowerTotals tower_totals(Database& db) {
    Query q = db.query("SELECT class0, class1, class2, class3, bytes, clients, backups, backup_bytes FROM totals");
    if (!q.step()) throw StoreError(StoreErrorKind::corrupt, "totals");
    TowerTotals out;
    for (std::size_t i = 0; i < out.records.size(); ++i) out.records[i] = q.uint64(static_cast<int>(i));
    out.bytes = q.uint64(4);
    out.clients = q.uint64(5);
    out.backups = q.uint64(6);
    out.backup_bytes = q.uint64(7);
    return out;
}

}  // namespace hedgerow::daemon
