#include <doctest/doctest.h>
#include <unistd.h>

#include <poll.h>
#include <filesystem>

#include "daemon/node/outbox.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/schema.h"

using namespace hedgerow::daemon;
namespace channel = hedgerow::channel;

namespace {

struct Store {
    std::filesystem::path directory;
    std::unique_ptr<Writer> writer;
    std::unique_ptr<Database> reader;

    Store() {
        std::string path = (std::filesystem::temp_directory_path() / "hedgerow-outbox-XXXXXX").string();
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        directory = path;
        DatabaseOptions options;
        options.path = directory / "node.sqlite";
        options.migrations = node_schema();
        writer = std::make_unique<Writer>(std::make_unique<Database>(options), [](const StoreError&) {});
        reader = Database::open_reader(options.path);
    }
    ~Store() {
        writer.reset();
        reader.reset();
        std::filesystem::remove_all(directory);
    }
    void wait() const {
        pollfd fd{writer->completion_fd(), POLLIN, 0};
        REQUIRE(::poll(&fd, 1, 10'000) == 1);
        writer->drain();
    }
};

channel::Bytes bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("outbox: what is sent waits until what was persisted before is durable") {
    Store store;
    Outbox outbox(*store.writer);
    std::string sent;
    bool durable_when_sent = false;
    outbox.persist([](Database& db) { put_meta(db, "k", bytes("v")); });
    outbox.when_durable([&] {
        sent += "a";
        durable_when_sent = get_meta(*store.reader, "k") == bytes("v");
    });
    CHECK_FALSE(outbox.end_turn());
    CHECK(sent.empty());
    CHECK(outbox.turns_in_flight() == 1);

    // a later turn that stores nothing must not overtake it
    outbox.when_durable([&] { sent += "b"; });
    CHECK_FALSE(outbox.end_turn());
    CHECK(sent.empty());
    store.wait();
    CHECK(sent == "ab");
    CHECK(durable_when_sent);
    CHECK(outbox.idle());
}

TEST_CASE("outbox: with nothing in flight a turn without storage runs at once") {
    Store store;
    Outbox outbox(*store.writer);
    int ran = 0;
    outbox.when_durable([&] {
        ++ran;
        outbox.when_durable([&] { ++ran; });  // the next turn's
    });
    CHECK(outbox.end_turn());
    CHECK(ran == 1);
    CHECK(outbox.end_turn());
    CHECK(ran == 2);
    CHECK_FALSE(outbox.end_turn());
}

TEST_CASE("outbox: a failing job sends nothing, and the next turn throws") {
    Store store;
    Outbox outbox(*store.writer);
    bool sent = false;
    outbox.persist([](Database& db) { db.run("INSERT INTO channels (id) VALUES (x'00')"); });
    outbox.when_durable([&] { sent = true; });
    outbox.end_turn();
    CHECK_FALSE(store.writer->flush());
    store.writer->drain();
    CHECK_FALSE(sent);
    outbox.persist([](Database&) {});
    CHECK_THROWS_AS(outbox.end_turn(), StoreError);
}

TEST_CASE("store: client references keep what they stand for") {
    Store store;
    ClientRefRow row;
    row.ref = "r1";
    row.kind = "op";
    row.request.data[0] = 7;
    row.channel = channel::ChannelId();
    row.version = 5;
    row.op = 2;
    REQUIRE(store.writer->submit([row](Database& db) { put_client_ref(db, row); }, [] {}));
    REQUIRE(store.writer->flush());
    CHECK(pending_client_refs(*store.reader).size() == 1);
    CHECK(client_ref_of(*store.reader, *row.channel, 5, 2) == "r1");
    CHECK(client_ref_of(*store.reader, *row.channel, 5, 3).empty());
    row.outcome = RefOutcome::done;
    row.result = bytes("tx");
    REQUIRE(store.writer->submit([row](Database& db) { put_client_ref(db, row); }, [] {}));
    REQUIRE(store.writer->flush());
    const auto found = find_client_ref(*store.reader, "r1");
    REQUIRE(found.has_value());
    CHECK(found->outcome == RefOutcome::done);
    CHECK(found->result == bytes("tx"));
    CHECK(found->request == row.request);
    CHECK(pending_client_refs(*store.reader).empty());
    CHECK_FALSE(find_client_ref(*store.reader, "r2").has_value());
}

TEST_CASE("store: the head ends what was in flight up to its version; a later update of a version replaces it") {
    Store store;
    const channel::ChannelId id{{1}};
    channel::List<channel::Amount, channel::kMaxAssets> net{channel::Amount::from_raw(-3)};
    const auto update = [&](std::uint64_t version, bool is_void) {
        channel::PersistUpdate p;
        p.update.channel = id;
        p.update.version = version;
        p.update.base = version - 1;
        p.update.ops = {{0, channel::PayOp{0, channel::Amount::from_raw(1), {}}}};
        p.is_void = is_void;
        p.after = channel::Bytes{1, 2, 3};
        return encode_update(p, net);
    };
    REQUIRE(store.writer->submit(
        [&](Database& db) {
            for (std::uint64_t v = 1; v <= 4; ++v) put_update(db, update(v, false));
            put_update(db, update(4, true));
            put_channel(db, {id, channel::Bytes{9}, channel::Status::open, {}, 2}, 0);
        },
        [] {}));
    REQUIRE(store.writer->flush());
    const auto flying = in_flight_above(*store.reader, id, 2);
    REQUIRE(flying.size() == 2);
    CHECK(flying[0].update.version == 3);
    CHECK_FALSE(flying[0].is_void);
    CHECK(flying[1].is_void);
    CHECK(in_flight_above(*store.reader, id, 0).size() == 2);  // 1 and 2 are gone
    const auto rows = updates_down_from(*store.reader, id, 3, 2);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].update.version == 3);
    CHECK(rows[1].update.version == 2);
    CHECK(rows[0].net == net);
}
