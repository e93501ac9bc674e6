#include "daemon/store/rows.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "tests/unit/daemon/store/node_database.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Bytes;
using hedgerow::channel::ChannelId;
using hedgerow::channel::Encoding;

namespace {

/// Every row of the tables that rows go to, as text.
std::string contents(Database& database) {
    std::string out;
    for (const char* sql : {"SELECT quote(id) || quote(head) || status || quote(peer) || agreed_version || created_ms FROM channels ORDER BY 1",
                            "SELECT quote(channel) || version || is_void || quote(body) || quote(net) FROM updates ORDER BY 1",
                            "SELECT quote(channel) || version || quote(after) FROM in_flight ORDER BY 1",
                            "SELECT quote(channel) || quote(record) FROM signing_records ORDER BY 1",
                            "SELECT quote(channel) || version || time_ms FROM fills ORDER BY 1",
                            "SELECT quote(channel) || instrument || quote(quantity) || quote(average_price) || quote(realised16) FROM books ORDER BY 1",
                            "SELECT quote(channel) || version || op || quote(quantity) || quote(price) FROM expiries ORDER BY 1",
                            "SELECT ref || kind || quote(request) || outcome || quote(channel) || quote(version) || quote(op) || rule || quote(result) || "
                            "created_ms FROM client_refs ORDER BY 1"}) {
        auto rows = database.query(sql);
        while (rows.step()) out += rows.text(0) + "\n";
    }
    return out;
}

struct Random {
    std::mt19937_64 engine;
    std::uint64_t below(std::uint64_t n) { return engine() % n; }
    Bytes bytes(std::size_t most) {
        Bytes out(below(most + 1));
        for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine());
        return out;
    }
    /// With up to three lists beside it, of a few that others have too.
    Encoding encoding(std::size_t most) {
        Encoding out(bytes(most));
        for (std::uint64_t i = below(4); i-- > 0;) {
            auto& list = lists[below(lists.size())];
            if (list == nullptr || below(8) == 0) list = std::make_shared<const Bytes>(bytes(100));
            const std::size_t before = out.parts.empty() ? 0 : out.parts.back().at;
            out.parts.push_back({before + below(out.bytes.size() - before + 1), list});
        }
        return out;
    }
    std::array<std::shared_ptr<const Bytes>, 4> lists = {};
    ChannelId channel() {
        ChannelId out;
        out.data[5] = static_cast<std::uint8_t>(below(3));
        return out;
    }
};

/// Puts one random row into `rows`, and into the database as a job would have.
void put_random(Random& random, std::map<ChannelId, std::uint64_t>& agreed, Rows& rows, Database& database) {
    const ChannelId id = random.channel();
    switch (random.below(5)) {
        case 0: {
            const EncodedUpdate update{id, agreed[id] + 1 + random.below(4), random.below(4) == 0, random.bytes(60), random.bytes(9),
                                       random.encoding(20)};
            rows.put(update);
            return put_update(database, update);
        }
        case 1: {
            agreed[id] += random.below(3);
            ChannelRow row{id, random.encoding(80), hedgerow::channel::Status::open, {}, agreed[id]};
            rows.put(row, 77);
            return put_channel(database, row, 77);
        }
        case 2: {
            const Bytes record = random.bytes(30);
            rows.put_signing_record(id, record);
            return put_signing_record(database, id, record);
        }
        case 3: {
            FillsRow fills{id, random.below(6), random.below(1'000'000), {}, {}};
            for (std::uint64_t i = random.below(3); i-- > 0;)
                fills.books.push_back({random.below(2) == 0 ? "BTC_USD-PERPETUAL" : "ETH_USD-PERPETUAL",
                                       hedgerow::channel::Quantity::from_raw(static_cast<std::int64_t>(random.engine())),
                                       hedgerow::channel::Price::from_raw(static_cast<std::int64_t>(random.below(1'000'000))), Bytes(32, 3)});
            if (random.below(2) == 0) fills.expiries.push_back({static_cast<std::uint16_t>(random.below(4'096)), {}, {}});
            rows.put(fills);
            return put_fills(database, fills);
        }
        default: {
            ClientRefRow ref;
            ref.ref = "ref" + std::to_string(random.below(4));
            ref.kind = "op";
            ref.outcome = static_cast<RefOutcome>(random.below(3));
            if (random.below(2) == 0) ref.channel = id;
            if (random.below(2) == 0) ref.version = random.below(1'000);
            if (random.below(2) == 0) ref.op = random.below(4'096);
            ref.rule = hedgerow::channel::Rule::queue_full;
            ref.result = random.bytes(9);
            ref.created_ms = 5;
            rows.put(ref);
            return put_client_ref(database, ref);
        }
    }
}

}  // namespace

TEST_CASE("rows: applied together, in parts, or each at once, the tables are the same") {
    const char* moved = std::getenv("HEDGEROW_SEED");
    const std::uint64_t first = moved == nullptr ? 1 : std::strtoull(moved, nullptr, 10);
    for (std::uint64_t seed = first; seed < first + 10; ++seed) {
        CAPTURE(seed);
        Random random{std::mt19937_64(seed), {}};
        const TempDir one, other;
        const auto each = open_node_database(one), together = open_node_database(other);
        std::map<ChannelId, std::uint64_t> agreed;
        for (int part = 0; part < 8; ++part) {
            std::vector<Bytes> records;
            RowLists lists;
            each->begin();
            for (std::uint64_t i = random.below(6); i-- > 0;) {
                Rows rows;
                for (std::uint64_t j = random.below(12); j-- > 0;) put_random(random, agreed, rows, *each);
                const RowBytes taken = rows.take();
                if (random.below(4) == 0) lists.clear();  // as by a crash between two records: numbers begin anew
                lists.write(taken, records.emplace_back());
                CHECK(records.back().size() <= taken.most());
                CHECK(rows.empty());
            }
            each->commit();
            together->begin();
            apply_rows(*together, records);
            together->commit();
            REQUIRE(contents(*together) == contents(*each));
        }
    }
}

TEST_CASE("rows: what does not decode is corrupt, whole or in part, and nothing is read behind its end") {
    const TempDir dir;
    const auto database = open_node_database(dir);
    Random random{std::mt19937_64(3), {}};
    std::map<ChannelId, std::uint64_t> agreed;
    Rows rows;
    for (int i = 0; i < 20; ++i) put_random(random, agreed, rows, *database);
    Bytes whole;
    RowLists().write(rows.take(), whole);
    std::size_t refused = 0;
    for (std::size_t size = 1; size < whole.size(); ++size) {
        const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        try {
            apply_rows(*database, {&part, 1});
        } catch (const StoreError& error) {
            CHECK(error.kind() == StoreErrorKind::corrupt);
            ++refused;
        }
    }
    CHECK(refused >= whole.size() - 80);  // but where a row or a list ends
    const Bytes unknown{0x08};
    CHECK_THROWS_AS(apply_rows(*database, {&unknown, 1}), StoreError);
}

TEST_CASE("rows: a list is written once for all that have it, and again for what is applied by itself") {
    const auto list = std::make_shared<const Bytes>(Bytes(5'000, 7));
    const auto row = [&](std::uint8_t byte) {
        Rows rows;
        Encoding head(Bytes{byte, byte});
        head.parts = {{1, list}};
        rows.put({ChannelId(), head, hedgerow::channel::Status::open, {}, byte}, 1);
        return rows.take();
    };
    RowLists lists;
    std::array<Bytes, 3> records;
    lists.write(row(1), records[0]);
    lists.write(row(2), records[1]);
    lists.clear();
    lists.write(row(3), records[2]);
    CHECK(records[0].size() > 5'000);
    CHECK(records[1].size() < 200);
    CHECK(records[2].size() > 5'000);
    const TempDir dir;
    const auto database = open_node_database(dir);
    const auto head = [&] {
        auto query = database->query("SELECT head FROM channels");
        return query.step() ? query.blob(0) : Bytes();
    };
    Bytes expected(5'002, 7);
    const auto applied = [&](std::span<const Bytes> some, std::uint8_t byte) {
        apply_rows(*database, some);
        expected.front() = expected.back() = byte;
        return head() == expected;
    };
    CHECK(applied(std::span(records).first(2), 2));
    CHECK(applied(std::span(records).subspan(2), 3));
    CHECK(applied(std::span(records).first(1), 1));
    CHECK_THROWS_AS(apply_rows(*database, {&records[1], 1}), StoreError);  // its list is not there
    Bytes beyond = records[2];
    const std::size_t at = beyond.size() - 2 - 1 - 4 - 1;  // where its list stands: before the number, and the two bytes with their length
    REQUIRE(beyond[at] == 1);
    beyond[at] = 3;
    CHECK_THROWS_AS(apply_rows(*database, {&beyond, 1}), StoreError);
    CHECK(head() == expected);
}
