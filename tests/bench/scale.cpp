#include <fmt/format.h>

#include <fstream>

#include "channel/market/package.h"
#include "tests/bench/network.h"
#include "tests/bench/scenarios.h"
#include "tests/support/channel_pair.h"

namespace hedgerow::bench {

using namespace channel;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMany = 100'000;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

struct ManyFigures {
    Figure ready{"start_100k_channels", "s", "all ready under 10 s, accepting connections under 2 s"};
    Figure idle{"idle_channel_memory", "bytes", "at most 4096 a channel, nothing per tick"};
};

ManyFigures start_many(const RunOptions& options) {
    Network network({});
    const double alone_kib = network.leader.ask("counters").at("rss_kib");
    (void)network.leader.daemon().stop();
    (void)network.follower.daemon().stop();
    seed_channels(network.world, network.leader.daemon(), network.follower.daemon(), network.id, kMany);
    network.channels += kMany;
    network.follower.daemon().start();
    ManyFigures out;
    auto& [ready, idle] = out;
    for (std::size_t i = 0; i < options.runs; ++i) {
        const auto began = Clock::now();
        network.leader.daemon().start();  // returns when all channels are taken up and the chain is followed
        const std::chrono::duration<double> answered = network.leader.daemon().answered() - began;
        ready.more["s until RPC answers"].push_back(answered.count());
        ready.more["s until taken up"].push_back(seconds_since(began));
        network.leader.wait_quiet(network.channels, 600'000);
        ready.values.push_back(seconds_since(began));
        const Json before = network.leader.ask("counters");
        ready.more["CPU s until all ready"].push_back(before.at("cpu_s"));
        std::this_thread::sleep_for(std::chrono::seconds(2));
        const Json after = network.leader.ask("counters");
        idle.values.push_back(1024 * (after.at("rss_kib").get<double>() - alone_kib) / static_cast<double>(kMany));
        idle.more["CPU of the idle node, %"].push_back(
            100 * (after.at("cpu_s").get<double>() - before.at("cpu_s").get<double>()) / 2);
        (void)network.leader.daemon().stop();
    }
    return out;
}

/// One network of many channels serves both figures: it takes minutes to make.
const ManyFigures& many_channels(const RunOptions& options) {
    static const ManyFigures figures = start_many(options);
    return figures;
}

/// A price moves: how long until a thousand channels have co-signed it as their mark.
std::vector<Figure> mark_1000_channels(const RunOptions& options) {
    const testing::TestKey oracle(9);
    const Feed perpetual = *feed_from_name("BTC_USD-PERPETUAL"), index = *feed_from_name("BTC_USD");
    const auto one_position = [&](ChannelState& state) {
        PositionEntry& entry = state.positions.edit().emplace_back();
        entry.position.instrument = perpetual;
        entry.position.underlying = index;
        entry.position.quantity = Quantity::from_raw(100'000);
        entry.position.mark = Price::from_raw(10'000'000'000'000);
    };
    Network network({.seeded = 1'000,
                     .fill = one_position,
                     .settings = {{"oracle-signer", checksum_address(address_of(oracle.key))}}});
    Figure figure{"mark_1000_channels", "ms", "p99 <= 250 ms"};
    Int128 price = 10'000'000'000'000;
    for (std::size_t i = 0; i < std::max<std::size_t>(options.runs, 5) + 1; ++i) {
        price += 20'000'000'000;  // 20 bps and more: every channel marks at once
        const auto now_ms = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count());
        Json packages = Json::array();
        for (const Feed& feed : {index, perpetual}) {
            const DataPackage data = single_price_package(feed, Price::from_raw(price), now_ms);
            packages.push_back(to_hex(encode_signed_package({data, oracle.sign(package_digest(data))})));
        }
        (void)network.follower.answer(
            network.follower.begin({{"do", "price"}, {"packages", packages}, {"wait", false}}));
        const Json result = network.leader.answer(network.leader.begin(
            {{"do", "price"}, {"packages", packages}, {"wait", true}, {"price", format_decimal(price, 0)}}));
        network.leader.wait_quiet(network.channels);
        std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
        if (i == 0) continue;  // first prices
        figure.values.push_back(result.at("p99_ms"));
        figure.p50_ms.push_back(result.at("p50_ms"));
        figure.p99_ms.push_back(result.at("p99_ms"));
        figure.p999_ms.push_back(result.at("most_ms"));
    }
    return {figure};
}

}  // namespace

std::vector<Scenario> scale_scenarios() {
    return {{"start_100k_channels", [](const RunOptions& o) { return std::vector{many_channels(o).ready}; }},
            {"idle_channel_memory", [](const RunOptions& o) { return std::vector{many_channels(o).idle}; }},
            {"mark_1000_channels", mark_1000_channels}};
}

}  // namespace hedgerow::bench
