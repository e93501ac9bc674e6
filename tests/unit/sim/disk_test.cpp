#include "tests/sim/disk.h"

#include <doctest/doctest.h>

#include <set>

#include "daemon/store/writer.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using sim::DiskFaults;
using sim::Random;
using sim::SimDisk;

namespace {

constexpr std::array<Migration, 1> kSchema = {{{1, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"}}};
const std::filesystem::path kPath = "/node/node.sqlite";

std::unique_ptr<Database> open_on(SimDisk& disk) {
    DatabaseOptions options;
    options.path = kPath;
    options.migrations = kSchema;
    options.files = &disk;
    return std::make_unique<Database>(options);
}

std::set<std::int64_t> items(Database& database) {
    std::set<std::int64_t> out;
    auto rows = database.query("SELECT id FROM item ORDER BY id");
    while (rows.step()) out.insert(rows.int64(0));
    return out;
}

/// The items of a writer that was told of each that is durable.
struct Story {
    std::int64_t next = 1;            ///< not yet handed to the writer
    std::set<std::int64_t> promised;  ///< reported as durable
};

StoreErrorKind failure_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const StoreError& error) {
        return error.kind();
    }
    FAIL("nothing was refused");
    return StoreErrorKind::internal;
}

/// One process: writes until it is ended, in the midst of whatever it does.
void live(SimDisk& disk, Random& random, Story& story) {
    disk.boot();
    disk.end_after(random.below(400), random.chance(800) ? SimDisk::End::power : SimDisk::End::kill);
    try {
        bool failed = false;
        WriterOptions stepped;
        stepped.drive = Drive::stepped;
        Writer writer(
            open_on(disk), [&](const StoreError&) { failed = true; }, stepped);
        const auto reader = Database::open_reader(kPath, disk);
        while (!failed && !disk.ended()) {
            for (std::uint64_t n = random.between(1, 4); n != 0; --n) {
                const std::int64_t id = story.next++;
                channel::Bytes body(random.below(3'000), 0x5a);
                REQUIRE(writer.submit([id, body](Database& db) { db.run("INSERT INTO item VALUES (?, ?)", id, body); },
                                      [&story, id] { story.promised.insert(id); }));
            }
            if (!writer.step()) break;
            writer.drain();
            if (!disk.faults().lies_about_sync && random.chance(100))
                CHECK(items(*reader).size() >= story.promised.size());
        }
    } catch (const StoreError&) {
        REQUIRE((disk.ended() || disk.faults().lies_about_sync));  // what a liar keeps may not even open
    }
    disk.end(SimDisk::End::power);
}

/// False where something that was promised is gone, or the database does not come up.
bool survives(SimDisk& disk, const Story& story) {
    disk.boot();
    try {
        const auto database = open_on(disk);
        const auto found = items(*database);
        return std::includes(found.begin(), found.end(), story.promised.begin(), story.promised.end());
    } catch (const StoreError&) {
        return false;
    }
}

}  // namespace

TEST_CASE("disk: whatever a writer promised survives kills and power cuts at any write and flush") {
    SimDisk::Counts counts;
    std::size_t promised = 0;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        CAPTURE(seed);
        Random random(seed);
        SimDisk disk(random.fork("disk"));
        Story story;
        for (int life = 0; life < 6; ++life) {
            live(disk, random, story);
            REQUIRE(survives(disk, story));
            disk.end(SimDisk::End::power);
        }
        promised += story.promised.size();
        counts.sectors_lost += disk.counts().sectors_lost;
        counts.sectors_kept += disk.counts().sectors_kept;
        counts.names_lost += disk.counts().names_lost;
    }
    // It was worth the trouble: much was promised, much was lost, some names too.
    CHECK(promised > 10'000);
    CHECK(counts.sectors_lost > 10'000);
    CHECK(counts.sectors_kept > 10'000);
    CHECK(counts.names_lost > 3);
}

TEST_CASE("disk: one that lies about flushes loses what was promised, and that is seen") {
    int lost = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Random random(seed);
        SimDisk disk(random.fork("disk"));
        Story story;
        live(disk, random, story);
        DiskFaults faults;
        faults.lies_about_sync = true;
        disk.set_faults(faults);
        for (int life = 0; life < 4; ++life) live(disk, random, story);
        lost += survives(disk, story) ? 0 : 1;
    }
    CHECK(lost >= 10);
}

TEST_CASE("disk: the same seed leaves the same bytes") {
    const auto run = [](std::uint64_t seed) {
        Random random(seed);
        SimDisk disk(random.fork("disk"));
        const auto file = disk.open("/node/one", FileSystem::Open::or_create);
        for (int i = 0; i < 40; ++i)
            file->write_at(random.below(60'000), channel::Bytes(random.below(5'000), std::uint8_t(i)));
        file->sync();
        for (int i = 0; i < 40; ++i)
            file->write_at(random.below(60'000), channel::Bytes(random.below(5'000), std::uint8_t(99)));
        disk.sync_directory("/node");
        disk.end(SimDisk::End::power);
        return disk.image();
    };
    std::set<channel::Bytes> different;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        const auto image = run(seed);
        CHECK(image == run(seed));
        different.insert(image.at("/node/one"));
    }
    CHECK(different.size() == 30);
}

TEST_CASE("disk: what was not flushed may be lost in parts, what was flushed never; kill -9 loses nothing") {
    std::set<std::size_t> kept;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SimDisk disk{Random(seed)};
        const channel::Bytes first(8'192, 1), second(8'192, 2);
        {
            const auto file = disk.open("/node/one", FileSystem::Open::create);
            file->write_at(0, first);
            file->sync();
            disk.sync_directory("/node");
            file->write_at(0, second);
        }
        disk.end(SimDisk::End::kill);
        CHECK(disk.image().at("/node/one") == second);
        disk.boot();
        disk.end(SimDisk::End::power);
        const channel::Bytes left = disk.image().at("/node/one");
        REQUIRE(left.size() == first.size());
        std::size_t sectors = 0;
        for (std::size_t at = 0; at < left.size(); at += SimDisk::kSector) {
            CHECK(std::count(left.begin() + std::ptrdiff_t(at), left.begin() + std::ptrdiff_t(at + SimDisk::kSector),
                             left[at]) == SimDisk::kSector);
            sectors += left[at] == 2 ? 1 : 0;
        }
        kept.insert(sectors);
    }
    CHECK(kept.contains(0));
    CHECK(kept.contains(16));
    CHECK(kept.size() > 5);
}

TEST_CASE("disk: full, failing and read-only disks are named") {
    SimDisk disk{Random(1)};
    auto database = open_on(disk);
    const auto fill = [&] {
        database->begin();
        for (std::int64_t id = 1; id < 2'000; ++id)
            database->run("INSERT INTO item VALUES (?, ?)", id, channel::Bytes(2'000, 7));
        database->commit();
    };
    DiskFaults faults;
    faults.capacity = disk.used() + 1'000'000;
    disk.set_faults(faults);
    CHECK(failure_of(fill) == StoreErrorKind::disk_full);
    database->rollback();
    faults = {};
    faults.fail_writes = 1'000'000;
    disk.set_faults(faults);
    CHECK(failure_of(fill) == StoreErrorKind::io);
    database->rollback();
    faults = {};
    faults.fail_syncs = 1'000'000;
    disk.set_faults(faults);
    CHECK(failure_of(fill) == StoreErrorKind::io);
    database->rollback();
    disk.set_faults({});
    fill();
    database.reset();
    disk.boot();
    faults = {};
    faults.read_only = true;
    disk.set_faults(faults);
    CHECK(failure_of([&] { database = open_on(disk); }) == StoreErrorKind::read_only);
    disk.set_faults({});
    CHECK(items(*open_on(disk)).size() == 1'999);
}

TEST_CASE("disk: a second process, an older copy and a spoilt page are refused by name") {
    SimDisk disk{Random(2)};
    auto database = open_on(disk);
    CHECK(failure_of([&] { (void)open_on(disk); }) == StoreErrorKind::locked);
    const auto add = [&](std::int64_t id) {
        database->begin();
        database->run("INSERT INTO item VALUES (?, ?)", id, channel::Bytes(100'000, 7));
        database->commit();
    };
    add(1);
    database.reset();
    auto old = disk.image();
    database = open_on(disk);
    add(2);
    database.reset();
    auto newest = disk.image();
    old.at(kPath.string() + ".generation") = newest.at(kPath.string() + ".generation");
    disk.restore(old);
    CHECK(failure_of([&] { (void)open_on(disk); }) == StoreErrorKind::stale_copy);
    disk.restore(newest);
    CHECK(items(*open_on(disk)) == std::set<std::int64_t>{1, 2});
    newest.at(kPath.string()).resize(20'000);
    disk.restore(newest);
    CHECK(failure_of([&] { (void)open_on(disk); }) == StoreErrorKind::corrupt);
}
