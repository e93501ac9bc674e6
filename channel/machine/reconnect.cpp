#include "channel/crypto/signature.h"
#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

Reestablish where_we_are(const Channel& channel) {
    Reestablish out;
    out.channel = channel.id;
    out.agreed = channel.agreed.state.version;
    // After a loss what we signed above the agreed version must not keep the peer from handing it over.
    out.highest_signed = channel.lost_data ? out.agreed : channel.highest_signed;
    if (out.agreed != 0) {
        out.digest = channel.agreed.digest;
        out.signature = channel.agreed.signature(channel.me);
    }
    return out;
}

void hand_over(const Turn& turn) {
    const SignedState& agreed = turn.channel.agreed;
    const Bytes state = wire_encode(agreed.state);
    if (state.size() > decltype(HandOver::state)::kMax) return turn.fault(Rule::frame_too_large);
    const BothSignatures signatures = enforceable_signatures(turn.channel);
    turn.send(HandOver{Blob<(1 << 16)>(ByteView(state)), turn.channel.id, signatures.a, signatures.b});
}

/// The leader's side of the table: resend what the follower has not got, or learn that it has it already.
void leader_reestablish(const Turn& turn, const Reestablish& message) {
    Channel& channel = turn.channel;
    if (message.agreed > channel.agreed.state.version) {
        if (message.agreed > channel.highest_signed) return;  // we are behind: the follower hands its state over
        if (!message.signature) return turn.fault(Rule::signature_missing);
        leader_ack(turn, message.agreed, *message.signature);
        if (channel.agreed.state.version != message.agreed) return;  // leader_ack said why
    } else if (message.agreed < channel.agreed.state.version) {
        return hand_over(turn);
    }
    channel.connected = true;
    channel.last_proposal_seen = channel.tip().proposals_done;
    for (const PendingUpdate& pending : channel.pending) {
        if (!pending.is_void && pending.update.signature) turn.send(pending.update);
    }
}

void follower_reestablish(const Turn& turn, const Reestablish& message) {
    Channel& channel = turn.channel;
    if (message.highest_signed < channel.agreed.state.version) return hand_over(turn);
    if (message.agreed > channel.agreed.state.version) return;  // we are behind: the leader hands its state over
    channel.connected = true;
    for (Proposal& proposal : channel.proposals) proposal.sent = false;
}

/// How long the pending updates have waited for their Ack is not forgotten: else a follower that reconnects keeps its option on them for ever.
void begin_connection(Channel& channel) {
    channel.reestablished = false;
    channel.rejected_from = 0;
    channel.void_tried_ms = 0;
    channel.queue.erase_if([](const QueuedOp& q) { return q.entry.proposal != 0; });  // proposed again
    if (channel.is_leader()) return;
    channel.pending.clear();  // applied, not signed: the leader sends it again
}

}  // namespace

void on_connected(const Turn& turn) {
    Channel& channel = turn.channel;
    if (channel.status == Status::closed || channel.status == Status::opening) return;
    if (!channel.connected) begin_connection(channel);  // else the leader's Reestablish came while we were still opening
    turn.send(where_we_are(channel));
    tell_funds(turn);
    resume_closing(turn);
}

void on_disconnected(const Turn& turn) {
    Channel& channel = turn.channel;
    channel.connected = false;
    channel.reestablished = false;
    if (channel.is_leader()) leader_drop_queue(turn, Rule::peer_disconnected);
}

void on_reestablish(const Turn& turn, const Reestablish& message) {
    Channel& channel = turn.channel;
    if (channel.reestablished) return turn.fault(Rule::unexpected_message);  // once a connection: it is answered with much more than it takes
    channel.reestablished = true;
    const bool same_version = message.agreed == channel.agreed.state.version;
    if (same_version && message.agreed != 0 && message.digest != channel.agreed.digest) return turn.fault(Rule::digest_mismatch);
    if (channel.status == Status::recovering || channel.status == Status::closed) return;
    if (channel.is_leader()) {
        leader_reestablish(turn, message);
    } else {
        follower_reestablish(turn, message);
    }
}

/// A state with both signatures, newer than ours. With our own signature on it we have lost data (spec 6.8).
void on_hand_over(const Turn& turn, const HandOver& message) {
    Channel& channel = turn.channel;
    if (channel.status == Status::closed) return turn.fault(Rule::channel_final);
    auto state = decode_state(message.state, channel.terms);
    if (!state) return turn.fault(state.error());
    if (state->version <= channel.agreed.state.version) return;
    const Digest digest = state_digest(*state, channel.id, channel.separator);
    const Signature& ours = channel.me == Party::A ? message.signature_a : message.signature_b;
    const Signature& theirs = channel.me == Party::A ? message.signature_b : message.signature_a;
    const auto key = recover(digest, ours);
    if (!key || address_of(*key) != channel.terms.signer(channel.me)) return turn.fault(Rule::bad_signature);
    if (!signed_by_peer(channel, digest, theirs)) return turn.fault(Rule::bad_signature);
    const bool behind = channel.lost_data || state->version > channel.highest_signed;
    if (!behind) return turn.fault(Rule::unexpected_message);  // an Ack says this better
    channel.agreed = {std::move(*state), digest, message.signature_a, message.signature_b, true};
    channel.highest_signed = std::max(channel.highest_signed, channel.agreed.state.version);
    channel.pending.clear();
    channel.close.reset();
    channel.lost_data = true;
    if (channel.status != Status::disputed) turn.set_status(Status::recovering);
    const bool answer = channel.dispute && channel.dispute->version < channel.agreed.state.version;
    if (answer) channel.dispute->responded_with = channel.agreed.state.version;
    turn.emit(PersistHead{});
    if (answer) turn.emit(SubmitRespond{});
    turn.emit(StateAgreed{channel.agreed.state.version});
    turn.fault(Rule::channel_recovering);
}

void tell_funds(const Turn& turn) { turn.send(FundsSeen{turn.channel.id, turn.channel.funds_seen}); }

void on_funds_seen(const Turn& turn, const FundsSeen& message) {
    Channel& channel = turn.channel;
    const std::size_t n = channel.terms.assets.size();
    const auto fits = [&](const List<Amount, kMaxAssets>& amounts) {
        return amounts.size() == n && std::all_of(amounts.begin(), amounts.end(), [](Amount a) { return a.sign() >= 0 && a.within_bits(kNetBits); });
    };
    const Funds& f = message.funds;
    if (!fits(f.deposit_a) || !fits(f.deposit_b) || !fits(f.withdrawn_a) || !fits(f.withdrawn_b)) return turn.fault(Rule::amount_out_of_range);
    if (channel.funds_peer == f) return;
    channel.funds_peer = f;
    turn.emit(PersistHead{});
}

}  // namespace hedgerow::channel
