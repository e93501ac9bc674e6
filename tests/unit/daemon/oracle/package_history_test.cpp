#include "daemon/oracle/package_history.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "daemon/oracle/package_file.h"
#include "tests/unit/daemon/oracle/oracle_support.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using namespace hedgerow::daemon::testing;

namespace {

constexpr std::uint64_t kStart = 1'700'000'040;  // a whole minute

struct Fixture {
    TempDir dir;
    TestOracle a{1}, b{2};

    [[nodiscard]] HistoryConfig config(std::vector<HistoryTier> tiers = {{1, 10}, {60, 600}}) const {
        return HistoryConfig{std::move(tiers), dir.path() / "history"};
    }
    static Rule add(PackageHistory& history, const TestOracle& oracle, std::uint64_t time_s,
                    std::string_view at = "100") {
        return history.add(feed("BTC_USD"), time_s * 1000, oracle.address(),
                           oracle.package("BTC_USD", at, time_s * 1000));
    }
};

std::size_t count(const PackageHistory& history, std::uint64_t time_s) {
    return history.list(feed("BTC_USD"), time_s).size();
}

}  // namespace

TEST_CASE("package history: one package of each signer, at slot times") {
    Fixture f;
    PackageHistory history(HistoryConfig{{{60, 600}}, {}});
    CHECK(Fixture::add(history, f.a, kStart) == Rule::none);
    CHECK(Fixture::add(history, f.a, kStart, "101") == Rule::package_replayed);
    CHECK(Fixture::add(history, f.b, kStart) == Rule::none);
    CHECK(Fixture::add(history, f.a, kStart + 1) == Rule::package_malformed);
    CHECK_FALSE(history.wants(kStart * 1000 + 250));
    CHECK(count(history, kStart) == 2);
    CHECK(history.newest_s() == kStart);
}

TEST_CASE("package history: tiers bound it") {
    Fixture f;
    PackageHistory history(HistoryConfig{{{1, 10}, {60, 600}}, {}});
    for (std::uint64_t i = 0; i <= 100; ++i) REQUIRE(Fixture::add(history, f.a, kStart + i) == Rule::none);
    CHECK(count(history, kStart + 100) == 1);
    CHECK(count(history, kStart + 90) == 1);
    CHECK(count(history, kStart + 89) == 0);
    CHECK(count(history, kStart + 60) == 1);  // the minutes stay
    CHECK(count(history, kStart) == 1);
    CHECK(history.size() == 11 + 2);
    CHECK(Fixture::add(history, f.b, kStart + 89) == Rule::package_stale);
    CHECK(Fixture::add(history, f.b, kStart + 60) == Rule::none);
}

TEST_CASE("package history: feeds and signers are bounded") {
    Fixture f;
    PackageHistory history(HistoryConfig{{{1, 10}}, {}});
    for (std::size_t i = 0; i < PackageHistory::kMaxFeeds; ++i) {
        Feed id;
        id.data[0] = static_cast<std::uint8_t>(1 + i / 256);
        id.data[1] = static_cast<std::uint8_t>(i % 256);
        REQUIRE(history.add(id, kStart * 1000, f.a.address(), Bytes(5)) == Rule::none);
    }
    CHECK(Fixture::add(history, f.a, kStart) == Rule::queue_full);
    const Feed known = [] {
        Feed id;
        id.data[0] = 1;
        return id;
    }();
    for (std::uint8_t i = 1; i < 20; ++i) {
        Address other;
        other.data[0] = i;
        REQUIRE(history.add(known, kStart * 1000, other, Bytes(5)) == Rule::none);
    }
    Address last;
    last.data[0] = 99;
    CHECK(history.add(known, kStart * 1000, last, Bytes(5)) == Rule::queue_full);
}

TEST_CASE("package history: survives a restart, with one owner at a time") {
    Fixture f;
    {
        PackageHistory history(f.config());
        REQUIRE(Fixture::add(history, f.a, kStart) == Rule::none);
        REQUIRE(Fixture::add(history, f.b, kStart) == Rule::none);
        REQUIRE(Fixture::add(history, f.a, kStart + 1) == Rule::none);
        CHECK_THROWS_AS(PackageHistory{f.config()}, std::runtime_error);
    }
    PackageHistory again(f.config());
    CHECK(again.warning().empty());
    CHECK(again.newest_s() == kStart + 1);
    CHECK(count(again, kStart) == 2);
    CHECK(again.list(feed("BTC_USD"), kStart)[0] == f.a.package("BTC_USD", "100", kStart * 1000));
    CHECK(Fixture::add(again, f.a, kStart) == Rule::package_replayed);
}

TEST_CASE("package history: a torn tail costs the last record only") {
    Fixture f;
    {
        PackageHistory history(f.config());
        REQUIRE(Fixture::add(history, f.a, kStart) == Rule::none);
        REQUIRE(Fixture::add(history, f.a, kStart + 1) == Rule::none);
    }
    const auto path = f.config().file;
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    {
        PackageHistory history(f.config());
        CHECK_FALSE(history.warning().empty());
        CHECK(count(history, kStart) == 1);
        CHECK(count(history, kStart + 1) == 0);
        REQUIRE(Fixture::add(history, f.a, kStart + 2) == Rule::none);
    }
    PackageHistory again(f.config());
    CHECK(again.warning().empty());
    CHECK(count(again, kStart + 2) == 1);
}

TEST_CASE("package history: a flipped bit is found") {
    Fixture f;
    {
        PackageHistory history(f.config());
        REQUIRE(Fixture::add(history, f.a, kStart) == Rule::none);
        REQUIRE(Fixture::add(history, f.a, kStart + 1) == Rule::none);
    }
    {
        std::fstream file(f.config().file, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-20, std::ios::end);
        file.put('\x55');
    }
    PackageHistory again(f.config());
    CHECK_FALSE(again.warning().empty());
    CHECK(count(again, kStart) == 1);
    CHECK(count(again, kStart + 1) == 0);
}

TEST_CASE("package history: other files and newer formats are left alone") {
    Fixture f;
    std::ofstream(f.config().file) << "something else entirely, of some length";
    CHECK_THROWS_WITH_AS(PackageHistory{f.config()}, doctest::Contains("history_malformed"), std::runtime_error);
    std::ofstream(f.config().file) << "HEDGEROW-PACKAGES\x02";
    CHECK_THROWS_WITH_AS(PackageHistory{f.config()}, doctest::Contains("history_newer"), std::runtime_error);
    CHECK(std::filesystem::file_size(f.config().file) == 18);
}

TEST_CASE("package history: the file shrinks when most of it is out of date") {
    Fixture f;
    const Bytes big(60'000, 7);
    std::uint64_t largest = 0;
    {
        PackageHistory history(f.config({{1, 5}}));
        for (std::uint64_t i = 0; i < 300; ++i) {
            REQUIRE(history.add(feed("BTC_USD"), (kStart + i) * 1000, f.a.address(), big) == Rule::none);
            largest = std::max<std::uint64_t>(largest, std::filesystem::file_size(f.config().file));
        }
    }
    CHECK(largest < 6'000'000);  // 18 MB were written
}
