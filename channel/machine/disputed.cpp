#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

void stop_operating(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.is_leader()) return leader_drop_queue(turn, Rule::channel_disputed);
    follower_reject_unsigned(turn, Rule::channel_disputed);  // or a challenge taken back would find us signing what we report refused here
    for (const Proposal& proposal : channel.proposals) turn.emit(OpRefused{proposal.local_id, Rule::channel_disputed});
    channel.proposals.clear();
}

/// The chain has decided what was in doubt: what led to the version that it settled was done, the rest never will be.
void resolve_in_doubt(const Turn& turn) {
    Channel& channel = turn.channel;
    const auto ids_of = [](const PendingUpdate& p) { return p.is_void && !p.void_ids.empty() ? p.void_ids : p.local_ids; };
    std::vector<LocalId> told;
    std::uint64_t version = channel.dispute ? channel.dispute->version : 0;
    for (auto p = channel.pending.rbegin(); p != channel.pending.rend(); ++p) {
        if (p->update.version != version) continue;
        version = p->update.base;
        std::vector<LocalId> ids = ids_of(*p);
        ids.resize(p->update.ops.size());
        told.insert(told.end(), ids.begin(), ids.end());
        // Also without a number: after a restart nobody waits by number, and what is done must not be reported refused.
        turn.emit(OpsAgreed{p->update.version, p->update.timestamp_ms, p->update.ops, std::move(ids)});
    }
    for (const PendingUpdate& p : channel.pending) {
        for (const LocalId id : ids_of(p)) {
            if (id == 0 || std::find(told.begin(), told.end(), id) != told.end()) continue;
            turn.emit(OpRefused{id, Rule::channel_final});
            told.push_back(id);
        }
    }
    channel.pending.clear();
}

}  // namespace

/// Record first, stop signing, answer (spec 7.2).
void on_chain_dispute(const Turn& turn, const ChainDispute& event) {
    Channel& channel = turn.channel;
    if (channel.status == Status::closed) return;
    Dispute dispute{event.challenged_at, event.end, event.version, event.challenger, 0};
    if (channel.dispute) dispute.responded_with = channel.dispute->responded_with;
    channel.dispute = dispute;
    channel.lost_data = channel.lost_data || channel.status == Status::recovering;
    channel.challenged = channel.challenged || event.challenger == channel.me;
    turn.set_status(Status::disputed);
    stop_operating(turn);
    const std::uint64_t ours = channel.agreed.state.version;
    const bool newer = ours > event.version;
    if (newer) channel.dispute->responded_with = ours;
    turn.emit(PersistHead{});
    if (newer) turn.emit(SubmitRespond{});
}

/// A challenge of ours is made again: its transaction may still be mined, and would find us challenging with a state that we had signed beyond.
void on_chain_dispute_gone(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.status != Status::disputed) return;
    channel.dispute.reset();
    const bool again = channel.challenged && !channel.lost_data;
    if (channel.lost_data) {
        turn.set_status(Status::recovering);
    } else if (!again) {
        turn.set_status(channel.close ? Status::closing : Status::open);
    }
    turn.emit(PersistHead{});
    if (again) turn.emit(SubmitChallenge{});
}

void on_force_close(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.status == Status::recovering) return turn.fault(Rule::channel_recovering);
    if (channel.status == Status::closed) return turn.fault(Rule::channel_final);
    if (channel.dispute) return turn.fault(Rule::channel_disputed);
    channel.challenged = true;
    turn.set_status(Status::disputed);
    stop_operating(turn);
    turn.emit(PersistHead{});
    turn.emit(SubmitChallenge{});
}

void on_chain_final(const Turn& turn, const ChainFinal& event) {
    if (turn.channel.status == Status::closed) return;
    if (!event.settled) turn.channel.dispute.reset();  // both have agreed since
    stop_operating(turn);
    if (turn.channel.is_leader()) resolve_in_doubt(turn);
    turn.set_status(Status::closed);
    turn.emit(PersistHead{});
}

std::optional<std::uint64_t> settled_version(const Channel& channel) {
    if (channel.status != Status::closed || !channel.dispute) return std::nullopt;
    return channel.dispute->version;
}

}  // namespace hedgerow::channel
