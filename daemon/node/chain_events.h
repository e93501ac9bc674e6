#pragma once

#include <memory>

#include "daemon/chain/tracker.h"
#include "daemon/node/channel_manager.h"
#include "daemon/node/stored_ids.h"

namespace hedgerow::daemon {

class Disputes;

/// What happens on chain, as inputs of the core. Deposits, withdrawals and ends of channels count when confirmed, a
/// challenge at once; what a reorganisation takes back is looked up anew (spec 7). The follower's cursor is stored with
/// the effects of its batch.
class ChainEvents {
  public:
    ChainEvents(NodeParts& parts, Disputes& disputes)
        : m_parts(parts),
          m_disputes(disputes),
          m_looking_back(parts, "look_back"),
          m_asking_dispute(parts, "ask_dispute"),
          m_asking_holdings(parts, "ask_holdings") {}

    void take(const ChainBatch& batch);
    /// What happened so far to channels that came from a backup, once more from the adjudicator's first block; goes on
    /// after a restart.
    void look_back(const std::vector<channel::ChannelId>& ids);
    /// Looks and questions that a stop interrupted.
    void resume();
    [[nodiscard]] bool synced() const { return m_synced; }

  private:
    void seen(const ChainEvent& event);
    void confirmed(const ChainEvent& event);
    void rolled_back(const ChainEvent& event, bool was_confirmed);
    void challenged(const wallet::Challenged& event);
    void responded(const wallet::Responded& event);
    void funds(const channel::ChannelId& id, channel::Party party, const channel::Address& token, channel::Amount total,
               bool deposit);
    void revealed(const wallet::Revealed& event, std::uint64_t time_s);
    // look_back.cpp
    struct LookBack;
    void look_further(const std::shared_ptr<LookBack>& look);
    void looked(LookBack& look, const ChainInput& input);
    void looked_back(const LookBack& look);
    [[nodiscard]] bool behind_known(const ChainEvent& event) const;

    void ask_dispute(const channel::ChannelId& id);
    void ask_holdings(const channel::ChannelId& id);

    NodeParts& m_parts;
    Disputes& m_disputes;
    bool m_synced = false;
    StoredIds<8'192> m_looking_back;
    // What raises a question the follower says only once.
    StoredIds<(1 << 20)> m_asking_dispute;
    StoredIds<(1 << 20)> m_asking_holdings;
};

/// Index of a token in a channel's terms; nothing where it is not listed.
[[nodiscard]] std::optional<std::uint8_t> asset_index(const channel::Terms& terms, const channel::Address& token);

}  // namespace hedgerow::daemon
