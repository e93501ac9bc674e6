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

bool Outbox::end_turn(const std::function<bool()>& idle) {
    if (m_jobs.empty()) {
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
    auto jobs = std::make_shared<std::vector<Writer::Job>>(std::move(m_jobs));
    m_jobs.clear();
    Writer::Job all = [jobs](Database& db) {
        for (const Writer::Job& job : *jobs) job(db);
    };
    if (m_in_flight == 0 && idle && idle() && m_writer.commit_now(all)) {
        if (m_writer.failed()) throw StoreError(StoreErrorKind::io, kStoreFailed);
        run_all(*actions);
        return true;
    }
    const auto submitted = m_writer.submit(std::move(all), [this,  actions] {
        --m_in_flight;
        run_all(*actions);
    });
    if (!submitted) throw StoreError(StoreErrorKind::io, kStoreFailed);
    m_newest = std::move(actions);
    ++m_in_flight;
    return false;
}

}  // namespace hedgerow::daemon
