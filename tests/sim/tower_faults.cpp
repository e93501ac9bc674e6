#include <fmt/format.h>

#include "tests/sim/world.h"

/// Towers: who uses them, what befalls them, and victims that are away while they are cheated.
namespace hedgerow::sim {

// --- who uses them
// ---------------------------------------------------------------------------------------------------------

void World::draw_towers() {
    Random& random = m_tower_random;
    if (!random.chance(kTowerWorlds)) return;
    m_scenario.towers = random.chance(600) ? 1 : 2;
    if (!m_scenario.liar && random.chance(600)) m_scenario.liar = random.below(m_scenario.nodes);
    m_scenario.absences = m_scenario.liar && random.chance(700);
    for (std::size_t i = 0; i < m_scenario.nodes; ++i)
        m_scenario.sync.push_back(random.chance(300) ? random.between(1, m_scenario.towers) : 0);
    m_trace.line("world", "{} towers, liar {}, waits {}", m_scenario.towers,
                 m_scenario.liar ? std::to_string(*m_scenario.liar) : "none", fmt::join(m_scenario.sync, " "));
}

void World::make_towers() {
    const Surroundings surroundings{m_queue, m_trace, *m_chain, *m_network, *m_oracles};
    for (std::size_t i = 0; i < m_scenario.towers; ++i) {
        daemon::TowerOptions options;
        options.node = chain_options();
        options.policy.free = {1'000, 64 << 20, 1'000, 64 << 20};
        const std::string name = fmt::format("tower{}", i + 1);
        m_towers.push_back(std::make_unique<SimTower>(surroundings, name, m_nodes.size() + i, m_options.root / name,
                                                      std::move(options), m_tower_random.fork("tower")));
        m_checkers->receipts().add_tower(m_towers.back()->id());
    }
}

void World::join_towers(std::size_t index) {
    if (is_liar(index)) return;  // they would answer what it does
    for (const auto& one : m_towers) node(index).node().add_tower(one->uri(), [](const daemon::Result<daemon::TowerInfo>&) {});
}

void World::use_towers(Line& line) {
    for (const std::size_t side : {line.hub, line.client}) {
        if (is_liar(side) || m_towers.empty()) continue;
        const std::size_t sync = m_scenario.sync[side];
        const auto set = node(side).node().set_tower_policy(line.id, {std::nullopt, static_cast<std::uint8_t>(sync)});
        if (!set) return fail("a policy for towers is refused: " + set.error().name);
        m_checkers->set_sync(line.id, node(side).id(), sync);
    }
}

bool World::towers_hold_all() {
    for (const Line& line : m_lines) {
        for (const std::size_t side : {line.hub, line.client}) {
            const channel::Channel* c = channel_at(side, line.id);
            if (is_liar(side) || m_stale.contains(side) || c == nullptr || c->status != channel::Status::open) continue;
            for (std::size_t i = 0; i < m_towers.size(); ++i) {
                if (m_gone.contains(m_nodes.size() + i)) continue;
                if (m_checkers->receipts().promised_by(tower(i).id(), line.id, c->me) < c->agreed.state.version)
                    return false;
            }
        }
    }
    return true;
}

// --- what befalls them
// -----------------------------------------------------------------------------------------------------

void World::tower_fault_later() {
    m_queue.after(m_tower_random.between(1'000, 2 * m_scenario.mean_fault_ms), [this] {
        if (!m_active) return;
        if (!must_be_calm()) tower_fault();
        tower_fault_later();
    });
}

void World::tower_fault() {
    Random& random = m_tower_random;
    const std::size_t index = m_nodes.size() + random.below(m_towers.size());
    switch (random.below(7)) {
        case 0:
        case 1:
            return crash(index);
        case 2:
            return disk_fault(index);
        case 3:
            return tower_chain_fault(machine(index).access);
        case 4:
            return tower_network_fault(index);
        case 5:
            return lose_tower(index);
        default:
            if (m_scenario.absences) switch_off();
    }
}

void World::tower_chain_fault(ChainAccess& access) {
    note("tower's chain");
    if (m_tower_random.chance(500)) {
        access.down = true;
        m_queue.after(m_tower_random.between(2'000, 150'000), [&access] { access.down = false; });
        return;
    }
    access.lag = m_tower_random.between(1, 3);
    access.lose_answer_per_mille = m_tower_random.below(300);
    m_queue.after(m_tower_random.between(5'000, 90'000), [&access] {
        access.lag = 0;
        access.lose_answer_per_mille = 0;
    });
}

void World::tower_network_fault(std::size_t index) {
    const std::size_t client = m_tower_random.below(m_nodes.size());
    note("tower apart");
    if (m_tower_random.chance(500)) return m_network->cut(machine(index).id(), node(client).id());
    m_network->set_partitioned(machine(index).id(), node(client).id(), true);
    m_partitions.insert({index, client});
    m_queue.after(m_tower_random.between(2'000, 120'000), [this, index, client] {
        m_network->set_partitioned(machine(index).id(), node(client).id(), false);
        m_partitions.erase({index, client});
    });
}

/// For good; only where payments that wait for towers need not wait for this one.
void World::lose_tower(std::size_t index) {
    const std::size_t waits = *std::max_element(m_scenario.sync.begin(), m_scenario.sync.end());
    const std::size_t left = m_checkers->receipts().live();
    if (left < 2 || waits >= left || !machine(index).running() || m_down.contains(index)) return;
    note("tower lost");
    m_gone.insert(index);
    m_checkers->receipts().set_dead(machine(index).id());
    machine(index).crash();
}

// --- who is away
// -----------------------------------------------------------------------------------------------------------

/// A victim is switched off, from before the liar challenges until after the end: its towers must answer.
void World::switch_off() {
    Line& line = m_tower_random.pick(m_lines);
    const std::size_t liar = *m_scenario.liar;
    if (!m_absent.empty() || (line.hub != liar && line.client != liar) || line.cheated || line.saved.empty()) return;
    const std::size_t victim = line.hub == liar ? line.client : line.hub;
    const channel::Channel* c = channel_at(victim, line.id);
    if (m_down.contains(victim) || m_stale.contains(victim) || c == nullptr) return;
    const channel::SignedState& old = m_tower_random.pick(line.saved);
    if (c->status != channel::Status::open || old.state.version >= c->agreed.state.version) return;
    note("victim away");
    m_trace.line(node(victim).name(), "is switched off, at version {}", c->agreed.state.version);
    m_absent.insert(victim);
    m_checkers->goes_away(node(victim).id());
    node(victim).crash(m_tower_random.chance(500) ? SimDisk::End::power : SimDisk::End::kill);
    m_gone.insert(liar);
    if (node(liar).running()) node(liar).crash();
    const std::uint64_t until_ms = m_queue.now_ms() + kMaxAbsenceMs;
    m_queue.after(m_tower_random.between(100, 60'000), [this, &line, old, victim, until_ms] {
        challenge_with(line, old);
        watch_absent(victim, line.id, until_ms);
    });
}

void World::watch_absent(std::size_t index, const ChannelId& id, std::uint64_t until_ms) {
    m_queue.after(5'000, [this, index, id, until_ms] {
        if (!m_checkers->is_over(id) && m_queue.now_ms() < until_ms) return watch_absent(index, id, until_ms);
        // Nobody can settle before the last lock has expired.
        const std::uint64_t locks_end_ms = m_checkers->is_over(id) ? 0 : m_checkers->locks_end_s(id) * 1'000;
        if (until_ms < locks_end_ms + kLockGraceMs) return watch_absent(index, id, locks_end_ms + kLockGraceMs);
        const auto dispute = m_chain->state().disputes.find(id);
        const bool open = !m_checkers->is_over(id) && dispute != m_chain->state().disputes.end();
        const auto party = *m_checkers->party_of(m_checkers->channels().at(id), node(index).id());
        if (open && m_checkers->receipts().promised(id, party, (dispute->second.end - kCalmS) * 1'000) != 0)
            return fail(fmt::format("liveness: the towers of {}, who is away, leave a dispute open", node(index).name()));
        m_trace.line(node(index).name(), "is switched on again");
        m_absent.erase(index);
        m_checkers->comes_back(node(index).id());
        restart(index);
    });
}

}  // namespace hedgerow::sim
