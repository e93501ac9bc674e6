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

/// The i-th op of a load.
using OpAt = Op (*)(std::size_t i);

Op payment(std::size_t) {
    return pay(1);
}

/// Takes the peer's ask and bid in turn, as the load of pipelined_trades does.
Op trade(std::size_t i) {
    TradeOp op = perp(i % 2 == 0 ? 0.001 : -0.001, i % 2 == 0 ? 100'001 : 99'999);
    op.quote.data.fill(static_cast<std::uint8_t>(1 + i % 2));
    return op;
}

/// Our own prices, always there.
struct SteadyPrices final : OwnPrices {
    [[nodiscard]] std::optional<Price> price(const Feed&) const override { return usd(100'000); }
    [[nodiscard]] std::optional<Price> price_at(const Feed&, std::uint64_t, const Terms&) const override {
        return usd(100'000);
    }
};

/// The Update that a leader with `ops` waiting ops cuts, signed.
Update cut(Pair& pair, std::size_t ops, OpAt op = payment) {
    Effects effects;
    for (std::size_t i = 0; i < ops; ++i) run(pair.a, pair.context, LocalOp{i + 1, op(i)}, effects);
    run(pair.a, pair.context, Flush{}, effects);
    const auto& sign = std::get<SignState>(effects.front());
    run(pair.a, pair.context, StateSigned{sign.version, pair.a.key.sign(sign.digest)}, effects);
    return pair.a.channel.pending.back().update;
}

template <OpAt op>
void leader_round(benchmark::State& state) {
    Pair pair;
    const SteadyPrices prices;
    pair.context.prices = &prices;
    const auto ops = static_cast<std::size_t>(state.range(0));
    Effects effects;
    for (auto _ : state) {
        const Update update = cut(pair, ops, op);
        const Digest digest = pair.a.channel.pending.back().digest;
        run(pair.a, pair.context, FromPeer{Ack{pair.a.channel.id, update.version, pair.b.key.sign(digest)}, {}},
            effects);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(leader_round<payment>)->Arg(1)->Arg(64)->Arg(4096);
BENCHMARK(leader_round<trade>)->Arg(4096);

template <OpAt op>
void follower_round(benchmark::State& state) {
    Pair pair;
    const SteadyPrices prices;
    pair.context.prices = &prices;
    const auto ops = static_cast<std::size_t>(state.range(0));
    Effects effects;
    for (auto _ : state) {
        state.PauseTiming();
        const Update update = cut(pair, ops, op);
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
BENCHMARK(follower_round<payment>)->Arg(1)->Arg(64)->Arg(4096);
BENCHMARK(follower_round<trade>)->Arg(4096);

template <OpAt op>
void encode_update(benchmark::State& state) {
    Pair pair;
    const PeerMessage message = cut(pair, 4096, op);
    for (auto _ : state) benchmark::DoNotOptimize(wire_encode(message));
    state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(encode_update<payment>);
BENCHMARK(encode_update<trade>);

template <OpAt op>
void decode_update(benchmark::State& state) {
    Pair pair;
    const Bytes bytes = wire_encode(PeerMessage(cut(pair, 4096, op)));
    for (auto _ : state) benchmark::DoNotOptimize(wire_decode<PeerMessage>(bytes));
    state.SetItemsProcessed(state.iterations() * 4096);
    state.counters["bytes_per_op"] = static_cast<double>(bytes.size()) / 4096;
}
BENCHMARK(decode_update<payment>);
BENCHMARK(decode_update<trade>);

}  // namespace

BENCHMARK_MAIN();
