#include "rpc/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace hedgerow::rpc {

using channel::Unexpected;

namespace {

/// Builds the value from the parser's events, since only there are duplicate keys still visible.
class StrictBuilder : public nlohmann::json_sax<Json> {
  public:
    explicit StrictBuilder(std::size_t max_depth) : m_max_depth(max_depth) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return fail("json_malformed", "binary"); }
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        if (m_open.back()->size() >= kMaxJsonMembers)
            return fail("json_too_many_members", fmt::format("more than {} members", kMaxJsonMembers));
        if (m_open.back()->contains(name))
            return fail("json_duplicate_key", fmt::format("the key \"{}\" occurs twice", name.substr(0, 64)));
        m_key = std::move(name);
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        return fail("json_malformed", fmt::format("not JSON at byte {}", position));
    }

    Json result;
    JsonError error{"json_malformed", "not JSON"};

  private:
    bool fail(std::string_view name, std::string message) {
        error = {name, std::move(message)};
        return false;
    }
    Json* insert(Json&& value) {
        if (m_open.empty()) {
            result = std::move(value);
            return &result;
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
    bool put(Json&& value) {
        insert(std::move(value));
        return true;
    }
    bool open(Json&& container) {
        if (m_open.size() >= m_max_depth)
            return fail("json_too_deep", fmt::format("nested deeper than {}", m_max_depth));
        m_open.push_back(insert(std::move(container)));
        return true;
    }
    bool close() {
        m_open.pop_back();
        return true;
    }

    const std::size_t m_max_depth;
    // Pointers stay good: a container grows only while it is the innermost one open.
    std::vector<Json*> m_open;
    std::string m_key;
};

}  // namespace

channel::Expected<Json, JsonError> parse_json(std::string_view text, std::size_t max_depth) {
    StrictBuilder builder(max_depth);
    if (!Json::sax_parse(text.begin(), text.end(), &builder)) return Unexpected{std::move(builder.error)};
    return std::move(builder.result);
}

std::string json_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
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
