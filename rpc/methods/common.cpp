#include "rpc/methods/common.h"

namespace hedgerow::rpc {

namespace {
constexpr std::int64_t kMostMs = 1LL << 53;  ///< what a JavaScript number still holds exactly
constexpr std::int64_t kMaxPage = 1000;
}  // namespace

Field required(std::string name, Schema schema, std::string description) {
    return {std::move(name), std::move(schema), true, std::move(description)};
}
Field optional(std::string name, Schema schema, std::string description) {
    return {std::move(name), std::move(schema), false, std::move(description)};
}

Schema asset_name() {
    return schema::string(42);
}
Schema feed_name_text() {
    return schema::string(31);
}
Schema timestamp() {
    return schema::integer(0, kMostMs);
}
Schema version_number() {
    return schema::integer(0, (1LL << 48) - 1);
}
Schema side() {
    return schema::one_of({"buy", "sell"});
}

Schema position_shape() {
    return schema::object({
        optional("channelId", schema::hash(), "channel that holds it"),
        required("instrument", feed_name_text(), "its name"),
        required("quantity", schema::signed_amount(), "of the underlying; negative is short"),
        optional("averagePrice", schema::amount(), "average price of entry, USD"),
        required("mark", schema::amount(), "price at which it was last settled into net, USD"),
        optional("realised", schema::signed_amount(), "profit already in net, USD"),
        optional("unrealised", schema::signed_amount(), "profit since the last mark at the oracle's price, USD"),
        optional("funding", schema::signed_amount(), "funding received, USD; negative is paid"),
        optional("leverage", schema::amount(), "notional over equity"),
        optional("liquidationPrice", schema::amount(), "price at which equity meets maintenance margin, USD"),
    });
}

Schema trade_shape() {
    return schema::object({
        required("tradeId", schema::string(80), "its identity"),
        required("channelId", schema::hash(), "channel"),
        required("instrument", feed_name_text(), "its name"),
        required("side", side(), "own side"),
        required("quantity", schema::amount(), "of the underlying"),
        required("price", schema::amount(), "USD"),
        optional("fee", schema::signed_amount(), "paid, in units of the settlement asset"),
        required("version", version_number(), "state version that holds it"),
        required("time", timestamp(), "Unix milliseconds"),
        optional("clientRef", schema::string(64), "the caller's reference"),
    });
}

Field channel_id() {
    return required("channelId", schema::hash(), "channel, as channel_list names it");
}
Field client_ref() {
    return optional("clientRef", schema::string(64),
                    "your own reference: the same one never acts twice, so a call may be repeated safely");
}

std::vector<Field> paged(std::vector<Field> fields) {
    fields.push_back(optional("limit", schema::integer(1, kMaxPage), "at most this many items (default 100)"));
    fields.push_back(optional("cursor", schema::string(128), "where the page before ended"));
    return fields;
}

Schema page_of(Schema item) {
    return schema::object({
        required("items", schema::array(std::move(item), kMaxPage), "this page"),
        optional("cursor", schema::string(128), "give it to get the next page; null at the end"),
    });
}

Schema transaction_result() {
    return schema::object({required("txHash", schema::hash(), "transaction that was sent")});
}

Schema done() {
    return schema::object({});
}

}  // namespace hedgerow::rpc
