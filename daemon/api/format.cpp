#include "daemon/api/format.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

#include "channel/crypto/signature.h"

namespace hedgerow::daemon {

using namespace channel;

void bad(Rule rule, std::string_view param) {
    Fault fault = rpc::from_rule(rule);
    fault.param = param;
    throw BadParam{std::move(fault)};
}

void bad(rpc::NodeError error, std::string_view param) {
    Fault fault = rpc::from_node_error(error);
    fault.param = param;
    throw BadParam{std::move(fault)};
}

Answer<TxHash> replying_transaction(rpc::Reply reply) {
    return replying<TxHash>(std::move(reply), [](const TxHash& hash) { return Json{{"txHash", to_hex(hash)}}; });
}

void reply_when_stored(Node& node, const rpc::Reply& reply, Json result) {
    node.when_durable([reply, result = std::move(result)] { reply.result(result); });
}

void reply_when_stored(Node& node, const rpc::Reply& reply) {
    reply_when_stored(node, reply, Json::object());
}

const AssetInfo* find_asset(const Node& node, const Address& token) {
    const auto& assets = node.options().assets;
    const auto found = std::find_if(assets.begin(), assets.end(), [&](const AssetInfo& asset) { return asset.token == token; });
    return found == assets.end() ? nullptr : &*found;
}

namespace {
const std::string& text_of(const Json& value) { return value.get_ref<const std::string&>(); }
}  // namespace

const Channel& read_channel(const Node& node, const Json& params) {
    const auto id = fixed_from_hex<ChannelId>(text_of(params.at("channelId")));
    const Channel* channel = id ? node.find(*id) : nullptr;
    if (channel != nullptr) return *channel;
    Fault fault = node.unknown_channel();
    fault.param = "channelId";
    throw BadParam{std::move(fault)};
}

std::optional<ChannelId> read_optional_channel(const Json& params) {
    if (!params.contains("channelId")) return std::nullopt;
    const auto id = fixed_from_hex<ChannelId>(text_of(params.at("channelId")));
    if (!id) bad(Rule::channel_unknown, "channelId");
    return id;
}

std::size_t read_asset(const Node& node, const Json& value, std::string_view param) {
    const auto asset = node.find_asset(text_of(value));
    if (!asset) bad(rpc::NodeError::asset_unknown, param);
    return *asset;
}

std::size_t read_channel_asset(const Node& node, const Channel& channel, const Json& value, std::string_view param) {
    const auto index = node.asset_in(channel, read_asset(node, value, param));
    if (!index) bad(Rule::asset_out_of_range, param);
    return *index;
}

namespace {
Int128 read_positive(const Json& value, int decimals, std::string_view param, int bits) {
    const auto raw = rpc::decimal_from_json(value, decimals);
    if (!raw) bad(raw.error(), param);
    if (*raw <= 0) bad(Rule::amount_must_be_positive, param);
    if (*raw >= Int128{1} << bits) bad(Rule::amount_out_of_range, param);
    return *raw;
}
}  // namespace

Amount read_amount(const Json& value, int decimals, std::string_view param) {
    return Amount::from_raw(read_positive(value, decimals, param, kMarketBits));
}
Price read_price(const Json& value, std::string_view param) { return Price::from_raw(read_positive(value, kPriceDecimals, param, kMarketBits)); }
Quantity read_quantity(const Json& value, std::string_view param) {
    return Quantity::from_raw(read_positive(value, kPriceDecimals, param, kMarketBits));
}

Feed read_feed(const Json& value, std::string_view param) {
    const auto feed = feed_from_name(value.get<std::string>());
    if (!feed) bad(Rule::instrument_unknown, param);
    return *feed;
}

NodeId read_node_id(const std::string& text) {
    const auto id = fixed_from_hex<NodeId>(text.substr(0, text.find('@')));
    if (!id) bad(Rule::node_id_malformed, "uri");
    return *id;
}

List<NodeId, kMaxTowers> read_towers(const Json& value) {
    List<NodeId, kMaxTowers> out;
    for (const Json& text : value) out.push_back(*fixed_from_hex<NodeId>(text.get<std::string>()));
    return out;
}

ClientRef read_ref(const Json& params) { return text_or(params, "clientRef", ""); }

std::string text_or(const Json& params, const char* name, const char* fallback) {
    const auto it = params.find(name);
    return it == params.end() ? std::string(fallback) : it->get<std::string>();
}

std::string amount_text(Amount amount, int decimals) { return format_decimal(amount.raw(), decimals); }
std::string price_text(Price price) { return format_decimal(price.raw(), kPriceDecimals); }
std::string quantity_text(Quantity quantity) { return format_decimal(quantity.raw(), kPriceDecimals); }

std::string usd16_text(const I256& usd16) {
    std::string digits = to_decimal(usd16.magnitude);
    if (digits.size() <= 16) digits.insert(0, 17 - digits.size(), '0');
    std::string out = usd16.sign() < 0 ? "-" : "";
    out.append(digits, 0, digits.size() - 16);
    std::string fraction = digits.substr(digits.size() - 16);
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    if (!fraction.empty()) out.append(".").append(fraction);
    return out;
}

std::string asset_symbol(const Node& node, const Channel& channel, std::size_t index) {
    const AssetInfo* asset = node.asset_of(channel, index);
    return asset != nullptr ? asset->symbol : checksum_address(channel.terms.assets[index].token);
}

Json position_json(const PositionInfo& info) {
    Json out{{"channelId", to_hex(info.channel)},
             {"instrument", feed_name(info.position.instrument)},
             {"quantity", quantity_text(info.quantity)},
             {"averagePrice", price_text(info.average)},
             {"mark", price_text(info.position.mark)},
             {"price", price_text(info.price)},
             {"realised", usd16_text(info.realised16)},
             {"unrealised", usd16_text(info.unrealised16)},
             {"initial", usd16_text(info.initial16)},
             {"maintenance", usd16_text(info.maintenance16)}};
    if (info.liquidation) out["liquidationPrice"] = price_text(*info.liquidation);
    return out;
}

Json quote_id_json(const QuoteId& id) { return to_hex(id); }

QuoteId read_quote_id(const Json& value) {
    const auto id = fixed_from_hex<QuoteId>(value.get<std::string>());
    if (!id) bad(Rule::quote_unknown, "quoteId");
    return *id;
}

namespace {

struct OpWriter {
    const Node& node;
    const Channel& channel;

    [[nodiscard]] std::string symbol(std::size_t asset) const { return asset_symbol(node, channel, asset); }
    [[nodiscard]] std::string units(Amount amount, std::size_t asset) const { return amount_text(amount, channel.terms.assets[asset].decimals); }

    Json operator()(const PayOp& op) const { return {{"asset", symbol(op.asset)}, {"amount", units(op.amount.abs(), op.asset)}, {"memo", op.memo}}; }
    Json operator()(const SwapOp& op) const {
        return {{"give", {{"asset", symbol(op.give_asset)}, {"amount", units(op.give.abs(), op.give_asset)}}},
                {"take", {{"asset", symbol(op.take_asset)}, {"amount", units(op.take.abs(), op.take_asset)}}}};
    }
    Json operator()(const TradeOp& op) const {
        const Quantity ours = channel.me == Party::A ? op.quantity : -op.quantity;
        return {{"instrument", feed_name(op.instrument)}, {"side", ours.sign() > 0 ? "buy" : "sell"}, {"quantity", quantity_text(op.quantity.abs())},
                {"price", price_text(op.price)}, {"fee", units(op.fee.abs(), 0)}};
    }
    Json operator()(const MarkOp& op) const { return {{"feed", feed_name(op.feed)}, {"price", price_text(op.price)}, {"index", price_text(op.index)}}; }
    Json operator()(const LockOp& op) const {
        return {{"hash", to_hex(op.lock.hash)}, {"asset", symbol(op.lock.asset)}, {"amount", units(op.lock.amount.abs(), op.lock.asset)},
                {"expiry", op.lock.expiry * 1000}};
    }
    Json operator()(const FulfilOp& op) const { return {{"hash", to_hex(op.hash)}, {"preimage", to_hex(op.preimage)}}; }
    Json operator()(const CancelOp& op) const { return {{"hash", to_hex(op.hash)}}; }
    Json operator()(const LiquidateOp& op) const {
        return {{"instrument", feed_name(op.instrument)}, {"quantity", quantity_text(op.quantity.abs())}, {"price", price_text(op.price)}};
    }
    Json operator()(const TermsOp& op) const { return {{"classes", op.risk.classes.size()}}; }
    Json operator()(const WithdrawOp& op) const {
        return {{"party", party_name(op.party)}, {"asset", symbol(op.asset)}, {"total", units(op.total, op.asset)}, {"deadline", op.deadline * 1000}};
    }
    Json operator()(const CloseOp& op) const { return {{"deadline", op.deadline * 1000}}; }
    Json operator()(const ExpireOp& op) const { return {{"instrument", feed_name(op.instrument)}, {"price", price_text(op.price)}}; }
};

}  // namespace

Json op_json(const Node& node, const Channel& channel, const Op& op) { return std::visit(OpWriter{node, channel}, op); }

Page read_page(const Json& params) {
    Page page;
    if (params.contains("limit")) page.limit = params.at("limit").get<std::size_t>();
    page.cursor = text_or(params, "cursor", "");
    return page;
}

Json page_json(Json items, std::string cursor) {
    if (items.is_null()) items = Json::array();
    return {{"items", std::move(items)}, {"cursor", cursor.empty() ? Json(nullptr) : Json(std::move(cursor))}};
}

std::string cursor_text(std::initializer_list<std::uint64_t> parts) {
    std::string out;
    for (const std::uint64_t part : parts) {
        if (!out.empty()) out += '-';
        std::array<char, 16> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), part, 16);
        out.append(digits.data(), end.ptr);
    }
    return out;
}

std::vector<std::uint64_t> cursor_parts(const std::string& cursor, std::size_t count) {
    std::vector<std::uint64_t> out;
    const char* at = cursor.data();
    const char* const end = at + cursor.size();
    while (out.size() < count) {
        std::uint64_t value = 0;
        const auto read = std::from_chars(at, end, value, 16);
        if (read.ec != std::errc() || (read.ptr != end && *read.ptr != '-')) bad(rpc::NodeError::cursor_invalid, "cursor");
        out.push_back(value);
        at = read.ptr == end ? end : read.ptr + 1;
        if (read.ptr == end) break;
    }
    if (out.size() != count || at != end) bad(rpc::NodeError::cursor_invalid, "cursor");
    return out;
}

Json paged(const Json& params, std::size_t total, const std::function<Json(std::size_t)>& item) {
    const Page page = read_page(params);
    const std::size_t start = page.cursor.empty() ? 0 : cursor_parts(page.cursor, 1)[0];
    Json items = Json::array();
    std::size_t i = start;
    for (; i < total && items.size() < page.limit; ++i) items.push_back(item(i));
    return page_json(std::move(items), i < total ? cursor_text({i}) : std::string());
}

}  // namespace hedgerow::daemon
