#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hedgerow::bench {

/// One scenario's figures, of all its runs.
struct Figure {
    std::string name;
    std::string unit;
    std::string goal;                 ///< as issue and README state it
    std::vector<double> values = {};  ///< one a run
    std::vector<double> p50_ms = {}, p99_ms = {}, p999_ms = {};
    double limit = 0;  ///< the bare probe's figure of the same shape, same unit; 0: none
    std::map<std::string, std::vector<double>> more = {};  ///< e.g. CPU per op, bytes per op; one a run
};

[[nodiscard]] double median(std::vector<double> values);
void print(const Figure& figure);
/// One object a scenario, by its name.
[[nodiscard]] nlohmann::json to_json(const std::vector<Figure>& figures);

}  // namespace hedgerow::bench
