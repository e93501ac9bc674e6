#include "cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

namespace hedgerow::cli {

using rpc::Json;

namespace {

constexpr std::size_t kMaxCell = 72;  ///< an id has 66; longer lists are counted instead of shown

bool is_time_key(std::string_view key) {
    return key == "time" || key == "timestamp" || key == "expires" || key == "expiry";
}

std::string time_text(std::int64_t unix_ms) {
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm utc{};
    if (unix_ms <= 0 || ::gmtime_r(&seconds, &utc) == nullptr || utc.tm_year > 8099) return fmt::format("{}", unix_ms);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min, utc.tm_sec, unix_ms % 1000);
}

std::string scalar_text(std::string_view key, const Json& value) {
    if (value.is_null()) return "-";
    if (value.is_string()) return printable(value.get_ref<const std::string&>());
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_number_integer() && is_time_key(key)) return time_text(value.get<std::int64_t>());
    return rpc::json_text(value);
}

/// One line for a value inside a table.
std::string cell_text(std::string_view key, const Json& value) {
    if (!value.is_structured()) return scalar_text(key, value);
    if (value.empty()) return "-";
    std::string out;
    for (const auto& [name, item] : value.items()) {
        if (!out.empty()) out.append(value.is_array() ? "; " : " ");
        if (value.is_object()) out.append(printable(name)).append("=");
        out.append(cell_text(name, item));
        if (out.size() > kMaxCell)
            return value.is_array() ? fmt::format("{} items", value.size()) : fmt::format("{} fields", value.size());
    }
    return out;
}

/// Columns on a terminal, counting code points; close enough without a table of wide characters.
std::size_t width(std::string_view text) {
    const auto continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continuation));
}

bool looks_numeric(std::string_view text) {
    return !text.empty() && text.size() < 40 && text.find_first_not_of("0123456789.-") == std::string_view::npos;
}

struct Column {
    std::string key;
    std::vector<std::string> cells;
    std::size_t wide = 0;
    bool right = true;
};

std::vector<Column> make_columns(const Json& rows) {
    std::vector<Column> columns;
    for (const Json& row : rows) {
        for (const auto& [key, value] : row.items()) {
            const bool known =
                std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.key == key; });
            if (!known) columns.push_back({key, {}, width(printable(key)), true});
        }
    }
    for (Column& column : columns) {
        for (const Json& row : rows) {
            column.cells.push_back(row.contains(column.key) ? cell_text(column.key, row[column.key]) : "-");
            const std::string& cell = column.cells.back();
            column.wide = std::max(column.wide, width(cell));
            column.right = column.right && (looks_numeric(cell) || cell == "-");
        }
    }
    return columns;
}

std::string padded(std::string_view text, std::size_t wide, bool right) {
    const std::string space(wide - std::min(wide, width(text)), ' ');
    return right ? fmt::format("{}{}", space, text) : fmt::format("{}{}", text, space);
}

void append_line(std::string& out, std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out.append(line).push_back('\n');
}

std::string table(const Json& rows, const std::string& indent) {
    const std::vector<Column> columns = make_columns(rows);
    std::string out;
    std::string header = indent;
    for (const Column& c : columns) header.append(padded(printable(c.key), c.wide, c.right)).append("  ");
    append_line(out, std::move(header));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::string line = indent;
        for (const Column& c : columns) line.append(padded(c.cells[i], c.wide, c.right)).append("  ");
        append_line(out, std::move(line));
    }
    return out;
}

bool is_table(const Json& value) {
    return value.is_array() && !value.empty() &&
           std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_object(); });
}

std::string block(const Json& value, const std::string& indent);

std::string object_block(const Json& object, const std::string& indent) {
    std::size_t wide = 0;
    for (const auto& [key, value] : object.items()) wide = std::max(wide, width(printable(key)));
    std::string out;
    for (const auto& [key, value] : object.items()) {
        const bool nested =
            value.is_structured() && !value.empty() &&
            (is_table(value) || cell_text(key, value).ends_with("fields") || cell_text(key, value).ends_with("items"));
        if (nested) {
            out.append(indent).append(printable(key)).append("\n").append(block(value, indent + "  "));
        } else {
            append_line(out,
                        fmt::format("{}{}  {}", indent, padded(printable(key), wide, false), cell_text(key, value)));
        }
    }
    return out;
}

std::string block(const Json& value, const std::string& indent) {
    if (is_table(value)) return table(value, indent);
    if (value.is_object()) return object_block(value, indent);
    if (!value.is_array()) return fmt::format("{}{}\n", indent, scalar_text("", value));
    std::string out;
    for (const Json& item : value)
        out.append(item.is_structured() ? block(item, indent) : fmt::format("{}{}\n", indent, scalar_text("", item)));
    return out;
}

std::string page(const Json& result) {
    const Json& items = result["items"];
    std::string out = items.empty() ? std::string("none\n") : block(items, "");
    if (result.contains("cursor") && result["cursor"].is_string()) {
        out.append(fmt::format("more: --cursor {}\n", printable(result["cursor"].get_ref<const std::string&>())));
    }
    return out;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (c1) {
            out.append(fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i])));
        } else if (c < 0x20 || c == 0x7F) {
            out.append(fmt::format("\\u{:04x}", c));
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

std::string render(const Json& result) {
    if (result.is_null() || (result.is_object() && result.empty())) return "done\n";
    if (result.is_array() && result.empty()) return "none\n";
    if (result.is_object() && result.contains("items") && result["items"].is_array() && result.size() <= 2)
        return page(result);
    return block(result, "");
}

}  // namespace hedgerow::cli
