#pragma once

#include <functional>

#include "channel/machine/channel.h"
#include "daemon/node/node_parts.h"
#include "daemon/tower/tower_tables.h"

namespace hedgerow::daemon {

/// Subscriptions that are paid for in a channel of the node that the tower is in (spec 10.8). The channel and the tower
/// have a store each, so a payment is kept in the node's, in the commit that makes it ours, until the tower's has
/// credited it; and the tower's remembers what it has credited. However often either dies between, it counts once.
class TowerFees {
  public:
    /// Told when a client's subscription has grown and that is durable.
    using Credited = std::function<void(const channel::NodeId& client)>;

    TowerFees(const NodeParts& node, NodeParts& tower, const TowerFee& fee, Credited credited)
        : m_node(node), m_tower(tower), m_fee(fee), m_credited(std::move(credited)) {}

    /// What an earlier run left.
    void resume();
    /// An op that both parties have signed, in the turn that stores it. Payments to us with the memo count; in another
    /// asset than the fee's they are the operator's all the same, and buy nothing.
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op);

  private:
    void credit(const TowerPayment& payment);

    const NodeParts& m_node;
    NodeParts& m_tower;
    const TowerFee m_fee;
    const Credited m_credited;
};

}  // namespace hedgerow::daemon
