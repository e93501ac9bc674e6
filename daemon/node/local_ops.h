#pragma once

#include <map>
#include <unordered_map>

#include "daemon/node/node_parts.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

/// Who submits many ops and does not wait for each (a market maker in the process, a load generator). Calls are on the node thread.
class OpSink {
  public:
    virtual ~OpSink() = default;
    /// We hold the other side's signature on these, and both have stored what they signed; that we hold it is not stored yet. Within the
    /// turn: whoever acts on it waits for on_agreed.
    virtual void on_held(const channel::Channel&, const channel::OpsAgreed&) {}
    /// Both have signed these, durable; of the ids some may be others'.
    virtual void on_agreed(const channel::Channel& channel, const channel::OpsAgreed& agreed) = 0;
    /// Not done, and never will be.
    virtual void on_refused(channel::LocalId id, channel::Rule rule) = 0;
};
/// Number of a sink, above 0; it stands in the upper bits of its ops' ids.
using SinkId = std::uint16_t;
[[nodiscard]] constexpr SinkId sink_of(channel::LocalId id) {
    return static_cast<SinkId>(id >> 48);
}

/// Ops that somebody here asked for: who waits for each, and under which reference, so that the same reference never
/// acts twice, whatever crashes in between.
///
/// A reference is stored as pending with the update that holds its op (leader), and as done with the signature that
/// makes it agreed. A follower's op that is not agreed when it crashes is never done: its proposal is unknown
/// afterwards (spec 6.3).
class LocalOps {
  public:
    static constexpr std::size_t kMaxWaiting = 262'144;

    explicit LocalOps(NodeParts& parts) : m_parts(parts) {}

    /// References that were pending when the node stopped.
    void restore();

    /// What is known of the reference already: true where `done` has been or will be answered and nothing is to be
    /// submitted.
    [[nodiscard]] bool answered_before(const ClientRef& ref, const channel::ChannelId& id, const channel::Op& op,
                                       Answer<OpDone>& done);
    /// No room for `more`.
    [[nodiscard]] bool full(std::size_t more = 1) const { return m_waiting.size() + m_sunk + more > kMaxWaiting; }
    /// A new number for an op, while not full().
    [[nodiscard]] channel::LocalId begin(const channel::ChannelId& id, const channel::Op& op, const ClientRef& ref,
                                         Answer<OpDone> done);
    [[nodiscard]] channel::LocalId begin(std::function<void(channel::Rule)> refused);
    /// The first of `count` new numbers.
    [[nodiscard]] channel::LocalId begin(SinkId sink, std::size_t count);
    /// Not owned.
    [[nodiscard]] SinkId add_sink(OpSink& sink);

    // Effects of the core, in order; they store at once and answer when durable.
    void accepted(const channel::Channel& channel, const channel::OpsAccepted& ops);
    void agreed(const channel::Channel& channel, const channel::OpsAgreed& ops);
    void refused(channel::LocalId id, channel::Rule rule);
    /// Whether this node may have forgotten what was done in that channel: then nobody may be told that it was not.
    [[nodiscard]] static bool may_have_forgotten(const channel::Channel& channel);
    /// channel_recovering, with its outcome unknown.
    [[nodiscard]] static Fault forgotten();
    /// Of a channel that is not in the store: forgotten(), where that may be for a lost disk, else channel_unknown.
    [[nodiscard]] static Fault unknown_channel(const NodeParts& parts);
    /// Every second or so.
    void tick();
    /// Channels of what a restart left unresolved.
    [[nodiscard]] std::vector<channel::ChannelId> unresolved() const;
    /// Everything of that channel that a restart left unresolved and that cannot be done any more.
    void settle_unresolved(const channel::Channel& channel);

  private:
    /// Of an op with a reference.
    struct Named {
        channel::ChannelId channel;
        ClientRef ref;
        channel::Hash request;
        std::uint64_t created_ms = 0;
        std::vector<Answer<OpDone>> others;  ///< who asked again
    };
    struct Waiting {
        Answer<OpDone> done;
        std::function<void(channel::Rule)> refused;
        std::unique_ptr<Named> named;  ///< null without a reference
    };
    /// Agreed, but not reported yet: the disk, or towers, are waited for.
    struct Agreed {
        ClientRef ref;
        channel::Hash request;
        std::vector<Answer<OpDone>> done;
        bool late = false;  ///< told that it is not known
    };
    /// One op of an update that is agreed and not reported yet.
    struct Told {
        std::uint16_t index = 0;
        Answer<OpDone> done;
        std::shared_ptr<Agreed> named;  ///< instead of `done`, of one with a reference
    };
    /// Done before, by what the store says; the chain may have settled an older state while we were away.
    struct Past {
        ClientRefRow row;
        Answer<OpDone> done;
        std::uint64_t since_ms = 0;
    };
    struct Unresolved {
        ClientRefRow row;
        std::vector<Answer<OpDone>> done;
    };

    void store(const ClientRefRow& row);
    void take_agreed(const channel::Channel& channel, const channel::OpAgreed& op, std::vector<Told>& told);
    void report(const OpDone& update, std::vector<Told> told);
    void answer(Told& told, const Result<OpDone>& result);
    [[nodiscard]] ClientRefRow row_of(const Named& named, RefOutcome outcome) const;
    void finish(Unresolved unresolved, const channel::Channel& channel, const channel::OpAgreed& op);
    /// Answers as done once that may be reported (ChannelManager::report).
    void answer_agreed(const ClientRef& ref, const channel::Hash& request, std::vector<Answer<OpDone>> done,
                       const OpDone& result);
    [[nodiscard]] Result<OpDone> enforced(const OpDone& done) const;
    void agreed_unresolved(const channel::Channel& channel, const channel::OpAgreed& op);

    NodeParts& m_parts;
    channel::LocalId m_next = 1;
    std::unordered_map<channel::LocalId, Waiting> m_waiting;
    std::vector<OpSink*> m_sinks;  ///< by number - 1
    std::size_t m_sunk = 0;        ///< ops of sinks that are under way
    std::unordered_map<ClientRef, channel::LocalId> m_by_ref;  ///< of what is in m_waiting
    std::unordered_map<ClientRef, std::shared_ptr<Agreed>> m_agreed;
    std::multimap<channel::ChannelId, Unresolved> m_unresolved;
    std::vector<Past> m_past;  ///< until the chain has been seen
};

}  // namespace hedgerow::daemon
