#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "channel/base/bytes.h"
#include "channel/base/ids.h"
#include "daemon/store/file_system.h"
#include "daemon/store/generation.h"

namespace hedgerow::daemon {

struct JournalOptions {
    std::filesystem::path path;                          ///< its files are `<path>.0`, `<path>.1` and `<path>.generation`
    std::size_t segment_bytes = std::size_t{1} << 20;    ///< of each of its two segments at first; of whole pages of 4 KiB, both
    std::size_t max_segment_bytes = std::size_t{16} << 20;  ///< they double up to this where a segment fills up
    FileSystem* files = &real_files();
};

/// The log before the database: records become durable here by one sequential write into space that is already allocated and
/// one flush, and are applied to the database later, many at a time (Writer). Two segments take turns: one is written
/// while the records of the other are applied. A record is header (magic, length, sequence, generation, checksum) and body; the checksum is
/// SipHash-2-4-128 under the database's id, so that another database's journal is none. Sequences rise by one a record, for good, so what an
/// earlier use left in a segment is never taken for what follows.
///
/// A record says at which generation (Database::generation) it was made: a database that has not come so far lacks what was committed to it in
/// between, and is stale. `<path>.generation` notes the newest sequence beside it, as the database's own does its generation: a journal and database put back together
/// to an older copy are refused as stale_copy. One thread at a time.
class Journal {
  public:
    /// What is to be applied, oldest first, and the sequence of the last.
    struct Batch {
        std::vector<channel::Bytes> records;
        std::uint64_t last = 0;
    };

    /// Opens or creates. `applied`: the sequence up to which the database has all, at its `generation`. take() then has what a crash kept from it.
    /// Throws StoreError: stale_copy (unless `accept_stale`; then what does not follow on `applied` is dropped), corrupt, and FileError.
    Journal(const JournalOptions& options, const channel::Hash& database_id, std::uint64_t applied, std::uint64_t generation,
            bool accept_stale);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    /// Whether a body of that size has room in a segment that is free; one byte at the least. Where it has none, segments want to grow().
    [[nodiscard]] bool fits(std::size_t size);
    /// Of what fits. Durable, and taken, when it returns true. False: there is no room until more is applied, and nothing was written.
    /// `generation`: that of the database, or one that it had.
    [[nodiscard]] bool append(channel::Bytes& body, std::uint64_t generation);
    /// All records that were not taken yet, for the database: in one transaction with `last` (Database::set_journal_applied), then applied(last).
    /// What is appended meanwhile goes into the other segment, where that is free.
    [[nodiscard]] Batch take();
    /// The database has everything up to `sequence`, durably.
    void applied(std::uint64_t sequence);
    /// Segments are too small for what is written, and may grow.
    [[nodiscard]] bool wants_growth() const;
    /// Space for the free segment, where it is wanted: allocate() it, beside append(), and then hand it to grown(). Until then that segment is
    /// not used.
    struct Growth {
        std::size_t segment = 0;
        OpenFile* file = nullptr;
        std::uint64_t from = 0, to = 0;
    };
    [[nodiscard]] std::optional<Growth> growth();
    void allocate(const Growth& growth) const;
    void grown(const Growth& growth);

    /// The database has everything.
    [[nodiscard]] bool clean() const { return m_applied == m_last; }
    /// A segment is full, and waits for the database.
    [[nodiscard]] bool filled() const { return !is_free(m_segments[1 - m_active]); }
    /// Of the newest record; it never falls.
    [[nodiscard]] std::uint64_t last_sequence() const { return m_last; }
    /// Journal and database were older than what was once written, and `accept_stale` let that pass.
    [[nodiscard]] bool accepted_stale() const { return m_accepted_stale; }

  private:
    struct Segment {
        std::unique_ptr<OpenFile> file;
        std::uint64_t size = 0;
        std::uint64_t position = 0;  ///< where the next record goes
        std::uint64_t last = 0;      ///< sequence of the newest record in it; it is free once that is applied
        bool growing = false;
    };
    struct Found {
        std::uint64_t sequence = 0;
        std::uint64_t generation = 0;
        channel::Bytes body;
    };

    [[nodiscard]] std::vector<Found> scan_segments();
    [[nodiscard]] channel::Bytes open_segment(std::size_t index);
    [[nodiscard]] bool is_free(const Segment& segment) const { return segment.last <= m_applied && !segment.growing; }
    [[nodiscard]] bool record_at(channel::ByteView image, std::size_t at, Found& out) const;
    [[nodiscard]] std::size_t scan(channel::ByteView image, std::vector<Found>& out) const;
    void refuse_beyond(channel::ByteView image, std::size_t from, std::uint64_t newest) const;
    [[nodiscard]] bool recover(const std::vector<Found>& all, std::uint64_t generation, bool accept_stale);
    [[nodiscard]] bool make_room(std::size_t size);
    [[nodiscard]] std::uint64_t wanted_size() const;
    [[nodiscard]] std::array<std::uint8_t, 16> checksum(channel::ByteView head, channel::ByteView body) const;

    const JournalOptions m_options;
    const channel::Hash m_database_id;
    GenerationFile m_generation;
    std::array<Segment, 2> m_segments;
    std::size_t m_active = 0;
    std::uint64_t m_applied = 0;
    std::uint64_t m_last = 0;
    std::vector<channel::Bytes> m_records;  ///< bodies that take() has not given away
    channel::Bytes m_buffer;  ///< pages as they were last written; the next record begins in the last of them
    std::uint64_t m_wanted = 0;  ///< that size a segment would have had to have
    bool m_accepted_stale = false;
};

}  // namespace hedgerow::daemon
