#pragma once

#include <map>
#include <unordered_map>

#include "daemon/base/workers.h"
#include "daemon/node/channel_restore.h"
#include "daemon/node/local_ops.h"
#include "daemon/node/node_parts.h"

namespace hedgerow::daemon {

/// What the core wants done on chain; performed by Disputes.
class ChainEffects {
  public:
    virtual ~ChainEffects() = default;
    virtual void challenge(const channel::Channel& channel) = 0;
    virtual void respond(const channel::Channel& channel) = 0;
    virtual void close_ready(const channel::Channel& channel, const channel::CloseReady& close) = 0;
    virtual void withdraw_ready(const channel::Channel& channel, const channel::WithdrawReady& withdraw) = 0;
    virtual void status_changed(const channel::Channel& channel) = 0;
};

/// Every channel of the node: steps the core, and performs its effects in order behind the turn's one commit
/// (DESIGN 5.4).
class ChannelManager {
  public:
    /// Turns of one channel that may wait for the disk before its next update is cut: more only makes more, smaller
    /// updates.
    static constexpr std::size_t kMaxTurnsPerChannel = 2;

    ChannelManager(NodeParts& parts, ChainEffects& chain_effects);

    /// At start, before anything else: a channel that the store has. Throws StoreError{corrupt} where the policy does not know it
    /// as ours.
    void take_up(RestoredChannel restored);
    /// All are there. After an accepted stale database every channel is recovering (DESIGN 5.7).
    void restored(bool stale);
    /// A channel whose opening is agreed; stored with this turn.
    channel::Channel& add(channel::Channel channel, std::uint32_t signer_index);

    /// A channel from a backup, whose `record` and signer were checked: recovering from now on (spec 6.8), stored with
    /// this turn. One that is known and at least as new is left alone. True where something was recovered.
    bool recover_from(channel::Channel channel, std::uint32_t signer_index, const channel::Bytes& record);

    [[nodiscard]] const channel::Channel* find(const channel::ChannelId& id) const;
    /// Of a channel that is known.
    [[nodiscard]] std::uint32_t signer_index(const channel::ChannelId& id) const;
    [[nodiscard]] std::vector<const channel::Channel*> all() const;
    /// Those with which something is under way: in flight, waited for, locked, disputed, closing, or just now. All others are left alone
    /// until something happens to them.
    [[nodiscard]] std::vector<const channel::Channel*> lively() const;
    [[nodiscard]] std::size_t count_not_closed() const;
    /// Channels that this node has, or had, with that peer.
    [[nodiscard]] std::size_t count_with(const channel::NodeId& peer) const { return with(peer).size(); }
    [[nodiscard]] std::size_t count() const { return m_entries.size(); }

    void feed(const channel::ChannelId& id, channel::Input input);
    void feed_all(const channel::Input& input);
    /// Connects every channel with that peer: kMaxConnectsPerTurn a turn, and no more while kMaxQueuedBytes wait for it.
    void on_ready(const channel::NodeId& peer);
    void on_lost(const channel::NodeId& peer);
    /// A message about a channel; faults are answered by name and change nothing.
    void on_message(const channel::NodeId& peer, channel::PeerMessage message);

    /// A newer co-signed state that a tower kept for us: we are behind our own past, and recovering from now on.
    void adopt(const channel::HandOver& state);
    /// What towers hold of that channel has grown.
    void towers_hold_more(const channel::ChannelId& id);
    /// `action` runs once this turn is durable and enough towers hold that version (or none is waited for), in order.
    /// Where towers stay away, `late` runs after kTowerWaitMs and `action` whenever they are back.
    void report(const channel::ChannelId& id, std::uint64_t version, std::function<void()> action,
                std::function<void()> late);
    static constexpr std::uint64_t kTowerWaitMs = 10'000;
    /// The newest version that the peer said it has, since it was last connected; nothing where it has not said.
    [[nodiscard]] std::optional<std::uint64_t> peer_said(const channel::ChannelId& id) const;

    void submit(const channel::ChannelId& id, const channel::Op& op, const ClientRef& ref, Answer<OpDone> done);
    channel::LocalId submit(const channel::ChannelId& id, const channel::Op& op,
                            std::function<void(channel::Rule)> refused);
    [[nodiscard]] channel::Expected<channel::LocalId, channel::Rule> submit(const channel::ChannelId& id,
                                                                            std::vector<channel::Op> ops, SinkId sink);
    [[nodiscard]] SinkId add_sink(OpSink& sink) { return m_local.add_sink(sink); }

    /// Cuts updates and signs what came together, then adds the changed heads to the turn's commit.
    void end_of_turn();
    /// The last turn had more to sign than one may.
    [[nodiscard]] bool more_to_sign() const { return m_signed >= kMaxSignaturesPerTurn && !m_touched.empty(); }
    /// More wait for the next: while the disk and the other side work on these.
    static constexpr std::size_t kMaxSignaturesPerTurn = 64;
    /// Channels that a new link waits for, and that could be connected now.
    [[nodiscard]] bool more_to_connect() const { return m_connects_now; }
    static constexpr std::size_t kMaxConnectsPerTurn = 256;
    static constexpr std::size_t kMaxQueuedBytes = std::size_t{1} << 20;
    static constexpr std::uint64_t kConnectAgainMs = 5;  ///< how long a peer has to read what waits
    void tick();

  private:
    struct Computed;
    struct Held {
        std::uint64_t version = 0;
        std::uint64_t since_ms = 0;
        std::function<void()> action;
        std::function<void()> late;
    };
    struct Entry {
        channel::Channel channel;
        std::uint32_t signer_index = 0;
        bool touched = false;
        bool lively = false;  ///< in m_lively
        bool head_dirty = false;
        bool stored = false;  ///< something of it is in this turn's commit
        bool to_connect = false;  ///< its peer is there; its turn comes, at the latest with the peer's first message about it
        std::size_t turns_in_flight = 0;
        std::map<std::uint64_t, channel::List<channel::Amount, channel::kMaxAssets>>
            nets;  ///< of versions being agreed
        channel::Queue<Held> held;              ///< what waits for towers, in order
        std::unique_ptr<channel::Ack> ack;      ///< taken beside the others of this turn, or before anything else happens to it
        Computed* computed = nullptr;    ///< what its turn came to and was not performed: so is this
        std::uint64_t ask_peer_ms = 0;          ///< recovering: when the peer is asked though towers are silent; 0: not waiting
        std::optional<std::uint64_t> peer_said;
    };

    /// What a channel's turn comes to, computed beside those of others: the core's step, and the policy's signature where it asks for one. Nothing
    /// of it has left the channel.
    struct Computed {
        Entry* entry = nullptr;
        std::unique_ptr<channel::Ack> ack = nullptr;  ///< what it takes; of a flush: none
        bool again = false;  ///< its queue holds more than one update's worth of ops
        channel::Effects before;
        std::optional<channel::Expected<PolicySignature, channel::Rule>> signature;
        channel::Effects after;  ///< that signature's, and what was behind it
    };

    [[nodiscard]] Entry* entry(const channel::ChannelId& id);
    [[nodiscard]] std::span<Entry* const> with(const channel::NodeId& peer) const;
    void feed(Entry& entry, channel::Input input);
    void touch(Entry& entry);
    void tick(Entry& entry);
    [[nodiscard]] static bool is_lively(const Entry& entry);
    void recover(Entry& entry);
    [[nodiscard]] static bool owed(const Entry& entry, const channel::Op& op);
    void connect(Entry& entry);
    void connect_more();
    void release(Entry& entry);
    void note_peer(Entry& entry, const channel::PeerMessage& message);
    Entry& insert(channel::Channel channel, std::uint32_t signer_index, channel::ByteView record);
    [[nodiscard]] std::vector<channel::Rule> judge(const channel::Channel& channel,
                                                   const channel::PeerMessage& message) const;
    void market_message(const channel::Channel& channel, const channel::PeerMessage& message);
    void settle(Entry& entry);

    // channel_turns.cpp: how a turn of many channels ends
    static void take_turns(std::vector<Entry*>& entries);
    void take_acks();
    void flush(std::span<Entry* const> entries);
    void flush(const channel::Context& context, Computed& out);
    void compute(std::vector<Computed>& all, const std::function<void(Computed&)>& piece);
    void will_store(Entry& entry);
    void store_heads();

    // effects.cpp: one a kind of effect
    void perform(Computed& computed);
    [[nodiscard]] channel::Expected<PolicySignature, channel::Rule> sign(Entry& entry, const channel::SignState& effect);
    void perform(Entry& entry, const channel::Effects& effects);
    void perform(Entry& entry, const channel::SignState& effect);
    void perform(Entry& entry, const channel::SignClose& effect);
    void perform(Entry& entry, const channel::SignWithdraw& effect);
    void perform(Entry& entry, const channel::PersistHead& effect);
    void perform(Entry& entry, const channel::PersistUpdate& effect);
    void perform(Entry& entry, const channel::Send& effect);
    void perform(Entry& entry, const channel::OpsAccepted& effect);
    void perform(Entry& entry, const channel::OpsAgreed& effect);
    void perform(Entry& entry, const channel::OpRefused& effect);
    void perform(Entry& entry, const channel::StateAgreed& effect);
    void perform(Entry& entry, const channel::StatusChanged& effect);
    void perform(Entry& entry, const channel::PeerFault& effect);
    void perform(Entry& entry, const channel::WithdrawReady& effect);
    void perform(Entry& entry, const channel::CloseReady& effect);
    void perform(Entry& entry, const channel::SubmitChallenge& effect);
    void perform(Entry& entry, const channel::SubmitRespond& effect);
    void store_record(Entry& entry, const channel::Bytes& record);
    [[nodiscard]] channel::List<channel::Amount, channel::kMaxAssets> net_after(const Entry& entry,
                                                                                std::uint64_t version) const;

    NodeParts& m_parts;
    ChainEffects& m_chain_effects;
    LocalOps m_local;
    std::map<channel::ChannelId, std::unique_ptr<Entry>> m_entries;
    std::map<channel::NodeId, std::vector<Entry*>> m_by_peer;
    std::vector<Entry*> m_touched;
    std::size_t m_signed = 0;  ///< states, since this turn's end began
    std::vector<Entry*> m_stored;
    std::vector<Entry*> m_lively;
    struct Connecting {
        std::size_t next = 0;  ///< in the peer's list
        std::size_t end = 0;
    };
    std::map<channel::NodeId, Connecting> m_connecting;
    bool m_connects_now = false;
    bool m_connects_later = false;  ///< a timer is set
    std::vector<Entry*> m_acked;  ///< those with an ack, and perhaps others
    Workers m_workers;
};

/// The channel that a message is about; nothing for one about none.
[[nodiscard]] std::optional<channel::ChannelId> channel_of(const channel::PeerMessage& message);

}  // namespace hedgerow::daemon
