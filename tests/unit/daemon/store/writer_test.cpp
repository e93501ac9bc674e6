#include "daemon/store/writer.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <set>

#include "daemon/store/failpoint.h"
#include "tests/unit/daemon/store/child_reports.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Rule;

namespace {

constexpr std::array<Migration, 1> kSchema = {{{1, "CREATE TABLE item (id INTEGER PRIMARY KEY)"}}};

std::unique_ptr<Database> open_in(const TempDir& dir) {
    DatabaseOptions options;
    options.path = dir.path() / "node.db";
    options.migrations = kSchema;
    return std::make_unique<Database>(options);
}

Writer::Job insert_job(std::int64_t id) {
    return [id](Database& database) { database.run("INSERT INTO item VALUES (?)", id); };
}

std::set<std::int64_t> stored_items(Database& database) {
    std::set<std::int64_t> out;
    auto rows = database.query("SELECT id FROM item");
    while (rows.step()) out.insert(rows.int64(0));
    return out;
}

bool readable(int fd, int timeout_ms) {
    pollfd item{fd, POLLIN, 0};
    return poll(&item, 1, timeout_ms) == 1;
}

/// Drains until `count` callbacks ran.
void drain_all(Writer& writer, std::size_t count) {
    for (std::size_t done = 0; done < count;) {
        REQUIRE(readable(writer.completion_fd(), 10'000));
        done += writer.drain();
    }
}

/// Child: one writer that reports each durable id through the pipe, until the process dies.
[[noreturn]] void run_child(const TempDir& dir, int pipe_fd, const char* failpoints) {
    if (failpoints != nullptr && !arm_failpoints(failpoints)) _exit(3);
    Writer writer(open_in(dir), [](const StoreError&) { _exit(4); });
    for (std::int64_t id = 1; id < 1'000'000; ++id) {
        if (!writer.submit(insert_job(id), [pipe_fd, id] { hedgerow::testing::report(pipe_fd, static_cast<std::uint64_t>(id)); })) _exit(6);
        if (id % 7 == 0) writer.drain();
    }
    _exit(7);
}

/// Ids reported before the child ended; with kill_after > 0 it is killed once that many were seen.
std::set<std::int64_t> reported_by_child(const TempDir& dir, std::size_t kill_after, const char* failpoints) {
    const auto child = hedgerow::testing::reports_of_child(kill_after, [&](int pipe_fd) { run_child(dir, pipe_fd, failpoints); });
    CAPTURE(child.status);
    if (failpoints != nullptr) CHECK(child.was_killed());
    return {child.values.begin(), child.values.end()};
}

}  // namespace

TEST_CASE("writer: an idle one commits at once on the caller's thread; one that is behind does not") {
    const TempDir dir;
    std::vector<std::string> fatal;
    Writer writer(open_in(dir), [&](const StoreError& error) { fatal.emplace_back(error.what()); });
    Writer::Work first{{}, insert_job(1)};
    REQUIRE(writer.commit_now(first));
    const auto reader = Database::open_reader(dir.path() / "node.db");
    CHECK(stored_items(*reader) == std::set<std::int64_t>{1});
    CHECK_FALSE(readable(writer.completion_fd(), 0));
    CHECK(writer.flush());
    // What was committed and not drained yet comes first.
    REQUIRE(writer.submit(insert_job(2), [] {}));
    REQUIRE(writer.flush());
    Writer::Work second{{}, insert_job(3)};
    CHECK_FALSE(writer.commit_now(second));
    drain_all(writer, 1);
    CHECK(writer.commit_now(second));
    REQUIRE(writer.submit(insert_job(4), [] {}));
    drain_all(writer, 1);
    CHECK(stored_items(*reader) == std::set<std::int64_t>{1, 2, 3, 4});
    CHECK(writer.metrics().jobs == 4);
    Writer::Work again{{}, insert_job(4)};
    CHECK(writer.commit_now(again));
    CHECK(writer.failed());
    CHECK(fatal.size() == 1);
    CHECK_FALSE(writer.commit_now(again));
    CHECK(writer.submit(insert_job(5), [] {}).error() == Rule::store_failed);
}

TEST_CASE("writer: jobs run in order, callbacks come in order on the draining thread") {
    const TempDir dir;
    Writer writer(open_in(dir), [](const StoreError& error) { FAIL(error.what()); });
    std::vector<int> order;
    const auto here = std::this_thread::get_id();
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(writer.submit(insert_job(i), [&order, i, here] {
            CHECK(std::this_thread::get_id() == here);
            order.push_back(i);
        }));
    }
    drain_all(writer, 1000);
    REQUIRE(order.size() == 1000);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK_FALSE(readable(writer.completion_fd(), 0));
    const WriterMetrics metrics = writer.metrics();
    CHECK(metrics.jobs == 1000);
    CHECK(metrics.commits >= 1);
    CHECK(metrics.queued == 0);
}

TEST_CASE("writer: what queues during a commit shares the next one") {
    const TempDir dir;
    Writer writer(open_in(dir), [](const StoreError& error) { FAIL(error.what()); });
    std::atomic<bool> started = false;
    std::atomic<bool> go = false;
    REQUIRE(writer.submit(
        [&](Database&) {
            started = true;
            while (!go) std::this_thread::yield();
        },
        nullptr));
    while (!started) std::this_thread::yield();
    for (int i = 0; i < 500; ++i) REQUIRE(writer.submit(insert_job(i), nullptr));
    go = true;
    REQUIRE(writer.flush());
    CHECK(writer.metrics().commits == 2);
    CHECK(writer.metrics().largest_commit == 500);
}

TEST_CASE("writer: a full queue refuses try_submit by name and holds submit back") {
    const TempDir dir;
    WriterOptions options;
    options.max_queued_jobs = 4;
    Writer writer(
        open_in(dir), [](const StoreError& error) { FAIL(error.what()); }, options);
    std::atomic<bool> started = false;
    std::atomic<bool> go = false;
    REQUIRE(writer.submit(
        [&](Database&) {
            started = true;
            while (!go) std::this_thread::yield();
        },
        nullptr));
    while (!started) std::this_thread::yield();
    for (int i = 0; i < 4; ++i) REQUIRE(writer.try_submit(insert_job(i), nullptr));
    const auto refused = writer.try_submit(insert_job(4), nullptr);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == Rule::queue_full);
    std::atomic<bool> submitted = false;
    std::thread blocked([&] {
        CHECK(writer.submit(insert_job(5), nullptr));
        submitted = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK_FALSE(submitted);
    go = true;
    blocked.join();
    CHECK(writer.flush());
    drain_all(writer, 6);
    CHECK(writer.try_submit(insert_job(6), nullptr));
}

TEST_CASE("writer: an error rolls the transaction back, is reported once and ends the writer") {
    const TempDir dir;
    std::atomic<int> fatal = 0;
    std::atomic<int> durable = 0;
    {
        Writer writer(open_in(dir), [&](const StoreError& error) {
            CHECK(error.kind() == StoreErrorKind::constraint);
            ++fatal;
        });
        REQUIRE(writer.submit(insert_job(1), [&] { ++durable; }));
        REQUIRE(writer.flush());
        std::atomic<bool> go = false;
        REQUIRE(writer.submit(
            [&](Database&) {
                while (!go) std::this_thread::yield();
            },
            [&] { ++durable; }));
        const auto later = writer.submit(insert_job(2), [&] { ++durable; });
        const auto duplicate = writer.submit(insert_job(1), [&] { ++durable; });
        CHECK(later);
        CHECK(duplicate);
        go = true;
        CHECK_FALSE(writer.flush());
        CHECK(writer.failed());
        writer.drain();
        const auto after = writer.submit(insert_job(3), nullptr);
        REQUIRE_FALSE(after);
        CHECK(after.error() == Rule::store_failed);
    }
    CHECK(fatal == 1);
    CHECK(durable <= 2);
    auto database = open_in(dir);
    CHECK(stored_items(*database) == std::set<std::int64_t>{1});
}

TEST_CASE("writer: an exception that is no StoreError is fatal too") {
    const TempDir dir;
    std::atomic<int> fatal = 0;
    Writer writer(open_in(dir), [&](const StoreError& error) {
        CHECK(error.kind() == StoreErrorKind::internal);
        ++fatal;
    });
    REQUIRE(writer.submit([](Database&) { throw std::runtime_error("job"); }, nullptr));
    CHECK_FALSE(writer.flush());
    while (fatal == 0) std::this_thread::yield();
}

TEST_CASE("writer: its end makes everything queued durable") {
    const TempDir dir;
    {
        Writer writer(open_in(dir), [](const StoreError& error) { FAIL(error.what()); });
        for (int i = 0; i < 300; ++i) REQUIRE(writer.submit(insert_job(i), nullptr));
    }
    auto database = open_in(dir);
    CHECK(stored_items(*database).size() == 300);
}

TEST_CASE("writer: after kill -9 at any moment every job reported durable is there, and no gap before it") {
    for (const std::size_t kill_after : {std::size_t{1}, std::size_t{40}, std::size_t{700}}) {
        const TempDir dir;
        const auto reported = reported_by_child(dir, kill_after, nullptr);
        CHECK(reported.size() >= kill_after);
        auto database = open_in(dir);  // neither stale nor corrupt
        const auto stored = stored_items(*database);
        CHECK(std::includes(stored.begin(), stored.end(), reported.begin(), reported.end()));
        if (!stored.empty()) CHECK(stored.size() == static_cast<std::size_t>(*stored.rbegin()));
    }
}

TEST_CASE("writer: a death at each boundary of a commit leaves a database that opens") {
    for (const char* point :
         {"store.in_transaction:20", "store.before_commit:3", "store.after_commit_before_generation:4",
          "store.after_commit:3", "store.after_migration:1"}) {
        CAPTURE(point);
        const TempDir dir;
        const auto reported = reported_by_child(dir, 0, point);
        auto database = open_in(dir);
        const auto stored = stored_items(*database);
        CHECK(std::includes(stored.begin(), stored.end(), reported.begin(), reported.end()));
    }
}

TEST_CASE("failpoint: malformed text arms nothing") {
    for (const char* text : {"send.Ack", "send.Ack:", ":1", "send.Ack:0", "send.Ack:-1", "send.Ack:1y", "sent.Ack:1,send.Ack",
                             "nobody.knows:1"})
        CHECK_FALSE(arm_failpoints(text));
    failpoint("send", "Ack");
}
