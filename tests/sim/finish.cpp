#include <fmt/format.h>

#include "tests/sim/world.h"

/// Once faults stop: everything agrees, is answered and settles, within bounds; then judgement.
namespace hedgerow::sim {

namespace {

constexpr std::uint64_t kReconnectS = 75;  // a channel that was cut off until the faults stopped needs no challenge after
constexpr std::uint64_t kAgreeMs = 300'000;
constexpr std::uint64_t kCloseMs = 300'000;
constexpr std::uint64_t kSettleMs = 1'500'000;  // dispute period, price grace, and fees
constexpr std::uint64_t kLockEndMs = 400'000;   // the longest of the short ones, blocks to confirm that, and an answer
constexpr std::uint64_t kRetryMs = 10'000;

bool settled_down(const channel::Channel& c) {
    return c.pending.empty() && c.queue.empty() && c.proposals.empty() && !c.awaiting_signature;
}

}  // namespace

bool World::has_liar(const ChannelId& id) const {
    return std::any_of(m_lines.begin(), m_lines.end(), [&](const Line& line) {
        return line.id == id && (is_liar(line.hub) || is_liar(line.client));
    });
}

bool World::all_agree() {
    for (const Payment& p : m_payments) {
        if (is_liar(p.payer) || p.over || !p.waiting || !node(p.payer).running()) continue;
        // What a dispute has in doubt is known when that is over; a liar may leave everything open until then.
        const channel::Channel* c = channel_at(p.payer, p.channel);
        if (c != nullptr && c->status == channel::Status::open && !has_liar(p.channel) && m_stale.empty()) return false;
    }
    for (const Line& line : m_lines) {
        if (has_liar(line.id) && is_kept_waiting(line)) return false;
        if (has_liar(line.id) || m_stale.contains(line.hub) || m_stale.contains(line.client)) continue;
        const channel::Channel* a = channel_at(line.hub, line.id);
        const channel::Channel* b = channel_at(line.client, line.id);
        if (a == nullptr || b == nullptr) return false;
        if (a->status != channel::Status::open || b->status != channel::Status::open) continue;  // it ends
        if (!a->connected || !b->connected || !settled_down(*a) || !settled_down(*b)) return false;
        if (a->agreed.state.version != b->agreed.state.version || a->agreed.digest != b->agreed.digest) return false;
    }
    return true;
}

bool World::all_final() {
    for (const Line& line : m_lines) {
        for (const std::size_t side : {line.hub, line.client}) {
            if (is_liar(side)) continue;
            const channel::Channel* c = channel_at(side, line.id);
            // Where it was over before the copies were asked for, nobody has one any more.
            if (c == nullptr && m_wiped.contains(side) && m_checkers->is_over(line.id)) continue;
            if (c == nullptr || c->status != channel::Status::closed) return false;
        }
    }
    return true;
}

std::string World::why_not_final() {
    std::string out;
    for (const Line& line : m_lines) {
        for (const std::size_t side : {line.hub, line.client}) {
            const channel::Channel* c = channel_at(side, line.id);
            if (c == nullptr) {
                out += fmt::format(" {}:down", node(side).name());
                continue;
            }
            out += fmt::format(" {}:{}:{}/v{}/pending{}/queue{}/{}{}", node(side).name(),
                               channel::to_hex(line.id).substr(0, 8), channel::status_name(c->status),
                               c->agreed.state.version, c->pending.size(), c->queue.size() + c->proposals.size(),
                               c->connected ? "connected" : "apart", c->dispute ? "/dispute" : "");
        }
    }
    for (const Payment& p : m_payments) {
        if (!p.over && p.waiting && !is_liar(p.payer)) out += " " + p.ref;
    }
    return out;
}

void World::finish() {
    const bool silent = m_scenario.liar && m_aim.chance(400);
    if (m_scenario.liar && !silent && m_random.chance(700)) cheat();
    m_trace.line("world", "the faults stop");
    heal();
    advance_until(kMaxAbsenceMs + kMaxLockMs, [this] { return m_absent.empty(); });
    const std::uint64_t healed_s = m_queue.now_ms() / 1'000;
    if (silent) fall_silent();
    std::uint64_t next_retry = 0;
    const auto keep_asking = [&] {
        if (m_queue.now_ms() < next_retry) return;
        next_retry = m_queue.now_ms() + kRetryMs;
        retry_payments();
    };
    const bool agreed = advance_until(kAgreeMs, [&] {
        keep_asking();
        return all_agree();
    });
    if (!agreed) {
        if (!m_verdict.failed()) fail("liveness: no agreement after the faults stopped:" + why_not_final());
        return;
    }
    m_trace.line("world", "all agree");
    for (const Line& line : m_lines) {
        const auto dispute = m_chain->state().disputes.find(line.id);
        if (dispute == m_chain->state().disputes.end() || has_liar(line.id) || line.ending) continue;
        const channel::Channel* c = channel_at(line.hub, line.id);
        if (c != nullptr && dispute->second.end > healed_s + kReconnectS + c->terms.dispute_period)
            fail(fmt::format("{} was challenged long after all was well", channel::to_hex(line.id).substr(0, 10)));
    }
    if (!advance_until(kAgreeMs, [this] { return towers_hold_all(); })) {
        if (!m_verdict.failed()) fail("liveness: a tower lacks the newest version of a client:" + why_not_final());
        return;
    }
    if (!advance_until(kLockEndMs, [this] { return no_locks(); })) {
        if (!m_verdict.failed()) fail("liveness: a lock outlives its expiry:" + why_not_final());
        return;
    }
    liar_moves();
    for (std::size_t i = 0; i < machines(); ++i) machine(i).tick_ms = 4'000;
    for (Line& line : m_lines) {
        const std::size_t first = is_liar(line.hub) ? line.client : line.hub;
        std::size_t who = m_random.chance(500) && !is_liar(line.client) ? line.client : first;
        if (m_stale.contains(who)) who = who == line.hub ? line.client : line.hub;  // who may be behind waits
        const channel::Channel* c = channel_at(who, line.id);
        if (c == nullptr) continue;
        if (c->status != channel::Status::open && c->status != channel::Status::recovering) continue;
        const bool force = has_liar(line.id) || m_stale.contains(line.hub) || m_stale.contains(line.client) || !c->agreed.state.positions.empty() ||
                           !c->agreed.state.locks.empty() || m_random.chance(300);
        end_line(line, who, force);
    }
    advance_until(kCloseMs, [this] { return all_final(); });
    bool locks = false;
    for (Line& line : m_lines) {
        for (const std::size_t side : {line.hub, line.client}) {
            if (is_liar(side)) continue;
            const channel::Channel* c = channel_at(side, line.id);
            locks = locks || (c != nullptr && !c->agreed.state.locks.empty());
            // What is in flight may have been signed by the other side, and be the state that the chain has.
            for (std::size_t i = 0; c != nullptr && i < c->pending.size(); ++i)
                locks = locks || !c->pending[i].after.locks.empty();
            if (c != nullptr && c->status == channel::Status::open && !m_stale.contains(side)) end_line(line, side, true);
        }
    }
    const bool final = advance_until(kSettleMs + (locks ? kMaxLockMs : 0), [&] {
        keep_asking();
        return all_final();
    });
    if (!final) {
        if (!m_verdict.failed()) fail("liveness: not final after the faults stopped:" + why_not_final());
        return;
    }
    m_trace.line("world", "all final");
    next_retry = 0;
    keep_asking();
    advance(30'000);
    for (const Payment& p : m_payments) {
        // Who lost data may have forgotten, and says so.
        if (!p.over && !is_liar(p.payer) && !m_stale.contains(p.payer) && node(p.payer).running())
            fail(fmt::format("payment {} of {} in {}: its outcome is unknown for ever ({})", p.ref, node(p.payer).name(),
                             channel::to_hex(p.channel).substr(0, 10), p.waiting ? "no answer" : "asked in vain"));
    }
    m_checkers->check_conservation();
    m_checkers->check_outcomes([this](const channel::Feed& feed, std::uint64_t time_s) {
        return m_oracles->true_price(feed, time_s);
    });
}

}  // namespace hedgerow::sim
