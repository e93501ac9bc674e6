#pragma once

#include "channel/base/u256.h"
#include "daemon/api/api.h"

/// Between JSON and the node's types. What uses it includes nlohmann/json.hpp itself.
namespace hedgerow::daemon {

using rpc::Json;

/// A parameter that does not mean anything here; thrown by the readers below, answered by `handler`.
struct BadParam {
    Fault fault;
};

[[noreturn]] void bad(channel::Rule rule, std::string_view param);
[[noreturn]] void bad(rpc::NodeError error, std::string_view param);

/// Wraps a handler's body so that BadParam becomes the error that it holds.
template <typename Body>
[[nodiscard]] rpc::Handler handler(Body body) {
    return [body = std::move(body)](const Json& params, rpc::Reply reply) {
        try {
            body(params, reply);
        } catch (const BadParam& e) {
            reply.error(e.fault);
        }
    };
}

/// Replies with make(value), or with the error.
template <typename T, typename Make>
[[nodiscard]] Answer<T> replying(rpc::Reply reply, Make make) {
    return [reply = std::move(reply), make = std::move(make)](Result<T> result) {
        if (result) {
            reply.result(make(*result));
        } else {
            reply.error(result.error());
        }
    };
}
[[nodiscard]] Answer<channel::TxHash> replying_transaction(rpc::Reply reply);
/// Answers once what this turn has changed is durable: nothing that is said to be done is lost with a power cut.
void reply_when_stored(Node& node, const rpc::Reply& reply, Json result);
void reply_when_stored(Node& node, const rpc::Reply& reply);  ///< an empty object

/// Null where this node does not list that token.
[[nodiscard]] const AssetInfo* find_asset(const Node& node, const channel::Address& token);

// Readers. The dispatcher has checked types; these find what is named.
[[nodiscard]] const channel::Channel& read_channel(const Node& node, const Json& params);
[[nodiscard]] std::optional<channel::ChannelId> read_optional_channel(const Json& params);
[[nodiscard]] std::size_t read_asset(const Node& node, const Json& value, std::string_view param);
/// Index among the channel's assets.
[[nodiscard]] std::size_t read_channel_asset(const Node& node, const channel::Channel& channel, const Json& value, std::string_view param);
/// Greater than zero.
[[nodiscard]] channel::Amount read_amount(const Json& value, int decimals, std::string_view param);
[[nodiscard]] channel::Price read_price(const Json& value, std::string_view param);
[[nodiscard]] channel::Quantity read_quantity(const Json& value, std::string_view param);
[[nodiscard]] channel::Feed read_feed(const Json& value, std::string_view param);
[[nodiscard]] ClientRef read_ref(const Json& params);
/// Node ids of towers.
[[nodiscard]] channel::List<channel::NodeId, kMaxTowers> read_towers(const Json& value);
/// "<node id>" or "<node id>@host:port".
[[nodiscard]] channel::NodeId read_node_id(const std::string& text);
[[nodiscard]] std::string text_or(const Json& params, const char* name, const char* fallback);

// Writers.
[[nodiscard]] std::string amount_text(channel::Amount amount, int decimals);
[[nodiscard]] std::string price_text(channel::Price price);
[[nodiscard]] std::string quantity_text(channel::Quantity quantity);
/// USD 1e-16 as a decimal, exactly.
[[nodiscard]] std::string usd16_text(const channel::I256& usd16);
[[nodiscard]] std::string asset_symbol(const Node& node, const channel::Channel& channel, std::size_t index);
[[nodiscard]] Json position_json(const PositionInfo& info);
[[nodiscard]] Json quote_id_json(const channel::QuoteId& id);
[[nodiscard]] channel::QuoteId read_quote_id(const Json& value);
[[nodiscard]] Json op_json(const Node& node, const channel::Channel& channel, const channel::Op& op);

/// Lists: at most `limit` items from where `cursor` points; the cursor is the position, in hex so that nobody computes with it.
struct Page {
    std::size_t limit = 100;
    std::string cursor;  ///< empty: from the beginning
};
[[nodiscard]] Page read_page(const Json& params);
[[nodiscard]] Json page_json(Json items, std::string cursor);
/// A page of something that can be counted: item(i) for i in [start, total).
[[nodiscard]] Json paged(const Json& params, std::size_t total, const std::function<Json(std::size_t)>& item);
/// (version, index) cursors of histories.
[[nodiscard]] std::string cursor_text(std::initializer_list<std::uint64_t> parts);
[[nodiscard]] std::vector<std::uint64_t> cursor_parts(const std::string& cursor, std::size_t count);

}  // namespace hedgerow::daemon
