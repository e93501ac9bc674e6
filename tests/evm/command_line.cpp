#include "tests/evm/command_line.h"

#include <cstdio>
#include <exception>

namespace hedgerow::tests {

int differential_main(int argc, char** argv, const std::string& title, const std::string& noun, std::uint64_t most,
                      CaseOptions& options, const std::function<int()>& run,
                      const std::function<void(CLI::App&)>& add) {
    CLI::App app(title);
    app.add_option("--seed", options.seed, "Seed; drawn where not given, and printed");
    app.add_option("--" + noun + "s", options.cases, "Number of " + noun + "s")
        ->check(CLI::Range(std::uint64_t{1}, most));
    app.add_option("--" + noun, options.only, "Run only the " + noun + " of this number");
    if (add) add(app);
    CLI11_PARSE(app, argc, argv);
    try {
        return run();
    } catch (const std::exception& error) {
        std::printf("FAILED: %s; seed %lu\n", error.what(), options.seed);
        return 1;
    }
}

}  // namespace hedgerow::tests
