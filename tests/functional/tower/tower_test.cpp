#include "tests/functional/dispute/dispute_pair.h"
#include "tests/support/tower_world.h"

/// A tower enforces for who is away: the quickstart's cheat with the victim's node down, the tower killed at every
/// point of the dispute, and a chain that takes the tower's answer back.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

/// A channel whose newest state the tower has from alice, and an old one that bob will cheat with. Both nodes are down.
struct Cheat {
    ChannelId id;
    Exported old;
    std::uint64_t newest = 0;
    Gained alices, bobs;

    Cheat(Pair& pair, TowerProcess& tower)
        : id(pair.open()), alices(pair.world, pair.alice.account()), bobs(pair.world, pair.bob.account()) {
        auto& [world, alice, bob] = pair;
        alice.pay(id, "20");
        wait_same(alice, bob, id);
        old = bob.exported(id);
        bob.pay(id, "320");
        wait_same(alice, bob, id);
        newest = bob.version(id);
        TestTowerClient client(world, 5);
        client.connect(tower);
        const TowerStore store = appointment_of(world, alice, id, tower.id());
        REQUIRE(store.version == newest);
        until("the tower takes the record", [&] {
            const PeerMessage answer = client.ask(store);
            const auto* receipt = std::get_if<TowerReceipt>(&answer);
            if (receipt == nullptr) {
                // Only that it has not looked at the chain yet.
                REQUIRE(std::get<TowerRefuse>(answer).rule == Rule::tower_behind);
                return false;
            }
            REQUIRE(wallet::verify_node_signature(tower.id(), kReceiptDomain, receipt_message(*receipt),
                                                  receipt->signature));
            REQUIRE(receipt->blob_hash == keccak256(store.blob));
            REQUIRE(receipt->client == client.identity().node_id());
            return true;
        });
        alice.kill();
        bob.kill();
    }

    /// Settled by the tower, nobody else being there, with the penalty paid by who cheated.
    void check_end(Pair& pair) {
        auto& world = pair.world;
        world.pass_seconds(kDisputePeriod + 1);
        pass_until_final(world, id, "the settlement");
        const Ending end = world.ending(old);
        CHECK(end.settled.version == newest);
        CHECK(end.twin.result.penalty == Amount::from_raw(kPenalty));
        CHECK(alices() == 1'300 * kUsdc + kPenalty);
        CHECK(bobs() == 200 * kUsdc - kPenalty);
        CHECK(world.balance(world.adjudicator) == 0);
    }
};

void block_until(DaemonWorld& world, const std::string& what, const std::function<bool()>& probe) {
    until(what, [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        world.mine();
        return probe();
    });
}

}  // namespace

TEST_CASE("the cheat is defeated by a tower while the victim's node is down; its metrics say so") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    TowerProcess tower(pair.world);
    CHECK(tower.get("/healthz") == "ok\n");
    Cheat cheat(pair, tower);
    CHECK(tower.get("/readyz") == "ready\n");
    CHECK(tower.metric("appointments{kib=\"4\"}") == 1);
    CHECK(tower.metric("disputes{state=\"open\"}") == 0);
    REQUIRE(pair.world.succeeded(pair.world.post_challenge(cheat.old, Party::B)));
    until("the answer", [&] { return pair.world.dispute(cheat.id).version == cheat.newest; });
    CHECK(tower.metric("disputes{state=\"open\"}") == 1);
    cheat.check_end(pair);
    // Over and confirmed: forgotten.
    block_until(pair.world, "it forgets the channel", [&] { return tower.metric("appointments{kib=\"4\"}") == 0; });
    CHECK(tower.metric("disputes{state=\"open\"}") == 0);
    CHECK(tower.stop() == 0);
}

TEST_CASE("killed and started again in the middle of a dispute, the tower goes on") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& world = pair.world;
    TowerProcess tower(world);
    Cheat cheat(pair, tower);
    SUBCASE("down when the challenge is mined") {
        tower.kill();
        REQUIRE(world.succeeded(world.post_challenge(cheat.old, Party::B)));
        tower.start();
        until("the answer", [&] { return world.dispute(cheat.id).version == cheat.newest; });
    }
    SUBCASE("as the challenge is being stored, and as the answer is, and after") {
        // Each start gets a little further; every commit of the way is a place to die at.
        tower.kill();
        REQUIRE(world.succeeded(world.post_challenge(cheat.old, Party::B)));
        for (const char* failpoint : {"store.before_commit:1", "store.before_commit:2", "store.after_commit:2", "store.before_commit:3"}) {
            tower.start(failpoint);
            CHECK(tower.wait() == 137);
        }
        tower.start();
        until("the answer", [&] { return world.dispute(cheat.id).version == cheat.newest; });
    }
    SUBCASE("the answer is broadcast, not mined") {
        world.automine(false);
        const std::string challenge = world.post_challenge(cheat.old, Party::B);
        world.mine();
        REQUIRE(world.succeeded(challenge));
        until("the answer is sent", [&] { return tower.metric("jobs{state=\"broadcast\"}") == 1; });
        tower.kill();
        world.anvil.call("anvil_dropAllTransactions", Json::array());
        tower.start();
        block_until(world, "the answer", [&] { return world.dispute(cheat.id).version == cheat.newest; });
        world.automine(true);
    }
    SUBCASE("the answer is mined, the settlement is to come") {
        REQUIRE(world.succeeded(world.post_challenge(cheat.old, Party::B)));
        until("the answer", [&] { return world.dispute(cheat.id).version == cheat.newest; });
        tower.kill();
        world.pass_seconds(kDisputePeriod + 1);
        tower.start();
    }
    cheat.check_end(pair);
}

TEST_CASE("a reorganisation takes the tower's answer back, and the challenge with it: it answers again") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& world = pair.world;
    TowerProcess tower(world);
    Cheat cheat(pair, tower);
    world.automine(false);
    std::string challenge = world.post_challenge(cheat.old, Party::B);
    world.mine();
    REQUIRE(world.succeeded(challenge));
    const std::uint64_t challenged = world.height();
    block_until(world, "the answer", [&] { return world.dispute(cheat.id).version == cheat.newest; });
    // The answer alone.
    while (world.dispute(cheat.id).version == cheat.newest) {
        const std::uint64_t depth = world.height() - challenged;
        REQUIRE(depth > 0);
        world.reorg(depth);
    }
    CHECK(world.dispute(cheat.id).version == cheat.old.state.version);
    block_until(world, "the answer again", [&] { return world.dispute(cheat.id).version == cheat.newest; });
    // And both; the challenge comes back in a later block, with another end.
    const std::uint64_t end = world.dispute(cheat.id).end;
    world.reorg(world.height() - challenged + 1);
    REQUIRE(world.dispute(cheat.id).end == 0);
    world.pass_seconds(20);
    world.anvil.call("anvil_dropAllTransactions", Json::array());
    challenge = world.post_challenge(cheat.old, Party::B);
    world.mine();
    REQUIRE(world.succeeded(challenge));
    CHECK(world.dispute(cheat.id).end > end);
    block_until(world, "the answer to the new one", [&] { return world.dispute(cheat.id).version == cheat.newest; });
    world.automine(true);
    cheat.check_end(pair);
}

TEST_CASE("quota, subscription and what the wallet cannot pay for, from the operator's side") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonWorld world(std::move(*anvil));
    TowerProcess tower(world, {{"free-records", "0"}});
    TestTowerClient client(world, 6);
    client.connect(tower);
    TowerStore store;
    store.version = 1;
    store.blob.assign(4'096 + 40, 1);
    const auto rule = [&] {
        const PeerMessage answer = client.ask(store);
        return std::holds_alternative<TowerRefuse>(answer) ? std::get<TowerRefuse>(answer).rule : Rule::none;
    };
    until("it follows the chain", [&] { return rule() != Rule::tower_behind; });
    CHECK(rule() == Rule::tower_not_subscribed);
    const std::string id = to_hex(client.identity().node_id()).substr(2);
    CHECK(tower.command({"grant", id, "--records", "1", "--until", "2999-12-31"}) == 0);
    CHECK(rule() == Rule::none);
    store.locator.data[0] = 1;
    CHECK(rule() == Rule::tower_over_quota);
    // The same while it does not run.
    CHECK(tower.stop() == 0);
    CHECK(tower.command({"grant", id, "--records", "5", "--until", "2999-12-31"}) == 0);
    CHECK(tower.command({"grant", "rubbish", "--records", "5", "--until", "2999-12-31"}) == 1);
    CHECK(tower.command({"grant", id, "--records", "5", "--until", "2999-02-31"}) == 1);
    world.anvil.call("anvil_setBalance", Json::array({to_hex(tower.account()), "0x1"}));
    tower.start();
    client.connect(tower);
    until("it has seen its wallet", [&] { return rule() != Rule::tower_behind; });
    CHECK(rule() == Rule::tower_cannot_afford);
    CHECK(tower.metric("refused_total{rule=\"tower_cannot_afford\"}") >= 1);
    store.locator.data[0] = 0;
    store.version = 2;
    CHECK(rule() == Rule::none);  // what is here may be replaced
    CHECK(tower.stop() == 0);
}
