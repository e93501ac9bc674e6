#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {
Schema peer_shape() {
    return object({
        required("nodeId", hash(), "its identity"),
        required("connected", boolean(), "handshake done"),
        optional("latencyMs", number(), "round trip"),
        optional("uri", string(512), "where it is reached"),
    });
}
}  // namespace

void add_peer_methods(Methods& out) {
    out.push_back({.name = "peer_connect",
                   .summary = "Connect to a peer and stay connected",
                   .scope = Scope::admin,
                   .params = {required("uri", string(512), "<node id>@host:port, as the peer's node_info shows it")},
                   .result = peer_shape(),
                   .example = "3f…9a@198.51.100.7:9735"});
    out.push_back({.name = "peer_disconnect",
                   .summary = "Disconnect from a peer",
                   .scope = Scope::admin,
                   .params = {required("uri", string(512), "its URI or node id")},
                   .result = done(),
                   .details = "Its channels stay as they are; nothing new can be agreed until it is connected again."});
    out.push_back({.name = "peer_list",
                   .summary = "List peers",
                   .scope = Scope::read,
                   .params = paged({}),
                   .result = page_of(peer_shape())});
}

}  // namespace hedgerow::rpc
