#pragma once

#include "channel/market/registry.h"
#include "daemon/config/config.h"
#include "daemon/market/market_types.h"
#include "daemon/node/node_types.h"
#include "daemon/oracle/oracle_client.h"

/// From what the operator wrote to what the parts are told. The registry gives risk classes where the configuration has none.
namespace hedgerow::daemon {

[[nodiscard]] NodeOptions node_options(const Config& config, const channel::Registry& registry);
[[nodiscard]] MarketOptions market_options(const Config& config);
[[nodiscard]] PriceBookConfig price_book_config(const Config& config);
[[nodiscard]] OracleClientConfig oracle_client_config(const Config& config);

}  // namespace hedgerow::daemon
