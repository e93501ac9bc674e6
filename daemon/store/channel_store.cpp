#include "daemon/store/channel_store.h"

#include <array>

#include "channel/messages/stored_update.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::ChannelId;

namespace {

[[noreturn]] void corrupt(const char* what) {
    throw StoreError(StoreErrorKind::corrupt, what);
}

template <typename E>
E enum_from(std::uint64_t number, const char* what) {
    if (number >= channel::EnumCount<E>::value) corrupt(what);
    return static_cast<E>(number);
}

UpdateRow read_update(Query& q) {
    UpdateRow row;
    auto update = channel::decode_stored_update(q.blob_view(0));
    if (!update) corrupt("updates.body");
    row.update = std::move(*update);
    row.is_void = q.boolean(1);
    auto net = channel::wire_decode<channel::List<channel::Amount, channel::kMaxAssets>>(q.blob_view(2));
    if (!net) corrupt("updates.net");
    row.net = std::move(*net);
    return row;
}

ClientRefRow read_client_ref(Query& q) {
    ClientRefRow row;
    row.ref = q.text(0);
    row.kind = q.text(1);
    row.request = q.fixed<channel::Hash>(2);
    const std::uint64_t outcome = q.uint64(3);
    if (outcome > static_cast<std::uint64_t>(RefOutcome::refused)) corrupt("client_refs.outcome");
    row.outcome = static_cast<RefOutcome>(outcome);
    if (!q.is_null(4)) row.channel = q.fixed<ChannelId>(4);
    if (!q.is_null(5)) row.version = q.uint64(5);
    if (!q.is_null(6)) row.op = q.uint64(6);
    row.rule = enum_from<channel::Rule>(q.uint64(7), "client_refs.rule");
    if (!q.is_null(8)) row.result = q.blob(8);
    row.created_ms = q.uint64(9);
    return row;
}

constexpr const char* kRefColumns =
    "SELECT ref, kind, request, outcome, channel, version, op, rule, result, created_ms FROM client_refs ";

std::vector<KeyedBlob> all_keyed(Database& db, const char* sql) {
    std::vector<KeyedBlob> out;
    Query q = db.query(sql);
    while (q.step()) out.push_back({q.blob(0), q.blob(1)});
    return out;
}

}  // namespace

void put_channel(Database& db, const ChannelRow& row, std::uint64_t now_ms) {
    db.run(
        "INSERT INTO channels (id, head, status, peer, agreed_version, created_ms) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET head = excluded.head, status = excluded.status, agreed_version = "
        "excluded.agreed_version",
        row.id, row.head.whole(), row.status, row.peer, row.agreed_version, now_ms);
    db.run("DELETE FROM in_flight WHERE channel = ? AND version <= ?", row.id, row.agreed_version);
}

std::vector<ChannelRow> all_channels(Database& db) {
    std::vector<ChannelRow> out;
    Query q = db.query("SELECT id, head, status, peer, agreed_version FROM channels ORDER BY id");
    while (q.step()) {
        out.push_back({q.fixed<ChannelId>(0), q.blob(1), enum_from<channel::Status>(q.uint64(2), "channels.status"),
                       q.fixed<channel::NodeId>(3), q.uint64(4)});
    }
    return out;
}

EncodedUpdate encode_update(const channel::PersistUpdate& persist,
                            const channel::List<channel::Amount, channel::kMaxAssets>& net) {
    return {persist.update.channel,    persist.update.version, persist.is_void, channel::wire_encode(persist.update),
            channel::wire_encode(net), persist.after};
}

void put_update(Database& db, const EncodedUpdate& row) {
    db.run(
        "INSERT INTO updates (channel, version, is_void, body, net) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (channel, version) DO UPDATE SET is_void = excluded.is_void, body = excluded.body, net = "
        "excluded.net",
        row.channel, row.version, row.is_void, row.body, row.net);
    if (row.after.empty()) return;
    db.run(
        "INSERT INTO in_flight (channel, version, after) VALUES (?, ?, ?) ON CONFLICT (channel, version) DO UPDATE SET "
        "after = excluded.after",
        row.channel, row.version, row.after.whole());
}

std::vector<channel::PersistUpdate> in_flight_above(Database& db, const ChannelId& id, std::uint64_t version) {
    std::vector<channel::PersistUpdate> out;
    Query q = db.query(
        "SELECT u.body, u.is_void, u.net, f.after FROM in_flight f JOIN updates u USING (channel, version) "
        "WHERE f.channel = ? AND f.version > ? ORDER BY f.version",
        id, version);
    while (q.step()) {
        UpdateRow row = read_update(q);
        out.push_back({std::move(row.update), row.is_void, q.blob(3)});
    }
    return out;
}

std::vector<UpdateRow> updates_down_from(Database& db, const ChannelId& id, std::uint64_t version, std::size_t limit) {
    std::vector<UpdateRow> out;
    Query q = db.query(
        "SELECT body, is_void, net FROM updates WHERE channel = ? AND version <= ? ORDER BY version DESC LIMIT ?", id,
        version, limit);
    while (q.step()) out.push_back(read_update(q));
    return out;
}

void put_fills(Database& db, const FillsRow& row) {
    db.run("INSERT OR REPLACE INTO fills (channel, version, time_ms) VALUES (?, ?, ?)", row.channel, row.version, row.time_ms);
    for (const BookRow& book : row.books) {
        db.run(
            "INSERT INTO books (channel, instrument, quantity, average_price, realised16) VALUES (?, ?, ?, ?, ?) ON "
            "CONFLICT (channel, instrument) DO UPDATE SET quantity = excluded.quantity, average_price = "
            "excluded.average_price, realised16 = excluded.realised16",
            row.channel, book.instrument, book.quantity, book.average, ByteView(book.realised16));
    }
    for (const ExpiryRow& expiry : row.expiries) {
        db.run("INSERT OR REPLACE INTO expiries (channel, version, op, quantity, price) VALUES (?, ?, ?, ?, ?)", row.channel,
               row.version, static_cast<std::int64_t>(expiry.op), expiry.quantity, expiry.price);
    }
}

void put_client_ref(Database& db, const ClientRefRow& row) {
    db.run(
        "INSERT INTO client_refs (ref, kind, request, outcome, channel, version, op, rule, result, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ref) DO UPDATE SET outcome = excluded.outcome, channel = "
        "excluded.channel, "
        "version = excluded.version, op = excluded.op, rule = excluded.rule, result = excluded.result",
        row.ref, row.kind, row.request, row.outcome, row.channel, row.version, row.op, row.rule, row.result,
        row.created_ms);
}

std::optional<ClientRefRow> find_client_ref(Database& db, const std::string& ref) {
    std::string sql(kRefColumns);
    Query q = db.query(sql.append("WHERE ref = ?"), ref);
    if (!q.step()) return std::nullopt;
    return read_client_ref(q);
}

std::string client_ref_of(Database& db, const ChannelId& id, std::uint64_t version, std::uint16_t index) {
    Query q = db.query("SELECT ref FROM client_refs WHERE channel = ? AND version = ? AND op = ?", id, version,
                       std::uint64_t{index});
    return q.step() ? q.text(0) : std::string();
}

std::vector<ClientRefRow> pending_client_refs(Database& db) {
    std::vector<ClientRefRow> out;
    std::string sql(kRefColumns);
    Query q = db.query(sql.append("WHERE outcome = 0"));
    while (q.step()) out.push_back(read_client_ref(q));
    return out;
}

void put_meta(Database& db, const std::string& key, ByteView value) {
    db.run("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key,
           value);
}

std::optional<Bytes> get_meta(Database& db, const std::string& key) {
    Query q = db.query("SELECT value FROM meta WHERE key = ?", key);
    if (!q.step()) return std::nullopt;
    return q.blob(0);
}

void put_flag(Database& db, const std::string& key, bool value) {
    const std::array<std::uint8_t, 1> byte{static_cast<std::uint8_t>(value ? 1 : 0)};
    put_meta(db, key, byte);
}

bool get_flag(Database& db, const std::string& key) {
    const auto stored = get_meta(db, key);
    return stored && !stored->empty() && stored->front() != 0;
}

void put_opening(Database& db, ByteView opening, ByteView body, std::uint64_t now_ms) {
    db.run(
        "INSERT INTO openings (opening, body, created_ms) VALUES (?, ?, ?) ON CONFLICT (opening) DO UPDATE SET body = "
        "excluded.body",
        opening, body, now_ms);
}
void delete_opening(Database& db, ByteView opening) {
    db.run("DELETE FROM openings WHERE opening = ?", opening);
}
std::vector<KeyedBlob> all_openings(Database& db) {
    return all_keyed(db, "SELECT opening, body FROM openings");
}

void put_signing_record(Database& db, const ChannelId& id, ByteView record) {
    db.run(
        "INSERT INTO signing_records (channel, record) VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET record = "
        "excluded.record",
        id, record);
}
std::vector<KeyedBlob> all_signing_records(Database& db) {
    return all_keyed(db, "SELECT channel, record FROM signing_records");
}

void put_tx_job(Database& db, const std::string& id, const std::string& record) {
    db.run("INSERT INTO tx_jobs (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record", id,
           record);
}
void delete_tx_job(Database& db, const std::string& id) {
    db.run("DELETE FROM tx_jobs WHERE id = ?", id);
}
std::vector<std::string> all_tx_jobs(Database& db) {
    std::vector<std::string> out;
    Query q = db.query("SELECT record FROM tx_jobs ORDER BY id");
    while (q.step()) out.push_back(q.text(0));
    return out;
}

void put_peer(Database& db, const channel::NodeId& id, const std::string& uri) {
    db.run("INSERT INTO peers (node_id, uri) VALUES (?, ?) ON CONFLICT (node_id) DO UPDATE SET uri = excluded.uri", id,
           uri);
}
void delete_peer(Database& db, const channel::NodeId& id) {
    db.run("DELETE FROM peers WHERE node_id = ?", id);
}
std::vector<PeerRow> all_peers(Database& db) {
    std::vector<PeerRow> out;
    Query q = db.query("SELECT node_id, uri FROM peers");
    while (q.step()) out.push_back({q.fixed<channel::NodeId>(0), q.text(1)});
    return out;
}

void put_preimage(Database& db, const channel::LockHash& hash, const channel::Preimage& preimage) {
    db.run("INSERT INTO preimages (hash, preimage) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", hash, preimage);
}
std::optional<channel::Preimage> find_preimage(Database& db, const channel::LockHash& hash) {
    Query q = db.query("SELECT preimage FROM preimages WHERE hash = ?", hash);
    if (!q.step()) return std::nullopt;
    return q.fixed<channel::Preimage>(0);
}

void put_revealed(Database& db, const channel::LockHash& hash, std::uint64_t time_s) {
    db.run(
        "INSERT INTO revealed (hash, time_s) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET time_s = excluded.time_s",
        hash, time_s);
}
void delete_revealed(Database& db, const channel::LockHash& hash) {
    db.run("DELETE FROM revealed WHERE hash = ?", hash);
}
channel::Revealed all_revealed(Database& db) {
    channel::Revealed out;
    Query q = db.query("SELECT hash, time_s FROM revealed");
    while (q.step()) out[q.fixed<channel::LockHash>(0)] = q.uint64(1);
    return out;
}

}  // namespace hedgerow::daemon
