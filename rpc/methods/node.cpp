#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

Schema node_info_result() {
    const Schema chain = object({
        required("chainId", integer(0, 1LL << 53), "EIP-155 chain id"),
        required("adjudicator", address(), "the contract"),
        required("height", integer(0, 1LL << 53), "last block followed"),
        required("synced", boolean(), "at the chain's head"),
    });
    return object({
        required("nodeId", hash(), "Ed25519 public key of the node"),
        required("uri", string(512), "what a peer connects to: <node id>@host:port"),
        required("version", string(64), "of the software"),
        required("chains", array(chain, 16), "chains followed"),
        required("channels", integer(0, 1LL << 32), "number of channels not yet final"),
        optional("recovering", integer(0, 1LL << 32), "number of channels of which this node may be behind"),
        optional("mayLackChannels", boolean(),
                 "the wallet came from its phrase, or the database from an older copy: there may be channels that it does "
                 "not know; channel_restore brings them"),
        optional("starting", boolean(),
                 "the node is taking up its channels after its start: `channels` counts those so far, and calls that need them "
                 "are answered with node_starting"),
        optional("halted", boolean(), "emergency stop is on"),
        optional("walletLocked", boolean(), "spending and trading need wallet_unlock"),
    });
}

}  // namespace

void add_node_methods(Methods& out) {
    out.push_back({.name = "node_info",
                   .summary = "Show the node's identity, version and chains",
                   .scope = Scope::read,
                   .result = node_info_result(),
                   .while_starting = true});
    out.push_back({.name = "node_stop",
                   .summary = "Stop the node cleanly",
                   .scope = Scope::admin,
                   .result = done(),
                   .details = "Everything that was signed is already on disk. While the node is down nobody answers a "
                              "stale challenge for "
                              "you unless a watchtower does.",
                   .while_starting = true});
    out.push_back({.name = "node_halt",
                   .summary = "Emergency stop: sign nothing new, withdraw all quotes, keep defending",
                   .scope = Scope::admin,
                   .result = done(),
                   .details = "Channels stay open and challenges are still answered. node_resume ends it.",
                   .while_starting = true});
    out.push_back({.name = "node_resume",
                   .summary = "End the emergency stop",
                   .scope = Scope::admin,
                   .result = done(),
                   .while_starting = true});
}

void add_rpc_methods(Methods& out) {
    out.push_back({.name = "rpc_discover",
                   .summary = "Describe every method as an OpenRPC document",
                   .scope = Scope::read,
                   .result = any(),
                   .while_starting = true});
}

}  // namespace hedgerow::rpc
