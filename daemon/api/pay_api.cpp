#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"
#include "daemon/api/format.h"
#include "daemon/api/payments.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

std::string token_symbol(const Node& node, const Address& token) {
    for (const AssetInfo& asset : node.options().assets) {
        if (asset.token == token) return asset.symbol;
    }
    return checksum_address(token);
}

std::optional<int> token_decimals(const Node& node, const Address& token) {
    const AssetInfo* asset = find_asset(node, token);
    return asset == nullptr ? std::nullopt : std::optional<int>(asset->decimals);
}

/// As JSON text, for there may be tens of thousands a second.
std::string payment_text(const Node& node, const PaymentResult& payment) {
    std::string out;
    out.reserve(320);
    out.append(R"({"paymentId":)");
    rpc::append_json_string(out, payment.id);
    out.append(R"(,"status":)");
    rpc::append_json_string(out, payment.status);
    out.append(R"(,"direction":"sent","channelId":")").append(to_hex(payment.channel)).append("\"");
    if (const Channel* channel = node.find(payment.channel); channel != nullptr) {
        out.append(R"(,"asset":)");
        rpc::append_json_string(out, asset_symbol(node, *channel, payment.asset));
        out.append(R"(,"amount":")").append(amount_text(payment.amount, channel->terms.assets[payment.asset].decimals)).append("\"");
    }
    return out.append(R"(,"hops":1,"fee":"0","time":)").append(std::to_string(payment.time_ms)).append("}");
}

void pay_invoice(const ApiContext& context, const Json& params, const Answer<PaymentResult>& done) {
    Node& node = context.node;
    const auto invoice = parse_invoice(params.at("invoice").get<std::string>());
    if (!invoice) bad(invoice.error(), "invoice");
    const auto decimals = token_decimals(node, invoice->token);
    if (!decimals) bad(rpc::NodeError::asset_unknown, "invoice");
    if (params.contains("asset") && node.options().assets[read_asset(node, params.at("asset"), "asset")].token != invoice->token) {
        bad(Rule::asset_out_of_range, "asset");
    }
    Amount amount = invoice->amount;
    if (params.contains("amount")) amount = read_amount(params.at("amount"), *decimals, "amount");
    if (amount.is_zero()) bad(Rule::amount_must_be_positive, "amount");
    if (amount < invoice->amount) bad(Rule::amount_out_of_range, "amount");
    context.payments.pay_invoice(*invoice, amount, read_ref(params), done);
}

void pay_send(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    Node& node = context.node;
    const Answer<PaymentResult> done = [reply, &node](const Result<PaymentResult>& payment) {
        payment ? reply.result_text(payment_text(node, *payment)) : reply.error(payment.error());
    };
    if (params.contains("invoice")) return pay_invoice(context, params, done);
    const std::string memo = text_or(params, "memo", "");
    if (params.contains("channelId")) {
        const Channel& channel = read_channel(node, params);
        const std::size_t asset = read_channel_asset(node, channel, params.at("asset"), "asset");
        const Amount amount = read_amount(params.at("amount"), channel.terms.assets[asset].decimals, "amount");
        return context.payments.pay(channel.id, asset, amount, memo, read_ref(params), done);
    }
    const auto peer = fixed_from_hex<NodeId>(params.at("nodeId").get<std::string>());
    if (!peer) bad(Rule::node_id_malformed, "nodeId");
    const AssetInfo& asset = node.options().assets[read_asset(node, params.at("asset"), "asset")];
    const Amount amount = read_amount(params.at("amount"), asset.decimals, "amount");
    const auto id = context.payments.find_channel(*peer, asset.token, amount);
    if (!id) throw BadParam{id.error()};
    const Channel& channel = *node.find(*id);
    std::size_t index = 0;
    while (channel.terms.assets[index].token != asset.token) ++index;
    context.payments.pay(*id, index, amount, memo, read_ref(params), done);
}

/// A payment in a channel's past: a pay, or the fulfilment of a lock.
std::optional<Json> past_payment(const Node& node, const Channel& channel, const HistoryItem& item) {
    const bool is_pay = std::holds_alternative<PayOp>(item.entry.op);
    if (!item.agreed || (!is_pay && !std::holds_alternative<FulfilOp>(item.entry.op))) return std::nullopt;
    for (std::size_t i = 0; i < item.effect.size(); ++i) {
        if (item.effect[i].is_zero()) continue;
        const Amount gained = channel.me == Party::A ? -item.effect[i] : item.effect[i];
        Json out{{"paymentId", payment_id(channel.id, item.version, item.index)},
                 {"status", "done"},
                 {"direction", gained.sign() < 0 ? "sent" : "received"},
                 {"channelId", to_hex(channel.id)},
                 {"asset", asset_symbol(node, channel, i)},
                 {"amount", amount_text(gained.abs(), channel.terms.assets[i].decimals)},
                 {"hops", 1},
                 {"fee", "0"},
                 {"time", item.timestamp_ms}};
        if (const auto* pay = std::get_if<PayOp>(&item.entry.op); pay != nullptr && !pay->memo.empty()) out["memo"] = pay->memo;
        return out;
    }
    return std::nullopt;
}

/// Channel by channel in the order of channel_list, newest first in each. Cursor: channel, version, op of the last one looked at.
void pay_list(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    constexpr std::size_t kLook = 1'000;
    Node& node = context.node;
    const Page page = read_page(params);
    std::size_t at = 0;
    HistoryCursor cursor;
    if (!page.cursor.empty()) {
        const auto parts = cursor_parts(page.cursor, 3);
        at = parts[0];
        cursor = {parts[1], static_cast<std::uint16_t>(parts[2])};
    }
    Json items = Json::array();
    const auto channels = node.channels();
    for (; at < channels.size(); ++at, cursor = HistoryCursor()) {
        for (;;) {
            const auto history = node.history(channels[at]->id, cursor, kLook);
            if (!history) return reply.error(history.error());
            for (const HistoryItem& item : *history) {
                cursor = {item.version, item.index};
                if (auto payment = past_payment(node, *channels[at], item)) items.push_back(std::move(*payment));
                if (items.size() == page.limit) return reply.result(page_json(std::move(items), cursor_text({at, cursor.version, cursor.index})));
            }
            if (history->size() < kLook) break;
        }
    }
    reply.result(page_json(std::move(items), ""));
}

// --- invoices ---------------------------------------------------------------------------------------------------------------

Json invoice_json(const Node& node, const std::string& text, const Invoice& invoice) {
    Json out{{"invoice", text}, {"asset", token_symbol(node, invoice.token)}};
    if (!invoice.amount.is_zero()) out["amount"] = amount_text(invoice.amount, token_decimals(node, invoice.token).value_or(0));
    out["nodeId"] = to_hex(invoice.payee);
    out["expires"] = invoice.expires_ms;
    if (!invoice.memo.empty()) out["memo"] = invoice.memo;
    out["hash"] = to_hex(invoice.hash);
    return out;
}

Json own_invoice_json(const Node& node, const OwnInvoice& own) {
    Json out = invoice_json(node, own.text, own.invoice);
    const bool expired = own.status == InvoiceStatus::open && node.now_ms() >= own.invoice.expires_ms;
    out["status"] = own.status == InvoiceStatus::paid ? "paid" : (expired ? "expired" : "open");
    return out;
}

}  // namespace

void bind_pay_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    Node& node = context.node;
    Payments& payments = context.payments;
    dispatcher.bind("pay_send", handler([context](const Json& params, const rpc::Reply& reply) { pay_send(context, params, reply); }));
    dispatcher.bind("pay_list", handler([context](const Json& params, const rpc::Reply& reply) { pay_list(context, params, reply); }));
    dispatcher.bind("invoice_create", handler([&node, &payments](const Json& params, const rpc::Reply& reply) {
        const AssetInfo& asset = node.options().assets[read_asset(node, params.at("asset"), "asset")];
        Amount amount;
        if (params.contains("amount")) amount = read_amount(params.at("amount"), asset.decimals, "amount");
        const std::uint64_t expiry = params.contains("expirySeconds") ? params.at("expirySeconds").get<std::uint64_t>() : 3'600;
        const auto made = payments.create(asset.token, amount, text_or(params, "memo", ""), expiry);
        if (!made) return reply.error(made.error());
        reply_when_stored(node, reply, own_invoice_json(node, *made));
    }));
    dispatcher.bind("invoice_decode", handler([&node](const Json& params, const rpc::Reply& reply) {
        const std::string text = params.at("invoice").get<std::string>();
        const auto invoice = parse_invoice(text);
        if (!invoice) bad(invoice.error(), "invoice");
        reply.result(invoice_json(node, text, *invoice));
    }));
    dispatcher.bind("invoice_list", handler([&node, &payments](const Json& params, const rpc::Reply& reply) {
        const auto all = payments.invoices();
        reply.result(paged(params, all.size(), [&](std::size_t i) { return own_invoice_json(node, *all[all.size() - 1 - i]); }));
    }));
}

}  // namespace hedgerow::daemon
