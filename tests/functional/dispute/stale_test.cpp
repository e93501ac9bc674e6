#include "tests/functional/dispute/dispute_pair.h"

/// Who challenges with an old state pays, an honest challenger never does; both at the edges of the window (spec 3.3).
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

/// Payments of one unit from bob until the version is `target`.
void pay_up_to(Pair& pair, const ChannelId& id, std::uint64_t target) {
    while (pair.bob.version(id) < target) pair.bob.pay(id, "0.000001");
    wait_same(pair.alice, pair.bob, id);
    REQUIRE(pair.alice.version(id) == target);
}

}  // namespace

TEST_SUITE_BEGIN("stale");

TEST_CASE("a stale challenge is answered by the victim's node; the penalty begins at the edge of the window") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    struct Try {
        Party cheat;
        std::uint64_t behind;
        bool pays;
        ChannelId id;
        Exported old;
    };
    // The leader's window is 64 versions, the follower has none.
    std::vector<Try> tries{{Party::A, 64, false, {}, {}}, {Party::A, 65, true, {}, {}}, {Party::B, 1, true, {}, {}}};
    for (Try& t : tries) {
        t.id = pair.open();
        alice.pay(t.id, "100");
        wait_same(alice, bob, t.id);
        t.old = alice.exported(t.id);
        pay_up_to(pair, t.id, t.old.state.version + t.behind);
    }
    for (const Try& t : tries) {
        Daemon& cheat = t.cheat == Party::A ? alice : bob;
        Daemon& victim = t.cheat == Party::A ? bob : alice;
        const Gained alices(world, alice.account());
        const Gained bobs(world, bob.account());
        cheat.kill();
        REQUIRE(world.succeeded(world.post_challenge(t.old, t.cheat)));
        const std::uint64_t newest = t.old.state.version + t.behind;
        until("the answer", [&] { return world.dispute(t.id).version == newest; });
        const Ending end = pair.settle(t.old, victim);
        CHECK(end.challenged_version == t.old.state.version);
        CHECK(end.settled.version == newest);
        CHECK(end.twin.result.penalty == Amount::from_raw(t.pays ? kPenalty : 0));
        const Int128 fine = t.pays ? (t.cheat == Party::A ? -kPenalty : kPenalty) : 0;
        const auto paid_by_bob = static_cast<Int128>(t.behind);
        CHECK(alices() == 900 * kUsdc + paid_by_bob + fine);
        CHECK(bobs() == 600 * kUsdc - paid_by_bob - fine);
        cheat.start();
        cheat.wait_status(t.id, "closed");
    }
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("an honest challenger never pays: either side with its newest state, the other asleep or answering") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    for (const Party honest : {Party::A, Party::B}) {
        Daemon& me = honest == Party::A ? alice : bob;
        Daemon& other = honest == Party::A ? bob : alice;
        const ChannelId id = pair.open();
        alice.pay(id, "7");
        bob.pay(id, "2.5");
        wait_same(alice, bob, id);
        const Exported now = me.exported(id);
        const Gained alices(world, alice.account());
        const Gained bobs(world, bob.account());
        (void)me.call("channel_close", {{"channelId", to_hex(id)}, {"force", true}});
        other.wait_status(id, "disputed");
        const Ending end = pair.settle(now, other);
        CHECK(end.challenged_version == now.state.version);
        CHECK(end.settled.version == now.state.version);
        CHECK(end.twin.result.penalty.is_zero());
        CHECK(alices() == 995'500'000);
        CHECK(bobs() == 504'500'000);
        me.wait_status(id, "closed");
    }
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_SUITE_END();
