#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "channel/base/ids.h"
#include "wallet/chain/eth_client.h"

namespace hedgerow::test {

struct AnvilOptions {
    std::vector<std::string> arguments;  ///< besides host, port and epoch
    std::string state_file;              ///< loaded at the start and written at stop(); empty: none
    std::uint16_t port = 0;              ///< 0: any free one
};

/// An Anvil of one test: loopback, ended by its own pid with the object, and with the process that made it, however
/// that ends. Its accounts are those of anvil_accounts.h, chain id 31337, one block a transaction unless the arguments
/// say otherwise.
class Anvil {
  public:
    static constexpr std::uint64_t kChainId = 31337;

    /// Nothing where node_modules has no Anvil for this machine. Throws std::runtime_error where it does not come up in
    /// time.
    [[nodiscard]] static std::optional<Anvil> start(const AnvilOptions& options = {});
    ~Anvil();
    Anvil(Anvil&& other) noexcept;
    Anvil& operator=(Anvil&& other) noexcept;

    [[nodiscard]] std::uint16_t port() const { return m_port; }
    [[nodiscard]] int pid() const { return m_pid; }
    [[nodiscard]] std::string url() const;
    /// Ends it in good order (it writes its state file) and waits.
    void stop();

    /// The `result` of a JSON-RPC call; throws std::runtime_error with the node's message where it is an error.
    nlohmann::json call(const std::string& method, const nlohmann::json& params);
    void mine(std::uint64_t blocks = 1);
    /// Sends from an unlocked development account and returns the receipt; throws where the transaction fails.
    nlohmann::json send(std::size_t account, const channel::Address& to, const channel::Bytes& data,
                        std::uint64_t value = 0);
    /// Deploys channel/contract/artifact/<name>.json from account 0, with ABI-encoded constructor arguments.
    channel::Address deploy(const std::string& name, const channel::Bytes& constructor_arguments = {});
    /// A TestToken; anyone may mint it.
    channel::Address deploy_token(const std::string& symbol, std::uint8_t decimals);

  private:
    nlohmann::json receipt_of(const std::string& hash);
    Anvil(int pid, std::uint16_t port) : m_pid(pid), m_port(port) {}
    int m_pid = 0;
    std::uint16_t m_port = 0;
};

}  // namespace hedgerow::test
