#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "channel/base/ids.h"
#include "channel/base/rule.h"

namespace hedgerow::daemon {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// "trace" … "off", or nothing.
[[nodiscard]] std::optional<LogLevel> log_level_from(std::string_view name);
[[nodiscard]] std::string_view log_level_name(LogLevel level);

struct LogOptions {
    LogLevel level = LogLevel::info;
    bool to_stderr = true;
    std::filesystem::path file;  ///< empty: none. Mode 0600, rotated: five files of at most 64 MiB
};

/// Starts (or restarts with other options) the process's log; before, messages of info and above go to stderr. Throws
/// std::runtime_error where the file cannot be written. To be called before other threads log.
void start_log(const LogOptions& options);
/// Writes out what is buffered: before the process ends, and by the assertion handler.
void flush_log() noexcept;

/// One `key=value` of a line. Takes numbers, truth values, text, rules and public ids. Secrets and preimages do not
/// compile; text from outside is quoted and its control characters escaped, so that nobody can forge lines.
class LogField {
  public:
    template <std::integral T>
    LogField(std::string_view key, T value)
        : m_key(key),
          m_kind(std::same_as<T, bool> ? Kind::boolean : (std::signed_integral<T> ? Kind::integer : Kind::natural)),
          m_number(static_cast<std::uint64_t>(value)) {}
    LogField(std::string_view key, std::string_view text) : m_key(key), m_kind(Kind::text), m_text(text) {}
    LogField(std::string_view key, const char* text) : LogField(key, std::string_view(text)) {}
    LogField(std::string_view key, const std::string& text) : LogField(key, std::string_view(text)) {}
    LogField(std::string_view key, channel::Rule rule) : LogField(key, channel::rule_name(rule)) {}
    template <std::size_t N, typename Tag>
    LogField(std::string_view key, const channel::FixedBytes<N, Tag>& id)
        : m_key(key), m_kind(Kind::id), m_id(id.view()) {}
    LogField(std::string_view key, const channel::Secret&) = delete;
    LogField(std::string_view key, const channel::Preimage&) = delete;

    void append_to(std::string& line) const;

  private:
    enum class Kind : std::uint8_t { integer, natural, boolean, text, id };
    std::string_view m_key;
    Kind m_kind;
    std::uint64_t m_number = 0;
    std::string_view m_text;
    channel::ByteView m_id;
};

extern std::atomic<LogLevel> g_log_level;

[[nodiscard]] inline bool log_enabled(LogLevel level) {
    return level >= g_log_level.load(std::memory_order_relaxed);
}

/// Writes one line `event key=value ...`; `event` is a constant of the program. Use the macros: they evaluate nothing
/// where the level is off. From any thread; an error of the log itself never reaches the caller.
void write_log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept;
/// The text of such a line, without time and level.
[[nodiscard]] std::string format_log_line(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace hedgerow::daemon

/// LOG_INFO("peer connected", {"peer", id}, {"latency_us", 312});
#define HEDGEROW_LOG(level, event, ...)                                                               \
    do {                                                                                              \
        if (::hedgerow::daemon::log_enabled(::hedgerow::daemon::LogLevel::level))                     \
            ::hedgerow::daemon::write_log(::hedgerow::daemon::LogLevel::level, event, {__VA_ARGS__}); \
    } while (false)
#define LOG_TRACE(event, ...) HEDGEROW_LOG(trace, event __VA_OPT__(, ) __VA_ARGS__)
#define LOG_DEBUG(event, ...) HEDGEROW_LOG(debug, event __VA_OPT__(, ) __VA_ARGS__)
#define LOG_INFO(event, ...) HEDGEROW_LOG(info, event __VA_OPT__(, ) __VA_ARGS__)
#define LOG_WARN(event, ...) HEDGEROW_LOG(warn, event __VA_OPT__(, ) __VA_ARGS__)
#define LOG_ERROR(event, ...) HEDGEROW_LOG(error, event __VA_OPT__(, ) __VA_ARGS__)
