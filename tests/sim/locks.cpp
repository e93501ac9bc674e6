#include <fmt/format.h>

#include "tests/sim/world.h"

/// Locks that end soon, and payees that are away when they should reveal: paid in time, or let go by the payer.
namespace hedgerow::sim {

void World::lock_later() {
    if (!m_lock_random.chance(kLockWorlds)) return;
    m_queue.after(m_lock_random.between(1'000, 30'000), [this] { lock_again(); });
}

void World::lock_again() {
    if (!m_active) return;
    short_lock();
    m_queue.after(m_lock_random.between(1'000, 40'000), [this] { lock_again(); });
}

void World::short_lock() {
    Random& random = m_lock_random;
    const Line& line = random.pick(m_lines);
    const bool by_hub = random.chance(500);
    const std::size_t payer = by_hub ? line.hub : line.client;
    const std::size_t payee = by_hub ? line.client : line.hub;
    const channel::Channel* c = channel_at(payer, line.id);
    if (c == nullptr || c->status != channel::Status::open || !node(payee).running()) return;
    const auto made = node(payee).payments().create(
        node(payee).node().options().assets[0].token,
        Amount::from_raw(static_cast<channel::Int128>(random.between(1, 300)) * 1'000'000), "soon", 600);
    if (!made) return;
    note("short lock");
    m_checkers->on_invoice(made->invoice.hash, node(payee).id());
    const Amount amount = c->me == channel::Party::A ? made->invoice.amount : -made->invoice.amount;
    const channel::Lock lock{made->invoice.hash, m_queue.now_ms() / 1'000 + random.between(15, 240), 0, amount};
    node(payer).node().submit_op(line.id, channel::LockOp{lock}, fresh_ref("lock"),
                                 [this, payer](const daemon::Result<daemon::OpDone>& done) {
                                     m_trace.line(node(payer).name(), "lock {}", done ? "agreed" : done.error().name);
                                 });
    // Before it can answer.
    if (random.chance(500) && !must_be_calm() && !m_down.contains(payee)) {
        const std::uint64_t delay_ms = random.below(60);
        m_queue.after(delay_ms, [this, payee] {
            if (m_active && node(payee).running() && !m_down.contains(payee)) crash(payee);
        });
    }
}

/// Of channels that are open and honest on both sides.
bool World::no_locks() {
    for (const Line& line : m_lines) {
        if (has_liar(line.id) || m_stale.contains(line.hub) || m_stale.contains(line.client)) continue;
        for (const std::size_t side : {line.hub, line.client}) {
            const channel::Channel* c = channel_at(side, line.id);
            if (c != nullptr && c->status == channel::Status::open && !c->agreed.state.locks.empty()) return false;
        }
    }
    return true;
}

}  // namespace hedgerow::sim
