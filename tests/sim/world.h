#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/checkers.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_tower.h"

namespace hedgerow::sim {

/// So many worlds of a thousand have towers.
inline constexpr std::uint64_t kTowerWorlds = 200;

/// So many have a node that loses its disk for good, and so many have locks that end soon.
inline constexpr std::uint64_t kWipeWorlds = 100;
inline constexpr std::uint64_t kLockWorlds = 150;

/// How long a victim is away at most, milliseconds.
inline constexpr std::uint64_t kMaxAbsenceMs = 1'500'000;
/// And longer where a lock delays the end: an invoice's lasts an hour; then this for blocks and fees.
inline constexpr std::uint64_t kMaxLockMs = 3'700'000;
inline constexpr std::uint64_t kLockGraceMs = 400'000;

/// When every world begins: a multiple of every slot.
inline constexpr std::uint64_t kEpochMs = 1'900'000'000'000;

struct WorldOptions {
    std::uint64_t seed = 1;
    bool trace = false;
    std::filesystem::path root;  ///< an empty folder for the disks of this world
};

struct WorldResult {
    std::vector<std::string> failures;  ///< empty: nothing was lost
    std::uint64_t trace_hash = 0;
    std::uint64_t virtual_ms = 0;
    std::uint64_t events = 0;
    Checkers::Counts counts;
    std::map<std::string, std::uint64_t> tally;  ///< of faults and workload, by name
};

/// One seed's history: nodes that open channels, pay, swap, trade and end, under faults of every kind; then the faults
/// stop, everything must agree and settle, and the checkers judge.
class World {
  public:
    explicit World(const WorldOptions& options);
    ~World();
    [[nodiscard]] WorldResult run();
    void print_trace(std::FILE* out) const { m_trace.print_tail(out); }

  private:
    /// What this world is like; drawn from the seed.
    struct Scenario {
        std::size_t nodes = 2;
        std::optional<std::size_t> liar;
        bool trading = false;
        std::uint64_t active_s = 240;
        std::uint64_t mean_fault_ms = 15'000;
        std::uint64_t mean_action_ms = 1'500;
        std::set<std::string> faults;  ///< kinds that occur
        std::size_t towers = 0;
        std::vector<std::size_t> sync;  ///< by node: how many towers its payments wait for
        bool absences = false;          ///< victims are switched off while they are cheated
    };
    /// A payment as its payer's user sees it; asked again with the same reference while its outcome is unknown.
    struct Payment {
        std::size_t payer = 0;
        ChannelId channel;
        std::size_t asset = 0;
        Amount amount;
        std::string ref;
        std::uint64_t asked_epoch = 0;  ///< of the process that was asked last; 0: none
        bool waiting = false;
        bool over = false;
    };
    struct Line {  ///< a channel as the world's users know it
        ChannelId id;
        std::size_t hub = 0;
        std::size_t client = 0;
        std::vector<channel::SignedState> saved;  ///< by a liar, for later
        channel::Terms terms;
        channel::Secret secret;
        channel::Party opener = channel::Party::A;  ///< the client's
        bool cheated = false;
        bool ending = false;
    };

    // world.cpp
    void draw_scenario();
    void make_nodes();
    /// What every program of a world knows of the chain.
    [[nodiscard]] daemon::NodeOptions chain_options() const;
    void slot();
    void oracle_slot();
    void advance(std::uint64_t ms);
    /// Advances until `reached` or the bound; false at the bound.
    template <typename Fn>
    bool advance_until(std::uint64_t bound_ms, Fn reached) {
        const std::uint64_t end = m_queue.now_ms() + bound_ms;
        while (m_queue.now_ms() < end && !m_verdict.failed()) {
            if (reached()) return true;
            advance(1'000);
        }
        return false;
    }
    void note(const std::string& name) { ++m_tally[name]; }
    [[nodiscard]] SimNode& node(std::size_t index) { return *m_nodes[index]; }
    /// Nodes first, then towers.
    [[nodiscard]] Machine& machine(std::size_t index);
    [[nodiscard]] std::size_t machines() const { return m_nodes.size() + m_towers.size(); }
    [[nodiscard]] SimTower& tower(std::size_t index) { return *m_towers[index]; }
    [[nodiscard]] bool is_liar(std::size_t index) const { return m_scenario.liar == index; }
    [[nodiscard]] const channel::Channel* channel_at(std::size_t index, const ChannelId& id);
    void fail(std::string what) { m_verdict.fail(std::move(what)); }

    // workload.cpp
    void set_up();
    void open_line(std::size_t hub, std::size_t client);
    void act_later();
    void act();
    void pay(Line& line, std::size_t payer);
    void ask(std::size_t payment);
    void retry_payments();
    void invoice(Line& line, std::size_t payer);
    void swap(Line& line, std::size_t taker);
    void trade(Line& line, std::size_t taker);
    void fund(Line& line, std::size_t who);
    void withdraw(Line& line, std::size_t who);
    void end_line(Line& line, std::size_t who, bool force);
    [[nodiscard]] std::string fresh_ref(const char* kind);

    // faults.cpp
    void fault_later();
    void fault();
    void crash(std::size_t index);
    void restart(std::size_t index);
    void network_fault();
    void chain_fault();
    void clock_fault();
    void oracle_fault();
    void cheat();
    /// Takes a state of before to the chain in the liar's name.
    void challenge_with(Line& line, const channel::SignedState& old);
    void copy_or_restore(std::size_t index);
    void disk_fault(std::size_t index);
    void lie(std::size_t index);
    void leave(std::size_t liar);
    void heal();
    /// A dispute's last stretch: whoever must answer can (what the protocol asks of the world).
    [[nodiscard]] bool must_be_calm() const;
    void watch_calm();

    // ambush.cpp: trouble aimed at the moments that matter
    void ambush();
    void aim_at(const MinedTx& tx);
    void besiege(std::uint64_t end_ms);
    [[nodiscard]] bool besieged() const;
    void forsake(Line& line);
    void strike(std::size_t leader, std::size_t follower, const ChannelId& id, int looks);
    void spend_twice(Line& line, std::size_t who);
    void deposit_and_die(Line& line, std::size_t who);
    void fall_silent();
    [[nodiscard]] bool is_kept_waiting(const Line& line);

    // tower_faults.cpp
    void draw_towers();
    void make_towers();
    /// Its user names the towers to it.
    void join_towers(std::size_t index);
    void use_towers(Line& line);
    void tower_fault_later();
    void tower_fault();
    void tower_chain_fault(ChainAccess& access);
    void tower_network_fault(std::size_t index);
    void lose_tower(std::size_t index);
    void switch_off();
    void watch_absent(std::size_t index, const ChannelId& id, std::uint64_t until_ms);
    [[nodiscard]] bool towers_hold_all();

    // wipes.cpp
    void wipe_later();
    void wipe(std::size_t index);
    /// Its user names the hub and the towers to it.
    void tell(std::size_t index);
    void liar_moves();

    // locks.cpp
    void lock_later();
    void lock_again();
    void short_lock();
    [[nodiscard]] bool no_locks();

    // finish.cpp
    void finish();
    [[nodiscard]] bool has_liar(const ChannelId& id) const;
    [[nodiscard]] bool all_agree();
    [[nodiscard]] bool all_final();
    [[nodiscard]] std::string why_not_final();

    const WorldOptions m_options;
    Random m_random;
    EventQueue m_queue;
    Trace m_trace;
    Verdict m_verdict;
    Scenario m_scenario;
    std::unique_ptr<Chain> m_chain;
    std::unique_ptr<Network> m_network;
    std::unique_ptr<Oracles> m_oracles;
    std::unique_ptr<Checkers> m_checkers;
    std::vector<std::unique_ptr<SimNode>> m_nodes;
    std::vector<std::unique_ptr<SimTower>> m_towers;
    Random m_wipe_random;
    Random m_lock_random;
    Random m_tower_random;  ///< so that worlds without towers are what they would be without any
    std::map<std::size_t, SimDisk::Image> m_copies;
    std::set<std::size_t> m_stale;  ///< nodes that run on a restored copy
    std::set<std::size_t> m_wiped;  ///< of them, those that began again from the phrase
    std::set<std::size_t> m_gone;  ///< machines that never come back
    std::set<std::size_t> m_absent;  ///< nodes that are switched off for as long as they are cheated
    std::vector<Line> m_lines;
    std::vector<Payment> m_payments;
    std::vector<wallet::PrivateKey> m_crooks;
    std::map<std::string, std::uint64_t> m_tally;
    std::uint64_t m_sequence = 0;
    std::uint64_t m_reorg_depth = 0;  ///< of the next slot
    std::uint64_t m_reorg_loses = 300;  ///< of what it takes out, per mille
    std::uint64_t m_siege_ms = 0;       ///< blocks are full until then
    Random m_aim;                       ///< of ambushes
    bool m_active = false;            ///< faults and workload go on
    std::set<std::pair<std::size_t, std::size_t>> m_partitions;
    std::set<std::size_t> m_down;  ///< machines that will be started again
    std::uint64_t m_crook_nonce = 0;
};

/// True where randombytes and friends draw from the world of now.
void seed_sodium(std::uint64_t seed);

}  // namespace hedgerow::sim
