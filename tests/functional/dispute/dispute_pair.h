#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/support/daemon_world.h"

/// What the dispute tests share: two funded nodes on one chain, alice who leads and bob who follows.
namespace hedgerow::test {

inline constexpr channel::Int128 kUsdc = 1'000'000;
inline constexpr channel::Int128 kEther = 1'000'000'000'000'000'000;
inline constexpr channel::Int128 kPenalty = 10 * kUsdc;  ///< of every channel, where its terms do not say otherwise
inline constexpr std::uint64_t kDisputePeriod = 60;      ///< seconds, likewise

struct Pair {
    DaemonWorld world;
    Daemon alice;
    Daemon bob;

    explicit Pair(Anvil anvil, const DaemonOptions& options = {})
        : Pair(std::move(anvil), {}, [&](DaemonWorld& world) { world.settings = options.settings; }) {}
    /// `prepare` is called before the nodes start, for oracles and settings; `alices` are options of hers besides.
    template <typename Prepare>
    Pair(Anvil anvil, const DaemonOptions& alices, Prepare prepare)
        : world(std::move(anvil)), alice((prepare(world), world), "alice", alices), bob(world, "bob") {
        alice.fund();
        bob.fund();
    }
    /// 1,000 USDC of alice's and 500 of bob's.
    channel::ChannelId open() { return open_channel(alice, bob, {"1000", ""}, {"500", ""}); }
    /// The window passes; returns when the witness has seen the end.
    Ending settle(const Exported& of, Daemon& witness) {
        // A node calls a channel disputed before its own challenge is mined.
        until("the challenge", [&] { return world.dispute(of.id).end != 0; });
        world.pass_seconds(kDisputePeriod + 1);
        world.pass_seconds(10);  // and the one who did not challenge waits a moment longer
        witness.wait_status(of.id, "closed");
        return world.ending(of);
    }
};

/// Seconds pass, one at a time, until somebody has settled that channel.
inline void pass_until_final(DaemonWorld& world, const channel::ChannelId& id, const std::string& what) {
    until(what, [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        world.pass_seconds(1);
        return world.holdings(id, world.token).is_final;
    });
}

/// Blocks every so often, as on a chain that lives, until it goes out of scope.
class Ticker {
  public:
    explicit Ticker(DaemonWorld& world, int every_ms = 100) {
        m_thread = std::thread([this, &world, every_ms] {
            while (!m_stop) {
                world.mine();
                std::this_thread::sleep_for(std::chrono::milliseconds(every_ms));
            }
        });
    }
    ~Ticker() {
        m_stop = true;
        m_thread.join();
    }
    Ticker(const Ticker&) = delete;
    Ticker& operator=(const Ticker&) = delete;

  private:
    std::atomic<bool> m_stop{false};
    std::thread m_thread;
};

/// A call that waits for its transaction, made beside the test; what it throws fails the test by its text.
class Behind {
  public:
    template <typename Work>
    explicit Behind(Work work)
        : m_thread([this, work = std::move(work)] {
              try {
                  work();
              } catch (const std::exception& error) {
                  m_failure = error.what();
              }
          }) {}
    ~Behind() { join(); }
    Behind(const Behind&) = delete;
    Behind& operator=(const Behind&) = delete;
    void join() {
        if (m_thread.joinable()) m_thread.join();
        CHECK(std::exchange(m_failure, "") == "");
    }

  private:
    std::string m_failure;
    std::thread m_thread;
};

/// What an account has gained since the object was made, of the token.
struct Gained {
    DaemonWorld& world;
    channel::Address account;
    channel::Int128 before;

    Gained(DaemonWorld& on, const channel::Address& of) : world(on), account(of), before(on.balance(of)) {}
    channel::Int128 operator()() const { return world.balance(account) - before; }
};

/// A channel with an old state that bob will cheat with: alice paid 100 USDC, which he keeps as proof of, and then he paid
/// 300 back.
struct Plot {
    channel::ChannelId id;
    Exported old;
    std::uint64_t newest = 0;
    Gained alices, bobs;  ///< since everything was deposited and paid

    explicit Plot(Pair& pair)
        : id(pair.open()), alices(pair.world, pair.alice.account()), bobs(pair.world, pair.bob.account()) {
        pair.alice.pay(id, "100");
        wait_same(pair.alice, pair.bob, id);
        old = pair.bob.exported(id);
        pair.bob.pay(id, "300");
        wait_same(pair.alice, pair.bob, id);
        newest = pair.bob.version(id);
    }
    /// He has failed, and pays for it.
    void check_failed(DaemonWorld& world) const {
        const Ending end = world.ending(old);
        CHECK(end.settled.version == newest);
        CHECK(end.twin.result.penalty == channel::Amount::from_raw(kPenalty));
        CHECK(alices() == 1'200 * kUsdc + kPenalty);
        CHECK(bobs() == 300 * kUsdc - kPenalty);
    }
};

}  // namespace hedgerow::test
