#include "daemon/store/rows.h"

#include <algorithm>
#include <unordered_map>

#include "daemon/base/little_endian.h"

namespace hedgerow::daemon {

using channel::ByteView;
using channel::Bytes;
using channel::ChannelId;
using channel::Encoding;
using channel::Reader;

namespace {

enum class RowKind : std::uint8_t {
    update = 0,
    channel = 1,
    signing_record = 2,
    fills = 3,
    client_ref = 4,
    update_with_lists = 5,  ///< as update and channel, with lists that stand elsewhere
    channel_with_lists = 6,
    list = 7
};

constexpr std::size_t kNumber = sizeof(std::uint32_t);  ///< bytes of a list's number
constexpr std::size_t kListHead = 1 + kNumber + 10;  ///< before a list that stands by itself, at the most

void put_blob(channel::Writer& out, ByteView bytes) {
    out.varint(bytes.size());
    out.raw(bytes);
}
void put_text(channel::Writer& out, std::string_view text) {
    put_blob(out, channel::as_bytes(text));
}
template <typename... T>
void put_all(channel::Writer& out, const T&... values) {
    (channel::wire_write(out, values), ...);
}

Bytes read_blob(Reader& in) {
    const ByteView view = in.raw(in.length(in.remaining()));
    return {view.begin(), view.end()};
}
std::string read_text(Reader& in) {
    const ByteView view = in.raw(in.length(in.remaining()));
    return {view.begin(), view.end()};
}
template <typename... T>
void read_all(Reader& in, T&... values) {
    (channel::wire_read(in, values), ...);
}

using ListsByNumber = std::unordered_map<std::uint32_t, std::shared_ptr<const Bytes>>;

std::uint32_t read_number(Reader& in) {
    const ByteView bytes = in.raw(kNumber);
    return in.ok() ? get_le<std::uint32_t>(bytes.data()) : 0;
}

Encoding read_encoding(Reader& in, const ListsByNumber* lists) {
    Encoding out;
    if (lists != nullptr) {
        out.parts.resize(in.length(in.remaining()));
        for (Encoding::Part& part : out.parts) {
            std::uint64_t at = 0;
            channel::wire_read(in, at);
            part.at = static_cast<std::size_t>(at);
            const auto found = lists->find(read_number(in));
            if (found == lists->end()) return in.fail(channel::Rule::field_out_of_range), Encoding();
            part.bytes = found->second;
        }
    }
    out.bytes = read_blob(in);
    std::size_t least = 0;
    for (const Encoding::Part& part : out.parts) {
        if (part.at < least || part.at > out.bytes.size()) in.fail(channel::Rule::field_out_of_range);
        least = part.at;
    }
    if (!in.ok()) return {};
    return out;
}

struct HeadRow {
    ChannelRow row;
    std::uint64_t now_ms = 0;
};

EncodedUpdate read_update(Reader& in, const ListsByNumber* lists) {
    EncodedUpdate row;
    read_all(in, row.channel, row.version, row.is_void);
    row.body = read_blob(in);
    row.net = read_blob(in);
    row.after = read_encoding(in, lists);
    return row;
}

HeadRow read_head(Reader& in, const ListsByNumber* lists) {
    HeadRow out;
    ChannelRow& row = out.row;
    read_all(in, row.id, row.status, row.peer, row.agreed_version, out.now_ms);
    row.head = read_encoding(in, lists);
    return out;
}

FillsRow read_fills(Reader& in) {
    FillsRow row;
    read_all(in, row.channel, row.version, row.time_ms);
    row.books.resize(in.length(in.remaining()));
    for (BookRow& book : row.books) {
        book.instrument = read_text(in);
        read_all(in, book.quantity, book.average);
        book.realised16 = read_blob(in);
    }
    row.expiries.resize(in.length(in.remaining()));
    for (ExpiryRow& expiry : row.expiries) read_all(in, expiry.op, expiry.quantity, expiry.price);
    return row;
}

ClientRefRow read_client_ref(Reader& in) {
    ClientRefRow row;
    row.ref = read_text(in);
    row.kind = read_text(in);
    std::uint8_t outcome = 0;
    read_all(in, row.request, outcome, row.channel, row.version, row.op, row.rule, row.created_ms);
    if (outcome > static_cast<std::uint8_t>(RefOutcome::refused)) in.fail(channel::Rule::field_out_of_range);
    row.outcome = static_cast<RefOutcome>(outcome);
    row.result = read_blob(in);
    return row;
}

/// Rows as they were put, of one kind each; of those that replace one another, the newest only.
struct Sorted {
    ListsByNumber lists;  ///< as they stand where it is read
    std::vector<EncodedUpdate> updates;
    std::unordered_map<ChannelId, HeadRow, channel::FixedBytesHash> heads;
    std::unordered_map<ChannelId, Bytes, channel::FixedBytesHash> signing_records;
    std::vector<FillsRow> fills;
    std::unordered_map<std::string, ClientRefRow> refs;
};

void sort_head(HeadRow head, Sorted& out) {
    out.heads.insert_or_assign(head.row.id, std::move(head));
}

void sort_row(Reader& in, Sorted& out) {
    switch (in.byte()) {
        case static_cast<std::uint8_t>(RowKind::update):
            out.updates.push_back(read_update(in, nullptr));
            return;
        case static_cast<std::uint8_t>(RowKind::update_with_lists):
            out.updates.push_back(read_update(in, &out.lists));
            return;
        case static_cast<std::uint8_t>(RowKind::channel):
            sort_head(read_head(in, nullptr), out);
            return;
        case static_cast<std::uint8_t>(RowKind::channel_with_lists):
            sort_head(read_head(in, &out.lists), out);
            return;
        case static_cast<std::uint8_t>(RowKind::list): {
            const std::uint32_t number = read_number(in);
            out.lists.insert_or_assign(number, std::make_shared<const Bytes>(read_blob(in)));
            return;
        }
        case static_cast<std::uint8_t>(RowKind::signing_record): {
            ChannelId id;
            channel::wire_read(in, id);
            out.signing_records.insert_or_assign(id, read_blob(in));
            return;
        }
        case static_cast<std::uint8_t>(RowKind::fills):
            out.fills.push_back(read_fills(in));
            return;
        case static_cast<std::uint8_t>(RowKind::client_ref): {
            ClientRefRow row = read_client_ref(in);
            out.refs.insert_or_assign(row.ref, std::move(row));
            return;
        }
    }
    in.fail(channel::Rule::field_out_of_range);
}

}  // namespace

std::size_t RowBytes::most() const {
    std::size_t out = bytes.size();
    for (const List& list : lists) out += kListHead + list.bytes->size();
    return out;
}

RowBytes Rows::take() {
    return {std::exchange(m_out, channel::Writer()).take(), std::exchange(m_lists, {})};
}

void Rows::put_encoding(const Encoding& encoding) {
    if (!encoding.parts.empty()) m_out.varint(encoding.parts.size());
    for (const Encoding::Part& part : encoding.parts) {
        m_out.varint(part.at);
        m_lists.push_back({m_out.bytes().size(), part.bytes});
        m_out.raw(std::array<std::uint8_t, kNumber>());
    }
    put_blob(m_out, encoding.bytes);
}

void Rows::put(const EncodedUpdate& update) {
    const RowKind kind = update.after.parts.empty() ? RowKind::update : RowKind::update_with_lists;
    put_all(m_out, kind, update.channel, update.version, update.is_void);
    put_blob(m_out, update.body);
    put_blob(m_out, update.net);
    put_encoding(update.after);
}

void Rows::put(const ChannelRow& channel, std::uint64_t now_ms) {
    const RowKind kind = channel.head.parts.empty() ? RowKind::channel : RowKind::channel_with_lists;
    put_all(m_out, kind, channel.id, channel.status, channel.peer, channel.agreed_version, now_ms);
    put_encoding(channel.head);
}

void Rows::put_signing_record(const ChannelId& id, ByteView record) {
    put_all(m_out, RowKind::signing_record, id);
    put_blob(m_out, record);
}

void Rows::put(const FillsRow& fills) {
    put_all(m_out, RowKind::fills, fills.channel, fills.version, fills.time_ms);
    m_out.varint(fills.books.size());
    for (const BookRow& book : fills.books) {
        put_text(m_out, book.instrument);
        put_all(m_out, book.quantity, book.average);
        put_blob(m_out, book.realised16);
    }
    m_out.varint(fills.expiries.size());
    for (const ExpiryRow& expiry : fills.expiries) put_all(m_out, expiry.op, expiry.quantity, expiry.price);
}

void Rows::put(const ClientRefRow& ref) {
    put_all(m_out, RowKind::client_ref);
    put_text(m_out, ref.ref);
    put_text(m_out, ref.kind);
    put_all(m_out, ref.request, static_cast<std::uint8_t>(ref.outcome), ref.channel, ref.version, ref.op, ref.rule,
            ref.created_ms);
    put_blob(m_out, ref.result);
}

void RowLists::write(const RowBytes& rows, Bytes& out) {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(rows.lists.size());
    for (const RowBytes::List& list : rows.lists) {
        const auto [at, is_new] = m_numbers.emplace(list.bytes, static_cast<std::uint32_t>(m_numbers.size()));
        numbers.push_back(at->second);
        if (!is_new) continue;
        channel::Writer row;
        put_all(row, RowKind::list);
        row.raw(std::array<std::uint8_t, kNumber>());
        put_blob(row, *list.bytes);
        const std::size_t number_at = out.size() + 1;
        channel::append(out, row.bytes());
        put_le(out.data() + number_at, at->second);
    }
    const std::size_t from = out.size();
    channel::append(out, rows.bytes);
    for (std::size_t i = 0; i < numbers.size(); ++i) put_le(out.data() + from + rows.lists[i].number_at, numbers[i]);
}

void apply_rows(Database& db, std::span<const Bytes> rows) {
    Sorted sorted;
    for (const Bytes& bytes : rows) {
        Reader in(bytes);
        while (in.ok() && in.remaining() > 0) sort_row(in, sorted);
        if (!in.ok()) throw StoreError(StoreErrorKind::corrupt, "rows of the journal");
    }
    // Channel by channel, so that neighbours in a table are written together.
    std::stable_sort(sorted.updates.begin(), sorted.updates.end(),
                     [](const EncodedUpdate& a, const EncodedUpdate& b) { return a.channel < b.channel; });
    for (EncodedUpdate& update : sorted.updates) {
        // What was in flight and is agreed since need not be said (put_channel would delete it).
        const auto head = sorted.heads.find(update.channel);
        if (head != sorted.heads.end() && update.version <= head->second.row.agreed_version) update.after = {};
        put_update(db, update);
    }
    for (const auto& [id, head] : sorted.heads) put_channel(db, head.row, head.now_ms);
    for (const auto& [id, record] : sorted.signing_records) daemon::put_signing_record(db, id, record);
    for (const FillsRow& fills : sorted.fills) put_fills(db, fills);
    for (const auto& [ref, row] : sorted.refs) put_client_ref(db, row);
}

}  // namespace hedgerow::daemon
