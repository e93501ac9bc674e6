#include "daemon/base/workers.h"

#include <doctest/doctest.h>

#include <array>
#include <set>

using namespace hedgerow::daemon;

TEST_CASE("workers: every piece runs once, and all have when run() returns, list after list") {
    for (const std::size_t count : {1, 2, 5}) {
        Workers workers(count);
        CHECK(workers.count() == count);
        std::uint64_t sum = 0;
        for (std::size_t list = 0; list < 300; ++list) {
            const std::size_t pieces = list % 70;
            std::vector<std::size_t> ran(pieces, 0);  // each written by whoever ran it, read after run()
            workers.run(pieces, [&](std::size_t i) { ran[i] += i + 1; });
            for (std::size_t i = 0; i < pieces; ++i) REQUIRE(ran[i] == i + 1);
            sum += pieces;
        }
        CHECK(sum == 300 / 70 * (69 * 70 / 2) + 19 * 20 / 2);
    }
}

TEST_CASE("workers: more than one thread takes part; one alone is the caller's own") {
    const auto here = std::this_thread::get_id();
    Workers one(1);
    one.run(10, [&](std::size_t) { CHECK(std::this_thread::get_id() == here); });
    Workers two(2);
    std::mutex mutex;
    std::condition_variable both;
    std::set<std::thread::id> seen;
    two.run(2, [&](std::size_t) {  // neither piece ends before the other has begun
        std::unique_lock lock(mutex);
        seen.insert(std::this_thread::get_id());
        both.notify_all();
        both.wait(lock, [&] { return seen.size() == 2; });
    });
    CHECK(seen.size() == 2);
}
