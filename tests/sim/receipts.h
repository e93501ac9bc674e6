#pragma once

#include <functional>
#include <map>
#include <set>

#include "channel/messages/peer.h"

namespace hedgerow::sim {

using channel::ChannelId;
using channel::NodeId;
using channel::Party;

class Verdict;

/// What towers promised, by the receipts that they sent: whether they keep to one story, and which version of a channel
/// they answer for. The channel of a locator is known from the watch secret that its opening showed.
class Receipts {
  public:
    explicit Receipts(Verdict& verdict) : m_verdict(verdict) {}

    void add_tower(const NodeId& tower) { m_towers.insert(tower); }
    /// It is never started again: nobody is held to what it promised.
    void set_dead(const NodeId& tower) { m_dead.insert(tower); }
    [[nodiscard]] bool is_tower(const NodeId& node) const { return m_towers.contains(node); }
    [[nodiscard]] std::size_t live() const { return m_towers.size() - m_dead.size(); }
    [[nodiscard]] std::size_t dead() const { return m_dead.size(); }
    void know(const ChannelId& id, const channel::Secret& secret);

    /// What a tower sent. `is_over`: the end of that channel is on chain.
    void on_frame(const NodeId& tower, const NodeId& client, const channel::PeerMessage& message, std::uint64_t now_ms,
                  const std::function<bool(const ChannelId&)>& is_over);

    /// The newest version of that channel that a live tower promised that party before `before_ms`; 0: none.
    [[nodiscard]] std::uint64_t promised(const ChannelId& id, Party party, std::uint64_t before_ms = UINT64_MAX) const;
    /// The newest version that this tower promised.
    [[nodiscard]] std::uint64_t promised_by(const NodeId& tower, const ChannelId& id, Party party) const;
    /// How many towers promised that version or a newer one.
    [[nodiscard]] std::size_t holders(const ChannelId& id, Party party, std::uint64_t version) const;

    [[nodiscard]] std::uint64_t count() const { return m_count; }

  private:
    struct Given {
        std::uint64_t at_ms = 0;
        channel::TowerReceipt receipt;
    };
    struct Whose {
        ChannelId channel;
        Party party = Party::A;
    };
    using Key = std::tuple<NodeId, ChannelId, Party>;  ///< tower first
    void saw(const NodeId& tower, const NodeId& client, const channel::TowerReceipt& receipt, std::uint64_t now_ms);
    void check_next(const std::string& what, const Given& last, const channel::TowerReceipt& receipt);
    void denies(const NodeId& tower, const channel::TowerRefuse& refuse,
                const std::function<bool(const ChannelId&)>& is_over);

    Verdict& m_verdict;
    std::set<NodeId> m_towers;
    std::set<NodeId> m_dead;
    std::map<std::pair<NodeId, channel::Locator>, Whose> m_whose;
    std::map<Key, std::map<std::uint64_t, Given>> m_given;  ///< by number
    std::uint64_t m_count = 0;
};

}  // namespace hedgerow::sim
