#include "daemon/node/channel_restore.h"

#include <fmt/format.h>

namespace hedgerow::daemon {

using channel::ChannelId;
using channel::Rule;

namespace {

/// Parts of the ids, by their first byte: ids are hashes, so that each has about as many channels.
constexpr std::size_t kParts = 64;
constexpr std::size_t kFirstBytes = 256 / kParts;

ChannelId bound(std::size_t first_byte, std::uint8_t rest) {
    ChannelId out;
    out.data.fill(rest);
    out.data[0] = static_cast<std::uint8_t>(first_byte);
    return out;
}

[[noreturn]] void corrupt(const ChannelId& id, std::string_view what) {
    throw StoreError(StoreErrorKind::corrupt, fmt::format("channel {}: {}", channel::to_hex(id), what));
}

}  // namespace

ChannelRestore::ChannelRestore(const Database& store, FileSystem& files, const channel::Hash& separator,
                               wallet::MasterSeed seed, Drive drive)
    : m_path(store.path()), m_files(files), m_separator(separator), m_seed(std::move(seed)) {
    if (drive == Drive::stepped) {
        work();
        return;
    }
    const unsigned count = std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i) m_threads.emplace_back([this] { work(); });
}

ChannelRestore::~ChannelRestore() {
    m_stop = true;
    for (std::thread& thread : m_threads) thread.join();
}

void ChannelRestore::work() {
    std::unique_ptr<Database> reader;
    for (std::size_t part = m_next++; part < kParts && !m_stop; part = m_next++) {
        std::vector<RestoredChannel> restored;
        std::exception_ptr failure;
        try {
            if (!reader) reader = Database::open_reader(m_path, m_files);
            restored = restore(*reader, part);
        } catch (...) {
            failure = std::current_exception();
            m_stop = true;
        }
        const std::lock_guard lock(m_mutex);
        std::move(restored.begin(), restored.end(), std::back_inserter(m_done));
        ++m_parts_done;
        if (failure && !m_failure) m_failure = failure;
        m_event.signal();
    }
}

ChannelRestore::Progress ChannelRestore::take() {
    const std::lock_guard lock(m_mutex);
    m_event.clear();
    if (m_failure) std::rethrow_exception(m_failure);
    return {std::exchange(m_done, {}), m_parts_done == kParts};
}

std::vector<RestoredChannel> ChannelRestore::restore(Database& reader, std::size_t part) const {
    const std::size_t first = part * kFirstBytes;
    const std::vector<StoredChannel> rows = stored_channels(reader, bound(first, 0), bound(first + kFirstBytes - 1, 0xff));
    std::vector<RestoredChannel> out;
    out.reserve(rows.size());
    for (const StoredChannel& stored : rows) {
        if (m_stop) break;
        out.push_back(restore(stored));
    }
    return out;
}

RestoredChannel ChannelRestore::restore(const StoredChannel& stored) const {
    const ChannelId& id = stored.row.id;
    auto restored = channel::restore_channel(stored.row.head.whole(), m_separator, stored.in_flight);
    if (!restored) corrupt(id, rule_name(restored.error()));
    if (restored->id != id) corrupt(id, rule_name(Rule::channel_id_mismatch));
    auto signer = m_seed.signer_key(stored.signer_index);
    if (!signer) corrupt(id, rule_name(Rule::field_out_of_range));
    std::optional<wallet::SigningRecord> record;
    if (!stored.signing_record.empty()) {
        const auto decoded = wallet::decode_record(stored.signing_record);
        if (!decoded) corrupt(id, rule_name(decoded.error()));
        record = *decoded;
    }
    return {std::move(*restored), stored.signer_index, std::move(signer).value(), std::move(record)};
}

}  // namespace hedgerow::daemon
