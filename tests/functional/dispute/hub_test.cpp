#include "channel/base/u256.h"
#include "channel/crypto/signature.h"
#include "tests/functional/dispute/dispute_pair.h"

/// A hub that challenges all channels of a peer at once, and the peer that has to answer every one.
using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

TEST_SUITE_BEGIN("hub");

TEST_CASE("two hundred channels challenged in one block: the other side answers all of them, and settles them") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    constexpr std::size_t kChannels = 200;
    constexpr std::size_t kHands = 4;
    Pair pair(std::move(*anvil), {{{"stale-penalty", "1"}, {"dispute-period", "120"}}});
    auto& [world, alice, bob] = pair;  // alice is the hub
    REQUIRE(bob.refusal("peer_connect", {{"uri", alice.uri()}}).empty());
    auto timed = [start = std::chrono::steady_clock::now()]() mutable {
        const auto now = std::chrono::steady_clock::now();
        const double out = std::chrono::duration<double>(now - std::exchange(start, now)).count();
        return out;
    };

    // 5 USDC of bob's each. He pays 3; the hub gives 2 back, and that is what it would like to forget.
    std::vector<Exported> old(kChannels);
    {
        std::vector<std::unique_ptr<Behind>> hands;
        for (std::size_t hand = 0; hand < kHands; ++hand) {
            hands.push_back(std::make_unique<Behind>([&, hand] {
                for (std::size_t i = hand; i < kChannels; i += kHands) {
                    const ChannelId id = open_channel(alice, bob, {"", ""}, {"5", ""});
                    bob.pay(id, "3");
                    old[i] = bob.exported(id);
                    alice.pay(id, "2");
                }
            }));
        }
    }
    const double opened = timed();
    std::vector<std::uint64_t> newest(kChannels);
    for (std::size_t i = 0; i < kChannels; ++i) {
        newest[i] = bob.version(old[i].id);
        REQUIRE(newest[i] > old[i].state.version);
    }
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    alice.kill();
    world.automine(false);
    world.anvil.call("evm_setBlockGasLimit", Json::array({"0x1dcd65000"}));
    // Her owner key is a party of all of them.
    std::vector<std::string> sent;
    for (const Exported& e : old) {
        const Bytes data = wallet::challenge_call(e.terms, e.secret, e.state, e.signatures, {});
        sent.push_back(world.post(alice.account(), world.adjudicator, data));
    }
    world.mine();
    const std::uint64_t block = world.height();
    for (const std::string& hash : sent) REQUIRE(world.succeeded(hash));
    CHECK(world.height() == block);
    world.anvil.call("evm_setBlockGasLimit", Json::array({"0xe4e1c0"}));  // 15 million: not all answers fit one block
    (void)timed();
    double answered = 0;
    {
        const Ticker blocks(world, 500);
        std::size_t done = 0;
        until("all are answered", [&] {
            while (done < kChannels && world.dispute(old[done].id).version == newest[done]) ++done;
            return done == kChannels;
        }, 90'000);
        answered = timed();
    }
    world.pass_seconds(121);
    world.pass_seconds(10);
    {
        const Ticker blocks(world, 500);
        std::size_t done = 0;
        until("all are settled", [&] {
            while (done < kChannels && world.holdings(old[done].id, world.token).is_final) ++done;
            return done == kChannels;
        }, 90'000);
    }
    MESSAGE("opened in " << opened << " s, answered in " << answered << " s, settled in " << timed() << " s");
    for (std::size_t i = 0; i < kChannels; i += 40) CHECK(world.ending(old[i]).settled.version == newest[i]);
    CHECK(alices() == 1 * kUsdc * static_cast<Int128>(kChannels));
    CHECK(bobs() == 4 * kUsdc * static_cast<Int128>(kChannels));
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_SUITE_END();
