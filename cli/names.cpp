#include "cli/names.h"

#include <fmt/format.h>

namespace hedgerow::cli {

using rpc::SchemaKind;

std::string kebab_case(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool upper = c >= 'A' && c <= 'Z';
        if (upper && !out.empty()) out.push_back('-');
        out.push_back(upper ? static_cast<char>(c - 'A' + 'a') : c);
    }
    return out;
}

std::string namespace_of(const rpc::MethodSpec& method) {
    return method.name.substr(0, method.name.find('_'));
}
std::string verb_of(const rpc::MethodSpec& method) {
    return kebab_case(method.name.substr(method.name.find('_') + 1));
}

std::string option_name(const rpc::Field& field) {
    std::string name = kebab_case(field.name);
    if (field.schema.kind == SchemaKind::array && name.ends_with('s')) name.pop_back();
    return fmt::format("--{}{}", name, field.schema.secret ? "-file" : "");
}

std::string value_name(const rpc::Schema& schema) {
    switch (schema.kind) {
        case SchemaKind::boolean:
            return "";
        case SchemaKind::integer:
            return "NUMBER";
        case SchemaKind::number:
            return "NUMBER";
        case SchemaKind::string:
            return schema.secret ? "FILE" : "TEXT";
        case SchemaKind::amount:
        case SchemaKind::signed_amount:
            return "DECIMAL";
        case SchemaKind::hash:
            return "ID";
        case SchemaKind::address:
            return "ADDRESS";
        case SchemaKind::hex:
            return "HEX";
        case SchemaKind::enumeration:
            return fmt::format("{}", fmt::join(schema.values, "|"));
        case SchemaKind::array:
            return value_name(*schema.item);
        case SchemaKind::object:
            if (schema.fields.empty() || schema.fields[0].name != "asset") return "JSON";
            return schema.fields[1].required ? "ASSET=AMOUNT" : "ASSET[=AMOUNT]";
        case SchemaKind::any:
            return "JSON|@FILE";
    }
    return "VALUE";
}

}  // namespace hedgerow::cli
