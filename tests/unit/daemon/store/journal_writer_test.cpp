#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "daemon/store/failpoint.h"
#include "daemon/store/rows.h"
#include "daemon/store/writer.h"
#include "tests/unit/daemon/store/child_reports.h"
#include "tests/unit/daemon/store/node_database.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Bytes;
using hedgerow::channel::ChannelId;
using hedgerow::channel::Rule;

namespace {

WriterOptions journalled(const TempDir& dir, std::uint64_t checkpoint_ms = 1'000'000, std::size_t bytes = 1 << 20) {
    WriterOptions options;
    options.journal.emplace();
    options.journal->path = dir.path() / "node.journal";
    options.journal->segment_bytes = bytes;
    options.journal->max_segment_bytes = bytes;
    options.checkpoint_ms = checkpoint_ms;
    return options;
}

ChannelId channel_number(std::uint8_t number) {
    ChannelId out;
    out.data[0] = number;
    return out;
}

/// The signing record of channel `channel` is `value`.
Writer::Work record(std::uint8_t channel, std::uint64_t value, std::size_t size = 8) {
    Rows rows;
    Bytes bytes(size, 0);
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
    rows.put_signing_record(channel_number(channel), bytes);
    return {rows.take(), nullptr};
}

std::uint64_t value_of(Database& database, std::uint8_t channel) {
    auto row = database.query("SELECT record FROM signing_records WHERE channel = ?", channel_number(channel));
    if (!row.step()) return 0;
    const Bytes bytes = row.blob(0);
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; ++i) out |= std::uint64_t{bytes[i]} << (8 * i);
    return out;
}

void commit(Writer& writer, Writer::Work work) {
    REQUIRE(writer.submit(std::move(work), [] {}));
    REQUIRE(writer.flush());
}

}  // namespace

TEST_CASE("writer with a journal: rows are durable there, and in the database at a checkpoint") {
    const TempDir dir;
    Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, journalled(dir));
    const auto reader = Database::open_reader(dir.path() / "node.sqlite");
    commit(writer, record(1, 5));
    Writer::Work more = record(1, 6);
    writer.drain();
    REQUIRE(writer.commit_now(more));
    CHECK(value_of(*reader, 1) == 0);
    CHECK(writer.metrics().journalled == 2);
    CHECK(writer.metrics().checkpoints == 0);
    REQUIRE(writer.checkpoint());
    CHECK(value_of(*reader, 1) == 6);
    CHECK(writer.metrics().checkpoints == 1);
    REQUIRE(writer.checkpoint());  // nothing to do
    CHECK(writer.metrics().checkpoints == 1);
}

TEST_CASE("writer with a journal: a job takes everything before it along, in one transaction, and comes after its own rows") {
    const TempDir dir;
    Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, journalled(dir));
    const auto reader = Database::open_reader(dir.path() / "node.sqlite");
    commit(writer, record(1, 5));
    Writer::Work both = record(2, 7);
    std::uint64_t one = 0, two = 0;
    both.job = [&](Database& database) {
        one = value_of(database, 1);
        two = value_of(database, 2);
        put_meta(database, "k", Bytes{1});
    };
    commit(writer, std::move(both));
    CHECK(one == 5);
    CHECK(two == 7);
    CHECK(value_of(*reader, 1) == 5);
    CHECK(value_of(*reader, 2) == 7);
    CHECK(get_meta(*reader, "k") == Bytes{1});
    commit(writer, record(1, 6));  // and on in the journal
    CHECK(value_of(*reader, 1) == 5);
}

TEST_CASE("writer with a journal: it brings the database up to date by itself, by time and by size") {
    const TempDir dir;
    bool by_size = false;
    SUBCASE("time") { by_size = false; }
    SUBCASE("size") { by_size = true; }
    Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); },
                  by_size ? journalled(dir, 1'000'000, 4'096) : journalled(dir, 20));
    const auto reader = Database::open_reader(dir.path() / "node.sqlite");
    for (std::uint64_t i = 1; i <= 100; ++i) commit(writer, record(1, i));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    const std::uint64_t wanted = by_size ? 50 : 100;
    while (value_of(*reader, 1) < wanted && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(value_of(*reader, 1) >= wanted);
}

TEST_CASE("writer with a journal: a list that rows share is found again after checkpoints, full segments and crashes") {
    const TempDir dir;
    WriterOptions options = journalled(dir, 1'000'000, 8'192);
    options.drive = Drive::stepped;
    const auto open = [&] {
        return std::make_unique<Writer>(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, options);
    };
    auto writer = open();
    const auto reader = Database::open_reader(dir.path() / "node.sqlite");
    std::array<std::shared_ptr<const Bytes>, 3> lists;
    std::map<std::uint8_t, Bytes> expected;
    std::uint64_t journalled = 0;
    for (std::size_t i = 0; i < 300; ++i) {
        const auto number = static_cast<std::uint8_t>(i % 5);
        auto& list = lists[i % 7 % lists.size()];
        if (list == nullptr || i % 31 == 0) list = std::make_shared<const Bytes>(Bytes(1'500, static_cast<std::uint8_t>(i)));
        hedgerow::channel::Encoding head(Bytes{1, static_cast<std::uint8_t>(i)});
        head.parts = {{1, list}};
        expected[number] = head.whole();
        Rows rows;
        rows.put({channel_number(number), head, hedgerow::channel::Status::open, {}, i}, 1);
        REQUIRE(writer->submit(Writer::Work{rows.take(), nullptr}, [] {}));
        REQUIRE(writer->step());
        if (i % 13 == 0) REQUIRE(writer->checkpoint());
        if (i % 17 == 0) {
            journalled += writer->metrics().journalled;
            writer.reset();  // stepped: nothing brings its journal into the database
            writer = open();
        }
    }
    CHECK(journalled > 200);
    REQUIRE(writer->checkpoint());
    for (const auto& [number, head] : expected) {
        auto row = reader->query("SELECT head FROM channels WHERE id = ?", channel_number(number));
        REQUIRE(row.step());
        CHECK(row.blob(0) == head);
    }
}

TEST_CASE("writer with a journal: what nobody waits for is part of the next transaction, and of a checkpoint at the latest") {
    const TempDir dir;
    auto writer = std::make_unique<Writer>(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); },
                                           journalled(dir));
    const auto reader = Database::open_reader(dir.path() / "node.sqlite");
    std::vector<int> done;
    const auto later = [&](int number) {
        REQUIRE(writer->submit_later([number](Database& db) { put_meta(db, "k", Bytes{static_cast<std::uint8_t>(number)}); },
                                     [&done, number] { done.push_back(number); }));
    };
    later(1);
    later(2);
    commit(*writer, record(1, 5));  // rows alone: no transaction
    writer->drain();
    CHECK(done.empty());
    CHECK(!get_meta(*reader, "k").has_value());
    Writer::Work job{{}, [](Database& db) { CHECK(get_meta(db, "k") == Bytes{2}); }};
    commit(*writer, std::move(job));
    writer->drain();
    CHECK(done == std::vector<int>{1, 2});
    CHECK(value_of(*reader, 1) == 5);
    later(3);
    REQUIRE(writer->checkpoint());
    writer->drain();
    CHECK(done == std::vector<int>{1, 2, 3});
    CHECK(get_meta(*reader, "k") == Bytes{3});
    later(4);
    writer.reset();  // in good order
    CHECK(get_meta(*reader, "k") == Bytes{4});
}

TEST_CASE("writer with a journal: by itself it does before long what nobody waits for; a power cut may take that, unanswered") {
    const TempDir dir;
    WriterOptions options = journalled(dir);
    bool done = false;
    SUBCASE("before long") {
        Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, options);
        REQUIRE(writer.submit_later([](Database& db) { put_meta(db, "k", Bytes{1}); }, [&] { done = true; }));
        pollfd fd{writer.completion_fd(), POLLIN, 0};
        REQUIRE(::poll(&fd, 1, 10'000) == 1);
        writer.drain();
        CHECK(done);
    }
    SUBCASE("a power cut") {
        options.drive = Drive::stepped;
        {
            Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, options);
            REQUIRE(writer.submit_later([](Database& db) { put_meta(db, "k", Bytes{1}); }, [&] { done = true; }));
        }
        CHECK_FALSE(done);
        Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, options);
        CHECK_FALSE(writer.step());
        REQUIRE(writer.submit_later([](Database& db) { put_meta(db, "k", Bytes{2}); }, [&] { done = true; }));
        CHECK(writer.step());
        writer.drain();
        CHECK(done);
    }
    SUBCASE("no journal: at once") {
        Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); });
        REQUIRE(writer.submit_later([](Database& db) { put_meta(db, "k", Bytes{1}); }, [&] { done = true; }));
        REQUIRE(writer.flush());
        writer.drain();
        CHECK(done);
    }
}

TEST_CASE("writer with a journal: what does not fit goes to the database at once") {
    const TempDir dir;
    Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, journalled(dir, 1'000'000, 4'096));
    const auto reader = Database::open_reader(dir.path() / "node.sqlite");
    commit(writer, record(1, 5));
    commit(writer, record(2, 6, 5'000));
    CHECK(value_of(*reader, 1) == 5);
    CHECK(value_of(*reader, 2) == 6);
}

TEST_CASE("writer with a journal: ended in good order everything is in the database; the next one begins with nothing") {
    const TempDir dir;
    {
        Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, journalled(dir));
        commit(writer, record(1, 5));
    }
    Database database({.path = dir.path() / "node.sqlite", .migrations = node_schema()});
    CHECK(value_of(database, 1) == 5);
    CHECK(database.journal_applied() == 1);
}

TEST_CASE("writer with a journal: rows that do not decode stop it") {
    const TempDir dir;
    std::vector<std::string> fatal;
    Writer writer(open_node_database(dir), [&](const StoreError& error) { fatal.emplace_back(error.what()); }, journalled(dir));
    REQUIRE(writer.submit(Writer::Work{RowBytes{Bytes{0x77}, {}}, nullptr}, [] {}));
    CHECK(writer.flush());
    CHECK_FALSE(writer.checkpoint());
    CHECK(writer.failed());
    REQUIRE(fatal.size() == 1);
    CHECK(fatal[0].find("store_corrupt") != std::string::npos);
    CHECK(writer.submit(record(1, 1), [] {}).error() == Rule::store_failed);
}

namespace {

constexpr std::uint64_t kLastJob = 5'000;  ///< then rows alone: only checkpoints bring them into the database

/// Child: reports each durable value through the pipe, until the process dies.
[[noreturn]] void run_child(const TempDir& dir, int pipe_fd, const char* failpoints) {
    if (failpoints != nullptr && !arm_failpoints(failpoints)) _exit(3);
    Writer writer(open_node_database(dir), [](const StoreError&) { _exit(4); }, journalled(dir, 5, 4'096));
    for (std::uint64_t value = 1; value < 1'000'000; ++value) {
        Writer::Work work = record(static_cast<std::uint8_t>(value % 3), value);
        if (value % 500 == 0 && value <= kLastJob) work.job = [value](Database& db) { put_meta(db, "job", hedgerow::channel::wire_encode(value)); };
        if (!writer.submit(std::move(work), [pipe_fd, value] { hedgerow::testing::report(pipe_fd, value); })) _exit(6);
        if (value % 7 == 0) writer.drain();
    }
    _exit(7);
}

/// The newest value reported before the child ended; with kill_after > 0 it is killed once that many were seen.
std::uint64_t reported_by_child(const TempDir& dir, std::size_t kill_after, const char* failpoints) {
    const auto child = hedgerow::testing::reports_of_child(kill_after, [&](int pipe_fd) { run_child(dir, pipe_fd, failpoints); });
    CAPTURE(child.status);
    CHECK(child.was_killed());
    return child.values.empty() ? 0 : child.values.back();
}

}  // namespace

TEST_CASE("writer with a journal: killed anywhere, what was reported is there, and nothing newer is without what came before it") {
    const std::array<const char*, 8> deaths = {nullptr,
                                               "journal.written:20",
                                               "journal.flushed:20",
                                               "journal.checkpoint:2",
                                               "store.before_commit:3",
                                               "store.after_commit:3",
                                               "store.in_transaction:2",
                                               "store.after_commit_before_generation:3"};
    for (const char* death : deaths) {
        CAPTURE(std::string(death == nullptr ? "kill" : death));
        const TempDir dir;
        for (int life = 0; life < 3; ++life) {
            const std::uint64_t newest = reported_by_child(dir, death == nullptr ? 200 : 0, death);
            Writer writer(open_node_database(dir), [](const StoreError& error) { FAIL(error.what()); }, journalled(dir));
            const auto reader = Database::open_reader(dir.path() / "node.sqlite");
            std::set<std::uint64_t> values;
            for (std::uint8_t channel = 0; channel < 3; ++channel) values.insert(value_of(*reader, channel));
            CHECK(*values.rbegin() >= newest);
            // The three newest, one a channel: every row up to the newest, in order.
            if (*values.rbegin() >= 3) CHECK(*values.begin() == *values.rbegin() - 2);
            const auto job = get_meta(*reader, "job");
            const std::uint64_t job_value = job ? *hedgerow::channel::wire_decode<std::uint64_t>(*job) : 0;
            CHECK(job_value == std::min(*values.rbegin() / 500 * 500, kLastJob));
            // The next life begins from 1 again: as if all were new.
            REQUIRE(writer.submit([](Database& db) { db.run("DELETE FROM signing_records"); db.run("DELETE FROM meta"); }, [] {}));
            REQUIRE(writer.flush());
        }
    }
}
