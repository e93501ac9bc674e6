#include <fmt/format.h>

#include "channel/codec/abi.h"
#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"
#include "wallet/chain/erc20.h"

/// The chain takes back what was mined, at every step of a dispute and at every depth. The nodes count an event as
/// confirmed after two blocks, so that the deeper ones take back what they believed final.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

std::uint64_t blocks_since(DaemonWorld& world, std::uint64_t block) {
    return world.height() - block + 1;
}

/// The newest `depth` blocks, with the one that `block` names as the oldest of them, are replaced by empty ones.
void take_back(DaemonWorld& world, std::uint64_t block, std::uint64_t depth) {
    while (blocks_since(world, block) < depth) world.mine();
    REQUIRE(blocks_since(world, block) == depth);
    world.reorg(depth);
}

}  // namespace

TEST_SUITE_BEGIN("reorg");

TEST_CASE("challenge, response and settlement are each taken back by a reorganisation, and come again") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil), {{{"confirmations", "2"}}});
    auto& [world, alice, bob] = pair;
    // Blocks until it holds, and none more.
    const auto ticking = [&](const std::string& what, auto probe) {
        until(what, [&] {
            if (probe()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            world.mine();
            return probe();
        });
    };
    const std::vector<std::uint64_t> depths{1, 3, 12};
    std::vector<std::unique_ptr<Plot>> plots;
    for (std::size_t i = 0; i < depths.size(); ++i) {
        const Ticker blocks(world);
        plots.push_back(std::make_unique<Plot>(pair));
    }
    bob.kill();
    for (std::size_t i = 0; i < depths.size(); ++i) {
        const std::uint64_t depth = depths[i];
        const Plot t = *plots[i];
        CAPTURE(depth);
        const Gained alices(world, alice.account());
        const Gained bobs(world, bob.account());
        world.automine(false);
        // the challenge, before alice's answer is mined
        std::string challenge = world.post_challenge(t.old, Party::B);
        world.mine();
        REQUIRE(world.succeeded(challenge));
        std::uint64_t block = world.height();
        alice.wait_status(t.id, "disputed");
        world.anvil.call("anvil_dropAllTransactions", Json::array());
        take_back(world, block, depth);
        REQUIRE(world.dispute(t.id).end == 0);
        alice.wait_status(t.id, "open");
        // again, and the answer
        challenge = world.post_challenge(t.old, Party::B);
        world.mine();
        REQUIRE(world.succeeded(challenge));
        ticking("the answer", [&] { return world.dispute(t.id).version == t.newest; });
        block = 0;
        for (std::uint64_t b = world.height(); block == 0; --b) {
            const auto at = wallet::read_dispute(
                world.view(world.adjudicator, wallet::dispute_call(t.id), fmt::format("{:#x}", b)));
            if (at->version != t.newest) block = b + 1;
        }
        take_back(world, block, depth);
        const wallet::DisputeView left = world.dispute(t.id);
        // Where her answer shared the challenge's block, both are gone, and he challenges a third time.
        if (left.end == 0)
            REQUIRE(!world.post_challenge(t.old, Party::B).empty());
        else
            REQUIRE(left.version == t.old.state.version);
        ticking("the answer once more", [&] { return world.dispute(t.id).version == t.newest; });
        // the settlement
        world.pass_seconds(kDisputePeriod + 1);
        world.pass_seconds(10);
        const auto is_final = [&] { return world.holdings(t.id, world.token).is_final; };
        ticking("the settlement", is_final);
        block = world.height();
        while (world.holdings(t.id, world.token, fmt::format("{:#x}", block - 1)).is_final) --block;
        while (blocks_since(world, block) < depth) world.mine();
        if (depth > 2) alice.wait_status(t.id, "closed");  // she believes in it
        take_back(world, block, depth);
        REQUIRE_FALSE(is_final());
        ticking("the settlement once more", is_final);
        ticking("closed", [&] { return alice.status(t.id) == "closed"; });
        world.automine(true);
        const Ending end = world.ending(t.old);
        CHECK(end.settled.version == t.newest);
        CHECK(end.twin.result.penalty == Amount::from_raw(kPenalty));
        CHECK(alices() == 1'200 * kUsdc + kPenalty);
        CHECK(bobs() == 300 * kUsdc - kPenalty);
    }
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a settlement by somebody else, believed final, is taken back: the node settles, across a restart") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil), {{{"confirmations", "2"}}});
    auto& [world, alice, bob] = pair;
    ChannelId id;
    {
        const Ticker blocks(world);
        id = pair.open();
        bob.pay(id, "33");
        wait_same(alice, bob, id);
    }
    const Exported now = bob.exported(id);
    bob.kill();
    world.fund(alice.account());
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    REQUIRE(world.succeeded(world.post_challenge(now, Party::B)));
    world.mine(3);
    alice.wait_status(id, "disputed");
    // Due, though she leaves it to the challenger for some seconds yet: a stranger is first.
    world.pass_seconds(kDisputePeriod + 1);
    const Address stranger = *parse_address("0x00000000000000000000000000000000000000A1");
    REQUIRE(world.succeeded(world.post(stranger, world.adjudicator, wallet::settle_call(now.terms, now.state))));
    const std::uint64_t block = world.height();
    const auto is_final = [&] { return world.holdings(id, world.token).is_final; };
    REQUIRE(is_final());
    world.mine(3);
    alice.wait_status(id, "closed");
    world.automine(false);
    take_back(world, block, 5);
    world.anvil.call("anvil_dropAllTransactions", Json::array());
    REQUIRE_FALSE(is_final());
    until("she knows", [&] { return alice.logged("the confirmed end of a channel left the chain"); });
    alice.kill();
    alice.start();
    world.automine(true);
    world.pass_seconds(10);
    {
        const Ticker blocks(world, 300);
        until("the settlement once more", is_final);
    }
    CHECK(world.ending(now).settled.version == now.state.version);
    CHECK(alices() == 1'033 * kUsdc);
    CHECK(bobs() == 467 * kUsdc);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a challenge of our own that a reorganisation took back is made again; one that could not be answered is") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId own = pair.open();
    const ChannelId cheated = pair.open();
    bob.pay(own, "25");
    bob.pay(cheated, "40");
    wait_same(alice, bob, own);
    wait_same(alice, bob, cheated);
    const Exported now = bob.exported(own);
    const Exported old = bob.exported(cheated);
    bob.pay(cheated, "60");
    wait_same(alice, bob, cheated);
    const std::uint64_t newest = bob.version(cheated);
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());

    (void)bob.call("channel_close", {{"channelId", to_hex(own)}, {"force", true}});
    alice.wait_status(own, "disputed");
    bob.wait_status(own, "disputed");
    world.reorg(1);
    REQUIRE(world.dispute(own).end == 0);
    {
        const Ticker blocks(world);
        until("the challenge once more", [&] { return world.dispute(own).end != 0; });
    }
    alice.wait_status(own, "disputed");
    bob.kill();

    // Her answer finds no dispute, and fails; the next dispute is answered all the same.
    world.automine(false);
    REQUIRE(!world.post_challenge(old, Party::B).empty());
    world.mine();
    alice.wait_status(cheated, "disputed");
    world.reorg(1);
    // On a busy machine she sees that there is nothing to answer before she has sent it.
    until("her answer waits", [&] {
        return world.anvil.call("txpool_status", Json::array()).at("pending") != "0x0" ||
               alice.status(cheated) == "open";
    });
    world.mine();
    alice.wait_status(cheated, "open");
    world.automine(true);
    REQUIRE(world.succeeded(world.post_challenge(old, Party::B)));
    {
        const Ticker blocks(world, 500);
        until("the answer", [&] { return world.dispute(cheated).version == newest; });
    }
    const Ending end = pair.settle(old, alice);
    CHECK(end.twin.result.penalty == Amount::from_raw(kPenalty));
    alice.wait_status(own, "closed");
    CHECK(world.ending(now).twin.result.penalty.is_zero());
    CHECK(alices() == (1'000 + 25 + 1'000 + 100) * kUsdc + kPenalty);
    CHECK(bobs() == (500 - 25 + 500 - 100) * kUsdc - kPenalty);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a deposit counts when it is confirmed; one that a reorganisation takes back before that never did") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil), {{{"confirmations", "3"}}});
    auto& [world, alice, bob] = pair;
    const ChannelId id = [&] {
        const Ticker blocks(world);
        return pair.open();
    }();
    const Address stranger = *parse_address("0x00000000000000000000000000000000000000A1");
    const Amount gift = Amount::from_raw(200 * kUsdc);
    REQUIRE(world.succeeded(world.post(stranger, world.token, abi_call("mint(address,uint256)", stranger, U256(400'000'000u)))));
    REQUIRE(world.succeeded(world.post(stranger, world.token, wallet::erc20_approve_call(world.adjudicator, U256(400'000'000u)))));
    const auto deposited = [&](Daemon& node, const char* field) {
        return node.channel(id).at("assets").at(0).at(field).get<std::string>();
    };
    const auto both_see = [&](const std::string& amount) {
        return deposited(alice, "deposited") == amount && deposited(bob, "counterDeposited") == amount;
    };
    const Json all{{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "1100"}};
    const auto paid_refused = [&](const std::string& ref) {
        Json order = all;
        order["clientRef"] = ref;
        return alice.refusal("pay_send", order);
    };
    const std::string before = deposited(alice, "deposited");
    world.automine(false);
    (void)world.post(stranger, world.adjudicator, wallet::deposit_call(id, Party::A, world.token, gift));
    world.mine(2);  // one short of three
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    CHECK(both_see(before));
    CHECK(paid_refused("too-early") == "insufficient_balance");
    world.reorg(2);
    world.mine(6);
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    CHECK(both_see(before));
    CHECK(paid_refused("taken-back") == "insufficient_balance");
    (void)world.post(stranger, world.adjudicator, wallet::deposit_call(id, Party::A, world.token, gift));
    world.mine(3);
    until("the deposit counts", [&] { return !both_see(before); });
    until("for both", [&] { return deposited(alice, "deposited") == deposited(bob, "counterDeposited"); });
    alice.pay(id, "1100");
    wait_same(alice, bob, id);
    world.automine(true);
}

TEST_CASE("a node that dies between a challenge's leaving the chain and what it would do about it, does it at its start") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil), {{{"confirmations", "2"}}});
    auto& [world, alice, bob] = pair;
    const auto plot = [&] {
        const Ticker blocks(world);
        return std::make_unique<Plot>(pair);
    }();
    bob.kill();
    alice.kill();
    ChildOptions armed;
    armed.environment = {{"HEDGEROW_FAILPOINT", "chain.dispute_asked:1"}};
    alice.start(armed);
    world.automine(false);
    const std::string challenge = world.post_challenge(plot->old, Party::B);
    world.mine();
    REQUIRE(world.succeeded(challenge));
    const std::uint64_t block = world.height();
    alice.wait_status(plot->id, "disputed");
    world.anvil.call("anvil_dropAllTransactions", Json::array());
    take_back(world, block, 1);
    until("her death", [&] { return alice.ended() == 137; });
    alice.start();
    alice.wait_status(plot->id, "open");
}

TEST_SUITE_END();
