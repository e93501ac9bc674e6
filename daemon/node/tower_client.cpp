#include "daemon/node/tower_client.h"

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/net/peer_uri.h"
#include "daemon/store/channel_store.h"
#include "daemon/tower/appointment.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::Channel;
using channel::ChannelId;
using channel::NodeId;
using channel::Party;
using channel::Rule;
using channel::Unexpected;
using rpc::NodeError;

namespace {

constexpr std::uint64_t kMostSilentMs = 60'000;  ///< between two tries at a tower that does not answer

bool pays(const channel::Lock& lock, Party party) {
    return party == Party::B ? lock.amount.sign() > 0 : lock.amount.sign() < 0;
}

template <typename T>
bool contains(const T& list, const NodeId& id) {
    return std::find(list.begin(), list.end(), id) != list.end();
}

}  // namespace

std::optional<channel::Appointment> appointment_of(const Channel& channel,
                                                   const std::vector<channel::Preimage>& preimages) {
    const channel::SignedState& agreed = channel.agreed;
    if (agreed.state.version == 0) return std::nullopt;
    const Bytes state = channel::wire_encode(agreed.state);
    channel::Appointment out;
    if (state.size() > decltype(out.state)::kMax) return std::nullopt;
    out.terms = channel.terms;
    out.secret = channel.secret;
    out.party = channel.me;
    out.state = decltype(out.state)(ByteView(state));
    const channel::BothSignatures signatures = channel::enforceable_signatures(channel);
    out.signature_a = signatures.a;
    out.signature_b = signatures.b;
    out.preimages.assign(preimages.begin(), preimages.end());
    return out;
}

TowerClient::TowerClient(NodeParts& parts, Host& host, const NodeId& me) : m_parts(parts), m_host(host), m_me(me) {}

// --- what is known
// ------------------------------------------------------------------------------------------------

void TowerClient::restore(const std::vector<std::string>& configured, std::uint8_t default_sync) {
    m_default_sync = default_sync;
    for (TowerRow& row : all_towers(m_parts.reader)) m_towers[row.id].uri = std::move(row.uri);
    for (auto& [id, policy] : all_tower_policies(m_parts.reader)) m_channels[id].policy = std::move(policy);
    for (const std::string& uri : configured) {
        const auto parsed = parse_peer_uri(uri);
        if (!parsed || parsed->node_id == m_me || m_towers.size() >= kMaxTowers) {
            LOG_WARN("configured tower left out", {"uri", uri});
            continue;
        }
        if (m_towers[parsed->node_id].uri == uri) continue;
        m_towers[parsed->node_id].uri = uri;
        m_parts.outbox.persist(
            [row = TowerRow{parsed->node_id, uri}, now = m_parts.now_ms](Database& db) { put_tower(db, row, now); });
    }
    std::map<ChannelId, std::vector<PromiseRow>> promises;
    for (PromiseRow& row : all_promises(m_parts.reader)) promises[row.channel].push_back(std::move(row));
    // Without towers there is nothing to know of a channel but its policy.
    const std::vector<const Channel*> channels = m_towers.empty() ? std::vector<const Channel*>() : m_host.channels();
    for (const Channel* channel : channels) {
        ChannelTowers& towers = m_channels[channel->id];
        for (PromiseRow& row : promises[channel->id]) {
            if (!m_towers.contains(row.tower)) continue;
            const NodeId tower = row.tower;
            add_record(*channel, towers, tower).kept = std::move(row);
        }
        assign(*channel, towers);
    }
    note_sync();
}

TowerClient::Record& TowerClient::add_record(const Channel& channel, ChannelTowers& towers, const NodeId& tower) {
    Record record;
    record.tower = tower;
    record.locator = channel::locator_of(channel.secret, channel.me, tower);
    record.kept.channel = channel.id;
    record.kept.tower = tower;
    m_by_locator[{tower, record.locator}] = channel.id;
    towers.records.push_back(std::move(record));
    return towers.records.back();
}

/// The records that the policy asks for; others that a tower has a promise in are to be ended.
void TowerClient::assign(const Channel& channel, ChannelTowers& towers) {
    const bool over = channel.status == channel::Status::closed;
    const auto wanted = [&](const NodeId& tower) {
        if (tower == channel.peer) return false;  // it would be asked to act against itself
        return !towers.policy || !towers.policy->towers || contains(*towers.policy->towers, tower);
    };
    for (Record& record : towers.records) record.assigned = wanted(record.tower);
    for (const auto& [id, tower] : m_towers) {
        const bool known =
            std::any_of(towers.records.begin(), towers.records.end(), [&](const Record& r) { return r.tower == id; });
        if (!known && !over && wanted(id)) add_record(channel, towers, id);
    }
    for (const Record& record : towers.records) due(channel.id, record);
}

void TowerClient::assign_all() {
    for (const Channel* channel : m_host.channels()) assign(*channel, m_channels[channel->id]);
    note_sync();
}

std::uint8_t TowerClient::sync_of(const ChannelTowers& towers) const {
    return towers.policy ? towers.policy->sync : m_default_sync;
}

void TowerClient::note_sync() {
    m_any_sync = m_default_sync != 0 || std::any_of(m_channels.begin(), m_channels.end(), [](const auto& c) {
                     return c.second.policy && c.second.policy->sync != 0;
                 });
}

TowerClient::ChannelTowers& TowerClient::towers_for(const Channel& channel) {
    const auto it = m_channels.find(channel.id);
    if (it != m_channels.end() && (!it->second.records.empty() || m_towers.empty())) return it->second;
    ChannelTowers& fresh = m_channels[channel.id];
    assign(channel, fresh);
    return fresh;
}

TowerClient::Record* TowerClient::find(const ChannelId& id, const NodeId& tower) {
    return const_cast<Record*>(std::as_const(*this).find(id, tower));
}

const TowerClient::Record* TowerClient::find(const ChannelId& id, const NodeId& tower) const {
    const auto towers = m_channels.find(id);
    if (towers == m_channels.end()) return nullptr;
    const auto& records = towers->second.records;
    const auto it = std::find_if(records.begin(), records.end(), [&](const Record& r) { return r.tower == tower; });
    return it == records.end() ? nullptr : &*it;
}

TowerClient::Record* TowerClient::find(const NodeId& tower, const channel::Locator& locator, ChannelId& id) {
    const auto it = m_by_locator.find({tower, locator});
    if (it == m_by_locator.end()) return nullptr;
    id = it->second;
    return find(id, tower);
}

// --- for its owner
// ------------------------------------------------------------------------------------------------

void TowerClient::add(const std::string& uri, Answer<TowerInfo> done) {
    const auto parsed = parse_peer_uri(uri);
    if (!parsed) return done(refused(parsed.error()));
    const NodeId id = parsed->node_id;
    if (id == m_me) return done(refused(Rule::peer_is_self));
    if (!m_towers.contains(id) && m_towers.size() >= kMaxTowers) return done(refused(Rule::tower_limit));
    m_towers[id].uri = uri;
    m_parts.outbox.persist([row = TowerRow{id, uri}, now = m_parts.now_ms](Database& db) { put_tower(db, row, now); });
    assign_all();
    if (m_host.ready(id)) m_host.send(id, channel::TowerPlanAsk{});
    m_host.dial(uri, [this, id, done = std::move(done)](const Result<PeerInfo>& connected) {
        if (!connected) return done(Unexpected{connected.error()});
        const auto tower = m_towers.find(id);
        if (tower == m_towers.end()) return done(refused(Rule::tower_unknown));  // removed meanwhile
        done(info(id, tower->second));
    });
}

Result<void> TowerClient::remove(const NodeId& tower) {
    if (!m_towers.contains(tower)) return refused(Rule::tower_unknown);
    for (const Channel* channel : m_host.channels()) {
        const auto it = m_channels.find(channel->id);
        if (it == m_channels.end() || channel->status == channel::Status::closed) continue;
        const auto left = std::count_if(it->second.records.begin(), it->second.records.end(),
                                        [&](const Record& r) { return r.assigned && r.tower != tower; });
        if (left < sync_of(it->second)) return Unexpected{rpc::from_node_error(NodeError::tower_in_use)};
    }
    m_towers.erase(tower);
    for (auto& [id, towers] : m_channels) {
        std::erase_if(towers.records, [&](const Record& record) {
            if (record.tower != tower) return false;
            m_by_locator.erase({tower, record.locator});
            return true;
        });
    }
    m_parts.outbox.persist([tower](Database& db) { delete_tower(db, tower); });
    return {};
}

TowerInfo TowerClient::info(const NodeId& id, const Tower& tower) const {
    TowerInfo out{id, tower.uri, m_host.ready(id), tower.plan, {}};
    for (const Channel* channel : m_host.channels()) {
        const Record* record = find(channel->id, id);
        if (record == nullptr || (!record->assigned && !record->kept.promise)) continue;
        out.channels.push_back({channel->id, channel->agreed.state.version, record->kept.promise, record->refused,
                                record->refused_ms, record->kept.broken_ms.has_value(),
                                record->kept.ended_ms.has_value()});
    }
    return out;
}

std::vector<TowerInfo> TowerClient::list() const {
    std::vector<TowerInfo> out;
    for (const auto& [id, tower] : m_towers) out.push_back(info(id, tower));
    return out;
}

std::vector<std::string> TowerClient::uris() const {
    std::vector<std::string> out;
    for (const auto& [id, tower] : m_towers) out.push_back(tower.uri);
    return out;
}

TowerPolicy TowerClient::policy(const ChannelId& id) const {
    const auto it = m_channels.find(id);
    if (it != m_channels.end() && it->second.policy) return *it->second.policy;
    return {std::nullopt, m_default_sync};
}

Result<void> TowerClient::check_policy(const NodeId& peer, const TowerPolicy& policy) const {
    std::size_t usable = m_towers.size() - m_towers.count(peer);
    if (policy.towers) {
        std::set<NodeId> named;
        for (const NodeId& tower : *policy.towers) {
            if (!m_towers.contains(tower)) return refused(Rule::tower_unknown);
            if (tower == peer) return Unexpected{rpc::from_node_error(NodeError::tower_is_peer)};
            if (!named.insert(tower).second) return refused(Rule::tower_exists);
        }
        usable = named.size();
    }
    if (policy.sync > usable) return refused(Rule::field_out_of_range);
    return {};
}

Result<void> TowerClient::set_policy(const ChannelId& id, const TowerPolicy& policy) {
    const Channel* channel = m_host.channel(id);
    if (channel == nullptr) return refused(Rule::channel_unknown);
    if (const auto fits = check_policy(channel->peer, policy); !fits) return fits;
    m_channels[id].policy = policy;
    m_parts.outbox.persist([id, policy](Database& db) { put_tower_policy(db, id, policy); });
    assign(*channel, m_channels[id]);
    note_sync();
    m_host.holds_more(id);  // fewer may be waited for than before
    for (const auto& [tower, state] : m_towers) pump(tower);
    return {};
}

std::vector<NodeId> TowerClient::towers_of(const ChannelId& id) const {
    std::vector<NodeId> out;
    const auto it = m_channels.find(id);
    if (it == m_channels.end()) return out;
    for (const Record& record : it->second.records) {
        if (record.assigned) out.push_back(record.tower);
    }
    return out;
}

std::vector<TowerAnswer> TowerClient::answers(const ChannelId& id) const {
    std::vector<TowerAnswer> out;
    const auto it = m_channels.find(id);
    if (it == m_channels.end()) return out;
    for (const Record& record : it->second.records) {
        if (record.answer) out.push_back(*record.answer);
    }
    return out;
}

bool TowerClient::unanswered(const ChannelId& id) const {
    const auto it = m_channels.find(id);
    if (it == m_channels.end()) return false;
    return std::any_of(it->second.records.begin(), it->second.records.end(),
                       [](const Record& r) { return r.assigned && !r.answer; });
}

Result<TowerProof> TowerClient::proof(const ChannelId& id, const NodeId& tower) const {
    if (!m_towers.contains(tower)) return refused(Rule::tower_unknown);
    auto row = find_promise(m_parts.reader, id, tower);
    if (!row || !row->promise) return refused(Rule::tower_record_unknown);
    return TowerProof{std::move(*row), evidence_against(m_parts.reader, tower, id)};
}

// --- what is to be done
// -------------------------------------------------------------------------------------------

bool TowerClient::head_stored(const Channel& channel) {
    if (m_towers.empty()) return false;
    ChannelTowers& towers = towers_for(channel);
    for (Record& record : towers.records) {
        if (record.phase != Phase::idle) continue;  // its answer asks for the newest then
        due(channel.id, record);
        pump(record.tower);
    }
    return !towers.records.empty();
}

bool TowerClient::holds(const ChannelId& id, std::uint64_t version) const {
    const auto it = m_channels.find(id);
    const std::uint8_t sync = it == m_channels.end() ? m_default_sync : sync_of(it->second);
    if (sync == 0) return true;
    if (it == m_channels.end()) return false;
    // A tower that has contradicted itself protects nobody that relies on it.
    const auto held = std::count_if(it->second.records.begin(), it->second.records.end(), [&](const Record& r) {
        return r.assigned && !r.kept.broken_ms && !r.kept.ended_ms && r.kept.promise &&
               r.kept.promise->version >= version;
    });
    return held >= sync;
}

void TowerClient::on_ready(const NodeId& peer) {
    const auto tower = m_towers.find(peer);
    if (tower == m_towers.end()) return;
    tower->second.outstanding = 0;
    m_host.send(peer, channel::TowerPlanAsk{});
    for (auto& [id, towers] : m_channels) {
        for (Record& record : towers.records) {
            if (record.tower != peer) continue;
            record.phase = Phase::idle;
            record.fetched = false;
            record.may_have_more = true;
            record.failures = 0;
            record.next_ms = 0;
            due(id, record);
        }
    }
    pump(peer);
}

void TowerClient::on_lost(const NodeId& peer) {
    const auto tower = m_towers.find(peer);
    if (tower == m_towers.end()) return;
    tower->second.outstanding = 0;
    tower->second.due.clear();  // on_ready looks at everything
    for (auto& [id, towers] : m_channels) {
        for (Record& record : towers.records) {
            if (record.tower == peer) record.phase = Phase::idle;
        }
    }
}

void TowerClient::due(const ChannelId& id, const Record& record) {
    const auto tower = m_towers.find(record.tower);
    if (tower != m_towers.end() && m_host.ready(record.tower)) tower->second.due.insert(id);
}

void TowerClient::pump(const NodeId& id) {
    const auto it = m_towers.find(id);
    if (it == m_towers.end()) return;
    Tower& tower = it->second;
    std::uint64_t next_ms = ~std::uint64_t{0};
    const std::vector<ChannelId> due(tower.due.begin(), tower.due.end());
    for (const ChannelId& channel_id : due) {
        if (tower.outstanding >= kMaxOutstanding) return;  // each answer pumps again
        const Channel* channel = m_host.channel(channel_id);
        Record* record = find(channel_id, id);
        if (channel == nullptr || record == nullptr || act(*channel, tower, *record)) {
            tower.due.erase(channel_id);
        } else {
            next_ms = std::min(next_ms, std::max(record->next_ms, m_parts.steady_ms + 1));
        }
    }
    if (next_ms != ~std::uint64_t{0}) pump_after(id, next_ms - m_parts.steady_ms);
}

void TowerClient::pump_after(const NodeId& tower, std::uint64_t delay_ms) {
    const std::uint64_t at_ms = m_parts.steady_ms + std::min<std::uint64_t>(delay_ms, 1'000);  // tick() does the rest
    const auto [timer, fresh] = m_timers.emplace(tower, at_ms);
    if (!fresh && timer->second <= at_ms) return;
    timer->second = at_ms;
    m_parts.loop.after(at_ms - m_parts.steady_ms, [this, tower, at_ms] {
        const auto now = m_timers.find(tower);
        if (now == m_timers.end() || now->second != at_ms) return;  // an earlier one was set since
        m_timers.erase(now);
        pump(tower);
    });
}

bool TowerClient::act(const Channel& channel, Tower& tower, Record& record) {
    if (record.phase != Phase::idle) return true;
    const bool over = channel.status == channel::Status::closed || !record.assigned;
    const bool nothing_held = !record.kept.promise || record.kept.ended_ms;
    if (over && nothing_held) return true;
    if (channel.agreed.state.version == 0 && nothing_held && channel.status != channel::Status::recovering) return true;
    if (m_parts.steady_ms < record.next_ms) return false;
    if (!record.fetched) {
        fetch(record);
    } else if (over) {
        end(record);
    } else {
        const auto towers = m_channels.find(channel.id);
        const bool waited_for = sync_of(towers->second) != 0;
        if (!waited_for && tower.paced_to_ms > m_parts.steady_ms + kPaceMs) {
            record.next_ms = tower.paced_to_ms - kPaceMs;
            return false;
        }
        store(channel, tower, record);
        if (record.phase == Phase::storing && !waited_for) record.next_ms = m_parts.steady_ms + kPaceMs;
    }
    return true;
}

void TowerClient::began(Record& record, Phase phase) {
    record.phase = phase;
    record.sent_ms = m_parts.steady_ms;
    ++m_towers.at(record.tower).outstanding;
}

void TowerClient::answered(Record& record) {
    record.phase = Phase::idle;
    record.failures = 0;
    Tower& tower = m_towers.at(record.tower);
    if (tower.outstanding > 0) --tower.outstanding;
}

void TowerClient::failed(Record& record, std::uint64_t first_ms, std::uint64_t most_ms) {
    const unsigned failures = record.failures;
    answered(record);
    record.failures = std::min(failures + 1, 20U);
    record.fetched = false;  // what became of the last request is not known
    record.next_ms = m_parts.steady_ms + std::min(first_ms << failures, most_ms);
    due(record.kept.channel, record);
}

void TowerClient::fetch(Record& record) {
    began(record, Phase::fetching);
    m_host.send(record.tower, channel::TowerFetch{record.locator});
}

std::vector<channel::Preimage> TowerClient::preimages_for(const Channel& channel, Record& record) const {
    std::vector<channel::Preimage> out;
    record.lacking.clear();
    for (const channel::LockEntry& entry : channel.agreed.state.locks) {
        if (!pays(entry.lock, channel.me)) continue;
        if (const auto preimage = find_preimage(m_parts.reader, entry.lock.hash)) {
            out.push_back(*preimage);
        } else {
            record.lacking.push_back(entry.lock.hash);
        }
    }
    return out;
}

void TowerClient::store(const Channel& channel, Tower& tower, Record& record) {
    const std::uint64_t version = channel.agreed.state.version;
    const std::uint64_t held = record.kept.receipt ? record.kept.receipt->version : 0;
    if (version == 0 || version < held || (version == held && !record.may_have_more)) return;
    const auto appointment = appointment_of(channel, preimages_for(channel, record));
    if (!appointment) {
        record.refused = Rule::frame_too_large;
        record.refused_ms = m_parts.now_ms;
        return;
    }
    channel::TowerStore message{record.locator, version, {}};
    const Bytes blob = seal_appointment(*appointment, record.tower, version);
    message.blob.assign(blob.begin(), blob.end());
    record.may_have_more = false;
    record.sent_hash = channel::keccak256(blob);
    if (version == held && record.sent_hash == record.kept.receipt->blob_hash) return;
    record.sent_version = version;
    record.sent_appointment = channel::wire_encode(*appointment);
    tower.paced_to_ms = std::max(tower.paced_to_ms, m_parts.steady_ms) + kTowerPaceMs;
    began(record, Phase::storing);
    m_host.send(record.tower, message);
}

void TowerClient::end(Record& record) {
    channel::TowerEnd message{record.locator, record.kept.promise->version, {}};
    message.signature = m_host.sign(channel::kTowerEndDomain, channel::tower_end_message(record.tower, message));
    record.sent_version = 0;
    record.sent_hash = {};
    record.sent_appointment.clear();
    began(record, Phase::ending);
    m_host.send(record.tower, message);
}

void TowerClient::tick() {
    for (auto& [id, towers] : m_channels) {
        for (Record& record : towers.records) {
            if (record.phase != Phase::idle && m_parts.steady_ms >= record.sent_ms + kAnswerTimeoutMs) {
                LOG_WARN("tower does not answer", {"tower", record.tower}, {"channel", id});
                record.refused = Rule::timeout;
                record.refused_ms = m_parts.now_ms;
                failed(record, 1'000, kMostSilentMs);
            }
            const bool learned = std::any_of(record.lacking.begin(), record.lacking.end(), [&](const auto& hash) {
                return find_preimage(m_parts.reader, hash).has_value();
            });
            if (!learned) continue;
            record.lacking.clear();
            record.may_have_more = true;
            due(id, record);
        }
    }
    for (const auto& [id, tower] : m_towers) pump(id);
}

}  // namespace hedgerow::daemon
