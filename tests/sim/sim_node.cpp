#include "tests/sim/sim_node.h"

#include <fstream>

#include "channel/crypto/keccak.h"
#include "daemon/node/node_parts.h"
#include "daemon/store/database.h"
#include "wallet/keys/master_seed.h"

namespace hedgerow::sim {

using daemon::NodeStep;
using wallet::MasterSeed;

namespace {

/// The same few wallets in every world: stretching a phrase is slow by design.
const MasterSeed& seed_number(std::size_t index) {
    static std::vector<MasterSeed> seeds;
    while (seeds.size() <= index) {
        const channel::Hash entropy =
            channel::keccak256(channel::as_bytes("hedgerow simulated wallet " + std::to_string(seeds.size())));
        auto seed = MasterSeed::from_mnemonic(
            wallet::reveal_text(wallet::mnemonic_from_entropy(entropy.view()).value()));
        ASSERT(seed.has_value());
        seeds.push_back(std::move(*seed));
    }
    return seeds[index];
}

constexpr const char* kPassword = "simulated";

}  // namespace

/// What one run of the program holds, in the order of daemon/app.
struct SimNode::Process final : daemon::PackageSource {
    Process(SimNode& machine, daemon::World world)
        : machine(machine),
          node(machine.m_config.options, std::move(world)),
          book(book_config(machine)),
          market(node, book, machine.m_config.registry, machine.m_config.market),
          payments(node),
          hooks(market, payments) {
        node.set_market(&hooks);
        node.set_packages(this);
    }

    static daemon::PriceBookConfig book_config(const SimNode& machine) {
        daemon::PriceBookConfig out;
        out.oracles = machine.m_config.options.opening.oracles;
        out.threshold = machine.m_config.options.opening.oracle_threshold;
        out.max_age_ms = 3 * 1'000 * machine.m_world.oracles.slot_s();
        return out;
    }

    std::vector<channel::Bytes> packages(const channel::Feed& feed, std::uint64_t time_s,
                                         std::span<const channel::Address> oracles) override {
        return book.packages(feed, time_s, oracles);
    }
    /// As the oracle client does over HTTP: later, or never.
    void fetch(const channel::Feed& feed, std::uint64_t time_s) override {
        SimNode& m = machine;
        m.m_world.queue.after(m.m_random.between(20, 400), [&m, feed, time_s, epoch = m.m_epoch] {
            if (!m.running() || m.m_epoch != epoch) return;
            for (const channel::Bytes& raw : m.m_world.oracles.history(feed, time_s)) {
                (void)m.m_process->book.submit_history(raw, m.m_process->node.loop().now_ms());
            }
        });
    }

    SimNode& machine;
    daemon::Node node;
    daemon::PriceBook book;
    daemon::Market market;
    daemon::Payments payments;
    daemon::Hooks hooks;
};

SimNode::SimNode(Surroundings world, SimNodeConfig config, Random random)
    : m_world(world), m_config(std::move(config)), m_random(random), m_disk(m_random.fork("disk")) {
    m_config.options.datadir = m_config.datadir;
    std::filesystem::create_directories(m_config.datadir);
    std::ofstream(m_config.datadir / "wallet.seed") << "stands for a seed file\n";
    m_id = seed().node_identity().node_id();
    m_owner = seed().owner_key(0).value().address();
    clock.since_ms = m_world.queue.now_ms();
}

SimNode::~SimNode() = default;

const MasterSeed& SimNode::seed() const {
    return seed_number(m_config.index);
}

channel::Address SimNode::owner_of(std::size_t index) {
    return seed_number(index).owner_key(0).value().address();
}

std::string SimNode::uri() const {
    return channel::to_hex(m_id).substr(2) + "@" + m_config.name + ".example:9735";
}

daemon::Node& SimNode::node() {
    return m_process->node;
}
daemon::Market& SimNode::market() {
    return m_process->market;
}
daemon::Payments& SimNode::payments() {
    return m_process->payments;
}

daemon::World SimNode::make_world() {
    daemon::World out;
    out.drive = daemon::Drive::stepped;
    out.now_ms = [this] { return clock.read(m_world.queue.now_ms()); };
    out.steady_ms = [this] { return m_world.queue.now_ms(); };
    out.files = &m_disk;
    out.transport = [this](const daemon::TransportConfig&, const daemon::TransportKeys&) {
        return m_world.network.attach(m_id, [this] { wake(); });
    };
    out.chain = [this](const std::string&) {
        return std::make_unique<SimChainTransport>(m_world.chain, access, m_random);
    };
    out.open_seed = [this](const std::filesystem::path&, std::string_view) { return seed().clone(); };
    return out;
}

// --- the process
// ------------------------------------------------------------------------------------------------------------

bool SimNode::start() {
    ASSERT(!running());
    ++m_epoch;
    m_crash_in.reset();
    m_scheduled = {};
    m_fatal.clear();
    if (m_disk.ended()) m_disk.boot();
    try {
        m_process = std::make_unique<Process>(*this, make_world());
        bool open = false;
        m_process->node.unlock_wallet(kPassword, [&](const daemon::Result<channel::Address>& owner) {
            open = owner.has_value();
        });
        ASSERT(open);
    } catch (const daemon::StoreError& error) {
        stopped(error.what());
        return false;
    }
    m_world.trace.line(name(), "starts");
    m_world.oracles.subscribe(m_config.index, [this](const channel::Bytes& raw) {
        const auto receipt = m_process->book.submit(raw, m_process->node.loop().now_ms());
        if (!receipt || receipt->moved.empty()) return;
        if (m_process->node.loop().post([this] { m_process->market.on_prices(); })) wake();
    });
    wake();
    tick(m_epoch);
    return true;
}

void SimNode::end_process(SimDisk::End how) {
    m_world.oracles.unsubscribe(m_config.index);
    if (!m_disk.ended()) m_disk.end(how);
    m_process.reset();
    ++m_epoch;
}

void SimNode::crash(SimDisk::End how) {
    ASSERT(running());
    end_process(how);
    m_world.trace.line(name(), "{}", how == SimDisk::End::kill ? "is killed" : "loses its power");
}

void SimNode::stopped(const std::string& why) {
    m_fatal = why;
    m_world.trace.line(name(), "stops: {}", m_disk.ended() ? "in the midst of a write" : why);
    end_process(SimDisk::End::kill);
}

void SimNode::wake() {
    schedule(NodeStep::loop, 0);
}

void SimNode::tick(std::uint64_t epoch) {
    if (!running() || m_epoch != epoch) return;
    schedule(NodeStep::loop, 0);
    schedule(NodeStep::follower, m_random.between(1, chain_ms));
    m_world.queue.after(tick_ms, [this, epoch] { tick(epoch); });
}

void SimNode::schedule(NodeStep step, std::uint64_t delay_ms) {
    bool& scheduled = m_scheduled[static_cast<std::size_t>(step)];
    if (scheduled) return;
    scheduled = true;
    m_world.queue.after(delay_ms, [this, step, epoch = m_epoch] {
        if (!running() || m_epoch != epoch) return;
        m_scheduled[static_cast<std::size_t>(step)] = false;
        run(step);
    });
}

void SimNode::run(NodeStep step) {
    bool did = false;
    try {
        did = m_process->node.step(step);
    } catch (const daemon::StoreError& error) {
        return stopped(error.what());
    }
    if (m_process->node.failed()) return stopped("database error");
    ++m_steps;
    if (m_crash_in && did && (*m_crash_in)-- == 0) return crash();
    if (step == NodeStep::loop) {
        schedule(NodeStep::store, m_random.between(0, disk_ms));
        schedule(NodeStep::chain, m_random.between(1, chain_ms));
        schedule(NodeStep::questions, m_random.between(1, chain_ms));
        return;
    }
    if (!did) return;
    schedule(NodeStep::loop, 0);
    // There may be more.
    schedule(step, m_random.between(1, step == NodeStep::store ? disk_ms + 1 : chain_ms));
}

}  // namespace hedgerow::sim
