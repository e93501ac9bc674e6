#pragma once

#include <map>
#include <set>

#include "daemon/node/channel_manager.h"
#include "daemon/node/enforcer.h"
#include "daemon/node/stored_ids.h"
#include "wallet/chain/contract_events.h"

namespace hedgerow::daemon {

/// Everything the node does on chain about its channels: challenge, answer, reveal, attest, settle, claim, close and
/// withdraw. Each is a job of the transaction manager under a name of its own, so that nothing happens twice and
/// everything survives a restart.
class Disputes final : public ChainEffects {
  public:
    explicit Disputes(NodeParts& parts) : m_parts(parts), m_enforcer(parts), m_stored_undone(parts, "undone") {}

    // ChainEffects
    void challenge(const channel::Channel& channel) override;
    void respond(const channel::Channel& channel) override;
    void close_ready(const channel::Channel& channel, const channel::CloseReady& close) override;
    void withdraw_ready(const channel::Channel& channel, const channel::WithdrawReady& withdraw) override;
    void status_changed(const channel::Channel& channel) override;

    /// The state that the contract has recorded: settle needs all of it.
    void remember(const channel::ChannelId& id, const channel::State& state);
    void claim(const wallet::Held& held, std::uint64_t block, std::uint64_t log_index);
    /// A confirmed end left the chain: until end_confirmed() the channel is brought to its end once more, by us if need
    /// be, though the core goes on calling it closed.
    void end_undone(const channel::ChannelId& id);
    void end_confirmed(const channel::ChannelId& id);
    /// What was under way when the node stopped.
    void resume();
    /// At every block, and now and then.
    void tick();

    // Who waits for the transaction of their close or withdrawal.
    void wait_for_challenge(const channel::ChannelId& id, Answer<channel::TxHash> done);
    /// Of a closing channel, where both have signed; else once they have.
    void close_now(const channel::Channel& channel);
    void wait_for_close(const channel::ChannelId& id, Answer<channel::TxHash> done);
    /// Answers from the transaction of a withdrawal up to `total`, where there is one; true too where the chain paid it
    /// already and nothing is known here of the transaction, which is then looked up in the chain's past.
    [[nodiscard]] bool answer_withdrawal(const channel::Channel& channel, std::uint8_t asset, channel::Amount total,
                                         const Answer<channel::TxHash>& done);
    void wait_for_withdraw(const channel::ChannelId& id, std::uint8_t asset, channel::Amount total,
                           Answer<channel::TxHash> done);
    void stop_waiting_for_withdraw(const channel::ChannelId& id, std::uint8_t asset, channel::Amount total,
                                   const Fault& fault);
    void stop_waiting_for_close(const channel::ChannelId& id, const Fault& fault);

  private:
    struct WithdrawKey {
        channel::ChannelId id;
        std::uint8_t asset = 0;
        channel::Amount total;
        bool operator<(const WithdrawKey& o) const {
            return std::tie(id, asset, total) < std::tie(o.id, o.asset, o.total);
        }
    };

    struct Undone {
        std::uint64_t since_ms = 0;  ///< steady
        std::uint64_t version = 0;   ///< that the contract recorded when last seen
    };

    [[nodiscard]] std::optional<channel::State> recorded_state(const channel::Channel& channel,
                                                               std::uint64_t version) const;
    void look(const channel::Channel& channel, const channel::State& state);
    void act(const channel::ChannelId& id, const DisputeLook& look);
    void act_undone(const channel::ChannelId& id, Undone& undone, const DisputeLook& look);
    void end_again(const channel::Channel& channel);
    void resume_undone(const channel::ChannelId& id);
    void take_undone(const channel::Channel& channel);
    void answer_forced();
    struct PaidSearch;
    void find_paid(const std::shared_ptr<PaidSearch>& search);
    [[nodiscard]] Enforced enforced(const channel::Channel& channel) const;

    NodeParts& m_parts;
    Enforcer m_enforcer;
    std::map<channel::ChannelId, channel::State> m_recorded;
    std::set<channel::ChannelId> m_looking;
    std::map<channel::ChannelId, std::uint64_t> m_next_look_ms;
    std::map<channel::ChannelId, Undone> m_undone;
    StoredIds<(1 << 20)> m_stored_undone;
    std::multimap<channel::ChannelId, Answer<channel::TxHash>> m_challenges;
    std::multimap<channel::ChannelId, Answer<channel::TxHash>> m_closes;
    std::multimap<WithdrawKey, Answer<channel::TxHash>> m_withdrawals;
};

}  // namespace hedgerow::daemon
