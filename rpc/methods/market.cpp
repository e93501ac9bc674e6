#include <nlohmann/json.hpp>

#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

constexpr std::int64_t kMaxQuoteMs = 86'400'000;

Schema swap_side() {
    return object({required("asset", asset_name(), "symbol or token address"),
                   optional("amount", amount(), "in units of the asset")});
}

std::optional<SchemaError> check_swap_quote(const Json& params) {
    const bool give = params["give"].contains("amount") && !params["give"]["amount"].is_null();
    const bool take = params["take"].contains("amount") && !params["take"]["amount"].is_null();
    if (give || take) return std::nullopt;
    return SchemaError{"missing_parameter", "give.amount", "or take.amount is required"};
}

std::optional<SchemaError> check_market_quote(const Json& params) {
    if (params.contains("instrument") != params.contains("legs")) return std::nullopt;
    return SchemaError{"one_target_required", "instrument", "or legs: give exactly one of the two"};
}

std::optional<SchemaError> check_market_publish(const Json& params) {
    if (params.contains("bid") || params.contains("ask")) return std::nullopt;
    return SchemaError{"missing_parameter", "bid", "or ask is required"};
}

Schema quote_fields(Field more) {
    return object({
        required("quoteId", string(80), "what to accept"),
        required("price", amount(), "offered price"),
        required("expires", timestamp(), "Unix milliseconds"),
        std::move(more),
    });
}

Schema instrument_shape() {
    return object({
        required("name", feed_name_text(), "its name, also its feed"),
        required("kind", one_of({"linear", "call", "put", "digital_call", "digital_put"}), "payoff"),
        required("tick", amount(), "smallest price step, USD"),
        required("lot", amount(), "smallest quantity step"),
        optional("expiry", timestamp(), "Unix milliseconds; absent for a perpetual"),
        optional("strike", amount(), "USD"),
        required("feeds", any(), "feeds that price and settle it"),
        optional("initialRate", amount(), "initial margin over notional"),
        optional("maintenanceRate", amount(), "maintenance margin over notional"),
    });
}

Schema legs_shape() {
    return array(object({
                     required("instrument", feed_name_text(), "its name"),
                     required("side", side(), "of this leg, when the whole is bought"),
                     required("ratio", integer(1, 1000), "times the quantity"),
                 }),
                 8, 1);
}

void add_quotes(Methods& out) {
    out.push_back(
        {.name = "market_quote",
         .summary = "Ask the peer of a channel for a price",
         .scope = Scope::trade,
         .params = {channel_id(), optional("instrument", feed_name_text(), "its name, as market_instruments lists it"),
                    required("side", side(), "own side"), required("quantity", amount(), "of the underlying"),
                    optional("legs", legs_shape(), "instead of instrument: several at once, all or none")},
         .result = quote_fields(required("quantity", amount(), "offered quantity")),
         .example = "0x5c…e1 BTC_USD-PERPETUAL buy 0.5",
         .check = check_market_quote});
    out.push_back(
        {.name = "market_accept",
         .summary = "Trade at a quote",
         .scope = Scope::trade,
         .params = {required("quoteId", string(80), "from market_quote, or a peer's published quote"), client_ref()},
         .result = trade_shape(),
         .details = "The trade is part of a state that both signed when this returns."});
    out.push_back({.name = "market_publish",
                   .summary = "Publish a two-way quote that peers can take",
                   .scope = Scope::trade,
                   .params = {optional("channelId", hash(), "only to this channel's peer (default: to all)"),
                              required("instrument", feed_name_text(), "its name"),
                              optional("bid", amount(), "buys at this price, USD"),
                              optional("ask", amount(), "sells at this price, USD"),
                              required("size", amount(), "on either side, of the underlying"),
                              required("validMs", integer(1, kMaxQuoteMs), "milliseconds from now"), client_ref()},
                   .result = object({required("quoteId", string(80), "the ask's, or the bid's where there is no ask"),
                                     optional("bidQuoteId", string(80), "what peers accept to sell to us"),
                                     optional("askQuoteId", string(80), "what peers accept to buy from us"),
                                     required("expires", timestamp(), "Unix milliseconds")}),
                   .details = "A newer quote for the same instrument replaces the one before.",
                   .example = "--instrument BTC_USD-PERPETUAL --bid 89990 --ask 90010 --size 2 --valid-ms 5000",
                   .check = check_market_publish});
}

}  // namespace

void add_swap_methods(Methods& out) {
    out.push_back(
        {.name = "swap_quote",
         .summary = "Ask the peer of a channel to swap one asset for another",
         .scope = Scope::trade,
         .params = {channel_id(), required("give", swap_side(), "what to give; the amount may be left to the peer"),
                    required("take", swap_side(), "what to get; the amount may be left to the peer")},
         .result = quote_fields(optional("give", swap_side(), "offered")),
         .example = "0x5c…e1 --give ETH=1 --take USDC",
         .check = check_swap_quote});
    out.push_back({.name = "swap_accept",
                   .summary = "Swap at a quote",
                   .scope = Scope::trade,
                   .params = {required("quoteId", string(80), "from swap_quote"), client_ref()},
                   .result = object({
                       required("swapId", string(80), "its identity"),
                       required("channelId", hash(), "channel"),
                       required("give", swap_side(), "given"),
                       required("take", swap_side(), "got"),
                       required("price", amount(), "take over give"),
                       required("version", version_number(), "state version that holds it"),
                   })});
}

void add_market_methods(Methods& out) {
    out.push_back({.name = "market_instruments",
                   .summary = "List what can be traded",
                   .scope = Scope::read,
                   .params = paged({}),
                   .result = page_of(instrument_shape())});
    add_quotes(out);
}

}  // namespace hedgerow::rpc
