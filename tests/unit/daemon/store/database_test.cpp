#include "daemon/store/database.h"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "daemon/store/file_system.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Amount;
using hedgerow::channel::Bytes;
using hedgerow::channel::Hash;
using hedgerow::channel::Int128;

namespace {

constexpr std::array<Migration, 1> kSchema1 = {
    {{1, "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB, name TEXT)"}}};
constexpr std::array<Migration, 2> kSchema2 = {
    {kSchema1[0],
     {2, "ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 7; CREATE INDEX item_name ON item(name)"}}};

DatabaseOptions options_for(const TempDir& dir, std::span<const Migration> migrations = kSchema1) {
    DatabaseOptions options;
    options.path = dir.path() / "node.db";
    options.migrations = migrations;
    return options;
}

/// The kind that `action` throws; fails the test where it throws nothing.
template <typename Action>
StoreErrorKind kind_thrown(Action action) {
    try {
        action();
    } catch (const StoreError& error) {
        CHECK(std::string(error.what()).starts_with(store_error_name(error.kind())));
        return error.kind();
    }
    FAIL("no StoreError");
    return StoreErrorKind::internal;
}

StoreErrorKind kind_of_opening(const DatabaseOptions& options) {
    return kind_thrown([&] { Database database(options); });
}

void insert(Database& database, std::string_view name) {
    database.begin();
    database.run("INSERT INTO item (name) VALUES (?)", name);
    database.commit();
}

std::int64_t count_items(Database& database) {
    auto rows = database.query("SELECT count(*) FROM item");
    REQUIRE(rows.step());
    return rows.int64(0);
}

}  // namespace

TEST_CASE("store: values of every type come back as they went in") {
    const TempDir dir;
    Database database(options_for(dir));
    const Hash hash = *Hash::from(Bytes(32, 0xab));
    const Amount amount = Amount::from_raw(-(static_cast<Int128>(1) << 100) - 5);
    database.execute("CREATE TABLE v (a, b, c, d, e, f, g, h)");
    database.run("INSERT INTO v VALUES (?,?,?,?,?,?,?,?)", std::int64_t{-1}, std::uint64_t{1} << 62, "te\"xt",
                 Bytes{1, 2}, hash, amount, std::optional<int>(), Bytes{});
    auto row = database.query("SELECT * FROM v");
    REQUIRE(row.step());
    CHECK(row.int64(0) == -1);
    CHECK(row.uint64(1) == std::uint64_t{1} << 62);
    CHECK(row.text(2) == "te\"xt");
    CHECK(row.blob(3) == Bytes{1, 2});
    CHECK(row.fixed<Hash>(4) == hash);
    CHECK(row.number<Amount>(5) == amount);
    CHECK(row.is_null(6));
    CHECK(row.blob(7).empty());
    CHECK_FALSE(row.step());
}

TEST_CASE("store: a column of another type than asked for is corruption, not zero") {
    const TempDir dir;
    Database database(options_for(dir));
    auto row = database.query("SELECT 'text', -3, x'0102'");
    REQUIRE(row.step());
    CHECK(kind_thrown([&] { (void)row.int64(0); }) == StoreErrorKind::corrupt);
    CHECK(kind_thrown([&] { (void)row.uint64(1); }) == StoreErrorKind::corrupt);
    CHECK(kind_thrown([&] { (void)row.fixed<Hash>(2); }) == StoreErrorKind::corrupt);
    CHECK(kind_thrown([&] { (void)row.number<Amount>(2); }) == StoreErrorKind::corrupt);
}

TEST_CASE("store: misuse and broken constraints are named") {
    const TempDir dir;
    Database database(options_for(dir));
    CHECK(kind_thrown([&] { database.run("INSERT INTO item (name) VALUES (?)"); }) == StoreErrorKind::internal);
    CHECK(kind_thrown([&] { database.run("SELEKT"); }) == StoreErrorKind::internal);
    CHECK(kind_thrown([&] { database.run(""); }) == StoreErrorKind::internal);
    database.run("INSERT INTO item (id) VALUES (1)");
    CHECK(kind_thrown([&] { database.run("INSERT INTO item (id) VALUES (1)"); }) == StoreErrorKind::constraint);
    database.execute("CREATE TABLE child (item INTEGER REFERENCES item(id))");
    CHECK(kind_thrown([&] { database.run("INSERT INTO child VALUES (99)"); }) == StoreErrorKind::constraint);
}

TEST_CASE("store: one statement may be open twice, and many different ones do not pile up") {
    const TempDir dir;
    Database database(options_for(dir));
    for (int i = 0; i < 3; ++i) insert(database, "x");
    auto outer = database.query("SELECT id FROM item ORDER BY id");
    std::size_t pairs = 0;
    while (outer.step()) {
        auto inner = database.query("SELECT id FROM item ORDER BY id");
        while (inner.step()) ++pairs;
    }
    CHECK(pairs == 9);
    for (int i = 0; i < 2000; ++i) {
        auto row = database.query("SELECT " + std::to_string(i));
        REQUIRE(row.step());
        CHECK(row.int64(0) == i);
    }
}

TEST_CASE("store: data and generation survive a reopening") {
    const TempDir dir;
    std::int64_t generation = 0;
    {
        Database database(options_for(dir));
        insert(database, "kept");
        generation = database.generation();
    }
    Database database(options_for(dir));
    CHECK(count_items(database) == 1);
    CHECK(database.generation() == generation);
    CHECK_FALSE(database.accepted_stale());
    auto mode = database.query("PRAGMA synchronous");
    REQUIRE(mode.step());
    CHECK(mode.int64(0) == 2);  // FULL
}

TEST_CASE("store: an empty file is a fresh database; the file is its owner's only") {
    const TempDir dir;
    std::ofstream(dir.path() / "node.db").close();
    Database database(options_for(dir));
    CHECK(count_items(database) == 0);
    const TempDir other;
    Database created(options_for(other));
    const auto mode = std::filesystem::status(other.path() / "node.db").permissions();
    CHECK((mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
          std::filesystem::perms::none);
}

TEST_CASE("store: a second opener is refused as locked, in this and in another process") {
    const TempDir dir;
    Database database(options_for(dir));
    CHECK(kind_of_opening(options_for(dir)) == StoreErrorKind::locked);
    const pid_t child = fork();
    if (child == 0) {
        try {
            Database second(options_for(dir));
        } catch (const StoreError& error) {
            _exit(error.kind() == StoreErrorKind::locked ? 42 : 1);
        }
        _exit(2);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("store: garbage and damage are corrupt, another program's database is foreign") {
    const TempDir dir;
    std::ofstream(dir.path() / "node.db") << std::string(8192, 'x');
    CHECK(kind_of_opening(options_for(dir)) == StoreErrorKind::corrupt);

    const TempDir damaged;
    {
        Database database(options_for(damaged));
        for (int i = 0; i < 500; ++i) database.run("INSERT INTO item (body) VALUES (?)", Bytes(200, 1));
    }
    {
        std::fstream file(damaged.path() / "node.db", std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(3 * 4096);
        file << std::string(8 * 4096, '\xff');
    }
    CHECK(kind_of_opening(options_for(damaged)) == StoreErrorKind::corrupt);

    const TempDir foreign;
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open((foreign.path() / "node.db").c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "CREATE TABLE theirs (x)", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(other);
    CHECK(kind_of_opening(options_for(foreign)) == StoreErrorKind::foreign_application);
}

TEST_CASE("store: migrations run once, in order, after a copy; a newer schema is refused") {
    const TempDir dir;
    {
        Database database(options_for(dir));
        insert(database, "old");
        CHECK(database.schema_version() == 1);
    }
    CHECK_FALSE(std::filesystem::exists(dir.path() / "node.db.before-v2"));
    {
        Database database(options_for(dir, kSchema2));
        CHECK(database.schema_version() == 2);
        auto row = database.query("SELECT size FROM item WHERE name = 'old'");
        REQUIRE(row.step());
        CHECK(row.int64(0) == 7);
    }
    const auto copy = Database::open_reader(dir.path() / "node.db.before-v2");
    CHECK(copy->schema_version() == 1);
    CHECK(count_items(*copy) == 1);
    CHECK(kind_of_opening(options_for(dir, kSchema1)) == StoreErrorKind::newer_schema);
    Database again(options_for(dir, kSchema2));
    CHECK(count_items(again) == 1);
}

TEST_CASE("store: a migration that fails changes nothing") {
    const TempDir dir;
    { Database database(options_for(dir)); }
    const std::array<Migration, 2> broken = {{kSchema1[0], {2, "CREATE TABLE extra (x); SELEKT"}}};
    CHECK(kind_of_opening(options_for(dir, broken)) == StoreErrorKind::internal);
    Database database(options_for(dir));
    CHECK(database.schema_version() == 1);
    CHECK_FALSE(database.query("SELECT 1 FROM sqlite_master WHERE name = 'extra'").step());
}

TEST_CASE("store: an older copy swapped in is stale, unless the operator accepts it") {
    const TempDir dir;
    const auto path = dir.path() / "node.db";
    const auto saved = dir.path() / "saved.db";
    {
        Database database(options_for(dir));
        insert(database, "one");
    }
    std::filesystem::copy_file(path, saved);
    {
        Database database(options_for(dir));
        insert(database, "two");
    }
    std::filesystem::copy_file(saved, path, std::filesystem::copy_options::overwrite_existing);
    CHECK(kind_of_opening(options_for(dir)) == StoreErrorKind::stale_copy);
    auto accepting = options_for(dir);
    accepting.accept_stale = true;
    {
        Database database(accepting);
        CHECK(database.accepted_stale());
        CHECK(count_items(database) == 1);
    }
    Database database(options_for(dir));  // accepted once, agreed from then on
    CHECK_FALSE(database.accepted_stale());
}

/// The real disk, which counts how often the generation file is flushed.
class FlushCounter final : public FileSystem {
  public:
    int flushes = 0;

    const char* vfs() const override { return real_files().vfs(); }
    std::unique_ptr<OpenFile> open(const std::filesystem::path& path, Open how) override {
        auto file = real_files().open(path, how);
        if (path.extension() != ".generation") return file;
        return std::make_unique<Counted>(*this, std::move(file));
    }
    void rename(const std::filesystem::path& from, const std::filesystem::path& to, bool replace) override {
        real_files().rename(from, to, replace);
    }
    void remove(const std::filesystem::path& path) noexcept override { real_files().remove(path); }
    void sync_directory(const std::filesystem::path& directory) override { real_files().sync_directory(directory); }

  private:
    class Counted final : public OpenFile {
      public:
        Counted(FlushCounter& counter, std::unique_ptr<OpenFile> file)
            : m_counter(counter), m_file(std::move(file)) {}
        std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
            return m_file->read_at(offset, out);
        }
        void write_at(std::uint64_t offset, hedgerow::channel::ByteView bytes) override {
            m_file->write_at(offset, bytes);
        }
        void truncate(std::uint64_t size) override { m_file->truncate(size); }
        std::uint64_t size() override { return m_file->size(); }
        void sync() override {
            ++m_counter.flushes;
            m_file->sync();
        }
        void sync_data() override { sync(); }
        void forget() override {}
        bool lock() override { return m_file->lock(); }

      private:
        FlushCounter& m_counter;
        std::unique_ptr<OpenFile> m_file;
    };
};

TEST_CASE("store: a power cut takes back a bounded number of generations: the side file is flushed as commits go on") {
    const TempDir dir;
    FlushCounter disk;
    auto options = options_for(dir);
    options.files = &disk;
    Database database(options);
    const int at_opening = disk.flushes;
    for (int i = 0; i < 100; ++i) insert(database, "x");
    CHECK(disk.flushes == at_opening);  // not with each
    for (int i = 0; i < 1'000; ++i) insert(database, "x");
    CHECK(disk.flushes - at_opening == 4);
}

TEST_CASE("store: a lost, foreign or malformed generation file and a deleted database are stale") {
    const TempDir dir;
    const auto path = dir.path() / "node.db";
    const auto side = dir.path() / "node.db.generation";
    { Database database(options_for(dir)); }
    const auto saved = dir.path() / "saved.generation";
    std::filesystem::copy_file(side, saved);
    SUBCASE("lost") {
        std::filesystem::remove(side);
    }
    SUBCASE("malformed") {
        std::ofstream(side) << "hedgerow-generation zz";
    }
    SUBCASE("of another database") {
        const TempDir other;
        { Database database(options_for(other)); }
        std::filesystem::copy_file(other.path() / "node.db.generation", side,
                                   std::filesystem::copy_options::overwrite_existing);
    }
    SUBCASE("database deleted") {
        std::filesystem::remove(path);
    }
    CHECK(kind_of_opening(options_for(dir)) == StoreErrorKind::stale_copy);
    auto accepting = options_for(dir);
    accepting.accept_stale = true;
    { Database database(accepting); }
    Database database(options_for(dir));
    CHECK_FALSE(database.accepted_stale());
}

TEST_CASE("store: a write by somebody else between our commits is a generation conflict") {
    const TempDir dir;
    Database database(options_for(dir));
    sqlite3* intruder = nullptr;
    REQUIRE(sqlite3_open((dir.path() / "node.db").c_str(), &intruder) == SQLITE_OK);
    REQUIRE(sqlite3_exec(intruder, "UPDATE store_meta SET value = value + 1 WHERE key = 'generation'", nullptr, nullptr,
                         nullptr) == SQLITE_OK);
    sqlite3_close(intruder);
    CHECK(kind_thrown([&] { insert(database, "x"); }) == StoreErrorKind::generation_conflict);
    database.rollback();
    CHECK(count_items(database) == 0);
}

TEST_CASE("store: a full disk, a read-only database and a directory that is not there are named") {
    const TempDir dir;
    Database database(options_for(dir));
    database.execute("PRAGMA max_page_count = 8");
    CHECK(kind_thrown([&] {
              for (int i = 0; i < 100; ++i) database.run("INSERT INTO item (body) VALUES (?)", Bytes(4000, 1));
          }) == StoreErrorKind::disk_full);
    const auto reader = Database::open_reader(dir.path() / "node.db");
    CHECK(kind_thrown([&] { reader->run("INSERT INTO item (name) VALUES ('x')"); }) == StoreErrorKind::read_only);
    DatabaseOptions missing;
    missing.path = dir.path() / "no" / "such" / "node.db";
    CHECK(kind_of_opening(missing) == StoreErrorKind::io);
}

TEST_CASE("store: a reader sees what was committed, while the writer has a transaction open") {
    const TempDir dir;
    Database database(options_for(dir));
    insert(database, "seen");
    const auto reader = Database::open_reader(dir.path() / "node.db");
    database.begin();
    database.run("INSERT INTO item (name) VALUES ('unseen')");
    CHECK(count_items(*reader) == 1);
    database.commit();
    CHECK(count_items(*reader) == 2);
}
