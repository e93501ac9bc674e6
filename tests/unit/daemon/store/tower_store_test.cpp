#include "daemon/store/tower_store.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "daemon/store/channel_store.h"
#include "daemon/store/schema.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;

namespace {

DatabaseOptions options_in(const TempDir& directory, std::span<const Migration> migrations) {
    DatabaseOptions out;
    out.path = directory.path() / "node.sqlite";
    out.migrations = migrations;
    return out;
}

}  // namespace

TEST_CASE("peer backups: newer replaces, older is refused, the quota holds, pages are in order") {
    const TempDir directory;
    Database db(options_in(directory, node_schema()));
    NodeId client, other;
    client.data[0] = 5;
    other.data[0] = 6;
    const auto store = [&](std::uint8_t slot, std::uint64_t number, std::size_t size) {
        BackupStore backup;
        backup.slot.data[0] = slot;
        backup.number = number;
        backup.blob.assign(size, static_cast<std::uint8_t>(number));
        db.begin();
        const Rule rule = store_peer_backup(db, client, backup, {10});
        db.commit();
        return rule;
    };
    for (std::uint8_t slot = 1; slot <= 10; ++slot) CHECK(store(slot, 5, 100) == Rule::none);
    CHECK(store(11, 5, 100) == Rule::backup_over_quota);
    CHECK(store(3, 5, 100) == Rule::none);  // the same again
    CHECK(store(3, 5, 99) == Rule::backup_older);
    CHECK(store(3, 4, 100) == Rule::backup_older);
    CHECK(store(3, 6, 200) == Rule::none);
    CHECK(store(3, std::uint64_t{1} << 63, 1) == Rule::field_out_of_range);
    const BackupItems first = peer_backups(db, client, {});
    CHECK(first.items.size() == kMaxBackupsPerMessage);
    CHECK(first.more);
    CHECK(first.items[2].blob.size() == 200);
    const BackupItems rest = peer_backups(db, client, first.items.back().slot);
    CHECK(rest.items.size() == 2);
    CHECK_FALSE(rest.more);
    CHECK(store(3, 7, 0) == Rule::none);
    CHECK(store(11, 5, 100) == Rule::none);  // there is room again
    CHECK(peer_backups(db, other, {}).items.empty());
}

TEST_CASE("schema: a database of version 1 gets the towers' tables and keeps what it has") {
    const TempDir directory;
    {
        Database database(options_in(directory, node_schema().first(1)));
        database.begin();
        put_meta(database, "k", Bytes{1, 2});
        database.commit();
    }
    const DatabaseOptions options = options_in(directory, node_schema());
    {
        Database database(options);
        CHECK(database.schema_version() == static_cast<int>(node_schema().size()));
        CHECK(get_meta(database, "k") == Bytes{1, 2});
        CHECK(all_towers(database).empty());
        CHECK(all_promises(database).empty());
        CHECK(all_tower_policies(database).empty());
    }
    CHECK(std::filesystem::exists(options.path.string() + fmt::format(".before-v{}", node_schema().size())));
}

TEST_CASE("tower payments: kept once until they are credited") {
    const TempDir directory;
    Database db(options_in(directory, node_schema()));
    TowerPayment payment;
    payment.channel.data[0] = 1;
    payment.version = 9;
    payment.index = 3;
    payment.client.data[0] = 2;
    payment.amount = Amount::from_raw((Int128{1} << 90) + 1);
    TowerPayment next = payment;
    next.index = 4;
    db.begin();
    put_uncredited(db, payment);
    put_uncredited(db, payment);
    put_uncredited(db, next);
    db.commit();
    CHECK(uncredited_payments(db) == std::vector<TowerPayment>{payment, next});
    db.begin();
    delete_uncredited(db, payment);
    db.commit();
    CHECK(uncredited_payments(db) == std::vector<TowerPayment>{next});
}
