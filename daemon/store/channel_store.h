#pragma once

#include <optional>
#include <string>
#include <vector>

#include "channel/machine/channel.h"
#include "daemon/store/database.h"

/// Reads and writes of the node's tables (schema.h). Writers run inside a job of the store's writer; readers on any
/// connection.
namespace hedgerow::daemon {

// --- channels and their updates
// -----------------------------------------------------------------------------------------

struct ChannelRow {
    channel::ChannelId id;
    channel::Encoding head;  ///< encode_head
    channel::Status status = channel::Status::opening;
    channel::NodeId peer;
    std::uint64_t agreed_version = 0;
};
struct UpdateRow {
    channel::Update update;
    bool is_void = false;
    channel::List<channel::Amount, channel::kMaxAssets> net;  ///< after it
};

/// The head, and the end of what was in flight up to its agreed version.
void put_channel(Database& db, const ChannelRow& row, std::uint64_t now_ms);
[[nodiscard]] std::vector<ChannelRow> all_channels(Database& db);

/// The row as it will be stored, encoded on the caller's thread so that the writer only writes.
struct EncodedUpdate {
    channel::ChannelId channel;
    std::uint64_t version = 0;
    bool is_void = false;
    channel::Bytes body;
    channel::Bytes net;
    channel::Encoding after;  ///< empty: not in flight
};
[[nodiscard]] EncodedUpdate encode_update(const channel::PersistUpdate& persist,
                                          const channel::List<channel::Amount, channel::kMaxAssets>& net);
void put_update(Database& db, const EncodedUpdate& row);
/// What was in flight above `version`, ascending, for restore_channel; StoreError{corrupt} where a row does not decode.
[[nodiscard]] std::vector<channel::PersistUpdate> in_flight_above(Database& db, const channel::ChannelId& id,
                                                                  std::uint64_t version);
/// At most `limit` rows at or below `version`, newest first.
[[nodiscard]] std::vector<UpdateRow> updates_down_from(Database& db, const channel::ChannelId& id,
                                                       std::uint64_t version, std::size_t limit);

// --- fills
// ------------------------------------------------------------------------------------------------------------

/// Entry price and realised profit of a position, as after some fill.
struct BookRow {
    std::string instrument;
    channel::Quantity quantity;
    channel::Price average;
    channel::Bytes realised16;  ///< USD 1e-16, 32 bytes, two's complement, big-endian
};
/// What an expiry closed: all that was held, at the payoff.
struct ExpiryRow {
    std::uint16_t op = 0;  ///< index in its update
    channel::Quantity quantity;
    channel::Price price;
};
/// An update that holds fills, and the books after it.
struct FillsRow {
    channel::ChannelId channel;
    std::uint64_t version = 0;
    std::uint64_t time_ms = 0;
    std::vector<BookRow> books;
    std::vector<ExpiryRow> expiries;
};
void put_fills(Database& db, const FillsRow& row);

// --- client references
// ------------------------------------------------------------------------------------------------------

enum class RefOutcome : std::uint8_t { pending = 0, done = 1, refused = 2 };

struct ClientRefRow {
    std::string ref;
    std::string kind;       ///< "op", "open", "deposit", …
    channel::Hash request;  ///< hash of what was asked: the same reference with another request is client_ref_reused
    RefOutcome outcome = RefOutcome::pending;
    std::optional<channel::ChannelId> channel;
    std::optional<std::uint64_t> version;  ///< of the update that holds the op
    std::optional<std::uint64_t> op;       ///< index in it
    channel::Rule rule = channel::Rule::none;
    channel::Bytes result;  ///< of kinds that have one: a tx hash, a timestamp
    std::uint64_t created_ms = 0;
};
void put_client_ref(Database& db, const ClientRefRow& row);
[[nodiscard]] std::optional<ClientRefRow> find_client_ref(Database& db, const std::string& ref);
/// The reference under which the op at (channel, version, index) was asked for; empty for none.
[[nodiscard]] std::string client_ref_of(Database& db, const channel::ChannelId& id, std::uint64_t version,
                                        std::uint16_t index);
[[nodiscard]] std::vector<ClientRefRow> pending_client_refs(Database& db);

// --- small tables
// ------------------------------------------------------------------------------------------------------------

void put_meta(Database& db, const std::string& key, channel::ByteView value);
[[nodiscard]] std::optional<channel::Bytes> get_meta(Database& db, const std::string& key);
/// One byte under that key, 0 or 1; false where there is none.
void put_flag(Database& db, const std::string& key, bool value);
[[nodiscard]] bool get_flag(Database& db, const std::string& key);

/// Rows of a table that is a key and a value: openings, signing_records, tx_jobs.
struct KeyedBlob {
    channel::Bytes key;
    channel::Bytes value;
};
void put_opening(Database& db, channel::ByteView opening, channel::ByteView body, std::uint64_t now_ms);
void delete_opening(Database& db, channel::ByteView opening);
[[nodiscard]] std::vector<KeyedBlob> all_openings(Database& db);

void put_signing_record(Database& db, const channel::ChannelId& id, channel::ByteView record);
[[nodiscard]] std::vector<KeyedBlob> all_signing_records(Database& db);

void put_tx_job(Database& db, const std::string& id, const std::string& record);
void delete_tx_job(Database& db, const std::string& id);
[[nodiscard]] std::vector<std::string> all_tx_jobs(Database& db);

void put_peer(Database& db, const channel::NodeId& id, const std::string& uri);
void delete_peer(Database& db, const channel::NodeId& id);
struct PeerRow {
    channel::NodeId id;
    std::string uri;
};
[[nodiscard]] std::vector<PeerRow> all_peers(Database& db);

void put_preimage(Database& db, const channel::LockHash& hash, const channel::Preimage& preimage);
[[nodiscard]] std::optional<channel::Preimage> find_preimage(Database& db, const channel::LockHash& hash);

/// A preimage registered on chain; a reorganisation may take it back.
void put_revealed(Database& db, const channel::LockHash& hash, std::uint64_t time_s);
void delete_revealed(Database& db, const channel::LockHash& hash);
[[nodiscard]] channel::Revealed all_revealed(Database& db);

}  // namespace hedgerow::daemon
