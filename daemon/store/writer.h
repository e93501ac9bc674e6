#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "channel/base/expected.h"
#include "channel/base/rule.h"
#include "daemon/base/drive.h"
#include "daemon/base/event_fd.h"
#include "daemon/store/database.h"

namespace hedgerow::daemon {

struct WriterOptions {
    std::size_t max_queued_jobs = 65'536;      ///< at this, submit waits and try_submit says queue_full
    std::size_t max_jobs_per_commit = 16'384;  ///< bounds one transaction's memory and the latency of its first job
    Drive drive = Drive::threads;
};

struct WriterMetrics {
    std::uint64_t jobs = 0;     ///< jobs made durable
    std::uint64_t commits = 0;  ///< transactions, so jobs / commits is the mean group
    std::uint64_t queued = 0;   ///< jobs waiting now
    std::uint64_t largest_commit = 0;
    std::uint64_t last_commit_us = 0;  ///< of the last transaction: jobs, commit and flush
};

/// The one thread that writes (DESIGN 12). Everything submitted while a commit runs goes into the next transaction, so
/// one disk flush serves all channels. Jobs run and become durable in the order of submission. Completions are handed
/// to the event loop: poll completion_fd(), then drain().
///
/// An error in a job or commit rolls its whole transaction back and ends the writer: `on_fatal` is called once, on the
/// writer's thread, and no later job runs and no later on_durable is delivered.
class Writer {
  public:
    using Job = std::function<void(Database&)>;
    using OnDurable = std::function<void()>;
    using OnFatal = std::function<void(const StoreError&)>;

    Writer(std::unique_ptr<Database> database, OnFatal on_fatal, const WriterOptions& options = {});
    /// Runs what is queued, then ends (stepped: drops it, as a power cut would). Undrained completions are dropped: what they would send is replayed at restart.
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// From any thread but the writer's. Waits while the queue is full. store_failed after a fatal error.
    [[nodiscard]] channel::Expected<void, channel::Rule> submit(Job job, OnDurable on_durable);
    /// As submit, but never waits: queue_full where it would, counting completions that drain() has not delivered.
    [[nodiscard]] channel::Expected<void, channel::Rule> try_submit(Job job, OnDurable on_durable);
    /// Where nothing waits or runs: the job at once, durable on this thread when it returns true, which spares an idle node two changes of
    /// threads. False: not done, submit it. After a failure true, and failed().
    [[nodiscard]] bool commit_now(Job& job);
    /// Waits until all that was submitted before is durable or the writer failed (false).
    bool flush();
    /// Stepped only: commits what waits, as one transaction. False where nothing does, or the writer has failed.
    bool step();

    /// Readable while completions wait.
    [[nodiscard]] int completion_fd() const { return m_completed_event.fd(); }
    /// Calls the waiting on_durable callbacks, in order, on this thread; returns how many.
    std::size_t drain();

    [[nodiscard]] bool failed() const;
    [[nodiscard]] WriterMetrics metrics() const;

  private:
    struct Entry {
        Job job;
        OnDurable on_durable;
    };

    channel::Expected<void, channel::Rule> enqueue(std::unique_lock<std::mutex>& lock, Job job, OnDurable on_durable);
    void run();
    [[nodiscard]] bool run_batch();
    bool run_committed(std::vector<Entry>& batch, bool deliver);
    [[nodiscard]] std::vector<Entry> take_batch();
    void commit_batch(std::vector<Entry>& batch);
    void finish_batch(std::vector<Entry>& batch, std::uint64_t elapsed_us, bool deliver);
    void fail(const StoreError& error);

    std::unique_ptr<Database> m_database;
    const OnFatal m_on_fatal;
    const WriterOptions m_options;

    mutable std::mutex m_mutex;
    std::condition_variable m_work;   // the writer waits: jobs or stop
    std::condition_variable m_space;  // submitters and flush wait: progress
    std::deque<Entry> m_queue;
    std::deque<OnDurable> m_completed;
    std::uint64_t m_submitted = 0;
    std::size_t m_running = 0;  // jobs in the transaction under way
    bool m_elsewhere = false;   // that is commit_now's
    WriterMetrics m_metrics;
    bool m_stop = false;
    bool m_failed = false;
    EventFd m_completed_event;
    std::thread m_thread;  // last: starts when all else is there; none where stepped
};

}  // namespace hedgerow::daemon
