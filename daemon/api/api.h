#pragma once

#include "daemon/market/market.h"
#include "daemon/node/node.h"
#include "rpc/dispatcher.h"

namespace hedgerow::daemon {

class Payments;

/// What the handlers work on. All of it outlives the dispatcher's last call; handlers run on the node thread.
struct ApiContext {
    Node& node;
    Market& market;
    Payments& payments;
};

// One function a namespace of the method table; api.cpp calls them all.
void bind_node_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);
void bind_wallet_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);
void bind_peer_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);
void bind_channel_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);
void bind_tower_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);
void bind_pay_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);
void bind_market_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);

/// Binds every method of the table. Throws std::logic_error naming what is left unbound.
void bind_methods(rpc::Dispatcher& dispatcher, const ApiContext& context);

}  // namespace hedgerow::daemon
