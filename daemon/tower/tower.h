#pragma once

#include <memory>

#include "daemon/node/node.h"
#include "daemon/tower/tower_core.h"

namespace hedgerow::daemon {

struct TowerOptions {
    NodeOptions node;  ///< data directory, chain, fees, transport; nothing of channels
    TowerLimits policy;
};

/// A watchtower for other people's channels, on a machine of its own: hedgerow-tower without its process. All methods
/// but stop() and loop().post on the loop's thread.
class Tower final : public TowerDesk {
  public:
    /// Opens the store (StoreError) and the wallet's part, and listens for peers (std::runtime_error). Nothing moves
    /// before run(). `packages` may be null, and outlives the tower.
    Tower(TowerOptions options, wallet::MasterSeed seed, PackageSource* packages, World world = real_world());
    ~Tower() override;
    Tower(const Tower&) = delete;
    Tower& operator=(const Tower&) = delete;

    [[nodiscard]] EventLoop& loop();
    /// Until stop(); the process's exit code: 0, 3 after a database error, 4 after any other.
    [[nodiscard]] int run();
    /// In place of run(), where the world is stepped: one step of that part; false where it had nothing to do.
    bool step(NodeStep which);
    void stop() noexcept;
    /// A database error has stopped, or is stopping, the tower.
    [[nodiscard]] bool failed() const;

    [[nodiscard]] channel::NodeId node_id() const;
    [[nodiscard]] std::string uri() const;
    [[nodiscard]] channel::Address account() const;  ///< pays for transactions
    [[nodiscard]] TowerReport report() const override;
    [[nodiscard]] const TowerWatcher& watcher() const;
    [[nodiscard]] bool ready() const override;
    [[nodiscard]] std::vector<ClientAccount> clients(const channel::NodeId& after, std::size_t limit) const override;
    void grant(const channel::NodeId& client, std::uint64_t records, std::uint64_t bytes, std::uint64_t until_ms,
               std::function<void()> done) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::daemon
