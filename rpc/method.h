#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/schema.h"

namespace hedgerow::rpc {

/// What a caller may do. admin holds every other; pay and trade hold read.
enum class Scope : std::uint8_t { read = 1, pay = 2, trade = 4, admin = 8 };
using Scopes = std::uint8_t;  ///< a set of them

inline constexpr Scopes kAllScopes = 15;
[[nodiscard]] std::string_view scope_name(Scope scope);
/// "read", "read,pay", "admin": the set with everything that is held by it; nothing for an unknown name.
[[nodiscard]] std::optional<Scopes> parse_scopes(std::string_view text);
[[nodiscard]] constexpr bool allows(Scopes held, Scope needed) {
    return (held & static_cast<Scopes>(needed)) != 0;
}

/// A rule over several parameters that no single schema can say; the text of what is wrong, or nothing.
using ParamsCheck = std::optional<SchemaError> (*)(const Json& params);

/// One JSON-RPC method: the only place where its name, parameters and result are written down. Dispatcher, OpenRPC
/// document, command line and shell completion all read this row.
struct MethodSpec {
    std::string name;     ///< namespace_verb, exactly as in API.md
    std::string summary;  ///< one line, a verb first
    Scope scope = Scope::read;
    std::vector<Field> params = {};  ///< in positional order
    Schema result = {};
    std::string details = {};  ///< further sentences for the help page; may be empty
    std::string example = {};  ///< arguments of the command line after the verb; may be empty
    ParamsCheck check = nullptr;
    bool while_starting = false;  ///< answered also before the node has taken up its channels; others are node_starting then
};

/// Every method, grouped by namespace in the order of the help page.
[[nodiscard]] const std::vector<MethodSpec>& method_table();
[[nodiscard]] const MethodSpec* find_method(std::string_view name);

/// Named parameters from named or positional ones; null and absent are the same for an optional one, and it is left
/// out. A missing params member is no parameters.
[[nodiscard]] channel::Expected<Json, SchemaError> bind_params(const MethodSpec& method, Json params);

/// A handler's result against the row's schema; for tests, and for the dispatcher where asked to.
[[nodiscard]] std::optional<SchemaError> check_result(const MethodSpec& method, const Json& result);

/// OpenRPC 1.3.2 document of the table.
[[nodiscard]] Json openrpc_document(std::string_view server_url);

}  // namespace hedgerow::rpc
