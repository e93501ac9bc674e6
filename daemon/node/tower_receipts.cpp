#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/node/tower_client.h"
#include "daemon/store/failpoint.h"
#include "daemon/tower/appointment.h"
#include "wallet/keys/node_identity.h"

/// What towers answer: receipts are checked, chained and kept; what contradicts one becomes evidence (spec 10.3).
namespace hedgerow::daemon {

using channel::Bytes;
using channel::Channel;
using channel::ChannelId;
using channel::NodeId;
using channel::Rule;
using channel::TowerReceipt;

namespace {

constexpr std::uint64_t kFirstRefusedMs = 5'000;
constexpr std::uint64_t kMostRefusedMs = 600'000;
constexpr std::uint64_t kFirstBehindMs = 1'000;  ///< a tower that has just started soon knows the chain

channel::PeerError invalid_receipt() {
    return channel::PeerError{{}, Rule::tower_receipt_invalid};
}

}  // namespace

bool TowerClient::receipt_is_genuine(const Record& record, const TowerReceipt& receipt) const {
    return receipt.tower == record.tower && receipt.client == m_me && receipt.locator == record.locator &&
           receipt.number > 0 &&
           wallet::verify_node_signature(record.tower, channel::kReceiptDomain, channel::receipt_message(receipt),
                                         receipt.signature);
}

bool TowerClient::follows(const PromiseRow& kept, const TowerReceipt& receipt) {
    if (!kept.receipt || *kept.receipt == receipt) return true;
    return receipt.number == kept.receipt->number + 1 && receipt.previous == channel::receipt_hash(*kept.receipt);
}

void TowerClient::persist(const Record& record, const Bytes& appointment) {
    PromiseRow row = record.kept;
    row.appointment = appointment;
    m_parts.outbox.persist([row = std::move(row)](Database& db) {
        put_promise(db, row);
        failpoint("tower_client.receipt");
    });
}

void TowerClient::keep(Record& record, const TowerReceipt& receipt, const Bytes& appointment) {
    record.kept.receipt = receipt;
    if (receipt.version != 0) {
        record.kept.promise = receipt;
        record.kept.ended_ms.reset();
    } else {
        record.kept.ended_ms = m_parts.now_ms;
    }
    persist(record, appointment);
}

void TowerClient::broken(Record& record, const std::optional<TowerReceipt>& said) {
    ASSERT(record.kept.receipt.has_value());
    EvidenceRow row{record.tower, record.kept.channel, m_parts.now_ms, *record.kept.receipt, said};
    LOG_ERROR("tower receipt broken", {"tower", record.tower}, {"channel", record.kept.channel},
              {"rule", Rule::tower_receipt_broken}, {"version", row.kept.version}, {"said", said ? said->version : 0});
    m_parts.outbox.persist([row = std::move(row)](Database& db) { put_evidence(db, row); });
    if (!record.kept.broken_ms) record.kept.broken_ms = m_parts.now_ms;
    record.kept.receipt = said;  // what follows is checked against the tower's new story
    persist(record);
}

void TowerClient::on_message(const NodeId& peer, const TowerReceipt& receipt) {
    ChannelId id;
    Record* record = find(peer, receipt.locator, id);
    if (record == nullptr || record->phase == Phase::idle) return;  // late: the next TowerFetch brings it again
    if (!receipt_is_genuine(*record, receipt)) {
        LOG_WARN("tower receipt refused", {"tower", peer}, {"channel", id}, {"rule", Rule::tower_receipt_invalid});
        m_host.send(peer, invalid_receipt());
        record->refused = Rule::tower_receipt_invalid;
        record->refused_ms = m_parts.now_ms;
        return failed(*record, kFirstRefusedMs, kMostRefusedMs);
    }
    if (record->phase == Phase::fetching) return;  // not what was asked; TowerRecord is
    const bool as_asked = receipt.version == record->sent_version && receipt.blob_hash == record->sent_hash;
    if (!as_asked || !follows(record->kept, receipt)) {
        // Where it at least promises what was sent, that is better than nothing.
        broken(*record, receipt);
        if (!as_asked) return failed(*record, kFirstRefusedMs, kMostRefusedMs);
    }
    answered(*record);
    record->refused = Rule::none;
    keep(*record, receipt, record->sent_appointment);
    record->sent_appointment.clear();
    m_host.holds_more(id);
    due(id, *record);
    pump(peer);
}

void TowerClient::on_message(const NodeId& peer, const channel::TowerRecord& answer) {
    ChannelId id;
    Record* record = find(peer, answer.locator, id);
    if (record == nullptr || record->phase != Phase::fetching) return;
    const Channel* channel = m_host.channel(id);
    const bool genuine = receipt_is_genuine(*record, answer.receipt) && answer.receipt.version == answer.version &&
                         answer.receipt.blob_hash == channel::keccak256(answer.blob);
    if (!genuine || channel == nullptr) {
        m_host.send(peer, invalid_receipt());
        record->refused = Rule::tower_receipt_invalid;
        record->refused_ms = m_parts.now_ms;
        return failed(*record, kFirstRefusedMs, kMostRefusedMs);
    }
    answered(*record);
    record->fetched = true;
    record->refused = Rule::none;
    take_fetched(*channel, *record, answer);
    m_host.holds_more(id);
    due(id, *record);
    pump(peer);
}

void TowerClient::take_fetched(const Channel& channel, Record& record, const channel::TowerRecord& answer) {
    const auto appointment = open_appointment(answer.blob, answer.version, channel.secret, channel.me, record.tower);
    const TowerReceipt& said = answer.receipt;
    const PromiseRow& kept = record.kept;
    const bool same = kept.receipt && *kept.receipt == said;
    if (!same && kept.receipt) {
        // Numbers further on are of our own doing where our memory was lost (a restored backup): they hold no less.
        const bool further = said.number > kept.receipt->number + 1 && said.version >= kept.receipt->version;
        if (!further && !follows(kept, said)) broken(record, said);
    }
    record.answer = TowerAnswer{record.tower, answer.version, m_parts.now_ms};
    if (!appointment) {  // sealed by nobody who knows the secret, though kept under our name
        LOG_WARN("tower record refused", {"tower", record.tower}, {"channel", channel.id},
                 {"rule", appointment.error()});
        return;
    }
    if (!same) keep(record, said, channel::wire_encode(*appointment));
    if (answer.version <= channel.agreed.state.version) return;
    LOG_WARN("tower has a newer state", {"tower", record.tower}, {"channel", channel.id}, {"version", answer.version},
             {"ours", channel.agreed.state.version});
    m_host.hand_over({appointment->state, channel.id, appointment->signature_a, appointment->signature_b});
}

void TowerClient::on_message(const NodeId& peer, const channel::TowerRefuse& refuse) {
    ChannelId id;
    Record* record = find(peer, refuse.locator, id);
    const Channel* channel = record == nullptr ? nullptr : m_host.channel(id);
    if (channel == nullptr || record->phase == Phase::idle) return;
    if (refuse.rule == Rule::tower_record_unknown && record->phase != Phase::storing) return denied(*channel, *record);
    LOG_WARN("tower refuses", {"tower", peer}, {"channel", id}, {"rule", refuse.rule}, {"version", refuse.version});
    record->refused = refuse.rule;
    record->refused_ms = m_parts.now_ms;
    // One that says it has a newer version is asked for it.
    const bool ask = refuse.rule == Rule::tower_version_old && record->failures == 0;
    const std::uint64_t first_ms = ask ? 1 : refuse.rule == Rule::tower_behind ? kFirstBehindMs : kFirstRefusedMs;
    failed(*record, first_ms, kMostRefusedMs);
    pump(peer);
}

/// "I have nothing": as it should be, or a promise broken.
void TowerClient::denied(const Channel& channel, Record& record) {
    const bool promised = record.kept.promise && !record.kept.ended_ms;
    const bool over = channel.status == channel::Status::closed || !record.assigned;
    const bool in_force = channel.status == channel::Status::open || channel.status == channel::Status::opening ||
                          channel.status == channel::Status::recovering;
    if (promised && !over && !(in_force && m_host.synced())) {
        // It may have seen the end of the channel before us.
        record.refused = Rule::tower_record_unknown;
        record.refused_ms = m_parts.now_ms;
        return failed(record, kFirstRefusedMs, kMostRefusedMs);
    }
    answered(record);
    record.fetched = true;
    record.refused = Rule::none;
    record.answer = TowerAnswer{record.tower, 0, m_parts.now_ms};
    if (promised && over) {
        record.kept.ended_ms = m_parts.now_ms;
        persist(record);
    } else if (promised) {
        broken(record, std::nullopt);
        record.kept.promise.reset();
        persist(record);
    }
    due(channel.id, record);
    pump(record.tower);
}

void TowerClient::on_message(const NodeId& peer, const channel::TowerPlan& plan) {
    const auto tower = m_towers.find(peer);
    if (tower == m_towers.end()) return;
    const bool sane = plan.fee.sign() >= 0 && plan.fee.within_bits(channel::kMarketBits);
    if (!sane) return m_host.send(peer, channel::PeerError{{}, Rule::field_out_of_range});
    // What a subscription refused may be taken now.
    const bool more = tower->second.plan &&
                      (tower->second.plan->until_ms < plan.until_ms || tower->second.plan->granted < plan.granted);
    tower->second.plan = plan;
    if (!more) return;
    for (auto& [id, towers] : m_channels) {
        for (Record& record : towers.records) {
            if (record.tower != peer || record.refused == Rule::none) continue;
            record.next_ms = 0;
            due(id, record);
        }
    }
    pump(peer);
}

}  // namespace hedgerow::daemon
