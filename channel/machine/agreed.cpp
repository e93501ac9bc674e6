#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

/// Proposals up to the highest that is in the state are over: done where these ops hold them, passed over for good where not.
void drop_done_proposals(const Turn& turn, const std::vector<OpEntry>& ops) {
    Channel& channel = turn.channel;
    auto op = ops.begin();  // proposals ascend in both lists
    while (!channel.proposals.empty() && channel.proposals.front().number <= channel.agreed.state.proposals_done) {
        const Proposal& proposal = channel.proposals.front();
        op = std::find_if(op, ops.end(), [&](const OpEntry& e) { return e.proposal >= proposal.number; });
        const bool done = op != ops.end() && op->proposal == proposal.number;
        if (!done) turn.emit(OpRefused{proposal.local_id, Rule::proposal_out_of_order});
        channel.proposals.pop_front();
    }
}

void tell_agreed(const Turn& turn, const PendingUpdate& pending, std::vector<OpEntry>& ops) {
    for (std::size_t i = 0; i < pending.update.ops.size(); ++i) {
        const OpEntry& entry = pending.update.ops[i];
        turn.emit(OpAgreed{pending.local_ids[i], pending.update.version, static_cast<std::uint16_t>(i), pending.update.timestamp_ms, entry});
        ops.push_back(entry);
    }
}

/// A void version is superseded for good: only now is it certain that its refused op is not done.
void tell_voided(const Turn& turn, const PendingUpdate& pending) {
    for (const LocalId id : pending.local_ids) {
        if (id != 0) turn.emit(OpRefused{id, pending.void_rule});
    }
}

}  // namespace

void agree_on(const Turn& turn, std::uint64_t last, const Signature& mine, const Signature& theirs) {
    Channel& channel = turn.channel;
    const auto final = std::find_if(channel.pending.begin(), channel.pending.end(), [&](const auto& p) { return p.update.version == last; });
    ASSERT(final != channel.pending.end());
    channel.agreed.state = final->after;
    channel.agreed.digest = final->digest;
    channel.agreed.signature(channel.me) = mine;
    channel.agreed.signature(other(channel.me)) = theirs;
    std::vector<PendingUpdate> done;
    while (!channel.pending.empty() && channel.pending.front().update.version <= last) {
        done.push_back(std::move(channel.pending.front()));
        channel.pending.pop_front();
    }
    if (channel.pending.empty()) channel.tip = channel.agreed.state;
    channel.void_tried_ms = 0;
    turn.emit(PersistHead{});
    if (!channel.is_leader()) turn.send(Ack{channel.id, last, mine});
    std::vector<OpEntry> ops;
    for (const PendingUpdate& pending : done) {
        if (pending.is_void) {
            tell_voided(turn, pending);
        } else {
            tell_agreed(turn, pending, ops);
        }
    }
    drop_done_proposals(turn, ops);
    turn.emit(StateAgreed{last});
    after_agreement(turn, ops);
}

}  // namespace hedgerow::channel
