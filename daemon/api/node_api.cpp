#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"
#include "daemon/api/format.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

Json info_json(const Node& node) {
    const NodeInfo info = node.info();
    const Json chain{{"chainId", info.chain_id}, {"adjudicator", checksum_address(info.adjudicator)}, {"height", info.height}, {"synced", info.synced}};
    Json out{{"nodeId", to_hex(info.node_id)}, {"uri", info.uri}, {"version", HEDGEROW_VERSION}, {"chains", Json::array({chain})},
            {"channels", info.channels}, {"halted", info.halted}, {"walletLocked", info.wallet_locked}, {"recovering", info.recovering}};
    if (info.may_lack_channels) out["mayLackChannels"] = true;
    if (info.starting) out["starting"] = true;
    return out;
}

Json peer_json(const Node& node, const PeerInfo& peer) {
    Json out{{"nodeId", to_hex(peer.node_id)}, {"connected", peer.connected}};
    if (peer.latency_us >= 0) out["latencyMs"] = static_cast<double>(peer.latency_us) / 1000.0;
    const std::string uri = node.peer_uri(peer.node_id);
    if (!uri.empty()) out["uri"] = uri;
    return out;
}

}  // namespace

void bind_node_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    Node& node = context.node;
    dispatcher.bind("node_info", handler([&node](const Json&, const rpc::Reply& reply) { reply.result(info_json(node)); }));
    dispatcher.bind("node_stop", handler([&node](const Json&, const rpc::Reply& reply) {
        reply.result(Json::object());
        node.stop();
    }));
    dispatcher.bind("node_halt", handler([&node](const Json&, const rpc::Reply& reply) {
        node.halt();
        reply_when_stored(node, reply);
    }));
    dispatcher.bind("node_resume", handler([&node](const Json&, const rpc::Reply& reply) {
        node.resume();
        reply_when_stored(node, reply);
    }));
}

void bind_peer_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    Node& node = context.node;
    dispatcher.bind("peer_connect", handler([&node](const Json& params, const rpc::Reply& reply) {
        node.connect_peer(params.at("uri").get<std::string>(), replying<PeerInfo>(reply, [&node](const PeerInfo& p) { return peer_json(node, p); }));
    }));
    dispatcher.bind("peer_disconnect", handler([&node](const Json& params, const rpc::Reply& reply) {
        const auto done = node.disconnect_peer(read_node_id(params.at("uri").get<std::string>()));
        if (!done) return reply.error(done.error());
        reply_when_stored(node, reply);
    }));
    dispatcher.bind("peer_list", handler([&node](const Json& params, const rpc::Reply& reply) {
        const auto peers = node.peers();
        reply.result(paged(params, peers.size(), [&](std::size_t i) { return peer_json(node, peers[i]); }));
    }));
}

}  // namespace hedgerow::daemon
