#include "daemon/store/writer.h"

#include <algorithm>
#include <chrono>

#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::Expected;
using channel::Rule;
using channel::Unexpected;

namespace {
constexpr auto kLater = std::chrono::seconds(1);  ///< after which what nobody waits for is done
}

Writer::Writer(std::unique_ptr<Database> database, OnFatal on_fatal, const WriterOptions& options)
    : m_database(std::move(database)), m_on_fatal(std::move(on_fatal)), m_options(options) {
    ASSERT(m_database != nullptr && m_options.max_queued_jobs > 0 && m_options.max_jobs_per_commit > 0);
    m_generation = static_cast<std::uint64_t>(m_database->generation());
    if (m_options.journal) {
        m_journal = std::make_unique<Journal>(*m_options.journal, m_database->id(), m_database->journal_applied(),
                                              m_generation, m_options.accept_stale);
        bring_up_to_date();
    }
    if (m_options.drive != Drive::threads) return;
    if (m_journal) m_checkpoints = std::thread([this] { run_checkpoints(); });
    m_thread = std::thread([this] { run(); });
}

Writer::~Writer() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_work.notify_all();
    m_space.notify_all();
    if (m_thread.joinable()) m_thread.join();
    {
        const std::lock_guard lock(m_journal_mutex);
        m_end_checkpoints = true;
    }
    m_unapplied.notify_all();
    if (m_checkpoints.joinable()) m_checkpoints.join();
}

Expected<void, Rule> Writer::submit(Work work, OnDurable on_durable) {
    ASSERT(std::this_thread::get_id() != m_thread.get_id());
    std::unique_lock lock(m_mutex);
    // Nobody else would make room.
    ASSERT(m_options.drive == Drive::threads || m_queue.size() < m_options.max_queued_jobs);
    m_space.wait(lock, [this] { return m_failed || m_queue.size() < m_options.max_queued_jobs; });
    return enqueue(lock, std::move(work), std::move(on_durable));
}

Expected<void, Rule> Writer::submit_later(Job job, OnDurable on_durable) {
    if (!m_journal) return submit(std::move(job), std::move(on_durable));
    if (failed()) return Unexpected{Rule::store_failed};
    const std::lock_guard lock(m_journal_mutex);
    if (m_later.empty()) m_later_since = std::chrono::steady_clock::now();
    m_later.push_back({Work{{}, std::move(job)}, std::move(on_durable)});
    if (m_later.size() == 1) m_unapplied.notify_one();
    return {};
}

Expected<void, Rule> Writer::try_submit(Job job, OnDurable on_durable) {
    std::unique_lock lock(m_mutex);
    if (m_queue.size() + m_completed.size() >= m_options.max_queued_jobs) return Unexpected{Rule::queue_full};
    return enqueue(lock, Work{{}, std::move(job)}, std::move(on_durable));
}

Expected<void, Rule> Writer::enqueue(std::unique_lock<std::mutex>& lock, Work work, OnDurable on_durable) {
    if (m_failed || m_stop) return Unexpected{Rule::store_failed};
    m_queue.push_back({std::move(work), std::move(on_durable)});
    ++m_submitted;
    const bool first = m_queue.size() == 1;
    lock.unlock();
    if (first) m_work.notify_one();
    return {};
}

bool Writer::commit_now(Work& work) {
    if (work.job && m_journal) {
        // A checkpoint under way would hold this thread up.
        const std::unique_lock database(m_database_mutex, std::try_to_lock);
        if (!database) return false;
    }
    {
        const std::lock_guard lock(m_mutex);
        const bool idle = m_queue.empty() && m_completed.empty() && m_running == 0 && !m_failed && !m_stop;
        if (!idle || m_options.drive == Drive::stepped) return false;
        m_running = 1;
        m_elsewhere = true;
        ++m_submitted;
    }
    std::vector<Entry> batch;
    batch.push_back({std::move(work), nullptr});
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
    if (m_failed) return false;
    if (!m_queue.empty()) return run_batch();
    return !m_later.empty() && checkpoint();
}

bool Writer::run_batch() {
    std::vector<Entry> batch = take_batch();
    return !batch.empty() && run_committed(batch, true);
}

bool Writer::run_committed(std::vector<Entry>& batch, bool deliver) {
    const auto start = std::chrono::steady_clock::now();
    const bool done = guarded([&] {
        if (!put_in_journal(batch)) commit_batch(batch);
    });
    if (!done) return false;
    const auto elapsed = std::chrono::steady_clock::now() - start;
    const auto elapsed_us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
    finish_batch(batch, static_cast<std::uint64_t>(elapsed_us), deliver);
    return true;
}

/// With a journal: rows up to the first job, no more than a segment may hold; or from a job on all that waits.
std::size_t Writer::next_batch() const {
    const std::size_t most = std::min(m_queue.size(), m_options.max_jobs_per_commit);
    if (most == 0 || !m_journal || m_queue.front().work.job) return most;
    std::size_t bytes = m_queue.front().work.rows.most();
    for (std::size_t count = 1; count < most; ++count) {
        const Work& work = m_queue[count].work;
        bytes += work.rows.most();
        if (work.job || bytes > m_options.journal->max_segment_bytes / 4) return count;
    }
    return most;
}

std::vector<Writer::Entry> Writer::take_batch() {
    std::unique_lock lock(m_mutex);
    m_work.wait(lock, [this] { return (m_stop || !m_queue.empty()) && !m_elsewhere; });
    const std::size_t count = next_batch();
    const auto end = m_queue.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Entry> batch(std::make_move_iterator(m_queue.begin()), std::make_move_iterator(end));
    m_queue.erase(m_queue.begin(), end);
    m_running = count;
    lock.unlock();
    m_space.notify_all();
    return batch;
}

bool Writer::guarded(const std::function<void()>& work) {
    try {
        work();
        return true;
    } catch (const StoreError& error) {
        fail(error);
    } catch (const std::exception& error) {
        fail(StoreError(StoreErrorKind::internal, error.what()));
    }
    return false;
}

/// False where a part of it is a job, or too large.
bool Writer::put_in_journal(std::vector<Entry>& batch) {
    if (!m_journal) return false;
    std::size_t most = 0;
    for (const Entry& entry : batch) {
        if (entry.work.job) return false;
        most += entry.work.rows.most();
    }
    {
        const std::lock_guard lock(m_journal_mutex);
        if (!m_journal->fits(most)) {
            m_unapplied.notify_one();
            return false;
        }
    }
    append(batch);
    const std::lock_guard lock(m_mutex);
    ++m_metrics.journalled;
    return true;
}

void Writer::append(const std::vector<Entry>& batch) {
    std::size_t size = 0;
    for (const Entry& entry : batch) size += entry.work.rows.bytes.size();
    std::unique_lock lock(m_journal_mutex);
    const bool first = m_journal->clean();
    for (;;) {
        channel::Bytes body;
        body.reserve(size);
        for (const Entry& entry : batch) m_lists.write(entry.work.rows, body);
        if (m_journal->append(body, m_generation)) break;
        m_lists.clear();  // nothing was written; and what was before may be taken meanwhile
        if (m_options.drive == Drive::stepped) {
            lock.unlock();
            bring_up_to_date();
            grow_journal();
            lock.lock();
            continue;
        }
        m_unapplied.notify_one();
        m_applied.wait(lock, [this] { return !m_journal->filled() || failed(); });
        if (failed()) throw StoreError(StoreErrorKind::io, "the database has failed");
    }
    if (first || m_journal->filled()) m_unapplied.notify_one();
}

/// One durable transaction, with what the journal was applied up to.
void Writer::transaction(const std::function<void()>& work, std::uint64_t applied) {
    m_database->begin();
    try {
        work();
        if (applied != 0) m_database->set_journal_applied(applied);
        failpoint("store.before_commit");
        m_database->commit();
        m_generation = static_cast<std::uint64_t>(m_database->generation());
    } catch (...) {
        m_database->rollback();
        throw;
    }
    failpoint("store.after_commit");
}

void Writer::run_job(Entry& entry) {
    if (entry.work.job) entry.work.job(*m_database);
    failpoint("store.in_transaction");
}

void Writer::commit_batch(std::vector<Entry>& batch) {
    const std::lock_guard database(m_database_mutex);
    std::vector<Entry> later;
    const Journal::Batch before = take_unapplied(later);
    transaction(
        [&] {
            apply_rows(*m_database, before.records);
            for (Entry& entry : later) run_job(entry);
            for (Entry& entry : batch) {
                channel::Bytes rows;
                RowLists().write(entry.work.rows, rows);
                apply_rows(*m_database, {&rows, 1});
                run_job(entry);
            }
        },
        before.last);
    applied(before.last);
    finish_later(later);
}

void Writer::bring_up_to_date() {
    const std::lock_guard database(m_database_mutex);
    std::vector<Entry> later;
    const Journal::Batch batch = take_unapplied(later);
    if (batch.records.empty() && later.empty()) return;
    transaction(
        [&] {
            apply_rows(*m_database, batch.records);
            for (Entry& entry : later) run_job(entry);
        },
        batch.last);
    failpoint("journal.checkpoint");
    applied(batch.last);
    finish_later(later);
    const std::lock_guard lock(m_mutex);
    ++m_metrics.checkpoints;
}

/// Beside what is appended meanwhile. A segment that nobody uses yet is touched by nobody else.
void Writer::grow_journal() {
    std::unique_lock lock(m_journal_mutex);
    const auto growth = m_journal->growth();
    if (!growth) return;
    lock.unlock();
    m_journal->allocate(*growth);
    lock.lock();
    m_journal->grown(*growth);
    lock.unlock();
    m_applied.notify_all();
}

Journal::Batch Writer::take_unapplied(std::vector<Entry>& later) {
    if (!m_journal) return {};
    const std::lock_guard lock(m_journal_mutex);
    m_lists.clear();
    later.swap(m_later);
    return m_journal->take();
}

void Writer::applied(std::uint64_t sequence) {
    if (!m_journal) return;
    {
        const std::lock_guard lock(m_journal_mutex);
        m_journal->applied(sequence);
    }
    m_applied.notify_all();
}

bool Writer::checkpoint() {
    return !failed() && guarded([this] { bring_up_to_date(); });
}

/// Once a segment is full, or its first record is old enough; the last one brings everything.
void Writer::run_checkpoints() {
    std::unique_lock lock(m_journal_mutex);
    for (;;) {
        m_unapplied.wait(lock, [this] {
            return m_end_checkpoints || !m_journal->clean() || m_journal->wants_growth() || !m_later.empty();
        });
        const auto since = std::chrono::steady_clock::now();
        while (!m_end_checkpoints && !m_journal->filled() && !m_journal->wants_growth()) {
            auto due = since + std::chrono::milliseconds(m_options.checkpoint_ms);
            if (!m_later.empty()) due = std::min(due, m_later_since + kLater);
            if (m_unapplied.wait_until(lock, due) == std::cv_status::timeout) break;
        }
        const bool end = m_end_checkpoints;
        lock.unlock();
        const auto work = [this] {
            bring_up_to_date();
            grow_journal();
        };
        if (failed() || !guarded(work) || end) return;
        lock.lock();
    }
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

void Writer::finish_later(std::vector<Entry>& later) {
    if (later.empty()) return;
    const std::lock_guard lock(m_mutex);
    for (Entry& entry : later) m_completed.push_back(std::move(entry.on_durable));
    m_completed_event.signal();
}

void Writer::fail(const StoreError& error) {
    {
        // Both, so that whoever is about to wait for either hears of it.
        const std::scoped_lock lock(m_journal_mutex, m_mutex);
        if (m_failed) return;
        m_failed = true;
        m_queue.clear();
    }
    m_space.notify_all();
    m_applied.notify_all();
    if (m_on_fatal) m_on_fatal(error);
}

}  // namespace hedgerow::daemon
