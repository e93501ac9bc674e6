#include <nlohmann/json.hpp>

#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

std::optional<SchemaError> check_pay_send(const Json& params) {
    const auto targets = params.count("channelId") + params.count("invoice") + params.count("nodeId");
    if (targets != 1)
        return SchemaError{"one_target_required", "channelId", "or invoice or nodeId: give exactly one of the three"};
    if (params.contains("invoice")) return std::nullopt;
    for (const char* name : {"asset", "amount"}) {
        if (!params.contains(name))
            return SchemaError{"missing_parameter", name, "is required unless an invoice says it"};
    }
    return std::nullopt;
}

Schema payment_shape() {
    return object({
        required("paymentId", string(80), "its identity"),
        required("status", string(32), "done, pending, failed"),
        optional("direction", one_of({"sent", "received"}), "seen from this node"),
        optional("channelId", hash(), "channel that carries it"),
        optional("asset", asset_name(), "symbol or token address"),
        optional("amount", amount(), "in units of the asset"),
        required("hops", integer(0, 64), "channels it went through"),
        required("fee", amount(), "paid to forwarders, in units of the asset"),
        optional("memo", string(256, 0), "text for the receiver"),
        optional("time", timestamp(), "Unix milliseconds"),
        optional("clientRef", string(64), "the caller's reference"),
    });
}

Schema invoice_shape() {
    return object({
        required("invoice", string(2048), "what the payer needs"),
        required("asset", asset_name(), "symbol or token address"),
        optional("amount", amount(), "in units of the asset; the payer chooses where absent"),
        required("nodeId", hash(), "payee"),
        required("expires", timestamp(), "Unix milliseconds"),
        optional("memo", string(256, 0), "text"),
        optional("status", string(32), "open, paid, expired"),
    });
}

void add_invoices(Methods& out) {
    out.push_back(
        {.name = "invoice_create",
         .summary = "Create an invoice to be paid",
         .scope = Scope::pay,
         .params = {required("asset", asset_name(), "symbol or token address"),
                    optional("amount", amount(), "in units of the asset (default: the payer chooses)"),
                    optional("memo", string(256), "text for the payer"),
                    optional("expirySeconds", integer(1, 365LL * 86400), "from now (default 3600)"), client_ref()},
         .result = invoice_shape(),
         .example = "USDC 25 --memo coffee"});
    out.push_back({.name = "invoice_decode",
                   .summary = "Show what an invoice asks for",
                   .scope = Scope::read,
                   .params = {required("invoice", string(2048), "invoice text")},
                   .result = invoice_shape()});
    out.push_back({.name = "invoice_list",
                   .summary = "List own invoices",
                   .scope = Scope::read,
                   .params = paged({}),
                   .result = page_of(invoice_shape())});
}

}  // namespace

void add_pay_methods(Methods& out) {
    out.push_back({.name = "pay_send",
                   .summary = "Pay through a channel, an invoice, or to a node",
                   .scope = Scope::pay,
                   .params = {optional("channelId", hash(), "pay this channel's peer"),
                              optional("invoice", string(2048), "pay this invoice"),
                              optional("nodeId", hash(), "pay this node, over several hops if need be"),
                              optional("asset", asset_name(), "symbol or token address; an invoice says it"),
                              optional("amount", amount(), "in units of the asset; an invoice may say it"),
                              optional("memo", string(256), "text for the receiver"), client_ref()},
                   .result = payment_shape(),
                   .details = "Give exactly one of channelId, invoice and nodeId.",
                   .example = "--channel-id 0x5c…e1 --asset ETH --amount 0.25",
                   .check = check_pay_send});
    out.push_back({.name = "pay_list",
                   .summary = "List payments sent and received",
                   .scope = Scope::read,
                   .params = paged({}),
                   .result = page_of(payment_shape())});
    add_invoices(out);
}

}  // namespace hedgerow::rpc
