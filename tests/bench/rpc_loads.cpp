#include <fmt/format.h>

#include <fstream>

#include "tests/bench/http_load.h"
#include "tests/bench/network.h"
#include "tests/bench/scenarios.h"

namespace hedgerow::bench {

using namespace channel;

namespace {

constexpr std::size_t kBatch = 100;
constexpr std::size_t kConnections = 16;

std::string pay(const ChannelId& id, std::size_t number) {
    return fmt::format(
        R"({{"jsonrpc":"2.0","id":{},"method":"pay_send","params":{{"channelId":"{}","asset":"USDC","amount":"0.000001"}}}})",
        number, to_hex(id));
}

double at(std::vector<float> values, double share) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0
                          : values[std::min(values.size() - 1,
                                            static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

/// `payments` in each request.
Figure run_rpc(Figure figure, const HttpLoad& shape, std::size_t payments, const RunOptions& options) {
    Network network({});
    for (std::size_t i = 0; i < options.runs; ++i) {
        HttpLoad load = shape;
        std::getline(std::ifstream(network.leader.daemon().datadir() / "rpc.url"), load.url);
        load.cookie_file = network.leader.daemon().datadir() / ".cookie";
        load.seconds = options.seconds;
        load.body = payments == 1 ? pay(network.id, 1) : "[";
        for (std::size_t p = 0; payments > 1 && p < payments; ++p)
            load.body += (p == 0 ? "" : ",") + pay(network.id, p);
        if (payments > 1) load.body += "]";
        const Json before = network.leader.ask("counters"), other = network.follower.ask("counters");
        const HttpResult result = run_http(load);
        const Json after = network.leader.ask("counters"), others = network.follower.ask("counters");
        if (result.errors != 0) throw std::runtime_error(figure.name + ": " + result.first.substr(0, 600));
        const double all =
            static_cast<double>(result.answers * payments) * (load.seconds + load.warm_up_s) / load.seconds;
        figure.values.push_back(static_cast<double>(result.answers * payments) / result.seconds);
        figure.p50_ms.push_back(at(result.latency_ms, 0.5));
        figure.p99_ms.push_back(at(result.latency_ms, 0.99));
        figure.p999_ms.push_back(at(result.latency_ms, 0.999));
        figure.more["leader CPU us a payment"].push_back(
            1e6 * (after.at("cpu_s").get<double>() - before.at("cpu_s").get<double>()) / all);
        figure.more["follower CPU us a payment"].push_back(
            1e6 * (others.at("cpu_s").get<double>() - other.at("cpu_s").get<double>()) / all);
        network.leader.wait_quiet(1);
    }
    return figure;
}

std::vector<Figure> rpc_batch(const RunOptions& options) {
    return {run_rpc({"rpc_batch", "payments/s", "50,000 in batches of 100 over one connection"}, {.connections = 1},
                    kBatch, options)};
}

std::vector<Figure> rpc_http_single(const RunOptions& options) {
    return {run_rpc({"rpc_http_single", "payments/s", "5,000/s, p99 <= 5 ms; 16 keep-alive connections"},
                    {.connections = kConnections}, 1, options)};
}

}  // namespace

std::vector<Scenario> rpc_scenarios() {
    return {{"rpc_batch", rpc_batch}, {"rpc_http_single", rpc_http_single}};
}

}  // namespace hedgerow::bench
