#include "daemon/node/outbox.h"

#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

namespace {
constexpr const char* kStoreFailed = "the store has failed; nothing more is stored or sent";
}

void Outbox::run_all(std::vector<Action>& actions) {
    // An action may add actions to a turn that is not in flight yet, never to this list.
    for (Action& action : actions) action();
    actions.clear();
    failpoint("outbox.after_actions");
}

Writer::Work Outbox::take_work() {
    Writer::Work out{m_rows.take(), nullptr};
    if (m_jobs.empty()) return out;
    auto jobs = std::make_shared<std::vector<Writer::Job>>(std::move(m_jobs));
    m_jobs.clear();
    out.job = [jobs](Database& db) {
        for (const Writer::Job& job : *jobs) job(db);
    };
    return out;
}

void Outbox::persist_later(Writer::Job job, Action done) {
    if (!m_writer.submit_later(std::move(job), std::move(done))) throw StoreError(StoreErrorKind::io, kStoreFailed);
}

bool Outbox::end_turn(const std::function<bool()>& idle) {
    if (stores_nothing()) {
        if (m_actions.empty()) return false;
        if (m_in_flight != 0) {
            std::move(m_actions.begin(), m_actions.end(), std::back_inserter(*m_newest));
            m_actions.clear();
            return false;
        }
        std::vector<Action> now;
        now.swap(m_actions);
        run_all(now);
        return true;
    }
    auto actions = std::make_shared<std::vector<Action>>(std::move(m_actions));
    m_actions.clear();
    Writer::Work work = take_work();
    if (m_in_flight == 0 && idle && idle() && m_writer.commit_now(work)) {
        if (m_writer.failed()) throw StoreError(StoreErrorKind::io, kStoreFailed);
        run_all(*actions);
        return true;
    }
    const auto submitted = m_writer.submit(std::move(work), [this, actions] {
        --m_in_flight;
        run_all(*actions);
    });
    if (!submitted) throw StoreError(StoreErrorKind::io, kStoreFailed);
    m_newest = std::move(actions);
    ++m_in_flight;
    return false;
}

}  // namespace hedgerow::daemon
