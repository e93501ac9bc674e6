#include "daemon/tower/tower_schema.h"

#include <array>

namespace hedgerow::daemon {

namespace {

constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE tx_jobs (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;

-- What a client has here, and what its subscription allows until it ends (NULL: the free quota).
CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    node BLOB NOT NULL UNIQUE CHECK (length(node) = 32),
    records INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    backups INTEGER NOT NULL DEFAULT 0,
    backup_bytes INTEGER NOT NULL DEFAULT 0,
    granted_records INTEGER,
    granted_bytes INTEGER,
    granted_until_ms INTEGER
);

-- The newest appointment of one (client, locator), and the receipt for it. Version 0: ended, without a blob. A row keeps its place when it is replaced;
-- locators are random, so only their index is written at random.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    locator BLOB NOT NULL CHECK (length(locator) = 32),
    client INTEGER NOT NULL REFERENCES clients (id),
    version INTEGER NOT NULL,
    ended_ms INTEGER,
    receipt BLOB NOT NULL,
    blob BLOB NOT NULL
);
CREATE UNIQUE INDEX records_locator ON records (locator, client);
CREATE INDEX records_ended ON records (client, ended_ms) WHERE ended_ms IS NOT NULL;

-- One row, so that counting never scans.
CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    class0 INTEGER NOT NULL,
    class1 INTEGER NOT NULL,
    class2 INTEGER NOT NULL,
    class3 INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    clients INTEGER NOT NULL,
    backups INTEGER NOT NULL,
    backup_bytes INTEGER NOT NULL
);
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);

CREATE TABLE backups (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL REFERENCES clients (id),
    slot BLOB NOT NULL CHECK (length(slot) = 32),
    number INTEGER NOT NULL,
    blob BLOB NOT NULL
);
CREATE UNIQUE INDEX backups_slot ON backups (client, slot);

-- A channel whose watch secret the chain has revealed. Its locators are those of this tower, for both parties.
CREATE TABLE disputes (
    channel BLOB PRIMARY KEY CHECK (length(channel) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    locator_a BLOB NOT NULL CHECK (length(locator_a) = 32),
    locator_b BLOB NOT NULL CHECK (length(locator_b) = 32),
    engaged INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX disputes_locator_a ON disputes (locator_a);
CREATE UNIQUE INDEX disputes_locator_b ON disputes (locator_b);
CREATE INDEX disputes_engaged ON disputes (channel) WHERE engaged = 1;

-- What the contract recorded for it, an event a row; a reorganisation takes rows back. The newest block's last is in force.
CREATE TABLE recorded (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    block INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    end_s INTEGER NOT NULL,
    challenger INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (channel, block, log_index)
) WITHOUT ROWID;
)sql";

// What was paid for in channels and credited: each payment once.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE payments (
    channel BLOB NOT NULL CHECK (length(channel) = 32),
    version INTEGER NOT NULL,
    op INTEGER NOT NULL,
    client INTEGER NOT NULL REFERENCES clients (id),
    amount BLOB NOT NULL CHECK (length(amount) = 16),
    credited_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, version, op)
) WITHOUT ROWID;
)sql";

constexpr std::array<Migration, 2> kMigrations = {{{1, kVersion1}, {2, kVersion2}}};

}  // namespace

std::span<const Migration> tower_schema() {
    return kMigrations;
}

DatabaseOptions tower_database(const std::filesystem::path& path) {
    DatabaseOptions out;
    out.path = path;
    out.migrations = tower_schema();
    out.application_id = kTowerApplicationId;
    out.check_integrity = false;
    out.page_size = kTowerPageSize;
    out.cache_bytes = std::size_t{128} << 20;
    return out;
}

}  // namespace hedgerow::daemon
