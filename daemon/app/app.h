#pragma once

#include <memory>
#include <optional>

#include "daemon/config/config.h"
#include "wallet/keys/secret.h"

namespace hedgerow::daemon {

class Market;
class Node;

/// hedgerowd without its process: node, oracle client, market, payments and RPC server, made from a configuration.
class App {
  public:
    /// Opens the data directory and the database, and listens for RPC. Throws StoreError, std::system_error, std::runtime_error
    /// with a text for people.
    explicit App(const Config& config);
    ~App();
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    /// Opens the wallet with this password once running; a wrong one ends the node.
    void unlock_with(wallet::SecretBytes password);
    /// Until stop(); the exit code.
    [[nodiscard]] int run();
    /// From any thread or a signal handler.
    void stop() noexcept;

    /// For a program that is built around a node: see Node for what may be called when.
    [[nodiscard]] Node& node();
    [[nodiscard]] Market& market();
    /// An oracle's package, as the client of its publisher would have brought it: what PriceBook::submit said.
    channel::Rule take_package(channel::ByteView raw);

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::daemon
