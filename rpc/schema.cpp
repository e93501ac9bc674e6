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

Found wrong_type(const std::string& path, std::string message) {
    return SchemaError{"type_mismatch", path, std::move(message)};
}

const std::string& text_of(const Json& value) {
    return value.get_ref<const std::string&>();
}

Found check_integer(const Schema& schema, const Json& value, const std::string& path) {
    if (!value.is_number_integer()) return wrong_type(path, "must be an integer");
    const bool too_big =
        value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const std::int64_t number = too_big ? 0 : value.get<std::int64_t>();
    if (!too_big && number >= schema.minimum && number <= schema.maximum) return std::nullopt;
    return SchemaError{"out_of_range", path, fmt::format("must be from {} to {}", schema.minimum, schema.maximum)};
}

Found check_string(const Schema& schema, const Json& value, const std::string& path) {
    if (!value.is_string()) return wrong_type(path, "must be a string");
    const auto size = static_cast<std::int64_t>(text_of(value).size());
    if (size >= schema.minimum && size <= schema.maximum) return std::nullopt;
    return SchemaError{"out_of_range", path,
                       fmt::format("must have from {} to {} characters", schema.minimum, schema.maximum)};
}

Found check_amount(const Schema& schema, const Json& value, const std::string& path) {
    if (!value.is_string()) return wrong_type(path, "must be a decimal string such as \"12.5\", never a number");
    const auto parsed = channel::parse_decimal(text_of(value), kMostDecimals);
    if (!parsed && parsed.error() == channel::Rule::amount_too_precise) {
        return SchemaError{rule_name(parsed.error()), path, fmt::format("has more than {} decimals", kMostDecimals)};
    }
    if (!parsed && parsed.error() == channel::Rule::amount_out_of_range) {
        return SchemaError{rule_name(parsed.error()), path, "is too large"};
    }
    if (!parsed) return SchemaError{rule_name(parsed.error()), path, "must be a decimal string such as \"12.5\""};
    if (schema.kind == SchemaKind::amount && *parsed < 0)
        return SchemaError{"out_of_range", path, "must not be negative"};
    return std::nullopt;
}

Found check_bytes(const Schema& schema, const Json& value, const std::string& path) {
    const bool is_hash = schema.kind == SchemaKind::hash;
    const std::string wanted = is_hash ? "must be 32 bytes as 0x-hex (66 characters)" : "must be 0x-hex";
    if (!value.is_string()) return wrong_type(path, wanted);
    const std::string& text = text_of(value);
    const auto bytes = text.starts_with("0x") ? channel::from_hex(text) : std::nullopt;
    if (!bytes || (is_hash && bytes->size() != 32)) return SchemaError{"hex_malformed", path, wanted};
    if (is_hash || static_cast<std::int64_t>(bytes->size()) <= schema.maximum) return std::nullopt;
    return SchemaError{"out_of_range", path, fmt::format("must have at most {} bytes", schema.maximum)};
}

Found check_address(const Json& value, const std::string& path) {
    if (!value.is_string()) return wrong_type(path, "must be an address: 20 bytes as 0x-hex");
    const std::string& text = text_of(value);
    if (!text.starts_with("0x") || text.size() != 42)
        return SchemaError{"address_malformed", path, "must be an address: 0x and 40 hex digits"};
    if (channel::parse_address(text)) return std::nullopt;
    return SchemaError{"address_malformed", path, "is no address, or its EIP-55 checksum is wrong: was it mistyped?"};
}

Found check_enumeration(const Schema& schema, const Json& value, const std::string& path) {
    const auto& values = schema.values;
    if (value.is_string() && std::find(values.begin(), values.end(), text_of(value)) != values.end())
        return std::nullopt;
    std::string wanted;
    for (const auto& v : values) wanted.append(wanted.empty() ? "\"" : ", \"").append(v).append("\"");
    return SchemaError{value.is_string() ? "out_of_range" : "type_mismatch", path,
                       fmt::format("must be one of {}", wanted)};
}

Found check_array(const Schema& schema, const Json& value, const std::string& path, Extra extra) {
    if (!value.is_array()) return wrong_type(path, "must be an array");
    const auto size = static_cast<std::int64_t>(value.size());
    if (size < schema.minimum || size > schema.maximum) {
        return SchemaError{"out_of_range", path,
                           fmt::format("must have from {} to {} items", schema.minimum, schema.maximum)};
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (auto found = check(*schema.item, value[i], fmt::format("{}[{}]", path, i), extra)) return found;
    }
    return std::nullopt;
}

}  // namespace

std::optional<SchemaError> check(const Schema& schema, const Json& value, const std::string& path, Extra extra) {
    switch (schema.kind) {
        case SchemaKind::boolean:
            return value.is_boolean() ? std::nullopt : wrong_type(path, "must be true or false");
        case SchemaKind::integer:
            return check_integer(schema, value, path);
        case SchemaKind::number:
            return value.is_number() ? std::nullopt : wrong_type(path, "must be a number");
        case SchemaKind::string:
            return check_string(schema, value, path);
        case SchemaKind::amount:
        case SchemaKind::signed_amount:
            return check_amount(schema, value, path);
        case SchemaKind::hash:
        case SchemaKind::hex:
            return check_bytes(schema, value, path);
        case SchemaKind::address:
            return check_address(value, path);
        case SchemaKind::enumeration:
            return check_enumeration(schema, value, path);
        case SchemaKind::array:
            return check_array(schema, value, path, extra);
        case SchemaKind::object:
            return check_fields(schema.fields, value, path, extra);
        case SchemaKind::any:
            return std::nullopt;
    }
    return std::nullopt;
}

std::optional<SchemaError> check_fields(const std::vector<Field>& fields, const Json& object, const std::string& path,
                                        Extra extra) {
    if (!object.is_object()) return wrong_type(path, "must be an object");
    const auto full = [&](const std::string& name) { return path.empty() ? name : fmt::format("{}.{}", path, name); };
    for (const auto& [key, value] : object.items()) {
        const bool known = std::any_of(fields.begin(), fields.end(), [&](const Field& f) { return f.name == key; });
        if (!known && extra == Extra::refuse)
            return SchemaError{"unknown_parameter", full(key.substr(0, 64)), "is not a name that is known here"};
    }
    for (const Field& field : fields) {
        const auto it = object.find(field.name);
        const bool absent = it == object.end() || (!field.required && it->is_null());
        if (absent && field.required) return SchemaError{"missing_parameter", full(field.name), "is required"};
        if (absent) continue;
        if (auto found = check(field.schema, *it, full(field.name), extra)) return found;
    }
    return std::nullopt;
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
