#include "daemon/tower/tower_service.h"

#include "daemon/node/peer_manager.h"
#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::NodeId;
using channel::PeerMessage;
using channel::Rule;

ReceiptMaker TowerService::maker() const {
    const wallet::NodeIdentity& identity = m_parts.keys->keyring().identity();
    ReceiptMaker out;
    out.tower = identity.node_id();
    out.sign = [&identity](channel::ByteView message) { return identity.sign(channel::kReceiptDomain, message); };
    out.now_ms = m_parts.now_ms;
    return out;
}

void TowerService::answer_later(const NodeId& client, std::function<PeerMessage()> make) {
    m_parts.outbox.when_durable([this, client, session = m_parts.peers->session(client), make = std::move(make)] {
        m_parts.peers->send_now(client, session, make());
    });
}

channel::TowerRefuse TowerService::refusal(const channel::Locator& locator, std::uint64_t version, Rule rule) {
    ++m_counts.refused[rule];
    return {locator, version, rule};
}

PeerMessage TowerService::answer(const StoreOutcome& outcome, const NodeId& client, const channel::Locator& locator,
                                 std::uint64_t version, std::uint64_t Counts::*counter) {
    if (outcome.rule != Rule::none) return refusal(locator, version, outcome.rule);
    ++(m_counts.*(outcome.repeated ? &Counts::repeated : counter));
    if (outcome.disputed) m_watch.on_record(*outcome.disputed, client, locator);
    return outcome.receipt;
}

/// Judged where it is stored: what the judgement rests on is then part of the same transaction.
void TowerService::change(const NodeId& client, const channel::Locator& locator, std::uint64_t version,
                          std::size_t bytes, Judge judge, std::uint64_t Counts::*counter) {
    m_in_flight += bytes;
    const auto outcome = std::make_shared<StoreOutcome>();
    m_parts.outbox.persist([outcome, judge = std::move(judge), maker = maker()](Database& db) {
        *outcome = judge(db, maker);
        failpoint("tower.record");
    });
    answer_later(client, [this, outcome, client, locator, version, bytes, counter] {
        m_in_flight -= bytes;
        return answer(*outcome, client, locator, version, counter);
    });
}

void TowerService::on_message(const NodeId& client, const channel::TowerStore& store) {
    const Rule more = m_watch.more(store.blob.size());
    const auto kept = std::make_shared<channel::TowerStore>(store);
    change(
        client, store.locator, store.version, store.blob.size(),
        [kept, client, more, free = m_free](Database& db, const ReceiptMaker& maker) {
            return store_appointment(db, maker, client, *kept, free, more);
        },
        &Counts::stored);
}

void TowerService::on_message(const NodeId& client, const channel::TowerEnd& end) {
    const NodeId& me = m_parts.keys->keyring().identity().node_id();
    if (!wallet::verify_node_signature(client, channel::kTowerEndDomain, channel::tower_end_message(me, end),
                                       end.signature))
        return answer_later(client, [this, end] { return refusal(end.locator, end.version, Rule::bad_signature); });
    change(
        client, end.locator, end.version, sizeof(end),
        [end, client](Database& db, const ReceiptMaker& maker) { return end_appointment(db, maker, client, end); },
        &Counts::ended);
}

void TowerService::on_message(const NodeId& client, const channel::TowerFetch& fetch) {
    // Read once what the client stored before is durable.
    answer_later(client, [this, client, locator = fetch.locator]() -> PeerMessage {
        auto record = fetch_appointment(m_parts.reader, client, locator);
        if (!record) return refusal(locator, 0, record.error());
        ++m_counts.fetched;
        return std::move(*record);
    });
}

void TowerService::on_message(const NodeId& client, const channel::BackupStore& backup) {
    const auto kept = std::make_shared<channel::BackupStore>(backup);
    const auto rule = std::make_shared<Rule>(Rule::none);
    m_in_flight += backup.blob.size();
    m_parts.outbox.persist([kept, rule, client, free = m_free, now_ms = m_parts.now_ms](Database& db) {
        *rule = store_backup(db, client, *kept, free, now_ms);
        failpoint("tower.backup");
    });
    answer_later(client, [this, kept, rule]() -> PeerMessage {
        m_in_flight -= kept->blob.size();
        if (*rule != Rule::none) return refusal(kept->slot, kept->number, *rule);
        ++m_counts.backups;
        return channel::BackupStored{kept->slot, kept->number};
    });
}

void TowerService::fetch_backups(const NodeId& client, const channel::Locator& after,
                                 const channel::BackupItems& others) {
    answer_later(client, [this, client, after, others]() -> PeerMessage {
        ++m_counts.fetched;
        return merge_backups(daemon::fetch_backups(m_parts.reader, client, after), others);
    });
}

void TowerService::send_plan(const NodeId& client) {
    answer_later(client, [this, client]() -> PeerMessage {
        const ClientAccount account = client_account(m_parts.reader, client);
        channel::TowerPlan plan{m_fee.token, m_fee.amount, m_fee.period_s, m_fee.records, account.records, 0, 0};
        plan.granted = account.granted_records.value_or(0);
        plan.until_ms = account.granted_until_ms.value_or(0);
        return plan;
    });
}

channel::BackupItems merge_backups(const channel::BackupItems& a, const channel::BackupItems& b) {
    std::map<channel::Locator, const channel::BackupStore*> newest;
    for (const auto* page : {&a, &b}) {
        for (const channel::BackupStore& item : page->items) {
            const auto [at, fresh] = newest.try_emplace(item.slot, &item);
            if (!fresh && at->second->number < item.number) at->second = &item;
        }
    }
    // Beyond the end of a page that goes on, its keeper may have slots that are not here.
    std::optional<channel::Locator> end;
    for (const auto* page : {&a, &b}) {
        if (page->more && !page->items.empty() && (!end || page->items.back().slot < *end))
            end = page->items.back().slot;
    }
    channel::BackupItems out;
    for (const auto& [slot, item] : newest) {
        out.more = out.items.size() == channel::kMaxBackupsPerMessage || (end && *end < slot);
        if (out.more) return out;
        out.items.push_back(*item);
    }
    out.more = a.more || b.more;
    return out;
}

}  // namespace hedgerow::daemon
