#include "rpc/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"

namespace hedgerow::rpc {

namespace schema {

namespace {
Schema of_kind(SchemaKind kind, std::int64_t minimum = 0, std::int64_t maximum = 0) {
    Schema out;
    out.kind = kind;
    out.minimum = minimum;
    out.maximum = maximum;
    return out;
}
}  // namespace

Schema boolean() {
    return of_kind(SchemaKind::boolean);
}
Schema integer(std::int64_t minimum, std::int64_t maximum) {
    return of_kind(SchemaKind::integer, minimum, maximum);
}
Schema number() {
    return of_kind(SchemaKind::number);
}
Schema string(std::int64_t max_length, std::int64_t min_length) {
    return of_kind(SchemaKind::string, min_length, max_length);
}
Schema secret(std::int64_t max_length) {
    Schema out = string(max_length);
    out.secret = true;
    return out;
}
Schema new_secret(std::int64_t max_length) {
    Schema out = secret(max_length);
    out.chosen = true;
    return out;
}
Schema amount() {
    return of_kind(SchemaKind::amount);
}
Schema signed_amount() {
    return of_kind(SchemaKind::signed_amount);
}
Schema hash() {
    return of_kind(SchemaKind::hash);
}
Schema address() {
    return of_kind(SchemaKind::address);
}
Schema hex(std::int64_t max_bytes) {
    return of_kind(SchemaKind::hex, 0, max_bytes);
}
Schema one_of(std::vector<std::string> values) {
    Schema out = of_kind(SchemaKind::enumeration);
    out.values = std::move(values);
    return out;
}
Schema array(Schema item, std::int64_t max_items, std::int64_t min_items) {
    Schema out = of_kind(SchemaKind::array, min_items, max_items);
    out.item = std::make_shared<const Schema>(std::move(item));
    return out;
}
Schema object(std::vector<Field> fields) {
    Schema out = of_kind(SchemaKind::object);
    out.fields = std::move(fields);
    return out;
}
Schema any() {
    return of_kind(SchemaKind::any);
}

}  // namespace schema

namespace {

using Found = std::optional<SchemaError>;

/// More than any unit has: how precise an amount of this asset may be is known only to the handler.
constexpr int kMostDecimals = 18;

// What is found says where from the value that was looked at; whoever looked into it puts its own name in front. So
// nothing is made up for values that fit.
Found wrong(std::string_view name, std::string message) {
    return SchemaError{name, {}, std::move(message)};
}
Found wrong_type(std::string message) {
    return wrong("type_mismatch", std::move(message));
}
Found inside(std::string_view name, Found found) {
    if (!found || name.empty()) return found;
    const bool joined = found->path.empty() || found->path.front() == '[';
    found->path.insert(0, joined ? std::string(name) : fmt::format("{}.", name));
    return found;
}

const std::string& text_of(const Json& value) {
    return value.get_ref<const std::string&>();
}

Found check_integer(const Schema& schema, const Json& value) {
    if (!value.is_number_integer()) return wrong_type("must be an integer");
    const bool too_big =
        value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const std::int64_t number = too_big ? 0 : value.get<std::int64_t>();
    if (!too_big && number >= schema.minimum && number <= schema.maximum) return std::nullopt;
    return wrong("out_of_range", fmt::format("must be from {} to {}", schema.minimum, schema.maximum));
}

Found check_string(const Schema& schema, const Json& value) {
    if (!value.is_string()) return wrong_type("must be a string");
    const auto size = static_cast<std::int64_t>(text_of(value).size());
    if (size >= schema.minimum && size <= schema.maximum) return std::nullopt;
    return wrong("out_of_range", fmt::format("must have from {} to {} characters", schema.minimum, schema.maximum));
}

Found check_amount(const Schema& schema, const Json& value) {
    if (!value.is_string()) return wrong_type("must be a decimal string such as \"12.5\", never a number");
    const auto parsed = channel::parse_decimal(text_of(value), kMostDecimals);
    if (parsed) {
        if (schema.kind == SchemaKind::amount && *parsed < 0) return wrong("out_of_range", "must not be negative");
        return std::nullopt;
    }
    const std::string_view name = rule_name(parsed.error());
    if (parsed.error() == channel::Rule::amount_too_precise)
        return wrong(name, fmt::format("has more than {} decimals", kMostDecimals));
    if (parsed.error() == channel::Rule::amount_out_of_range) return wrong(name, "is too large");
    return wrong(name, "must be a decimal string such as \"12.5\"");
}

bool is_hex(std::string_view digits) {
    return digits.size() % 2 == 0 && std::all_of(digits.begin(), digits.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           });
}

Found check_bytes(const Schema& schema, const Json& value) {
    const bool is_hash = schema.kind == SchemaKind::hash;
    const char* wanted = is_hash ? "must be 32 bytes as 0x-hex (66 characters)" : "must be 0x-hex";
    if (!value.is_string()) return wrong_type(wanted);
    const std::string_view text = text_of(value);
    const bool good = text.starts_with("0x") && is_hex(text.substr(2));
    if (!good || (is_hash && text.size() != 66)) return wrong("hex_malformed", wanted);
    if (is_hash || static_cast<std::int64_t>(text.size() / 2 - 1) <= schema.maximum) return std::nullopt;
    return wrong("out_of_range", fmt::format("must have at most {} bytes", schema.maximum));
}

Found check_address(const Json& value) {
    if (!value.is_string()) return wrong_type("must be an address: 20 bytes as 0x-hex");
    const std::string& text = text_of(value);
    if (!text.starts_with("0x") || text.size() != 42)
        return wrong("address_malformed", "must be an address: 0x and 40 hex digits");
    if (channel::parse_address(text)) return std::nullopt;
    return wrong("address_malformed", "is no address, or its EIP-55 checksum is wrong: was it mistyped?");
}

Found check_enumeration(const Schema& schema, const Json& value) {
    const auto& values = schema.values;
    if (value.is_string() && std::find(values.begin(), values.end(), text_of(value)) != values.end())
        return std::nullopt;
    std::string wanted;
    for (const auto& v : values) wanted.append(wanted.empty() ? "\"" : ", \"").append(v).append("\"");
    return wrong(value.is_string() ? "out_of_range" : "type_mismatch", fmt::format("must be one of {}", wanted));
}

Found check_value(const Schema& schema, const Json& value, Extra extra);

Found check_array(const Schema& schema, const Json& value, Extra extra) {
    if (!value.is_array()) return wrong_type("must be an array");
    const auto size = static_cast<std::int64_t>(value.size());
    if (size < schema.minimum || size > schema.maximum)
        return wrong("out_of_range", fmt::format("must have from {} to {} items", schema.minimum, schema.maximum));
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (auto found = check_value(*schema.item, value[i], extra))
            return inside(fmt::format("[{}]", i), std::move(found));
    }
    return std::nullopt;
}

Found check_members(const std::vector<Field>& fields, const Json& object, Extra extra) {
    if (!object.is_object()) return wrong_type("must be an object");
    const auto& members = object.get_ref<const Json::object_t&>();
    if (extra == Extra::refuse) {
        for (const auto& [key, value] : members) {
            const bool known =
                std::any_of(fields.begin(), fields.end(), [&name = key](const Field& f) { return f.name == name; });
            if (!known)
                return inside(key.substr(0, 64), wrong("unknown_parameter", "is not a name that is known here"));
        }
    }
    for (const Field& field : fields) {
        const auto it = members.find(field.name);
        const bool absent = it == members.end() || (!field.required && it->second.is_null());
        if (absent && field.required) return inside(field.name, wrong("missing_parameter", "is required"));
        if (absent) continue;
        if (auto found = check_value(field.schema, it->second, extra)) return inside(field.name, std::move(found));
    }
    return std::nullopt;
}

Found check_value(const Schema& schema, const Json& value, Extra extra) {
    switch (schema.kind) {
        case SchemaKind::boolean:
            return value.is_boolean() ? std::nullopt : wrong_type("must be true or false");
        case SchemaKind::integer:
            return check_integer(schema, value);
        case SchemaKind::number:
            return value.is_number() ? std::nullopt : wrong_type("must be a number");
        case SchemaKind::string:
            return check_string(schema, value);
        case SchemaKind::amount:
        case SchemaKind::signed_amount:
            return check_amount(schema, value);
        case SchemaKind::hash:
        case SchemaKind::hex:
            return check_bytes(schema, value);
        case SchemaKind::address:
            return check_address(value);
        case SchemaKind::enumeration:
            return check_enumeration(schema, value);
        case SchemaKind::array:
            return check_array(schema, value, extra);
        case SchemaKind::object:
            return check_members(schema.fields, value, extra);
        case SchemaKind::any:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

std::optional<SchemaError> check(const Schema& schema, const Json& value, std::string_view path, Extra extra) {
    return inside(path, check_value(schema, value, extra));
}

std::optional<SchemaError> check_fields(const std::vector<Field>& fields, const Json& object, std::string_view path,
                                        Extra extra) {
    return inside(path, check_members(fields, object, extra));
}

namespace {

Json pattern(const char* regex) {
    return Json{{"type", "string"}, {"pattern", regex}};
}

Json object_schema(const Schema& schema) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const Field& field : schema.fields) {
        Json property = json_schema(field.schema);
        if (!field.description.empty()) property["description"] = field.description;
        properties[field.name] = std::move(property);
        if (field.required) required.push_back(field.name);
    }
    Json out{{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) out["required"] = std::move(required);
    return out;
}

}  // namespace

Json json_schema(const Schema& schema) {
    switch (schema.kind) {
        case SchemaKind::boolean:
            return {{"type", "boolean"}};
        case SchemaKind::integer:
            return {{"type", "integer"}, {"minimum", schema.minimum}, {"maximum", schema.maximum}};
        case SchemaKind::number:
            return {{"type", "number"}};
        case SchemaKind::string: {
            Json out{{"type", "string"}, {"minLength", schema.minimum}, {"maxLength", schema.maximum}};
            if (schema.secret) out["writeOnly"] = true;
            return out;
        }
        case SchemaKind::amount:
            return pattern("^(0|[1-9][0-9]*)(\\.[0-9]+)?$");
        case SchemaKind::signed_amount:
            return pattern("^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$");
        case SchemaKind::hash:
            return pattern("^0x[0-9a-fA-F]{64}$");
        case SchemaKind::address:
            return pattern("^0x[0-9a-fA-F]{40}$");
        case SchemaKind::hex:
            return pattern("^0x([0-9a-fA-F]{2})*$");
        case SchemaKind::enumeration:
            return {{"type", "string"}, {"enum", schema.values}};
        case SchemaKind::array:
            return {{"type", "array"},
                    {"items", json_schema(*schema.item)},
                    {"minItems", schema.minimum},
                    {"maxItems", schema.maximum}};
        case SchemaKind::object:
            return object_schema(schema);
        case SchemaKind::any:
            return Json::object();
    }
    return Json::object();
}

std::string type_text(const Schema& schema) {
    switch (schema.kind) {
        case SchemaKind::boolean:
            return "true or false";
        case SchemaKind::integer:
            return "integer";
        case SchemaKind::number:
            return "number";
        case SchemaKind::string:
            return schema.secret ? "secret" : "text";
        case SchemaKind::amount:
            return "decimal";
        case SchemaKind::signed_amount:
            return "signed decimal";
        case SchemaKind::hash:
            return "32 bytes, 0x-hex";
        case SchemaKind::address:
            return "address";
        case SchemaKind::hex:
            return "0x-hex";
        case SchemaKind::enumeration:
            return fmt::format("{}", fmt::join(schema.values, " | "));
        case SchemaKind::array:
            return fmt::format("list of {}", type_text(*schema.item));
        case SchemaKind::object: {
            std::string out;
            for (const Field& f : schema.fields)
                out.append(out.empty() ? "{" : ", ").append(f.name).append(f.required ? "" : "?");
            return out.empty() ? "object" : out + "}";
        }
        case SchemaKind::any:
            return "JSON";
    }
    return "JSON";
}

}  // namespace hedgerow::rpc
