#include <doctest/doctest.h>

#include "daemon/base/event_fd.h"
#include "daemon/node/node.h"
#include "tests/sim/disk.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using sim::DiskFaults;
using sim::Random;
using sim::SimDisk;

namespace {

/// A network of one.
class NoPeers final : public Transport {
  public:
    explicit NoPeers(const channel::NodeId& id) : m_id(id) {}
    [[nodiscard]] std::uint16_t port() const override { return 0; }
    [[nodiscard]] const channel::NodeId& node_id() const override { return m_id; }
    channel::Expected<void, channel::Rule> connect(const channel::NodeId&, const std::string&, std::uint16_t) override {
        return {};
    }
    void disconnect(const channel::NodeId&) override {}
    channel::Expected<void, channel::Rule> send(const channel::NodeId&, channel::Bytes) override {
        return channel::Unexpected{channel::Rule::peer_unknown};
    }
    [[nodiscard]] int event_fd() const override { return m_event.fd(); }
    void drain(std::vector<Inbound>&) override {}
    [[nodiscard]] std::vector<PeerInfo> peers() const override { return {}; }

  private:
    const channel::NodeId m_id;
    EventFd m_event;
};

class NoChain final : public wallet::ChainTransport {
  public:
    wallet::ChainExpected<wallet::ChainReply> post(const std::string&) override {
        return wallet::chain_error(wallet::ChainFault::chain_unreachable, "nobody there");
    }
};

const wallet::MasterSeed& seed() {
    static const wallet::MasterSeed one = wallet::MasterSeed::generate();
    return one;
}

/// A machine whose node is started, stepped and ended by its test.
struct Machine {
    std::uint64_t wall_ms = 1'900'000'000'000;
    std::uint64_t steady_ms = 0;
    SimDisk disk;
    std::unique_ptr<Node> node;

    explicit Machine(std::uint64_t number) : disk{Random(number)} {}

    World world() {
        World out;
        out.drive = Drive::stepped;
        out.files = &disk;
        out.now_ms = [this] { return wall_ms; };
        out.steady_ms = [this] { return steady_ms; };
        out.chain = [](const std::string&) { return std::make_unique<NoChain>(); };
        out.transport = [](const TransportConfig&, const TransportKeys& keys) {
            return std::make_unique<NoPeers>(keys.node_id());
        };
        out.open_seed = [](const std::filesystem::path&, std::string_view) { return seed().clone(); };
        return out;
    }
    void start() {
        disk.boot();
        NodeOptions options;
        options.datadir = "/node";
        options.chain_id = 31'337;
        options.assets.push_back({"ETH", {}, 18, {}, 0});
        node = std::make_unique<Node>(options, world());
        bool open = false;
        node->unlock_wallet("any", [&](const Result<channel::Address>& account) { open = account.has_value(); });
        REQUIRE(open);
    }
    void end(SimDisk::End how) {
        disk.end(how);
        node.reset();
    }
    /// Everything that waits; the number of steps that did something.
    int settle() {
        int steps = 0;
        for (int idle = 0; idle < 3;) {
            (void)node->step(NodeStep::loop);
            bool did = false;
            for (const NodeStep part : {NodeStep::store, NodeStep::chain, NodeStep::questions, NodeStep::backup})
                did = node->step(part) || did;
            steps += did ? 1 : 0;
            idle = did ? 0 : idle + 1;
        }
        return steps;
    }
};

struct Answered {
    int times = 0;
    std::string error;
    void operator()(const Result<BackedUp>& result) {
        ++times;
        error = result ? "" : result.error().name;
    }
};

}  // namespace

TEST_CASE("stepped node: nothing happens but in its steps, and what was stored is there after a power cut") {
    Machine machine(1);
    machine.start();
    const channel::NodeId me = machine.node->info().node_id;
    const SimDisk::Counts before = machine.disk.counts();
    machine.node->halt();
    machine.node->step(NodeStep::loop);
    CHECK(machine.disk.counts().writes == before.writes);  // it is the store's turn
    CHECK(machine.node->step(NodeStep::store));
    CHECK_FALSE(machine.node->step(NodeStep::store));
    CHECK(machine.disk.counts().writes > before.writes);
    machine.end(SimDisk::End::power);
    machine.start();
    CHECK(machine.node->halted());
    CHECK(machine.node->info().node_id == me);
    // What was not yet stored is gone with the process.
    machine.node->resume();
    machine.node->step(NodeStep::loop);
    machine.end(SimDisk::End::kill);
    machine.start();
    CHECK(machine.node->halted());
    // Stopped in order, it stores what it was told.
    machine.node->resume();
    machine.node->stop();
    CHECK(machine.node->run() == 0);
    machine.node.reset();
    machine.start();
    CHECK_FALSE(machine.node->halted());
}

TEST_CASE("stepped node: a disk error ends it by name, as it would a daemon") {
    Machine machine(2);
    machine.start();
    machine.settle();
    DiskFaults faults;
    faults.fail_syncs = 1'000'000;
    machine.disk.set_faults(faults);
    machine.node->halt();
    machine.node->step(NodeStep::loop);
    CHECK_FALSE(machine.node->step(NodeStep::store));
    CHECK(machine.node->failed());
    CHECK(machine.node->run() == 3);
}

TEST_CASE("stepped node: the follower keeps its pace whatever is done to the wall clock") {
    Machine machine(3);
    machine.start();
    machine.settle();
    CHECK(machine.node->step(NodeStep::follower));
    machine.wall_ms += 3'600'000;
    CHECK_FALSE(machine.node->step(NodeStep::follower));
    machine.wall_ms -= 7'200'000;
    machine.steady_ms += 1'000;
    CHECK(machine.node->step(NodeStep::follower));
}

TEST_CASE("stepped node: a backup is whole or absent, wherever it is cut") {
    int whole = 0, absent = 0;
    for (std::uint64_t number = 1; number <= 60; ++number) {
        CAPTURE(number);
        Machine machine(number);
        machine.start();
        machine.settle();
        Answered answered;
        machine.node->backup_channels("/elsewhere/backup", std::ref(answered));
        machine.node->step(NodeStep::loop);
        while (machine.node->step(NodeStep::store)) machine.node->step(NodeStep::loop);
        machine.node->step(NodeStep::loop);
        CHECK(answered.times == 0);
        machine.disk.end_after(number % 6, number % 2 == 0 ? SimDisk::End::power : SimDisk::End::kill);
        const bool did = machine.node->step(NodeStep::backup);
        CHECK(did);
        const bool cut = machine.disk.ended();
        if (!cut) machine.settle();
        CHECK(answered.times == (cut ? 0 : 1));
        CHECK(answered.error.empty());
        machine.end(SimDisk::End::power);
        const bool there = machine.disk.image().contains("/elsewhere/backup");
        if (!cut) CHECK(there);  // it was promised
        (there ? whole : absent) += 1;
        machine.start();
        machine.settle();
        if (!there) continue;
        std::size_t restored = 99;
        machine.node->restore_channels("/elsewhere/backup", [&](const Result<std::size_t>& count) {
            restored = count ? *count : 98;
        });
        machine.settle();
        CHECK(restored == 0);  // it opens; there are no channels in it
        Answered again;
        machine.node->backup_channels("/elsewhere/backup", std::ref(again));
        machine.settle();
        CHECK(again.error == "file_exists");
    }
    CHECK(whole > 10);
    CHECK(absent > 10);
}
