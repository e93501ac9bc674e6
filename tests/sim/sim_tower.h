#pragma once

#include "daemon/tower/tower.h"
#include "tests/sim/machine.h"

namespace hedgerow::sim {

/// A machine that runs hedgerow-tower without its process: the production Tower on a simulated world.
class SimTower final : public Machine {
  public:
    /// `options` without datadir. The wallet's first account pays for what it enforces.
    SimTower(Surroundings world, std::string name, std::size_t wallet, const std::filesystem::path& datadir,
             daemon::TowerOptions options, Random random);
    ~SimTower() override;

    [[nodiscard]] bool running() const override { return m_process != nullptr; }
    [[nodiscard]] daemon::Tower& tower();

  private:
    struct Process;

    void launch(daemon::World world) override;
    void destroy() override;
    bool step(daemon::NodeStep which) override;
    [[nodiscard]] bool has_failed() const override;
    void on_package(const channel::Bytes& raw) override;

    daemon::TowerOptions m_options;
    std::unique_ptr<Process> m_process;
};

}  // namespace hedgerow::sim
