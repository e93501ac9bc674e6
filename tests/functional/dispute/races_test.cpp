#include <chrono>

#include "channel/base/u256.h"
#include "channel/codec/abi.h"
#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"
#include "wallet/chain/erc20.h"

/// What meets a challenge in one block, or comes while it runs.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

std::uint64_t waiting_transactions(DaemonWorld& world) {
    const Json pool = world.anvil.call("txpool_status", Json::array());
    return std::stoull(pool.at("pending").get<std::string>(), nullptr, 16);
}

}  // namespace

TEST_SUITE_BEGIN("races");

TEST_CASE("both sides challenge in one block: nobody pays a penalty, and it settles once") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    bob.pay(id, "123.456789");
    wait_same(alice, bob, id);
    const Exported now = alice.exported(id);
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    world.automine(false);
    const Json force{{"channelId", to_hex(id)}, {"force", true}};
    {
        const Behind first([&] { (void)alice.call("channel_close", force); });
        until("her challenge waits", [&] { return waiting_transactions(world) == 1; });
        // His is mined first, and hers reverts. (His node would not send it: Anvil estimates after what is pending.)
        (void)world.post_challenge(now, Party::B, 1'000);
        REQUIRE(waiting_transactions(world) == 2);
        world.mine();
    }
    world.automine(true);
    alice.wait_status(id, "disputed");
    bob.wait_status(id, "disputed");
    std::size_t challenges = 0;
    for (const auto& event : world.events(id)) challenges += std::holds_alternative<wallet::Challenged>(event) ? 1 : 0;
    CHECK(challenges == 1);
    const Ending end = pair.settle(now, alice);
    bob.wait_status(id, "closed");
    CHECK(end.settled.version == now.state.version);
    CHECK(end.twin.result.penalty.is_zero());
    CHECK(alices() == 1'123'456'789);
    CHECK(bobs() == 376'543'211);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a forced close that comes behind the other side's challenge is answered at once, by what is true") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    bob.pay(id, "20");
    wait_same(alice, bob, id);
    const Exported now = alice.exported(id);
    const Json force{{"channelId", to_hex(id)}, {"force", true}};
    world.automine(false);
    (void)world.post_challenge(now, Party::B);
    REQUIRE(waiting_transactions(world) == 1);
    const auto asked = std::chrono::steady_clock::now();
    const std::string answer = alice.refusal("channel_close", force);
    CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(15));
    // Hers would revert behind his; which of the two her node learns first, its estimate or the event, is the chain's.
    CHECK((answer == "transaction_reverted" || answer == "channel_disputed"));
    world.mine();
    world.automine(true);
    alice.wait_status(id, "disputed");
    until("his challenge is known", [&] { return alice.refusal("channel_close", force) == "channel_disputed"; });
    const Ending end = pair.settle(now, alice);
    CHECK(end.twin.result.penalty.is_zero());
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a withdrawal races a challenge in one block: paid before it or with the settlement, never twice") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    for (const bool challenge_first : {true, false}) {
        const ChannelId id = pair.open();
        alice.pay(id, "50");
        wait_same(alice, bob, id);
        const Exported old = bob.exported(id);
        const Gained alices(world, alice.account());
        const Gained bobs(world, bob.account());
        world.automine(false);
        const Json order{{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "200"}};
        Behind withdrawal([&] { (void)bob.refusal("channel_withdraw", order); });
        until("the withdrawal waits", [&] { return waiting_transactions(world) == 1; });
        // bob himself: with the state before the withdrawal he asks for all that he had
        (void)world.post_challenge(old, Party::B, challenge_first ? 1'000 : 0);
        world.mine();
        withdrawal.join();
        world.automine(true);
        const bool withdrawn = world.holdings(id, world.token).withdrawn_b == Amount::from_raw(200 * kUsdc);
        CHECK(withdrawn != challenge_first);
        alice.wait_status(id, "disputed");
        until("the answer", [&] { return world.dispute(id).version > old.state.version; });
        const Ending end = pair.settle(old, alice);
        CHECK(end.twin.result.penalty == Amount::from_raw(kPenalty));  // the withdrawal made his state an old one
        CHECK(alices() == 950 * kUsdc + kPenalty);
        CHECK(bobs() == 550 * kUsdc - kPenalty);
        bob.wait_status(id, "closed");
    }
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("deposits during a dispute: under way when it began, or anybody's, they are paid to whom they were made") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = pair.open();
    bob.pay(id, "10");
    wait_same(alice, bob, id);
    const Exported now = bob.exported(id);
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    world.automine(false);
    const Json order{{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "300"}};
    Behind deposit([&] { (void)alice.call("channel_deposit", order); });
    until("the deposit waits", [&] { return waiting_transactions(world) >= 1; });
    (void)world.post_challenge(now, Party::B, 1'000);
    world.mine();
    deposit.join();
    world.automine(true);
    world.mine();
    alice.wait_status(id, "disputed");
    CHECK(alice.refusal("channel_deposit", {{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "1"}}) ==
          "channel_disputed");
    // A stranger's gift to bob
    const Address stranger = *parse_address("0x00000000000000000000000000000000000000A1");
    world.fund(bob.account());
    world.fund(alice.account());
    const Gained bobs_later(world, bob.account());
    const Bytes mint = abi_call("mint(address,uint256)", stranger, U256(77u * 1'000'000u));
    REQUIRE(world.succeeded(world.post(stranger, world.token, mint)));
    const Bytes approve = wallet::erc20_approve_call(world.adjudicator, U256(77u * 1'000'000u));
    REQUIRE(world.succeeded(world.post(stranger, world.token, approve)));
    const Bytes gift = wallet::deposit_call(id, Party::B, world.token, Amount::from_raw(77 * kUsdc));
    REQUIRE(world.succeeded(world.post(stranger, world.adjudicator, gift)));
    const Gained alices_later(world, alice.account());
    const Ending end = pair.settle(now, alice);
    CHECK(end.twin.result.penalty.is_zero());
    CHECK(alices_later() == (1'000 + 10 + 300) * kUsdc);
    CHECK(bobs_later() == (500 - 10 + 77) * kUsdc);
    CHECK(world.balance(world.adjudicator) == 0);
    // and none after the end: it would belong to nobody
    const Bytes late = wallet::deposit_call(id, Party::B, world.token, Amount::from_raw(1));
    CHECK_FALSE(world.succeeded(world.post(stranger, world.adjudicator, late)));
}

TEST_CASE("a peer that never answered: a challenge with version 0 gives the deposits back") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const Gained bobs(world, bob.account());
    const Gained alices(world, alice.account());
    const ChannelId id = open_channel(alice, bob, {"", ""}, {"500", "1.5"});
    alice.kill();  // before anything was signed
    const Int128 coins = world.coins(bob.account());
    const Exported nothing = bob.exported(id);
    REQUIRE(nothing.state.version == 0);
    (void)bob.call("channel_close", {{"channelId", to_hex(id)}, {"force", true}});
    bob.wait_status(id, "disputed");
    const Ending end = pair.settle(nothing, bob);
    CHECK(end.settled.version == 0);
    CHECK(end.twin.result.penalty.is_zero());
    CHECK(bobs() == 0);
    CHECK(alices() == 0);
    const Int128 returned = world.coins(bob.account()) - coins;
    CHECK(returned > kEther + kEther / 2 - kEther / 100);  // less the gas of challenge and settlement
    CHECK(world.balance(world.adjudicator) == 0);
    CHECK(world.coins(world.adjudicator) == 0);
}

TEST_SUITE_END();
