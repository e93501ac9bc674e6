#include "tests/sim/sim_node.h"

#include <fstream>

#include "tests/sim/packages.h"

namespace hedgerow::sim {

namespace {
constexpr const char* kPassword = "simulated";
}  // namespace

/// What one run of the program holds, in the order of daemon/app.
struct SimNode::Process {
    Process(SimNode& machine, daemon::World world)
        : node(machine.m_config.options, std::move(world)),
          packages(machine.world().oracles, [this] { return node.loop().now_ms(); },
                   [&machine](std::function<void()> task) {
                       const std::uint64_t delay_ms = machine.random().between(20, 400);
                       machine.world().queue.after(delay_ms, [&machine, epoch = machine.epoch(), task] {
                           if (machine.running() && machine.epoch() == epoch) task();
                       });
                   }),
          market(node, packages.book, machine.m_config.registry, machine.m_config.market),
          payments(node),
          hooks(market, payments) {
        node.set_market(&hooks);
        node.set_packages(&packages);
    }

    daemon::Node node;
    Packages packages;
    daemon::Market market;
    daemon::Payments payments;
    daemon::Hooks hooks;
};

SimNode::SimNode(Surroundings world, SimNodeConfig config, Random random)
    : Machine(world, config.name, config.index, config.datadir, random), m_config(std::move(config)) {
    m_config.options.datadir = datadir();
    // So small that it fills up, grows and is too small within one world.
    m_config.options.journal_bytes = 16 << 10;
    m_config.options.max_journal_bytes = 64 << 10;
    std::ofstream(datadir() / "wallet.seed") << "stands for a seed file\n";
}

SimNode::~SimNode() = default;

daemon::Node& SimNode::node() {
    return m_process->node;
}
daemon::Market& SimNode::market() {
    return m_process->market;
}
daemon::Payments& SimNode::payments() {
    return m_process->payments;
}

void SimNode::launch(daemon::World outside) {
    m_process = std::make_unique<Process>(*this, std::move(outside));
    bool open = false;
    m_process->node.unlock_wallet(
        kPassword, [&](const daemon::Result<channel::Address>& owner) { open = owner.has_value(); });
    ASSERT(open);
}

void SimNode::destroy() {
    m_process.reset();
}

bool SimNode::step(daemon::NodeStep which) {
    return m_process->node.step(which);
}

bool SimNode::has_failed() const {
    return m_process->node.failed();
}

void SimNode::on_package(const channel::Bytes& raw) {
    const auto receipt = m_process->packages.book.submit(raw, m_process->node.loop().now_ms());
    if (!receipt || receipt->moved.empty()) return;
    if (m_process->node.loop().post([this] { m_process->market.on_prices(); })) wake();
}

void SimNode::wipe() {
    if (running()) crash();
    disk().restore({});
}

}  // namespace hedgerow::sim
