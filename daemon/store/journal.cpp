#include "daemon/store/journal.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "channel/base/assert.h"
#include "daemon/base/little_endian.h"
#include "daemon/store/failpoint.h"
#include "daemon/store/files.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;

namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'H', 'G', 'J', '1'};
constexpr std::size_t kCheckedHead = 24;  ///< magic; little-endian: length (4), sequence (8), generation (8)
constexpr std::size_t kHead = kCheckedHead + crypto_shorthash_siphashx24_BYTES;
constexpr std::size_t kAlignment = 8;  ///< records begin at multiples of it
constexpr std::size_t kZeros = std::size_t{64} << 10;
constexpr std::uint64_t kPage = 4'096;  ///< whole ones are written: nothing needs be read for that

std::size_t record_size(std::size_t body) {
    return (kHead + body + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Journal::Journal(const JournalOptions& options, const channel::Hash& database_id, std::uint64_t applied,
                 std::uint64_t generation, bool accept_stale)
    : m_options(options),
      m_database_id(database_id),
      m_generation(*options.files, with_suffix(options.path, ".generation"), "hedgerow-journal"),
      m_applied(applied),
      m_last(applied) {
    ASSERT(options.segment_bytes % kPage == 0 && options.max_segment_bytes % kPage == 0);
    const std::vector<Found> all = scan_segments();
    const bool follows = recover(all, generation, accept_stale);
    const std::string_view wrong =
        follows ? m_generation.disagreement(m_last == 0, database_id, m_last) : "a part between them is missing";
    if (!wrong.empty() && !accept_stale) {
        throw StoreError(StoreErrorKind::stale_copy, fmt::format("{} and its database cannot be trusted to be the newest: {}",
                                                                 options.path.string(), wrong));
    }
    m_accepted_stale = !wrong.empty();
    m_generation.begin(database_id, m_last, m_accepted_stale);
}

Journal::~Journal() {
    try {
        m_generation.sync();
    } catch (const StoreError&) {
        // An older number only makes the check weaker.
    }
}

// --- opening
// ----------------------------------------------------------------------------------------------------------

std::vector<Journal::Found> Journal::scan_segments() {
    std::vector<Found> all;
    std::array<Bytes, 2> images;
    std::array<std::size_t, 2> ends{};
    std::uint64_t newest = m_applied;
    for (std::size_t i = 0; i < m_segments.size(); ++i) {
        images[i] = open_segment(i);
        ends[i] = scan(images[i], all);
    }
    std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.sequence < b.sequence; });
    if (!all.empty()) newest = std::max(newest, all.back().sequence);
    for (std::size_t i = 0; i < m_segments.size(); ++i) refuse_beyond(images[i], ends[i], newest);
    return all;
}

Bytes Journal::open_segment(std::size_t index) {
    Segment& segment = m_segments[index];
    segment.file = m_options.files->open(with_suffix(m_options.path, fmt::format(".{}", index)),
                                         FileSystem::Open::or_create);
    Bytes image(static_cast<std::size_t>(segment.file->size()));
    image.resize(segment.file->read_at(0, image));
    segment.size = image.size();
    segment.file->forget();
    if (segment.size < m_options.segment_bytes) {
        allocate({index, segment.file.get(), segment.size, m_options.segment_bytes});
        segment.size = m_options.segment_bytes;
    }
    return image;
}

bool Journal::record_at(ByteView image, std::size_t at, Found& out) const {
    if (image.size() - at < kHead) return false;
    const std::uint8_t* head = image.data() + at;
    if (!std::equal(kMagic.begin(), kMagic.end(), head)) return false;
    const std::size_t length = get_le<std::uint32_t>(head + 4);
    if (length == 0 || length > image.size() - at - kHead) return false;
    const ByteView body = image.subspan(at + kHead, length);
    const auto sum = checksum({head, kCheckedHead}, body);
    if (!std::equal(sum.begin(), sum.end(), head + kCheckedHead)) return false;
    out.sequence = get_le<std::uint64_t>(head + 8);
    out.generation = get_le<std::uint64_t>(head + 16);
    out.body.assign(body.begin(), body.end());
    return true;
}

/// The records from the beginning of a segment on, each one above the one before; where they end.
std::size_t Journal::scan(ByteView image, std::vector<Found>& out) const {
    std::size_t at = 0;
    std::uint64_t before = 0;
    for (Found found; at < image.size() && record_at(image, at, found);) {
        if (before != 0 && found.sequence != before + 1) break;
        before = found.sequence;
        at += record_size(found.body.size());
        out.push_back(std::move(found));
    }
    return at;
}

/// One record is flushed before the next is written, so that nothing newer can stand behind where they end: a damaged record would hide it.
void Journal::refuse_beyond(ByteView image, std::size_t from, std::uint64_t newest) const {
    Found found;
    for (std::size_t at = from; at < image.size(); at += kAlignment) {
        if (image[at] != kMagic[0] || !record_at(image, at, found) || found.sequence <= newest) continue;
        throw StoreError(StoreErrorKind::corrupt,
                         fmt::format("{} is damaged before record {}", m_options.path.string(), found.sequence));
    }
}

/// What follows on what the database has. False where it does not follow; then it is dropped, and new records are numbered above it.
bool Journal::recover(const std::vector<Found>& all, std::uint64_t generation, bool accept_stale) {
    bool follows = true;
    for (const Found& found : all) {
        if (found.sequence <= m_applied) continue;
        follows = follows && found.sequence == m_last + 1 && found.generation <= generation;
        m_last = found.sequence;
        m_records.push_back(found.body);
    }
    if (follows) {
        for (Segment& segment : m_segments) {  // nothing overwrites them before they are applied
            segment.last = m_last;
            segment.position = m_records.empty() ? 0 : segment.size;
        }
        return true;
    }
    m_records.clear();
    if (accept_stale) m_applied = m_last;
    return false;
}

// --- writing
// ----------------------------------------------------------------------------------------------------------

std::array<std::uint8_t, 16> Journal::checksum(ByteView head, ByteView body) const {
    std::array<std::uint8_t, crypto_shorthash_siphashx24_KEYBYTES> key{};
    std::array<std::uint8_t, crypto_shorthash_siphashx24_BYTES + kCheckedHead> parts{};
    std::copy_n(m_database_id.data.begin(), key.size(), key.begin());
    crypto_shorthash_siphashx24(parts.data(), body.data(), body.size(), key.data());
    std::copy(head.begin(), head.end(), parts.begin() + crypto_shorthash_siphashx24_BYTES);
    std::array<std::uint8_t, crypto_shorthash_siphashx24_BYTES> out{};
    crypto_shorthash_siphashx24(out.data(), parts.data(), parts.size(), key.data());
    return out;
}

bool Journal::fits(std::size_t size) {
    const std::size_t record = record_size(size);
    if (size == 0 || record > m_options.max_segment_bytes) return false;
    if (record <= std::min(m_segments[0].size, m_segments[1].size)) return true;
    m_wanted = std::max<std::uint64_t>(m_wanted, record);
    return false;
}

/// Turns to the other segment, where this one has no room and that one is free and has.
bool Journal::make_room(std::size_t size) {
    Segment& active = m_segments[m_active];
    if (active.position + size <= active.size) return true;
    m_wanted = std::max(m_wanted, 2 * active.size);
    Segment& next = m_segments[1 - m_active];
    if (!is_free(next)) return false;
    next.position = 0;
    m_active = 1 - m_active;
    return true;
}

std::uint64_t Journal::wanted_size() const {
    return std::min<std::uint64_t>((m_wanted + kPage - 1) / kPage * kPage, m_options.max_segment_bytes);
}

bool Journal::wants_growth() const {
    const Segment& active = m_segments[m_active];
    const Segment& other = m_segments[1 - m_active];
    if (!is_free(other)) return false;
    return other.size < wanted_size() || (active.position == 0 && active.size < wanted_size());
}

std::optional<Journal::Growth> Journal::growth() {
    if (!wants_growth()) return std::nullopt;
    // The empty one that is written next, where it is that one.
    if (m_segments[1 - m_active].size >= wanted_size()) {
        m_active = 1 - m_active;
        m_segments[m_active].position = 0;
    }
    Segment& segment = m_segments[1 - m_active];
    segment.growing = true;
    return Growth{1 - m_active, segment.file.get(), segment.size, wanted_size()};
}

/// Zeros to the end, on the disk: what is written there later changes no size and allocates nothing.
void Journal::allocate(const Growth& growth) const {
    const Bytes zeros(kZeros);
    for (std::uint64_t at = growth.from; at < growth.to;) {
        const auto part = std::min<std::uint64_t>(zeros.size(), growth.to - at);
        growth.file->write_at(at, ByteView(zeros).first(static_cast<std::size_t>(part)));
        at += part;
    }
    growth.file->sync();
    growth.file->forget();
    m_options.files->sync_directory(m_options.path.parent_path());
}

void Journal::grown(const Growth& growth) {
    m_segments[growth.segment].size = growth.to;
    m_segments[growth.segment].growing = false;
}

bool Journal::append(Bytes& body, std::uint64_t generation) {
    ASSERT(fits(body.size()));
    const std::size_t size = record_size(body.size());
    if (!make_room(size)) return false;
    Segment& segment = m_segments[m_active];
    // From the page on in which it begins, with what that holds already, to the end of the one in which it ends.
    const std::size_t before = static_cast<std::size_t>(segment.position % kPage);
    if (before == 0) m_buffer.clear();
    m_buffer.erase(m_buffer.begin(), m_buffer.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(m_buffer.size(), kPage)));
    ASSERT(m_buffer.size() == (before == 0 ? 0 : kPage));
    m_buffer.resize((before + size + kPage - 1) / kPage * kPage);
    std::uint8_t* head = m_buffer.data() + before;
    std::copy(kMagic.begin(), kMagic.end(), head);
    put_le(head + 4, static_cast<std::uint32_t>(body.size()));
    put_le(head + 8, m_last + 1);
    put_le(head + 16, generation);
    const auto sum = checksum({head, kCheckedHead}, body);
    std::copy(sum.begin(), sum.end(), head + kCheckedHead);
    std::copy(body.begin(), body.end(), head + kHead);
    std::fill(m_buffer.begin() + static_cast<std::ptrdiff_t>(before + kHead + body.size()), m_buffer.end(), std::uint8_t{0});
    segment.file->write_at(segment.position - before, m_buffer);
    failpoint("journal.written");
    segment.file->sync_data();
    segment.position += size;
    segment.last = ++m_last;
    m_records.push_back(std::move(body));
    failpoint("journal.flushed");
    m_generation.note(m_database_id, m_last);
    return true;
}

Journal::Batch Journal::take() {
    Batch out{std::exchange(m_records, {}), m_last};
    Segment& next = m_segments[1 - m_active];
    if (m_segments[m_active].last > m_applied && is_free(next)) {
        next.position = 0;
        m_active = 1 - m_active;
    }
    return out;
}

void Journal::applied(std::uint64_t sequence) {
    ASSERT(sequence >= m_applied && sequence <= m_last);
    m_applied = sequence;
    // All of it is in the database: the next record may be the first of its segment.
    if (m_segments[m_active].last <= m_applied) m_segments[m_active].position = 0;
}

}  // namespace hedgerow::daemon
