#include "daemon/log/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace hedgerow::daemon {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxFiles = 4;  // beside the current one
constexpr std::size_t kMaxTextSize = 1000;
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v";
constexpr std::array<std::string_view, 6> kLevelNames = {"trace", "debug", "info", "warn", "error", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::trace:
            return spdlog::level::trace;
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warn:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::off:
            return spdlog::level::off;
    }
    return spdlog::level::off;
}

std::shared_ptr<spdlog::logger> make_logger(std::vector<spdlog::sink_ptr> sinks) {
    auto logger = std::make_shared<spdlog::logger>("hedgerow", sinks.begin(), sinks.end());
    logger->set_pattern(kPattern);
    logger->set_level(spdlog::level::trace);  // ours is g_log_level
    logger->flush_on(spdlog::level::warn);
    return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> instance =
        make_logger({std::make_shared<spdlog::sinks::stderr_color_sink_mt>()});
    return instance;
}

// spdlog would create it with the umask's mode.
void create_for_owner(const std::filesystem::path& file) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error(fmt::format("cannot write the log file {}", file.string()));
    ::close(fd);
}

void append_quoted(std::string& line, std::string_view text) {
    line += '"';
    for (const char c : text.substr(0, kMaxTextSize)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            line.append(1, '\\').append(1, c);
        else if (byte < 0x20 || byte >= 0x7f)
            line += fmt::format("\\x{:02x}", byte);
        else
            line += c;
    }
    if (text.size() > kMaxTextSize) line.append("...");
    line += '"';
}

bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= kMaxTextSize &&
           text.find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
               "0123456789_-.:/@+,") == std::string_view::npos;
}

}  // namespace

std::atomic<LogLevel> g_log_level{LogLevel::info};

std::optional<LogLevel> log_level_from(std::string_view name) {
    for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
        if (kLevelNames[i] == name) return static_cast<LogLevel>(i);
    }
    return std::nullopt;
}

std::string_view log_level_name(LogLevel level) {
    return kLevelNames[static_cast<std::size_t>(level)];
}

void start_log(const LogOptions& options) {
    std::vector<spdlog::sink_ptr> sinks;
    if (options.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    if (!options.file.empty()) {
        create_for_owner(options.file);
        try {
            sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file.string(), kMaxFileBytes,
                                                                                   kMaxFiles));
        } catch (const spdlog::spdlog_ex& error) {
            throw std::runtime_error(error.what());
        }
    }
    logger() = make_logger(std::move(sinks));
    g_log_level = options.level;
}

void flush_log() noexcept {
    try {
        logger()->flush();
    } catch (...) {  // the log must not be what stops a node
    }
}

void LogField::append_to(std::string& line) const {
    line.append(m_key).append(1, '=');
    switch (m_kind) {
        case Kind::integer:
            line += fmt::format("{}", static_cast<std::int64_t>(m_number));
            break;
        case Kind::natural:
            line += fmt::format("{}", m_number);
            break;
        case Kind::boolean:
            line.append(m_number != 0 ? "true" : "false");
            break;
        case Kind::text:
            if (is_plain(m_text))
                line.append(m_text);
            else
                append_quoted(line, m_text);
            break;
        case Kind::id:
            line.append(channel::to_hex(m_id));
            break;
    }
}

std::string format_log_line(std::string_view event, std::initializer_list<LogField> fields) {
    std::string line(event);
    for (const LogField& field : fields) {
        line += ' ';
        field.append_to(line);
    }
    return line;
}

void write_log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept {
    try {
        logger()->log(spdlog_level(level), spdlog::string_view_t(format_log_line(event, fields)));
    } catch (...) {  // a full disk under the log must not stop a node that defends money
    }
}

}  // namespace hedgerow::daemon
