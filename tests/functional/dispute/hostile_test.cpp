#include <algorithm>

#include "channel/base/u256.h"
#include "channel/codec/abi.h"
#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"

/// Payees and tokens that misbehave when a dispute is settled: whoever they are, the other side is paid.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

void set_code(DaemonWorld& world, const Address& at, const std::string& code) {
    world.anvil.call("anvil_setCode", Json::array({to_hex(at), code}));
}

/// The code of a deployed contract in place of another's, whose storage stays.
void wear(DaemonWorld& world, const Address& at, const Address& of) {
    set_code(world, at, world.anvil.call("eth_getCode", Json::array({to_hex(of), "latest"})));
}

Int128 claimable(DaemonWorld& world, const Address& asset, const Address& payee) {
    return *wallet::read_uint256(world.view(world.adjudicator, wallet::claimable_call(asset, payee)))->to_i128();
}

std::uint64_t count_of(DaemonWorld& world, const Address& at, std::string_view getter) {
    return *wallet::read_uint64(world.view(at, abi_selector(getter)));
}

const Address kCoin;  ///< the chain's own

}  // namespace

TEST_SUITE_BEGIN("hostile");

TEST_CASE("a payee that reverts, burns its gas or answers with a megabyte: the other is paid, and its part waits") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const std::vector<std::string> payees{"0x60006000fd", "0x5b600056", "0x621000006000f3", "0x621000006000fd"};
    std::vector<Exported> channels;
    for (std::size_t i = 0; i < payees.size(); ++i) {
        const ChannelId id = open_channel(alice, bob, {"100", "1"}, {"100", "2"});
        alice.pay(id, "10");
        bob.pay(id, "0.25", "ETH");
        wait_same(alice, bob, id);
        channels.push_back(alice.exported(id));
    }
    bob.kill();
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    set_code(world, bob.account(), "0x");
    const Int128 coins = world.coins(bob.account());
    Int128 held = 0;
    for (std::size_t i = 0; i < payees.size(); ++i) {
        CAPTURE(payees[i]);
        const ChannelId& id = channels[i].id;
        (void)alice.call("channel_close", {{"channelId", to_hex(id)}, {"force", true}});
        alice.wait_status(id, "disputed");
        set_code(world, bob.account(), payees[i]);
        const Int128 before = world.coins(alice.account());
        (void)pair.settle(channels[i], alice);
        const bool takes = payees[i] == "0x621000006000f3" && claimable(world, kCoin, bob.account()) == held;
        if (!takes) held += kEther * 7 / 4;
        CHECK(claimable(world, kCoin, bob.account()) == held);
        CHECK(world.coins(alice.account()) - before > kEther * 5 / 4 - kEther / 100);  // less her gas
        CHECK(alices() == 90 * kUsdc * static_cast<Int128>(i + 1));
        CHECK(bobs() == 110 * kUsdc * static_cast<Int128>(i + 1));
    }
    CHECK(held >= kEther * 7 / 4 * 3);
    CHECK(world.coins(world.adjudicator) == held);
    set_code(world, bob.account(), "0x");
    const Address anybody = *parse_address("0x00000000000000000000000000000000000000D4");
    REQUIRE(world.succeeded(world.post(anybody, world.adjudicator, wallet::claim_call(kCoin, bob.account()))));
    CHECK(world.coins(bob.account()) - coins == kEther * 7);
    CHECK(world.coins(world.adjudicator) == 0);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a payout that failed is claimed by its owner's node, when it can be") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const ChannelId id = open_channel(alice, bob, {"100", "1"}, {"100", "2"});
    bob.pay(id, "0.5", "ETH");
    wait_same(alice, bob, id);
    const Exported now = bob.exported(id);
    (void)bob.call("channel_close", {{"channelId", to_hex(id)}, {"force", true}});
    bob.wait_status(id, "disputed");
    alice.wait_status(id, "disputed");
    set_code(world, alice.account(), "0x60006000fd");
    const Int128 before = world.coins(alice.account());
    (void)pair.settle(now, bob);
    alice.wait_status(id, "closed");
    CHECK(claimable(world, kCoin, alice.account()) == kEther * 3 / 2);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    CHECK(claimable(world, kCoin, alice.account()) == kEther * 3 / 2);  // she still refuses it
    set_code(world, alice.account(), "0x");
    {
        const Ticker blocks(world, 300);
        until("the claim", [&] { return claimable(world, kCoin, alice.account()) == 0; });
    }
    CHECK(world.coins(alice.account()) - before > kEther * 3 / 2 - kEther / 100);
    CHECK(world.coins(world.adjudicator) == 0);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("a token that takes a fee, returns false or calls back: nobody is paid what another holds") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    const Address plain = world.anvil.deploy_token("USDC", 6);
    const Address fee = world.anvil.deploy("FeeToken");
    const Address hook = world.anvil.deploy("HookToken");
    const Int128 start_a = world.balance(alice.account());
    const Int128 start_b = world.balance(bob.account());

    // A tenth of every transfer goes elsewhere: what arrived counts.
    wear(world, world.token, fee);
    const Json opened = bob.call("channel_open", {{"peer", alice.uri()},
                                                  {"deposits", Json::array({{{"asset", "USDC"}, {"amount", "500"}}})}});
    const auto taxed = *fixed_from_hex<ChannelId>(opened.at("channelId").get<std::string>());
    until("what arrived", [&] {
        const Json usdc = bob.channel(taxed).at("assets").at(0);
        return usdc.at("deposited") == "450" && usdc.at("available") == "450";
    });
    bob.pay(taxed, "50");
    wait_same(alice, bob, taxed);
    const Exported taxed_state = bob.exported(taxed);
    wear(world, world.token, plain);

    const ChannelId broken = pair.open();
    bob.pay(broken, "20");
    const ChannelId hooked = pair.open();
    alice.pay(hooked, "30");
    wait_same(alice, bob, broken);
    wait_same(alice, bob, hooked);
    const Exported broken_state = bob.exported(broken);
    const Exported hooked_state = bob.exported(hooked);
    for (const ChannelId& id : {taxed, broken, hooked}) {
        (void)bob.call("channel_close", {{"channelId", to_hex(id)}, {"force", true}});
        alice.wait_status(id, "disputed");
    }

    // The hook token calls settle and claim again from within the payout.
    wear(world, world.token, hook);
    const Bytes again = wallet::multicall_call(
        std::vector<Bytes>{wallet::settle_call(hooked_state.terms, hooked_state.state)});
    const Address anybody = *parse_address("0x00000000000000000000000000000000000000D4");
    REQUIRE(world.succeeded(
        world.post(anybody, world.token, abi_call("arm(address,bytes)", world.adjudicator, again))));
    world.pass_seconds(kDisputePeriod + 1);
    // Only the hooked channel: the others' settlements come with their own token below.
    until("it settles", [&] { return world.holdings(hooked, world.token).is_final; });
    CHECK(count_of(world, world.token, "failures()") >= 2);
    CHECK(count_of(world, world.token, "successes()") == 0);
    for (const Exported* state : {&taxed_state, &broken_state, &hooked_state}) {
        bob.wait_status(state->id, "closed");
        (void)world.ending(*state);
    }
    wear(world, world.token, plain);
    CHECK(world.balance(world.adjudicator) == 0);
    CHECK(world.balance(alice.account()) - start_a == (50 + 20 - 30) * kUsdc);
    CHECK(world.balance(bob.account()) - start_b == (-50 - 50 - 20 + 30) * kUsdc);

    // It returns false at the settlement: both parts wait, and are claimed when it works again.
    const ChannelId refused = pair.open();
    bob.pay(refused, "5");
    wait_same(alice, bob, refused);
    const Exported refused_state = bob.exported(refused);
    (void)bob.call("channel_close", {{"channelId", to_hex(refused)}, {"force", true}});
    alice.wait_status(refused, "disputed");
    set_code(world, world.token, "0x60206000f3");  // a word of zeros, whatever is asked
    world.pass_seconds(kDisputePeriod + 1);
    bob.wait_status(refused, "closed");
    (void)world.ending(refused_state);
    CHECK(claimable(world, world.token, alice.account()) == 1'005 * kUsdc);
    CHECK(claimable(world, world.token, bob.account()) == 495 * kUsdc);
    wear(world, world.token, plain);
    {
        const Ticker blocks(world, 300);
        until("both have claimed", [&] { return world.balance(world.adjudicator) == 0; });
    }
    CHECK(world.balance(alice.account()) - start_a == (50 + 20 - 30 + 5) * kUsdc);
    CHECK(world.balance(bob.account()) - start_b == (-50 - 50 - 20 + 30 - 5) * kUsdc);
}

TEST_SUITE_END();
