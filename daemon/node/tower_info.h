#pragma once

#include "daemon/store/tower_store.h"

/// What the node tells about its towers.
namespace hedgerow::daemon {

/// What a tower has of one channel.
struct TowerChannelInfo {
    channel::ChannelId channel;
    std::uint64_t agreed = 0;                      ///< newest version that both parties signed
    std::optional<channel::TowerReceipt> promise;  ///< the newest that names a version
    channel::Rule refused = channel::Rule::none;   ///< what the tower last said no for, until it says yes
    std::uint64_t refused_ms = 0;
    bool broken = false;  ///< it contradicted a receipt of its own
    bool ended = false;
};
struct TowerInfo {
    channel::NodeId id;
    std::string uri;
    bool connected = false;
    std::optional<channel::TowerPlan> plan;  ///< nothing: it was not there yet in this run
    std::vector<TowerChannelInfo> channels;  ///< ascending by id
};
/// All that proves one promise to a third party.
struct TowerProof {
    PromiseRow promise;
    std::vector<EvidenceRow> evidence;
};

/// What became of asking for a channel's newest state (spec 6.8).
struct TowerAnswer {
    channel::NodeId tower;
    std::uint64_t version = 0;  ///< 0: it has nothing
    std::uint64_t at_ms = 0;
};

}  // namespace hedgerow::daemon
