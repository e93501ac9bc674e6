#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "channel/base/expected.h"
#include "channel/base/rule.h"
#include "daemon/base/drive.h"
#include "daemon/base/event_fd.h"
#include "daemon/store/database.h"
#include "daemon/store/journal.h"
#include "daemon/store/rows.h"

namespace hedgerow::daemon {

struct WriterOptions {
    std::size_t max_queued_jobs = 65'536;      ///< at this, submit waits and try_submit says queue_full
    std::size_t max_jobs_per_commit = 16'384;  ///< bounds one transaction's memory and the latency of its first job
    Drive drive = Drive::threads;
    std::optional<JournalOptions> journal;  ///< none: every row goes to the database at once
    bool accept_stale = false;              ///< as DatabaseOptions::accept_stale, of the journal
    std::uint64_t checkpoint_ms = 1'000;    ///< rows wait in the journal for about so long at the most
};

struct WriterMetrics {
    std::uint64_t jobs = 0;     ///< jobs made durable
    std::uint64_t commits = 0;  ///< groups of them, each durable at once, so jobs / commits is the mean group
    std::uint64_t queued = 0;   ///< jobs waiting now
    std::uint64_t largest_commit = 0;
    std::uint64_t last_commit_us = 0;  ///< of the last group: all until it was durable
    std::uint64_t journalled = 0;      ///< groups that went to the journal
    std::uint64_t checkpoints = 0;     ///< transactions that brought the database up to it
};

/// The one thread that makes things durable (DESIGN 12). Everything submitted while a commit runs goes into the next, so
/// one disk flush serves all channels. Work becomes durable in the order of submission. Completions are handed
/// to the event loop: poll completion_fd(), then drain().
///
/// Work that is rows and nothing else goes to the journal, where there is one: a checkpoint, on a thread beside this one, brings it
/// into the database soon. A job brings everything before it there at once, for it is part of the same transaction: what the database says is
/// a state that was durable, always, and behind the newest only by whole turns.
///
/// An error in a job or commit rolls its whole transaction back and ends the writer: `on_fatal` is called once, on the
/// writer's thread, and no later job runs and no later on_durable is delivered.
class Writer {
  public:
    using Job = std::function<void(Database&)>;
    struct Work {
        RowBytes rows;  ///< put before the job runs
        Job job;        ///< or none
    };
    using OnDurable = std::function<void()>;
    using OnFatal = std::function<void(const StoreError&)>;

    /// Brings what a crash left in the journal into the database. Throws StoreError.
    Writer(std::unique_ptr<Database> database, OnFatal on_fatal, const WriterOptions& options = {});
    /// Runs what is queued, then ends (stepped: drops it, as a power cut would). Undrained completions are dropped: what they would send is replayed at restart.
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// From any thread but the writer's. Waits while the queue is full. store_failed after a fatal error.
    [[nodiscard]] channel::Expected<void, channel::Rule> submit(Work work, OnDurable on_durable);
    [[nodiscard]] channel::Expected<void, channel::Rule> submit(Job job, OnDurable on_durable) {
        return submit(Work{{}, std::move(job)}, std::move(on_durable));
    }
    /// Part of the next transaction, whatever that brings, or of a checkpoint after a second: for what nobody waits for. In the order of
    /// submission among its like. Where there is no journal, as submit.
    [[nodiscard]] channel::Expected<void, channel::Rule> submit_later(Job job, OnDurable on_durable);
    /// As submit, but never waits: queue_full where it would, counting completions that drain() has not delivered.
    [[nodiscard]] channel::Expected<void, channel::Rule> try_submit(Job job, OnDurable on_durable);
    /// Where nothing waits or runs: the work at once, durable on this thread when it returns true, which spares an idle node two changes of
    /// threads. False: not done, submit it. After a failure true, and failed().
    [[nodiscard]] bool commit_now(Work& work);
    /// Waits until all that was submitted before is durable or the writer failed (false).
    bool flush();
    /// The database has everything that was durable before the call, for who reads it; on the calling thread. False where the writer has failed.
    bool checkpoint();
    /// Stepped only: commits what waits, as one transaction, or else what was submitted for later. False where nothing is, or the writer has failed.
    bool step();

    /// Readable while completions wait.
    [[nodiscard]] int completion_fd() const { return m_completed_event.fd(); }
    /// Calls the waiting on_durable callbacks, in order, on this thread; returns how many.
    std::size_t drain();

    /// The journal was older than what was once written, and WriterOptions::accept_stale let that pass.
    [[nodiscard]] bool accepted_stale() const { return m_journal && m_journal->accepted_stale(); }
    [[nodiscard]] bool failed() const;
    [[nodiscard]] WriterMetrics metrics() const;

  private:
    struct Entry {
        Work work;
        OnDurable on_durable;
    };

    channel::Expected<void, channel::Rule> enqueue(std::unique_lock<std::mutex>& lock, Work work, OnDurable on_durable);
    void run();
    [[nodiscard]] bool run_batch();
    bool run_committed(std::vector<Entry>& batch, bool deliver);
    [[nodiscard]] std::vector<Entry> take_batch();
    [[nodiscard]] std::size_t next_batch() const;
    [[nodiscard]] bool put_in_journal(std::vector<Entry>& batch);
    void append(const std::vector<Entry>& batch);
    void commit_batch(std::vector<Entry>& batch);
    void transaction(const std::function<void()>& work, std::uint64_t applied);
    void bring_up_to_date();
    void grow_journal();
    [[nodiscard]] Journal::Batch take_unapplied(std::vector<Entry>& later);
    void run_job(Entry& entry);
    void applied(std::uint64_t sequence);
    void run_checkpoints();
    [[nodiscard]] bool guarded(const std::function<void()>& work);
    void finish_batch(std::vector<Entry>& batch, std::uint64_t elapsed_us, bool deliver);
    void finish_later(std::vector<Entry>& later);
    void fail(const StoreError& error);

    // Taken in this order: whoever has the database may look into the journal, not the other way round.
    std::mutex m_database_mutex;
    std::unique_ptr<Database> m_database;
    std::atomic<std::uint64_t> m_generation = 0;  ///< of the newest transaction
    std::mutex m_journal_mutex;
    std::unique_ptr<Journal> m_journal;
    RowLists m_lists;              ///< of the records that the journal would give to take()
    std::vector<Entry> m_later;    ///< of m_journal_mutex
    std::chrono::steady_clock::time_point m_later_since;  ///< of the first of them
    std::condition_variable m_unapplied;  ///< checkpoints wait: a first record, or a full segment
    std::condition_variable m_applied;    ///< a writer waits for room
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
    bool m_end_checkpoints = false;  ///< of m_journal_mutex
    // Last: they start when all else is there; none where stepped.
    std::thread m_checkpoints;
    std::thread m_thread;
};

}  // namespace hedgerow::daemon
