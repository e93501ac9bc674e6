#include <fmt/format.h>

#include "tests/bench/network.h"
#include "tests/bench/scenarios.h"

/// What the model of a node (SCALE.md) is checked against: the same work over 10 to 10,000 channels, and over one beside a flood.
namespace hedgerow::bench {

namespace {

double difference(const Json& after, const Json& before, const char* name) {
    return after.at(name).get<double>() - before.at(name).get<double>();
}

/// One op in flight in each of `channels`: what an update costs a node, in all that it uses.
Figure updates_in(std::size_t channels, const RunOptions& options) {
    Network network({.seeded = channels - 1});
    Figure figure{fmt::format("scale_{}_channels", channels), "updates/s", "see SCALE.md"};
    const auto database = network.leader.daemon().datadir() / "node.sqlite";
    const auto at_first = static_cast<double>(std::filesystem::file_size(database));
    double updates = 0;
    for (std::size_t i = 0; i < options.runs; ++i) {
        const Json before = network.follower.ask("counters");
        const Json result = network.leader.answer(
            network.leader.begin(
                {{"do", "load"}, {"channels", channels}, {"inFlight", 1}, {"seconds", options.seconds}}),
            120'000);
        const Json after = network.follower.ask("counters");
        if (result.at("refused") != 0) throw std::runtime_error(figure.name + ": refused: " + result.dump());
        const double versions = result.at("versions"), seconds = result.at("seconds");
        figure.values.push_back(versions / seconds);
        figure.p50_ms.push_back(result.at("p50_ms"));
        figure.p99_ms.push_back(result.at("p99_ms"));
        figure.p999_ms.push_back(result.at("p999_ms"));
        // Counters are of the whole run with its warm-up; so many updates were in that.
        const Json &mine = result.at("after"), &mine_before = result.at("before");
        const double all = difference(mine, mine_before, "signed");
        updates += all;
        const auto each = [&](const char* what, double leader, double follower) {
            figure.more[fmt::format("{} an update, leader", what)].push_back(leader / all);
            figure.more[fmt::format("{} an update, follower", what)].push_back(follower / all);
        };
        each("CPU us", 1e6 * difference(mine, mine_before, "cpu_s"), 1e6 * difference(after, before, "cpu_s"));
        each("wire bytes sent", difference(mine, mine_before, "sent"), difference(after, before, "sent"));
        each("disk bytes", difference(mine, mine_before, "disk"), difference(after, before, "disk"));
        each("flushes", difference(mine, mine_before, "flushes"), difference(after, before, "flushes"));
        figure.more["memory MiB, leader"].push_back(mine.at("rss_kib").get<double>() / 1'024);
        figure.more["memory MiB, follower"].push_back(after.at("rss_kib").get<double>() / 1'024);
        network.leader.wait_quiet(network.channels);
    }
    (void)network.leader.daemon().stop();  // everything is in the database
    figure.more["database bytes an update, leader"] = {
        (static_cast<double>(std::filesystem::file_size(database)) - at_first) / updates};
    return figure;
}

/// How much of its rate a channel keeps, one op at a time, while another peer floods the same node with as much as it takes.
std::vector<Figure> fairness_under_flood(const RunOptions& options) {
    Network network({});
    BenchNode quiet(network.world, "quiet");
    quiet.daemon().fund();
    (void)quiet.daemon().call("peer_connect", {{"uri", network.leader.daemon().uri()}});
    (void)test::open_channel(network.leader.daemon(), quiet.daemon(), {"400000", ""}, {"400000", ""});
    Figure figure{"fairness_under_flood", "x", "a quarter of its rate alone, or more: three daemons share two cores"};
    const Json one{{"do", "load"}, {"channels", 1}, {"inFlight", 1}, {"seconds", options.seconds}};
    const Json flood{{"do", "load"}, {"channels", 1}, {"inFlight", 32'768}, {"seconds", options.seconds + 2}, {"warmUp", 0}};
    const auto rate = [](const Json& result) {
        if (result.at("refused") != 0) throw std::runtime_error("refused: " + result.dump());
        return result.at("versions").get<double>() / result.at("seconds").get<double>();
    };
    for (std::size_t i = 0; i < options.runs; ++i) {
        const Json alone = quiet.answer(quiet.begin(one));
        const std::uint64_t flooding = network.follower.begin(flood);
        const Json beside = quiet.answer(quiet.begin(one));
        const Json flooded = network.follower.answer(flooding);
        figure.values.push_back(rate(beside) / rate(alone));
        figure.p50_ms.push_back(beside.at("p50_ms"));
        figure.p99_ms.push_back(beside.at("p99_ms"));
        figure.p999_ms.push_back(beside.at("p999_ms"));
        figure.more["p50 ms alone"].push_back(alone.at("p50_ms"));
        figure.more["p99 ms alone"].push_back(alone.at("p99_ms"));
        figure.more["ops/s of the flood meanwhile"].push_back(flooded.at("agreed").get<double>() /
                                                              flooded.at("seconds").get<double>());
        network.follower.wait_quiet(1);
        quiet.wait_quiet(1);
    }
    (void)quiet.daemon().stop();
    return {figure};
}

}  // namespace

std::vector<Scenario> model_scenarios() {
    const auto scale = [](const RunOptions& options) {
        std::vector<Figure> out;
        for (const std::size_t channels : {10, 100, 1'000, 10'000}) out.push_back(updates_in(channels, options));
        return out;
    };
    return {{"fairness_under_flood", fairness_under_flood}, {"scale_model", scale}};
}

}  // namespace hedgerow::bench
