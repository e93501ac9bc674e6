#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "daemon/node/node.h"
#include "tests/sim/chain_rpc.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/oracles.h"
#include "tests/sim/trace.h"

namespace hedgerow::sim {

/// What the parts of one world share.
struct Surroundings {
    EventQueue& queue;
    Trace& trace;
    Chain& chain;
    Network& network;
    Oracles& oracles;
};

/// A clock that is off, drifts, and can jump. Milliseconds.
struct NodeClock {
    std::int64_t offset_ms = 0;
    std::int64_t drift_ppm = 0;
    std::uint64_t since_ms = 0;  ///< from when the drift counts
    [[nodiscard]] std::uint64_t read(std::uint64_t true_ms) const {
        const auto elapsed = static_cast<std::int64_t>(true_ms - since_ms);
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(true_ms) + offset_ms +
                                          elapsed / 1'000'000 * drift_ppm + elapsed % 1'000'000 * drift_ppm / 1'000'000);
    }
};

/// A machine of a simulated world: clock, disk, network address, wallet and way to the chain, and the program on it.
/// What a program does on threads happens in steps here, each an event of its own, so that anything can come between
/// two of them: another machine's message, a block, or the end of the process.
class Machine {
  public:
    /// `wallet`: its number; each machine of a world has its own.
    Machine(Surroundings world, std::string name, std::size_t wallet, std::filesystem::path datadir, Random random);
    virtual ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    /// Starts the process; false where it does not come up (its log line says why).
    bool start();
    /// Ends it at once: as kill -9 would, or as a power cut, where the disk may lose what was not flushed.
    void crash(SimDisk::End how = SimDisk::End::kill);
    /// Ends it after that many further steps.
    void crash_after(std::uint64_t steps) { m_crash_in = steps; }
    void do_not_crash() {
        m_crash_in.reset();
        if (running()) m_disk.end_after(UINT64_MAX, SimDisk::End::kill);
    }
    [[nodiscard]] virtual bool running() const = 0;
    /// Counts starts: what was asked of an earlier process is never answered.
    [[nodiscard]] std::uint64_t epoch() const { return m_epoch; }
    /// The reason for which it ended by itself, if it did.
    [[nodiscard]] const std::string& fatal() const { return m_fatal; }

    [[nodiscard]] const std::string& name() const { return m_name; }
    [[nodiscard]] const channel::NodeId& id() const { return m_id; }
    [[nodiscard]] const wallet::MasterSeed& seed() const;
    /// The paying account of the wallet with that number.
    [[nodiscard]] static channel::Address owner_of(std::size_t wallet);
    [[nodiscard]] std::string uri() const;
    [[nodiscard]] const std::filesystem::path& datadir() const { return m_datadir; }
    /// The disk of its data directory.
    [[nodiscard]] SimDisk& disk() { return m_disk; }

    NodeClock clock;
    ChainAccess access;
    /// How long a commit and a question to the chain take at most, milliseconds.
    std::uint64_t disk_ms = 4;
    std::uint64_t chain_ms = 60;
    /// How often it looks at its timers.
    std::uint64_t tick_ms = 500;

  protected:
    // The program.
    /// Makes the process; throws StoreError where it does not come up.
    virtual void launch(daemon::World world) = 0;
    virtual void destroy() = 0;
    /// Throws StoreError where it ends.
    virtual bool step(daemon::NodeStep which) = 0;
    [[nodiscard]] virtual bool has_failed() const = 0;
    /// A package of an oracle came in.
    virtual void on_package(const channel::Bytes& raw) = 0;

    void wake();
    [[nodiscard]] Surroundings& world() { return m_world; }
    [[nodiscard]] Random& random() { return m_random; }
    [[nodiscard]] std::size_t wallet_number() const { return m_wallet; }

  private:
    void tick(std::uint64_t epoch);
    void schedule(daemon::NodeStep step, std::uint64_t delay_ms);
    void run(daemon::NodeStep step);
    void stopped(const std::string& why);
    void end_process(SimDisk::End how);
    [[nodiscard]] daemon::World make_world();

    Surroundings m_world;
    const std::string m_name;
    const std::size_t m_wallet;
    const std::filesystem::path m_datadir;
    Random m_random;
    SimDisk m_disk;
    channel::NodeId m_id;
    std::uint64_t m_epoch = 0;
    std::array<bool, 9> m_scheduled{};
    std::optional<std::uint64_t> m_crash_in;
    std::string m_fatal;
};

}  // namespace hedgerow::sim
