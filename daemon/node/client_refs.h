#pragma once

#include <string>
#include <unordered_map>

#include "daemon/node/outbox.h"

namespace hedgerow::daemon {

/// What callers' references stand for, as the store has it or will have it with this turn: rows that have not reached the database yet
/// (Outbox::rows) are found as well. Whoever answers by one waits until it is durable.
class ClientRefs {
  public:
    ClientRefs(Outbox& outbox, Database& reader) : m_outbox(outbox), m_reader(reader) {}
    ClientRefs(const ClientRefs&) = delete;
    ClientRefs& operator=(const ClientRefs&) = delete;

    /// Stored with this turn.
    void put(const ClientRefRow& row);
    [[nodiscard]] std::optional<ClientRefRow> find(const std::string& ref) const;
    /// Every second or so: forgets what the database has by now.
    void tick();
    /// Rows that the database may not have.
    [[nodiscard]] std::size_t kept() const { return m_recent.size(); }

  private:
    struct Recent {
        ClientRefRow row;
        unsigned ticks = 0;
    };
    Outbox& m_outbox;
    Database& m_reader;
    std::unordered_map<std::string, Recent> m_recent;  ///< as many as the journal holds at the most
};

}  // namespace hedgerow::daemon
