#include "tests/sim/receipts.h"

#include <fmt/format.h>

#include "tests/sim/checkers.h"

namespace hedgerow::sim {

using channel::TowerReceipt;

void Receipts::know(const ChannelId& id, const channel::Secret& secret) {
    for (const NodeId& tower : m_towers) {
        for (const Party party : {Party::A, Party::B})
            m_whose[{tower, channel::locator_of(secret, party, tower)}] = {id, party};
    }
}

void Receipts::on_frame(const NodeId& tower, const NodeId& client, const channel::PeerMessage& message,
                        std::uint64_t now_ms, const std::function<bool(const ChannelId&)>& is_over) {
    if (const auto* receipt = std::get_if<TowerReceipt>(&message)) return saw(tower, client, *receipt, now_ms);
    if (const auto* record = std::get_if<channel::TowerRecord>(&message)) {
        if (record->receipt.version != record->version) m_verdict.fail("a tower's record is not the one of its receipt");
        return saw(tower, client, record->receipt, now_ms);
    }
    if (const auto* refuse = std::get_if<channel::TowerRefuse>(&message)) denies(tower, *refuse, is_over);
}

void Receipts::saw(const NodeId& tower, const NodeId& client, const TowerReceipt& receipt, std::uint64_t now_ms) {
    const auto whose = m_whose.find({tower, receipt.locator});
    if (whose == m_whose.end() || receipt.tower != tower || receipt.client != client)
        return m_verdict.fail("a tower's receipt is for nobody that could have asked");
    const auto& [channel, party] = whose->second;
    const std::string what =
        fmt::format("channel {}: the tower of {}", channel::to_hex(channel).substr(0, 10), channel::party_name(party));
    auto& given = m_given[{tower, channel, party}];
    if (const auto known = given.find(receipt.number); known != given.end()) {
        // Repeated, or late; another under the same number is a contradiction.
        if (known->second.receipt == receipt) return;
        return m_verdict.fail(fmt::format("{} gave two receipts of number {}: versions {} and {}", what, receipt.number,
                                          known->second.receipt.version, receipt.version));
    }
    if (!given.empty()) check_next(what, given.rbegin()->second, receipt);
    given[receipt.number] = {now_ms, receipt};
    ++m_count;
}

/// One that the tower stored may never have been sent; what follows is newer in number and version all the same.
void Receipts::check_next(const std::string& what, const Given& last, const TowerReceipt& receipt) {
    const TowerReceipt& before = last.receipt;
    if (receipt.number < before.number)
        return m_verdict.fail(fmt::format("{} went back from receipt {} to {}", what, before.number, receipt.number));
    if (receipt.number == before.number + 1 && receipt.previous != channel::receipt_hash(before))
        return m_verdict.fail(fmt::format("{} does not name receipt {} in the one after it", what, before.number));
    if (receipt.version != 0 && receipt.version < before.version)
        m_verdict.fail(fmt::format("{} replaced version {} by {}", what, before.version, receipt.version));
}

void Receipts::denies(const NodeId& tower, const channel::TowerRefuse& refuse,
                      const std::function<bool(const ChannelId&)>& is_over) {
    if (refuse.rule != channel::Rule::tower_record_unknown) return;
    const auto whose = m_whose.find({tower, refuse.locator});
    if (whose == m_whose.end()) return;
    const auto& [channel, party] = whose->second;
    const std::uint64_t promised = promised_by(tower, channel, party);
    if (promised == 0 || is_over(channel)) return;
    m_verdict.fail(fmt::format("channel {}: the tower of {} promised version {}, and knows nothing of it",
                               channel::to_hex(channel).substr(0, 10), channel::party_name(party), promised));
}

std::uint64_t Receipts::promised(const ChannelId& id, Party party, std::uint64_t before_ms) const {
    std::uint64_t out = 0;
    for (const NodeId& tower : m_towers) {
        const auto given = m_given.find({tower, id, party});
        if (given == m_given.end() || m_dead.contains(tower)) continue;
        for (const auto& [number, one] : given->second) {
            if (one.at_ms < before_ms) out = std::max(out, one.receipt.version);
        }
    }
    return out;
}

std::uint64_t Receipts::promised_by(const NodeId& tower, const ChannelId& id, Party party) const {
    const auto given = m_given.find({tower, id, party});
    return given == m_given.end() || given->second.empty() ? 0 : given->second.rbegin()->second.receipt.version;
}

std::size_t Receipts::holders(const ChannelId& id, Party party, std::uint64_t version) const {
    return static_cast<std::size_t>(std::count_if(m_towers.begin(), m_towers.end(), [&](const NodeId& tower) {
        return promised_by(tower, id, party) >= version;
    }));
}

}  // namespace hedgerow::sim
