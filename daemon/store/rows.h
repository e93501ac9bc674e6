#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "channel/codec/wire.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

/// Rows as bytes. A shared list (channel::Encoding) stands beside them: who writes them down (RowLists) gives it a number, which belongs at `number_at`.
struct RowBytes {
    struct List {
        std::size_t number_at = 0;  ///< in `bytes`; 4 bytes, little-endian
        std::shared_ptr<const channel::Bytes> bytes;
    };
    channel::Bytes bytes;
    std::vector<List> lists;

    [[nodiscard]] bool empty() const { return bytes.empty(); }
    /// What they come to at the most, written down with every list.
    [[nodiscard]] std::size_t most() const;
};

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
    [[nodiscard]] RowBytes take();

  private:
    void put_encoding(const channel::Encoding& encoding);

    channel::Writer m_out;
    std::vector<RowBytes::List> m_lists;
};

/// The lists of rows that are applied together, first to last: each is written once, before the first row that has it. What a channel has
/// open is so in the journal once, however often the channel changes meanwhile.
class RowLists {
  public:
    /// Appends them for apply_rows.
    void write(const RowBytes& rows, channel::Bytes& out);
    /// What is written from here on is applied by itself.
    void clear() { m_numbers.clear(); }

  private:
    struct Hash {
        std::size_t operator()(const std::shared_ptr<const channel::Bytes>& list) const { return std::hash<const void*>()(list.get()); }
    };
    std::unordered_map<std::shared_ptr<const channel::Bytes>, std::uint32_t, Hash> m_numbers;  ///< by identity, which they keep alive
};

/// Puts them into the tables, in a transaction of the caller's: afterwards these are as if each had been written in order. StoreError{corrupt}
/// where they do not decode.
void apply_rows(Database& db, std::span<const channel::Bytes> rows);

}  // namespace hedgerow::daemon
