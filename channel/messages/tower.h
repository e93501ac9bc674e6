#pragma once

#include "channel/base/rule.h"
#include "channel/messages/typed.h"

/// What a client and its tower say to each other, and what both keep (spec 10). The messages are part of PeerMessage.
namespace hedgerow::channel {

/// Names a record at one tower without saying of which channel: locator_of (spec 10.1).
using Locator = FixedBytes<32, struct LocatorTag>;

inline constexpr std::size_t kMaxTowerBlob = 128 << 10;  ///< bytes, sealed
inline constexpr std::size_t kMaxBackupBlob = 96 << 10;  ///< bytes, sealed
inline constexpr std::size_t kMaxBackupsPerMessage = 8;

/// The plain text of an appointment's blob: all that a respond and a settlement need, and what the client would do
/// itself if it were awake. Padded to a size class before it is sealed, so that its size says little.
struct Appointment {
    Terms terms;
    Secret secret;
    Party party = Party::A;          ///< the client's
    Blob<(1 << 16)> state;           ///< wire encoding of the ChannelState
    Signature signature_a;
    Signature signature_b;
    List<Preimage, kMaxLocks> preimages;  ///< of locks in the state that pay the client
    static constexpr auto fields() {
        return std::make_tuple(field("terms", &Appointment::terms), field("secret", &Appointment::secret), field("party", &Appointment::party),
                               field("state", &Appointment::state), field("signatureA", &Appointment::signature_a),
                               field("signatureB", &Appointment::signature_b), field("preimages", &Appointment::preimages));
    }
};

/// Client to tower: enforce this instead of what you have under that locator.
struct TowerStore {
    Locator locator;
    std::uint64_t version = 0;
    Blob<kMaxTowerBlob> blob;
    static constexpr auto fields() {
        return std::make_tuple(field("locator", &TowerStore::locator), field("version", &TowerStore::version), field("blob", &TowerStore::blob));
    }
};

/// The tower's promise, durable before it is sent. Receipts of one (client, locator) are numbered from 1 and each holds
/// the hash of the one before it, so the newest proves them all (spec 10.3).
struct TowerReceipt {
    NodeId tower;
    NodeId client;
    Locator locator;
    std::uint64_t number = 0;
    std::uint64_t version = 0;  ///< of the record; 0 with a zero blob hash: ended at the client's signed request
    Hash blob_hash;             ///< keccak256 of the sealed blob
    Hash previous;              ///< receipt_hash of the receipt before; zero for the first
    std::uint64_t time_ms = 0;  ///< by the tower's clock
    NodeSignature signature;    ///< of the tower, domain kReceiptDomain, over everything before it
    static constexpr auto fields() {
        return std::make_tuple(field("tower", &TowerReceipt::tower), field("client", &TowerReceipt::client), field("locator", &TowerReceipt::locator),
                               field("number", &TowerReceipt::number), field("version", &TowerReceipt::version),
                               field("blobHash", &TowerReceipt::blob_hash), field("previous", &TowerReceipt::previous),
                               field("time", &TowerReceipt::time_ms), field("signature", &TowerReceipt::signature));
    }
    bool operator==(const TowerReceipt&) const = default;
};
inline constexpr const char* kReceiptDomain = "tower receipt";

/// Tower to client: that store, fetch, end or backup was not done.
struct TowerRefuse {
    Locator locator;  ///< or the backup's slot
    std::uint64_t version = 0;
    Rule rule = Rule::none;
    static constexpr auto fields() {
        return std::make_tuple(field("locator", &TowerRefuse::locator), field("version", &TowerRefuse::version), field("rule", &TowerRefuse::rule));
    }
};

/// Client to tower: give me what you hold under that locator.
struct TowerFetch {
    Locator locator;
    static constexpr auto fields() { return std::make_tuple(field("locator", &TowerFetch::locator)); }
};

/// Tower to client: the answer to TowerFetch, with the newest receipt.
struct TowerRecord {
    Locator locator;
    std::uint64_t version = 0;
    Blob<kMaxTowerBlob> blob;
    TowerReceipt receipt;
    static constexpr auto fields() {
        return std::make_tuple(field("locator", &TowerRecord::locator), field("version", &TowerRecord::version), field("blob", &TowerRecord::blob),
                               field("receipt", &TowerRecord::receipt));
    }
};

/// Client to tower: the channel is over, forget it. Signed, so that a tower cannot claim one that never was.
struct TowerEnd {
    Locator locator;
    std::uint64_t version = 0;  ///< of the record that ends; a newer one stays
    NodeSignature signature;    ///< of the client, domain kTowerEndDomain, over (tower, locator, version)
    static constexpr auto fields() {
        return std::make_tuple(field("locator", &TowerEnd::locator), field("version", &TowerEnd::version), field("signature", &TowerEnd::signature));
    }
};
inline constexpr const char* kTowerEndDomain = "tower end";

/// To a tower, or to the peer of the channel: keep this sealed copy of what recovery of one channel needs, under a slot
/// that only its owner can tell (spec 10.6). A higher number replaces.
struct BackupStore {
    Locator slot;
    std::uint64_t number = 0;
    Blob<kMaxBackupBlob> blob;  ///< empty: forget the slot
    static constexpr auto fields() {
        return std::make_tuple(field("slot", &BackupStore::slot), field("number", &BackupStore::number), field("blob", &BackupStore::blob));
    }
};

/// The answer to BackupStore: durable.
struct BackupStored {
    Locator slot;
    std::uint64_t number = 0;
    static constexpr auto fields() { return std::make_tuple(field("slot", &BackupStored::slot), field("number", &BackupStored::number)); }
};

/// Give me what you keep for me, in order of slot, above `after`.
struct BackupFetch {
    Locator after;  ///< zero: from the first
    static constexpr auto fields() { return std::make_tuple(field("after", &BackupFetch::after)); }
};

struct BackupItems {
    List<BackupStore, kMaxBackupsPerMessage> items;  ///< ascending by slot
    bool more = false;
    static constexpr auto fields() { return std::make_tuple(field("items", &BackupItems::items), field("more", &BackupItems::more)); }
};

/// Client to tower: what does a subscription cost, and what do I have?
struct TowerPlanAsk {
    static constexpr auto fields() { return std::make_tuple(); }
};

/// The answer to TowerPlanAsk; also sent when a payment has been credited (spec 10.8).
struct TowerPlan {
    Address token;
    Amount fee;                  ///< of the token, for one period; zero: the tower sells none in channels
    std::uint64_t period_s = 0;
    std::uint64_t records = 0;   ///< appointments that it allows
    std::uint64_t kept = 0;      ///< of this client now
    std::uint64_t granted = 0;   ///< that the client's subscription allows
    std::uint64_t until_ms = 0;  ///< when that ends, by the tower's clock; 0: it never had one
    static constexpr auto fields() {
        return std::make_tuple(field("token", &TowerPlan::token), field("fee", &TowerPlan::fee), field("period", &TowerPlan::period_s),
                               field("records", &TowerPlan::records), field("kept", &TowerPlan::kept), field("granted", &TowerPlan::granted),
                               field("until", &TowerPlan::until_ms));
    }
};
/// Of a PayOp to the tower's node that pays for a subscription.
inline constexpr const char* kTowerMemo = "tower";

/// keccak256("Hedgerow tower locator" ‖ secret ‖ party ‖ tower), spec 10.1.
[[nodiscard]] Locator locator_of(const Secret& secret, Party party, const NodeId& tower);
/// keccak256("Hedgerow tower key" ‖ secret ‖ party ‖ tower): the key of XChaCha20-Poly1305 for that record's blobs.
[[nodiscard]] Hash tower_key_of(const Secret& secret, Party party, const NodeId& tower);
/// What the tower signs: the wire encoding of everything before the signature.
[[nodiscard]] Bytes receipt_message(const TowerReceipt& receipt);
/// keccak256 of the whole receipt's wire encoding, signature included.
[[nodiscard]] Hash receipt_hash(const TowerReceipt& receipt);
/// What the client of TowerEnd signs.
[[nodiscard]] Bytes tower_end_message(const NodeId& tower, const TowerEnd& end);

}  // namespace hedgerow::channel
