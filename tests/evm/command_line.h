#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace hedgerow::tests {

/// Which of a differential's random cases run.
struct CaseOptions {
    std::uint64_t seed = 0;
    std::uint64_t cases = 0;
    std::optional<std::uint64_t> only;
};

/// A differential's `main`: --seed, --<noun>s (1 to `most`), --<noun>, and what `add` adds; the exit code. What `run`
/// throws fails it, with the seed.
int differential_main(int argc, char** argv, const std::string& title, const std::string& noun, std::uint64_t most,
                      CaseOptions& options, const std::function<int()>& run,
                      const std::function<void(CLI::App&)>& add = {});

}  // namespace hedgerow::tests
