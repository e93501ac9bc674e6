#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

constexpr std::size_t kMaxProposeBytes = kMaxFrame - 4096;

void reject(const Turn& turn, std::uint64_t version, std::size_t op, Rule rule) {
    turn.channel.rejected_from = version;
    turn.send(Reject{turn.channel.id, version, static_cast<std::uint16_t>(op), rule});
}

const Proposal* find_proposal(const Channel& channel, std::uint64_t number) {
    const auto& all = channel.proposals;
    const auto it = std::lower_bound(all.begin(), all.end(), number, [](const Proposal& p, std::uint64_t n) { return p.number < n; });
    return it != all.end() && it->number == number ? &*it : nullptr;
}

/// An op in our name must be the one we proposed under that number.
Rule check_own(const OpEntry& entry, const Proposal* proposal) {
    if (entry.proposal == 0) return Rule::none;
    return proposal != nullptr && proposal->op == entry.op ? Rule::none : Rule::proposal_mismatch;
}

struct Fault {
    std::size_t op = 0;
    Rule rule = Rule::none;
};

/// The first op that a locked wallet or a halted node does not sign (spec 6.13).
Fault find_business(const Turn& turn, const Update& update) {
    if (!turn.context.halted && !turn.context.locked) return {};
    for (std::size_t i = 0; i < update.ops.size(); ++i) {
        if (const Rule rule = may_take(turn, update.ops[i]); rule != Rule::none) return {i, rule};
    }
    return {};
}

/// Neither far ahead of our clock nor far behind it: a leader that could put its time back would choose which funding rate counts for how long.
/// The time of the newest state itself always is: what both have signed may lie ahead of clocks that were put right since, and for as long as
/// they need to catch up no time passes in the channel.
bool time_in_band(const Context& context, std::uint64_t timestamp_ms, std::uint64_t last_ms) {
    if (timestamp_ms == last_ms && timestamp_ms > context.now_ms) return true;
    const std::uint64_t now = context.now_ms;
    const std::uint64_t skew = context.max_clock_skew_ms;
    return timestamp_ms > now ? timestamp_ms - now <= skew : now - timestamp_ms <= 2 * skew;
}

Fault apply_update(const Turn& turn, PendingUpdate& pending, const std::vector<Rule>& verdicts) {
    const Update& update = pending.update;
    const Channel& channel = turn.channel;
    if (!time_in_band(turn.context, update.timestamp_ms, pending.after.timestamp_ms)) return {kMaxOpsPerUpdate, Rule::timestamp_out_of_band};
    const Rule begun = begin_update(turn.context, channel, pending.after, update.version, update.timestamp_ms);
    if (begun != Rule::none) return {kMaxOpsPerUpdate, begun};
    const OpScope scope{turn.context, channel, update.timestamp_ms};
    for (std::size_t i = 0; i < update.ops.size(); ++i) {
        const OpEntry& entry = update.ops[i];
        Rule rule = i < verdicts.size() ? verdicts[i] : Rule::none;
        const Proposal* proposal = entry.proposal == 0 ? nullptr : find_proposal(channel, entry.proposal);
        if (rule == Rule::none) rule = check_own(entry, proposal);
        if (rule == Rule::none) rule = apply_op(scope, pending.after, entry);
        if (rule != Rule::none) return {i, rule};
        pending.local_ids.push_back(proposal == nullptr ? 0 : proposal->local_id);
    }
    finish_update(pending.after, update);
    return {};
}

void send_proposals(const Turn& turn) {
    Channel& channel = turn.channel;
    Propose propose{channel.id, 0, {}};
    std::size_t bytes = 0;
    const auto send = [&] {
        if (!propose.ops.empty()) turn.send(propose);
        propose.ops.clear();
        bytes = 0;
    };
    for (Proposal& proposal : channel.proposals) {
        if (proposal.sent) continue;
        Writer size;
        wire_write(size, proposal.op);
        const bool gap = !propose.ops.empty() && proposal.number != propose.first + propose.ops.size();
        if (gap || propose.ops.size() == kMaxOpsPerUpdate || bytes + size.bytes().size() > kMaxProposeBytes) send();
        if (propose.ops.empty()) propose.first = proposal.number;
        propose.ops.push_back(proposal.op);
        bytes += size.bytes().size();
        proposal.sent = true;
    }
    send();
}

}  // namespace

void follower_local_op(const Turn& turn, LocalOp input) {
    Channel& channel = turn.channel;
    Rule rule = may_take(turn, {1, input.op});
    if (rule == Rule::none && channel.proposals.size() >= kMaxProposals) rule = Rule::queue_full;
    if (rule == Rule::none && !wire_decode<Op>(wire_encode(input.op))) rule = Rule::amount_out_of_range;  // the leader could not even read it
    if (rule != Rule::none) return turn.emit(OpRefused{input.local_id, rule});
    // Numbers begin at the time, so that a restarted follower never reuses one for another op.
    const std::uint64_t floor = std::max(channel.tip().proposals_done + 1, turn.context.now_ms << 20);
    channel.next_proposal = std::max(channel.next_proposal, channel.next_proposal == 0 ? floor : channel.tip().proposals_done + 1);
    channel.proposals.push_back({channel.next_proposal++, std::move(input.op), input.local_id, false});
}

void follower_refuse(const Turn& turn, const Refuse& message) {
    const auto holds = [&](const PendingUpdate& p) {
        return std::any_of(p.update.ops.begin(), p.update.ops.end(), [&](const OpEntry& e) { return e.proposal == message.proposal; });
    };
    const auto& pending = turn.channel.pending;
    // In an update that we may yet sign: no longer the leader's to refuse. If it is never signed, the op is proposed again.
    if (std::any_of(pending.begin(), pending.end(), holds)) return;
    auto& proposals = turn.channel.proposals;
    const auto it = std::find_if(proposals.begin(), proposals.end(), [&](const Proposal& p) { return p.number == message.proposal; });
    if (it == proposals.end()) return;
    const Proposal refused = std::move(*it);
    proposals.erase(it);
    turn.emit(OpRefused{refused.local_id, message.rule == Rule::none ? Rule::terms_unacceptable : message.rule});
}

void follower_update(const Turn& turn, Update update, const std::vector<Rule>& verdicts) {
    Channel& channel = turn.channel;
    if (update.version <= channel.agreed.state.version) return;                      // sent again
    if (channel.rejected_from != 0 && update.base >= channel.rejected_from) return;  // built on what we refused
    if (const Rule rule = may_answer(turn); rule != Rule::none) return reject(turn, update.version, kMaxOpsPerUpdate, rule);
    if (const Fault fault = find_business(turn, update); fault.rule != Rule::none) return reject(turn, update.version, fault.op, fault.rule);
    if (update.version <= channel.tip().version) return;  // sent again
    if (update.base != channel.tip().version) return reject(turn, update.version, kMaxOpsPerUpdate, Rule::base_unknown);
    if (channel.pending.size() >= kWindow) return reject(turn, update.version, kMaxOpsPerUpdate, Rule::window_full);
    PendingUpdate pending;
    pending.update = std::move(update);
    pending.after = channel.tip();
    const Fault fault = apply_update(turn, pending, verdicts);
    if (fault.rule != Rule::none) return reject(turn, pending.update.version, fault.op, fault.rule);
    channel.rejected_from = 0;
    channel.pending.push_back(std::move(pending));
}

void follower_reject_unsigned(const Turn& turn, Rule rule) {
    Channel& channel = turn.channel;
    if (channel.pending.empty()) return;
    const std::uint64_t first = channel.pending.front().update.version;
    channel.pending.clear();
    reject(turn, first, kMaxOpsPerUpdate, rule);
}

void follower_flush(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.connected) send_proposals(turn);
    if (channel.pending.empty() || channel.awaiting_signature || may_answer(turn) != Rule::none) return;
    for (const PendingUpdate& pending : channel.pending) {  // it was taken before the wallet was locked or the node halted
        if (const Fault fault = find_business(turn, pending.update); fault.rule != Rule::none) return follower_reject_unsigned(turn, fault.rule);
    }
    PendingUpdate& last = channel.pending.back();
    if (!last.update.signature) return;  // the signature is due on the last of a burst; it is on its way
    last.digest = state_digest(last.after, channel.id, channel.separator);
    if (!state_signed_by_peer(channel, last.digest, *last.update.signature)) return follower_reject_unsigned(turn, Rule::bad_signature);
    last.parity_proved = channel.proves_parity;
    channel.awaiting_signature = true;
    turn.emit(SignState{last.update.version, last.digest, sign_reason(turn.context)});
}

void follower_signed(const Turn& turn, const StateSigned& input) {
    Channel& channel = turn.channel;
    ASSERT(channel.awaiting_signature && !channel.pending.empty() && channel.pending.back().update.version == input.version);
    channel.awaiting_signature = false;
    channel.highest_signed = input.version;
    for (const PendingUpdate& pending : channel.pending) turn.emit(PersistUpdate{pending.update, false, {}});
    const Signature theirs = *channel.pending.back().update.signature;
    agree_on(turn, input.version, input.signature, theirs);
}

}  // namespace hedgerow::channel
