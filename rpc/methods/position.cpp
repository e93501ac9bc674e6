#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

Field optional_channel() {
    return optional("channelId", hash(), "only this channel (default: all)");
}

Schema margin_shape() {
    const Schema per_instrument = object({
        required("instrument", feed_name_text(), "its name"),
        required("quantity", signed_amount(), "of the underlying; negative is short"),
        optional("liquidationPrice", amount(), "USD; absent where no price would liquidate"),
        optional("initial", amount(), "its part, USD"),
        optional("maintenance", amount(), "its part, USD"),
    });
    return object({
        required("equity", signed_amount(), "collateral after haircuts, with profit and loss, USD"),
        required("initial", amount(), "needed to take more risk, USD"),
        required("maintenance", amount(), "below it positions are liquidated, USD"),
        optional("leverage", amount(), "notional over equity"),
        required("instruments", array(per_instrument, 32), "per instrument"),
    });
}

}  // namespace

void add_position_methods(Methods& out) {
    out.push_back({.name = "position_list",
                   .summary = "List open positions with profit and liquidation price",
                   .scope = Scope::read,
                   .params = paged({optional_channel()}),
                   .result = page_of(position_shape())});
    out.push_back({.name = "trade_list",
                   .summary = "List trades",
                   .scope = Scope::read,
                   .params = paged({optional_channel()}),
                   .result = page_of(trade_shape())});
    out.push_back({.name = "margin_get",
                   .summary = "Show equity, margin and leverage of a channel",
                   .scope = Scope::read,
                   .params = {channel_id()},
                   .result = margin_shape(),
                   .example = "0x5c…e1"});
}

void add_oracle_methods(Methods& out) {
    const Schema price = object({
        required("feed", feed_name_text(), "its name"),
        required("price", amount(), "median, USD"),
        required("timestamp", timestamp(), "of the packages, Unix milliseconds"),
        required("signers", array(address(), 20), "whose packages agree"),
    });
    out.push_back({.name = "oracle_prices",
                   .summary = "Show the newest oracle prices",
                   .scope = Scope::read,
                   .params = paged({optional("feeds", array(feed_name_text(), 256), "only these (default: all)")}),
                   .result = page_of(price),
                   .example = "BTC_USD ETH_USD"});
}

}  // namespace hedgerow::rpc
