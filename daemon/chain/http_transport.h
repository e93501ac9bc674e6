#pragma once

#include <memory>
#include <string>

#include "wallet/chain/eth_client.h"

namespace hedgerow::daemon {

/// A chain node over HTTP. Every request ends within the given time; a failed one is chain_unreachable with what the
/// node's host said, never with user names or keys of the URL.
[[nodiscard]] std::unique_ptr<wallet::ChainTransport> make_http_transport(const std::string& url,
                                                                          std::uint32_t timeout_ms = 10'000);

}  // namespace hedgerow::daemon
