#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/drive.h"
#include "daemon/net/transport.h"
#include "daemon/store/database.h"
#include "wallet/chain/eth_client.h"
#include "wallet/keys/master_seed.h"

namespace hedgerow::daemon {

/// The outside that a node is built on: its clocks, its disk, its network, its way to the chain, and what
/// opens its wallet. A daemon
/// has the real one; a simulation brings its own, and steps the node (Node::step).
struct World {
    std::function<std::uint64_t()> now_ms;     ///< Unix milliseconds; may be set while the node runs
    std::function<std::uint64_t()> steady_ms;  ///< since whenever; never jumps; null: now_ms
    std::function<std::unique_ptr<Transport>(const TransportConfig&, const TransportKeys&)> transport;
    std::function<std::unique_ptr<wallet::ChainTransport>(const std::string& url)> chain;
    std::function<wallet::WalletExpected<wallet::MasterSeed>(const std::filesystem::path&, std::string_view password)>
        open_seed;
    Drive drive = Drive::threads;
    FileSystem* files = &real_files();  ///< outlives the node
};

/// System clock, ZeroMQ, HTTP, seed files; on threads.
[[nodiscard]] World real_world();

}  // namespace hedgerow::daemon
