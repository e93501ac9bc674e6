#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "rpc/http_client.h"

namespace hedgerow::tests {

/// An Anvil of one test: loopback, a port of its own choice, no block or code size limit. Ends with the object, and
/// with the process that made it, however that ends. For tests that call pure contracts; what needs accounts and time
/// uses support/anvil.
class EvmAnvil {
  public:
    /// Nothing where node_modules has no Anvil for this machine. Throws std::runtime_error where it does not come up in
    /// 30 seconds.
    [[nodiscard]] static std::optional<EvmAnvil> start();
    ~EvmAnvil();
    EvmAnvil(EvmAnvil&& other) noexcept;
    EvmAnvil& operator=(EvmAnvil&&) = delete;

    /// The `result` of a JSON-RPC call; throws std::runtime_error with the node's message where it is an error.
    nlohmann::json call(const std::string& method, const nlohmann::json& params);

  private:
    EvmAnvil(int pid, const std::string& url);
    int m_pid;
    rpc::HttpClient m_client;
};

}  // namespace hedgerow::tests
