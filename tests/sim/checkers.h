#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "channel/messages/peer.h"
#include "tests/sim/chain.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/receipts.h"

/// What must hold, judged from outside: by the frames that nodes sent, the answers they gave to their users, and what
/// the chain did. Nothing here asks a node what it believes.
namespace hedgerow::sim {

/// In the last seconds of a dispute whoever must answer can: what the protocol asks of the world.
inline constexpr std::uint64_t kCalmS = 150;

/// What went wrong, in words; a world that has one has failed.
class Verdict {
  public:
    void fail(std::string what) {
        if (m_failures.size() < kMax) m_failures.push_back(std::move(what));
    }
    [[nodiscard]] bool failed() const { return !m_failures.empty(); }
    [[nodiscard]] const std::vector<std::string>& failures() const { return m_failures; }

  private:
    static constexpr std::size_t kMax = 8;
    std::vector<std::string> m_failures;
};

/// The truth about prices, for recomputing settlements: the price of the earliest slots by honest oracles.
using TruePrice = std::function<std::optional<channel::Price>(const Feed& feed, std::uint64_t time_s)>;

/// What a user was told of a payment (an op with a memo of its own).
struct Promise {
    enum class Told : std::uint8_t { nothing, done, refused };
    NodeId payer;
    ChannelId channel;
    Told told = Told::nothing;
    std::uint64_t version = 0;  ///< of the answer, where done
};

/// One channel as the wire showed it.
struct WitnessedChannel {
    channel::Terms terms;
    std::array<NodeId, 2> node{};  ///< by party
    std::map<std::uint64_t, channel::Update> updates;
    std::map<std::pair<Party, std::uint64_t>, channel::Signature> signed_states;
    std::map<std::pair<Party, std::uint64_t>, channel::CloseSignature> signed_closes;
    std::array<std::uint64_t, 2> enforceable{};  ///< newest version that each party is known to hold both signatures of
    [[nodiscard]] const NodeId& of(Party party) const { return node[static_cast<std::size_t>(party)]; }
};

class Checkers {
  public:
    Checkers(Verdict& verdict, const Chain& chain, const EventQueue& queue)
        : m_verdict(verdict), m_chain(chain), m_queue(queue), m_receipts(verdict) {}

    // Observation.
    void set_liar(const NodeId& node) { m_liars.insert(node); }
    /// That node lost data (a restored copy): what it holds is what it says from now on.
    void lost_data(const NodeId& node);
    /// That node is switched off for longer than a dispute lasts: its towers must answer for it.
    void goes_away(const NodeId& node);
    void comes_back(const NodeId& node);
    /// How many towers must hold a version before that node reports what it did there.
    void set_sync(const ChannelId& id, const NodeId& node, std::size_t towers) { m_sync[{id, node}] = towers; }
    [[nodiscard]] Receipts& receipts() { return m_receipts; }
    void on_frame(const NodeId& from, const NodeId& to, channel::ByteView frame);
    void on_payment_asked(const std::string& memo, const NodeId& payer, const ChannelId& channel);
    void on_payment_done(const std::string& memo, std::uint64_t version);
    void on_payment_refused(const std::string& memo);
    /// A deposit of an amount that no other has, asked for once or again; and its user told that it is sent.
    void on_deposit_asked(const ChannelId& channel, Amount amount) { m_deposits[amount] = {channel, 0}; }
    void on_deposit_told(const ChannelId& channel, Amount amount, std::uint64_t now_s) {
        m_deposits[amount] = {channel, now_s};
    }
    /// Its payee knows the preimage of that hash.
    void on_invoice(const channel::LockHash& hash, const NodeId& payee) { m_invoices[hash] = payee; }

    // Judgement.
    /// At any time: every coin and token is somewhere, and the contract holds what it owes.
    void check_conservation();
    /// At the end, once blocks are final: every channel's outcome.
    void check_outcomes(const TruePrice& truth);

    /// The end of that channel is on chain.
    [[nodiscard]] bool is_over(const ChannelId& id) const;
    /// When the last lock of the state that the chain has recorded expires, Unix seconds; 0 where it has none.
    [[nodiscard]] std::uint64_t locks_end_s(const ChannelId& id) const;
    [[nodiscard]] const std::map<ChannelId, WitnessedChannel>& channels() const { return m_channels; }
    [[nodiscard]] bool is_honest(const NodeId& node) const { return !m_liars.contains(node); }
    [[nodiscard]] std::optional<Party> party_of(const WitnessedChannel& channel, const NodeId& node) const;
    /// Counts of what was judged, so that a checker that never had work is seen.
    struct Counts {
        std::uint64_t frames = 0, updates = 0, signatures = 0, payments_done = 0, settled = 0, closed = 0,
                      recomputed = 0, exact_nets = 0, disputes_answered = 0, locks_settled = 0, held_by_towers = 0,
                      answered_by_towers = 0;
    };
    [[nodiscard]] const Counts& counts() const { return m_counts; }

  private:
    void saw(const NodeId& from, const NodeId& to, const channel::OpenConfirm& confirm);
    void saw(WitnessedChannel& channel, const NodeId& from, const channel::Update& update);
    void saw_state_signature(WitnessedChannel& channel, const ChannelId& id, Party by, std::uint64_t version,
                             const channel::Signature& signature);
    void saw_close_signature(WitnessedChannel& channel, Party by, const channel::CloseSignature& signature);
    void raise(WitnessedChannel& channel, Party party, std::uint64_t version);

    /// What the chain's logs say of one channel.
    struct OnChain {
        std::optional<channel::State> recorded;  ///< newest of the dispute that was settled
        std::uint64_t challenged_version = 0;
        std::uint64_t challenged_at = 0;
        std::uint64_t dispute_end = 0;
        Party challenger = Party::A;
        bool challenged = false;
        bool is_final = false;
        bool by_close = false;
        std::uint64_t version = 0;
        std::uint64_t final_at = 0;
        std::vector<Amount> paid_a, paid_b;
    };
    [[nodiscard]] std::map<ChannelId, OnChain> read_chain() const;
    void check_settled(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end, const TruePrice& truth);
    /// What that party could have enforced, or its towers for it: at least that version settles.
    void check_enforced(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end, Party party);
    /// It was away when that dispute was to be answered.
    [[nodiscard]] bool was_away(const NodeId& node, const OnChain& end) const;
    /// What a live tower had promised that party when there was still time to answer.
    [[nodiscard]] std::uint64_t promised_in_time(const ChannelId& id, Party party, const OnChain& end) const;
    /// An honest party was there, or its tower.
    [[nodiscard]] bool was_defended(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end) const;
    /// A payment is reported only when enough towers have promised its version.
    void check_held(const std::string& memo, const Promise& promise);
    /// What its user was told of versions that nobody who was there could enforce binds nobody.
    void let_go(const NodeId& node, const ChannelId& id, std::uint64_t enforceable);
    void check_locks(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end);
    void check_closed(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end);
    void check_net(const ChannelId& id, const WitnessedChannel& channel, std::uint64_t version,
                   std::span<const Amount> net);
    void check_payments(const ChannelId& id, const WitnessedChannel& channel, std::uint64_t version);
    void check_deposits(const std::map<ChannelId, OnChain>& ends);
    void check_unclamped(const ChannelId& id, const WitnessedChannel& channel, const channel::State& state,
                         std::span<const channel::Holdings> holdings, const std::function<std::uint64_t(const channel::LockHash&)>& registered);
    /// Versions from the first to `version` as each names the one that it is built on; nothing where one was never sent.
    [[nodiscard]] std::optional<std::vector<const channel::Update*>> lineage(const WitnessedChannel& channel,
                                                                             std::uint64_t version) const;

    Verdict& m_verdict;
    const Chain& m_chain;
    const EventQueue& m_queue;
    Receipts m_receipts;
    struct Absence {
        std::uint64_t from_ms = 0;
        std::uint64_t to_ms = UINT64_MAX;
    };
    std::map<NodeId, std::vector<Absence>> m_away;
    std::map<NodeId, std::uint64_t> m_lost_ms;  ///< when it lost data
    std::map<std::pair<ChannelId, NodeId>, std::size_t> m_sync;
    std::set<NodeId> m_liars;
    std::map<ChannelId, WitnessedChannel> m_channels;
    std::map<std::string, Promise> m_promises;
    std::map<channel::LockHash, NodeId> m_invoices;
    struct DepositPromise {
        ChannelId channel;
        std::uint64_t told_s = 0;  ///< 0: not told
    };
    std::map<Amount, DepositPromise> m_deposits;
    Counts m_counts;
};

}  // namespace hedgerow::sim
