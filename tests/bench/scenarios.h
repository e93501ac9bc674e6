#pragma once

#include <filesystem>
#include <functional>

#include "tests/bench/report.h"

namespace hedgerow::bench {

struct RunOptions {
    std::size_t runs = 5;
    double seconds = 3;  ///< of one run
};

struct Scenario {
    const char* name;
    std::function<std::vector<Figure>(const RunOptions&)> run;
};

[[nodiscard]] std::vector<Scenario> load_scenarios();    ///< loads.cpp: ops through channels
[[nodiscard]] std::vector<Scenario> rpc_scenarios();     ///< rpc_loads.cpp: the same by JSON-RPC
[[nodiscard]] std::vector<Scenario> scale_scenarios();   ///< scale.cpp: many channels, memory, start, marks
[[nodiscard]] std::vector<Scenario> model_scenarios();   ///< model.cpp: what SCALE.md is checked against; fairness
[[nodiscard]] std::vector<Scenario> oracle_scenarios();  ///< oracle_load.cpp

}  // namespace hedgerow::bench
