#include "daemon/node/local_ops.h"

#include "channel/crypto/keccak.h"
#include "daemon/node/channel_manager.h"
#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::ChannelId;
using channel::LocalId;
using channel::Rule;

namespace {

constexpr const char* kKind = "op";
constexpr std::uint64_t kUnseenMs = 20'000;  ///< before somebody who asks of the past is told that it is not known yet

/// Of what was asked for. A lock's expiry is counted from the moment of asking, and no part of it: whoever asks again
/// names a later one.
channel::Hash request_hash(const ChannelId& id, const channel::Op& op) {
    if (const auto* asked = std::get_if<channel::LockOp>(&op)) {
        channel::LockOp lock = *asked;
        lock.lock.expiry = 0;
        return channel::keccak256({id.view(), channel::wire_encode(channel::Op(lock))});
    }
    return channel::keccak256({id.view(), channel::wire_encode(op)});
}

void answer_all(std::vector<Answer<OpDone>>& answers, const Result<OpDone>& result) {
    for (const Answer<OpDone>& done : answers) {
        if (done) done(result);
    }
    answers.clear();
}

/// Both have signed it, which towers that are waited for do not know yet.
channel::Unexpected<Fault> unconfirmed() {
    Fault fault = rpc::from_node_error(rpc::NodeError::tower_unconfirmed);
    fault.outcome = rpc::Outcome::unknown;
    return channel::Unexpected{std::move(fault)};
}

channel::Unexpected<Fault> unseen() {
    Fault fault = rpc::from_node_error(rpc::NodeError::chain_not_synced);
    fault.outcome = rpc::Outcome::unknown;
    return channel::Unexpected{std::move(fault)};
}

OpDone done_of(const ClientRefRow& row) {
    OpDone out;
    out.channel = row.channel.value_or(ChannelId());
    out.version = row.version.value_or(0);
    out.index = static_cast<std::uint16_t>(row.op.value_or(0));
    out.timestamp_ms = channel::wire_decode<std::uint64_t>(row.result).value_or(0);
    return out;
}

}  // namespace

void LocalOps::restore() {
    for (ClientRefRow& row : pending_client_refs(m_parts.reader)) {
        if (row.kind != kKind || !row.channel) continue;
        const ChannelId id = *row.channel;
        m_unresolved.emplace(id, Unresolved{std::move(row), {}});
    }
}

bool LocalOps::answered_before(const ClientRef& ref, const ChannelId& id, const channel::Op& op, Answer<OpDone>& done) {
    const channel::Hash request = request_hash(id, op);
    const auto reused = [&] {
        done(daemon::refused(Rule::client_ref_reused));
        return true;
    };
    if (const auto live = m_by_ref.find(ref); live != m_by_ref.end()) {
        Named& named = *m_waiting.at(live->second).named;
        if (named.request != request) return reused();
        named.others.push_back(std::move(done));
        return true;
    }
    if (const auto agreed = m_agreed.find(ref); agreed != m_agreed.end()) {
        if (agreed->second->request != request) return reused();
        if (agreed->second->late)
            done(unconfirmed());
        else
            agreed->second->done.push_back(std::move(done));
        return true;
    }
    for (auto& [channel_id, unresolved] : m_unresolved) {
        if (unresolved.row.ref != ref) continue;
        if (unresolved.row.request != request) return reused();
        unresolved.done.push_back(std::move(done));
        return true;
    }
    const auto row = m_parts.refs.find(ref);
    if (!row) return false;
    if (row->kind != kKind || row->request != request) return reused();
    if (row->outcome != RefOutcome::done) return false;  // it was not done: it may be tried again
    if (m_parts.chain_seen)
        answer_agreed(ref, request, {std::move(done)}, done_of(*row));
    else if (m_past.size() < kMaxWaiting)
        m_past.push_back({*row, std::move(done), m_parts.steady_ms});
    else
        done(unseen());
    return true;
}

void LocalOps::tick() {
    m_parts.refs.tick();
    std::vector<Past> past = std::exchange(m_past, {});
    for (Past& one : past) {
        if (m_parts.chain_seen)
            answer_agreed(one.row.ref, one.row.request, {std::move(one.done)}, done_of(one.row));
        else if (m_parts.steady_ms - one.since_ms >= kUnseenMs)
            one.done(unseen());
        else
            m_past.push_back(std::move(one));
    }
}

LocalId LocalOps::begin(const ChannelId& id, const channel::Op& op, const ClientRef& ref, Answer<OpDone> done) {
    Waiting waiting;
    waiting.done = std::move(done);
    if (!ref.empty()) {
        waiting.named = std::make_unique<Named>(Named{id, ref, request_hash(id, op), m_parts.now_ms, {}});
        m_by_ref[ref] = m_next;
    }
    m_waiting.emplace(m_next, std::move(waiting));
    return m_next++;
}

LocalId LocalOps::begin(std::function<void(Rule)> refused) {
    Waiting waiting;
    waiting.refused = std::move(refused);
    m_waiting.emplace(m_next, std::move(waiting));
    return m_next++;
}

void LocalOps::store(const ClientRefRow& row) {
    m_parts.refs.put(row);
}

LocalId LocalOps::begin(SinkId sink, std::size_t count) {
    const LocalId first = (LocalId{sink} << 48) + m_next;
    m_next += count;
    m_sunk += count;
    return first;
}

SinkId LocalOps::add_sink(OpSink& sink) {
    m_sinks.push_back(&sink);
    return static_cast<SinkId>(m_sinks.size());
}

ClientRefRow LocalOps::row_of(const Named& named, RefOutcome outcome) const {
    ClientRefRow row;
    row.ref = named.ref;
    row.kind = kKind;
    row.request = named.request;
    row.outcome = outcome;
    row.channel = named.channel;
    row.created_ms = named.created_ms;
    return row;
}

void LocalOps::accepted(const channel::Channel&, const channel::OpsAccepted& ops) {
    if (m_by_ref.empty()) return;
    for (std::size_t i = 0; i < ops.local_ids.size(); ++i) {
        const auto it = ops.local_ids[i] == 0 ? m_waiting.end() : m_waiting.find(ops.local_ids[i]);
        if (it == m_waiting.end() || !it->second.named) continue;
        ClientRefRow row = row_of(*it->second.named, RefOutcome::pending);
        row.version = ops.version;
        row.op = i;
        store(row);
    }
}

void LocalOps::agreed(const channel::Channel& channel, const channel::OpsAgreed& ops) {
    std::vector<SinkId> sinks;
    std::vector<Told> told;
    for (std::size_t i = 0; i < ops.local_ids.size(); ++i) {
        const LocalId id = ops.local_ids[i];
        if (const SinkId sink = sink_of(id); sink != 0) {
            --m_sunk;
            if (std::find(sinks.begin(), sinks.end(), sink) == sinks.end()) sinks.push_back(sink);
        } else if (id != 0 || !m_unresolved.empty()) {
            take_agreed(channel, {id, ops.version, static_cast<std::uint16_t>(i), ops.timestamp_ms, ops.ops[i]}, told);
        }
    }
    if (!told.empty()) report({channel.id, ops.version, 0, ops.timestamp_ms}, std::move(told));
    for (const SinkId sink : sinks) {
        m_sinks[sink - 1]->on_held(channel, ops);
        m_parts.channels->report(
            channel.id, ops.version, [this, sink, &channel, ops] { m_sinks[sink - 1]->on_agreed(channel, ops); }, {});
    }
}

/// Adds who waits for that op; what a reference says of it is stored with this turn.
void LocalOps::take_agreed(const channel::Channel& channel, const channel::OpAgreed& op, std::vector<Told>& told) {
    if (op.local_id == 0) return agreed_unresolved(channel, op);
    const auto it = m_waiting.find(op.local_id);
    if (it == m_waiting.end()) return;
    Waiting waiting = std::move(it->second);
    m_waiting.erase(it);
    if (!waiting.named) {
        if (waiting.done) told.push_back({op.index, std::move(waiting.done), nullptr});
        return;
    }
    Named& named = *waiting.named;
    ClientRefRow row = row_of(named, RefOutcome::done);
    row.version = op.version;
    row.op = op.index;
    row.result = channel::wire_encode(op.timestamp_ms);
    store(row);
    m_by_ref.erase(named.ref);
    named.others.insert(named.others.begin(), std::move(waiting.done));
    auto whole = std::make_shared<Agreed>(Agreed{std::move(named.ref), named.request, std::move(named.others)});
    told.push_back({op.index, nullptr, std::move(whole)});
}

void LocalOps::answer_agreed(const ClientRef& ref, const channel::Hash& request, std::vector<Answer<OpDone>> done,
                             const OpDone& result) {
    std::vector<Told> told;
    told.push_back({result.index, nullptr, std::make_shared<Agreed>(Agreed{ref, request, std::move(done)})});
    report(result, std::move(told));
}

/// Answers them as done, in order, once that version may be reported (ChannelManager::report): one task, however many
/// they are.
void LocalOps::report(const OpDone& update, std::vector<Told> ops) {
    for (const Told& one : ops) {
        if (one.named) m_agreed[one.named->ref] = one.named;
    }
    const auto told = std::make_shared<std::vector<Told>>(std::move(ops));
    m_parts.channels->report(
        update.channel, update.version,
        [this, told, update] {
            Result<OpDone> result = enforced(update);
            for (Told& one : *told) {
                failpoint("ops.before_answer");
                if (result) result->index = one.index;
                if (one.named) m_agreed.erase(one.named->ref);
                answer(one, result);
            }
        },
        [this, told] {
            for (Told& one : *told) {
                if (one.named) one.named->late = true;
                answer(one, unconfirmed());
            }
        });
}

/// Each is told once, and of a reference whoever asked for it meanwhile.
void LocalOps::answer(Told& told, const Result<OpDone>& result) {
    if (told.named) return answer_all(told.named->done, result);
    if (const auto done = std::exchange(told.done, nullptr)) done(result);
}

/// What both have signed is done, unless the chain has settled an older state since.
Result<OpDone> LocalOps::enforced(const OpDone& done) const {
    const channel::Channel* channel = m_parts.channels->find(done.channel);
    const auto settled = channel == nullptr ? std::nullopt : channel::settled_version(*channel);
    if (settled && *settled < done.version)
        return channel::Unexpected{rpc::from_node_error(rpc::NodeError::settled_without)};
    // Too late to answer; whether it is final is for the chain to say.
    const bool late = channel != nullptr && channel->status == channel::Status::disputed && channel->dispute &&
                      channel->dispute->version < done.version && m_parts.chain_time_s > channel->dispute->end;
    if (!late) return done;
    Fault fault = rpc::from_rule(Rule::channel_disputed);
    fault.outcome = rpc::Outcome::unknown;
    return channel::Unexpected{std::move(fault)};
}

/// After a restart ops come back without a number. Where an op was put into another update since, what it says tells
/// it.
void LocalOps::agreed_unresolved(const channel::Channel& channel, const channel::OpAgreed& op) {
    if (op.entry.origin() != channel.me) return;
    const auto [first, last] = m_unresolved.equal_range(channel.id);
    if (first == last) return;
    auto found = std::find_if(
        first, last, [&](const auto& e) { return e.second.row.version == op.version && e.second.row.op == op.index; });
    if (found == last) {
        const channel::Hash request = request_hash(channel.id, op.entry.op);
        found = std::find_if(first, last, [&](const auto& e) { return e.second.row.request == request; });
    }
    if (found == last) return;
    Unresolved unresolved = std::move(found->second);
    m_unresolved.erase(found);
    finish(std::move(unresolved), channel, op);
}

void LocalOps::finish(Unresolved unresolved, const channel::Channel& channel, const channel::OpAgreed& op) {
    ClientRefRow& row = unresolved.row;
    row.outcome = RefOutcome::done;
    row.channel = channel.id;
    row.version = op.version;
    row.op = op.index;
    row.result = channel::wire_encode(op.timestamp_ms);
    store(row);
    answer_agreed(row.ref, row.request, std::move(unresolved.done), done_of(row));
}

void LocalOps::refused(LocalId id, Rule rule) {
    if (const SinkId sink = sink_of(id); sink != 0) {
        --m_sunk;
        return m_parts.outbox.when_durable([this, sink, id, rule] { m_sinks[sink - 1]->on_refused(id, rule); });
    }
    const auto it = m_waiting.find(id);
    if (it == m_waiting.end()) return;
    Waiting waiting = std::move(it->second);
    m_waiting.erase(it);
    if (waiting.named) {
        ClientRefRow row = row_of(*waiting.named, RefOutcome::refused);
        row.rule = rule;
        store(row);
        m_by_ref.erase(waiting.named->ref);
    }
    m_parts.outbox.when_durable([waiting = std::make_shared<Waiting>(std::move(waiting)), rule] {
        const Result<OpDone> result = daemon::refused(rule);
        if (waiting->done) waiting->done(result);
        if (waiting->named) answer_all(waiting->named->others, result);
        if (waiting->refused) waiting->refused(rule);
    });
}

bool LocalOps::may_have_forgotten(const channel::Channel& channel) {
    return channel.lost_data || channel.status == channel::Status::recovering;
}

Fault LocalOps::forgotten() {
    Fault fault = rpc::from_rule(Rule::channel_recovering);
    fault.outcome = rpc::Outcome::unknown;
    return fault;
}

Fault LocalOps::unknown_channel(const NodeParts& parts) {
    return parts.may_lack_channels ? forgotten() : rpc::from_rule(Rule::channel_unknown);
}

std::vector<ChannelId> LocalOps::unresolved() const {
    std::vector<ChannelId> out;
    for (auto it = m_unresolved.begin(); it != m_unresolved.end(); it = m_unresolved.upper_bound(it->first)) out.push_back(it->first);
    return out;
}

void LocalOps::settle_unresolved(const channel::Channel& channel) {
    if (!m_unresolved.contains(channel.id)) return;
    if (may_have_forgotten(channel)) {
        const auto [begin, end] = m_unresolved.equal_range(channel.id);
        for (auto it = begin; it != end; ++it) answer_all(it->second.done, channel::Unexpected{forgotten()});
        return;
    }
    const bool quiet = channel.pending.empty() && channel.queue.empty();
    const bool over = channel.status == channel::Status::closed;
    if (!over && !(quiet && channel.connected)) return;
    const auto [first, last] = m_unresolved.equal_range(channel.id);
    for (auto it = first; it != last; ++it) {
        ClientRefRow& row = it->second.row;
        row.outcome = RefOutcome::refused;
        row.rule = Rule::peer_disconnected;
        store(row);
        m_parts.outbox.when_durable([answers = std::move(it->second.done)]() mutable {
            answer_all(answers, daemon::refused(Rule::peer_disconnected));
        });
    }
    m_unresolved.erase(first, last);
}

}  // namespace hedgerow::daemon
