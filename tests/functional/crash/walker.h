#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/daemon_world.h"

namespace hedgerow::test {

/// Two nodes work through whole lives of channels while one of them, the victim, dies at one failpoint after the other:
/// each of its lives is armed with the next. alice leads and makes markets, bob opens.
class Walker {
  public:
    /// Of `points` ("name" or "name:count"), in the order in which they are armed; one may stand there several times,
    /// where it makes way for the next.
    Walker(Anvil anvil, channel::Party victim, std::deque<std::string> points);
    ~Walker();
    Walker(const Walker&) = delete;
    Walker& operator=(const Walker&) = delete;

    /// Until every point was passed, then one life of a channel without deaths. Throws std::runtime_error, naming what
    /// was lost, applied twice, forgotten, or never passed.
    void run();
    [[nodiscard]] std::size_t deaths() const { return m_deaths - m_repeated; }  ///< at the points of the list

  private:
    enum class End { together, forced, stale };
    struct Paid {
        std::string memo;
        channel::Party by;
        channel::Int128 units;  ///< 10^-6 USDC
    };
    struct Life {
        int number = 0;
        End end = End::together;
        channel::ChannelId id;
        std::vector<Paid> paid;
        bool traded = false;
        Exported old;
        channel::Int128 alice_before = 0, bob_before = 0;  ///< tokens of the owners
        [[nodiscard]] std::string ref(const std::string& what) const { return what + "-" + std::to_string(number); }
    };

    // The victim's nurse.
    void nurse();
    void revive();
    void provoke_rejection();
    [[nodiscard]] bool points_left();

    // One life of a channel.
    void live(int number, End end);
    void open(Life& life);
    void pay(Life& life, Daemon& by, channel::Party party, int amount);
    void pay_invoice(Life& life);
    void refusals(Life& life);
    void trade(Life& life);
    void withdraw(Life& life, Daemon& by, const std::string& amount);
    void back_up(Life& life);
    void end(Life& life);
    void close(Life& life, Daemon& by);
    [[nodiscard]] bool armed_at_a_race();
    void stale(Life& life);

    // What must hold.
    void agree(Life& life);
    void check_payments(Life& life);
    void check_updates(Life& life);
    void check_chain(Life& life);
    void check_logs();

    /// `act` until it does not throw.
    void retry(const std::string& what, const std::function<void()>& act);
    [[nodiscard]] Daemon& other() { return &m_victim == &m_alice ? m_bob : m_alice; }

    DaemonWorld m_world;
    Daemon m_alice, m_bob;
    Daemon& m_victim;
    std::string m_alice_uri;
    std::mutex m_mutex;
    std::deque<std::string> m_points;  ///< the first is armed
    std::string m_fault;
    std::atomic<std::size_t> m_deaths{0};
    std::size_t m_repeated = 0;  ///< deaths that only prepare others
    std::atomic<bool> m_stop{false};
    std::thread m_nurse, m_miner;
};

}  // namespace hedgerow::test
