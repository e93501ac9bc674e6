#include "tests/bench/load_generator.h"

#include <sys/resource.h>

namespace hedgerow::bench {

using channel::Channel;
using channel::ChannelId;

namespace {

constexpr std::size_t kMaxSamples = 1'000'000;
constexpr std::size_t kMaxBatch = channel::kMaxOpsPerUpdate;

template <typename Duration>
std::chrono::steady_clock::duration steady(Duration duration) {
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
}

}  // namespace

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void LoadGenerator::run(const Load& load, std::function<void(const LoadResult&)> done) {
    ASSERT(!m_running && !load.ops.empty());
    m_load = load;
    m_done = std::move(done);
    m_result = {};
    m_running = true;
    m_measuring = false;
    m_measure_from = Clock::now() + steady(std::chrono::duration<double>(load.warm_up_s));
    m_until = m_measure_from + steady(std::chrono::duration<double>(load.seconds));
    m_flows.clear();
    for (const ChannelId& id : load.channels) m_flows[id];
    for (const ChannelId& id : load.channels) top_up(id, m_flows[id]);
}

void LoadGenerator::top_up(const ChannelId& id, Flow& flow) {
    while (flow.waiting < m_load.in_flight) {
        const std::size_t count = std::min(m_load.in_flight - flow.waiting, kMaxBatch);
        std::vector<channel::Op> ops;
        ops.reserve(count);
        for (std::size_t i = 0; i < count; ++i) ops.push_back(m_load.ops[flow.next_op++ % m_load.ops.size()]);
        const auto first = m_node.submit_ops(id, std::move(ops), m_sink);
        if (!first) {
            ++m_result.refused;
            m_result.rule = first.error();
            return;
        }
        flow.waiting += count;
        flow.batches.push_back({*first + count - 1, Clock::now()});
    }
}

void LoadGenerator::measure(Clock::time_point now) {
    if (m_measuring || now < m_measure_from) return;
    m_measuring = true;
    m_measure_from = now;
    m_cpu_from = cpu_seconds();
}

void Latencies::add(double ms) {
    if (m_seen++ % m_every != 0) return;
    m_ms.push_back(static_cast<float>(ms));
    if (m_ms.size() < kMaxSamples) return;
    for (std::size_t i = 0; i < kMaxSamples / 2; ++i) m_ms[i] = m_ms[2 * i];
    m_ms.resize(kMaxSamples / 2);
    m_every *= 2;
}

void LoadGenerator::on_held(const Channel& channel, const channel::OpsAgreed& agreed) {
    const auto it = m_flows.find(channel.id);
    if (!m_measuring || it == m_flows.end()) return;
    const auto now = Clock::now();
    auto batch = it->second.batches.begin();
    for (const channel::LocalId id : agreed.local_ids) {
        if (daemon::sink_of(id) != m_sink) continue;
        while (batch->last < id && std::next(batch) != it->second.batches.end()) ++batch;
        m_result.held.add(std::chrono::duration<double, std::milli>(now - batch->at).count());
    }
}

void LoadGenerator::on_agreed(const Channel& channel, const channel::OpsAgreed& agreed) {
    if (m_tell) m_tell(channel, agreed);
    const auto it = m_flows.find(channel.id);
    if (!m_running || it == m_flows.end()) return;
    Flow& flow = it->second;
    const auto now = Clock::now();
    measure(now);
    for (const channel::LocalId id : agreed.local_ids) {
        if (daemon::sink_of(id) != m_sink) continue;
        --flow.waiting;
        while (flow.batches.front().last < id && flow.batches.size() > 1) flow.batches.pop_front();
        if (!m_measuring) continue;
        ++m_result.agreed;
        m_result.durable.add(std::chrono::duration<double, std::milli>(now - flow.batches.front().at).count());
    }
    if (m_measuring) ++m_result.versions;
    if (now >= m_until) return finish();
    top_up(channel.id, flow);
}

void LoadGenerator::on_refused(channel::LocalId id, channel::Rule rule) {
    (void)id;
    ++m_result.refused;
    m_result.rule = rule;
}

void LoadGenerator::finish() {
    m_running = false;
    m_result.seconds = m_measuring ? std::chrono::duration<double>(Clock::now() - m_measure_from).count() : 0;
    m_result.cpu_s = m_measuring ? cpu_seconds() - m_cpu_from : 0;
    const auto done = std::move(m_done);
    m_done = {};
    done(m_result);
}

}  // namespace hedgerow::bench
