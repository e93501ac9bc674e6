#include "cli/arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/names.h"

namespace hedgerow::cli {

using channel::Unexpected;
using rpc::Field;
using rpc::Json;
using rpc::Schema;
using rpc::SchemaKind;
using Parsed = channel::Expected<Json, std::string>;

namespace {

constexpr std::size_t kMaxJsonFile = 1 << 20;

Parsed parse_json_text(const std::string& text) {
    auto value = rpc::parse_json(text);
    if (!value) return Unexpected{fmt::format("is not JSON: {}", value.error().message)};
    return std::move(*value);
}

Parsed parse_json_or_file(const std::string& text) {
    if (!text.starts_with('@')) return parse_json_text(text);
    std::ifstream file(text.substr(1), std::ios::binary);
    if (!file) return Unexpected{fmt::format("names a file that cannot be read: {}", text.substr(1))};
    std::string content;
    for (std::istreambuf_iterator<char> it(file), end; it != end && content.size() <= kMaxJsonFile; ++it)
        content.push_back(*it);
    if (content.size() > kMaxJsonFile)
        return Unexpected{fmt::format("names a file of more than {} bytes", kMaxJsonFile)};
    return parse_json_text(content);
}

Parsed parse_integer(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size()) return Unexpected{std::string("must be a whole number")};
    return Json(value);
}

Parsed parse_boolean(const std::string& text) {
    if (text == "true" || text == "yes" || text == "1") return Json(true);
    if (text == "false" || text == "no" || text == "0") return Json(false);
    return Unexpected{std::string("must be true or false")};
}

/// ASSET=AMOUNT, or ASSET alone where the amount is optional.
Parsed parse_asset_amount(const Schema& schema, const std::string& text) {
    const std::size_t equals = text.find('=');
    Json out{{"asset", text.substr(0, equals)}};
    if (equals != std::string::npos) {
        out["amount"] = text.substr(equals + 1);
    } else if (schema.fields[1].required) {
        return Unexpected{std::string("must be ASSET=AMOUNT, such as ETH=1.5")};
    }
    return out;
}

Parsed parse_object(const Schema& schema, const std::string& text) {
    const bool pair =
        schema.fields.size() == 2 && schema.fields[0].name == "asset" && schema.fields[1].name == "amount";
    if (pair && !text.starts_with('{')) return parse_asset_amount(schema, text);
    return parse_json_or_file(text);
}

Parsed parse_list(const Schema& schema, const std::vector<std::string>& texts) {
    if (texts.size() == 1 && texts[0].starts_with('[')) return parse_json_text(texts[0]);
    Json out = Json::array();
    for (const std::string& text : texts) {
        auto item = parse_value(*schema.item, text);
        if (!item) return item;
        out.push_back(std::move(*item));
    }
    return out;
}

Parsed parse_values(const Field& field, const std::vector<std::string>& texts) {
    if (field.schema.kind == SchemaKind::array) return parse_list(field.schema, texts);
    if (texts.size() != 1) return Unexpected{std::string("is given twice")};
    return parse_value(field.schema, texts[0]);
}

/// Gives positional values the names of the parameters they stand for.
channel::Expected<void, std::string> name_positional(const rpc::MethodSpec& method, Typed& typed) {
    std::size_t next = 0;
    const auto& values = typed.positional;
    for (const Field& field : method.params) {
        if (next == values.size()) return {};
        if (field.schema.secret || typed.named.contains(field.name)) continue;
        if (values[next] == "-") {
            ++next;
        } else if (field.schema.kind == SchemaKind::array) {
            typed.named[field.name].assign(values.begin() + static_cast<std::ptrdiff_t>(next), values.end());
            next = values.size();
        } else {
            typed.named[field.name] = {values[next++]};
        }
    }
    if (next == values.size()) return {};
    return Unexpected{fmt::format("one argument too many: {}", values[next])};
}

std::string display_name(const rpc::MethodSpec& method, const std::string& path) {
    for (const Field& field : method.params) {
        if (!path.starts_with(field.name)) continue;
        const std::string rest = path.substr(field.name.size());
        if (rest.empty() || rest[0] == '[' || rest[0] == '.') return option_name(field);
    }
    return path;
}

}  // namespace

Parsed parse_value(const Schema& schema, const std::string& text) {
    switch (schema.kind) {
        case SchemaKind::boolean:
            return parse_boolean(text);
        case SchemaKind::integer:
            return parse_integer(text);
        case SchemaKind::number:
            return parse_json_text(text);
        case SchemaKind::string:
        case SchemaKind::amount:
        case SchemaKind::signed_amount:
        case SchemaKind::hash:
        case SchemaKind::address:
        case SchemaKind::hex:
        case SchemaKind::enumeration:
            return Json(text);
        case SchemaKind::array:
            return parse_list(schema, {text});
        case SchemaKind::object:
            return parse_object(schema, text);
        case SchemaKind::any:
            return parse_json_or_file(text);
    }
    return Json(text);
}

Parsed build_params(const rpc::MethodSpec& method, const Typed& given, const SecretReader& read_secret) {
    Typed typed = given;
    if (auto named = name_positional(method, typed); !named) return Unexpected{named.error()};
    Json params = Json::object();
    for (const Field& field : method.params) {
        const auto it = typed.named.find(field.name);
        if (field.schema.secret) {
            auto secret = read_secret(field);
            if (!secret) return Unexpected{secret.error()};
            params[field.name] = std::move(*secret);
        } else if (it != typed.named.end()) {
            auto value = parse_values(field, it->second);
            if (!value) return Unexpected{fmt::format("{} {}", option_name(field), value.error())};
            params[field.name] = std::move(*value);
        }
    }
    auto checked = rpc::bind_params(method, params);
    if (!checked)
        return Unexpected{fmt::format("{} {}", display_name(method, checked.error().path), checked.error().message)};
    return std::move(*checked);
}

}  // namespace hedgerow::cli
