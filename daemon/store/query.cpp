#include <fmt/format.h>
#include <sqlite3.h>

#include <limits>

#include "daemon/store/database.h"

namespace hedgerow::daemon {

Query::Query(Database& database, sqlite3_stmt* statement, bool cached)
    : m_database(&database), m_statement(statement), m_cached(cached) {}

Query::Query(Query&& other) noexcept
    : m_database(other.m_database),
      m_statement(std::exchange(other.m_statement, nullptr)),
      m_cached(other.m_cached),
      m_started(other.m_started),
      m_next_parameter(other.m_next_parameter) {}

Query::~Query() {
    if (m_statement != nullptr) m_database->give_back(m_statement, m_cached);
}

bool Query::step() {
    if (!m_started) check_bound();
    m_started = true;
    const int code = sqlite3_step(m_statement);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) m_database->fail(code, sqlite3_sql(m_statement));
    return false;
}

bool Query::is_null(int column) const {
    return sqlite3_column_type(m_statement, column) == SQLITE_NULL;
}

std::int64_t Query::int64(int column) const {
    require_type(column, SQLITE_INTEGER, "an integer");
    return sqlite3_column_int64(m_statement, column);
}

std::uint64_t Query::uint64(int column) const {
    const std::int64_t value = int64(column);
    if (value < 0) wrong_column(column, "an integer that is not negative");
    return static_cast<std::uint64_t>(value);
}

std::string Query::text(int column) const {
    require_type(column, SQLITE_TEXT, "text");
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(m_statement, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(m_statement, column))};
}

channel::ByteView Query::blob_view(int column) const {
    require_type(column, SQLITE_BLOB, "a blob");
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(m_statement, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(m_statement, column))};
}

channel::Bytes Query::blob(int column) const {
    const channel::ByteView view = blob_view(column);
    return {view.begin(), view.end()};
}

channel::Int128 Query::int128(int column) const {
    const channel::ByteView view = blob_view(column);
    if (view.size() != sizeof(channel::Int128)) wrong_column(column, "a number of 16 bytes");
    channel::Uint128 bits = 0;
    for (const std::uint8_t byte : view) bits = (bits << 8) | byte;
    return static_cast<channel::Int128>(bits);
}

void Query::bind_int64(std::int64_t value) {
    check(sqlite3_bind_int64(m_statement, m_next_parameter++, value));
}

void Query::bind_uint64(std::uint64_t value) {
    ASSERT(value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    bind_int64(static_cast<std::int64_t>(value));
}

void Query::bind_null() {
    check(sqlite3_bind_null(m_statement, m_next_parameter++));
}

void Query::bind_text(std::string_view value) {
    const char* data = value.data() == nullptr ? "" : value.data();
    check(sqlite3_bind_text64(m_statement, m_next_parameter++, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::bind_blob(channel::ByteView value) {
    // A null pointer would bind NULL, not an empty blob.
    const void* data = value.data() == nullptr ? static_cast<const void*>("") : value.data();
    check(sqlite3_bind_blob64(m_statement, m_next_parameter++, data, value.size(), SQLITE_TRANSIENT));
}

void Query::bind_int128(channel::Int128 value) {
    std::uint8_t bytes[sizeof value];
    auto bits = static_cast<channel::Uint128>(value);
    for (std::size_t i = sizeof bytes; i-- > 0; bits >>= 8) bytes[i] = static_cast<std::uint8_t>(bits);
    bind_blob(bytes);
}

void Query::check_bound() const {
    const int wanted = sqlite3_bind_parameter_count(m_statement);
    if (m_next_parameter - 1 == wanted) return;
    throw StoreError(StoreErrorKind::internal, fmt::format("{} parameters bound where {} are wanted: {}",
                                                           m_next_parameter - 1, wanted, sqlite3_sql(m_statement)));
}

void Query::require_type(int column, int type, const char* name) const {
    if (sqlite3_column_type(m_statement, column) != type) wrong_column(column, name);
}

void Query::wrong_column(int column, const char* expected) const {
    const char* name = sqlite3_column_name(m_statement, column);
    throw StoreError(StoreErrorKind::corrupt, fmt::format("column {} is not {} in: {}", name == nullptr ? "?" : name,
                                                          expected, sqlite3_sql(m_statement)));
}

void Query::check(int code) const {
    m_database->check(code, sqlite3_sql(m_statement));
}

}  // namespace hedgerow::daemon
