#include "daemon/store/writer.h"

#include <algorithm>
#include <chrono>

#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::Expected;
using channel::Rule;
using channel::Unexpected;

Writer::Writer(std::unique_ptr<Database> database, OnFatal on_fatal, const WriterOptions& options)
    : m_database(std::move(database)), m_on_fatal(std::move(on_fatal)), m_options(options) {
    ASSERT(m_database != nullptr && m_options.max_queued_jobs > 0 && m_options.max_jobs_per_commit > 0);
    if (m_options.drive == Drive::threads) m_thread = std::thread([this] { run(); });
}

Writer::~Writer() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_work.notify_all();
    m_space.notify_all();
    if (m_thread.joinable()) m_thread.join();
}

Expected<void, Rule> Writer::submit(Job job, OnDurable on_durable) {
    ASSERT(std::this_thread::get_id() != m_thread.get_id());
    std::unique_lock lock(m_mutex);
    // Nobody else would make room.
    ASSERT(m_options.drive == Drive::threads || m_queue.size() < m_options.max_queued_jobs);
    m_space.wait(lock, [this] { return m_failed || m_queue.size() < m_options.max_queued_jobs; });
    return enqueue(lock, std::move(job), std::move(on_durable));
}

Expected<void, Rule> Writer::try_submit(Job job, OnDurable on_durable) {
    std::unique_lock lock(m_mutex);
    if (m_queue.size() + m_completed.size() >= m_options.max_queued_jobs) return Unexpected{Rule::queue_full};
    return enqueue(lock, std::move(job), std::move(on_durable));
}

Expected<void, Rule> Writer::enqueue(std::unique_lock<std::mutex>& lock, Job job, OnDurable on_durable) {
    if (m_failed || m_stop) return Unexpected{Rule::store_failed};
    m_queue.push_back({std::move(job), std::move(on_durable)});
    ++m_submitted;
    const bool first = m_queue.size() == 1;
    lock.unlock();
    if (first) m_work.notify_one();
    return {};
}

bool Writer::commit_now(Job& job) {
    {
        const std::lock_guard lock(m_mutex);
        const bool idle = m_queue.empty() && m_completed.empty() && m_running == 0 && !m_failed && !m_stop;
        if (!idle || m_options.drive == Drive::stepped) return false;
        m_running = 1;
        m_elsewhere = true;
        ++m_submitted;
    }
    std::vector<Entry> batch;
    batch.push_back({std::move(job), nullptr});
    run_committed(batch, false);
    {
        const std::lock_guard lock(m_mutex);
        m_elsewhere = false;
    }
    m_work.notify_one();
    if (!failed()) failpoint("store.completed");
    return true;
}

bool Writer::flush() {
    if (m_options.drive == Drive::stepped) {
        while (step()) {
        }
        return !failed();
    }
    std::unique_lock lock(m_mutex);
    const std::uint64_t wanted = m_submitted;
    m_space.wait(lock, [&] { return m_failed || m_metrics.jobs >= wanted; });
    return !m_failed;
}

std::size_t Writer::drain() {
    std::deque<OnDurable> ready;
    {
        const std::lock_guard lock(m_mutex);
        m_completed_event.clear();
        ready.swap(m_completed);
    }
    if (!ready.empty()) failpoint("store.completed");
    for (OnDurable& call : ready) {
        if (call) call();
    }
    return ready.size();
}

bool Writer::failed() const {
    const std::lock_guard lock(m_mutex);
    return m_failed;
}

WriterMetrics Writer::metrics() const {
    const std::lock_guard lock(m_mutex);
    WriterMetrics out = m_metrics;
    out.queued = m_queue.size() + m_running;
    return out;
}

void Writer::run() {
    while (run_batch()) {
    }
}

bool Writer::step() {
    ASSERT(m_options.drive == Drive::stepped);
    if (m_failed || m_queue.empty()) return false;
    return run_batch();
}

bool Writer::run_batch() {
    std::vector<Entry> batch = take_batch();
    return !batch.empty() && run_committed(batch, true);
}

bool Writer::run_committed(std::vector<Entry>& batch, bool deliver) {
    const auto start = std::chrono::steady_clock::now();
    try {
        commit_batch(batch);
    } catch (const StoreError& error) {
        fail(error);
        return false;
    } catch (const std::exception& error) {
        fail(StoreError(StoreErrorKind::internal, error.what()));
        return false;
    }
    const auto elapsed = std::chrono::steady_clock::now() - start;
    const auto elapsed_us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
    finish_batch(batch, static_cast<std::uint64_t>(elapsed_us), deliver);
    return true;
}

std::vector<Writer::Entry> Writer::take_batch() {
    std::unique_lock lock(m_mutex);
    m_work.wait(lock, [this] { return (m_stop || !m_queue.empty()) && !m_elsewhere; });
    const std::size_t count = std::min(m_queue.size(), m_options.max_jobs_per_commit);
    const auto end = m_queue.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Entry> batch(std::make_move_iterator(m_queue.begin()), std::make_move_iterator(end));
    m_queue.erase(m_queue.begin(), end);
    m_running = count;
    lock.unlock();
    m_space.notify_all();
    return batch;
}

void Writer::commit_batch(std::vector<Entry>& batch) {
    m_database->begin();
    try {
        for (Entry& entry : batch) {
            if (entry.job) entry.job(*m_database);
            failpoint("store.in_transaction");
        }
        failpoint("store.before_commit");
        m_database->commit();
    } catch (...) {
        m_database->rollback();
        throw;
    }
    failpoint("store.after_commit");
}

void Writer::finish_batch(std::vector<Entry>& batch, std::uint64_t elapsed_us, bool deliver) {
    {
        const std::lock_guard lock(m_mutex);
        if (deliver) {
            for (Entry& entry : batch) m_completed.push_back(std::move(entry.on_durable));
        }
        m_running = 0;
        m_metrics.jobs += batch.size();
        m_metrics.commits += 1;
        m_metrics.largest_commit = std::max<std::uint64_t>(m_metrics.largest_commit, batch.size());
        m_metrics.last_commit_us = elapsed_us;
        if (deliver) m_completed_event.signal();
    }
    m_space.notify_all();
}

void Writer::fail(const StoreError& error) {
    {
        const std::lock_guard lock(m_mutex);
        m_failed = true;
        m_queue.clear();
    }
    m_space.notify_all();
    if (m_on_fatal) m_on_fatal(error);
}

}  // namespace hedgerow::daemon
