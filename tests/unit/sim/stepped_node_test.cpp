#include "tests/unit/sim/stepped_machine.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::tests;

namespace {

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
    SteppedMachine machine(1);
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
    SteppedMachine machine(2);
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
    SteppedMachine machine(3);
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
        SteppedMachine machine(number);
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
