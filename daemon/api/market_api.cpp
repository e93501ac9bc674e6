#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"
#include "channel/market/convert.h"
#include "daemon/api/format.h"
#include "daemon/oracle/price_book.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

/// take over give in units of the assets, 8 decimals, rounded down.
std::string ratio_text(Amount take, int take_decimals, Amount give, int give_decimals) {
    const auto ratio = mul_div_floor(U256(static_cast<Uint128>(take.raw())) * U256(pow10(give_decimals)), U256(pow10(kPriceDecimals)),
                                     U256(static_cast<Uint128>(give.raw())) * U256(pow10(take_decimals)));
    const auto raw = ratio ? ratio->to_i128() : std::nullopt;
    return raw ? format_decimal(*raw, kPriceDecimals) : std::string("0");
}

Json swap_json(const Node& node, const Channel& channel, const SwapOp& op) {
    const int give_decimals = channel.terms.assets[op.give_asset].decimals;
    const int take_decimals = channel.terms.assets[op.take_asset].decimals;
    return {{"price", ratio_text(op.take.abs(), take_decimals, op.give.abs(), give_decimals)},
            {"give", {{"asset", asset_symbol(node, channel, op.give_asset)}, {"amount", amount_text(op.give.abs(), give_decimals)}}},
            {"take", {{"asset", asset_symbol(node, channel, op.take_asset)}, {"amount", amount_text(op.take.abs(), take_decimals)}}}};
}

Json quote_json(const Node& node, const QuoteInfo& quote) {
    Json out{{"quoteId", quote_id_json(quote.id)}, {"expires", quote.expires_ms}};
    const Channel* channel = node.find(quote.channel);
    if (const auto* trade = std::get_if<TradeOp>(&quote.op)) {
        out["price"] = price_text(trade->price);
        out["quantity"] = quantity_text(trade->quantity.abs());
    } else if (channel != nullptr) {
        out.update(swap_json(node, *channel, std::get<SwapOp>(quote.op)));
    }
    return out;
}

std::string fill_id(const ChannelId& channel, std::uint64_t version, std::uint16_t index) {
    return to_hex(channel).substr(0, 18) + "-" + std::to_string(version) + "-" + std::to_string(index);
}

Json trade_json(const Node& node, const TradeRecord& record) {
    const Channel* channel = node.find(record.channel);
    const int decimals = channel != nullptr ? channel->terms.assets[0].decimals : 0;
    return {{"tradeId", fill_id(record.channel, record.version, record.index)},
            {"channelId", to_hex(record.channel)},
            {"kind", record.kind},
            {"instrument", feed_name(record.instrument)},
            {"side", record.quantity.sign() > 0 ? "buy" : "sell"},
            {"quantity", quantity_text(record.quantity.abs())},
            {"price", price_text(record.price)},
            {"fee", amount_text(record.fee, decimals)},
            {"version", record.version},
            {"time", record.time_ms}};
}

std::string bps_text(std::uint16_t bps) { return format_decimal(bps, 4); }

Json instrument_json(const Instrument& row) {
    const Definition& d = row.definition;
    Json out{{"name", feed_name(d.instrument)},
             {"kind", kind_name(d.kind)},
             {"tick", price_text(row.tick)},
             {"lot", quantity_text(row.lot)},
             {"feeds", {{"mark", feed_name(d.instrument)}, {"index", feed_name(d.underlying)}}},
             {"initialRate", bps_text(row.risk.initial_bps)},
             {"maintenanceRate", bps_text(row.risk.maintenance_bps)},
             {"penaltyRate", bps_text(row.risk.penalty_bps)}};
    if (d.expiry != 0) out["expiry"] = d.expiry * 1000;
    if (!d.strike.is_zero()) out["strike"] = price_text(d.strike);
    return out;
}

void quote_swap(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    Node& node = context.node;
    const Channel& channel = read_channel(node, params);
    const auto side = [&](const char* name, std::size_t& asset, Amount& amount) {
        const Json& value = params.at(name);
        asset = read_channel_asset(node, channel, value.at("asset"), name);
        if (value.contains("amount") && !value.at("amount").is_null()) {
            amount = read_amount(value.at("amount"), channel.terms.assets[asset].decimals, name);
        }
    };
    SwapAsk ask;
    side("give", ask.give_asset, ask.give);
    side("take", ask.take_asset, ask.take);
    context.market.ask_swap(channel.id, ask, replying<QuoteInfo>(reply, [&node](const QuoteInfo& quote) { return quote_json(node, quote); }));
}

void accept_swap(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    Node& node = context.node;
    const auto done = replying<std::pair<QuoteInfo, OpDone>>(reply, [&node](const std::pair<QuoteInfo, OpDone>& swap) {
        const auto& [quote, op] = swap;
        Json out{{"swapId", fill_id(op.channel, op.version, op.index)}, {"channelId", to_hex(op.channel)}, {"version", op.version}};
        if (const Channel* channel = node.find(op.channel)) out.update(swap_json(node, *channel, std::get<SwapOp>(quote.op)));
        return out;
    });
    const QuoteId id = read_quote_id(params.at("quoteId"));
    const auto quote = context.market.received(id);
    if (quote && !std::holds_alternative<SwapOp>(quote->op)) bad(Rule::quote_unknown, "quoteId");
    context.market.accept(id, read_ref(params), done);
}

void quote_trade(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    Node& node = context.node;
    if (params.contains("legs")) bad(Rule::kind_unsupported, "legs");
    const Channel& channel = read_channel(node, params);
    const Quantity quantity = read_quantity(params.at("quantity"), "quantity");
    const bool buy = params.at("side").get<std::string>() == "buy";
    context.market.ask_trade(channel.id, read_feed(params.at("instrument"), "instrument"), buy ? quantity : -quantity,
                             replying<QuoteInfo>(reply, [&node](const QuoteInfo& quote) { return quote_json(node, quote); }));
}

void accept_trade(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    Node& node = context.node;
    const auto done = replying<std::pair<QuoteInfo, OpDone>>(reply, [&node](const std::pair<QuoteInfo, OpDone>& fill) {
        const auto& [quote, op] = fill;
        const auto& trade = std::get<TradeOp>(quote.op);
        const Channel* channel = node.find(op.channel);
        const bool is_a = channel == nullptr || channel->me == Party::A;
        return trade_json(node, TradeRecord{op.channel, op.version, op.index, op.timestamp_ms, "trade", trade.instrument,
                                            is_a ? trade.quantity : -trade.quantity, trade.price, is_a ? trade.fee : -trade.fee});
    });
    const QuoteId id = read_quote_id(params.at("quoteId"));
    const auto quote = context.market.received(id);
    if (quote && !std::holds_alternative<TradeOp>(quote->op)) bad(Rule::quote_unknown, "quoteId");
    context.market.accept(id, read_ref(params), done);
}

void publish(const ApiContext& context, const Json& params, const rpc::Reply& reply) {
    std::optional<Price> bid;
    std::optional<Price> ask;
    if (params.contains("bid")) bid = read_price(params.at("bid"), "bid");
    if (params.contains("ask")) ask = read_price(params.at("ask"), "ask");
    const auto published = context.market.publish(read_optional_channel(params), read_feed(params.at("instrument"), "instrument"), bid, ask,
                                                  read_quantity(params.at("size"), "size"), params.at("validMs").get<std::uint64_t>());
    if (!published) return reply.error(published.error());
    Json out{{"quoteId", quote_id_json(published->ask ? *published->ask : *published->bid)}, {"expires", published->expires_ms}};
    if (published->bid) out["bidQuoteId"] = quote_id_json(*published->bid);
    if (published->ask) out["askQuoteId"] = quote_id_json(*published->ask);
    reply.result(std::move(out));
}

Json positions_json(const ApiContext& context, const Json& params) {
    const auto only = read_optional_channel(params);
    std::vector<PositionInfo> all;
    for (const Channel* channel : context.node.channels()) {
        if (only && channel->id != *only) continue;
        for (PositionInfo& info : context.market.margin(*channel).positions) all.push_back(std::move(info));
    }
    return paged(params, all.size(), [&](std::size_t i) { return position_json(all[i]); });
}

Json trades_json(const ApiContext& context, const Json& params) {
    const Page page = read_page(params);
    Ledger::Cursor cursor;
    if (!page.cursor.empty()) {
        const auto parts = cursor_parts(page.cursor, 3);
        cursor = {parts[0], parts[1], static_cast<std::uint16_t>(parts[2])};
    }
    const auto trades = context.market.ledger().trades(read_optional_channel(params), cursor, page.limit);
    Json items = Json::array();
    for (const TradeRecord& record : trades) items.push_back(trade_json(context.node, record));
    const bool more = trades.size() == page.limit;
    return page_json(std::move(items), more ? cursor_text({trades.back().time_ms, trades.back().version, trades.back().index}) : std::string());
}

Json margin_json(const ApiContext& context, const Json& params) {
    const MarginInfo info = context.market.margin(read_channel(context.node, params));
    Json instruments = Json::array();
    for (const PositionInfo& position : info.positions) instruments.push_back(position_json(position));
    Json out{{"equity", usd16_text(info.margin.equity16)},
             {"initial", usd16_text(info.margin.initial16)},
             {"maintenance", usd16_text(info.margin.maintenance16)},
             {"unrealised", usd16_text(info.margin.unrealised16)},
             {"notional", usd16_text(info.margin.notional16)},
             {"status", margin_status_name(info.status)},
             {"marginCalls", info.calls},
             {"liquidations", info.liquidations},
             {"instruments", std::move(instruments)}};
    if (info.calls != 0) out["lastMarginCall"] = info.last_call_ms;
    const auto leverage = leverage_bps(info.margin);
    if (leverage && leverage->to_i128()) out["leverage"] = format_decimal(*leverage->to_i128(), 4);
    return out;
}

Json prices_json(const ApiContext& context, const Json& params) {
    PriceBook& book = context.market.book();
    std::vector<Feed> feeds;
    if (params.contains("feeds")) {
        for (const Json& name : params.at("feeds")) feeds.push_back(read_feed(name, "feeds"));
    } else {
        feeds = book.feeds();
    }
    const std::uint64_t now = context.node.now_ms();
    std::erase_if(feeds, [&](const Feed& feed) { return !book.median(feed, now); });
    return paged(params, feeds.size(), [&](std::size_t i) {
        const auto median = book.median(feeds[i], now);
        Json signers = Json::array();
        for (const OracleView& view : book.latest(feeds[i])) {
            if (!view.held) signers.push_back(checksum_address(view.signer));
        }
        return Json{{"feed", feed_name(feeds[i])}, {"price", price_text(median->price)}, {"timestamp", median->timestamp_ms}, {"signers", std::move(signers)}};
    });
}

}  // namespace

void bind_market_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    const auto bind = [&](const char* name, void (*body)(const ApiContext&, const Json&, const rpc::Reply&)) {
        dispatcher.bind(name, handler([context, body](const Json& params, const rpc::Reply& reply) { body(context, params, reply); }));
    };
    const auto bind_query = [&](const char* name, Json (*body)(const ApiContext&, const Json&)) {
        dispatcher.bind(name, handler([context, body](const Json& params, const rpc::Reply& reply) { reply.result(body(context, params)); }));
    };
    bind("swap_quote", quote_swap);
    bind("swap_accept", accept_swap);
    bind("market_quote", quote_trade);
    bind("market_accept", accept_trade);
    bind("market_publish", publish);
    bind_query("market_instruments", [](const ApiContext& c, const Json& params) {
        const auto rows = c.market.registry().all();
        return paged(params, rows.size(), [&](std::size_t i) { return instrument_json(rows[i]); });
    });
    bind_query("position_list", positions_json);
    bind_query("trade_list", trades_json);
    bind_query("margin_get", margin_json);
    bind_query("oracle_prices", prices_json);
}

}  // namespace hedgerow::daemon
