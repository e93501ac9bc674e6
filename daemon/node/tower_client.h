#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "daemon/node/node_parts.h"
#include "daemon/node/tower_info.h"

namespace hedgerow::daemon {

/// The node as the client of its towers (spec 10): hands over every co-signed state, at most one at a time to each
/// tower for each channel and always the newest, and keeps the receipts.
///
/// What is owed to a tower is stored nowhere but in the channel's own head: the version agreed there, above the version
/// of the tower's last receipt. So it is durable with the state, keeps only the newest, and costs the update nothing;
/// the blob is sealed when it is sent.
///
/// On each connection the tower is first asked for what it has (TowerFetch): that finds the receipt which a crash kept
/// from us, a tower that lost or put back its own data, and a node that is behind its own past.
class TowerClient {
  public:
    /// What it needs of the node.
    class Host {
      public:
        virtual ~Host() = default;
        [[nodiscard]] virtual const channel::Channel* channel(const channel::ChannelId& id) const = 0;
        [[nodiscard]] virtual std::vector<const channel::Channel*> channels() const = 0;
        [[nodiscard]] virtual bool ready(const channel::NodeId& tower) const = 0;
        /// The chain is followed up to its head, so that what is over is known to be over.
        [[nodiscard]] virtual bool synced() const = 0;
        /// Behind everything that this turn persists.
        virtual void send(const channel::NodeId& tower, const channel::PeerMessage& message) = 0;
        virtual void dial(const std::string& uri, Answer<PeerInfo> done) = 0;
        /// A newer co-signed state than ours, from what a tower kept.
        virtual void hand_over(const channel::HandOver& state) = 0;
        /// Towers hold more of that channel than before.
        virtual void holds_more(const channel::ChannelId& id) = 0;
        [[nodiscard]] virtual channel::NodeSignature sign(std::string_view domain, channel::ByteView message) = 0;
    };

    static constexpr std::size_t kMaxOutstanding = 32;  ///< requests a tower, all channels together
    // Sealing and checking a receipt cost about 0.15 ms, so states that nobody waits for are paced.
    static constexpr std::uint64_t kPaceMs = 10;               ///< between two of one channel to one tower
    static constexpr std::uint64_t kTowerPaceMs = 2;           ///< between two to one tower, on average
    static constexpr std::uint64_t kAnswerTimeoutMs = 10'000;  ///< then it counts as unanswered

    TowerClient(NodeParts& parts, Host& host, const channel::NodeId& me);

    /// What was stored; towers of the configuration that are not known yet are added. Once, before peers connect.
    void restore(const std::vector<std::string>& configured, std::uint8_t default_sync);

    // --- for its owner
    /// tower_limit, peer_is_self, and what a URI can have wrong. A known tower gets the new URI. Answers once it is
    /// connected, or peer_unreachable: it is kept and dialled again all the same.
    void add(const std::string& uri, Answer<TowerInfo> done);
    /// tower_unknown; tower_in_use while a channel waits for more towers than would be left.
    [[nodiscard]] Result<void> remove(const channel::NodeId& tower);
    [[nodiscard]] std::vector<TowerInfo> list() const;
    [[nodiscard]] std::vector<std::string> uris() const;
    [[nodiscard]] bool knows(const channel::NodeId& tower) const { return m_towers.contains(tower); }
    [[nodiscard]] TowerPolicy policy(const channel::ChannelId& id) const;
    /// channel_unknown, tower_unknown, tower_exists (named twice, or the channel's own peer), field_out_of_range (sync
    /// above the number of towers).
    [[nodiscard]] Result<void> set_policy(const channel::ChannelId& id, const TowerPolicy& policy);
    /// The same check for a channel that is about to be opened with that peer.
    [[nodiscard]] Result<void> check_policy(const channel::NodeId& peer, const TowerPolicy& policy) const;
    /// tower_unknown, tower_record_unknown.
    [[nodiscard]] Result<TowerProof> proof(const channel::ChannelId& id, const channel::NodeId& tower) const;
    /// Towers that use this channel, ascending.
    [[nodiscard]] std::vector<channel::NodeId> towers_of(const channel::ChannelId& id) const;
    /// What each said last that it has.
    [[nodiscard]] std::vector<TowerAnswer> answers(const channel::ChannelId& id) const;
    /// A tower of this channel has not said since the start what it has.
    [[nodiscard]] bool unanswered(const channel::ChannelId& id) const;

    // --- from the node
    /// The head of that channel is in this turn's commit. Whether a tower gets its states.
    bool head_stored(const channel::Channel& channel);
    /// Enough towers hold `version`, or none is waited for.
    [[nodiscard]] bool holds(const channel::ChannelId& id, std::uint64_t version) const;
    /// Whether any channel waits for towers: asked for every op.
    [[nodiscard]] bool any_sync() const { return m_any_sync; }
    void on_ready(const channel::NodeId& peer);
    void on_lost(const channel::NodeId& peer);
    void tick();

    void on_message(const channel::NodeId& peer, const channel::TowerReceipt& receipt);
    void on_message(const channel::NodeId& peer, const channel::TowerRecord& record);
    void on_message(const channel::NodeId& peer, const channel::TowerRefuse& refuse);
    void on_message(const channel::NodeId& peer, const channel::TowerPlan& plan);

  private:
    enum class Phase : std::uint8_t { idle, fetching, storing, ending };
    struct Record {
        channel::NodeId tower;
        channel::Locator locator;
        PromiseRow kept;  ///< appointment stays in the database
        bool assigned = true;
        bool fetched = false;       ///< on this connection
        bool may_have_more = true;  ///< what is sealed now may differ from the tower's blob of the same version
        std::vector<channel::LockHash>
            lacking;  ///< of locks that pay us: their preimages were not known when it was sealed
        Phase phase = Phase::idle;
        std::uint64_t sent_ms = 0;
        std::uint64_t sent_version = 0;
        channel::Hash sent_hash;
        channel::Bytes sent_appointment;
        unsigned failures = 0;
        std::uint64_t next_ms = 0;  ///< not before
        channel::Rule refused = channel::Rule::none;
        std::uint64_t refused_ms = 0;
        std::optional<TowerAnswer> answer;
    };
    struct Tower {
        std::string uri;
        std::size_t outstanding = 0;
        std::optional<channel::TowerPlan> plan;  ///< as it said last in this run
        std::uint64_t paced_to_ms = 0;  ///< when the states that were sent would have been, one every kTowerPaceMs
        std::set<channel::ChannelId> due;
    };
    struct ChannelTowers {
        std::optional<TowerPolicy> policy;  ///< nothing: the node's default
        std::vector<Record> records;        ///< few
    };

    [[nodiscard]] ChannelTowers& towers_for(const channel::Channel& channel);
    [[nodiscard]] Record* find(const channel::ChannelId& id, const channel::NodeId& tower);
    [[nodiscard]] const Record* find(const channel::ChannelId& id, const channel::NodeId& tower) const;
    [[nodiscard]] Record* find(const channel::NodeId& tower, const channel::Locator& locator, channel::ChannelId& id);
    Record& add_record(const channel::Channel& channel, ChannelTowers& towers, const channel::NodeId& tower);
    void assign(const channel::Channel& channel, ChannelTowers& towers);
    void assign_all();
    void note_sync();
    [[nodiscard]] std::uint8_t sync_of(const ChannelTowers& towers) const;

    void due(const channel::ChannelId& id, const Record& record);
    void pump(const channel::NodeId& tower);
    void pump_after(const channel::NodeId& tower, std::uint64_t delay_ms);
    /// What the record needs next. False: it stays due, for later.
    bool act(const channel::Channel& channel, Tower& tower, Record& record);
    void fetch(Record& record);
    /// Nothing where the tower has it all already.
    void store(const channel::Channel& channel, Tower& tower, Record& record);
    void end(Record& record);
    [[nodiscard]] std::vector<channel::Preimage> preimages_for(const channel::Channel& channel, Record& record) const;
    void denied(const channel::Channel& channel, Record& record);
    void began(Record& record, Phase phase);
    void answered(Record& record);
    void failed(Record& record, std::uint64_t first_ms, std::uint64_t most_ms);

    [[nodiscard]] bool receipt_is_genuine(const Record& record, const channel::TowerReceipt& receipt) const;
    /// The receipt is the one kept, or the one that follows it.
    [[nodiscard]] static bool follows(const PromiseRow& kept, const channel::TowerReceipt& receipt);
    void keep(Record& record, const channel::TowerReceipt& receipt, const channel::Bytes& appointment);
    void broken(Record& record, const std::optional<channel::TowerReceipt>& said);
    void take_fetched(const channel::Channel& channel, Record& record, const channel::TowerRecord& answer);
    void persist(const Record& record, const channel::Bytes& appointment = {});
    [[nodiscard]] TowerInfo info(const channel::NodeId& id, const Tower& tower) const;

    NodeParts& m_parts;
    Host& m_host;
    const channel::NodeId m_me;
    std::uint8_t m_default_sync = 0;
    bool m_any_sync = false;
    std::map<channel::NodeId, Tower> m_towers;
    std::unordered_map<channel::ChannelId, ChannelTowers, channel::FixedBytesHash> m_channels;
    std::map<std::pair<channel::NodeId, channel::Locator>, channel::ChannelId> m_by_locator;
    std::map<channel::NodeId, std::uint64_t> m_timers;  ///< when the next pump of a tower is due
};

/// The wire encoding of an Appointment of that channel's newest co-signed state with the preimages given; nothing where
/// no blob could hold it, or at version 0.
[[nodiscard]] std::optional<channel::Appointment> appointment_of(const channel::Channel& channel,
                                                                 const std::vector<channel::Preimage>& preimages);

}  // namespace hedgerow::daemon
