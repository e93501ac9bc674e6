#include <fmt/format.h>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>

#include "tests/bench/scenarios.h"

/// Measures and prints; contrib/bench builds and runs it.
int main(int argc, char** argv) {
    using namespace hedgerow::bench;
    CLI::App cli(
        "Measures two daemons against one another over TCP loopback, fully durable, and prints figures with their "
        "goals.");
    RunOptions options;
    std::string json;
    std::vector<std::string> only;
    cli.add_option("--json", json, "also write the figures as JSON into this file");
    cli.add_option("--only", only, "these scenarios only");
    cli.add_option("--runs", options.runs, "of each scenario (default 5)")->check(CLI::Range(1, 100));
    cli.add_option("--seconds", options.seconds, "of one run, after its warm-up (default 3)")
        ->check(CLI::Range(0.1, 600.0));
    CLI11_PARSE(cli, argc, argv);
    std::vector<Scenario> all;
    for (const auto& group : {load_scenarios(), rpc_scenarios(), scale_scenarios(), oracle_scenarios(), model_scenarios()})
        all.insert(all.end(), group.begin(), group.end());
    for (const std::string& name : only) {
        const bool known = std::any_of(all.begin(), all.end(), [&](const Scenario& s) { return s.name == name; });
        if (known) continue;
        fmt::print(stderr, "bench: no scenario {}; there are:", name);
        for (const Scenario& s : all) fmt::print(stderr, " {}", s.name);
        fmt::print(stderr, "\n");
        return 2;
    }
    std::vector<Figure> figures;
    bool failed = false;
    for (const Scenario& scenario : all) {
        if (!only.empty() && std::find(only.begin(), only.end(), scenario.name) == only.end()) continue;
        try {
            ::sync();  // what the one before left unwritten is not this one's
            for (Figure& figure : scenario.run(options)) {
                print(figure);
                figures.push_back(std::move(figure));
            }
        } catch (const std::exception& error) {
            fmt::print(stderr, "{}: {}\n", scenario.name, error.what());
            failed = true;
        }
    }
    if (!json.empty()) std::ofstream(json) << to_json(figures).dump(2) << '\n';
    return failed ? 1 : 0;
}
