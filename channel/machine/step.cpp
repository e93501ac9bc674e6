#include "channel/crypto/signature.h"
#include "channel/machine/turn.h"

namespace hedgerow::channel {

std::string_view status_name(Status status) {
    switch (status) {
        case Status::opening: return "opening";
        case Status::open: return "open";
        case Status::closing: return "closing";
        case Status::disputed: return "disputed";
        case Status::recovering: return "recovering";
        case Status::closed: return "closed";
    }
    return "unknown";
}

void Turn::set_status(Status status) const {
    if (channel.status == status) return;
    channel.status = status;
    emit(StatusChanged{status});
}

Rule may_answer(const Turn& turn) {
    const Channel& channel = turn.channel;
    switch (channel.status) {
        case Status::opening: return Rule::channel_not_open;
        case Status::closing: return Rule::channel_closing;
        case Status::disputed: return Rule::channel_disputed;
        case Status::recovering: return Rule::channel_recovering;
        case Status::closed: return Rule::channel_final;
        case Status::open: break;
    }
    return channel.connected ? Rule::none : Rule::peer_disconnected;
}

Rule may_take(const Turn& turn, const OpEntry& entry) {
    if (const Rule rule = may_answer(turn); rule != Rule::none) return rule;
    if (turn.context.halted) return Rule::node_halted;
    return turn.context.locked && !is_obligation(entry, turn.channel.me) ? Rule::wallet_locked : Rule::none;
}

SignReason sign_reason(const Context& context) {
    if (context.halted) return SignReason::voiding;
    return context.locked ? SignReason::obligation : SignReason::business;
}

std::uint64_t next_version(const Channel& channel) { return std::max(channel.tip().version, channel.highest_signed) + 1; }

bool state_signed_by_peer(const Channel& channel, const Digest& digest, const Signature& signature) {
    if (channel.proves_parity) return verify(digest, signature, channel.their_key);
    return verify_any_parity(digest, signature, channel.their_key);
}

bool signed_by_peer(const Channel& channel, const Digest& digest, const Signature& signature) {
    return verify(digest, signature, channel.their_key);
}

namespace {

void on_message(const Turn& turn, FromPeer& input) {
    const bool leader = turn.channel.is_leader();
    std::visit(
        [&](auto& message) {
            using M = std::decay_t<decltype(message)>;
            if constexpr (std::is_same_v<M, Propose>) {
                leader ? leader_propose(turn, std::move(message), input.verdicts) : turn.fault(Rule::not_leader);
            } else if constexpr (std::is_same_v<M, Ack>) {
                leader ? leader_ack(turn, message.version, message.signature) : turn.fault(Rule::not_leader);
            } else if constexpr (std::is_same_v<M, Reject>) {
                leader ? leader_reject(turn, message) : turn.fault(Rule::not_leader);
            } else if constexpr (std::is_same_v<M, Update>) {
                leader ? turn.fault(Rule::not_follower) : follower_update(turn, std::move(message), input.verdicts);
            } else if constexpr (std::is_same_v<M, Refuse>) {
                leader ? turn.fault(Rule::not_follower) : follower_refuse(turn, message);
            } else if constexpr (std::is_same_v<M, Reestablish>) {
                on_reestablish(turn, message);
            } else if constexpr (std::is_same_v<M, HandOver>) {
                on_hand_over(turn, message);
            } else if constexpr (std::is_same_v<M, FundsSeen>) {
                on_funds_seen(turn, message);
            } else if constexpr (std::is_same_v<M, WithdrawSignature>) {
                on_withdraw_signature(turn, message);
            } else if constexpr (std::is_same_v<M, CloseSignature>) {
                on_close_signature(turn, message);
            } else {
                turn.fault(Rule::unexpected_message);
            }
        },
        input.message);
}

void on_funds(const Turn& turn, Amount& seen, Amount total) {
    if (seen == total) return;
    seen = total;  // lower too: a reorganisation may take a deposit back
    turn.emit(PersistHead{});
    tell_funds(turn);
}

void on_input(const Turn& turn, LocalOp& input) {
    if (turn.channel.status == Status::recovering && std::holds_alternative<CloseOp>(input.op)) return close_recovering(turn, input);
    turn.channel.is_leader() ? leader_local_op(turn, std::move(input)) : follower_local_op(turn, std::move(input));
}
void on_input(const Turn& turn, LocalOps& input) {
    LocalId id = input.first;
    for (Op& op : input.ops) {
        LocalOp one{id++, std::move(op)};
        on_input(turn, one);
    }
}
void on_input(const Turn& turn, FromPeer& input) { on_message(turn, input); }
void on_input(const Turn& turn, const Flush&) { turn.channel.is_leader() ? leader_flush(turn) : follower_flush(turn); }
void on_input(const Turn& turn, const StateSigned& input) {
    turn.channel.is_leader() ? leader_signed(turn, input) : follower_signed(turn, input);
}
void on_input(const Turn& turn, const CloseSigned& input) { on_close_signed(turn, input); }
void on_input(const Turn& turn, const Connected&) { on_connected(turn); }
void on_input(const Turn& turn, const Disconnected&) { on_disconnected(turn); }
void on_input(const Turn& turn, const Tick&) {
    lapse_close(turn);
    if (turn.channel.is_leader()) leader_tick(turn);
}
void on_input(const Turn& turn, const Opened&) {
    if (turn.channel.status != Status::opening) return;
    turn.set_status(Status::open);
    turn.emit(PersistHead{});
}
void on_input(const Turn& turn, const ForceClose&) { on_force_close(turn); }
void on_input(const Turn& turn, const ChainDeposit& event) {
    if (event.asset < turn.channel.terms.assets.size()) on_funds(turn, turn.channel.funds_seen.deposit(event.party)[event.asset], event.total);
}
void on_input(const Turn& turn, const ChainWithdrawal& event) {
    if (event.asset < turn.channel.terms.assets.size()) on_funds(turn, turn.channel.funds_seen.withdrawn(event.party)[event.asset], event.total);
}
void on_input(const Turn& turn, const ChainDispute& event) { on_chain_dispute(turn, event); }
void on_input(const Turn& turn, const ChainDisputeGone&) { on_chain_dispute_gone(turn); }
void on_input(const Turn& turn, const ChainFinal& event) { on_chain_final(turn, event); }

/// Spec 6.12. What would make a later signature dangerous stops the node here.
void check_invariants(const Channel& channel) {
    const ChannelState& tip = channel.tip();
    ASSERT(channel.agreed.state.version <= tip.version || channel.pending.empty());
    ASSERT(channel.highest_signed >= channel.agreed.state.version);
    ASSERT(channel.pending.size() <= kWindow);
    ASSERT(channel.queue.size() <= kMaxQueuedOps + kWindow * kMaxOpsPerUpdate);
    ASSERT(!channel.close || channel.close->close.version > channel.agreed.state.version);
    for (std::size_t i = 0; i < channel.terms.assets.size(); ++i) {
        ASSERT(tip.net[i].within_bits(kNetBits));
        ASSERT(tip.asset_marks[i].sign() > 0);
        ASSERT(tip.locked_by(Party::A, i).sign() >= 0 && tip.locked_by(Party::B, i).sign() >= 0);
    }
    std::uint64_t before = channel.agreed.state.version;
    for (const PendingUpdate& pending : channel.pending) {
        ASSERT(pending.update.version > before);
        before = pending.update.version;
    }
}

}  // namespace

void step(const Context& context, Channel& channel, Input input, Effects& effects) {
    const Turn turn{context, channel, effects};
    std::visit([&](auto& i) { on_input(turn, i); }, input);
    check_invariants(channel);
}

}  // namespace hedgerow::channel
