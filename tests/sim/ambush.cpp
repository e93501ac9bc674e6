#include <fmt/format.h>

#include "tests/sim/world.h"
#include "wallet/chain/contract_events.h"

/// Trouble aimed at the moments that matter, which trouble at random seldom meets: a challenge just mined, updates in
/// flight, a deposit just sent, a withdrawal not mined yet.
namespace hedgerow::sim {

namespace {

U256 gwei(std::uint64_t amount) {
    return U256(amount) * U256(1'000'000'000);
}

}  // namespace

void World::ambush() {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < m_lines.size(); ++i) {
        const Line& line = m_lines[i];
        const bool both = node(line.hub).running() && node(line.client).running();
        if (!both || has_liar(line.id) || line.ending || m_stale.contains(line.hub) || m_stale.contains(line.client))
            continue;
        const channel::Channel* c = channel_at(line.hub, line.id);
        if (c != nullptr && c->status == channel::Status::open && c->connected) open.push_back(i);
    }
    if (open.empty()) return;
    Line& line = m_lines[m_aim.pick(open)];
    switch (m_aim.below(3)) {
        case 0:
            return forsake(line);
        case 1:
            return spend_twice(line, m_aim.chance(500) ? line.hub : line.client);
        default:
            return deposit_and_die(line, m_aim.chance(500) ? line.hub : line.client);
    }
}

/// The chain turns on whoever needs it now: the block goes, or fills up until the dispute's end, or a machine dies.
void World::aim_at(const MinedTx& tx) {
    if (!m_active || !m_scenario.faults.contains("aim")) return;
    for (const wallet::LogEntry& log : tx.logs) {
        const auto event = wallet::decode_event(log, m_chain->rules().contract);
        if (!event) continue;
        if (!std::holds_alternative<wallet::Challenged>(*event) && !std::holds_alternative<wallet::Responded>(*event))
            continue;
        const auto dispute = m_chain->state().disputes.find(*wallet::event_channel(*event));
        if (dispute == m_chain->state().disputes.end()) continue;
        switch (m_aim.below(4)) {
            case 0:
                note("aimed reorg");
                m_reorg_depth = m_aim.between(1, m_chain->config().max_reorg);
                m_reorg_loses = 900;
                break;
            case 1:
                besiege(dispute->second.end * 1'000);
                break;
            case 2: {
                note("aimed crash");
                const std::size_t victim = m_aim.below(m_nodes.size());
                m_queue.after(m_aim.between(100, 12'000), [this, victim, loses = m_aim.chance(500)] {
                    if (!m_active || must_be_calm()) return;
                    crash(victim);
                    if (loses) m_chain->lose_mempool(700);
                });
                break;
            }
            default:
                break;
        }
    }
}

/// Full blocks until a dispute's end, at a price that whoever must be heard can pay, but does not offer at first.
void World::besiege(std::uint64_t end_ms) {
    note("siege");
    m_siege_ms = end_ms;
    const Congestion full{gwei(m_aim.between(60, 150)), gwei(m_aim.between(3, 20))};
    m_trace.line("chain", "besieged, tip {}", channel::to_decimal(full.tip));
    m_chain->set_congestion(full);
    m_queue.at(end_ms, [this] {
        if (m_queue.now_ms() >= m_siege_ms) m_chain->set_congestion(std::nullopt);
    });
}

bool World::besieged() const {
    return m_queue.now_ms() < m_siege_ms;
}

/// The leader dies with updates in flight, and while it is away the follower takes what it has to the chain.
void World::forsake(Line& line) {
    const bool hub_leads = channel_at(line.hub, line.id)->is_leader();
    const std::size_t leader = hub_leads ? line.hub : line.client;
    const std::size_t follower = hub_leads ? line.client : line.hub;
    if (m_down.contains(leader)) return;
    note("forsaken in flight");
    line.ending = true;
    for (std::uint64_t i = m_aim.between(1, 6); i > 0; --i) pay(line, leader);
    invoice(line, leader);  // the follower knows the preimage of a lock that may be in its newest state
    // At any moment, or once the follower's newest state has a lock.
    const int looks = m_aim.chance(500) ? 0 : 2'000;
    m_queue.after(m_aim.between(1, 120),
                  [this, leader, follower, id = line.id, looks] { strike(leader, follower, id, looks); });
}

void World::strike(std::size_t leader, std::size_t follower, const ChannelId& id, int looks) {
    if (!m_active || must_be_calm() || !node(leader).running() || !node(follower).running()) return;
    const channel::Channel* c = channel_at(follower, id);
    if (looks > 0 && c != nullptr && c->agreed.state.locks.empty()) {
        m_queue.after(1, [=, this] { strike(leader, follower, id, looks - 1); });
        return;
    }
    m_trace.line(node(leader).name(), "dies in flight");
    m_down.insert(leader);
    node(leader).crash();
    m_queue.after(m_aim.between(1'000, 60'000), [this, leader] { restart(leader); });
    node(follower).node().force_close(id, fresh_ref("force"), [](const auto&) {});
}

/// Nearly all is withdrawn, and paid away before that is mined.
void World::spend_twice(Line& line, std::size_t who) {
    note("spent twice");
    const channel::Channel* c = channel_at(who, line.id);
    const std::size_t asset = m_aim.below(2);
    const Amount net = c->agreed.state.net[asset];
    const Amount balance =
        c->funds_seen.deposit(c->me)[asset] - c->funds_seen.withdrawn(c->me)[asset] - (c->me == Party::A ? net : -net);
    if (balance.sign() <= 0) return;
    const auto part = [&](std::uint64_t percent) {
        return Amount::from_raw(balance.raw() / 100 * static_cast<channel::Int128>(percent));
    };
    node(who).node().withdraw(line.id, asset, part(m_aim.between(60, 95)), fresh_ref("withdraw"), [](const auto&) {});
    for (int i = 0; i < 3; ++i) {
        Payment payment;
        payment.payer = who;
        payment.channel = line.id;
        payment.asset = asset;
        payment.amount = part(m_aim.between(20, 60));
        payment.ref = fresh_ref("pay");
        m_payments.push_back(payment);
        m_checkers->on_payment_asked(payment.ref, node(who).id(), line.id);
        m_queue.after(m_aim.between(100, 20'000), [this, index = m_payments.size() - 1] { ask(index); });
    }
}

/// The machine dies once its deposit is sent, the mempool may forget it, and its user asks again.
void World::deposit_and_die(Line& line, std::size_t who) {
    note("deposit, then death");
    const std::size_t asset = m_aim.below(2);
    const Amount amount =
        Amount::from_raw(static_cast<channel::Int128>(1'000'000 + ++m_sequence));  // no other is equal
    const std::string ref = fresh_ref("deposit");
    m_checkers->on_deposit_asked(line.id, amount);
    const auto deposit = [this, who, asset, amount, ref, id = line.id](bool dies) {
        if (!node(who).running()) return;
        node(who).node().deposit(id, asset, amount, ref, [this, who, dies, id, amount](const auto& tx) {
            m_trace.line(node(who).name(), "deposit {}", tx ? "sent" : tx.error().name);
            if (!tx) return;
            m_checkers->on_deposit_told(id, amount, m_queue.now_ms() / 1'000);
            if (!dies || !m_active || must_be_calm()) return;
            m_queue.after(m_aim.between(0, 500), [this, who, loses = m_aim.chance(500)] {
                if (!m_active || m_down.contains(who) || !node(who).running()) return;
                m_down.insert(who);
                node(who).crash();
                if (loses) m_chain->lose_mempool(1'000);
                m_queue.after(m_aim.between(500, 20'000), [this, who] { restart(who); });
            });
        });
    };
    deposit(true);
    m_queue.after(m_aim.between(21'000, 40'000), [deposit] { deposit(false); });
}

/// A liar that follows takes what it is paid without a signature ever after: the leader must take that to the chain.
void World::fall_silent() {
    const std::size_t liar = *m_scenario.liar;
    for (Line& line : m_lines) {
        if (line.hub != liar && line.client != liar) continue;
        const std::size_t honest = line.hub == liar ? line.client : line.hub;
        const channel::Channel* c = channel_at(honest, line.id);
        if (c == nullptr || !c->is_leader() || c->status != channel::Status::open || !c->connected) continue;
        note("silent follower");
        m_trace.line(node(liar).name(), "signs no more");
        m_network->set_tamper(node(liar).id(), [](const NodeId&, channel::Bytes frame) {
            const auto message = channel::wire_decode<channel::PeerMessage>(frame);
            std::vector<channel::Bytes> out;
            const bool signs = message && (std::holds_alternative<channel::Ack>(*message) ||
                                           std::holds_alternative<channel::Reject>(*message));
            if (!signs) out.push_back(std::move(frame));
            return out;
        });
        for (int i = 0; i < 3; ++i) pay(line, honest);
    }
}

/// A leader that waits for a liar's signature, and has not taken it to the chain.
bool World::is_kept_waiting(const Line& line) {
    for (const std::size_t side : {line.hub, line.client}) {
        const channel::Channel* c = is_liar(side) ? nullptr : channel_at(side, line.id);
        if (c != nullptr && c->is_leader() && c->status == channel::Status::open && !c->pending.empty()) return true;
    }
    return false;
}

}  // namespace hedgerow::sim
