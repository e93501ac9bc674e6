#include <fmt/format.h>

#include "daemon/node/opening.h"
#include "tests/sim/world.h"
#include "wallet/chain/contract_calls.h"

/// What goes wrong: machines, network, chain, clocks, oracles, and people.
namespace hedgerow::sim {

namespace {

U256 gwei(std::uint64_t amount) {
    return U256(amount) * U256(1'000'000'000);
}

/// Of a state's signature the parity bit that a contract does not take; plain ECDSA does not look at it.
channel::Bytes with_other_parity(const channel::Bytes& frame) {
    auto message = channel::wire_decode<channel::PeerMessage>(frame);
    if (!message) return frame;
    if (auto* ack = std::get_if<channel::Ack>(&*message)) ack->signature.data[32] ^= 0x80;
    if (auto* update = std::get_if<channel::Update>(&*message); update != nullptr && update->signature) update->signature->data[32] ^= 0x80;
    return channel::wire_encode(*message);
}

}  // namespace

void World::fault_later() {
    m_queue.after(m_random.between(1'000, 2 * m_scenario.mean_fault_ms), [this] {
        if (!m_active) return;
        if (!must_be_calm()) fault();
        fault_later();
    });
}

void World::fault() {
    static const std::vector<std::string> kKinds = {"crash", "network", "chain", "clock", "oracle", "cheat", "stale", "disk", "aim"};
    const std::string& kind = m_random.pick(kKinds);
    if (!m_scenario.faults.contains(kind)) return;
    if (kind == "crash") return crash(m_random.below(m_nodes.size()));
    if (kind == "network") return network_fault();
    if (kind == "chain") return chain_fault();
    if (kind == "clock") return clock_fault();
    if (kind == "oracle") return oracle_fault();
    if (kind == "disk") return disk_fault(m_random.below(m_nodes.size()));
    if (kind == "aim") return ambush();
    if (kind == "stale") return copy_or_restore(m_random.below(m_nodes.size()));
    if (!m_scenario.liar) return;
    if (m_random.chance(500)) return lie(*m_scenario.liar);
    cheat();
}

// --- machines
// ---------------------------------------------------------------------------------------------------------------

void World::crash(std::size_t index) {
    if (!machine(index).running() || m_down.contains(index)) return;
    note("crash");
    m_down.insert(index);
    const SimDisk::End how = m_random.chance(500) ? SimDisk::End::power : SimDisk::End::kill;
    switch (m_random.below(3)) {
        case 0:
            machine(index).crash(how);
            break;
        case 1:
            machine(index).crash_after(m_random.below(40));
            break;
        default:
            machine(index).disk().end_after(m_random.below(200), how);
    }
    m_queue.after(m_random.chance(700) ? m_random.between(100, 5'000) : m_random.between(5'000, 60'000),
                  [this, index] { restart(index); });
}

void World::restart(std::size_t index) {
    m_down.erase(index);
    machine(index).disk().set_faults({});
    if (m_gone.contains(index) || m_absent.contains(index)) return;
    if (machine(index).running()) return machine(index).do_not_crash();  // it came through
    if (!machine(index).start())
        return fail(fmt::format("{} does not start again: {}", machine(index).name(), machine(index).fatal()));
    if (m_wiped.contains(index)) tell(index);
}

/// The disk fills up, or fails to write: the node stops by name rather than run on, and starts once the disk is well.
void World::disk_fault(std::size_t index) {
    Machine& on = machine(index);
    if (!on.running() || m_down.contains(index)) return;
    note("disk");
    m_down.insert(index);
    DiskFaults faults;
    switch (m_random.below(3)) {
        case 0:
            faults.capacity = on.disk().used() + m_random.below(20'000);
            break;
        case 1:
            faults.fail_writes = m_random.between(1'000, 200'000);
            break;
        default:
            faults.fail_syncs = m_random.between(1'000, 300'000);
    }
    m_trace.line(on.name(), "its disk fails: writes {}, flushes {}", faults.fail_writes, faults.fail_syncs);
    on.disk().set_faults(faults);
    m_queue.after(m_random.between(1'000, 30'000), [this, index] { restart(index); });
}

/// The operator copies the data directory of a node that is down, and one day puts the copy back: the node comes up only
/// where he insists, and must know that it may be behind.
void World::copy_or_restore(std::size_t index) {
    SimNode& machine = node(index);
    // With nobody but a liar left it would wait for ever, as it must (spec 6.8).
    if (!machine.running() || m_down.contains(index) || m_scenario.liar || !m_stale.empty()) return;
    machine.crash();
    const auto copy = m_copies.find(index);
    if (copy == m_copies.end()) {
        note("copy");
        m_copies[index] = machine.disk().image();
        return restart(index);
    }
    note("stale copy restored");
    m_trace.line(machine.name(), "is put back to a copy");
    SimDisk::Image image = copy->second;
    for (const auto& [path, bytes] : machine.disk().image()) {
        if (path.ends_with(".generation")) image[path] = bytes;
    }
    machine.disk().restore(image);
    if (machine.start()) return;  // nothing was committed since the copy
    if (machine.fatal().find("stale") == std::string::npos) return fail("a stale copy is refused as: " + machine.fatal());
    machine.accept_stale(true);
    m_stale.insert(index);
    m_checkers->lost_data(machine.id());
    restart(index);
    machine.accept_stale(false);
}

// --- network
// ----------------------------------------------------------------------------------------------------------------

void World::network_fault() {
    const std::size_t a = m_random.below(m_nodes.size());
    const std::size_t b = (a + m_random.between(1, m_nodes.size() - 1)) % m_nodes.size();
    switch (m_random.below(3)) {
        case 0:
            note("cut");
            m_trace.line("network", "cut {} {}", node(a).name(), node(b).name());
            return m_network->cut(node(a).id(), node(b).id());
        case 1: {
            note("partition");
            m_trace.line("network", "partition {} {}", node(a).name(), node(b).name());
            m_network->set_partitioned(node(a).id(), node(b).id(), true);
            m_partitions.insert({a, b});
            m_queue.after(m_random.between(2'000, 90'000), [this, a, b] {
                m_network->set_partitioned(node(a).id(), node(b).id(), false);
                m_partitions.erase({a, b});
            });
            return;
        }
        default: {
            note("weather");
            NetworkWeather weather;
            weather.max_delay_ms = m_random.chance(500) ? 40 : m_random.between(100, 3'000);
            weather.cut_per_million = m_random.chance(500) ? 0 : m_random.below(30'000);
            weather.full_per_million = m_random.chance(800) ? 0 : m_random.below(10'000);
            m_trace.line("network", "delays to {} ms, cuts {}, full {}", weather.max_delay_ms, weather.cut_per_million,
                         weather.full_per_million);
            return m_network->set_weather(weather);
        }
    }
}

// --- chain
// ------------------------------------------------------------------------------------------------------------------

void World::chain_fault() {
    ChainAccess& access = node(m_random.below(m_nodes.size())).access;
    switch (m_random.below(7)) {
        case 0:
            m_reorg_depth = m_random.between(1, m_chain->config().max_reorg);
            return;
        case 1: {
            note("congestion");
            const Congestion full{gwei(m_random.between(10, 300)), gwei(m_random.between(1, 30))};
            m_trace.line("chain", "congestion, tip {}", channel::to_decimal(full.tip));
            m_chain->set_congestion(full);
            m_queue.after(m_random.between(20'000, 120'000), [this] {
                if (!besieged()) m_chain->set_congestion(std::nullopt);
            });
            return;
        }
        case 2:
            note("chain outage");
            access.down = true;
            m_queue.after(m_random.between(2'000, 60'000), [&access] { access.down = false; });
            return;
        case 3:
            note("lagging node");
            access.lag = m_random.between(1, 3);
            access.lag_per_mille = m_random.chance(500) ? 1'000 : 400;
            m_queue.after(m_random.between(5'000, 90'000), [&access] { access.lag = 0; });
            return;
        case 4:
            note("lost answers");
            access.lose_answer_per_mille = m_random.between(20, 400);
            m_queue.after(m_random.between(5'000, 60'000), [&access] { access.lose_answer_per_mille = 0; });
            return;
        case 5:
            note("lost mempool");
            return m_chain->lose_mempool(m_random.between(200, 1'000));
        default:
            note("missed slots");
            m_chain->set_missed_slots(m_random.below(700));
            m_chain->set_delayed(m_random.below(500));
            m_queue.after(m_random.between(20'000, 90'000), [this] {
                m_chain->set_missed_slots(0);
                m_chain->set_delayed(0);
            });
    }
}

// --- clocks and oracles
// ---------------------------------------------------------------------------------------------------------

void World::clock_fault() {
    SimNode& victim = node(m_random.below(m_nodes.size()));
    note("clock");
    victim.clock.since_ms = m_queue.now_ms();
    victim.clock.drift_ppm = static_cast<std::int64_t>(m_random.below(2'000)) - 1'000;
    const std::uint64_t range = m_random.chance(800) ? 20'000 : 400'000;
    victim.clock.offset_ms = static_cast<std::int64_t>(m_random.below(2 * range)) - static_cast<std::int64_t>(range);
    m_trace.line(victim.name(), "clock is off by {} ms, drifts {} ppm", victim.clock.offset_ms, victim.clock.drift_ppm);
}

void World::oracle_fault() {
    note("oracle");
    const std::size_t one = m_random.below(Oracles::kCount);
    switch (m_random.below(5)) {
        case 0:
            m_oracles->set_silent(one, true);
            m_queue.after(m_random.between(20'000, 200'000), [this, one] { m_oracles->set_silent(one, false); });
            return;
        case 1:
            for (std::size_t i = 0; i < Oracles::kCount; ++i) m_oracles->set_silent(i, true);
            m_queue.after(m_random.between(20'000, 120'000), [this] {
                for (std::size_t i = 0; i < Oracles::kCount; ++i) m_oracles->set_silent(i, false);
            });
            return;
        case 2:
            m_oracles->set_lying(one);
            m_queue.after(m_random.between(20'000, 200'000), [this] { m_oracles->set_lying(std::nullopt); });
            return;
        case 3:
            m_oracles->set_late(m_random.between(1'000, 30'000));
            m_queue.after(m_random.between(20'000, 120'000), [this] { m_oracles->set_late(0); });
            return;
        default:
            m_trace.line("oracles", "prices crash");
            m_oracles->crash_prices(m_random.between(50, 300), m_random.between(1, 4));
    }
}

// --- people
// -----------------------------------------------------------------------------------------------------------------

/// What the liar's node sends is dropped, repeated, reordered, replaced by what it sent before, or damaged.
void World::lie(std::size_t index) {
    note("lies");
    m_trace.line(node(index).name(), "lies");
    auto kept = std::make_shared<std::vector<channel::Bytes>>();
    m_network->set_tamper(node(index).id(), [this, kept](const NodeId&, channel::Bytes frame) {
        std::vector<channel::Bytes> out;
        if (kept->size() < 200) kept->push_back(frame);
        const std::uint64_t dice = m_random.below(100);
        if (dice < 4) return out;  // swallowed
        if (dice < 8) {
            channel::Bytes damaged = frame;
            damaged[m_random.below(damaged.size())] ^= static_cast<std::uint8_t>(1U << m_random.below(8));
            out.push_back(std::move(damaged));
        }
        if (dice < 12) out.push_back(frame);
        if (dice < 18) out.push_back(m_random.pick(*kept));
        if (dice >= 40 && dice < 70) frame = with_other_parity(frame);
        out.push_back(std::move(frame));
        if (dice >= 94) out.push_back(m_random.pick(*kept));
        return out;
    });
    m_queue.after(m_random.between(5'000, 60'000), [this, index] {
        if (m_scenario.faults.contains("end") && m_random.chance(500)) leave(index);
        m_network->clear_tampers();
    });
}

/// Somebody has enough of the liar, and takes what it signed last to the chain.
void World::leave(std::size_t liar) {
    for (Line& line : m_lines) {
        if (line.ending || (line.hub != liar && line.client != liar)) continue;
        const std::size_t who = line.hub == liar ? line.client : line.hub;
        const channel::Channel* c = node(who).running() ? channel_at(who, line.id) : nullptr;
        if (c == nullptr || c->status != channel::Status::open || m_stale.contains(who)) continue;
        return end_line(line, who, true);
    }
}

/// The liar takes an old state to the chain, and is never seen again.
void World::cheat() {
    const std::size_t liar = *m_scenario.liar;
    if (!node(liar).running()) return;
    for (Line& line : m_lines) {
        if ((line.hub != liar && line.client != liar) || line.cheated || line.saved.empty()) continue;
        const channel::Channel* c = channel_at(liar, line.id);
        const channel::SignedState& old = m_random.pick(line.saved);
        if (c == nullptr || c->status != channel::Status::open) continue;
        if (old.state.version >= c->agreed.state.version) continue;
        note("cheat");
        challenge_with(line, old);
    }
    if (m_random.chance(700)) {
        m_gone.insert(liar);
        node(liar).crash();
    }
}

void World::challenge_with(Line& line, const channel::SignedState& old) {
    const std::size_t liar = *m_scenario.liar;
    const Party party = line.client == liar ? line.opener : channel::other(line.opener);
    std::optional<wallet::PrivateKey> signer;
    // A wallet that an empty database does not know begins with numbers from the clock.
    const std::uint32_t first = daemon::signer_number_from_clock(kEpochMs);
    for (std::uint32_t i = 0; i < 16 && !signer; ++i) {
        auto key = node(liar).seed().signer_key(first + i);
        if (key && key->address() == line.terms.signer(party)) signer = std::move(*key);
    }
    if (!signer) return;
    line.cheated = true;
    const std::uint64_t deadline = m_queue.now_ms() / 1'000 + 3'600;
    const channel::Challenge typed{line.id, old.state.version, deadline};
    const wallet::ChallengeAuthorization authorization{
        deadline, signer->sign(channel::digest_of(typed, m_chain->rules().separator))};
    channel::State state;
    state.channel_id = line.id;
    if (old.state.version != 0) state = channel::typed_state(old.state, line.id);
    wallet::Transaction tx;
    tx.chain_id = m_chain->config().chain_id;
    tx.nonce = m_chain->pending_nonce(m_crooks.front().address());
    tx.max_priority_fee = gwei(100);
    tx.max_fee = gwei(2'000);
    tx.gas_limit = 3'000'000;
    tx.to = m_chain->rules().contract;
    tx.data =
        wallet::challenge_call(line.terms, line.secret, state, {old.signature_a, old.signature_b}, authorization);
    const auto sent = m_chain->submit(wallet::sign_transaction(tx, m_crooks.front()).raw);
    m_trace.line(node(liar).name(), "challenges {} with version {}: {}", channel::to_hex(line.id).substr(0, 10),
                 old.state.version, sent ? "sent" : sent.error());
}

// --- the end of it
// ----------------------------------------------------------------------------------------------------------

bool World::must_be_calm() const {
    const std::uint64_t now_s = m_queue.now_ms() / 1'000;
    for (const auto& [id, dispute] : m_chain->state().disputes) {
        if (dispute.end < now_s + kCalmS) return true;
    }
    return false;
}

void World::watch_calm() {
    m_queue.after(5'000, [this] {
        if (!m_active) return;
        if (must_be_calm()) heal();
        watch_calm();
    });
}

void World::heal() {
    for (const auto& [a, b] : m_partitions) m_network->set_partitioned(machine(a).id(), machine(b).id(), false);
    m_partitions.clear();
    m_network->set_weather({});
    m_network->clear_tampers();
    if (!besieged()) m_chain->set_congestion(std::nullopt);
    m_chain->set_missed_slots(0);
    m_chain->set_delayed(0);
    m_reorg_depth = 0;
    for (std::size_t i = 0; i < Oracles::kCount; ++i) m_oracles->set_silent(i, false);
    m_oracles->set_lying(std::nullopt);
    m_oracles->set_late(0);
    for (std::size_t i = 0; i < machines(); ++i) {
        machine(i).clock = {0, 0, m_queue.now_ms()};
        machine(i).access = {};
        restart(i);
    }
}

}  // namespace hedgerow::sim
