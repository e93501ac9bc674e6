#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "channel/base/u256.h"
#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"
#include "tests/support/anvil_accounts.h"
#include "wallet/chain/quantity.h"

/// The chain itself works against the victim: its blocks are full of others' transactions, or its node is not there.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

constexpr std::uint64_t kBlockGas = 3'000'000;
constexpr std::uint64_t kGwei = 1'000'000'000;

/// What the pool's dearest transaction of `account` would pay a gas at most; 0 where there is none.
U256 offered(DaemonWorld& world, const Address& account) {
    U256 most;
    const Json pool = world.anvil.call("txpool_content", Json::array()).at("pending");
    for (const auto& [sender, transactions] : pool.items()) {
        if (parse_address(sender) != account && fixed_from_hex<Address>(sender) != account) continue;
        for (const auto& [nonce, tx] : transactions.items())
            most = std::max(most, *wallet::parse_quantity(tx.at("maxFeePerGas").get<std::string>()));
    }
    return most;
}

/// Fills every block with one transaction that pays more a gas than the victim offers, until it would have to pay more
/// than `limit`.
struct Spammer {
    DaemonWorld& world;
    Address burner = *parse_address("0x00000000000000000000000000000000000000B2");
    std::uint64_t blocks = 0;
    U256 dearest;

    explicit Spammer(DaemonWorld& on) : world(on) {
        world.anvil.call("anvil_setCode", Json::array({to_hex(burner), "0x5b600056"}));  // runs until its gas is gone
        world.anvil.call("evm_setBlockGasLimit", Json::array({wallet::to_quantity(kBlockGas)}));
        for (std::size_t i = 0; i < 4; ++i) {
            const std::string richest = "0xd3c21bcecceda1000000";
            world.anvil.call("anvil_setBalance", Json::array({to_hex(anvil_key(i).address()), richest}));
        }
    }
    /// One block; whether the victim was kept out of it.
    bool block(const Address& victim, const U256& limit) {
        const U256 theirs = offered(world, victim);
        const U256 bid = std::min(limit, std::max(theirs * U256(13u) / U256(10u), U256(20 * kGwei)));
        const Json transaction{{"from", to_hex(anvil_key(blocks % 4).address())},
                               {"to", to_hex(burner)},
                               {"gas", wallet::to_quantity(kBlockGas)},
                               {"maxPriorityFeePerGas", wallet::to_quantity(bid)},
                               {"maxFeePerGas", wallet::to_quantity(bid)}};
        (void)world.anvil.call("eth_sendTransaction", Json::array({transaction}));
        world.mine();
        const Json header = world.anvil.call("eth_getBlockByNumber", Json::array({"latest", false}));
        const bool full = *wallet::parse_quantity64(header.at("gasUsed").get<std::string>()) == kBlockGas;
        blocks += full ? 1 : 0;
        dearest = std::max(dearest, bid);
        return full;
    }
};

}  // namespace

TEST_SUITE_BEGIN("chain");

TEST_CASE("every block is full and the cheat outbids each offer: the answer lands in the window's last blocks") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    constexpr std::uint64_t kPeriod = 30;
    constexpr std::uint64_t kLast = 7;  // of the window, seconds: on a loaded machine, too, she looks several times
    Pair pair(std::move(*anvil), {{{"dispute-period", std::to_string(kPeriod)}}});
    auto& [world, alice, bob] = pair;
    const Plot plot(pair);
    const ChannelId& id = plot.id;
    bob.kill();
    world.automine(false);
    Spammer spammer(world);
    const std::string challenge = world.post_challenge(plot.old, Party::B, 100);
    world.mine();
    REQUIRE(world.succeeded(challenge));
    const std::uint64_t end = world.dispute(id).end;
    // He outbids her by three tenths in every block; in the last seconds he goes on paying what he paid, and no more.
    while (world.now_s() < end + 2 && world.dispute(id).version != plot.newest) {
        std::this_thread::sleep_for(std::chrono::milliseconds(900));
        const bool last = world.now_s() + kLast >= end;
        spammer.block(alice.account(), last ? spammer.dearest : U256(100'000 * kGwei));
    }
    REQUIRE(world.dispute(id).version == plot.newest);
    const std::uint64_t landed = world.now_s();
    MESSAGE("full blocks " << spammer.blocks << ", dearest bid " << to_decimal(spammer.dearest) << " wei a gas, landed "
                           << end - landed << " s before the end");
    CHECK(landed < end);
    CHECK(end - landed <= kLast + 1);
    CHECK(spammer.blocks >= 15);
    CHECK(spammer.dearest >= U256(30 * kGwei));
    world.anvil.call("evm_setBlockGasLimit", Json::array({"0x1c9c380"}));
    world.automine(true);
    world.pass_seconds(kPeriod);
    world.pass_seconds(10);
    {
        const Ticker blocks(world, 300);
        alice.wait_status(id, "closed");
    }
    plot.check_failed(world);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("the chain node hangs, then is gone, together for half the window: the answer still lands") {
    AnvilOptions options;
    const auto state = std::filesystem::temp_directory_path() / fmt::format("hedgerow-chain-{}.json", ::getpid());
    options.state_file = state.string();
    auto anvil = Anvil::start(options);
    if (!anvil) return;
    constexpr std::uint64_t kPeriod = 20;
    Pair pair(std::move(*anvil), {{{"dispute-period", std::to_string(kPeriod)}}});
    auto& [world, alice, bob] = pair;
    const Plot plot(pair);
    const ChannelId& id = plot.id;
    bob.kill();
    world.automine(false);
    const std::string challenge = world.post_challenge(plot.old, Party::B);
    world.mine();
    // At once it hangs, and she has not seen the block or has just begun to answer.
    ::kill(world.anvil.pid(), SIGSTOP);
    std::this_thread::sleep_for(std::chrono::seconds(5));
    ::kill(world.anvil.pid(), SIGCONT);
    options.port = world.anvil.port();
    world.anvil.stop();
    std::this_thread::sleep_for(std::chrono::seconds(5));
    auto again = Anvil::start(options);
    REQUIRE(again.has_value());
    world.anvil = std::move(*again);
    REQUIRE(world.succeeded(challenge));
    const std::uint64_t end = world.dispute(id).end;
    until("the answer", [&] { return world.dispute(id).version == plot.newest; }, 15'000);
    CHECK(world.now_s() < end);
    world.pass_seconds(kPeriod);
    world.pass_seconds(10);
    alice.wait_status(id, "closed");
    plot.check_failed(world);
    CHECK(world.balance(world.adjudicator) == 0);
    std::filesystem::remove(state);
}

TEST_SUITE_END();
