#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hedgerow::bench {

/// One body POSTed again and again over keep-alive connections, one request at a time on each.
struct HttpLoad {
    std::string url = {};  ///< "http://host:port"
    std::filesystem::path cookie_file = {};
    std::string body = {};
    std::size_t connections = 1;
    double warm_up_s = 0.5;
    double seconds = 3;
};

struct HttpResult {
    std::uint64_t answers = 0;  ///< in the measured time
    double seconds = 0;
    std::vector<float> latency_ms;  ///< of each
    std::string first;              ///< the first answer's body, for who wants to see that it is one
    std::uint64_t errors = 0;       ///< of status other than 200, or with "error" in the body; in all of it
};

/// Throws std::runtime_error where the server goes away.
[[nodiscard]] HttpResult run_http(const HttpLoad& load);

}  // namespace hedgerow::bench
