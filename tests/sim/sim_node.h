#pragma once

#include "daemon/app/hooks.h"
#include "tests/sim/machine.h"

namespace hedgerow::sim {

struct SimNodeConfig {
    std::string name;
    std::size_t index = 0;  ///< which wallet
    std::filesystem::path datadir;
    daemon::NodeOptions options;  ///< without datadir
    daemon::MarketOptions market;
    channel::Registry registry;
};

/// A machine that runs hedgerowd's own objects (Node, Market, Payments), composed as daemon/app does.
class SimNode final : public Machine {
  public:
    SimNode(Surroundings world, SimNodeConfig config, Random random);
    ~SimNode() override;

    [[nodiscard]] bool running() const override { return m_process != nullptr; }
    /// An operator's insistence on a database that is older than what was committed.
    void accept_stale(bool accept) { m_config.options.accept_stale_database = accept; }
    /// Ends the process and takes away all that it ever stored; the next one starts from the phrase alone.
    void wipe();

    [[nodiscard]] daemon::Node& node();
    [[nodiscard]] daemon::Market& market();
    [[nodiscard]] daemon::Payments& payments();

  private:
    struct Process;

    void launch(daemon::World world) override;
    void destroy() override;
    bool step(daemon::NodeStep which) override;
    [[nodiscard]] bool has_failed() const override;
    void on_package(const channel::Bytes& raw) override;

    SimNodeConfig m_config;
    std::unique_ptr<Process> m_process;
};

}  // namespace hedgerow::sim
