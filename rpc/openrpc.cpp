#include <nlohmann/json.hpp>

#include "rpc/error.h"
#include "rpc/method.h"

namespace hedgerow::rpc {

namespace {

Json content_descriptor(const Field& field) {
    return {{"name", field.name},
            {"description", field.description},
            {"required", field.required},
            {"schema", json_schema(field.schema)}};
}

Json error_schema() {
    Json data = {{"type", "object"},
                 {"properties",
                  {{"name", {{"type", "string"}, {"description", "stable name of the broken rule"}}},
                   {"retryable", {{"type", "boolean"}, {"description", "the same call may succeed later"}}},
                   {"outcome", {{"type", "string"}, {"enum", {"not_done", "done", "unknown"}}}},
                   {"param", {{"type", "string"}, {"description", "parameter at fault"}}},
                   {"remedy", {{"type", "string"}, {"description", "what to do about it"}}}}},
                 {"required", {"name", "retryable", "outcome"}}};
    return {
        {"type", "object"},
        {"properties", {{"code", {{"type", "integer"}}}, {"message", {{"type", "string"}}}, {"data", std::move(data)}}},
        {"required", {"code", "message"}}};
}

Json method_object(const MethodSpec& method) {
    Json params = Json::array();
    for (const Field& field : method.params) params.push_back(content_descriptor(field));
    Json out{{"name", method.name}, {"summary", method.summary}};
    if (!method.details.empty()) out["description"] = method.details;
    out["tags"] = Json::array({Json{{"name", method.name.substr(0, method.name.find('_'))}}});
    out["paramStructure"] = "either";
    out["params"] = std::move(params);
    out["result"] = {{"name", "result"}, {"schema", json_schema(method.result)}};
    out["x-scope"] = scope_name(method.scope);
    return out;
}

}  // namespace

Json openrpc_document(std::string_view server_url) {
    Json methods = Json::array();
    for (const MethodSpec& method : method_table()) methods.push_back(method_object(method));
    Json out{
        {"openrpc", "1.3.2"},
        {"info",
         {{"title", "Hedgerow"},
          {"version", HEDGEROW_VERSION},
          {"description",
           "Amounts, prices and quantities are decimal strings in units of the asset, ids and digests 0x-hex, times "
           "Unix "
           "milliseconds. An optional parameter may be skipped by null. Errors carry data{name, retryable, outcome}."},
          {"license", {{"name", "MIT"}}}}}};
    if (!server_url.empty()) out["servers"] = Json::array({Json{{"name", "node"}, {"url", server_url}}});
    out["methods"] = std::move(methods);
    out["components"] = {{"schemas", {{"Error", error_schema()}}}};
    return out;
}

}  // namespace hedgerow::rpc
