#include "tests/sim/sim_tower.h"

#include "tests/sim/packages.h"

namespace hedgerow::sim {

struct SimTower::Process {
    Process(SimTower& machine, daemon::World world)
        : packages(machine.world().oracles, [&machine] { return machine.clock.read(machine.world().queue.now_ms()); },
                   [&machine](std::function<void()> task) {
                       const std::uint64_t delay_ms = machine.random().between(20, 400);
                       machine.world().queue.after(delay_ms, [&machine, epoch = machine.epoch(), task] {
                           if (machine.running() && machine.epoch() == epoch) task();
                       });
                   }),
          tower(machine.m_options, machine.seed().clone(), &packages, std::move(world)) {}

    Packages packages;
    daemon::Tower tower;
};

SimTower::SimTower(Surroundings world, std::string name, std::size_t wallet, const std::filesystem::path& datadir,
                   daemon::TowerOptions options, Random random)
    : Machine(world, std::move(name), wallet, datadir, random), m_options(std::move(options)) {
    m_options.node.datadir = datadir;
}

SimTower::~SimTower() = default;

daemon::Tower& SimTower::tower() {
    return m_process->tower;
}

void SimTower::launch(daemon::World outside) {
    m_process = std::make_unique<Process>(*this, std::move(outside));
}

void SimTower::destroy() {
    m_process.reset();
}

bool SimTower::step(daemon::NodeStep which) {
    return m_process->tower.step(which);
}

bool SimTower::has_failed() const {
    return m_process->tower.failed();
}

void SimTower::on_package(const channel::Bytes& raw) {
    (void)m_process->packages.book.submit(raw, m_process->tower.loop().now_ms());
}

}  // namespace hedgerow::sim
