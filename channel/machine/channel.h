#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "channel/base/queue.h"
#include "channel/state/channel_state.h"

/// The channel as one side holds it, its inputs and its effects: `step(context, channel, input) -> effects` (spec 6).
namespace hedgerow::channel {

/// How far above the agreed version a leader ever signs (spec 6.4): a challenge that trails by more counts as stale (spec 3.3).
inline constexpr std::size_t kWindow = 64;
inline constexpr std::size_t kPipeline = 48;         ///< of those, for updates with ops; the rest voids what was refused
inline constexpr std::size_t kMaxQueuedOps = 65'536;  ///< waiting at the leader; beyond: queue_full
inline constexpr std::size_t kMaxProposals = 65'536;  ///< waiting at the follower; beyond: queue_full

enum class Status : std::uint8_t {
    opening,     ///< stored here, the other side's OpenDone is still missing
    open,
    closing,     ///< a close op is co-signed; Close signatures are exchanged or the transaction is on its way
    disputed,    ///< challenged on chain: nothing is signed
    recovering,  ///< behind its own past signatures (spec 6.8): never challenges, signs nothing but a Close
    closed,      ///< final on chain
};
template <>
struct EnumCount<Status> {
    static constexpr std::uint64_t value = 6;
};
[[nodiscard]] std::string_view status_name(Status status);

/// Who asked for a local op: the shell's own number, given back in the events about it.
using LocalId = std::uint64_t;

/// A state with both signatures; version 0 has none. Whoever gives them to a contract, tower or user asks for enforceable_signatures.
struct SignedState {
    ChannelState state;
    Digest digest;
    Signature signature_a;  ///< the peer's as it came: its parity bit may be wrong
    Signature signature_b;
    bool parity_proved = false;  ///< it is right; not stored
    [[nodiscard]] const Signature& signature(Party p) const { return p == Party::A ? signature_a : signature_b; }
    [[nodiscard]] Signature& signature(Party p) { return p == Party::A ? signature_a : signature_b; }
};

/// An update that is not co-signed yet. At the leader: sent or about to be; at the follower: applied, not acknowledged.
struct PendingUpdate {
    Update update;
    ChannelState after;
    Digest digest;
    std::vector<LocalId> local_ids;  ///< of each op; 0: not ours, or taken into another update
    std::vector<LocalId> void_ids;   ///< of a void one: local_ids as they were
    I256 at_risk16;                  ///< leader: what the follower could gain by its ops (spec 6.7), USD 1e-16
    std::uint64_t since_ms = 0;      ///< leader: when it was cut, by the steady clock; 0 after a restart
    bool parity_proved = false;      ///< of the peer's signature on it
    bool is_void = false;            ///< refused by the follower, yet enforceable until it signs a higher version (spec 6.7)
    Rule void_rule = Rule::none;
};

struct QueuedOp {
    OpEntry entry;
    LocalId local_id = 0;
    std::uint64_t void_version = 0;  ///< the newest void version that holds it too; 0: none
    std::size_t void_index = 0;
};

struct Proposal {
    std::uint64_t number = 0;
    Op op;
    LocalId local_id = 0;
    bool sent = false;
};

/// What is known of a dispute on chain (spec 7). Times in seconds.
struct Dispute {
    std::uint64_t challenged_at = 0;
    std::uint64_t end = 0;
    std::uint64_t version = 0;  ///< newest recorded
    Party challenger = Party::A;
    std::uint64_t responded_with = 0;  ///< version of our last answer
    static constexpr auto fields() {
        return std::make_tuple(field("challengedAt", &Dispute::challenged_at), field("end", &Dispute::end), field("version", &Dispute::version),
                               field("challenger", &Dispute::challenger), field("respondedWith", &Dispute::responded_with));
    }
    bool operator==(const Dispute&) const = default;
};

/// A Close that we have signed; nothing else is signed until it lapses (spec 6.10).
struct PendingClose {
    Close close;
    Digest digest;
    std::optional<Signature> mine;
    std::optional<Signature> theirs;
    static constexpr auto fields() {
        return std::make_tuple(field("close", &PendingClose::close), field("digest", &PendingClose::digest), field("mine", &PendingClose::mine),
                               field("theirs", &PendingClose::theirs));
    }
};

struct Channel {
    // Fixed at opening.
    Terms terms;
    ChannelId id;
    Hash separator;
    Party me = Party::A;
    NodeId peer;
    PublicKey their_key;
    Secret secret;

    // Seen on chain, confirmed: by us, and as the peer last told us.
    Funds funds_seen;
    Funds funds_peer;

    Status status = Status::opening;
    SignedState agreed;
    Queue<PendingUpdate> pending;
    std::uint64_t highest_signed = 0;  ///< highest version of a State or Close that we ever signed
    std::optional<PendingClose> close;
    std::optional<Dispute> dispute;
    bool lost_data = false;   ///< recovering for good, whatever disputes come and go (spec 6.8)
    bool challenged = false;  ///< we took it to the chain: our challenge stands (spec 7.2)

    // Not durable: rebuilt on reconnection.
    bool connected = false;              ///< Reestablish done on this connection
    bool proves_parity = false;          ///< the shell's: the peer's signatures are verified by recovery, for each state is handed on (to towers)
    bool reestablished = false;          ///< the peer's Reestablish has come on this connection
    bool awaiting_signature = false;     ///< a SignState effect is out
    Queue<QueuedOp> queue;               ///< leader
    Queue<Proposal> proposals;           ///< follower
    std::uint64_t next_proposal = 0;     ///< follower
    std::uint64_t last_proposal_seen = 0;  ///< leader: highest number received on this connection
    std::uint64_t rejected_from = 0;     ///< follower: ignore updates whose base is this version or above
    std::uint64_t void_tried_ms = 0;     ///< leader: when (steady) the last empty update went out to void what was refused

    [[nodiscard]] bool is_leader() const { return me == Party::A; }
    /// After every update that is neither void nor refused: what the next one builds on.
    [[nodiscard]] const ChannelState& tip() const {
        const auto newest = std::find_if(pending.rbegin(), pending.rend(), [](const PendingUpdate& p) { return !p.is_void; });
        return newest == pending.rend() ? agreed.state : newest->after;
    }
};

/// Greatest distance of a lock's expiry from the update's own time, seconds.
inline constexpr std::uint64_t kMaxLockSeconds = 30ULL * 24 * 3600;
/// Greatest distance of a deadline of a withdrawal or close from the update's own time, seconds.
inline constexpr std::uint64_t kMaxDeadlineSeconds = 7ULL * 24 * 3600;

/// Prices that we trust ourselves, to judge the other side by (spec 5.9). What they say never changes a state, only what is refused.
class OwnPrices {
  public:
    virtual ~OwnPrices() = default;
    /// The newest of a feed; nothing where there is none, or only an old one.
    [[nodiscard]] virtual std::optional<Price> price(const Feed& feed) const = 0;
    /// What the chain would take from the channel's oracles for exactly that second; nothing where too few of their packages are at hand.
    [[nodiscard]] virtual std::optional<Price> price_at(const Feed& feed, std::uint64_t time_s, const Terms& terms) const = 0;
};

/// What we take from the other side, by our own policy within what the protocol allows (spec 5.10).
struct PeerLimits {
    std::uint64_t max_lock_s = kMaxLockSeconds;          ///< greatest distance of a lock's expiry
    std::uint64_t max_deadline_s = kMaxDeadlineSeconds;  ///< greatest distance of the deadline of a close or withdrawal
    std::size_t max_locks = kMaxLocks;                   ///< open at a time, of those that the other side pays
    Usd16 min_lock;                                      ///< least worth of a lock, at the state's marks
};

/// When preimages were registered on chain (block time, seconds), as far as we have seen.
using Revealed = std::unordered_map<LockHash, std::uint64_t, FixedBytesHash>;

/// The version that the chain settled; nothing before the end, and after a Close, which holds all that was agreed.
[[nodiscard]] std::optional<std::uint64_t> settled_version(const Channel& channel);

/// The outside world as a step may know it. Nothing in the core reads a clock.
struct Context {
    std::uint64_t now_ms = 0;                  ///< the wall clock, which may be set forward and back
    std::uint64_t steady_ms = 0;               ///< for waits: since whenever, never jumps
    std::uint64_t chain_time_s = 0;            ///< time of the newest block
    std::uint64_t confirmed_chain_time_s = 0;  ///< time of the newest confirmed block
    bool halted = false;                       ///< emergency stop: sign nothing new (spec 6.13)
    bool locked = false;                       ///< the wallet is: sign only what is owed already (spec 6.13)
    std::uint32_t max_clock_skew_ms = 30'000;
    const Revealed* revealed = nullptr;  ///< null: none
    const OwnPrices* prices = nullptr;   ///< null: the other side is judged at the co-signed marks alone
    PeerLimits limits;
};

// --- inputs ---------------------------------------------------------------------------------------------------------

/// Something our user, market or risk logic wants done. Answered by OpsAccepted/OpsAgreed or OpRefused with the same id.
struct LocalOp {
    LocalId local_id = 0;
    Op op;
};
/// Many of them, with ids from `first` on, one above the other.
struct LocalOps {
    LocalId first = 0;
    std::vector<Op> ops;
};
/// A peer's message about this channel, with the shell's verdict on each op (spec 5.1: orders, quotes, price bands):
/// Rule::none where it agrees; empty means none anywhere. Only for Propose and Update.
struct FromPeer {
    PeerMessage message;
    std::vector<Rule> verdicts;
};
/// All inputs of this turn are in: cut an update, sign and acknowledge what was applied, send proposals.
struct Flush {};
/// The answer to SignState / SignClose.
struct StateSigned {
    std::uint64_t version = 0;
    Signature signature;
};
struct CloseSigned {
    Signature signature;
};
struct Connected {};     ///< transport is up and Hello was exchanged
struct Disconnected {};
struct Tick {};          ///< now and then, for time-outs
struct Opened {};        ///< the opening handshake is complete and stored on both sides
struct ForceClose {};    ///< take the newest co-signed state to the chain

// Events of the chain. Deposits and withdrawals count when confirmed; a challenge counts at once.
struct ChainDeposit {
    Party party = Party::A;
    std::uint8_t asset = 0;
    Amount total;  ///< cumulative
};
struct ChainWithdrawal {
    Party party = Party::A;
    std::uint8_t asset = 0;
    Amount total;
};
/// Challenged or responded: what the contract now records.
struct ChainDispute {
    std::uint64_t challenged_at = 0;
    std::uint64_t end = 0;
    std::uint64_t version = 0;
    Party challenger = Party::A;
};
struct ChainDisputeGone {};  ///< a reorganisation took the challenge back
/// The end, confirmed: by a Close that both signed, or the settlement of the dispute's newest recorded state.
struct ChainFinal {
    bool settled = false;
};

using Input = std::variant<LocalOp, LocalOps, FromPeer, Flush, StateSigned, CloseSigned, Connected, Disconnected, Tick, Opened, ForceClose, ChainDeposit,
                           ChainWithdrawal, ChainDispute, ChainDisputeGone, ChainFinal>;

// --- effects, to be performed in order: everything persisted is durable before anything after it is sent --------------------

/// Why a state is signed: what a wallet's policy must know of it, for the state itself does not say (spec 6.13).
enum class SignReason : std::uint8_t {
    business,    ///< whatever the user, market or peer wanted
    obligation,  ///< only what was owed before, or pays us: is_obligation
    voiding,     ///< an empty update, which ends the peer's choice to enforce what was refused
};
struct SignState {
    std::uint64_t version = 0;
    Digest digest;
    SignReason reason = SignReason::business;
};
struct SignClose {
    Close close;
};
/// Sign `withdraw` for the counterparty and send it a WithdrawSignature (or, being the withdrawing party, wait for it).
struct SignWithdraw {
    Withdraw withdraw;
};
/// Store the head of the channel: encode_head(channel).
struct PersistHead {};
/// Store one update: a row of history and, at the leader, what is in flight. A later one of the same version replaces it.
struct PersistUpdate {
    Update update;
    bool is_void = false;
    Encoding after;  ///< at the leader: the ChannelState after it, so that a restart repeats no judgement; empty at the follower
};
struct Send {
    PeerMessage message;
};

/// These ops of ours are in an update (leader) and durable with it; they count when OpsAgreed comes.
struct OpsAccepted {
    std::uint64_t version = 0;
    std::vector<LocalId> local_ids;  ///< by index in the update; 0: not ours
};
/// Every op of a version that both have now signed, in order.
struct OpsAgreed {
    std::uint64_t version = 0;
    std::uint64_t timestamp_ms = 0;
    OpList ops;
    std::vector<LocalId> local_ids;  ///< of each op; 0: the peer's, or ours from before a restart
};
/// One of them, as it is told to those who take ops one by one.
struct OpAgreed {
    LocalId local_id = 0;
    std::uint64_t version = 0;
    std::uint16_t index = 0;
    std::uint64_t timestamp_ms = 0;
    const OpEntry& entry;
};
template <typename Fn>
void for_each_op(const OpsAgreed& agreed, Fn&& fn) {
    for (std::size_t i = 0; i < agreed.ops.size(); ++i)
        fn(OpAgreed{agreed.local_ids[i], agreed.version, static_cast<std::uint16_t>(i), agreed.timestamp_ms, agreed.ops[i]});
}
/// Not done, and never will be.
struct OpRefused {
    LocalId local_id = 0;
    Rule rule = Rule::none;
};
/// A new version is agreed: `channel.agreed` is the newest enforceable state.
struct StateAgreed {
    std::uint64_t version = 0;
};
struct StatusChanged {
    Status status = Status::open;
};
struct PeerFault {
    Rule rule = Rule::none;
};
/// The other side's authorisation to withdraw, ready for the chain with our own signature.
struct WithdrawReady {
    Withdraw withdraw;
    Signature theirs;
};
struct CloseReady {
    Close close;
    Signature signature_a;
    Signature signature_b;
};
struct SubmitChallenge {};  ///< with channel.agreed
struct SubmitRespond {};    ///< with channel.agreed

using Effect = std::variant<SignState, SignClose, SignWithdraw, PersistHead, PersistUpdate, Send, OpsAccepted, OpsAgreed, OpRefused, StateAgreed,
                            StatusChanged, PeerFault, WithdrawReady, CloseReady, SubmitChallenge, SubmitRespond>;
using Effects = std::vector<Effect>;

/// One step. Never fails: a fault of peer or user becomes an effect (Send Reject, OpRefused, PeerFault) and changes nothing else.
/// Invariants (spec 6.12) are asserted after every step, in every build.
void step(const Context& context, Channel& channel, Input input, Effects& effects);

/// Those of the agreed state as a contract recovers both signers from them; zeros for version 0. Costs a recovery where the parity of the peer's is
/// not proved yet: verification against its key (spec 2.4) does not do that.
[[nodiscard]] BothSignatures enforceable_signatures(const Channel& channel);

// --- durable form ---------------------------------------------------------------------------------------------------

/// A fresh channel, status opening. The terms have passed check_terms.
[[nodiscard]] Channel make_channel(const Terms& terms, const RiskTerms& risk, const List<Price, kMaxAssets>& asset_marks, const Hash& separator,
                                   Party me, const NodeId& peer, const PublicKey& their_key, const Secret& secret);

/// Everything durable except the pending updates, canonical.
[[nodiscard]] Bytes encode_head(const Channel& channel);
/// The same, but for its long lists.
[[nodiscard]] Encoding encode_head_beside(const Channel& channel);
/// The channel again, from its head and its stored updates above the agreed version, in order of version.
[[nodiscard]] Expected<Channel, Rule> restore_channel(ByteView head, const Hash& separator, const std::vector<PersistUpdate>& pending);

}  // namespace hedgerow::channel
