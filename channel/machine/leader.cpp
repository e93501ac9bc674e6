#include "channel/machine/turn.h"
#include "channel/market/convert.h"

namespace hedgerow::channel {

namespace {

/// Room for the ops of one update within a frame (spec 6.1), with what surrounds them.
constexpr std::size_t kMaxUpdateBytes = kMaxFrame - 4096;
/// More than any op takes on the wire: terms are the longest.
constexpr std::size_t kMaxOpBytes = 8192;

/// Something refused that the follower could still sign.
bool is_voiding(const Channel& channel) {
    return std::any_of(channel.pending.begin(), channel.pending.end(), [](const PendingUpdate& p) { return p.is_void; });
}

/// The next version would be at most `limit` above the agreed one.
bool has_room(const Channel& channel, std::size_t limit) { return next_version(channel) <= channel.agreed.state.version + limit; }

/// What was refused is voided by an empty update, alone; where that is refused too, the follower signs nothing now, and is asked again later.
bool void_is_due(const Turn& turn) {
    const Channel& channel = turn.channel;
    if (!channel.pending.back().is_void) return false;
    const std::uint64_t again_ms = channel.void_tried_ms + channel.agreed.state.risk.ack_timeout_ms / 4;
    return channel.void_tried_ms == 0 || turn.context.steady_ms >= again_ms;
}

/// Not done by way of the queue. Where a void version holds the op too, that it is refused is certain only once that one is superseded.
void report_refused(const Turn& turn, const QueuedOp& queued, Rule rule) {
    if (queued.local_id == 0) return;
    for (PendingUpdate& pending : turn.channel.pending) {
        if (pending.update.version != queued.void_version) continue;
        pending.local_ids[queued.void_index] = queued.local_id;
        return;
    }
    turn.emit(OpRefused{queued.local_id, rule});
}

void refuse(const Turn& turn, const QueuedOp& queued, Rule rule) {
    report_refused(turn, queued, rule);
    if (queued.entry.proposal != 0 && turn.channel.connected) turn.send(Refuse{turn.channel.id, queued.entry.proposal, rule});
}

/// What a follower that holds a signature back could gain by it, USD 1e-16: the notional of a trade at its initial rate, of a swap at the larger
/// haircut of its assets (spec 6.7).
I256 at_risk16(const Channel& channel, const Op& op) {
    if (const auto* trade = std::get_if<TradeOp>(&op)) {
        const RiskClass* risk = channel.tip().risk.find(trade->underlying);
        const Uint128 bps = risk != nullptr ? risk->initial_bps : 10'000;
        const I256 notional = I256(trade->quantity.abs().raw()) * I256(trade->price.raw());
        return mul_div_toward_zero(notional, U256(bps), U256(10'000));
    }
    if (const auto* swap = std::get_if<SwapOp>(&op)) {
        const Asset& give = channel.terms.assets[swap->give_asset];
        const Uint128 bps = std::max(give.haircut_bps, channel.terms.assets[swap->take_asset].haircut_bps);
        const I256 worth = units_to_usd16_floor(swap->give.abs(), asset_price(channel.terms, channel.tip(), swap->give_asset), give.decimals);
        return mul_div_toward_zero(worth, U256(bps), U256(10'000));
    }
    return {};
}

bool adds_doubt(const Op& op) { return std::holds_alternative<TradeOp>(op) || std::holds_alternative<SwapOp>(op); }

I256 in_doubt16(const Channel& channel) {
    I256 sum;
    for (const PendingUpdate& pending : channel.pending) sum = sum + pending.at_risk16;
    return sum;
}

bool reduces_only(const ChannelState& state, const TradeOp& trade) {
    const PositionEntry* entry = state.find_position(trade.instrument);
    if (entry == nullptr || !trade.quantity.within_bits(kMarketBits)) return false;
    const Quantity after = entry->position.quantity + trade.quantity;
    return after.abs() <= entry->position.quantity.abs() && after.sign() * entry->position.quantity.sign() >= 0;
}

Rule check_in_doubt(const ChannelState& state, const Op& op, const I256& in_doubt) {
    const auto* trade = std::get_if<TradeOp>(&op);
    const bool adds_risk = trade != nullptr ? !reduces_only(state, *trade) : std::holds_alternative<SwapOp>(op);
    if (!adds_risk || state.risk.max_in_doubt.is_zero()) return Rule::none;
    return in_doubt > I256(state.risk.max_in_doubt.raw()) ? Rule::in_doubt_limit : Rule::none;
}

/// Moves ops from the queue into the update, applying each; what a rule forbids is refused and left out.
void take_ops(const Turn& turn, PendingUpdate& pending) {
    Channel& channel = turn.channel;
    const OpScope scope{turn.context, channel, pending.update.timestamp_ms};
    I256 in_doubt = in_doubt16(channel);
    OpList::Builder ops;
    ops.reserve(channel.queue.size());
    while (!channel.queue.empty() && ops.size() < kMaxOpsPerUpdate && ops.bytes() <= kMaxUpdateBytes - kMaxOpBytes) {
        QueuedOp queued = std::move(channel.queue.front());
        channel.queue.pop_front();
        Rule rule = turn.context.locked ? may_take(turn, queued.entry) : Rule::none;  // it waited while the wallet was locked
        if (rule == Rule::none) rule = check_in_doubt(pending.after, queued.entry.op, in_doubt);
        if (rule == Rule::none) rule = apply_op(scope, pending.after, queued.entry);
        if (rule != Rule::none) {
            refuse(turn, queued, rule);
            continue;
        }
        if (adds_doubt(queued.entry.op)) {
            const I256 more = at_risk16(channel, queued.entry.op);
            pending.at_risk16 = pending.at_risk16 + more;
            in_doubt = in_doubt + more;
        }
        ops.push_back(std::move(queued.entry));
        pending.local_ids.push_back(queued.local_id);
    }
    pending.update.ops = std::move(ops).finish();
}

PendingUpdate next_update(const Turn& turn) {
    const Channel& channel = turn.channel;
    PendingUpdate pending;
    pending.after = channel.tip();
    pending.update.channel = channel.id;
    pending.update.version = next_version(channel);
    pending.update.base = channel.tip().version;
    pending.update.timestamp_ms = std::max(turn.context.now_ms, channel.tip().timestamp_ms);
    pending.since_ms = turn.context.steady_ms;
    return pending;
}

}  // namespace

I256 at_risk16(const Channel& channel, const OpList& ops) {
    I256 sum;
    for (const OpEntry& entry : ops) {
        if (adds_doubt(entry.op)) sum = sum + at_risk16(channel, entry.op);
    }
    return sum;
}

void leader_local_op(const Turn& turn, LocalOp input) {
    QueuedOp queued{{0, std::move(input.op)}, input.local_id};
    Rule rule = may_take(turn, queued.entry);
    if (rule == Rule::none && turn.channel.queue.size() >= kMaxQueuedOps) rule = Rule::queue_full;
    if (rule != Rule::none) return turn.emit(OpRefused{input.local_id, rule});
    turn.channel.queue.push_back(std::move(queued));
}

void leader_propose(const Turn& turn, Propose propose, const std::vector<Rule>& verdicts) {
    Channel& channel = turn.channel;
    std::uint64_t number = propose.first;
    for (std::size_t i = 0; i < propose.ops.size(); ++i, ++number) {
        if (number == 0 || number < propose.first) return turn.fault(Rule::proposal_out_of_order);
        if (number <= channel.last_proposal_seen || number <= channel.tip().proposals_done) continue;  // seen: sent again after a reconnection
        channel.last_proposal_seen = number;
        QueuedOp queued{{number, std::move(propose.ops[i])}, 0};
        Rule rule = may_take(turn, queued.entry);
        if (rule == Rule::none && i < verdicts.size()) rule = verdicts[i];
        if (rule == Rule::none && channel.queue.size() >= kMaxQueuedOps) rule = Rule::queue_full;
        if (rule != Rule::none) {
            refuse(turn, queued, rule);
        } else {
            channel.queue.push_back(std::move(queued));
        }
    }
}

void leader_flush(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.awaiting_signature || may_answer(turn) != Rule::none) return;
    const bool voiding = is_voiding(channel);
    if (voiding ? !void_is_due(turn) : channel.queue.empty() || turn.context.halted) return;
    if (!has_room(channel, voiding ? kWindow : kPipeline)) return;
    PendingUpdate pending = next_update(turn);
    const Rule rule = begin_update(turn.context, channel, pending.after, pending.update.version, pending.update.timestamp_ms);
    if (rule != Rule::none) return leader_drop_queue(turn, rule);
    if (voiding) {
        channel.void_tried_ms = turn.context.steady_ms;
    } else {
        take_ops(turn, pending);
        if (pending.update.ops.empty()) return;
    }
    finish_update(pending.after, pending.update);
    pending.digest = state_digest(pending.after, channel.id, channel.separator);
    channel.awaiting_signature = true;
    turn.emit(SignState{pending.update.version, pending.digest, sign_reason(turn.context)});
    channel.pending.push_back(std::move(pending));
}

void leader_signed(const Turn& turn, const StateSigned& input) {
    Channel& channel = turn.channel;
    ASSERT(channel.awaiting_signature && !channel.pending.empty());
    PendingUpdate& pending = channel.pending.back();
    ASSERT(pending.update.version == input.version && !pending.update.signature);
    channel.awaiting_signature = false;
    channel.highest_signed = input.version;
    pending.update.signature = input.signature;
    turn.emit(PersistUpdate{pending.update, false, wire_encode_beside(pending.after)});
    turn.send(pending.update);
    if (std::any_of(pending.local_ids.begin(), pending.local_ids.end(), [](LocalId id) { return id != 0; }))
        turn.emit(OpsAccepted{input.version, pending.local_ids});
}

void leader_ack(const Turn& turn, std::uint64_t version, const Signature& signature) {
    Channel& channel = turn.channel;
    if (version <= channel.agreed.state.version) return;  // older than what we hold: late or repeated
    const auto it = std::find_if(channel.pending.begin(), channel.pending.end(), [&](const auto& p) { return p.update.version == version; });
    if (it == channel.pending.end() || !it->update.signature) return turn.fault(Rule::base_unknown);
    if (it->is_void) return turn.fault(Rule::state_already_signed);  // it refused this one; what stands instead is in flight
    if (!state_signed_by_peer(channel, it->digest, signature)) return turn.fault(Rule::bad_signature);
    it->parity_proved = channel.proves_parity;
    agree_on(turn, version, *it->update.signature, signature);
}

void leader_reject(const Turn& turn, const Reject& reject) {
    Channel& channel = turn.channel;
    auto it = std::find_if(channel.pending.begin(), channel.pending.end(),
                           [&](const auto& p) { return p.update.version == reject.version && !p.is_void; });
    if (it == channel.pending.end()) return;
    ASSERT(!channel.awaiting_signature);  // signing is answered within the turn
    const std::size_t refused_op = reject.op;
    Queue<QueuedOp> again;
    for (auto p = it; p != channel.pending.end(); ++p) {
        if (p->is_void) continue;
        const bool whole = p == it && refused_op >= p->update.ops.size();
        p->is_void = true;
        p->void_rule = reject.rule == Rule::none ? Rule::terms_unacceptable : reject.rule;
        p->void_ids = p->local_ids;
        for (std::size_t i = 0; i < p->update.ops.size(); ++i) {
            const bool refused = whole || (p == it && i == refused_op);
            if (refused && p->update.ops[i].proposal != 0) turn.send(Refuse{channel.id, p->update.ops[i].proposal, p->void_rule});
            if (refused) continue;  // its owner hears of it when a higher version is agreed and the void one can no longer be enforced
            again.push_back({p->update.ops[i], p->local_ids[i], p->update.version, i});
            p->local_ids[i] = 0;
        }
        turn.emit(PersistUpdate{p->update, true, wire_encode_beside(p->after)});
    }
    channel.queue.prepend(std::move(again));
    channel.pending.erase_if([](const PendingUpdate& p) { return p.is_void && p.update.ops.empty(); });  // equal to its base: nothing in doubt
    if (channel.status != Status::open) leader_drop_queue(turn, may_answer(turn));
}

void leader_drop_queue(const Turn& turn, Rule rule) {
    for (const QueuedOp& queued : turn.channel.queue) refuse(turn, queued, rule);
    turn.channel.queue.clear();
}

/// A follower that leaves signed versions unanswered holds an option against us: past three time-outs the chain decides (spec 6.7).
void leader_tick(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.pending.empty() || channel.status != Status::open) return;
    if (channel.pending.front().since_ms == 0) channel.pending.front().since_ms = turn.context.steady_ms;  // after a restart
    const std::uint64_t waited = turn.context.steady_ms - channel.pending.front().since_ms;
    if (waited > 3ULL * channel.agreed.state.risk.ack_timeout_ms) on_force_close(turn);
}

}  // namespace hedgerow::channel
