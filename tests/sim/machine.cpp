#include "tests/sim/machine.h"

#include "channel/crypto/keccak.h"
#include "daemon/store/database.h"

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

}  // namespace

Machine::Machine(Surroundings world, std::string name, std::size_t wallet, std::filesystem::path datadir, Random random)
    : m_world(world),
      m_name(std::move(name)),
      m_wallet(wallet),
      m_datadir(std::move(datadir)),
      m_random(random),
      m_disk(m_random.fork("disk")) {
    std::filesystem::create_directories(m_datadir);
    m_id = seed().node_identity().node_id();
    clock.since_ms = m_world.queue.now_ms();
}

Machine::~Machine() = default;

const MasterSeed& Machine::seed() const {
    return seed_number(m_wallet);
}

channel::Address Machine::owner_of(std::size_t wallet) {
    return seed_number(wallet).owner_key(0).value().address();
}

std::string Machine::uri() const {
    return channel::to_hex(m_id).substr(2) + "@" + m_name + ".example:9735";
}

daemon::World Machine::make_world() {
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

bool Machine::start() {
    ASSERT(!running());
    ++m_epoch;
    m_crash_in.reset();
    m_scheduled = {};
    m_fatal.clear();
    if (m_disk.ended()) m_disk.boot();
    try {
        launch(make_world());
    } catch (const daemon::StoreError& error) {
        stopped(error.what());
        return false;
    }
    m_world.trace.line(m_name, "starts");
    m_world.oracles.subscribe(m_wallet, [this](const channel::Bytes& raw) { on_package(raw); });
    wake();
    tick(m_epoch);
    return true;
}

void Machine::end_process(SimDisk::End how) {
    m_world.oracles.unsubscribe(m_wallet);
    if (!m_disk.ended()) m_disk.end(how);
    destroy();
    ++m_epoch;
}

void Machine::crash(SimDisk::End how) {
    ASSERT(running());
    end_process(how);
    m_world.trace.line(m_name, "{}", how == SimDisk::End::kill ? "is killed" : "loses its power");
}

void Machine::stopped(const std::string& why) {
    m_fatal = why;
    m_world.trace.line(m_name, "stops: {}", m_disk.ended() ? "in the midst of a write" : why);
    end_process(SimDisk::End::kill);
}

void Machine::wake() {
    schedule(NodeStep::loop, 0);
}

void Machine::tick(std::uint64_t epoch) {
    if (!running() || m_epoch != epoch) return;
    schedule(NodeStep::loop, 0);
    schedule(NodeStep::follower, m_random.between(1, chain_ms));
    m_world.queue.after(tick_ms, [this, epoch] { tick(epoch); });
}

void Machine::schedule(NodeStep which, std::uint64_t delay_ms) {
    bool& scheduled = m_scheduled[static_cast<std::size_t>(which)];
    if (scheduled) return;
    scheduled = true;
    m_world.queue.after(delay_ms, [this, which, epoch = m_epoch] {
        if (!running() || m_epoch != epoch) return;
        m_scheduled[static_cast<std::size_t>(which)] = false;
        run(which);
    });
}

void Machine::run(NodeStep which) {
    bool did = false;
    try {
        did = step(which);
    } catch (const daemon::StoreError& error) {
        return stopped(error.what());
    }
    if (has_failed()) return stopped("database error");
    if (m_crash_in && did && (*m_crash_in)-- == 0) return crash();
    if (which == NodeStep::loop) {
        schedule(NodeStep::store, m_random.between(0, disk_ms));
        schedule(NodeStep::chain, m_random.between(1, chain_ms));
        schedule(NodeStep::questions, m_random.between(1, chain_ms));
        return;
    }
    if (!did) return;
    schedule(NodeStep::loop, 0);
    // There may be more.
    schedule(which, m_random.between(1, which == NodeStep::store ? disk_ms + 1 : chain_ms));
}

}  // namespace hedgerow::sim
