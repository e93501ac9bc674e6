#include "daemon/node/local_ops.h"

#include <doctest/doctest.h>

#include "daemon/node/channel_manager.h"
#include "daemon/store/schema.h"
#include "tests/support/channel_pair.h"
#include "tests/support/no_chain_effects.h"
#include "tests/support/store_turns.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::units;

namespace {

constexpr std::uint64_t kNow = 1'800'000'000'000;

std::uint64_t clock_now() {
    return kNow;
}

Op pay(long amount) {
    return PayOp{0, units(amount), {}};
}

/// The ops of a node, told by a test what the core made of them.
struct Desk {
    TempDir directory;
    NodeOptions options;
    EventLoop loop{clock_now};
    testing::NoChainEffects chain;
    testing::Pair pair;
    const Channel& channel = pair.a.channel;
    std::unique_ptr<daemon::Writer> writer;
    std::unique_ptr<Database> reader;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<NodeParts> parts;
    std::unique_ptr<ChannelManager> manager;
    std::unique_ptr<daemon::LocalOps> ops;
    /// In the order in which they came: "name version/index", or "name rule".
    std::vector<std::string> told;

    Desk() {
        DatabaseOptions database;
        database.path = directory.path() / "node.sqlite";
        database.migrations = node_schema();
        writer = std::make_unique<daemon::Writer>(std::make_unique<Database>(database), [](const StoreError&) {});
        reader = Database::open_reader(database.path);
        outbox = std::make_unique<Outbox>(*writer);
        parts = std::unique_ptr<NodeParts>(new NodeParts{.options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = channel.separator});
        parts->now_ms = parts->steady_ms = kNow;
        parts->chain_seen = true;
        manager = std::make_unique<ChannelManager>(*parts, chain);
        parts->channels = manager.get();
        ops = std::make_unique<daemon::LocalOps>(*parts);
    }

    Answer<OpDone> tells(const std::string& name) {
        return [this, name](const Result<OpDone>& result) {
            told.push_back(name + " " + (result ? std::to_string(result->version) + "/" + std::to_string(result->index) : result.error().name));
            CHECK((!result || (result->channel == channel.id && result->timestamp_ms == kNow)));
        };
    }
    LocalId begin(const std::string& name, long amount, const ClientRef& ref = "") {
        return ops->begin(channel.id, pay(amount), ref, tells(name));
    }
    bool again(const std::string& name, long amount, const ClientRef& ref) {
        Answer<OpDone> done = tells(name);
        return ops->answered_before(ref, channel.id, pay(amount), done);
    }
    void agree(std::uint64_t version, const std::vector<LocalId>& ids) {
        OpList::Builder list;
        for (std::size_t i = 0; i < ids.size(); ++i) list.push_back({0, pay(1)});
        ops->accepted(channel, {version, ids});
        ops->agreed(channel, {version, kNow, std::move(list).finish(), ids});
    }
    void commit() { testing::commit_all(*outbox, *writer); }
    using Told = std::vector<std::string>;
};

}  // namespace

TEST_CASE("local ops: each of an update hears of its own place in it, in order, and once it is durable") {
    Desk desk;
    const LocalId a = desk.begin("a", 1), b = desk.begin("b", 2, "ref"), c = desk.begin("c", 3);
    const LocalId waits = desk.begin("waits", 4);
    desk.agree(9, {0, a, b, c});
    CHECK(desk.told.empty());
    desk.commit();
    CHECK(desk.told == Desk::Told{"a 9/1", "b 9/2", "c 9/3"});
    const auto row = find_client_ref(*desk.reader, "ref");
    REQUIRE(row);
    CHECK(row->outcome == RefOutcome::done);
    CHECK(row->version == 9);
    CHECK(row->op == 2);
    desk.agree(10, {waits});
    desk.agree(10, {waits, a});  // never twice
    desk.commit();
    CHECK(desk.told == Desk::Told{"a 9/1", "b 9/2", "c 9/3", "waits 10/0"});
}

TEST_CASE("local ops: who asks again under a reference is told with who asked first, at every stage of it") {
    Desk desk;
    const LocalId id = desk.begin("first", 1, "ref");
    CHECK(desk.again("waiting", 1, "ref"));
    CHECK(desk.again("other", 2, "ref"));
    CHECK(desk.told == Desk::Told{"other client_ref_reused"});
    desk.told.clear();
    desk.agree(9, {id});
    CHECK(desk.again("agreed", 1, "ref"));
    CHECK(desk.again("other", 2, "ref"));
    CHECK(desk.told == Desk::Told{"other client_ref_reused"});
    desk.told.clear();
    desk.commit();
    CHECK(desk.told == Desk::Told{"first 9/0", "waiting 9/0", "agreed 9/0"});
    desk.told.clear();
    CHECK(desk.again("stored", 1, "ref"));
    desk.commit();
    CHECK(desk.told == Desk::Told{"stored 9/0"});
}

TEST_CASE("local ops: what is refused is told to all who asked, and may be tried again") {
    Desk desk;
    const LocalId named = desk.begin("first", 1, "ref"), plain = desk.begin("plain", 1);
    const LocalId sunk = desk.ops->begin([&](Rule rule) { desk.told.push_back("sunk " + std::string(rule_name(rule))); });
    CHECK(desk.again("second", 1, "ref"));
    for (const LocalId id : {named, plain, sunk}) desk.ops->refused(id, Rule::insufficient_balance);
    CHECK(desk.told.empty());
    desk.commit();
    CHECK(desk.told == Desk::Told{"first insufficient_balance", "second insufficient_balance", "plain insufficient_balance",
                                  "sunk insufficient_balance"});
    CHECK(find_client_ref(*desk.reader, "ref")->outcome == RefOutcome::refused);
    CHECK_FALSE(desk.again("third", 1, "ref"));
}

TEST_CASE("local ops: an answer may ask for more") {
    Desk desk;
    LocalId more = 0;
    const LocalId id = desk.ops->begin(desk.channel.id, pay(1), "ref", [&](const Result<OpDone>&) {
        CHECK(desk.again("again", 1, "ref"));
        more = desk.begin("more", 2);
    });
    const LocalId next = desk.begin("next", 1);
    desk.agree(9, {id, next});
    desk.commit();
    CHECK(desk.told == Desk::Told{"next 9/1", "again 9/0"});
    desk.agree(10, {more});
    desk.commit();
    CHECK(desk.told.back() == "more 10/0");
}
