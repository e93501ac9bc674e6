#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "channel/base/amount.h"
#include "channel/base/ids.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hedgerow::daemon {

/// Why the store cannot go on. Every kind stops the node (DESIGN 12: it never runs on after a database error).
enum class StoreErrorKind {
    locked,               ///< another process holds the database
    corrupt,              ///< damaged, or not an SQLite file, or a column that is not what the schema says
    foreign_application,  ///< a healthy SQLite file that is not Hedgerow's
    newer_schema,         ///< written by a newer hedgerowd
    stale_copy,           ///< older than what this node last committed: signing from it could lose the channel
    generation_conflict,  ///< somebody else wrote to the open database
    read_only,
    disk_full,
    constraint,
    io,
    internal,  ///< misuse: a statement that does not compile, a wrong number of parameters
};
[[nodiscard]] std::string_view store_error_name(StoreErrorKind kind);

class StoreError : public std::runtime_error {
  public:
    StoreError(StoreErrorKind kind, const std::string& text);
    [[nodiscard]] StoreErrorKind kind() const { return m_kind; }

  private:
    StoreErrorKind m_kind;
};

class Database;
class FileSystem;
class GenerationFile;
class OpenFile;

/// The system's own disk.
[[nodiscard]] FileSystem& real_files();

/// One execution of a prepared statement: bound, stepped, and given back to the cache when it goes out of scope.
/// Columns count from 0; reading a column as a type it does not have throws StoreError{corrupt}.
class Query {
  public:
    Query(Query&& other) noexcept;
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    Query& operator=(Query&&) = delete;
    ~Query();

    /// True while there is a row.
    bool step();

    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t int64(int column) const;
    [[nodiscard]] std::uint64_t uint64(int column) const;  ///< refuses negative
    [[nodiscard]] bool boolean(int column) const { return int64(column) != 0; }
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] channel::Bytes blob(int column) const;
    /// Valid until the next step().
    [[nodiscard]] channel::ByteView blob_view(int column) const;
    template <typename Id>
    [[nodiscard]] Id fixed(int column) const {
        const auto id = Id::from(blob_view(column));
        if (!id) wrong_column(column, "fixed bytes");
        return *id;
    }
    /// An Amount, Price or Quantity, stored as 16 bytes (two's complement, big-endian).
    template <typename Number>
    [[nodiscard]] Number number(int column) const {
        return Number::from_raw(int128(column));
    }

    template <typename T>
    Query& bind(const T& value) {
        if constexpr (std::is_same_v<T, bool>)
            bind_int64(value ? 1 : 0);
        else if constexpr (std::is_enum_v<T>)
            bind_int64(static_cast<std::int64_t>(value));
        else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>)
            bind_int64(value);
        else if constexpr (std::is_integral_v<T>)
            bind_uint64(value);
        else if constexpr (std::is_same_v<T, std::nullopt_t> || std::is_same_v<T, std::nullptr_t>)
            bind_null();
        else if constexpr (channel::IsFixedBytes<T>::value)
            bind_blob(value.view());
        else if constexpr (std::is_convertible_v<const T&, std::string_view>)
            bind_text(value);
        else if constexpr (std::is_convertible_v<const T&, channel::ByteView>)
            bind_blob(value);
        else if constexpr (requires {
                               value.has_value();
                               *value;
                           }) {
            if (value.has_value())
                bind(*value);
            else
                bind_null();
        } else
            bind_int128(value.raw());
        return *this;
    }

  private:
    friend class Database;
    Query(Database& database, sqlite3_stmt* statement, bool cached);
    void bind_int64(std::int64_t value);
    void bind_uint64(std::uint64_t value);  ///< asserts value < 2^63
    void bind_null();
    void bind_text(std::string_view value);
    void bind_blob(channel::ByteView value);
    void bind_int128(channel::Int128 value);
    [[nodiscard]] channel::Int128 int128(int column) const;
    void require_type(int column, int type, const char* name) const;
    [[noreturn]] void wrong_column(int column, const char* expected) const;
    void check_bound() const;
    void check(int code) const;

    Database* m_database;
    sqlite3_stmt* m_statement;
    bool m_cached;
    bool m_started = false;
    int m_next_parameter = 1;
};

/// One step of the schema: `version` counts 1, 2, 3 ... in the order of the list; `sql` may hold several statements.
struct Migration {
    int version;
    const char* sql;
};

struct DatabaseOptions {
    std::filesystem::path path;
    std::span<const Migration> migrations;
    /// In the file's header, so that a database of another program is refused ("HDGR").
    std::int32_t application_id = 0x48444752;
    /// PRAGMA quick_check at opening: reads the whole file.
    bool check_integrity = true;
    /// The operator says that this restored database shall be used although its generation file is absent or newer. The
    /// node must then treat every channel as recovering (DESIGN 5.7): see Database::accepted_stale.
    bool accept_stale = false;
    int busy_timeout_ms = 5000;
    /// Of a new database, bytes (a power of two, 512 to 65,536); 0: SQLite's own. One that exists keeps its own.
    int page_size = 0;
    std::size_t cache_bytes = 0;  ///< of pages in memory; 0: SQLite's own
    FileSystem* files = &real_files();  ///< the disk that it is on; outlives the database
};

/// One connection to the node's SQLite database: WAL, synchronous=FULL, foreign keys on. One thread at a time.
///
/// Two processes never share it: `<path>.lock` is held with flock. And because a lock can fail (network file systems)
/// or be gone around (a copy swapped in), every commit through `commit` compares and sets a generation number in the
/// database and then notes it in the side file `<path>.generation`; a database older than its side file is refused as
/// stale_copy.
class Database {
  public:
    /// Opens or creates, checks, migrates (after a copy `<path>.before-v<n>` of an older schema). Throws StoreError.
    explicit Database(const DatabaseOptions& options);
    /// A second, read-only connection beside the writer's for history queries; no lock, no migration.
    [[nodiscard]] static std::unique_ptr<Database> open_reader(const std::filesystem::path& path,
                                                               FileSystem& files = real_files());
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// A statement from the cache with `values` bound to its parameters in order; step() it.
    template <typename... T>
    [[nodiscard]] Query query(std::string_view sql, const T&... values) {
        Query statement = prepare(sql);
        (statement.bind(values), ...);
        return statement;
    }
    /// query() run to its end; returns the number of rows changed by the last INSERT, UPDATE or DELETE.
    template <typename... T>
    std::int64_t run(std::string_view sql, const T&... values) {
        Query statement = query(sql, values...);
        while (statement.step()) {
        }
        return changes();
    }
    /// Several statements, without parameters; for schema work.
    void execute(const std::string& sql);

    void begin();
    /// Commits durably, with the generation raised by one. Throws generation_conflict if another writer was here.
    void commit();
    void rollback() noexcept;

    [[nodiscard]] std::int64_t last_insert_id() const;
    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] int schema_version();
    /// The number of commits since the database was created.
    [[nodiscard]] std::int64_t generation() const { return m_generation; }
    /// True where the generation check failed and DatabaseOptions::accept_stale let it pass.
    [[nodiscard]] bool accepted_stale() const { return m_accepted_stale; }
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    /// Drawn when the database was made; what belongs to it names it.
    [[nodiscard]] const channel::Hash& id() const { return m_database_id; }
    /// The sequence of the journal (journal.h) up to which this database has all; 0 where there was none.
    [[nodiscard]] std::uint64_t journal_applied();
    /// In the transaction that applies it.
    void set_journal_applied(std::uint64_t sequence);

  private:
    friend class Query;
    struct CachedStatement {
        sqlite3_stmt* statement = nullptr;
        bool in_use = false;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };

    explicit Database(FileSystem& files);
    void open_file(int flags, int busy_timeout_ms);
    void lock_file();
    void configure(const DatabaseOptions& options);
    void check_application(std::int32_t application_id);
    void check_integrity();
    void migrate(std::span<const Migration> migrations);
    void copy_before_migration(int version);
    void check_generation(bool fresh, const DatabaseOptions& options);
    void close() noexcept;
    [[nodiscard]] Query prepare(std::string_view sql);
    void give_back(sqlite3_stmt* statement, bool cached) noexcept;
    void trim_cache();
    void check(int code, std::string_view doing) const;
    [[noreturn]] void fail(int code, std::string_view doing) const;

    FileSystem& m_files;
    sqlite3* m_db = nullptr;
    std::filesystem::path m_path;
    std::unordered_map<std::string, CachedStatement, TextHash, std::equal_to<>> m_cache;
    std::unordered_map<sqlite3_stmt*, CachedStatement*> m_cached_by_statement;
    channel::Hash m_database_id;
    std::int64_t m_generation = 0;
    std::unique_ptr<OpenFile> m_lock_file;
    std::unique_ptr<GenerationFile> m_generation_file;
    bool m_accepted_stale = false;
};

}  // namespace hedgerow::daemon
