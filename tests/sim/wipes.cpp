#include <fmt/format.h>

#include "tests/sim/world.h"

/// Disks that are gone for good: a node that starts from its phrase alone, and is told of whom its user remembers.
namespace hedgerow::sim {

void World::wipe_later() {
    Random& random = m_wipe_random;
    if (!random.chance(kWipeWorlds)) return;
    const std::size_t index = random.below(m_nodes.size());
    m_queue.after(random.between(20'000, m_scenario.active_s * 1'000), [this, index] {
        if (m_active) wipe(index);
    });
}

void World::wipe(std::size_t index) {
    SimNode& on = node(index);
    if (!on.running() || m_down.contains(index) || is_liar(index) || !m_stale.empty() || !m_absent.empty()) return;
    // With nobody but a liar left it would wait for ever, as it must (spec 6.8).
    if (m_scenario.liar && m_checkers->receipts().live() == 0) return;
    note("wiped");
    m_trace.line(on.name(), "loses its disk, and starts from its phrase");
    on.wipe();
    m_stale.insert(index);
    m_wiped.insert(index);
    m_checkers->lost_data(on.id());
    for (const Line& line : m_lines) {
        if (line.hub == index || line.client == index) m_checkers->set_sync(line.id, on.id(), 0);
    }
    restart(index);
}

/// Also after each start that follows: what it was told may not have been stored.
void World::tell(std::size_t index) {
    if (index != 0) node(index).node().connect_peer(node(0).uri(), [](const daemon::Result<daemon::PeerInfo>&) {});
    join_towers(index);
}

/// Whoever lost data waits for the other side to move; where that is a liar, it moves by cheating.
void World::liar_moves() {
    for (Line& line : m_lines) {
        if (!has_liar(line.id) || m_checkers->is_over(line.id)) continue;
        const std::size_t other = is_liar(line.hub) ? line.client : line.hub;
        if (!m_stale.contains(other) || m_chain->state().disputes.contains(line.id)) continue;
        note("liar moves");
        challenge_with(line, line.saved.empty() ? channel::SignedState() : m_random.pick(line.saved));
    }
}

}  // namespace hedgerow::sim
