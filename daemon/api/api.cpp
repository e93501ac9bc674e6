#include "daemon/api/api.h"

#include <stdexcept>

namespace hedgerow::daemon {

void bind_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    bind_node_methods(dispatcher, context);
    bind_wallet_methods(dispatcher, context);
    bind_peer_methods(dispatcher, context);
    bind_channel_methods(dispatcher, context);
    bind_tower_methods(dispatcher, context);
    bind_pay_methods(dispatcher, context);
    bind_market_methods(dispatcher, context);
    const auto unbound = dispatcher.unbound();
    if (!unbound.empty()) throw std::logic_error("RPC method without a handler: " + unbound.front());
}

}  // namespace hedgerow::daemon
