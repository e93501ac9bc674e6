#include "channel/crypto/signature.h"
#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

/// Proposals up to the highest that is in the state are over: done where these ops hold them, passed over for good where not.
void drop_done_proposals(const Turn& turn, std::span<const PendingUpdate> done) {
    Channel& channel = turn.channel;
    const auto drop_first = [&](bool is_done) {
        if (!is_done) turn.emit(OpRefused{channel.proposals.front().local_id, Rule::proposal_out_of_order});
        channel.proposals.pop_front();
    };
    for (const PendingUpdate& pending : done) {  // proposals ascend in both lists
        if (pending.is_void) continue;
        for (const OpEntry& entry : pending.update.ops) {
            if (entry.proposal == 0) continue;
            while (!channel.proposals.empty() && channel.proposals.front().number < entry.proposal) drop_first(false);
            if (!channel.proposals.empty() && channel.proposals.front().number == entry.proposal) drop_first(true);
        }
    }
    while (!channel.proposals.empty() && channel.proposals.front().number <= channel.agreed.state.proposals_done) drop_first(false);
}

/// A void version is superseded for good: only now is it certain that its refused op is not done.
void tell_voided(const Turn& turn, const PendingUpdate& pending) {
    for (const LocalId id : pending.local_ids) {
        if (id != 0) turn.emit(OpRefused{id, pending.void_rule});
    }
}

}  // namespace

BothSignatures enforceable_signatures(const Channel& channel) {
    const SignedState& agreed = channel.agreed;
    BothSignatures out{agreed.signature_a, agreed.signature_b};
    if (agreed.parity_proved || agreed.state.version == 0) return out;
    Signature& theirs = channel.me == Party::A ? out.b : out.a;
    const auto proved = with_proved_parity(agreed.digest, theirs, channel.their_key);
    ASSERT(proved.has_value());
    theirs = *proved;
    return out;
}

void agree_on(const Turn& turn, std::uint64_t last, const Signature& mine, const Signature& theirs) {
    Channel& channel = turn.channel;
    const auto final = std::find_if(channel.pending.begin(), channel.pending.end(), [&](const auto& p) { return p.update.version == last; });
    ASSERT(final != channel.pending.end());
    channel.agreed.state = final->after;
    channel.agreed.digest = final->digest;
    channel.agreed.signature(channel.me) = mine;
    channel.agreed.signature(other(channel.me)) = theirs;
    channel.agreed.parity_proved = final->parity_proved;
    std::vector<PendingUpdate> done;
    while (!channel.pending.empty() && channel.pending.front().update.version <= last) {
        done.push_back(std::move(channel.pending.front()));
        channel.pending.pop_front();
    }
    channel.void_tried_ms = 0;
    turn.emit(PersistHead{});
    if (!channel.is_leader()) turn.send(Ack{channel.id, last, mine});
    for (const PendingUpdate& pending : done) {
        if (pending.is_void) {
            tell_voided(turn, pending);
        } else if (!pending.update.ops.empty()) {
            turn.emit(OpsAgreed{pending.update.version, pending.update.timestamp_ms, pending.update.ops, pending.local_ids});
        }
    }
    drop_done_proposals(turn, done);
    turn.emit(StateAgreed{last});
    after_agreement(turn, done);
}

}  // namespace hedgerow::channel
