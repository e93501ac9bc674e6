#pragma once

#include <set>
#include <span>
#include <vector>

#include "channel/codec/wire.h"
#include "daemon/node/node_parts.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

/// At most `Most` channels that something is still to be done about, kept under a key of the store. A change is stored
/// with what else its turn stores, so that what raised the work and the work itself survive a death together.
template <std::size_t Most>
class StoredIds {
  public:
    StoredIds(NodeParts& parts, const char* key) : m_parts(parts), m_key(key) {}

    /// What an earlier run left; it is up to the caller to begin with it again. StoreError (corrupt).
    [[nodiscard]] std::vector<channel::ChannelId> left() const {
        const auto stored = get_meta(m_parts.reader, m_key);
        if (!stored) return {};
        const auto ids = channel::wire_decode<Ids>(*stored);
        if (!ids) throw StoreError(StoreErrorKind::corrupt, m_key);
        return {ids->begin(), ids->end()};
    }
    void insert(std::span<const channel::ChannelId> ids) {
        const std::size_t before = m_ids.size();
        m_ids.insert(ids.begin(), ids.end());
        if (m_ids.size() != before) store();
    }
    void erase(std::span<const channel::ChannelId> ids) {
        std::size_t erased = 0;
        for (const channel::ChannelId& id : ids) erased += m_ids.erase(id);
        if (erased != 0) store();
    }

  private:
    using Ids = channel::List<channel::ChannelId, Most>;

    void store() const {
        Ids ids;
        ids.assign(m_ids.begin(), m_ids.end());
        m_parts.outbox.persist(
            [key = m_key, value = channel::wire_encode(ids)](Database& db) { put_meta(db, key, value); });
    }

    NodeParts& m_parts;
    const char* m_key;
    std::set<channel::ChannelId> m_ids;
};

}  // namespace hedgerow::daemon
