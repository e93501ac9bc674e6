#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <unordered_map>
#include <vector>

#include "daemon/node/node.h"

namespace hedgerow::bench {

/// What a load asks for. Every op goes the production way: Node::submit_ops, the core, the store, the wire.
struct Load {
    std::vector<channel::ChannelId> channels;
    std::size_t in_flight = 1;  ///< ops waiting for both signatures, per channel
    double warm_up_s = 0.5;
    double seconds = 3;
    std::vector<channel::Op> ops;  ///< taken in turn
};

/// Of up to a million ops, evenly chosen.
class Latencies {
  public:
    void add(double ms);
    [[nodiscard]] const std::vector<float>& ms() const { return m_ms; }

  private:
    std::vector<float> m_ms;
    std::uint64_t m_every = 1;
    std::uint64_t m_seen = 0;
};

struct LoadResult {
    std::uint64_t agreed = 0;                  ///< ops with both signatures, durable here, in the measured time
    std::uint64_t refused = 0;                 ///< in all of it; anything but zero spoils the figure
    channel::Rule rule = channel::Rule::none;  ///< of the last refusal
    std::uint64_t versions = 0;                ///< co-signed updates in the measured time
    double seconds = 0;
    double cpu_s = 0;  ///< user and system, of this process, in the measured time
    Latencies held;  ///< from submission until the other side's signature is held, both having stored what they signed
    Latencies durable;  ///< until that is stored here too, and reported
};

/// Keeps a node busy from within its own thread and counts what comes of it.
class LoadGenerator final : public daemon::OpSink {
  public:
    /// Told of every update with ops of ours that both have signed, durable here.
    using OnAgreed = std::function<void(const channel::Channel&, const channel::OpsAgreed&)>;

    explicit LoadGenerator(daemon::Node& node) : m_node(node), m_sink(node.add_sink(*this)) {}

    /// On the node thread; one load at a time.
    void run(const Load& load, std::function<void(const LoadResult&)> done);
    void tell(OnAgreed on_agreed) { m_tell = std::move(on_agreed); }

    void on_held(const channel::Channel& channel, const channel::OpsAgreed& agreed) override;
    void on_agreed(const channel::Channel& channel, const channel::OpsAgreed& agreed) override;
    void on_refused(channel::LocalId id, channel::Rule rule) override;

  private:
    using Clock = std::chrono::steady_clock;
    struct Batch {
        channel::LocalId last = 0;  ///< ids up to here, above the batch before
        Clock::time_point at;
    };
    struct Flow {
        std::size_t waiting = 0;
        std::size_t next_op = 0;
        std::deque<Batch> batches;
    };

    void top_up(const channel::ChannelId& id, Flow& flow);
    void measure(Clock::time_point now);
    void finish();

    daemon::Node& m_node;
    const daemon::SinkId m_sink;
    OnAgreed m_tell;
    bool m_running = false;
    bool m_measuring = false;
    Load m_load;
    LoadResult m_result;
    std::function<void(const LoadResult&)> m_done;
    Clock::time_point m_measure_from;
    Clock::time_point m_until;
    double m_cpu_from = 0;
    std::unordered_map<channel::ChannelId, Flow, channel::FixedBytesHash> m_flows;
};

/// Of this process so far, user and system, seconds.
[[nodiscard]] double cpu_seconds();

}  // namespace hedgerow::bench
