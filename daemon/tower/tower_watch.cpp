#include "daemon/tower/tower_watch.h"

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "daemon/node/tx_service.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::ChannelId;
using channel::Locator;
using channel::NodeId;
using channel::Party;
using channel::Rule;
using channel::U256;

namespace {

constexpr std::uint64_t kLookAgainMs = 15'000;

// At worst, from channel/contract/GAS.md: respond, settle with new payees, and for what fits into the class (a lock
// with its preimage takes some 90 bytes, a position some 200) each lock's part of both and its reveal (33,000 in all),
// each position's part and its price (71,000), and the prices of eight assets (60,000 each).
constexpr std::array<std::uint64_t, 4> kEnforcementGas{2'100'000, 8'000'000, 12'000'000, 12'000'000};
static_assert(kEnforcementGas.size() == kAppointmentClasses.size());

const Locator& locator_for(const DisputeRow& row, Party party) {
    return party == Party::A ? row.locator_a : row.locator_b;
}

}  // namespace

std::uint64_t enforcement_gas(std::size_t appointment_class) {
    return kEnforcementGas.at(appointment_class);
}

std::uint64_t TowerWatcher::Case::end_s() const {
    const auto begin =
        std::find_if(events.rbegin(), events.rend(), [](const RecordedEvent& e) { return e.end_s != 0; });
    return begin == events.rend() ? 0 : begin->end_s;
}

Party TowerWatcher::Case::challenger() const {
    const auto begin =
        std::find_if(events.rbegin(), events.rend(), [](const RecordedEvent& e) { return e.end_s != 0; });
    return begin == events.rend() ? Party::A : begin->challenger;
}

// --- what happens on chain
// -------------------------------------------------------------------------------------------------

void TowerWatcher::resume() {
    for (const DisputeRow& row : engaged_disputes(m_parts.reader)) open_case(row);
}

void TowerWatcher::take(const ChainBatch& batch) {
    for (const ChainInput& input : batch.inputs) {
        if (const auto* pending = std::get_if<EventPending>(&input)) {
            seen(pending->event);
        } else if (const auto* deep = std::get_if<EventConfirmed>(&input)) {
            confirmed(deep->event);
        } else if (const auto* back = std::get_if<EventRolledBack>(&input)) {
            rolled_back(back->event, back->was_confirmed);
        } else if (const auto* block = std::get_if<NewBlock>(&input)) {
            m_parts.height = block->block.number;
            m_parts.chain_time_s = block->block.timestamp;
            if (block->confirmed) m_parts.confirmed_chain_time_s = block->confirmed->timestamp;
        }
    }
    note_sync(batch.synced);
    if (batch.inputs.empty()) return;
    m_parts.outbox.persist([text = write_cursor(batch.cursor)](Database& db) {
        put_meta(db, "chain_cursor", channel::as_bytes(text));
        failpoint("tower.cursor");
    });
}

void TowerWatcher::note_sync(bool synced) {
    const bool caught_up = synced && !m_synced;
    m_synced = synced;
    if (synced) m_synced_ms = m_parts.steady_ms;
    m_ever_synced = m_ever_synced || synced;
    if (!caught_up) return;
    for (auto& [id, open] : m_cases) answer(open);
}

void TowerWatcher::seen(const ChainEvent& event) {
    if (const auto* challenge = std::get_if<wallet::Challenged>(&event.event)) {
        challenged(*challenge, event);
    } else if (const auto* response = std::get_if<wallet::Responded>(&event.event)) {
        responded(*response, event);
    }
}

void TowerWatcher::challenged(const wallet::Challenged& event, const ChainEvent& at) {
    const NodeId& me = m_parts.keys->keyring().identity().node_id();
    const DisputeRow row{event.channel_id, event.secret, channel::locator_of(event.secret, Party::A, me),
                         channel::locator_of(event.secret, Party::B, me)};
    const RecordedEvent recorded{at.block_number, at.log_index, event.end, event.challenger, event.state};
    // Kept for every channel: an appointment may come while the dispute is open.
    m_parts.outbox.persist([row, recorded](Database& db) {
        put_dispute(db, row);
        put_recorded(db, row.channel, recorded);
        failpoint("tower.event");
    });
    const auto known = m_cases.find(row.channel);
    if (known == m_cases.end()) return open_case(row);
    reload(known->second);
}

void TowerWatcher::responded(const wallet::Responded& event, const ChainEvent& at) {
    const RecordedEvent recorded{at.block_number, at.log_index, 0, Party::A, event.state};
    m_parts.outbox.persist([id = event.channel_id, recorded](Database& db) { put_recorded(db, id, recorded); });
    if (const auto known = m_cases.find(event.channel_id); known != m_cases.end()) reload(known->second);
}

void TowerWatcher::confirmed(const ChainEvent& event) {
    if (const auto* closed = std::get_if<wallet::Closed>(&event.event)) return forget(closed->channel_id);
    if (const auto* settled = std::get_if<wallet::Settled>(&event.event)) return forget(settled->channel_id);
}

/// Over, and too deep to come back.
void TowerWatcher::forget(const ChannelId& id) {
    m_parts.outbox.persist([id](Database& db) {
        drop_dispute(db, id);
        failpoint("tower.forget");
    });
    if (m_cases.erase(id) == 0) return;
    LOG_INFO("dispute over", {"channel", id});
    m_enforcer.finished(id);
}

void TowerWatcher::rolled_back(const ChainEvent& event, bool was_confirmed) {
    const auto id = wallet::event_channel(event.event);
    if (!id) return;
    const bool is_end =
        std::holds_alternative<wallet::Settled>(event.event) || std::holds_alternative<wallet::Closed>(event.event);
    if (is_end && was_confirmed) LOG_ERROR("the end of a channel was rolled back", {"channel", *id});
    if (!std::holds_alternative<wallet::Challenged>(event.event) &&
        !std::holds_alternative<wallet::Responded>(event.event))
        return;
    m_parts.outbox.persist([id = *id, block = event.block_number, index = event.log_index](Database& db) {
        delete_recorded(db, id, block, index);
    });
    const auto known = m_cases.find(*id);
    if (known == m_cases.end()) return;
    LOG_WARN("event rolled back", {"event", event_name(event.event)}, {"channel", *id}, {"block", event.block_number});
    reload(known->second);
}

// --- appointments
// ----------------------------------------------------------------------------------------------------------

TowerWatcher::Case* TowerWatcher::find(const ChannelId& id, std::uint64_t number) {
    const auto at = m_cases.find(id);
    return at == m_cases.end() || at->second.number != number ? nullptr : &at->second;
}

/// Read where and when it is written, so that what it gives is in order with every event before and after: the store is
/// the one memory of what the chain has recorded.
void TowerWatcher::reload(Case& open) {
    const auto events = std::make_shared<std::vector<RecordedEvent>>();
    m_parts.outbox.persist([events, id = open.row.channel](Database& db) { *events = recorded_events(db, id); });
    m_parts.outbox.when_durable([this, events, id = open.row.channel, number = open.number] {
        Case* now = find(id, number);
        if (now == nullptr) return;
        failpoint("tower.before_answer");
        now->events = std::move(*events);
        now->looked_height = 0;
        if (now->loaded) return answer(*now);
        // From here on every record that is stored says that it is for this dispute; those before are found now.
        now->loaded = true;
        now->searching = {Party::A, Party::B};
        for (const Party party : {Party::A, Party::B}) search(id, number, party, 0);
    });
}

void TowerWatcher::open_case(const DisputeRow& row) {
    const auto [at, fresh] = m_cases.try_emplace(row.channel);
    if (!fresh) return;
    at->second.row = row;
    at->second.number = ++m_last_case;
    reload(at->second);
}

void TowerWatcher::search(const ChannelId& id, std::uint64_t number, Party party, std::int64_t after) {
    Case* open = find(id, number);
    if (open == nullptr) return;
    const auto page = records_under(m_parts.reader, locator_for(open->row, party), after, kRecordsPerPage);
    for (const HeldRecord& held : page) consider(*open, party, held.version, held.blob);
    if (page.size() == kRecordsPerPage) {
        m_parts.loop.after(0,
                           [this, id, number, party, next = page.back().client] { search(id, number, party, next); });
        return;
    }
    open->searching.erase(party);
    if (open->searching.empty() && !open->best) m_cases.erase(id);
}

void TowerWatcher::on_record(const ChannelId& disputed, const NodeId& client, const Locator& locator) {
    const auto known = m_cases.find(disputed);
    if (known == m_cases.end()) {
        if (const auto row = find_dispute(m_parts.reader, disputed)) open_case(*row);
        return;
    }
    if (!known->second.loaded) return;  // the search is still to come
    const auto record = fetch_appointment(m_parts.reader, client, locator);
    if (!record) return;  // ended meanwhile
    consider(known->second, locator == known->second.row.locator_a ? Party::A : Party::B, record->version,
             record->blob);
}

void TowerWatcher::consider(Case& open, Party party, std::uint64_t version, channel::ByteView blob) {
    const NodeId& me = m_parts.keys->keyring().identity().node_id();
    const auto opened = open_appointment(blob, version, open.row.secret, party, me);
    auto checked = opened ? check_appointment(*opened, open.row.channel, version, m_parts.separator)
                          : channel::Expected<CheckedAppointment, Rule>(channel::Unexpected{opened.error()});
    if (checked) return engage(open, std::move(*checked));
    ++m_malformed;
    LOG_WARN("an appointment cannot be enforced", {"channel", open.row.channel}, {"party", party_name(party)},
             {"version", version}, {"rule", checked.error()});
}

void TowerWatcher::engage(Case& open, CheckedAppointment appointment) {
    open.protects[static_cast<std::size_t>(appointment.party)] = true;
    for (const channel::Preimage& preimage : appointment.preimages)
        open.preimages.emplace(*channel::LockHash::from(channel::keccak256(preimage.view()).view()), preimage);
    if (!open.best || open.best->state.version < appointment.state.version) open.best = std::move(appointment);
    answer(open);
}

// --- what is done about it
// -------------------------------------------------------------------------------------------------

Enforced TowerWatcher::enforced(const Case& open) const {
    Enforced out;
    out.id = open.row.channel;
    out.terms = open.best->terms;
    out.newest = open.best->state;
    out.signatures = {open.best->signature_a, open.best->signature_b};
    out.protects = open.protects;
    out.settle_after_s = m_policy.settle_grace_s;
    out.preimage = [&known = open.preimages](const channel::LockHash& hash) -> std::optional<channel::Preimage> {
        const auto at = known.find(hash);
        if (at == known.end()) return std::nullopt;
        return at->second;
    };
    return out;
}

/// At once, without a look: of everything this must not be late.
void TowerWatcher::answer(Case& open) {
    const RecordedEvent* recorded = open.recorded();
    const std::uint64_t end_s = open.end_s();
    if (!open.best || recorded == nullptr || open.best->state.version <= recorded->state.version) return;
    // While it catches up the time of the chain is not known, and how much of it is left; each look knows.
    if (!m_synced || m_parts.chain_time_s >= end_s) return;
    LOG_WARN("answering a challenge", {"channel", open.row.channel}, {"recorded", recorded->state.version},
             {"ours", open.best->state.version}, {"end", end_s});
    m_enforcer.respond(enforced(open), end_s);
}

void TowerWatcher::tick() {
    std::vector<Case*> due;
    for (auto& [id, open] : m_cases) {
        const bool news = open.looked_height != m_parts.height || m_parts.steady_ms >= open.looked_ms + kLookAgainMs;
        if (!open.looking && news && open.best && open.end_s() != 0) due.push_back(&open);
    }
    // What ends first is looked at first.
    std::sort(due.begin(), due.end(), [](const Case* a, const Case* b) { return a->end_s() < b->end_s(); });
    for (Case* open : due) look(*open);
}

void TowerWatcher::look(Case& open) {
    open.looking = m_parts.questions->post([this, id = open.row.channel, number = open.number, terms = open.best->terms,
                                            state = open.recorded()->state,
                                            to = m_parts.options.adjudicator](wallet::EthClient& client) {
        DisputeLook look = look_at_dispute(client, to, id, terms, state);
        return ChainWorker::Completion([this, id, number, look = std::move(look)] { act(id, number, look); });
    });
    if (!open.looking) return;  // the next tick asks again
    open.looked_height = m_parts.height;
    open.looked_ms = m_parts.steady_ms;
}

void TowerWatcher::act(const ChannelId& id, std::uint64_t number, const DisputeLook& look) {
    Case* found = find(id, number);
    if (found == nullptr) return;
    Case& open = *found;
    open.looking = false;
    const RecordedEvent* recorded = open.recorded();
    if (look.failed) open.looked_height = 0;
    if (look.failed || look.is_final || recorded == nullptr) return;
    if (look.view.end == 0 || look.view.version != recorded->state.version) return;  // an event is on its way
    m_enforcer.act(enforced(open), recorded->state, look);
}

// --- what it can promise
// -----------------------------------------------------------------------------------------------------

Rule TowerWatcher::more(std::size_t blob_bytes) const {
    // Between a block and its being followed it is a moment behind; that is not meant.
    if (!m_ever_synced || m_parts.steady_ms > m_synced_ms + m_policy.behind_after_ms) return Rule::tower_behind;
    const auto balance = m_parts.transactions->uncommitted();
    if (!balance) return Rule::tower_behind;
    const std::size_t size_class = appointment_class(blob_bytes).value_or(kAppointmentClasses.size() - 1);
    return *balance < reserve_for(size_class) ? Rule::tower_cannot_afford : Rule::none;
}

/// For the disputes that are open and `concurrent_disputes` more, each as large as that class. What live transactions
/// may still cost is already taken off the balance that this is compared with.
U256 TowerWatcher::reserve_for(std::size_t size_class) const {
    return U256(enforcement_gas(size_class)) * m_policy.fee_cap * U256(m_policy.concurrent_disputes + m_cases.size());
}

const CheckedAppointment* TowerWatcher::enforcing(const ChannelId& id) const {
    const auto at = m_cases.find(id);
    return at == m_cases.end() || !at->second.best || at->second.events.empty() ? nullptr : &*at->second.best;
}

TowerWatcher::Status TowerWatcher::status() const {
    Status out;
    out.synced = m_synced;
    out.height = m_parts.height;
    out.cases = m_cases.size();
    for (const auto& [id, open] : m_cases) {
        const RecordedEvent* recorded = open.recorded();
        if (recorded != nullptr && open.best && open.best->state.version > recorded->state.version) ++out.answering;
    }
    out.malformed = m_malformed;
    out.reserved = reserve_for(0);
    return out;
}

}  // namespace hedgerow::daemon
