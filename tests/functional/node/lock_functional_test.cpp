#include <doctest/doctest.h>

#include "tests/support/two_nodes.h"

/// Locks at their expiry, and a locked wallet, with real processes and a real chain (spec 6.13, 7.4).
using namespace hedgerow::test;

TEST_CASE(
    "locks: a payee registers its preimage where the payer is gone, and is paid after all; one that slept loses the "
    "lock") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE("skipped: no Anvil; run npm ci --ignore-scripts");
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    const auto no_locks = [&] { return alice.ask("locks") == "0" && bob.ask("locks") == "0"; };

    REQUIRE(alice.ask("lock 1000 7 3600") == "error lock_unexplained");
    REQUIRE(bob.ask("lock 1000 7 3600") == "error lock_unexplained");
    REQUIRE(bob.ask("know 7") == "known");
    REQUIRE(alice.ask("lock 250000000 7 3600") == "locked");
    wait_equal(alice, bob);
    alice.kill();
    world.pass_seconds(2'900);
    std::this_thread::sleep_for(std::chrono::seconds(3));
    CHECK(bob.ask("revealed 7") == "0");  // there is time
    SUBCASE("in one life") {
        world.pass_seconds(500);
    }
    SUBCASE("across a restart") {
        bob.kill();
        world.pass_seconds(300);  // half of what is left when bob is back
        bob.start();
        std::this_thread::sleep_for(std::chrono::seconds(3));  // it notices the lock with 400 seconds left
        world.pass_seconds(300);
    }
    bob.wait_until([&](const StateLine&) { return bob.ask("revealed 7") == "1"; }, 90'000);
    world.pass_seconds(1'000);  // the lock has expired, executed
    alice.start();
    alice.wait_until([&](const StateLine& s) { return s.net == 250'000'000 && no_locks(); }, 90'000);
    wait_equal(alice, bob);
    CHECK(alice.state().status == "open");

    // A withdrawal that was refused is tried again under its reference, however much later.
    CHECK(bob.ask("withdraw 760000000 w1") == "error insufficient_balance");
    REQUIRE(alice.ask("pay 1 20000000") == "paid 1 0 none");
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const std::string withdrawn = bob.ask("withdraw 760000000 w1");
    INFO(withdrawn);
    CHECK(withdrawn.starts_with("0x"));
    CHECK(bob.ask("withdraw 760000000 w1") == withdrawn);

    // Known, but not registered in time: the payer takes it back, and a restarted payee agrees.
    REQUIRE(bob.ask("know 9") == "known");
    REQUIRE(alice.ask("lock 20000000 9 20000") == "locked");
    wait_equal(alice, bob);
    bob.kill();
    world.pass_seconds(20'000);
    bob.start();
    alice.wait_until([&](const StateLine&) { return no_locks(); }, 90'000);
    wait_equal(alice, bob);
    CHECK(bob.state().net == 270'000'000);
    CHECK(bob.ask("revealed 9") == "0");

    // A locked wallet is paid and pays nobody.
    REQUIRE(bob.ask("wallet lock") == "locked");
    CHECK(alice.ask("pay 3 1000") == "paid 3 0 none");
    CHECK(bob.ask("pay 1 1000") == "paid 0 1 wallet_locked");
    REQUIRE(bob.ask("wallet unlock") == "unlocked");
    CHECK(bob.ask("pay 1 3000") == "paid 1 0 none");
    wait_equal(alice, bob);
    CHECK(alice.state().net == 270'000'000);
    CHECK(alice.stop() == 0);
    CHECK(bob.stop() == 0);
}
