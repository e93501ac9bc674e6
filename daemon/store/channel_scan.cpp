#include "daemon/store/channel_scan.h"

#include <algorithm>

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ChannelId;

namespace {

[[noreturn]] void corrupt(const char* what) {
    throw StoreError(StoreErrorKind::corrupt, what);
}

constexpr std::string_view kSigner = "signer/";

/// As hex, which sorts as the ids do.
std::string signer_key(const ChannelId& id) {
    return std::string(kSigner).append(channel::to_hex(id));
}

std::uint32_t read_index(Query& q, int column) {
    const auto index = channel::wire_decode<std::uint32_t>(q.blob_view(column));
    if (!index) corrupt("the number of a channel's signer");
    return *index;
}

/// `out` and the rows ascend by id; `take` gets each row that has its channel.
template <typename IdOf, typename Take>
void merge(std::vector<StoredChannel>& out, Query& rows, IdOf&& id_of, Take&& take) {
    auto at = out.begin();
    while (rows.step()) {
        const auto id = id_of(rows);
        while (at != out.end() && at->row.id < id) ++at;
        if (at == out.end()) return;
        if (at->row.id == id) take(*at);
    }
}

}  // namespace

std::vector<StoredChannel> stored_channels(Database& db, const ChannelId& first, const ChannelId& last) {
    std::vector<StoredChannel> out;
    Query heads = db.query(
        "SELECT id, head, status, peer, agreed_version FROM channels WHERE id BETWEEN ? AND ? ORDER BY id", first, last);
    while (heads.step()) {
        const std::uint64_t status = heads.uint64(2);
        if (status >= channel::EnumCount<channel::Status>::value) corrupt("channels.status");
        out.push_back({{heads.fixed<ChannelId>(0), heads.blob(1), static_cast<channel::Status>(status),
                        heads.fixed<channel::NodeId>(3), heads.uint64(4)},
                       {},
                       0,
                       {}});
    }
    std::vector<bool> has_signer(out.size());

    const auto id_of = [](Query& q) { return q.fixed<ChannelId>(0); };
    Query flights = db.query(
        "SELECT f.channel, u.body, u.is_void, f.after, f.version FROM in_flight f JOIN updates u USING (channel, version) "
        "WHERE f.channel BETWEEN ? AND ? ORDER BY f.channel, f.version",
        first, last);
    merge(out, flights, id_of, [&](StoredChannel& stored) {
        if (flights.uint64(4) <= stored.row.agreed_version) return;
        auto update = channel::wire_decode<channel::Update>(flights.blob_view(1));
        if (!update) corrupt("updates.body");
        stored.in_flight.push_back({std::move(*update), flights.boolean(2), flights.blob(3)});
    });

    Query records = db.query(
        "SELECT channel, record FROM signing_records WHERE channel BETWEEN ? AND ? ORDER BY channel", first, last);
    merge(out, records, id_of, [&](StoredChannel& stored) { stored.signing_record = records.blob(1); });

    Query signers = db.query("SELECT key, value FROM meta WHERE key BETWEEN ? AND ? ORDER BY key", signer_key(first),
                             signer_key(last));
    const auto signer_of = [](Query& q) {
        const auto id = channel::fixed_from_hex<ChannelId>(q.text(0).substr(kSigner.size()));
        if (!id) corrupt("the key of a channel's signer");
        return *id;
    };
    merge(out, signers, signer_of, [&](StoredChannel& stored) {
        stored.signer_index = read_index(signers, 1);
        has_signer[static_cast<std::size_t>(&stored - out.data())] = true;
    });
    if (std::find(has_signer.begin(), has_signer.end(), false) != has_signer.end())
        corrupt("a channel without the number of its signer");
    return out;
}

std::vector<std::pair<ChannelId, Bytes>> meta_by_channel(Database& db, std::string_view prefix) {
    ChannelId last;
    last.data.fill(0xff);
    const auto key = [prefix](const ChannelId& id) { return std::string(prefix).append(channel::to_hex(id)); };
    std::vector<std::pair<ChannelId, Bytes>> out;
    Query q = db.query("SELECT key, value FROM meta WHERE key BETWEEN ? AND ? ORDER BY key", key({}), key(last));
    while (q.step()) {
        const auto id = channel::fixed_from_hex<ChannelId>(q.text(0).substr(prefix.size()));
        if (!id) corrupt("a channel's key");
        out.emplace_back(*id, q.blob(1));
    }
    return out;
}

void put_signer_index(Database& db, const ChannelId& id, std::uint32_t index) {
    put_meta(db, signer_key(id), channel::wire_encode(index));
}

}  // namespace hedgerow::daemon
