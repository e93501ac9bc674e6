#include "daemon/store/database.h"

#include <fmt/format.h>
#include <sodium.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "daemon/store/failpoint.h"
#include "daemon/store/files.h"
#include "daemon/store/generation.h"

namespace hedgerow::daemon {

namespace {

constexpr std::size_t kMaxCachedStatements = 512;

StoreErrorKind kind_of(sqlite3* db, int code) {
    switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return StoreErrorKind::locked;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return StoreErrorKind::corrupt;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return StoreErrorKind::read_only;
        case SQLITE_FULL:
            return StoreErrorKind::disk_full;
        case SQLITE_CONSTRAINT:
            return StoreErrorKind::constraint;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
            return db != nullptr && sqlite3_system_errno(db) == ENOSPC ? StoreErrorKind::disk_full : StoreErrorKind::io;
        default:
            return StoreErrorKind::internal;
    }
}

}  // namespace

std::string_view store_error_name(StoreErrorKind kind) {
    switch (kind) {
        case StoreErrorKind::locked:
            return "store_locked";
        case StoreErrorKind::corrupt:
            return "store_corrupt";
        case StoreErrorKind::foreign_application:
            return "store_foreign_application";
        case StoreErrorKind::newer_schema:
            return "store_newer_schema";
        case StoreErrorKind::stale_copy:
            return "store_stale_copy";
        case StoreErrorKind::generation_conflict:
            return "store_generation_conflict";
        case StoreErrorKind::read_only:
            return "store_read_only";
        case StoreErrorKind::disk_full:
            return "store_disk_full";
        case StoreErrorKind::constraint:
            return "store_constraint";
        case StoreErrorKind::io:
            return "store_io";
        case StoreErrorKind::internal:
            return "store_internal";
    }
    return "store_internal";
}

StoreError::StoreError(StoreErrorKind kind, const std::string& text)
    : std::runtime_error(fmt::format("{}: {}", store_error_name(kind), text)), m_kind(kind) {}

Database::Database(FileSystem& files) : m_files(files) {}

Database::Database(const DatabaseOptions& options) : m_files(*options.files), m_path(options.path) {
    try {
        lock_file();
        open_file(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options.busy_timeout_ms);
        check_application(options.application_id);
        configure(options);
        if (options.check_integrity) check_integrity();
        const bool fresh = !query("SELECT 1 FROM sqlite_master WHERE name = 'store_meta'").step();
        check_generation(fresh, options);
        migrate(options.migrations);
    } catch (...) {
        close();
        throw;
    }
}

std::unique_ptr<Database> Database::open_reader(const std::filesystem::path& path, FileSystem& files) {
    constexpr int kReaderBusyTimeoutMs = 5000;
    std::unique_ptr<Database> reader(new Database(files));
    reader->m_path = path;
    reader->open_file(SQLITE_OPEN_READONLY, kReaderBusyTimeoutMs);
    reader->execute("PRAGMA query_only = ON");
    return reader;
}

Database::~Database() {
    close();
}

void Database::close() noexcept {
    for (auto& [sql, cached] : m_cache) sqlite3_finalize(cached.statement);
    m_cache.clear();
    m_cached_by_statement.clear();
    sqlite3_close_v2(std::exchange(m_db, nullptr));
    try {
        if (m_generation_file) m_generation_file->sync();
    } catch (const StoreError&) {
        // An older number only makes the check weaker.
    }
    m_generation_file.reset();
    m_lock_file.reset();
}

void Database::lock_file() {
    const auto path = with_suffix(m_path, ".lock");
    m_lock_file = m_files.open(path, FileSystem::Open::or_create);
    if (!m_lock_file->lock()) {
        throw StoreError(StoreErrorKind::locked,
                         fmt::format("{} is in use by process {}", m_path.string(), read_small_file(*m_lock_file)));
    }
    m_lock_file->truncate(0);
    m_lock_file->write_at(0, channel::as_bytes(fmt::format("{}", getpid())));
}

void Database::open_file(int flags, int busy_timeout_ms) {
    if ((flags & SQLITE_OPEN_CREATE) != 0) {
        // Created here so that only its owner can read it; SQLite gives the WAL the same mode.
        (void)m_files.open(m_path, FileSystem::Open::or_create);
    }
    const int code = sqlite3_open_v2(m_path.c_str(), &m_db, flags | SQLITE_OPEN_NOMUTEX, m_files.vfs());
    check(code, "opening");
    sqlite3_extended_result_codes(m_db, 1);
    check(sqlite3_busy_timeout(m_db, busy_timeout_ms), "setting the busy timeout");
}

void Database::configure(const DatabaseOptions& options) {
    // Before WAL: afterwards the size of pages can no longer be chosen.
    if (options.page_size != 0) execute(fmt::format("PRAGMA page_size = {}", options.page_size));
    if (options.cache_bytes != 0) execute(fmt::format("PRAGMA cache_size = -{}", options.cache_bytes / 1'024));
    auto mode = query("PRAGMA journal_mode = WAL");
    if (!mode.step() || mode.text(0) != "wal")
        throw StoreError(StoreErrorKind::io, fmt::format("{}: the file system does not allow WAL", m_path.string()));
    execute(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        "PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 67108864");
}

void Database::check_application(std::int32_t application_id) {
    auto id = query("PRAGMA application_id");
    if (id.step() && id.int64(0) == application_id) return;
    auto tables = query("SELECT count(*) FROM sqlite_master");
    if (id.int64(0) == 0 && tables.step() && tables.int64(0) == 0) return;  // fresh
    throw StoreError(StoreErrorKind::foreign_application,
                     fmt::format("{} is a database of another program", m_path.string()));
}

void Database::check_integrity() {
    auto result = query("PRAGMA quick_check(1)");
    if (result.step() && result.text(0) == "ok") return;
    throw StoreError(StoreErrorKind::corrupt, fmt::format("{} is damaged; restore a backup", m_path.string()));
}

int Database::schema_version() {
    auto version = query("PRAGMA user_version");
    return version.step() ? static_cast<int>(version.int64(0)) : 0;
}

/// The guard against an old copy of the database: see the comment of class Database.
void Database::check_generation(bool fresh, const DatabaseOptions& options) {
    m_generation_file = std::make_unique<GenerationFile>(m_files, with_suffix(m_path, ".generation"), "hedgerow-generation");
    if (!fresh) {
        auto id = query("SELECT value FROM store_meta WHERE key = 'database_id'");
        auto generation = query("SELECT value FROM store_meta WHERE key = 'generation'");
        if (!id.step() || !generation.step())
            throw StoreError(StoreErrorKind::corrupt, fmt::format("{} has no identity", m_path.string()));
        m_database_id = id.fixed<channel::Hash>(0);
        m_generation = static_cast<std::int64_t>(generation.uint64(0));
    }
    const auto number = static_cast<std::uint64_t>(m_generation);
    const std::string_view wrong = m_generation_file->disagreement(fresh, m_database_id, number);
    if (!wrong.empty() && !options.accept_stale) {
        throw StoreError(StoreErrorKind::stale_copy,
                         fmt::format("{} cannot be trusted to be the newest: {}", m_path.string(), wrong));
    }
    m_accepted_stale = !wrong.empty();
    if (fresh) randombytes_buf(m_database_id.data.data(), m_database_id.data.size());
    // Noted before the first commit: a crash between the two leaves generation 0 and an empty database, which is fresh.
    m_generation_file->begin(m_database_id, number, m_accepted_stale);
    if (!fresh) return;
    begin();
    execute("CREATE TABLE store_meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID");
    execute(fmt::format("PRAGMA application_id = {}", options.application_id));
    run("INSERT INTO store_meta VALUES ('database_id', ?), ('generation', 0)", m_database_id);
    commit();
}

std::uint64_t Database::journal_applied() {
    auto applied = query("SELECT value FROM store_meta WHERE key = 'journal_applied'");
    return applied.step() ? applied.uint64(0) : 0;
}

void Database::set_journal_applied(std::uint64_t sequence) {
    run("INSERT INTO store_meta VALUES ('journal_applied', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", sequence);
}

void Database::migrate(std::span<const Migration> migrations) {
    const int found = schema_version();
    const int newest = static_cast<int>(migrations.size());
    if (found > newest) {
        throw StoreError(StoreErrorKind::newer_schema,
                         fmt::format("{} has schema {}, this program knows {}", m_path.string(), found, newest));
    }
    if (found > 0 && found < newest) copy_before_migration(newest);
    for (int version = found + 1; version <= newest; ++version) {
        const Migration& step = migrations[static_cast<std::size_t>(version - 1)];
        ASSERT(step.version == version);
        begin();
        try {
            execute(step.sql);
            execute(fmt::format("PRAGMA user_version = {}", version));
            commit();
        } catch (...) {
            rollback();
            throw;
        }
        failpoint("store.after_migration");
    }
}

void Database::copy_before_migration(int version) {
    const auto target = with_suffix(m_path, fmt::format(".before-v{}", version));
    const auto unfinished = with_suffix(target, ".tmp");
    m_files.remove(unfinished);
    run("VACUUM INTO ?", unfinished.string());
    sync_and_rename(m_files, unfinished, target);
}

void Database::begin() {
    run("BEGIN IMMEDIATE");
}

void Database::commit() {
    const std::int64_t raised =
        run("UPDATE store_meta SET value = value + 1 WHERE key = 'generation' AND value = ?", m_generation);
    if (raised != 1) {
        throw StoreError(StoreErrorKind::generation_conflict,
                         fmt::format("{} was written by another process", m_path.string()));
    }
    run("COMMIT");
    ++m_generation;
    failpoint("store.after_commit_before_generation");
    m_generation_file->note(m_database_id, static_cast<std::uint64_t>(m_generation));
}

void Database::rollback() noexcept {
    if (sqlite3_get_autocommit(m_db) == 0) sqlite3_exec(m_db, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Database::execute(const std::string& sql) {
    check(sqlite3_exec(m_db, sql.c_str(), nullptr, nullptr, nullptr), sql);
}

std::int64_t Database::last_insert_id() const {
    return sqlite3_last_insert_rowid(m_db);
}
std::int64_t Database::changes() const {
    return sqlite3_changes64(m_db);
}

Query Database::prepare(std::string_view sql) {
    const auto found = m_cache.find(sql);
    if (found != m_cache.end() && !found->second.in_use) {
        found->second.in_use = true;
        return {*this, found->second.statement, true};
    }
    sqlite3_stmt* statement = nullptr;
    const bool cache = found == m_cache.end();
    check(sqlite3_prepare_v3(m_db, sql.data(), static_cast<int>(sql.size()), cache ? SQLITE_PREPARE_PERSISTENT : 0,
                             &statement, nullptr),
          sql);
    if (statement == nullptr) throw StoreError(StoreErrorKind::internal, "an empty statement");
    if (cache) {
        if (m_cache.size() >= kMaxCachedStatements) trim_cache();
        CachedStatement& entry = m_cache.emplace(std::string(sql), CachedStatement{statement, true}).first->second;
        m_cached_by_statement.emplace(statement, &entry);
    }
    return {*this, statement, cache};
}

void Database::trim_cache() {
    std::erase_if(m_cache, [this](auto& entry) {
        if (entry.second.in_use) return false;
        m_cached_by_statement.erase(entry.second.statement);
        sqlite3_finalize(entry.second.statement);
        return true;
    });
}

void Database::give_back(sqlite3_stmt* statement, bool cached) noexcept {
    if (!cached) {
        sqlite3_finalize(statement);
        return;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    m_cached_by_statement.find(statement)->second->in_use = false;
}

void Database::check(int code, std::string_view doing) const {
    if (code != SQLITE_OK) fail(code, doing);
}

// Texts name the statement, never its bound values: those may be secrets.
void Database::fail(int code, std::string_view doing) const {
    throw StoreError(kind_of(m_db, code), fmt::format("{}: {} ({}) while {}", m_path.string(), sqlite3_errstr(code),
                                                      code, doing.substr(0, 200)));
}

}  // namespace hedgerow::daemon
