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

}  // namespace

void after_agreement(const Turn& turn, const std::vector<OpEntry>& ops) {
    const bool withdraws = std::any_of(ops.begin(), ops.end(), [](const OpEntry& e) { return std::holds_alternative<WithdrawOp>(e.op); });
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
    if (!channel.close) return lapsed ? void() : turn.fault(Rule::unexpected_message);
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
    if (channel.status != Status::closing || !channel.close) return;
    if (turn.context.confirmed_chain_time_s < channel.close->close.deadline) return;
    channel.close.reset();
    turn.set_status(Status::open);
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
