#include "rpc/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "channel/base/assert.h"
#include "rpc/rule_text.h"

namespace hedgerow::rpc {

std::string_view outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::not_done:
            return "not_done";
        case Outcome::done:
            return "done";
        case Outcome::unknown:
            return "unknown";
    }
    return "unknown";
}

RpcError from_rule(channel::Rule rule) {
    RpcError out;
    out.code = kFirstRuleCode + static_cast<int>(rule);
    out.name = std::string(channel::rule_name(rule));
    if (const auto text = rule_text(rule)) {
        out.message = std::string(text->message);
        out.remedy = std::string(text->remedy);
        out.retryable = text->retryable;
        out.outcome = text->outcome;
    } else {
        out.message = out.name;
        std::replace(out.message.begin(), out.message.end(), '_', ' ');
    }
    return out;
}

RpcError invalid_params(const SchemaError& error) {
    RpcError out;
    out.code = kInvalidParams;
    out.name = std::string(error.name);
    out.message = fmt::format("Invalid params: {} {}", error.path, error.message);
    out.param = error.path;
    return out;
}

RpcError internal_error(Outcome outcome) {
    RpcError out;
    out.message = "Internal error";
    out.remedy = "the node's log says more";
    out.outcome = outcome;
    return out;
}

namespace {

struct NodeErrorText {
    std::string_view name;
    bool retryable;
    std::string_view message;
    std::string_view remedy;
};

constexpr std::array kNodeErrors = {
#define HEDGEROW_NODE_ERROR_ROW(name, retryable, message, remedy) NodeErrorText{#name, retryable, message, remedy},
    HEDGEROW_NODE_ERRORS(HEDGEROW_NODE_ERROR_ROW)
#undef HEDGEROW_NODE_ERROR_ROW
};

std::string with_detail(std::string_view message, std::string_view detail) {
    return detail.empty() ? std::string(message) : fmt::format("{}: {}", message, detail);
}

struct ChainErrorText {
    ChainError error;
    std::string_view name;
    std::string_view message;
    bool retryable;
};

constexpr std::array kChainErrors = {
    ChainErrorText{ChainError::invalid_input, "chain_invalid_input", "the chain node refused the input", false},
    ChainErrorText{ChainError::resource_not_found, "chain_resource_not_found", "the chain node has no such resource",
                   false},
    ChainErrorText{ChainError::resource_unavailable, "chain_resource_unavailable",
                   "the chain node cannot serve that now", true},
    ChainErrorText{ChainError::transaction_rejected, "chain_transaction_rejected",
                   "the chain node rejected the transaction", false},
    ChainErrorText{ChainError::method_not_supported, "chain_method_not_supported",
                   "the chain node does not support that", false},
    ChainErrorText{ChainError::limit_exceeded, "chain_limit_exceeded", "the chain node's limit is exceeded", true},
};

}  // namespace

RpcError from_node_error(NodeError error, std::string_view detail) {
    const auto index = static_cast<std::size_t>(error);
    ASSERT(index < kNodeErrors.size());
    const NodeErrorText& text = kNodeErrors[index];
    RpcError out;
    out.code = kFirstNodeCode + static_cast<int>(index);
    out.name = std::string(text.name);
    out.message = with_detail(text.message, detail);
    out.remedy = std::string(text.remedy);
    out.retryable = text.retryable;
    return out;
}

RpcError from_chain_error(ChainError error, std::string_view detail, Outcome outcome) {
    const auto it =
        std::find_if(kChainErrors.begin(), kChainErrors.end(), [error](const auto& row) { return row.error == error; });
    ASSERT(it != kChainErrors.end());
    RpcError out;
    out.code = static_cast<int>(error);
    out.name = std::string(it->name);
    out.message = with_detail(it->message, detail);
    out.retryable = it->retryable;
    out.outcome = outcome;
    return out;
}

Json error_json(const RpcError& error) {
    Json data{{"name", error.name}, {"retryable", error.retryable}, {"outcome", outcome_name(error.outcome)}};
    if (!error.param.empty()) data["param"] = error.param;
    if (!error.remedy.empty()) data["remedy"] = error.remedy;
    return {{"code", error.code}, {"message", error.message}, {"data", std::move(data)}};
}

RpcError error_from_json(const Json& error) {
    RpcError out;
    out.name = "unnamed_error";
    out.outcome = Outcome::unknown;
    const auto text = [](const Json& object, const char* key, std::string& to) {
        if (object.is_object() && object.contains(key) && object[key].is_string()) to = object[key].get<std::string>();
    };
    if (!error.is_object()) return out;
    if (error.contains("code") && error["code"].is_number_integer()) out.code = error["code"].get<int>();
    text(error, "message", out.message);
    // JSON-RPC's own errors are found before a method is called.
    const bool before_call = out.code == kParseError || (out.code <= kInvalidRequest && out.code >= kInvalidParams);
    if (before_call) out.outcome = Outcome::not_done;
    if (!error.contains("data") || !error["data"].is_object()) return out;
    const Json& data = error["data"];
    std::string outcome;
    text(data, "name", out.name);
    text(data, "param", out.param);
    text(data, "remedy", out.remedy);
    text(data, "outcome", outcome);
    if (data.contains("retryable") && data["retryable"].is_boolean()) out.retryable = data["retryable"].get<bool>();
    for (const Outcome o : {Outcome::not_done, Outcome::done, Outcome::unknown}) {
        if (outcome == outcome_name(o)) out.outcome = o;
    }
    return out;
}

}  // namespace hedgerow::rpc
