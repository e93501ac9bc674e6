#include <benchmark/benchmark.h>

#include "tests/support/channel_pair.h"

/// What one op costs in the pure core, part by part (no disk, no wire, no market): `items_per_second` is ops a second.
namespace {

using namespace hedgerow::testing;

/// Effects are dropped, but for signatures.
void run(Side& side, const Context& context, const Input& input, Effects& effects) {
    effects.clear();
    step(context, side.channel, input, effects);
}

/// The Update that a leader with `ops` waiting pays cuts, signed.
Update cut(Pair& pair, std::size_t ops) {
    Effects effects;
    for (std::size_t i = 0; i < ops; ++i) run(pair.a, pair.context, LocalOp{i + 1, pay(1)}, effects);
    run(pair.a, pair.context, Flush{}, effects);
    const auto& sign = std::get<SignState>(effects.front());
    run(pair.a, pair.context, StateSigned{sign.version, pair.a.key.sign(sign.digest)}, effects);
    return pair.a.channel.pending.back().update;
}

void leader_round(benchmark::State& state) {
    Pair pair;
    const auto ops = static_cast<std::size_t>(state.range(0));
    Effects effects;
    for (auto _ : state) {
        const Update update = cut(pair, ops);
        const Digest digest = pair.a.channel.pending.back().digest;
        run(pair.a, pair.context, FromPeer{Ack{pair.a.channel.id, update.version, pair.b.key.sign(digest)}, {}},
            effects);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(leader_round)->Arg(1)->Arg(64)->Arg(4096);

void follower_round(benchmark::State& state) {
    Pair pair;
    const auto ops = static_cast<std::size_t>(state.range(0));
    Effects effects;
    for (auto _ : state) {
        state.PauseTiming();
        const Update update = cut(pair, ops);
        const std::vector<Rule> verdicts(ops, Rule::none);
        state.ResumeTiming();
        run(pair.b, pair.context, FromPeer{update, verdicts}, effects);
        run(pair.b, pair.context, Flush{}, effects);
        const auto sign = std::get<SignState>(effects.front());
        const Signature signature = pair.b.key.sign(sign.digest);
        run(pair.b, pair.context, StateSigned{sign.version, signature}, effects);
        state.PauseTiming();
        run(pair.a, pair.context, FromPeer{Ack{pair.a.channel.id, update.version, signature}, {}}, effects);
        state.ResumeTiming();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(follower_round)->Arg(1)->Arg(64)->Arg(4096);

void encode_update(benchmark::State& state) {
    Pair pair;
    const PeerMessage message = cut(pair, 4096);
    for (auto _ : state) benchmark::DoNotOptimize(wire_encode(message));
    state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(encode_update);

void decode_update(benchmark::State& state) {
    Pair pair;
    const Bytes bytes = wire_encode(PeerMessage(cut(pair, 4096)));
    for (auto _ : state) benchmark::DoNotOptimize(wire_decode<PeerMessage>(bytes));
    state.SetItemsProcessed(state.iterations() * 4096);
    state.counters["bytes_per_op"] = static_cast<double>(bytes.size()) / 4096;
}
BENCHMARK(decode_update);

}  // namespace

BENCHMARK_MAIN();
