#pragma once

#include <map>

#include "daemon/node/channel_manager.h"
#include "daemon/node/node_parts.h"

namespace hedgerow::daemon {

/// The opening handshake (spec 6.5): OpenPropose, OpenAccept or OpenRefuse, OpenConfirm, OpenDone. Neither side
/// deposits before both have stored the terms and the secret.
class Openings {
  public:
    static constexpr std::size_t kMaxOpenings = 256;       ///< under way, of both roles
    static constexpr std::size_t kMaxPerPeer = 8;          ///< asked of us and not finished
    static constexpr std::uint64_t kTimeoutMs = 30'000;    ///< for an answer
    static constexpr std::uint64_t kAcceptedMs = 600'000;  ///< how long an acceptance of ours stands
    static constexpr std::uint64_t kConfirmedMs =
        86'400'000;  ///< how long we ask the other side whether it has stored the channel

    explicit Openings(NodeParts& parts) : m_parts(parts) {}

    /// What was promised when the node stopped.
    void restore();
    /// Proposes; answers with the channel when both sides have stored it. terms_unacceptable, peer_disconnected,
    /// timeout, ….
    void open(const OpenOrder& order, Answer<channel::ChannelId> done);

    void on_ready(const channel::NodeId& peer);
    void on_lost(const channel::NodeId& peer);
    void on_message(const channel::NodeId& peer, const channel::OpenPropose& message);
    void on_message(const channel::NodeId& peer, const channel::OpenAccept& message);
    void on_message(const channel::NodeId& peer, const channel::OpenRefuse& message);
    void on_message(const channel::NodeId& peer, const channel::OpenConfirm& message);
    void on_message(const channel::NodeId& peer, const channel::OpenDone& message);
    void tick();

    /// The number of the next channel of ours.
    [[nodiscard]] std::uint32_t next_signer() const { return m_next_signer; }
    /// Goes on at `number` or above: what lies below may be used by channels that this database does not know.
    void raise_next_signer(std::uint32_t number);

    enum class Stage : std::uint8_t { proposed, accepted, confirmed };

    /// Stored with its stage: what a restarted node must know to go on.
    struct Record {
        channel::OpeningId id;
        channel::NodeId peer;
        channel::Party me = channel::Party::A;
        Stage stage = Stage::proposed;
        channel::Terms terms;
        channel::RiskTerms risk;
        channel::PublicKey their_key;
        channel::Secret secret;  ///< ours (B) until the channel is stored
        std::uint32_t signer_index = 0;
        std::uint64_t created_ms = 0;
        static constexpr auto fields() {
            using channel::field;
            return std::make_tuple(field("id", &Record::id), field("peer", &Record::peer), field("me", &Record::me),
                                   field("stage", &Record::stage), field("terms", &Record::terms),
                                   field("risk", &Record::risk), field("theirKey", &Record::their_key),
                                   field("secret", &Record::secret), field("signerIndex", &Record::signer_index),
                                   field("created", &Record::created_ms));
        }
    };

  private:
    void store(const Record& record);
    void forget(const channel::OpeningId& id);
    void fail(const channel::OpeningId& id, channel::Rule rule);
    void refuse(const channel::NodeId& peer, const channel::OpeningId& id, channel::Rule rule);
    [[nodiscard]] Record* find(const channel::OpeningId& id, const channel::NodeId& peer);
    [[nodiscard]] channel::Expected<channel::Terms, channel::Rule> terms_for(const OpenOrder& order) const;
    [[nodiscard]] std::uint32_t next_signer_index();
    void begin_channel(const Record& record);
    void become_open(const channel::ChannelId& id);

    NodeParts& m_parts;
    std::map<channel::OpeningId, Record> m_records;
    std::map<channel::OpeningId, Answer<channel::ChannelId>> m_waiting;
    std::uint32_t m_next_signer = 0;
};

/// Where the numbers of a wallet go on whose database does not say which are used: one a second since 2023-11-14, so
/// that it is far above all that were ever used in turn, and below 2^31 for 68 years.
[[nodiscard]] std::uint32_t signer_number_from_clock(std::uint64_t now_ms);

/// Whether we accept what a peer proposes: Rule::none, or the first of terms_unacceptable (assets, oracles, slot,
/// grace, penalty or risk terms that are not ours or stricter), dispute_period_out_of_range, peer_limit, and
/// check_terms's own.
[[nodiscard]] channel::Rule judge_opening(const NodeOptions& options, const channel::OpenPropose& proposal,
                                          const channel::Address& owner_a, const channel::PublicKey& signer_a);

}  // namespace hedgerow::daemon

namespace hedgerow::channel {
template <>
struct EnumCount<daemon::Openings::Stage> {
    static constexpr std::uint64_t value = 3;
};
}  // namespace hedgerow::channel
