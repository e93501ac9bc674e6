#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "rpc/dispatcher.h"

/// What one call costs in rpc/ alone: body in, checked parameters to a handler, its text out. `items_per_second` is
/// calls a second.
namespace {

using namespace hedgerow::rpc;

std::string pay(std::int64_t number) {
    return fmt::format(
        R"({{"jsonrpc":"2.0","id":{},"method":"pay_send","params":{{"channelId":"0x{:064x}","asset":"USDC","amount":"0.000001"}}}})",
        number, 0x5c1e);
}

std::string body_of(std::int64_t calls) {
    std::string out = calls == 1 ? "" : "[";
    for (std::int64_t i = 0; i < calls; ++i) out.append(i == 0 ? "" : ",").append(pay(i));
    return calls == 1 ? out : out + "]";
}

void dispatch(benchmark::State& state) {
    Dispatcher dispatcher;
    dispatcher.bind("pay_send", [](const Json& params, const Reply& reply) {
        benchmark::DoNotOptimize(params.size());
        reply.result_text(R"({"paymentId":"0x00000000000000005c-17-4","status":"done","hops":1,"fee":"0"})");
    });
    const std::string body = body_of(state.range(0));
    for (auto _ : state) {
        dispatcher.handle(body, kAllScopes, [](const std::string& answer) { benchmark::DoNotOptimize(answer.size()); });
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(dispatch)->Arg(1)->Arg(100);

/// The same body as one tree, which is what it cost before anything was looked at.
void parse_tree(benchmark::State& state) {
    const std::string body = body_of(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(parse_json(body));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(parse_tree)->Arg(100);

}  // namespace

BENCHMARK_MAIN();
