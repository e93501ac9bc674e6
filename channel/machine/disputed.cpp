#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

void stop_operating(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.is_leader()) leader_drop_queue(turn, Rule::channel_disputed);
    for (const Proposal& proposal : channel.proposals) turn.emit(OpRefused{proposal.local_id, Rule::channel_disputed});
    channel.proposals.clear();
}

}  // namespace

/// Record first, stop signing, answer (spec 7.2).
void on_chain_dispute(const Turn& turn, const ChainDispute& event) {
    Channel& channel = turn.channel;
    if (channel.status == Status::closed) return;
    Dispute dispute{event.challenged_at, event.end, event.version, event.challenger, 0};
    if (channel.dispute) dispute.responded_with = channel.dispute->responded_with;
    channel.dispute = dispute;
    turn.set_status(Status::disputed);
    stop_operating(turn);
    const std::uint64_t ours = channel.agreed.state.version;
    const bool newer = ours > event.version;
    if (newer) channel.dispute->responded_with = ours;
    turn.emit(PersistHead{});
    if (newer) turn.emit(SubmitRespond{});
}

void on_chain_dispute_gone(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.status != Status::disputed) return;
    channel.dispute.reset();
    turn.set_status(channel.close ? Status::closing : Status::open);
    turn.emit(PersistHead{});
}

void on_force_close(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.status == Status::recovering) return turn.fault(Rule::channel_recovering);
    if (channel.status == Status::closed) return turn.fault(Rule::channel_final);
    if (channel.dispute) return turn.fault(Rule::channel_disputed);
    turn.set_status(Status::disputed);
    stop_operating(turn);
    turn.emit(PersistHead{});
    turn.emit(SubmitChallenge{});
}

void on_chain_final(const Turn& turn) {
    if (turn.channel.status == Status::closed) return;
    stop_operating(turn);
    turn.set_status(Status::closed);
    turn.emit(PersistHead{});
}

}  // namespace hedgerow::channel
