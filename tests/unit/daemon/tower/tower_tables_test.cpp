#include "daemon/tower/tower_tables.h"

#include <doctest/doctest.h>
#include <sodium.h>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/tower/appointment.h"
#include "daemon/tower/tower_schema.h"
#include "tests/unit/daemon/store/temp_dir.h"
#include "wallet/keys/node_identity.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::daemon;

namespace {

constexpr std::size_t kSmall = (4 << 10) + kAppointmentOverhead;
constexpr std::size_t kMiddle = (16 << 10) + kAppointmentOverhead;

template <typename Id>
Id id_of(std::uint8_t n) {
    Id id;
    id.data[0] = n;
    return id;
}

TowerStore store_of(std::uint8_t locator, std::uint64_t version, std::uint8_t fill = 1, std::size_t bytes = kSmall) {
    TowerStore out;
    out.locator = id_of<Locator>(locator);
    out.version = version;
    out.blob.assign(bytes, fill);
    return out;
}

/// A tower's database and its identity; reopen() is what kill -9 and a start would do.
struct Shop {
    TempDir directory;
    std::unique_ptr<Database> db;
    wallet::NodeIdentity identity = *wallet::NodeIdentity::from_seed(Bytes(32, 7));
    ReceiptMaker maker;
    TowerQuota free{3, 1 << 20, 2, 1'000};
    NodeId alice = id_of<NodeId>(1), bob = id_of<NodeId>(2);

    Shop() {
        open();
        maker.tower = identity.node_id();
        maker.sign = [this](ByteView message) { return identity.sign(kReceiptDomain, message); };
        maker.now_ms = 1'800'000'000'000;
    }
    void open() { db = std::make_unique<Database>(tower_database(directory.path() / "tower.sqlite")); }
    void reopen() {
        db.reset();
        open();
    }
    template <typename Work>
    auto commit(Work work) {
        db->begin();
        auto out = work();
        db->commit();
        return out;
    }
    StoreOutcome store(const NodeId& client, const TowerStore& s, Rule more = Rule::none) {
        return commit([&] { return store_appointment(*db, maker, client, s, free, more); });
    }
    StoreOutcome end(const NodeId& client, std::uint8_t locator, std::uint64_t version) {
        TowerEnd message;
        message.locator = id_of<Locator>(locator);
        message.version = version;
        return commit([&] { return end_appointment(*db, maker, client, message); });
    }
    Rule backup(const NodeId& client, std::uint8_t slot, std::uint64_t number, std::size_t bytes,
                std::uint8_t fill = 1) {
        BackupStore message;
        message.slot = id_of<Locator>(slot);
        message.number = number;
        message.blob.assign(bytes, fill);
        return commit([&] { return store_backup(*db, client, message, free, maker.now_ms); });
    }
    bool genuine(const TowerReceipt& receipt) {
        return wallet::verify_node_signature(identity.node_id(), kReceiptDomain, receipt_message(receipt),
                                             receipt.signature);
    }
};

}  // namespace

TEST_CASE("tower: receipts are signed, numbered and chained, per client and locator") {
    Shop shop;
    const StoreOutcome first = shop.store(shop.alice, store_of(1, 5));
    REQUIRE(first.rule == Rule::none);
    CHECK(shop.genuine(first.receipt));
    CHECK(first.receipt.number == 1);
    CHECK(first.receipt.previous == Hash());
    CHECK(first.receipt.version == 5);
    CHECK(first.receipt.client == shop.alice);
    CHECK(first.receipt.blob_hash == keccak256(store_of(1, 5).blob));
    CHECK(first.receipt.time_ms == shop.maker.now_ms);

    const StoreOutcome second = shop.store(shop.alice, store_of(1, 9, 2));
    REQUIRE(second.rule == Rule::none);
    CHECK(second.receipt.number == 2);
    CHECK(second.receipt.previous == receipt_hash(first.receipt));
    CHECK(shop.genuine(second.receipt));
    TowerReceipt forged = second.receipt;
    forged.version = 10;
    CHECK_FALSE(shop.genuine(forged));

    // Another client under the same locator, and another locator: chains of their own.
    CHECK(shop.store(shop.bob, store_of(1, 5)).receipt.number == 1);
    CHECK(shop.store(shop.alice, store_of(2, 5)).receipt.number == 1);
    CHECK(fetch_appointment(*shop.db, shop.alice, id_of<Locator>(1))->version == 9);
    CHECK(fetch_appointment(*shop.db, shop.bob, id_of<Locator>(1))->version == 5);
    CHECK(tower_totals(*shop.db).all_records() == 3);
}

TEST_CASE("tower: a newer version replaces, an older one is refused, the same one has the same receipt") {
    Shop shop;
    const StoreOutcome first = shop.store(shop.alice, store_of(1, 5));
    const StoreOutcome again = shop.store(shop.alice, store_of(1, 5));
    CHECK(again.repeated);
    CHECK(again.receipt == first.receipt);
    CHECK(shop.store(shop.alice, store_of(1, 4)).rule == Rule::tower_version_old);
    // Killed between commit and answer: the client sends again, and hears the same.
    shop.reopen();
    CHECK(shop.store(shop.alice, store_of(1, 5)).receipt == first.receipt);
    // The same version with more in it (a preimage) is a new record of its own.
    const StoreOutcome fuller = shop.store(shop.alice, store_of(1, 5, 9));
    CHECK_FALSE(fuller.repeated);
    CHECK(fuller.receipt.number == 2);
    CHECK(fuller.receipt.previous == receipt_hash(first.receipt));
    const auto held = fetch_appointment(*shop.db, shop.alice, id_of<Locator>(1));
    REQUIRE(held);
    CHECK(held->blob[0] == 9);
    CHECK(held->receipt == fuller.receipt);
    CHECK(shop.store(shop.alice, store_of(1, 0)).rule == Rule::version_out_of_range);
    CHECK(shop.store(shop.alice, store_of(1, kMaxVersion + 1)).rule == Rule::version_out_of_range);
    CHECK(shop.store(shop.alice, store_of(1, kMaxVersion)).rule == Rule::none);
}

TEST_CASE("tower: only sizes that are classes") {
    Shop shop;
    for (const std::size_t bytes : {std::size_t{0}, kSmall - 1, kSmall + 1, std::size_t{4096}, kMaxTowerBlob})
        CHECK(shop.store(shop.alice, store_of(1, 5, 1, bytes)).rule == Rule::tower_blob_size);
    CHECK(tower_totals(*shop.db).clients == 0);  // a refusal leaves nothing behind
}

TEST_CASE("tower: quota of records and bytes, and what replaces costs only its growth") {
    Shop shop;
    shop.free = {2, 2 * kSmall + 100, 0, 0};
    CHECK(shop.store(shop.alice, store_of(1, 1)).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(2, 1)).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(3, 1)).rule == Rule::tower_over_quota);
    CHECK(shop.store(shop.alice, store_of(2, 2)).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(2, 3, 1, kMiddle)).rule == Rule::tower_over_quota);
    CHECK(shop.store(shop.bob, store_of(3, 1)).rule == Rule::none);  // another's quota is another's

    shop.free.records = 100;
    CHECK(shop.store(shop.alice, store_of(3, 1)).rule == Rule::tower_over_quota);  // bytes
    shop.free.bytes = 3 * kSmall;
    CHECK(shop.store(shop.alice, store_of(3, 1)).rule == Rule::none);
    const TowerTotals totals = tower_totals(*shop.db);
    CHECK(totals.records[0] == 4);
    CHECK(totals.bytes == 4 * kSmall);
    CHECK(totals.clients == 2);
}

TEST_CASE("tower: a subscription, and what becomes of it when it ends") {
    Shop shop;
    shop.free = {0, 0, 0, 0};
    CHECK(shop.store(shop.alice, store_of(1, 1)).rule == Rule::tower_not_subscribed);
    shop.commit([&] {
        grant(*shop.db, shop.alice, 2, 10 * kMiddle, shop.maker.now_ms + 1'000);
        return 0;
    });
    CHECK(shop.store(shop.alice, store_of(1, 1, 1, kMiddle)).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(2, 1)).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(3, 1)).rule == Rule::tower_over_quota);
    CHECK(shop.store(shop.bob, store_of(3, 1)).rule == Rule::tower_not_subscribed);
    shop.maker.now_ms += 999;
    CHECK(shop.store(shop.alice, store_of(1, 2, 1, kMiddle)).rule == Rule::none);
    shop.maker.now_ms += 1;  // over
    CHECK(shop.store(shop.alice, store_of(3, 1)).rule == Rule::tower_not_subscribed);
    CHECK(shop.store(shop.alice, store_of(1, 3, 1, kMiddle)).rule == Rule::none);  // no larger: still protected
    CHECK(shop.store(shop.alice, store_of(2, 3, 1, kMiddle)).rule == Rule::tower_not_subscribed);
    const auto clients = list_clients(*shop.db, NodeId(), 10);
    REQUIRE(clients.size() == 1);
    CHECK(clients[0].node == shop.alice);
    CHECK(clients[0].records == 2);
    CHECK(clients[0].bytes == kMiddle + kSmall);
    CHECK(clients[0].granted_records == 2);
}

TEST_CASE("tower: what it could not afford to enforce it does not take, but it lets replace") {
    Shop shop;
    CHECK(shop.store(shop.alice, store_of(1, 1), Rule::tower_cannot_afford).rule == Rule::tower_cannot_afford);
    CHECK(shop.store(shop.alice, store_of(1, 1), Rule::tower_behind).rule == Rule::tower_behind);
    CHECK(shop.store(shop.alice, store_of(1, 1)).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(1, 2), Rule::tower_cannot_afford).rule == Rule::none);
    CHECK(shop.store(shop.alice, store_of(1, 3, 1, kMiddle), Rule::tower_cannot_afford).rule ==
          Rule::tower_cannot_afford);
}

TEST_CASE("tower: an ended record is gone, its receipts go on") {
    Shop shop;
    const TowerReceipt first = shop.store(shop.alice, store_of(1, 5)).receipt;
    CHECK(shop.end(shop.alice, 2, 5).rule == Rule::tower_record_unknown);
    CHECK(shop.end(shop.bob, 1, 5).rule == Rule::tower_record_unknown);
    CHECK(shop.end(shop.alice, 1, 4).rule == Rule::tower_version_old);
    const StoreOutcome ended = shop.end(shop.alice, 1, 5);
    REQUIRE(ended.rule == Rule::none);
    CHECK(ended.receipt.version == 0);
    CHECK(ended.receipt.blob_hash == Hash());
    CHECK(ended.receipt.number == 2);
    CHECK(ended.receipt.previous == receipt_hash(first));
    CHECK(shop.genuine(ended.receipt));
    CHECK(shop.end(shop.alice, 1, 5).receipt == ended.receipt);
    CHECK(fetch_appointment(*shop.db, shop.alice, id_of<Locator>(1)).error() == Rule::tower_record_unknown);
    CHECK(records_under(*shop.db, id_of<Locator>(1), 0, 10).empty());
    CHECK(tower_totals(*shop.db).all_records() == 0);
    CHECK(tower_totals(*shop.db).bytes == 0);
    const StoreOutcome back = shop.store(shop.alice, store_of(1, 5));
    CHECK(back.receipt.number == 3);
    CHECK(back.receipt.previous == receipt_hash(ended.receipt));
    CHECK(tower_totals(*shop.db).all_records() == 1);
}

TEST_CASE("tower: ended receipts are bounded; the oldest go") {
    Shop shop;
    shop.free = {2'000, 1 << 30, 0, 0};
    const auto locator = [](std::uint64_t n) {
        Locator out;
        out.data[0] = static_cast<std::uint8_t>(n);
        out.data[1] = static_cast<std::uint8_t>(n >> 8);
        return out;
    };
    shop.db->begin();
    for (std::uint64_t n = 0; n < kMaxEnded + 5; ++n) {
        TowerStore store = store_of(0, 1);
        store.locator = locator(n);
        TowerEnd end;
        end.locator = locator(n);
        end.version = 1;
        shop.maker.now_ms += 1;
        REQUIRE(store_appointment(*shop.db, shop.maker, shop.alice, store, shop.free, Rule::none).rule == Rule::none);
        REQUIRE(end_appointment(*shop.db, shop.maker, shop.alice, end).rule == Rule::none);
    }
    shop.db->commit();
    const auto receipt_number = [&](std::uint64_t n) {
        TowerStore store = store_of(0, 1);
        store.locator = locator(n);
        return shop
            .commit([&] { return store_appointment(*shop.db, shop.maker, shop.alice, store, shop.free, Rule::none); })
            .receipt.number;
    };
    CHECK(receipt_number(4) == 1);  // forgotten
    CHECK(receipt_number(5) == 3);  // still known
}

TEST_CASE("tower: under a locator every client's record is found, page by page; when the channel is over all go") {
    Shop shop;
    shop.free = {10, 1 << 20, 0, 0};
    CHECK(shop.store(shop.alice, store_of(1, 5)).rule == Rule::none);
    CHECK(shop.store(shop.bob, store_of(1, 8)).rule == Rule::none);
    CHECK(shop.store(shop.bob, store_of(2, 9)).rule == Rule::none);
    CHECK(shop.store(shop.bob, store_of(3, 9)).rule == Rule::none);
    const auto found = records_under(*shop.db, id_of<Locator>(1), 0, 10);
    REQUIRE(found.size() == 2);
    CHECK(found[0].version == 5);
    CHECK(found[1].version == 8);
    const auto first = records_under(*shop.db, id_of<Locator>(1), 0, 1);
    REQUIRE(first.size() == 1);
    const auto second = records_under(*shop.db, id_of<Locator>(1), first[0].client, 1);
    REQUIRE(second.size() == 1);
    CHECK(second[0].version == 8);

    const DisputeRow row{id_of<ChannelId>(7), id_of<Secret>(8), id_of<Locator>(1), id_of<Locator>(2)};
    const auto change = [&](auto work) {
        shop.commit([&] {
            work();
            return 0;
        });
    };
    const DisputeRow stranger{id_of<ChannelId>(9), id_of<Secret>(9), id_of<Locator>(8), id_of<Locator>(9)};
    change([&] { put_dispute(*shop.db, stranger); });
    CHECK(engaged_disputes(*shop.db).empty());
    change([&] { put_dispute(*shop.db, row); });
    change([&] { put_dispute(*shop.db, row); });  // the same challenge once more
    REQUIRE(engaged_disputes(*shop.db).size() == 1);
    CHECK(engaged_disputes(*shop.db)[0].secret == row.secret);
    // A record for a channel whose secret is known says so; a repeated one does not.
    CHECK(shop.store(shop.alice, store_of(2, 1)).disputed == row.channel);
    CHECK(shop.store(shop.alice, store_of(1, 6)).disputed == row.channel);
    CHECK_FALSE(shop.store(shop.alice, store_of(3, 1)).disputed);

    RecordedEvent event;
    event.block = 5;
    event.end_s = 99;
    event.challenger = Party::B;
    event.state.version = 3;
    RecordedEvent later = event;
    later.block = 6;
    later.end_s = 0;
    later.state.version = 4;
    change([&] {
        put_recorded(*shop.db, row.channel, later);
        put_recorded(*shop.db, row.channel, event);
    });
    const auto events = recorded_events(*shop.db, row.channel);
    REQUIRE(events.size() == 2);
    CHECK(events[0].end_s == 99);
    CHECK(events[0].challenger == Party::B);
    CHECK(events[1].state.version == 4);
    change([&] { delete_recorded(*shop.db, row.channel, 6, 0); });
    CHECK(recorded_events(*shop.db, row.channel).size() == 1);

    CHECK(shop.store(shop.alice, store_of(9, 1)).disputed == stranger.channel);
    CHECK(engaged_disputes(*shop.db).size() == 2);
    change([&] { drop_dispute(*shop.db, stranger.channel); });

    change([&] { drop_dispute(*shop.db, row.channel); });
    CHECK(records_under(*shop.db, id_of<Locator>(1), 0, 10).empty());
    CHECK(records_under(*shop.db, id_of<Locator>(2), 0, 10).empty());
    CHECK_FALSE(find_dispute(*shop.db, row.channel));
    CHECK(recorded_events(*shop.db, row.channel).empty());
    const TowerTotals totals = tower_totals(*shop.db);
    CHECK(totals.all_records() == 2);
    CHECK(totals.bytes == 2 * kSmall);
    const auto clients = list_clients(*shop.db, NodeId(), 10);
    CHECK(clients[0].records == 1);
    CHECK(clients[1].records == 1);
}

TEST_CASE("tower: backups replace by number, within their own quota, and come back page by page") {
    Shop shop;
    CHECK(shop.backup(shop.alice, 1, 5, 600) == Rule::none);
    CHECK(shop.backup(shop.alice, 1, 5, 600) == Rule::none);
    CHECK(shop.backup(shop.alice, 1, 5, 600, 2) == Rule::backup_older);
    CHECK(shop.backup(shop.alice, 1, 4, 600) == Rule::backup_older);
    CHECK(shop.backup(shop.alice, 1, 6, 500) == Rule::none);
    CHECK(shop.backup(shop.alice, 2, 1, 501) == Rule::backup_over_quota);
    CHECK(shop.backup(shop.alice, 2, 1, 500) == Rule::none);
    CHECK(shop.backup(shop.alice, 3, 1, 0) == Rule::none);  // to forget what is not here
    CHECK(shop.backup(shop.bob, 3, 1, 1'000) == Rule::none);
    CHECK(shop.backup(shop.alice, 1, 7, 0) == Rule::none);
    CHECK(shop.backup(shop.alice, 3, 1, 400) == Rule::none);
    CHECK(shop.backup(shop.alice, 4, 1, 1) == Rule::backup_over_quota);  // slots
    CHECK(shop.backup(shop.alice, 4, ~std::uint64_t{0}, 1) == Rule::field_out_of_range);
    CHECK(tower_totals(*shop.db).backups == 3);
    CHECK(tower_totals(*shop.db).backup_bytes == 1'900);

    shop.free.backups = 100;
    shop.free.backup_bytes = 100'000;
    for (std::uint8_t slot = 10; slot < 20; ++slot) CHECK(shop.backup(shop.alice, slot, 1, 10) == Rule::none);
    const BackupItems page = fetch_backups(*shop.db, shop.alice, Locator());
    REQUIRE(page.items.size() == kMaxBackupsPerMessage);
    CHECK(page.more);
    CHECK(page.items[0].slot == id_of<Locator>(2));
    CHECK(page.items[0].blob.size() == 500);
    const BackupItems rest = fetch_backups(*shop.db, shop.alice, page.items.back().slot);
    CHECK(rest.items.size() == 4);
    CHECK_FALSE(rest.more);
    CHECK(fetch_backups(*shop.db, id_of<NodeId>(9), Locator()).items.empty());
}

TEST_CASE("tower: a payment is credited once, in proportion, and behind what was paid for before") {
    Shop shop;
    constexpr std::uint64_t kDayMs = 86'400'000;
    const TowerFee fee{{}, Amount::from_raw(5'000'000), 30 * 86'400, 10};
    const auto pay = [&](std::uint64_t version, std::uint16_t index, Int128 amount, std::uint64_t now_ms) {
        const TowerPayment payment{id_of<ChannelId>(7), version, index, shop.alice, Amount::from_raw(amount)};
        shop.commit([&] { return credit_payment(*shop.db, payment, fee, now_ms), 0; });
        return client_account(*shop.db, shop.alice);
    };
    const std::uint64_t start = shop.maker.now_ms;
    ClientAccount account = pay(3, 0, 5'000'000, start);
    CHECK(account.granted_records == 10);
    CHECK(account.granted_bytes == 10 * kMaxTowerBlob);
    CHECK(account.granted_until_ms == start + 30 * kDayMs);
    // Credited before, also after a start.
    shop.reopen();
    CHECK(pay(3, 0, 5'000'000, start + 1).granted_until_ms == start + 30 * kDayMs);
    CHECK(pay(3, 1, 2'500'000, start + 1).granted_until_ms == start + 45 * kDayMs);
    CHECK(pay(4, 0, 1, start + 2).granted_until_ms == start + 45 * kDayMs + 518);  // 2,592,000,000 / 5,000,000
    // What the operator gave is not made less, while it runs.
    shop.commit([&] { return grant(*shop.db, shop.alice, 100, 1, start + 50 * kDayMs), 0; });
    account = pay(5, 0, 5'000'000, start + kDayMs);
    CHECK(account.granted_records == 100);
    CHECK(account.granted_bytes == 10 * kMaxTowerBlob);
    CHECK(account.granted_until_ms == start + 80 * kDayMs);
    account = pay(6, 0, 5'000'000, start + 90 * kDayMs);
    CHECK(account.granted_records == 10);
    CHECK(account.granted_until_ms == start + 120 * kDayMs);
    // The largest amounts do not wrap round, and what the operator gave for longer stays.
    const std::uint64_t century = 36'500 * kDayMs;
    CHECK(pay(7, 0, (Int128{1} << 95), start).granted_until_ms == start + century);
    shop.commit([&] { return grant(*shop.db, shop.alice, 1, 1, start + 2 * century), 0; });
    CHECK(pay(8, 0, 5'000'000, start).granted_until_ms == start + 2 * century);
    CHECK(client_account(*shop.db, shop.bob).granted_until_ms == std::nullopt);
}

TEST_CASE("tower: its database is no node's, and starts where it was") {
    Shop shop;
    CHECK(shop.store(shop.alice, store_of(1, 5)).rule == Rule::none);
    shop.db.reset();
    DatabaseOptions node = tower_database(shop.directory.path() / "tower.sqlite");
    node.application_id = 0x48444752;
    CHECK_THROWS_AS(Database{node}, StoreError);
    shop.open();
    CHECK(tower_totals(*shop.db).all_records() == 1);
}
