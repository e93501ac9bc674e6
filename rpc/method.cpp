#include "rpc/method.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "channel/base/assert.h"
#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using channel::Unexpected;

std::string_view scope_name(Scope scope) {
    switch (scope) {
        case Scope::read:
            return "read";
        case Scope::pay:
            return "pay";
        case Scope::trade:
            return "trade";
        case Scope::admin:
            return "admin";
    }
    return "admin";
}

std::optional<Scopes> parse_scopes(std::string_view text) {
    constexpr Scopes kRead = static_cast<Scopes>(Scope::read);
    Scopes out = 0;
    while (true) {
        const std::string_view part = text.substr(0, text.find(','));
        if (part == "read")
            out |= kRead;
        else if (part == "pay")
            out |= kRead | static_cast<Scopes>(Scope::pay);
        else if (part == "trade")
            out |= kRead | static_cast<Scopes>(Scope::trade);
        else if (part == "admin")
            out = kAllScopes;
        else
            return std::nullopt;
        if (part.size() == text.size()) return out;
        text.remove_prefix(part.size() + 1);
    }
}

namespace {

Methods build_table() {
    Methods out;
    add_node_methods(out);
    add_wallet_methods(out);
    add_peer_methods(out);
    add_channel_methods(out);
    add_tower_methods(out);
    add_pay_methods(out);
    add_swap_methods(out);
    add_market_methods(out);
    add_position_methods(out);
    add_oracle_methods(out);
    add_rpc_methods(out);
    for (const MethodSpec& m : out) {
        ASSERT(m.name.find('_') != std::string::npos && !m.summary.empty());
        ASSERT(std::count_if(out.begin(), out.end(), [&](const MethodSpec& o) { return o.name == m.name; }) == 1);
    }
    return out;
}

}  // namespace

const std::vector<MethodSpec>& method_table() {
    static const Methods table = build_table();
    return table;
}

const MethodSpec* find_method(std::string_view name) {
    const auto& table = method_table();
    const auto it = std::find_if(table.begin(), table.end(), [&](const MethodSpec& m) { return m.name == name; });
    return it == table.end() ? nullptr : &*it;
}

namespace {

channel::Expected<Json, SchemaError> name_positional(const MethodSpec& method, Json&& params) {
    if (params.size() > method.params.size()) {
        return Unexpected{
            SchemaError{"too_many_parameters", method.name, fmt::format("takes at most {}", method.params.size())}};
    }
    Json::object_t out;
    out.reserve(params.size());
    for (std::size_t i = 0; i < params.size(); ++i) out.emplace_back(method.params[i].name, std::move(params[i]));
    return Json(std::move(out));
}

/// Whether there is nothing to do for in_order: most callers name parameters in the table's order, and leave out what
/// they do not give.
bool is_in_order(const MethodSpec& method, const Json::object_t& params) {
    auto field = method.params.begin();
    return std::all_of(params.begin(), params.end(), [&](const auto& member) {
        field = std::find_if(field, method.params.end(), [&](const Field& f) { return f.name == member.first; });
        return field != method.params.end() && (field->required || !member.second.is_null());
    });
}

/// In the table's order. An optional parameter given as null is one not given: positional callers have no other way to
/// skip it.
Json::object_t in_order(const MethodSpec& method, Json::object_t&& params) {
    Json::object_t out;
    out.reserve(params.size());
    for (const Field& field : method.params) {
        const auto it = params.find(field.name);
        if (it != params.end() && (field.required || !it->second.is_null()))
            out.emplace_back(field.name, std::move(it->second));
    }
    return out;
}

}  // namespace

channel::Expected<Json, SchemaError> bind_params(const MethodSpec& method, Json params) {
    if (params.is_array()) {
        auto named = name_positional(method, std::move(params));
        if (!named) return named;
        params = std::move(*named);
    } else if (params.is_null()) {
        params = Json::object();
    }
    if (auto wrong = check_fields(method.params, params, "")) return Unexpected{std::move(*wrong)};
    auto& members = params.get_ref<Json::object_t&>();
    if (!is_in_order(method, members)) members = in_order(method, std::move(members));
    if (method.check != nullptr) {
        if (auto wrong = method.check(params)) return Unexpected{std::move(*wrong)};
    }
    return params;
}

std::optional<SchemaError> check_result(const MethodSpec& method, const Json& result) {
    return check(method.result, result, "result", Extra::allow);
}

}  // namespace hedgerow::rpc
