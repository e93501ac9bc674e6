#pragma once

#include "tests/bench/report.h"
#include "tests/bench/seed.h"
#include "tests/support/daemon_world.h"

namespace hedgerow::bench {

using test::Json;

/// A node with a load generator in it, and the lines of JSON that drive it.
class BenchNode {
  public:
    BenchNode(test::DaemonWorld& world, const std::string& name);

    [[nodiscard]] test::Daemon& daemon() { return m_daemon; }
    std::uint64_t begin(Json ask);
    /// std::runtime_error where it refuses, or says nothing for so long.
    Json answer(std::uint64_t id, int timeout_ms = 120'000);
    Json ask(const std::string& what) { return answer(begin({{"do", what}})); }
    /// Every channel is connected, and nothing is under way.
    void wait_quiet(std::size_t channels, int timeout_ms = 60'000);

  private:
    test::Daemon m_daemon;
    std::uint64_t m_asked = 0;
};

struct NetworkOptions {
    bool oracles = false;
    std::size_t seeded = 0;   ///< channels beside the one that is opened on chain
    Fill fill = nullptr;      ///< of the seeded ones
    bool keep_locks = false;  ///< nobody answers locks
    /// Options of both daemons, over the usual.
    std::vector<std::pair<std::string, std::string>> settings = {};
};

/// A chain, perhaps oracles, and two nodes with one channel that was opened on that chain: the leader pays.
struct Network {
    explicit Network(const NetworkOptions& options);
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    /// Both end and begin again.
    void restart();

    test::DaemonWorld world;
    BenchNode leader, follower;
    channel::ChannelId id;
    std::size_t channels = 1;
};

}  // namespace hedgerow::bench
