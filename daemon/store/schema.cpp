#include "daemon/store/schema.h"

#include <array>

namespace hedgerow::daemon {

namespace {

// Numbers beyond 63 bits are 16-byte blobs; protocol structs are blobs in the wire codec (spec 6.1), so a column never
// says less than what was signed.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- The head holds everything of a channel but its updates; status, peer and agreed version stand beside it for people and queries.
CREATE TABLE channels (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    head BLOB NOT NULL,
    status INTEGER NOT NULL,
    peer BLOB NOT NULL CHECK (length(peer) = 32),
    agreed_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- One row an update; net is what A owes B after it, per asset.
CREATE TABLE updates (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    is_void INTEGER NOT NULL,
    body BLOB NOT NULL,
    net BLOB NOT NULL,
    PRIMARY KEY (channel, version)
) WITHOUT ROWID;

-- The state after each update that is not co-signed yet, so that a restarted leader repeats no judgement.
CREATE TABLE in_flight (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    after BLOB NOT NULL,
    PRIMARY KEY (channel, version)
) WITHOUT ROWID;

-- What a caller's reference stands for, and what became of it (0 pending, 1 done, 2 refused).
CREATE TABLE client_refs (
    ref TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    request BLOB NOT NULL,
    outcome INTEGER NOT NULL,
    channel BLOB,
    version INTEGER,
    op INTEGER,
    rule INTEGER NOT NULL DEFAULT 0,
    result BLOB,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX client_refs_op ON client_refs (channel, version, op) WHERE channel IS NOT NULL;

-- Fills, with what the market needs to report profit: average entry price and realised profit (USD 1e-16) are seen from this node.
CREATE TABLE trades (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    op INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    instrument TEXT NOT NULL,
    quantity BLOB NOT NULL,
    price BLOB NOT NULL,
    fee BLOB NOT NULL,
    position_after BLOB NOT NULL,
    average_price BLOB NOT NULL,
    realised16 BLOB NOT NULL,
    order_ref TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (channel, version, op)
) WITHOUT ROWID;
CREATE INDEX trades_time ON trades (time_ms);

CREATE TABLE invoices (
    id TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    status INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    paid_channel BLOB,
    paid_version INTEGER,
    paid_op INTEGER
) WITHOUT ROWID;
CREATE INDEX invoices_created ON invoices (created_ms);

-- Openings under way; both sides remember what they promised until the channel is open.
CREATE TABLE openings (
    opening BLOB PRIMARY KEY CHECK (length(opening) = 16),
    body BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- What the signing policy must never forget, one record a channel.
CREATE TABLE signing_records (channel BLOB PRIMARY KEY CHECK (length(channel) = 32), record BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE tx_jobs (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE peers (node_id BLOB PRIMARY KEY CHECK (length(node_id) = 32), uri TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE preimages (hash BLOB PRIMARY KEY CHECK (length(hash) = 32), preimage BLOB NOT NULL CHECK (length(preimage) = 32)) WITHOUT ROWID;

-- Signed packages at slot times, kept for a dispute that may need them.
CREATE TABLE oracle_packages (
    feed BLOB NOT NULL,
    time_s INTEGER NOT NULL,
    signer BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (feed, time_s, signer)
) WITHOUT ROWID;
CREATE INDEX oracle_packages_time ON oracle_packages (time_s);

-- Preimages registered on chain, and when (seconds).
CREATE TABLE revealed (hash BLOB PRIMARY KEY CHECK (length(hash) = 32), time_s INTEGER NOT NULL) WITHOUT ROWID;
)sql";

constexpr const char* kVersion2 = R"sql(
-- Towers that this node is a client of.
CREATE TABLE towers (node_id BLOB PRIMARY KEY CHECK (length(node_id) = 32), uri TEXT NOT NULL, added_ms INTEGER NOT NULL) WITHOUT ROWID;

-- What a tower promised for a channel (spec 10.3): the newest receipt, the newest that is for a version, and the appointment which that one's
-- blob was sealed from. What is owed to the tower is whatever channels.agreed_version has above it: one transaction stores both.
CREATE TABLE tower_promises (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    tower BLOB NOT NULL CHECK (length(tower) = 32),
    receipt BLOB,
    promise BLOB,
    appointment BLOB,
    ended_ms INTEGER,
    broken_ms INTEGER,
    PRIMARY KEY (channel, tower)
);

-- What a tower said that its own receipt contradicts; `said` is the contradicting receipt, or empty where it denied having anything.
CREATE TABLE tower_evidence (
    id INTEGER PRIMARY KEY,
    tower BLOB NOT NULL CHECK (length(tower) = 32),
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    time_ms INTEGER NOT NULL,
    kept BLOB NOT NULL,
    said BLOB NOT NULL
);

-- Per channel, where its owner chose: the towers (all where null) and how many must hold a version before its ops are reported.
CREATE TABLE tower_policies (
    channel BLOB PRIMARY KEY CHECK (length(channel) = 32),
    towers BLOB,
    sync INTEGER NOT NULL
) WITHOUT ROWID;

-- Sealed copies that this node keeps for its channels' peers (spec 10.6).
CREATE TABLE peer_backups (
    client BLOB NOT NULL CHECK (length(client) = 32),
    slot BLOB NOT NULL CHECK (length(slot) = 32),
    number INTEGER NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY (client, slot)
);
)sql";

constexpr const char* kVersion3 = R"sql(
-- Packages are kept in files of their own (daemon/oracle/package_history).
DROP TABLE oracle_packages;

-- Fees for the tower in this node, paid in channels, that its own store has not credited yet.
CREATE TABLE tower_payments (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    op INTEGER NOT NULL,
    client BLOB NOT NULL CHECK (length(client) = 32),
    amount BLOB NOT NULL CHECK (length(amount) = 16),
    PRIMARY KEY (channel, version, op)
) WITHOUT ROWID;
)sql";

constexpr const char* kVersion4 = R"sql(
-- Which updates hold fills: a row an update, not a fill. What was filled their ops say.
CREATE TABLE fills (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, version)
) WITHOUT ROWID;
CREATE INDEX fills_time ON fills (time_ms, version);

-- What an expiry closed, which its op does not say.
CREATE TABLE expiries (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    op INTEGER NOT NULL,
    quantity BLOB NOT NULL,
    price BLOB NOT NULL,
    PRIMARY KEY (channel, version, op)
) WITHOUT ROWID;

-- Entry price and realised profit of each position (USD 1e-16), seen from this node, after the newest of its fills.
CREATE TABLE books (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    instrument TEXT NOT NULL,
    quantity BLOB NOT NULL,
    average_price BLOB NOT NULL,
    realised16 BLOB NOT NULL,
    PRIMARY KEY (channel, instrument)
) WITHOUT ROWID;

INSERT INTO fills SELECT channel, version, max(time_ms) FROM trades GROUP BY channel, version;
INSERT INTO expiries SELECT channel, version, op, quantity, price FROM trades WHERE kind = 'expiry';
INSERT INTO books SELECT channel, instrument, position_after, average_price, realised16 FROM (
    SELECT *, row_number() OVER (PARTITION BY channel, instrument ORDER BY version DESC, op DESC) AS n FROM trades) WHERE n = 1;
DROP TABLE trades;
)sql";

constexpr std::array<Migration, 4> kMigrations = {{{1, kVersion1}, {2, kVersion2}, {3, kVersion3}, {4, kVersion4}}};

}  // namespace

std::span<const Migration> node_schema() {
    return kMigrations;
}

}  // namespace hedgerow::daemon
