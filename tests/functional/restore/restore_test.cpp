#include "daemon/store/tower_store.h"
#include "tests/functional/dispute/dispute_pair.h"

/// The restore drill (DESIGN 5.7, spec 10.6): what a node recovers with its phrase and any one of file, peer, tower;
/// and what it says where nobody gives it the newest.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

/// Sealed copies that this node keeps for others.
std::uint64_t copies_at(const Daemon& holder) {
    auto database = daemon::Database::open_reader(holder.datadir() / "node.sqlite");
    auto rows = database->query("SELECT count(*) FROM peer_backups");
    return rows.step() ? rows.uint64(0) : 0;
}

Json connect(Daemon& from, const Daemon& to) {
    return from.call("peer_connect", {{"uri", to.uri()}});
}

}  // namespace

TEST_CASE("a lost disk: phrase and peer; every coin comes back by a cooperative close") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    until("alice keeps bob's copy", [&] { return copies_at(alice) == 1; });
    until("bob keeps alice's copy", [&] { return copies_at(bob) == 1; });
    // What the copy does not know.
    bob.pay(id, "10");
    alice.pay(id, "3");
    wait_same(alice, bob, id);
    const std::uint64_t newest = alice.version(id);

    bob.lose_disk();
    bob.start();
    CHECK(bob.call("channel_list").at("items").empty());
    connect(bob, alice);
    until("the copy is back, and the newest state", [&] {
        return bob.refusal("channel_get", {{"channelId", to_hex(id)}}).empty() && bob.version(id) == newest;
    });
    CHECK(bob.status(id) == "recovering");
    const Json recovery = bob.channel(id).at("recovery");
    CHECK(recovery.at("mayBeBehind") == true);
    CHECK(recovery.at("peer").at("version") == newest);
    CHECK(bob.call("node_info").at("recovering") == 1);
    until("the deposits are seen", [&] { return bob.channel(id).at("assets").at(0).at("counterDeposited") == "1000"; });

    // It signs nothing but a close, and never challenges.
    CHECK(bob.refusal("pay_send", {{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "1"}}) ==
          "channel_recovering");
    CHECK(bob.refusal("channel_close", {{"channelId", to_hex(id)}, {"force", true}}) == "channel_recovering");
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    CHECK(bob.call("channel_close", {{"channelId", to_hex(id)}}).at("txHash").get<std::string>().starts_with("0x"));
    alice.wait_status(id, "closed");
    bob.wait_status(id, "closed");
    CHECK(alices() == 1'007 * kUsdc);
    CHECK(bobs() == 493 * kUsdc);
}

TEST_CASE("a lost disk of the leader: phrase and peer; the peer's force close pays it, and it defends the newest") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    until("bob keeps alice's copy", [&] { return copies_at(bob) == 1; });
    bob.pay(id, "5");
    wait_same(alice, bob, id);
    const Exported old = bob.exported(id);
    bob.pay(id, "10");
    wait_same(alice, bob, id);
    const std::uint64_t newest = bob.version(id);
    alice.lose_disk();
    alice.start();
    connect(alice, bob);
    until("the newest state", [&] {
        return alice.refusal("channel_get", {{"channelId", to_hex(id)}}).empty() && alice.version(id) == newest;
    });
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    bob.kill();
    REQUIRE(world.succeeded(world.post_challenge(old, Party::B)));
    until("alice answers", [&] { return world.dispute(id).version == newest; });
    const Ending end = pair.settle(old, alice);
    CHECK(end.settled.version == newest);
    CHECK(alices() == 1'015 * kUsdc + kPenalty);
    CHECK(bobs() == 485 * kUsdc - kPenalty);
}

TEST_CASE("only a lying peer is left: the node says that it may be behind, waits, and answers with the best it has") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    alice.pay(id, "1");
    wait_same(alice, bob, id);
    const Exported cheat = alice.exported(id);
    // Far enough above what alice will challenge with that it is stale (spec 3.3), and then the file is written.
    for (int i = 0; i < 70; ++i) alice.pay(id, "1");
    wait_same(alice, bob, id);
    const std::uint64_t in_file = bob.version(id);
    const std::string file = (world.directory / "bob.backup").string();
    (void)bob.call("channel_backup", {{"path", file}});
    alice.pay(id, "5");  // lost with bob's disk
    wait_same(alice, bob, id);
    bob.lose_disk();
    alice.kill();  // and says nothing from now on
    bob.start();
    CHECK(bob.call("channel_restore", {{"path", file}}).at("channels") == 1);
    CHECK(bob.status(id) == "recovering");
    CHECK(bob.version(id) == in_file);
    CHECK(bob.channel(id).at("recovery").at("mayBeBehind") == true);
    CHECK_FALSE(bob.channel(id).at("recovery").contains("peer"));
    std::this_thread::sleep_for(std::chrono::seconds(3));
    CHECK(world.dispute(id).end == 0);  // it does not challenge
    bob.stop();
    bob.start();
    CHECK(bob.status(id) == "recovering");

    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    REQUIRE(world.succeeded(world.post_challenge(cheat, Party::A)));
    until("bob answers", [&] { return world.dispute(id).version == in_file; });
    const Ending end = pair.settle(cheat, bob);
    CHECK(end.settled.version == in_file);
    CHECK(alices() == 929 * kUsdc - kPenalty);
    CHECK(bobs() == 571 * kUsdc + kPenalty);
}

TEST_CASE("an older copy of the database: refused, then accepted and recovering, which a second start does not forget") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    bob.pay(id, "10");
    wait_same(alice, bob, id);
    REQUIRE(bob.stop() == 0);
    const auto database = bob.datadir() / "node.sqlite";
    std::filesystem::copy_file(database, world.directory / "older.sqlite");
    bob.start();
    connect(bob, alice);
    until("connected", [&] { return bob.channel(id).at("connected").get<bool>(); });
    bob.pay(id, "20");
    wait_same(alice, bob, id);
    const std::uint64_t newest = alice.version(id);
    REQUIRE(bob.stop() == 0);
    for (const char* journal : {"-wal", "-shm"}) std::filesystem::remove(database.string() + journal);
    std::filesystem::copy_file(world.directory / "older.sqlite", database,
                               std::filesystem::copy_options::overwrite_existing);
    CHECK_THROWS(bob.start());
    CHECK(bob.ended() == 3);
    alice.pause();  // the peer's word must not be what makes it careful
    bob.configure("accept-restored-database", "true");
    bob.start();
    CHECK(bob.status(id) == "recovering");
    CHECK(bob.version(id) < newest);
    REQUIRE(bob.stop() == 0);
    bob.configure("accept-restored-database", "");
    bob.start();
    CHECK(bob.status(id) == "recovering");
    CHECK(bob.channel(id).at("recovery").at("mayBeBehind") == true);
    bob.kill();
    bob.start();
    CHECK(bob.status(id) == "recovering");
    CHECK(bob.refusal("channel_close", {{"channelId", to_hex(id)}, {"force", true}}) == "channel_recovering");
    alice.resume();
    connect(bob, alice);
    until("alice hands the newest over", [&] { return bob.version(id) == newest; });
    CHECK(bob.status(id) == "recovering");
    const Gained bobs(world, bob.account());
    (void)bob.call("channel_close", {{"channelId", to_hex(id)}});
    bob.wait_status(id, "closed");
    CHECK(bobs() == 470 * kUsdc);
}
