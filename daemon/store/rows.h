#pragma once

#include <span>

#include "channel/codec/wire.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

/// What a turn stores in the tables that change with every update, as bytes: they can wait in the journal (journal.h) for the database, where
/// of many versions of one row only the newest is written. What is in no such row is a job of the writer.
class Rows {
  public:
    void put(const EncodedUpdate& update);
    void put(const ChannelRow& channel, std::uint64_t now_ms);
    void put_signing_record(const channel::ChannelId& id, channel::ByteView record);
    void put(const FillsRow& fills);
    void put(const ClientRefRow& ref);

    [[nodiscard]] bool empty() const { return m_out.bytes().empty(); }
    /// What was put, in order; empty afterwards.
    [[nodiscard]] channel::Bytes take() { return std::exchange(m_out, {}).take(); }

  private:
    channel::Writer m_out;
};

/// Puts them into the tables, in a transaction of the caller's: afterwards these are as if each had been written in order. StoreError{corrupt}
/// where they do not decode.
void apply_rows(Database& db, std::span<const channel::Bytes> rows);

}  // namespace hedgerow::daemon
