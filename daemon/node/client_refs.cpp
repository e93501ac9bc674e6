#include "daemon/node/client_refs.h"

namespace hedgerow::daemon {

namespace {

/// Until then a checkpoint has rarely been: not worth a look.
constexpr unsigned kTicksBeforeLook = 5;

bool same_outcome(const ClientRefRow& a, const ClientRefRow& b) {
    return a.outcome == b.outcome && a.channel == b.channel && a.version == b.version && a.op == b.op && a.rule == b.rule &&
           a.result == b.result;
}

}  // namespace

void ClientRefs::put(const ClientRefRow& row) {
    m_outbox.rows().put(row);
    m_recent.insert_or_assign(row.ref, Recent{row, 0});
}

std::optional<ClientRefRow> ClientRefs::find(const std::string& ref) const {
    const auto recent = m_recent.find(ref);
    return recent != m_recent.end() ? recent->second.row : find_client_ref(m_reader, ref);
}

void ClientRefs::tick() {
    for (auto at = m_recent.begin(); at != m_recent.end();) {
        bool has = false;
        if (++at->second.ticks >= kTicksBeforeLook) {
            const auto stored = find_client_ref(m_reader, at->first);
            has = stored && same_outcome(*stored, at->second.row);
        }
        at = has ? m_recent.erase(at) : std::next(at);
    }
}

}  // namespace hedgerow::daemon
