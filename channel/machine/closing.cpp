#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

void begin_close(const Turn& turn) {
    Channel& channel = turn.channel;
    const ChannelState& state = channel.agreed.state;
    PendingClose close;
    close.close = {channel.id, next_version(channel), state.net, state.close_deadline};
    close.digest = digest_of(close.close, channel.separator);
    channel.close = std::move(close);
    turn.set_status(Status::closing);
    turn.emit(PersistHead{});
    turn.emit(SignClose{channel.close->close});
}

void close_if_ready(const Turn& turn) {
    const PendingClose& close = *turn.channel.close;
    if (!close.mine || !close.theirs) return;
    const bool leader = turn.channel.is_leader();
    turn.emit(CloseReady{close.close, leader ? *close.mine : *close.theirs, leader ? *close.theirs : *close.mine});
}

/// A right of the other party that it has not used yet: it may need our signature (again).
void sign_outstanding_withdrawals(const Turn& turn) {
    const Channel& channel = turn.channel;
    if (channel.status != Status::open && channel.status != Status::closing) return;  // the chain, or our memory, has the last word
    const Party them = other(channel.me);
    const auto& authorised = channel.agreed.state.authorised(them);
    for (std::size_t i = 0; i < authorised.size(); ++i) {
        const Authorisation& a = authorised[i];
        if (a.deadline <= turn.context.chain_time_s || a.total <= channel.funds_seen.withdrawn(them)[i]) continue;
        turn.emit(SignWithdraw{Withdraw{channel.id, them, static_cast<std::uint8_t>(i), a.total, a.deadline}});
    }
}

/// How far above what it knows of its own versions a side that lost data closes: it may have signed more than it remembers.
constexpr std::uint64_t kCloseAbove = 1024;

/// What forbids a close of the agreed state by that deadline.
Rule check_close(const Turn& turn, std::uint64_t deadline) {
    ChannelState state = turn.channel.agreed.state;
    state.close_deadline = 0;  // an earlier Close of the same net would pay the same
    const std::uint64_t now_ms = std::max(turn.context.now_ms, state.timestamp_ms);
    return apply_op({turn.context, turn.channel, now_ms}, state, {0, CloseOp{deadline}});
}

/// The peer, who lost data, closes without an update before it. It gets what both signed last, no more and no less; what is in doubt is
/// given up by the only side that could still enforce it, or decided by the chain as ever.
void accept_close(const Turn& turn, const CloseSignature& message) {
    Channel& channel = turn.channel;
    const Close& close = message.close;
    if (channel.status != Status::open || turn.context.halted) return turn.fault(channel.status == Status::open ? Rule::node_halted : Rule::unexpected_message);
    if (close.channel_id != channel.id || close.net != channel.agreed.state.net) return turn.fault(Rule::digest_mismatch);
    if (close.version < next_version(channel) || close.version > channel.agreed.state.version + kMaxVersionSkip) return turn.fault(Rule::version_out_of_range);
    if (const Rule rule = check_close(turn, close.deadline); rule != Rule::none) return turn.fault(rule);
    const Digest digest = digest_of(close, channel.separator);
    if (!signed_by_peer(channel, digest, message.signature)) return turn.fault(Rule::bad_signature);
    channel.close = PendingClose{close, digest, std::nullopt, message.signature};
    turn.set_status(Status::closing);
    if (channel.is_leader()) {
        leader_drop_queue(turn, Rule::channel_closing);
    } else {
        follower_reject_unsigned(turn, Rule::channel_closing);
        for (const Proposal& proposal : channel.proposals) turn.emit(OpRefused{proposal.local_id, Rule::channel_closing});
        channel.proposals.clear();
    }
    turn.emit(PersistHead{});
    turn.emit(SignClose{close});
}

}  // namespace

void close_recovering(const Turn& turn, const LocalOp& input) {
    Channel& channel = turn.channel;
    const std::uint64_t deadline = std::get<CloseOp>(input.op).deadline;
    const Rule rule = channel.close ? Rule::channel_closing : check_close(turn, deadline);
    if (rule != Rule::none) return turn.emit(OpRefused{input.local_id, rule});
    PendingClose close;
    const std::uint64_t version = std::max(channel.agreed.state.version + kCloseAbove, next_version(channel));
    close.close = {channel.id, version, channel.agreed.state.net, deadline};
    close.digest = digest_of(close.close, channel.separator);
    channel.close = std::move(close);
    turn.emit(PersistHead{});
    turn.emit(SignClose{channel.close->close});
}

void after_agreement(const Turn& turn, std::span<const PendingUpdate> done) {
    const bool withdraws = std::any_of(done.begin(), done.end(), [](const PendingUpdate& p) {
        const auto is_withdrawal = [](const OpEntry& e) { return std::holds_alternative<WithdrawOp>(e.op); };
        return !p.is_void && std::any_of(p.update.ops.begin(), p.update.ops.end(), is_withdrawal);
    });
    if (withdraws) sign_outstanding_withdrawals(turn);
    if (turn.channel.agreed.state.close_deadline != 0 && !turn.channel.close && turn.channel.status == Status::open) begin_close(turn);
}

void on_close_signed(const Turn& turn, const CloseSigned& input) {
    Channel& channel = turn.channel;
    ASSERT(channel.close.has_value());
    channel.close->mine = input.signature;
    channel.highest_signed = std::max(channel.highest_signed, channel.close->close.version);
    turn.emit(PersistHead{});
    turn.send(CloseSignature{channel.close->close, input.signature});
    close_if_ready(turn);
}

void on_close_signature(const Turn& turn, const CloseSignature& message) {
    Channel& channel = turn.channel;
    const bool lapsed = turn.context.confirmed_chain_time_s >= message.close.deadline;  // their chain may be a block behind ours
    if (!channel.close) return lapsed ? void() : accept_close(turn, message);
    if (message.close != channel.close->close) return turn.fault(Rule::digest_mismatch);
    if (!signed_by_peer(channel, channel.close->digest, message.signature)) return turn.fault(Rule::bad_signature);
    if (channel.close->theirs) return;
    channel.close->theirs = message.signature;
    turn.emit(PersistHead{});
    close_if_ready(turn);
}

void on_withdraw_signature(const Turn& turn, const WithdrawSignature& message) {
    Channel& channel = turn.channel;
    const Withdraw& w = message.withdraw;
    if (w.party != channel.me || w.asset >= channel.terms.assets.size()) return turn.fault(Rule::asset_out_of_range);
    const Authorisation& a = channel.agreed.state.authorised(channel.me)[w.asset];
    if (w.channel_id != channel.id || w.total != a.total || w.deadline != a.deadline) return turn.fault(Rule::digest_mismatch);
    if (!signed_by_peer(channel, digest_of(w, channel.separator), message.signature)) return turn.fault(Rule::bad_signature);
    turn.emit(WithdrawReady{w, message.signature});
}

/// The deadline has passed in a confirmed block and no close was seen: the Close is worth nothing now (spec 6.10).
void lapse_close(const Turn& turn) {
    Channel& channel = turn.channel;
    if ((channel.status != Status::closing && channel.status != Status::recovering) || !channel.close) return;
    if (turn.context.confirmed_chain_time_s < channel.close->close.deadline) return;
    channel.close.reset();
    if (channel.status == Status::closing) {
        turn.set_status(Status::open);
    } else {
        turn.emit(StatusChanged{channel.status});  // the signing policy may sign another one
    }
    turn.emit(PersistHead{});
}

void resume_closing(const Turn& turn) {
    const Channel& channel = turn.channel;
    sign_outstanding_withdrawals(turn);
    if (!channel.close) return;
    if (channel.close->mine) {
        turn.send(CloseSignature{channel.close->close, *channel.close->mine});
    } else if (channel.status == Status::closing) {
        turn.emit(SignClose{channel.close->close});
    }
}

}  // namespace hedgerow::channel
