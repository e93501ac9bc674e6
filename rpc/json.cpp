#include "rpc/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "rpc/json_builder.h"

namespace hedgerow::rpc {

using channel::Unexpected;

JsonError duplicate_key(std::string_view name) {
    return {"json_duplicate_key", fmt::format("the key \"{}\" occurs twice", name.substr(0, 64))};
}
JsonError too_many_members() {
    return {"json_too_many_members", fmt::format("more than {} members", kMaxJsonMembers)};
}
JsonError not_json(std::size_t position) {
    return {"json_malformed", fmt::format("not JSON at byte {}", position)};
}

void JsonBuilder::begin(Json& to, std::size_t depth) {
    m_root = &to;
    m_depth = depth;
    m_open.clear();
}

bool JsonBuilder::fail(std::string_view name, std::string message) {
    error = {name, std::move(message)};
    return false;
}

Json* JsonBuilder::insert(Json&& value) {
    if (m_open.empty()) {
        *m_root = std::move(value);
        return m_root;
    }
    Json& parent = *m_open.back();
    if (parent.is_array()) {
        parent.push_back(std::move(value));
        return &parent.back();
    }
    // Appended directly: the key was just seen to be new.
    auto& object = parent.get_ref<Json::object_t&>();
    object.emplace_back(std::move(m_key), std::move(value));
    return &object.back().second;
}

bool JsonBuilder::put(Json&& value) {
    insert(std::move(value));
    return true;
}

bool JsonBuilder::open(Json&& container) {
    if (m_depth + m_open.size() >= m_max_depth)
        return fail("json_too_deep", fmt::format("nested deeper than {}", m_max_depth));
    m_open.push_back(insert(std::move(container)));
    return true;
}

bool JsonBuilder::close() {
    m_open.pop_back();
    return true;
}

bool JsonBuilder::key(std::string& name) {
    auto& object = m_open.back()->get_ref<Json::object_t&>();
    if (object.size() >= kMaxJsonMembers) {
        error = too_many_members();
        return false;
    }
    if (object.find(name) != object.end()) {
        error = duplicate_key(name);
        return false;
    }
    m_key = std::move(name);
    return true;
}

namespace {

/// The parser's events, all of them for one value.
struct Events {
    JsonBuilder builder;

    bool null() { return builder.put(nullptr); }
    bool boolean(bool value) { return builder.put(value); }
    bool number_integer(Json::number_integer_t value) { return builder.put(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return builder.put(value); }
    bool number_float(Json::number_float_t value, const std::string&) { return builder.put(value); }
    bool string(std::string& value) { return builder.put(std::move(value)); }
    bool binary(Json::binary_t&) { return builder.fail("json_malformed", "binary"); }
    bool start_object(std::size_t) { return builder.open(Json::object()); }
    bool key(std::string& name) { return builder.key(name); }
    bool end_object() { return builder.close(); }
    bool start_array(std::size_t) { return builder.open(Json::array()); }
    bool end_array() { return builder.close(); }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
        builder.error = not_json(position);
        return false;
    }
};

}  // namespace

channel::Expected<Json, JsonError> parse_json(std::string_view text, std::size_t max_depth) {
    Json out;
    Events events{JsonBuilder(max_depth)};
    events.builder.begin(out, 0);
    if (!Json::sax_parse(text.begin(), text.end(), &events)) return Unexpected{std::move(events.builder.error)};
    return out;
}

std::string json_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
void append_json_string(std::string& out, std::string_view text) {
    const bool plain =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; });
    if (plain)
        out.append("\"").append(text).append("\"");
    else
        out.append(json_text(std::string(text)));
}
std::string json_pretty(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

channel::Expected<channel::Int128, channel::Rule> decimal_from_json(const Json& value, int decimals) {
    if (!value.is_string()) return Unexpected{channel::Rule::amount_malformed};
    return channel::parse_decimal(value.get_ref<const std::string&>(), decimals);
}

Json decimal_to_json(channel::Int128 value, int decimals) {
    return channel::format_decimal(value, decimals);
}

}  // namespace hedgerow::rpc
