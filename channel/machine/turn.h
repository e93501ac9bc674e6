#pragma once

#include "channel/machine/apply.h"
#include "channel/machine/channel.h"

/// What the phases of the machine share. One file a phase: opening, active (leader, follower), closing, disputed, reconnect.
namespace hedgerow::channel {

/// One step in progress.
struct Turn {
    const Context& context;
    Channel& channel;
    Effects& effects;

    template <typename T>
    void emit(T effect) const {
        effects.emplace_back(std::move(effect));
    }
    template <typename T>
    void send(T message) const {
        effects.emplace_back(Send{PeerMessage(std::move(message))});
    }
    void fault(Rule rule) const { emit(PeerFault{rule}); }
    void set_status(Status status) const;
};

/// Rule::none where the channel can go on at all, else why not; a locked wallet or a halted node does not matter here.
[[nodiscard]] Rule may_answer(const Turn& turn);
/// Rule::none where this op may be taken up now, else why not (spec 6.13).
[[nodiscard]] Rule may_take(const Turn& turn, const OpEntry& entry);
/// What a signature of now is for. The ops have passed may_take.
[[nodiscard]] SignReason sign_reason(const Context& context);
/// A version that nobody has used.
[[nodiscard]] std::uint64_t next_version(const Channel& channel);
/// Whether `signature` is the counterparty's on a state of that digest, as far as SignedState asks: its parity is proved with Channel::proves_parity only.
[[nodiscard]] bool state_signed_by_peer(const Channel& channel, const Digest& digest, const Signature& signature);
/// Whether `signature` is the counterparty's on `digest`, and a contract says so too.
[[nodiscard]] bool signed_by_peer(const Channel& channel, const Digest& digest, const Signature& signature);

// leader.cpp
/// What a follower that holds its signature back could gain by these, USD 1e-16 (spec 6.7).
[[nodiscard]] I256 at_risk16(const Channel& channel, const OpList& ops);
void leader_local_op(const Turn& turn, LocalOp input);
void leader_propose(const Turn& turn, Propose propose, const std::vector<Rule>& verdicts);
void leader_flush(const Turn& turn);
void leader_signed(const Turn& turn, const StateSigned& input);
void leader_ack(const Turn& turn, std::uint64_t version, const Signature& signature);
void leader_reject(const Turn& turn, const Reject& reject);
void leader_drop_queue(const Turn& turn, Rule rule);
void leader_tick(const Turn& turn);

// follower.cpp
void follower_local_op(const Turn& turn, LocalOp input);
void follower_refuse(const Turn& turn, const Refuse& refuse);
void follower_update(const Turn& turn, Update update, const std::vector<Rule>& verdicts);
void follower_flush(const Turn& turn);
/// What was applied since the last agreed version, and is not to be signed, is refused from its first version on.
void follower_reject_unsigned(const Turn& turn, Rule rule);
void follower_signed(const Turn& turn, const StateSigned& input);

// agreed.cpp
/// The pending update at the front becomes the agreed one, together with all that it supersedes; `theirs` is the peer's signature on
/// the version `last`, `mine` ours.
void agree_on(const Turn& turn, std::uint64_t last, const Signature& mine, const Signature& theirs);

// reconnect.cpp
void on_connected(const Turn& turn);
void on_disconnected(const Turn& turn);
void on_reestablish(const Turn& turn, const Reestablish& message);
void on_hand_over(const Turn& turn, const HandOver& message);
void on_funds_seen(const Turn& turn, const FundsSeen& message);
void tell_funds(const Turn& turn);

// closing.cpp
/// After a version is agreed: withdrawals to sign, a close to begin.
void after_agreement(const Turn& turn, std::span<const PendingUpdate> done);
void on_close_signed(const Turn& turn, const CloseSigned& input);
void on_close_signature(const Turn& turn, const CloseSignature& message);
void on_withdraw_signature(const Turn& turn, const WithdrawSignature& message);
/// Goes on above a Close whose deadline passed unmined.
void lapse_close(const Turn& turn);
void resume_closing(const Turn& turn);
/// A recovering side wants to close: it proposes a Close with the net of the newest state that it has (spec 6.8).
void close_recovering(const Turn& turn, const LocalOp& input);

// disputed.cpp
void on_chain_dispute(const Turn& turn, const ChainDispute& event);
void on_chain_dispute_gone(const Turn& turn);
void on_force_close(const Turn& turn);
void on_chain_final(const Turn& turn, const ChainFinal& event);

}  // namespace hedgerow::channel
