#include <fmt/format.h>

#include "daemon/store/channel_store.h"
#include "tests/bench/limit_probe.h"
#include "tests/bench/network.h"
#include "tests/bench/scenarios.h"

namespace hedgerow::bench {

using namespace channel;

namespace {

constexpr std::size_t kPipelined = 32'768;  ///< ops in flight in one channel
constexpr const char* kPerpetual = "BTC_USD-PERPETUAL";

double difference(const Json& result, const char* name) {
    return result.at("after").at(name).get<double>() - result.at("before").at(name).get<double>();
}

/// Adds one run. `per_s` counts ops (true) or updates.
void add_run(Figure& figure, const Json& leader, const Json& before, const Json& after, bool ops) {
    if (leader.at("refused") != 0) throw std::runtime_error(figure.name + ": refused: " + leader.dump());
    const double agreed = leader.at("agreed"), seconds = leader.at("seconds"), versions = leader.at("versions");
    figure.values.push_back((ops ? agreed : versions) / seconds);
    figure.p50_ms.push_back(leader.at("p50_ms"));
    figure.p99_ms.push_back(leader.at("p99_ms"));
    figure.p999_ms.push_back(leader.at("p999_ms"));
    figure.more["until reported, p50 ms"].push_back(leader.at("durable_p50_ms"));
    figure.more["until reported, p99 ms"].push_back(leader.at("durable_p99_ms"));
    // Of the whole run with its warm-up: what both nodes did, by what both agreed on.
    const Json follower{{"before", before}, {"after", after}};
    const double total = agreed * leader.at("cpu_s").get<double>() > 0 ? agreed : 1;
    const double cpu = leader.at("cpu_s");
    figure.more["leader CPU us an op"].push_back(1e6 * cpu / total);
    const double whole = agreed * (difference(leader, "cpu_s") / cpu);
    figure.more["follower CPU us an op"].push_back(1e6 * difference(follower, "cpu_s") / whole);
    figure.more["wire bytes an op, leader to follower"].push_back(difference(leader, "sent") / whole);
    figure.more["wire bytes an op, back"].push_back(difference(follower, "sent") / whole);
    figure.more["disk bytes an op, leader"].push_back(difference(leader, "disk") / whole);
    figure.more["disk bytes an op, follower"].push_back(difference(follower, "disk") / whole);
    figure.more["flushes an op, both"].push_back((difference(leader, "flushes") + difference(follower, "flushes")) /
                                                 whole);
    figure.more["signatures an op, both"].push_back((difference(leader, "signed") + difference(follower, "signed")) /
                                                    whole);
    figure.more["verifications an op, both"].push_back(
        (difference(leader, "verified") + difference(follower, "verified")) / whole);
    figure.more["ops an update"].push_back(agreed / std::max(versions, 1.0));
}

void run_once(Network& network, Figure& figure, Json ask, const RunOptions& options, bool ops = true) {
    ask["do"] = "load";
    ask["seconds"] = options.seconds;
    const Json before = network.follower.ask("counters");
    const Json result = network.leader.answer(network.leader.begin(ask), 120'000);
    const Json after = network.follower.ask("counters");
    add_run(figure, result, before, after, ops);
    network.leader.wait_quiet(network.channels);
}

/// The same shape, bare, in the same minute.
double probe(std::size_t channels, std::size_t ops, const RunOptions& options) {
    std::vector<double> rates;
    for (std::size_t i = 0; i < options.runs; ++i) {
        const ProbeResult result =
            run_probe({channels, ops, options.seconds / 2}, std::filesystem::temp_directory_path().c_str());
        rates.push_back(result.updates_per_s() * static_cast<double>(ops));
    }
    return median(rates);
}

/// kill -9 of both in the middle of a load: every op that was reported as done must be in both databases.
void die_under_load(Network& network, Figure& figure, Json ask) {
    (void)network.leader.ask("tell");
    ask["do"] = "load";
    ask["seconds"] = 60;
    (void)network.leader.begin(ask);
    std::map<std::uint64_t, std::size_t> told;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    bool killed = false;
    try {
        for (;;) {
            const Json line = Json::parse(network.leader.daemon().process().read());
            if (line.contains("agreed") && line.contains("version")) told[line.at("version")] = line.at("ops");
            if (killed || std::chrono::steady_clock::now() < end) continue;
            network.follower.daemon().die();
            network.leader.daemon().die();
            killed = true;
        }
    } catch (const std::runtime_error&) {  // its output has ended
        if (!killed) throw;
    } catch (const Json::parse_error&) {  // in the middle of a line: nobody was told that
    }
    std::uint64_t ops = 0;
    for (BenchNode* node : {&network.leader, &network.follower}) {
        node->daemon().kill();
        const auto db = open_store(node->daemon());
        for (const auto& [version, count] : told) {
            const auto rows = daemon::updates_down_from(*db, network.id, version, 1);
            const bool found = !rows.empty() && rows[0].update.version == version && !rows[0].is_void &&
                               rows[0].update.ops.size() == count;
            if (!found)
                throw std::runtime_error(
                    fmt::format("{}: version {} was reported done, and is lost", figure.name, version));
            ops += count;
        }
        for (const daemon::ChannelRow& row : daemon::all_channels(*db)) {
            if (row.id == network.id && row.agreed_version < told.rbegin()->first)
                throw std::runtime_error(figure.name + ": an older state than was reported");
        }
    }
    figure.more["ops reported before kill -9 of both, all found in both databases"].push_back(static_cast<double>(ops) /
                                                                                              2);
}

std::vector<Figure> pipelined_payments(const RunOptions& options) {
    Network network({});
    Figure figure{"pipelined_payments", "ops/s", "1,000,000"};
    figure.limit = probe(16, 1'000, options);
    const Json ask{{"channels", 1}, {"inFlight", kPipelined}};
    for (std::size_t i = 0; i < options.runs; ++i) run_once(network, figure, ask, options);
    die_under_load(network, figure, ask);
    return {figure};
}

std::vector<Figure> pipelined_trades(const RunOptions& options) {
    Network network({.oracles = true});
    test::until("there are prices", [&] {
        const Json ask{{"feeds", {kPerpetual}}};
        return network.leader.daemon().call("oracle_prices", ask).at("items").size() == 1 &&
               network.follower.daemon().call("oracle_prices", ask).at("items").size() == 1;
    });
    Figure figure{"pipelined_trades", "ops/s", "300,000"};
    for (std::size_t i = 0; i < options.runs; ++i) {
        const Json quote = network.follower.daemon().call("market_publish", {{"channelId", to_hex(network.id)},
                                                                             {"instrument", kPerpetual},
                                                                             {"bid", "99999"},
                                                                             {"ask", "100001"},
                                                                             {"size", "100000"},
                                                                             {"validMs", 600'000}});
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        const Json ask{{"channels", 1},
                       {"inFlight", kPipelined},
                       {"kind", "trade"},
                       {"ask", quote.at("askQuoteId")},
                       {"bid", quote.at("bidQuoteId")},
                       {"quantity", "100000"}};
        run_once(network, figure, ask, options);
    }
    return {figure};
}

std::vector<Figure> single_op_many_channels(const RunOptions& options) {
    Network network({.seeded = 999});
    Figure figure{"single_op_many_channels", "updates/s", "1.3 x the bare probe of this run; stretch 8,000"};
    figure.limit = probe(128, 1, options);
    const Json ask{{"channels", 1'000}, {"inFlight", 1}};
    for (std::size_t i = 0; i < options.runs; ++i) run_once(network, figure, ask, options, false);
    return {figure};
}

/// p50 of one op at a time, ms a run.
Figure one_at_a_time(Network& network, Figure figure, const RunOptions& options, std::size_t runs) {
    for (std::size_t i = 0; i < runs; ++i)
        run_once(network, figure, {{"channels", 1}, {"inFlight", 1}}, options, false);
    return figure;
}

std::vector<Figure> single_op_latency(const RunOptions& options) {
    Network network({});
    Figure figure =
        one_at_a_time(network, {"single_op_latency", "ms", "p50 <= 1.2 ms, p99 <= 3 ms"}, options, options.runs);
    figure.values = figure.p50_ms;
    figure.limit = 1e3 / probe(1, 1, options);
    return {figure};
}

/// As many locks and positions as a channel may hold.
void fill_up(ChannelState& state) {
    const auto now_s = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
    auto& locks = state.locks.edit();
    for (std::size_t i = 0; i < kMaxLocks; ++i) {
        Lock lock;
        lock.hash.data[0] = static_cast<std::uint8_t>(i);
        lock.hash.data[1] = 1;
        lock.expiry = now_s + 20 * 86'400;
        lock.amount = Amount::from_raw(i % 2 == 0 ? 1 : -1);
        locks.emplace_back().lock = lock;
    }
    auto& positions = state.positions.edit();
    for (std::size_t i = 0; i < kMaxPositions; ++i) {
        PositionEntry& entry = positions.emplace_back();
        entry.position.instrument = *feed_from_name(fmt::format("BTC_USD-X{}", i));
        entry.position.underlying = *feed_from_name("BTC_USD");
        entry.position.quantity = Quantity::from_raw(i % 2 == 0 ? 1'000 : -1'000);
        entry.position.mark = Price::from_raw(10'000'000'000'000);
    }
}

/// What an update costs both nodes with full lists, by what it costs without, in turn in one run.
std::vector<Figure> single_op_loaded_channel(const RunOptions& options) {
    Network network({.seeded = 1, .fill = fill_up, .keep_locks = true});
    Figure with{"single_op_loaded_channel", "x", "256 locks and 32 positions cost at most 1.1 x"}, without = with;
    for (std::size_t i = 0; i < options.runs; ++i) {
        run_once(network, without, {{"channels", 1}, {"inFlight", 1}, {"loaded", false}}, options, false);
        run_once(network, with, {{"channels", 1}, {"inFlight", 1}, {"loaded", true}}, options, false);
    }
    const auto cost = [](const Figure& f, std::size_t i) {
        return f.more.at("leader CPU us an op")[i] + f.more.at("follower CPU us an op")[i];
    };
    with.values.clear();
    for (std::size_t i = 0; i < options.runs; ++i) with.values.push_back(cost(with, i) / cost(without, i));
    with.more["p50 ms without"] = without.p50_ms;
    with.more["leader CPU us an op, without"] = without.more.at("leader CPU us an op");
    with.more["follower CPU us an op, without"] = without.more.at("follower CPU us an op");
    return {with};
}

/// What an update costs after so many ops, by what it cost before them.
std::vector<Figure> after_long_history(const RunOptions& options) {
    constexpr std::uint64_t kOps = 10'000'000;
    Network network({});
    Figure before = one_at_a_time(network, {"before", "x", ""}, options, options.runs);
    std::uint64_t ops = 0;
    while (ops < kOps) {
        const Json result = network.leader.answer(
            network.leader.begin(
                {{"do", "load"}, {"channels", 1}, {"inFlight", kPipelined}, {"seconds", 2}, {"warmUp", 0}}),
            120'000);
        ops += result.at("agreed").get<std::uint64_t>();
        network.leader.wait_quiet(1);
    }
    Figure after = one_at_a_time(network, {"after_long_history", "x", "at most 1.05 x after 10 million ops"}, options,
                                 options.runs);
    const auto cost = [](const Figure& f, std::size_t i) {
        return f.more.at("leader CPU us an op")[i] + f.more.at("follower CPU us an op")[i];
    };
    std::vector<double> first;
    for (std::size_t i = 0; i < options.runs; ++i) first.push_back(cost(before, i));
    after.values.clear();
    for (std::size_t i = 0; i < options.runs; ++i) after.values.push_back(cost(after, i) / median(first));
    after.more["p50 ms before"] = before.p50_ms;
    after.more["ops before"] = {static_cast<double>(ops)};
    return {after};
}

}  // namespace

std::vector<Scenario> load_scenarios() {
    return {{"pipelined_payments", pipelined_payments},
            {"pipelined_trades", pipelined_trades},
            {"single_op_many_channels", single_op_many_channels},
            {"single_op_latency", single_op_latency},
            {"single_op_loaded_channel", single_op_loaded_channel},
            {"after_long_history", after_long_history}};
}

}  // namespace hedgerow::bench
