#include "tests/functional/crash/tower_walk.h"

#include <fmt/format.h>

#include <set>
#include <sstream>

#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"
#include "tests/support/test_preimage.h"
#include "tests/support/tower_world.h"
#include "tests/support/two_nodes.h"

/// kill -9 at every persistence boundary of a watchtower, and of the node that it guards.
namespace hedgerow::test {

using namespace channel;

std::deque<std::string> tower_points() {
    return {"store.in_transaction", "store.before_commit",  "store.after_commit_before_generation",
            "store.after_commit",   "store.completed",      "outbox.after_actions",
            "tower.cursor",         "send.BackupItems",     "sent.BackupItems",
            "send.TowerPlan",       "sent.TowerPlan",
            "send.TowerRefuse",     "sent.TowerRefuse",     "tower.record",
            "send.TowerReceipt",    "sent.TowerReceipt",    "send.TowerRecord",
            "sent.TowerRecord",     "tower.backup",         "send.BackupStored",
            "sent.BackupStored",    "tower.event",          "tower.before_answer",
            "tx.stored.respond",    "tx.broadcast.respond", "tx.stored.reveal",
            "tx.broadcast.reveal",  "tx.stored.settle",     "tx.broadcast.settle",
            "tower.forget"};
}

std::deque<std::string> tower_client_points() {
    return {"send.TowerPlanAsk", "sent.TowerPlanAsk", "send.BackupFetch",  "sent.BackupFetch",     "send.TowerFetch",  "sent.TowerFetch",  "send.TowerStore",
            "sent.TowerStore",   "tower_client.receipt", "send.BackupStore", "sent.BackupStore", "backup.copy",
            "send.BackupStored", "sent.BackupStored",    "send.TowerEnd",    "sent.TowerEnd"};
}

std::deque<std::string> dispute_points() {
    return {"tx.stored.reveal", "tx.broadcast.reveal", "tx.stored.claim", "tx.broadcast.claim"};
}

namespace {

constexpr int kStepMs = 60'000;
constexpr std::uint64_t kLockS = 300;
constexpr int kMaxLivesWithoutDeath = 6;  ///< some points wait for a copy, of which there is one every ten seconds
constexpr Int128 kFine = kUsdc;           ///< stalePenalty of node_child

/// alice leads and has a tower; bob cheats in one life of a channel, and closes in the next. The victim, the tower or
/// alice, dies at one point after the other: each of its lives is armed with the next.
struct Walk {
    enum class Victim { tower, client };

    DaemonWorld world;
    TowerProcess tower;
    TestNode alice, bob;
    const Victim victim;
    std::deque<std::string> points;
    std::size_t deaths = 0;
    bool armed = false;
    int number = 0;
    ChannelId id;

    Walk(Anvil anvil, Victim who, std::deque<std::string> list)
        : world(std::move(anvil)),
          tower(world, {{"free-records", "100"}}),
          alice(world, "alice", free_port()),
          bob(world, "bob", free_port()),
          victim(who),
          points(std::move(list)) {
        alice.fund();
        bob.fund();
        // From her phrase she may lack channels: she asks everybody for her copies, now and later.
        alice.lose_disk();
        alice.start();
        REQUIRE(alice.ask(fmt::format("tower {}@127.0.0.1:{}", to_hex(tower.id()).substr(2), tower.port())) == "added");
    }

    [[nodiscard]] std::string ref(const std::string& what) const { return fmt::format("{}-{}", what, number); }
    [[nodiscard]] std::optional<int> ended() { return victim == Victim::tower ? tower.ended() : alice.ended(); }

    /// The victim again, armed with the next point where there is one.
    void revive() {
        const std::string point = points.empty() ? std::string() : points.front() + ":1";
        armed = !point.empty();
        try {
            victim == Victim::tower ? tower.start(point) : alice.start(point);
        } catch (const std::exception&) {  // it has died while it started
        }
    }

    /// Where the victim has died: it was at its point, and the next life begins.
    void tend() {
        const auto code = ended();
        if (!code) return;
        REQUIRE(*code == 137);
        REQUIRE(armed);
        points.pop_front();
        ++deaths;
        revive();
    }

    /// `probe` until it is true, through the victim's deaths.
    void wait(const std::string& what, const std::function<bool()>& probe) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kStepMs);
        for (;;) {
            tend();
            std::string why;
            try {
                if (probe()) return;
            } catch (const std::exception& error) {
                why = error.what();
            }
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error(
                    fmt::format("{}: {} (armed: {})", what, why, points.empty() ? "" : points.front()));
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    }

    /// How far the chain's clock, which each cheat moves on, is ahead of the nodes'.
    [[nodiscard]] std::uint64_t ahead_s() {
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        const auto wall_s = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(wall).count());
        return std::max(world.now_s(), wall_s) - wall_s;
    }

    void pay(TestNode& by, const std::string& what, int amount) {
        wait(what, [&] { return by.ask(fmt::format("payref {}000000 {}", amount, ref(what))).starts_with("done"); });
        wait("they agree", [&] { return settled(alice.state(), bob.state()); });
    }

    void open() {
        const auto connected = [&] { return bob.ask("connect " + alice.uri()) == "connected"; };
        until("a link", connected);
        REQUIRE(bob.ask("open " + alice.id() + " 500000000").starts_with("0x"));
        REQUIRE(alice.ask("deposit 300000000 " + ref("deposit")).starts_with("0x"));
        for (TestNode* node : {&alice, &bob}) {
            node->wait_until([](const StateLine& s) {
                return s.connected == 1 && s.available_a == 300'000'000 && s.available_b == 500'000'000;
            });
        }
        id = exported_after_first_payment();
    }

    /// Behind the first copies of the channel, so that both sides owe each other newer ones at their next link.
    ChannelId exported_after_first_payment() {
        std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
        REQUIRE(bob.ask(fmt::format("payref 1000000 {}", ref("first"))).starts_with("done"));
        wait_equal(alice, bob);
        return exported(bob).id;
    }

    void held_by_tower() {
        wait("the tower holds the newest", [&] {
            std::istringstream in(alice.ask("held " + to_hex(id)));
            std::uint64_t version = 0;
            int broken = 1;
            std::string refused;
            in >> version >> broken >> refused;
            return version == bob.state().version && broken == 0;
        });
        wait("and only that", [&] { return tower.metric("appointments{kib=\"4\"}") == 1; });
        wait("and her copy", [&] { return tower.metric("backups") >= 1; });
    }

    /// All that both have paid in a life; what is left in the channel is alice's 271 and bob's 529.
    void work() {
        pay(alice, "pay", 30);
        held_by_tower();
        pass_copies();
    }

    /// Copies go out at most every ten seconds, and one that is not answered once more ten seconds later: who is to die
    /// at one is given that time, as the payment before has made one due.
    void pass_copies() {
        if (points.empty() || deaths_at_copies().count(points.front()) == 0) return;
        const std::size_t before = deaths;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(25);
        while (deaths == before && std::chrono::steady_clock::now() < end) {
            tend();
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        held_by_tower();
    }
    static std::set<std::string> deaths_at_copies() {
        return {"send.BackupStore", "sent.BackupStore", "backup.copy", "tower.backup", "send.BackupStored", "sent.BackupStored"};
    }

    void close() {
        work();
        const Gained alices(world, alice.account()), bobs(world, bob.account());
        wait("closed", [&] {
            (void)bob.ask("close");
            return alice.state().status == "closed" && bob.state().status == "closed";
        });
        CHECK(alices() == 271 * kUsdc);
        CHECK(bobs() == 529 * kUsdc);
    }

    void cheat() {
        work();
        const Exported old = exported(bob);
        pay(bob, "back", 50);
        const auto [preimage, hash] = test_preimage(static_cast<std::uint8_t>(number + 1));
        wait("the preimage", [&] { return alice.ask(fmt::format("know {}", number + 1)) == "known"; });
        wait("the lock", [&] {
            if (bob.ask("locks") != "1")
                (void)bob.ask(fmt::format("lock 40000000 {} {}", number + 1, kLockS + ahead_s()));
            return bob.ask("locks") == "1" && settled(alice.state(), bob.state());
        });
        held_by_tower();
        wait("the preimage too", [&] { return alice.ask("held " + to_hex(id)).ends_with("none"); });
        const Exported newest = exported(bob);
        const Gained alices(world, alice.account()), bobs(world, bob.account());
        const bool client = victim == Victim::client;
        alice.kill();
        bob.kill();
        REQUIRE(world.succeeded(world.post_challenge(old, Party::B)));
        const auto away = [&](const std::string& what, const std::function<bool()>& probe) {
            if (client)
                until(what, probe, kStepMs);
            else
                wait(what, probe);
        };
        away("the answer", [&] { return world.dispute(id).version == newest.state.version; });
        away("the preimage on chain", [&] {
            world.mine();
            return *wallet::read_uint64(world.view(world.adjudicator, wallet::revealed_at_call(hash))) != 0;
        });
        world.pass_seconds(kLockS + 100);
        away("the settlement", [&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            world.pass_seconds(1);
            return world.holdings(id, world.token).is_final;
        });
        const Ending end = world.ending(newest);
        CHECK(end.settled.version == newest.state.version);
        CHECK(alices() == 361 * kUsdc + kFine);
        CHECK(bobs() == 439 * kUsdc - kFine);
        away("it is forgotten", [&] {
            world.mine();
            return tower.metric("appointments{kib=\"4\"}") == 0 && tower.metric("disputes{state=\"open\"}") == 0;
        });
        bob.start();
        client ? revive() : alice.start();
        for (TestNode* node : {&alice, &bob}) wait("closed", [&] { return node->state().status == "closed"; });
    }

    void life() {
        if (victim == Victim::client) {
            // Openings are walked elsewhere; these have no reference under which they could be tried again.
            alice.kill();
            alice.start();
            armed = false;
            open();
            alice.kill();
            revive();
        } else {
            open();
        }
        number % 2 == 0 ? cheat() : close();
        wait("the promise has ended", [&] { return alice.ask("held " + to_hex(id)).starts_with("0 0 "); });
        wait("nothing is kept any more", [&] {
            world.mine();
            return tower.metric("appointments{kib=\"4\"}") == 0;
        });
        CHECK(world.balance(world.adjudicator) == 0);
        ++number;
    }

    void run() {
        if (victim == Victim::tower) {
            tower.kill();
            revive();
        }
        for (int alive = 0; !points.empty();) {
            const std::size_t before = deaths;
            life();
            alive = deaths == before ? alive + 1 : 0;
            if (alive == kMaxLivesWithoutDeath) throw std::runtime_error("never passed: " + points.front());
        }
        life();
    }
};

void walk(Walk::Victim victim, const std::deque<std::string>& points) {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Walk walk(std::move(*anvil), victim, points);
    REQUIRE_NOTHROW(walk.run());
    CHECK(walk.deaths == points.size());
}

}  // namespace

TEST_SUITE_BEGIN("tower");

TEST_CASE("a child that has died refuses what is written to it, and does not take the test with it") {
    ChildProcess child({"/bin/true"});
    CHECK(child.wait() == 0);
    CHECK_THROWS_AS(child.write("anybody there?"), std::runtime_error);
}

TEST_CASE("the tower dies at every failpoint: no promise is broken, every cheat is answered") {
    walk(Walk::Victim::tower, tower_points());
}

TEST_CASE("its client dies at every failpoint: the tower has the newest, and no receipt is lost") {
    walk(Walk::Victim::client, tower_client_points());
}

TEST_CASE("a node dies as it registers a preimage in a dispute: it is registered, once") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonWorld world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    REQUIRE(bob.ask("know 5") == "known");
    REQUIRE(alice.ask("lock 70000000 5 300") == "locked");
    wait_equal(alice, bob);
    const Exported now = exported(alice);
    bob.kill();
    REQUIRE(alice.ask("force").starts_with("0x"));
    until("the challenge", [&] { return world.dispute(now.id).end != 0; });
    alice.kill();
    const auto registered = [&] {
        return *wallet::read_uint64(world.view(world.adjudicator, wallet::revealed_at_call(test_preimage(5).second)));
    };
    const Ticker blocks(world, 300);
    for (const char* point : {"tx.stored.reveal", "tx.broadcast.reveal"}) {
        CAPTURE(point);
        CHECK(registered() == 0);
        world.automine(false);
        try {
            bob.start(std::string(point) + ":1");
        } catch (const std::exception&) {
        }
        std::optional<int> code;
        until("it dies", [&] { return (code = bob.ended()).has_value(); });
        CHECK(*code == 137);
        world.automine(true);
    }
    bob.start();
    until("it is registered", [&] { return registered() != 0; });
}

TEST_CASE("a node dies as it claims what was held for it: it is claimed, once") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const Address coin;
    const ChannelId id = open_channel(alice, bob, {"100", "1"}, {"100", "2"});
    bob.pay(id, "0.5", "ETH");
    wait_same(alice, bob, id);
    const Exported now = bob.exported(id);
    (void)bob.call("channel_close", {{"channelId", to_hex(id)}, {"force", true}});
    bob.wait_status(id, "disputed");
    alice.kill();
    const auto code_of = [&](const char* code) {
        world.anvil.call("anvil_setCode", Json::array({to_hex(alice.account()), code}));
    };
    const auto claimable = [&] {
        return *wallet::read_uint256(world.view(world.adjudicator, wallet::claimable_call(coin, alice.account())))
                    ->to_i128();
    };
    code_of("0x60006000fd");  // she refuses coins
    (void)pair.settle(now, bob);
    code_of("0x");
    REQUIRE(claimable() == kEther * 3 / 2);
    const Int128 before = world.coins(alice.account());
    for (const char* point : {"tx.stored.claim:1", "tx.broadcast.claim:1"}) {
        CAPTURE(point);
        ChildOptions child;
        child.environment = {{"HEDGEROW_FAILPOINT", point}};
        try {
            alice.start(child);
        } catch (const std::exception&) {
        }
        std::optional<int> code;
        until("she dies", [&] { return (code = alice.ended()).has_value(); });
        CHECK(*code == 137);
    }
    alice.start();
    until("the claim", [&] {
        world.mine();
        return claimable() == 0;
    });
    alice.wait_status(id, "closed");
    CHECK(world.coins(alice.account()) - before > kEther * 3 / 2 - kEther / 100);
    CHECK(world.coins(alice.account()) - before < kEther * 3 / 2);
    CHECK(world.coins(world.adjudicator) == 0);
}

TEST_SUITE_END();

}  // namespace hedgerow::test
