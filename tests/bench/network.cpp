#include "tests/bench/network.h"

namespace hedgerow::bench {

using namespace test;

namespace {

/// Prices that move as a busy day's do, so that positions are marked while they are traded.
constexpr const char* kScenario = R"({"name": "bench", "assets": [
  {"feed": "BTC_USD", "price": "100000", "volatility": 0.6}, {"feed": "ETH_USD", "price": "4000", "volatility": 0.8}],
  "perpetuals": [{"feed": "BTC_USD-PERPETUAL"}, {"feed": "ETH_USD-PERPETUAL"}]})";

Anvil started() {
    auto anvil = Anvil::start();
    if (!anvil) throw std::runtime_error("no Anvil: npm ci --ignore-scripts");
    return std::move(*anvil);
}

DaemonWorld& prepared(DaemonWorld& world, const NetworkOptions& options) {
    world.settings = options.settings;
    world.settings.emplace_back("max-in-doubt", "100000000");
    world.settings.emplace_back("log-level", "warn");
    if (options.oracles) world.start_oracles(kScenario, {{}, {}, {}});
    return world;
}

}  // namespace

BenchNode::BenchNode(DaemonWorld& world, const std::string& name)
    : m_daemon(world, name,
               {.settings = {{"bind", "127.0.0.1:" + std::to_string(free_port())}}, .program = "bench_node"}) {}

std::uint64_t BenchNode::begin(Json ask) {
    ask["id"] = ++m_asked;
    m_daemon.process().write(ask.dump());
    return m_asked;
}

Json BenchNode::answer(std::uint64_t id, int timeout_ms) {
    for (;;) {
        Json line = Json::parse(m_daemon.process().read(timeout_ms));
        if (line.value("id", std::uint64_t{0}) != id) continue;
        if (line.contains("error")) throw std::runtime_error(line.dump());
        return line;
    }
}

void BenchNode::wait_quiet(std::size_t channels, int timeout_ms) {
    until(
        "all channels are connected and quiet",
        [&] {
            const Json now = ask("channels");
            return now.at("connected") == channels && now.at("quiet") == channels;
        },
        timeout_ms);
}

Network::Network(const NetworkOptions& options)
    : world(started()), leader(prepared(world, options), "leader"), follower(world, "follower") {
    for (BenchNode* node : {&leader, &follower}) node->daemon().fund();
    (void)follower.daemon().call("peer_connect", {{"uri", leader.daemon().uri()}});
    id = open_channel(leader.daemon(), follower.daemon(), {"400000", ""}, {"400000", ""});
    if (options.seeded == 0) return;
    leader.wait_quiet(1);
    (void)leader.daemon().stop();
    (void)follower.daemon().stop();
    seed_channels(world, leader.daemon(), follower.daemon(), id, options.seeded, options.fill);
    channels += options.seeded;
    ChildOptions child;
    if (options.keep_locks) child.environment = {{"HEDGEROW_BENCH_KEEP_LOCKS", "1"}};
    follower.daemon().start(child);
    leader.daemon().start(child);
    leader.wait_quiet(channels, 300'000);
}

Network::~Network() {
    for (BenchNode* node : {&leader, &follower}) {
        if (node->daemon().process().pid() > 0) (void)node->daemon().stop();
    }
}

void Network::restart() {
    (void)leader.daemon().stop();
    (void)follower.daemon().stop();
    leader.daemon().start();
    follower.daemon().start();
}

}  // namespace hedgerow::bench
