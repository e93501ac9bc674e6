#include "daemon/node/world.h"

#include "daemon/chain/http_transport.h"
#include "daemon/node/clock.h"
#include "wallet/keys/seed_file.h"

namespace hedgerow::daemon {

World real_world() {
    World out;
    out.now_ms = wall_clock_ms;
    out.steady_ms = steady_clock_ms;
    out.transport = [](const TransportConfig& config, const TransportKeys& keys) {
        return std::make_unique<ZmqTransport>(config, keys);
    };
    out.chain = [](const std::string& url) { return make_http_transport(url); };
    out.open_seed = [](const std::filesystem::path& path, std::string_view password) {
        return wallet::open_seed_file(path, password);
    };
    return out;
}

}  // namespace hedgerow::daemon
