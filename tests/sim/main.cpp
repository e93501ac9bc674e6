#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "daemon/log/log.h"
#include "tests/sim/world.h"

/// Runs worlds seed by seed; see README.md.
namespace {

using namespace hedgerow::sim;

World* g_world = nullptr;
std::uint64_t g_seed = 0;

/// An assertion of the node is a failure like any other: it needs its seed and its story.
void on_abort(int) {
    std::fflush(stdout);
    if (g_world != nullptr) g_world->print_trace(stderr);
    std::fprintf(stderr, "FAILED seed %llu: an assertion or a fault ended the process\n", static_cast<unsigned long long>(g_seed));
    std::_Exit(1);
}

struct Totals {
    std::uint64_t worlds = 0;
    std::uint64_t virtual_ms = 0;
    std::uint64_t events = 0;
    std::map<std::string, std::uint64_t> tally;
    Checkers::Counts counts;
};

void add(Totals& totals, const WorldResult& result) {
    ++totals.worlds;
    totals.virtual_ms += result.virtual_ms;
    totals.events += result.events;
    for (const auto& [name, count] : result.tally) totals.tally[name] += count;
    totals.counts.frames += result.counts.frames;
    totals.counts.updates += result.counts.updates;
    totals.counts.signatures += result.counts.signatures;
    totals.counts.payments_done += result.counts.payments_done;
    totals.counts.settled += result.counts.settled;
    totals.counts.closed += result.counts.closed;
    totals.counts.recomputed += result.counts.recomputed;
    totals.counts.exact_nets += result.counts.exact_nets;
    totals.counts.disputes_answered += result.counts.disputes_answered;
    totals.counts.locks_settled += result.counts.locks_settled;
    totals.counts.held_by_towers += result.counts.held_by_towers;
    totals.counts.answered_by_towers += result.counts.answered_by_towers;
}

void print(const Totals& totals, double seconds) {
    fmt::print("{} worlds, {:.1f} s ({:.1f} a second), {:.1f} hours simulated, {} events\n", totals.worlds, seconds,
               static_cast<double>(totals.worlds) / seconds, static_cast<double>(totals.virtual_ms) / 3.6e6,
               totals.events);
    const Checkers::Counts& c = totals.counts;
    fmt::print("judged: {} frames, {} updates, {} signatures, {} payments done, {} closes, {} settlements ({} after an "
               "answer), {} recomputed, {} nets added up, {} locks, {} promises of towers ({} answered for who was away)\n",
               c.frames, c.updates, c.signatures, c.payments_done, c.closed, c.settled, c.disputes_answered,
               c.recomputed, c.exact_nets, c.locks_settled, c.held_by_towers, c.answered_by_towers);
    std::string line;
    for (const auto& [name, count] : totals.tally) line += fmt::format("{}{}: {}", line.empty() ? "" : ", ", name, count);
    fmt::print("done to them: {}\n", line);
}

WorldResult run_one(std::uint64_t seed, bool trace, const std::filesystem::path& root) {
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root);
    World world({seed, trace, root});
    g_world = &world;
    g_seed = seed;
    WorldResult result = world.run();
    g_world = nullptr;
    if (!result.failures.empty()) {
        world.print_trace(stderr);
        for (const std::string& failure : result.failures) fmt::print(stderr, "  {}\n", failure);
        fmt::print(stderr, "FAILED seed {}: sim --seed {} --trace shows all of it\n", seed, seed);
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Simulates whole Hedgerow networks, one a seed, and judges what became of everybody's money."};
    std::uint64_t seeds = 100;
    std::uint64_t first = 1;
    double minutes = 0;
    std::uint64_t one = 0;
    bool trace = false;
    bool keep_going = false;
    bool node_log = false;
    app.add_option("--seeds", seeds, "How many worlds");
    app.add_option("--first-seed", first, "The first one's seed");
    app.add_option("--minutes", minutes, "Stop after so many minutes, whatever is left");
    app.add_option("--seed", one, "Only this one, twice, comparing the two histories");
    app.add_flag("--trace", trace, "Print everything that happens");
    app.add_flag("--node-log", node_log, "Print what the nodes log as well (to stderr)");
    app.add_flag("--keep-going", keep_going, "Go on after a failure");
    CLI11_PARSE(app, argc, argv);
    std::signal(SIGABRT, on_abort);
    std::signal(SIGSEGV, on_abort);
    hedgerow::daemon::LogOptions log;
    if (!node_log) log.level = hedgerow::daemon::LogLevel::off;
    hedgerow::daemon::start_log(log);

    const char* shm = std::getenv("HEDGEROW_SIM_DIR");
    const std::filesystem::path root =
        std::filesystem::path(shm != nullptr ? shm : "/dev/shm") / fmt::format("hedgerow-sim-{}", ::getpid());
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    Totals totals;
    std::uint64_t failed = 0;
    if (one != 0) {
        const WorldResult result = run_one(one, trace, root);
        add(totals, result);
        failed += result.failures.empty() ? 0 : 1;
        const WorldResult again = run_one(one, false, root);
        fmt::print("seed {}: history {:016x}, again {:016x}\n", one, result.trace_hash, again.trace_hash);
        if (again.trace_hash != result.trace_hash) {
            fmt::print(stderr, "FAILED seed {}: two runs differ\n", one);
            ++failed;
        }
    } else {
        for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
            const WorldResult result = run_one(seed, trace, root);
            add(totals, result);
            failed += result.failures.empty() ? 0 : 1;
            if (totals.worlds % 500 == 0)
                fmt::print(stderr, "{} worlds, {} failed, {:.0f} s\n", totals.worlds, failed, elapsed());
            if (!result.failures.empty() && !keep_going) break;
            if (minutes > 0 && elapsed() > minutes * 60) break;
        }
    }
    std::filesystem::remove_all(root);
    print(totals, elapsed());
    if (failed != 0) fmt::print("{} of {} worlds FAILED\n", failed, totals.worlds);
    return failed == 0 ? 0 : 1;
}
