#include <fmt/format.h>

#include "channel/base/u256.h"
#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"
#include "tests/support/test_preimage.h"
#include "tests/support/two_nodes.h"

/// Locks in a dispute: whether the preimage was registered before the expiry decides, to the second.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

void wait_closed(DaemonWorld& world, TestNode& node) {
    const Ticker blocks(world, 500);
    node.wait_until([](const StateLine& s) { return s.status == "closed"; });
}

}  // namespace

TEST_SUITE_BEGIN("locks");

TEST_CASE("preimages registered one second before, at and after the expiry: only the first lock pays") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonWorld world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    for (int i = 1; i <= 3; ++i) {
        REQUIRE(bob.ask(fmt::format("know {}", i)) == "known");
        REQUIRE(alice.ask(fmt::format("lock {}000000 {} {}", 10 * i, i, 300)) == "locked");
    }
    wait_equal(alice, bob);
    bob.kill();  // or his node would register them in good time
    const Exported now = exported(alice);
    REQUIRE(now.state.locks.size() == 3);
    REQUIRE(alice.ask("force").starts_with("0x"));
    until("the challenge", [&] { return world.dispute(now.id).end != 0; });
    const std::uint64_t window = world.dispute(now.id).end;
    // The expiries differ by at most a second or two, as the clock ran between the ops: each lock by its own.
    const Address anybody = *parse_address("0x00000000000000000000000000000000000000D4");
    struct Reveal {
        std::uint64_t at;
        std::uint8_t number;
    };
    std::vector<Reveal> reveals;
    for (const Lock& lock : now.state.locks) {
        for (std::uint8_t i = 1; i <= 3; ++i) {
            if (test_preimage(i).second == lock.hash) reveals.push_back({lock.expiry + i - 2u, i});
        }
    }
    REQUIRE(reveals.size() == 3);
    std::sort(reveals.begin(), reveals.end(), [](const Reveal& a, const Reveal& b) { return a.at < b.at; });
    world.automine(false);
    for (std::size_t i = 0; i < reveals.size(); ++i) {
        const Bytes data = wallet::reveal_call(std::vector<Preimage>{test_preimage(reveals[i].number).first});
        const std::string sent = world.post(anybody, world.adjudicator, data);
        const bool same_second = i + 1 < reveals.size() && reveals[i + 1].at == reveals[i].at;
        if (same_second) continue;
        world.anvil.call("evm_setNextBlockTimestamp", Json::array({reveals[i].at}));
        world.mine();
        REQUIRE(world.succeeded(sent));
        REQUIRE(world.now_s() == reveals[i].at);
    }
    world.automine(true);
    world.pass_seconds(10);
    wait_closed(world, alice);
    const Ending end = world.ending(now);
    CHECK(end.settled_s >= settle_due_time(window, now.state));
    CHECK(end.twin.result.penalty.is_zero());
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) - 10 * kUsdc);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) + 10 * kUsdc);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a payee that knows the preimage registers it in the dispute, and is paid; the payer's own lock lapses") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonWorld world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    REQUIRE(bob.ask("know 5") == "known");
    REQUIRE(alice.ask("lock 70000000 5 200") == "locked");
    REQUIRE(alice.ask("know 6") == "known");
    REQUIRE(bob.ask("lock 30000000 6 200") == "locked");
    wait_equal(alice, bob);
    const Exported now = exported(bob);
    alice.kill();  // she registers nothing
    REQUIRE(bob.ask("force").starts_with("0x"));
    const LockHash hash = test_preimage(5).second;
    {
        const Ticker blocks(world, 300);
        until("bob registers it", [&] {
            return *wallet::read_uint64(world.view(world.adjudicator, wallet::revealed_at_call(hash))) != 0;
        });
    }
    world.pass_seconds(61);
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    CHECK(bob.state().status == "disputed");  // the locks have not expired
    world.pass_seconds(210);
    wait_closed(world, bob);
    (void)world.ending(now);
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) - 70 * kUsdc);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) + 70 * kUsdc);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_SUITE_END();
