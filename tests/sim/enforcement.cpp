#include <fmt/format.h>

#include "tests/sim/checkers.h"

/// What parties, or their towers for them, could enforce, and whether that is what settled.
namespace hedgerow::sim {

namespace {

std::string short_id(const ChannelId& id) {
    return channel::to_hex(id).substr(0, 10);
}

}  // namespace

void Checkers::lost_data(const NodeId& node) {
    for (auto& [id, channel] : m_channels) {
        const auto party = party_of(channel, node);
        if (!party) continue;
        channel.enforceable[static_cast<std::size_t>(*party)] = 0;
        // What only it held both signatures of went with its disk: nobody else can enforce that.
        const std::uint64_t others = channel.enforceable[static_cast<std::size_t>(channel::other(*party))];
        let_go(node, id, std::max(others, m_receipts.promised(id, *party)));
    }
    m_lost_ms.try_emplace(node, m_queue.now_ms());
    // Preimages that only it knew, and jobs of its whose transactions may never have been mined.
    std::erase_if(m_invoices, [&](const auto& invoice) { return invoice.second == node; });
    for (auto& [amount, promise] : m_deposits) {
        const auto channel = m_channels.find(promise.channel);
        if (channel != m_channels.end() && party_of(channel->second, node)) promise.told_s = 0;
    }
}

void Checkers::let_go(const NodeId& node, const ChannelId& id, std::uint64_t enforceable) {
    const auto sync = m_sync.find({id, node});
    // Of k towers that hold a version one lives.
    if (sync != m_sync.end() && sync->second > m_receipts.dead()) return;
    for (auto& [memo, promise] : m_promises) {
        const bool its_own = promise.payer == node && promise.channel == id;
        if (its_own && promise.version > enforceable) promise.told = Promise::Told::nothing;
    }
}

void Checkers::goes_away(const NodeId& node) {
    m_away[node].push_back({m_queue.now_ms(), UINT64_MAX});
}

void Checkers::comes_back(const NodeId& node) {
    m_away[node].back().to_ms = m_queue.now_ms();
}

bool Checkers::was_away(const NodeId& node, const OnChain& end) const {
    const auto absences = m_away.find(node);
    if (absences == m_away.end()) return false;
    const std::uint64_t end_ms = end.dispute_end * 1'000;
    return std::any_of(absences->second.begin(), absences->second.end(), [&](const Absence& one) {
        return one.from_ms < end_ms && one.to_ms + kCalmS * 1'000 > end_ms;
    });
}

std::uint64_t Checkers::promised_in_time(const ChannelId& id, Party party, const OnChain& end) const {
    return m_receipts.promised(id, party, (end.dispute_end - kCalmS) * 1'000);
}

bool Checkers::was_defended(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end) const {
    const auto defended = [&](Party party) {
        if (!is_honest(channel.of(party))) return false;
        return !was_away(channel.of(party), end) || promised_in_time(id, party, end) != 0;
    };
    return defended(Party::A) || defended(Party::B);
}

bool Checkers::is_over(const ChannelId& id) const {
    const auto held = m_chain.state().holdings.lower_bound({id, Address()});
    return held != m_chain.state().holdings.end() && held->first.first == id && held->second.is_final;
}

void Checkers::check_enforced(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end, Party party) {
    const bool away = was_away(channel.of(party), end);
    const std::uint64_t holds = channel.enforceable[static_cast<std::size_t>(party)];
    if (!away && end.version < holds) {
        m_verdict.fail(fmt::format("channel {}: settled at version {}, but {} held {} with both signatures",
                                   short_id(id), end.version, channel::party_name(party), holds));
    }
    const std::uint64_t promised = promised_in_time(id, party, end);
    if (promised != 0) ++m_counts.held_by_towers;
    if (away && promised > end.challenged_version) ++m_counts.answered_by_towers;
    if (end.version < promised) {
        m_verdict.fail(fmt::format("channel {}: settled at version {}, but a tower had promised {} version {}",
                                   short_id(id), end.version, channel::party_name(party), promised));
    }
    // What it asked the chain for before its data was lost may be done a while after.
    const auto lost = m_lost_ms.find(channel.of(party));
    if (lost != m_lost_ms.end() && end.challenger == party && end.challenged_at * 1'000 > lost->second + 300'000) {
        m_verdict.fail(fmt::format("channel {}: {} lost data, and challenges with version {}", short_id(id),
                                   channel::party_name(party), end.challenged_version));
    }
}

void Checkers::check_held(const std::string& memo, const Promise& promise) {
    const auto sync = m_sync.find({promise.channel, promise.payer});
    if (sync == m_sync.end() || sync->second == 0 || !is_honest(promise.payer)) return;
    // The chain has the last word.
    if (is_over(promise.channel) || m_chain.state().disputes.contains(promise.channel)) return;
    const auto party = party_of(m_channels.at(promise.channel), promise.payer);
    const std::size_t holders = m_receipts.holders(promise.channel, *party, promise.version);
    if (holders >= sync->second) return;
    m_verdict.fail(fmt::format("payment {}: done in version {}, which {} towers hold and not {}", memo, promise.version,
                               holders, sync->second));
}

}  // namespace hedgerow::sim
