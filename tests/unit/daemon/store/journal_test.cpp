#include "daemon/store/journal.h"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>

#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Bytes;
using hedgerow::channel::Hash;

namespace {

Hash database_number(std::uint8_t number) {
    Hash out;
    out.data.fill(number);
    return out;
}

struct Files {
    TempDir dir;
    JournalOptions options;
    explicit Files(std::size_t segment = 65'536, std::size_t most = 131'072) {
        options.path = dir.path() / "node.journal";
        options.segment_bytes = segment;
        options.max_segment_bytes = most;
    }
    [[nodiscard]] std::filesystem::path file(const std::string& suffix) const { return options.path.string() + suffix; }
    [[nodiscard]] std::unique_ptr<Journal> open(std::uint64_t applied, bool accept_stale = false, std::uint64_t generation = 9) const {
        return std::make_unique<Journal>(options, database_number(7), applied, generation, accept_stale);
    }
    void change(const std::string& suffix, std::size_t at) const {
        std::fstream stream(file(suffix), std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(static_cast<std::streamoff>(at));
        const char before = static_cast<char>(stream.get());
        stream.seekp(static_cast<std::streamoff>(at));
        stream.put(static_cast<char>(before ^ 1));
    }
};

Bytes body(std::size_t number, std::size_t size = 700) {
    Bytes out(size, static_cast<std::uint8_t>(number));
    out[0] = static_cast<std::uint8_t>(number >> 8);
    return out;
}

bool append(Journal& journal, Bytes bytes, std::uint64_t generation = 9) {
    return journal.append(bytes, generation);
}

constexpr std::size_t kRecord = 744;  ///< of a body of 700 bytes

StoreErrorKind kind_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const StoreError& error) {
        return error.kind();
    }
    FAIL("nothing was thrown");
    return StoreErrorKind::internal;
}

}  // namespace

TEST_CASE("journal: what was appended and not applied is there after the process has gone, in order, and once") {
    const Files files;
    {
        const auto journal = files.open(0);
        for (std::size_t i = 1; i <= 3; ++i) REQUIRE(append(*journal, body(i)));
        CHECK(journal->last_sequence() == 3);
        CHECK_FALSE(journal->clean());
    }
    {
        const auto journal = files.open(1);
        const Journal::Batch batch = journal->take();
        CHECK(batch.last == 3);
        CHECK(batch.records == std::vector<Bytes>{body(2), body(3)});
        CHECK(journal->take().records.empty());
        journal->applied(3);
        CHECK(journal->clean());
        REQUIRE(append(*journal, body(4)));
    }
    const auto journal = files.open(3);
    CHECK(journal->take().records == std::vector<Bytes>{body(4)});
}

TEST_CASE("journal: what is recovered is not overwritten before it is applied") {
    const Files files(4'096, 4'096);
    {
        const auto journal = files.open(0);
        for (std::size_t i = 1; i <= 3; ++i) REQUIRE(append(*journal, body(i)));
    }
    const auto journal = files.open(0);
    CHECK_FALSE(append(*journal, body(9)));
    journal->applied(journal->take().last);
    CHECK(append(*journal, body(9)));
}

TEST_CASE("journal: segments take turns; what finds no room is not written, and full ones grow") {
    const Files files(4'096, 16'384);
    const auto journal = files.open(0);
    std::size_t number = 0;
    while (append(*journal, body(number + 1))) ++number;
    CHECK(number == 10);  // five in each
    CHECK(journal->filled());
    CHECK(journal->last_sequence() == 10);
    Journal::Batch batch = journal->take();
    CHECK(batch.records.size() == 10);
    CHECK_FALSE(append(*journal, body(11)));  // taken is not applied
    CHECK_FALSE(journal->wants_growth());     // nothing is free
    journal->applied(batch.last);
    // Both are free: one after the other becomes twice as large; while it does the other one is used.
    for (std::size_t sizes : {1, 2}) {
        CAPTURE(sizes);
        REQUIRE(journal->wants_growth());
        const auto growth = journal->growth();
        REQUIRE(growth);
        CHECK(growth->from == 4'096);
        CHECK(growth->to == 8'192);
        CHECK_FALSE(journal->wants_growth());
        if (sizes == 1) {
            for (int i = 0; i < 5; ++i) REQUIRE(append(*journal, body(++number)));
            CHECK_FALSE(append(*journal, body(number + 1)));
        }
        journal->allocate(*growth);
        journal->grown(*growth);
        if (sizes == 1) REQUIRE(append(*journal, body(++number)));
        journal->applied(journal->take().last);
    }
    CHECK(std::filesystem::file_size(files.file(".0")) == 8'192);
    CHECK(std::filesystem::file_size(files.file(".1")) == 8'192);
    for (int i = 0; i < 11; ++i) REQUIRE(append(*journal, body(++number)));
    batch = journal->take();
    CHECK(batch.records.size() == 11);
    CHECK(batch.last == number);
}

TEST_CASE("journal: while one segment is applied the other is written, and a crash keeps both") {
    const Files files;
    {
        const auto journal = files.open(0);
        REQUIRE(append(*journal, body(1)));
        const Journal::Batch batch = journal->take();
        REQUIRE(append(*journal, body(2)));
        CHECK(journal->filled());
        journal->applied(batch.last);
        CHECK_FALSE(journal->filled());
        CHECK_FALSE(journal->clean());
        REQUIRE(append(*journal, body(3)));
    }
    CHECK(files.open(0)->take().records == std::vector<Bytes>{body(1), body(2), body(3)});
    CHECK(files.open(1)->take().records == std::vector<Bytes>{body(2), body(3)});
}

TEST_CASE("journal: a record is a byte at the least; one that is too large has room once segments have grown") {
    const Files files(4'096, 8'192);
    const auto journal = files.open(0);
    CHECK_FALSE(journal->fits(0));
    CHECK_FALSE(journal->fits(8'192 - 39));
    CHECK_FALSE(journal->wants_growth());  // never
    CHECK(journal->fits(4'096 - 40));
    CHECK_FALSE(journal->fits(8'192 - 40));
    while (const auto growth = journal->growth()) {
        journal->allocate(*growth);
        journal->grown(*growth);
    }
    CHECK(journal->fits(8'192 - 40));
    CHECK(append(*journal, body(1, 8'192 - 40)));
    CHECK(append(*journal, body(2, 8'192 - 40)));
    CHECK_FALSE(append(*journal, body(3)));
}

TEST_CASE("journal: the last record torn by a power cut is none, and the one before it is all there") {
    const Files files;
    const std::filesystem::path side = files.file(".generation");
    {
        const auto journal = files.open(0);
        REQUIRE(append(*journal, body(1)));
        REQUIRE(append(*journal, body(2)));
    }
    const auto before = files.dir.path() / "before";
    std::filesystem::copy_file(side, before);
    {
        const auto journal = files.open(0);
        journal->applied(journal->take().last);
        REQUIRE(append(*journal, body(3)));
        REQUIRE(append(*journal, body(4)));
    }
    // As after a power cut: neither the number beside it nor the last record reached the disk.
    std::filesystem::copy_file(before, side, std::filesystem::copy_options::overwrite_existing);
    files.change(".0", kRecord + 80);
    {
        const auto journal = files.open(2);
        CHECK(journal->take().records == std::vector<Bytes>{body(3)});
        journal->applied(3);
        REQUIRE(append(*journal, body(5)));  // has the number of the one that never was
    }
    CHECK(files.open(3)->take().records == std::vector<Bytes>{body(5)});
}

TEST_CASE("journal: a record that was told to be durable and is damaged is never passed over") {
    const Files files;
    {
        const auto journal = files.open(0);
        for (std::size_t i = 1; i <= 4; ++i) REQUIRE(append(*journal, body(i)));
    }
    SUBCASE("in its body") { files.change(".0", kRecord + 50); }
    SUBCASE("in its length") { files.change(".0", kRecord + 4); }
    SUBCASE("in its sequence") { files.change(".0", kRecord + 8); }
    SUBCASE("in its magic") { files.change(".0", kRecord); }
    CHECK(kind_of([&] { (void)files.open(0); }) == StoreErrorKind::corrupt);
    CHECK(kind_of([&] { (void)files.open(0, true); }) == StoreErrorKind::corrupt);
    // The last one, of which the side file knows.
    std::filesystem::remove(files.file(".0"));
    CHECK(kind_of([&] { (void)files.open(0); }) == StoreErrorKind::stale_copy);
}

TEST_CASE("journal: an older copy is stale, unless the operator accepts it; then it goes on above all that was") {
    const Files files;
    {
        const auto journal = files.open(0);
        for (std::size_t i = 1; i <= 3; ++i) REQUIRE(append(*journal, body(i)));
        journal->applied(journal->take().last);
        for (std::size_t i = 4; i <= 6; ++i) REQUIRE(append(*journal, body(i)));
    }
    SUBCASE("of the database: records between the two are missing") {
        files.change(".1", 20);  // so that record 1 … 3 are in no segment any more
        std::filesystem::remove(files.file(".1"));
        std::filesystem::remove(files.file(".0"));
        CHECK(kind_of([&] { (void)files.open(2); }) == StoreErrorKind::stale_copy);
        const auto journal = files.open(2, true);
        CHECK(journal->accepted_stale());
        CHECK(journal->take().records.empty());
    }
    SUBCASE("of the side file: that of another database") {
        std::filesystem::remove(files.file(".generation"));
        CHECK(kind_of([&] { (void)files.open(3); }) == StoreErrorKind::stale_copy);
        CHECK(files.open(3, true)->accepted_stale());
        CHECK_FALSE(files.open(6)->accepted_stale());  // accepted once, agreed from then on
    }
}

TEST_CASE("journal: records that do not follow on the database's are stale, and dropped where that is accepted") {
    const Files files(4'096, 4'096);
    std::uint64_t newest = 0;
    {
        const auto journal = files.open(0);
        for (std::size_t round = 0; round < 5; ++round) {  // so often that the first are overwritten
            for (std::size_t i = 0; i < 5; ++i) REQUIRE(append(*journal, body(++newest)));
            journal->applied(journal->take().last);
        }
        REQUIRE(append(*journal, body(++newest)));
    }
    CHECK(kind_of([&] { (void)files.open(10); }) == StoreErrorKind::stale_copy);
    const auto journal = files.open(10, true);
    CHECK(journal->accepted_stale());
    CHECK(journal->take().records.empty());
    CHECK(journal->clean());
    REQUIRE(append(*journal, body(1)));
    CHECK(journal->last_sequence() == newest + 1);
}

TEST_CASE("journal: records over an older database are stale, though they follow on what it has: what was committed between them is missing") {
    const Files files;
    {
        const auto journal = files.open(0, false, 4);
        REQUIRE(append(*journal, body(1), 4));
        REQUIRE(append(*journal, body(2), 6));
    }
    CHECK(files.open(0, false, 6)->take().records.size() == 2);
    CHECK(files.open(0, false, 7)->take().records.size() == 2);
    CHECK(kind_of([&] { (void)files.open(0, false, 5); }) == StoreErrorKind::stale_copy);
    CHECK(files.open(2, false, 5)->take().records.empty());  // it has them
    CHECK(files.open(0, true, 5)->take().records.empty());
}

TEST_CASE("journal: another database's is none") {
    const Files files;
    {
        const auto journal = files.open(0);
        REQUIRE(append(*journal, body(1)));
    }
    const auto open = [&](bool accept) { return Journal(files.options, database_number(8), 5, 9, accept).take().records.size(); };
    CHECK(kind_of([&] { (void)open(false); }) == StoreErrorKind::stale_copy);
    CHECK(open(true) == 0);
}
