#include "daemon/chain/cursor.h"

#include <nlohmann/json.hpp>

#include "wallet/chain/eth_json.h"

namespace hedgerow::daemon {

using nlohmann::json;
using wallet::ChainFault;

namespace {

constexpr int kCursorVersion = 1;

std::optional<std::uint64_t> number_of(const json& object, const char* name) {
    const auto at = object.find(name);
    if (at == object.end() || !at->is_number_unsigned()) return std::nullopt;
    return at->get<std::uint64_t>();
}

template <typename Id>
std::optional<Id> id_of(const json& object, const char* name) {
    const auto at = object.find(name);
    if (at == object.end() || !at->is_string()) return std::nullopt;
    return channel::fixed_from_hex<Id>(at->get_ref<const std::string&>());
}

std::optional<BlockRef> block_of(const json& object) {
    const auto number = number_of(object, "number");
    const auto hash = id_of<channel::BlockHash>(object, "hash");
    const auto timestamp = number_of(object, "timestamp");
    if (!number || !hash || !timestamp) return std::nullopt;
    return BlockRef{*number, *hash, *timestamp};
}

std::optional<SeenLog> seen_log_of(const json& object) {
    const auto at = object.find("log");
    const auto confirmed = object.find("confirmed");
    const auto timestamp = number_of(object, "timestamp");
    if (at == object.end() || confirmed == object.end() || !confirmed->is_boolean() || !timestamp) return std::nullopt;
    auto log = wallet::log_from_json(*at);
    if (!log) return std::nullopt;
    return SeenLog{std::move(*log), *timestamp, confirmed->get<bool>()};
}

std::optional<FollowerCursor> cursor_of(const json& object) {
    if (!object.is_object() || number_of(object, "version") != kCursorVersion) return std::nullopt;
    const auto chain_id = number_of(object, "chainId");
    const auto contract = id_of<channel::Address>(object, "contract");
    const auto blocks = object.find("blocks");
    const auto logs = object.find("logs");
    if (!chain_id || !contract || blocks == object.end() || !blocks->is_array() || logs == object.end() ||
        !logs->is_array())
        return std::nullopt;
    FollowerCursor out{*chain_id, *contract, {}, {}};
    for (const json& element : *blocks) {
        const auto block = block_of(element);
        if (!block || (!out.blocks.empty() && block->number <= out.blocks.back().number)) return std::nullopt;
        out.blocks.push_back(*block);
    }
    for (const json& element : *logs) {
        auto log = seen_log_of(element);
        if (!log || log->log.address != *contract) return std::nullopt;
        out.logs.push_back(std::move(*log));
    }
    return out;
}

}  // namespace

std::string write_cursor(const FollowerCursor& cursor) {
    json blocks = json::array();
    for (const BlockRef& block : cursor.blocks) {
        blocks.push_back(
            {{"number", block.number}, {"hash", channel::to_hex(block.hash)}, {"timestamp", block.timestamp}});
    }
    json logs = json::array();
    for (const SeenLog& seen : cursor.logs) {
        logs.push_back(
            {{"log", wallet::log_to_json(seen.log)}, {"timestamp", seen.timestamp}, {"confirmed", seen.confirmed}});
    }
    return json{{"version", kCursorVersion},
                {"chainId", cursor.chain_id},
                {"contract", channel::to_hex(cursor.contract)},
                {"blocks", std::move(blocks)},
                {"logs", std::move(logs)}}
        .dump();
}

wallet::ChainExpected<FollowerCursor> read_cursor(std::string_view text) {
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return wallet::chain_error(ChainFault::chain_cursor_malformed);
    auto cursor = cursor_of(object);
    if (!cursor) return wallet::chain_error(ChainFault::chain_cursor_malformed);
    return std::move(*cursor);
}

}  // namespace hedgerow::daemon
