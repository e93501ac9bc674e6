#include "wallet/chain/eth_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "wallet/chain/eth_json.h"
#include "wallet/chain/quantity.h"

namespace hedgerow::wallet {

using channel::Address;
using channel::BlockHash;
using channel::Bytes;
using channel::TxHash;
using channel::U256;
using channel::Unexpected;
using nlohmann::json;

namespace {

/// Deeper than any answer that is asked for. The parser takes any depth, but copying what it made recurses.
constexpr int kMaxDepth = 64;

/// Discarded where it is no JSON, or nested deeper than kMaxDepth.
json parse_answer(const std::string& body) {
    bool too_deep = false;
    const auto keep = [&](int depth, json::parse_event_t, json&) {
        too_deep = too_deep || depth > kMaxDepth;
        return !too_deep;
    };
    json answer = json::parse(body, keep, false);
    return too_deep ? json(json::value_t::discarded) : answer;
}

Unexpected<ChainError> unexpected_answer(std::string_view method) {
    return chain_error(ChainFault::chain_response_unexpected, method);
}

/// Error data is revert data either directly (geth, Anvil) or inside {"data": …} (some providers).
Bytes revert_data_of(const json& error) {
    const auto at = error.find("data");
    if (at == error.end()) return {};
    const json* data = &*at;
    if (data->is_object() && data->contains("data")) data = &(*data)["data"];
    return data_from_json(*data).value_or(Bytes{});
}

ChainError error_of(const json& error) {
    const auto code = error.find("code");
    const auto message = error.find("message");
    if (code == error.end() || !code->is_number_integer() || message == error.end() || !message->is_string()) {
        return {ChainFault::chain_response_malformed, 0, "error object without code and message", {}};
    }
    return classify_rpc_error(code->get<std::int64_t>(), message->get_ref<const std::string&>(), revert_data_of(error));
}

template <typename T>
ChainExpected<T> or_unexpected(std::optional<T> value, std::string_view method) {
    if (!value) return unexpected_answer(method);
    return std::move(*value);
}

}  // namespace

EthClient::EthClient(ChainTransport& transport, std::uint64_t expected_chain_id)
    : m_transport(transport), m_chain_id(expected_chain_id) {}

ChainExpected<json> EthClient::exchange(std::string_view method, const json& params) {
    const std::uint64_t id = m_next_id++;
    const json request = {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
    const auto reply = m_transport.post(request.dump());
    if (!reply) {
        m_calls_until_check = 0;  // another node may answer next
        return Unexpected{reply.error()};
    }
    if (reply->body.size() > kMaxResponseBytes) return chain_error(ChainFault::chain_response_too_large, method);
    json answer = parse_answer(reply->body);
    // Some nodes send JSON-RPC errors with an HTTP error status; anything else with one is the HTTP server talking.
    const bool is_rpc = answer.is_object() && answer.value("jsonrpc", json()) == "2.0";
    if (reply->status != 200 && !(is_rpc && answer.contains("error"))) {
        return chain_error(ChainFault::chain_http_status, std::to_string(reply->status));
    }
    if (!is_rpc) return chain_error(ChainFault::chain_response_malformed, method);
    const bool matches = answer.contains("id") && answer["id"] == id;
    const bool anonymous =
        answer.contains("id") && answer["id"].is_null();  // JSON-RPC 2.0: errors found before the id was read
    if (const auto error = answer.find("error"); error != answer.end() && !error->is_null() && (matches || anonymous)) {
        return Unexpected{error_of(*error)};
    }
    if (!matches || !answer.contains("result")) return chain_error(ChainFault::chain_response_malformed, method);
    return std::move(answer["result"]);
}

ChainExpected<std::uint64_t> EthClient::check_chain() {
    m_calls_until_check = 0;
    const auto result = exchange("eth_chainId", json::array());
    if (!result) return Unexpected{result.error()};
    const auto id = quantity64_from_json(*result);
    if (!id) return unexpected_answer("eth_chainId");
    if (*id != m_chain_id) {
        std::string detail = "the node is on chain ";
        detail.append(std::to_string(*id)).append(", not ").append(std::to_string(m_chain_id));
        return chain_error(ChainFault::chain_id_wrong, detail);
    }
    m_calls_until_check = kRecheckCalls;
    return *id;
}

ChainExpected<json> EthClient::request(std::string_view method, const json& params) {
    if (m_calls_until_check == 0) {
        const auto checked = check_chain();
        if (!checked) return Unexpected{checked.error()};
    }
    --m_calls_until_check;
    return exchange(method, params);
}

ChainExpected<std::uint64_t> EthClient::block_number() {
    const auto result = request("eth_blockNumber", json::array());
    if (!result) return Unexpected{result.error()};
    return or_unexpected(quantity64_from_json(*result), "eth_blockNumber");
}

ChainExpected<BlockHeader> EthClient::block(BlockTag tag) {
    const auto result = request("eth_getBlockByNumber", {block_tag_to_json(tag), false});
    if (!result) return Unexpected{result.error()};
    if (result->is_null()) return chain_error(ChainFault::chain_block_unknown, "eth_getBlockByNumber");
    const auto header = block_from_json(*result);
    if (!header || (tag.kind == BlockTag::Kind::number && header->number != tag.number)) {
        return unexpected_answer("eth_getBlockByNumber");
    }
    return *header;
}

ChainExpected<BlockHeader> EthClient::block(const BlockHash& hash) {
    const auto result = request("eth_getBlockByHash", {channel::to_hex(hash), false});
    if (!result) return Unexpected{result.error()};
    if (result->is_null()) return chain_error(ChainFault::chain_block_unknown, "eth_getBlockByHash");
    const auto header = block_from_json(*result);
    if (!header || header->hash != hash) return unexpected_answer("eth_getBlockByHash");
    return *header;
}

ChainExpected<std::vector<LogEntry>> EthClient::read_logs(const json& result, const Address& address) {
    if (!result.is_array()) return unexpected_answer("eth_getLogs");
    if (result.size() > kMaxLogs) return chain_error(ChainFault::chain_too_many_logs, "eth_getLogs");
    std::vector<LogEntry> out;
    out.reserve(result.size());
    for (const json& element : result) {
        auto log = log_from_json(element);
        if (!log || log->address != address) return unexpected_answer("eth_getLogs");
        const auto place = std::tuple(log->block_number, log->log_index);
        if (!out.empty() && place <= std::tuple(out.back().block_number, out.back().log_index))
            return unexpected_answer("eth_getLogs");
        out.push_back(std::move(*log));
    }
    return out;
}

ChainExpected<std::vector<LogEntry>> EthClient::logs(const LogFilter& filter, std::uint64_t from, std::uint64_t to) {
    json query = filter_to_json(filter);
    query["fromBlock"] = to_quantity(from);
    query["toBlock"] = to_quantity(to);
    const auto result = request("eth_getLogs", json::array({query}));
    if (!result) return Unexpected{result.error()};
    auto out = read_logs(*result, filter.address);
    if (out && !out->empty() && (out->front().block_number < from || out->back().block_number > to)) {
        return unexpected_answer("eth_getLogs");
    }
    return out;
}

ChainExpected<std::vector<LogEntry>> EthClient::logs(const LogFilter& filter, const BlockHash& block) {
    json query = filter_to_json(filter);
    query["blockHash"] = channel::to_hex(block);
    const auto result = request("eth_getLogs", json::array({query}));
    if (!result) return Unexpected{result.error()};
    auto out = read_logs(*result, filter.address);
    if (out && std::any_of(out->begin(), out->end(), [&](const LogEntry& log) { return log.block_hash != block; })) {
        return unexpected_answer("eth_getLogs");
    }
    return out;
}

ChainExpected<Bytes> EthClient::call(const CallRequest& call, BlockTag tag) {
    const auto result = request("eth_call", {call_to_json(call), block_tag_to_json(tag)});
    if (!result) return Unexpected{result.error()};
    return or_unexpected(data_from_json(*result), "eth_call");
}

ChainExpected<std::uint64_t> EthClient::estimate_gas(const CallRequest& call) {
    const auto result = request("eth_estimateGas", json::array({call_to_json(call)}));
    if (!result) return Unexpected{result.error()};
    return or_unexpected(quantity64_from_json(*result), "eth_estimateGas");
}

ChainExpected<FeeHistory> EthClient::fee_history(std::uint32_t blocks, std::uint32_t percentile) {
    const auto result =
        request("eth_feeHistory", {to_quantity(std::uint64_t{blocks}), "latest", json::array({percentile})});
    if (!result) return Unexpected{result.error()};
    auto history = fee_history_from_json(*result);
    if (!history || history->rewards.size() > blocks) return unexpected_answer("eth_feeHistory");
    return std::move(*history);
}

ChainExpected<U256> EthClient::max_priority_fee() {
    const auto result = request("eth_maxPriorityFeePerGas", json::array());
    if (!result) return Unexpected{result.error()};
    return or_unexpected(quantity_from_json(*result), "eth_maxPriorityFeePerGas");
}

ChainExpected<std::uint64_t> EthClient::transaction_count(const Address& account, BlockTag tag) {
    const auto result = request("eth_getTransactionCount", {channel::to_hex(account), block_tag_to_json(tag)});
    if (!result) return Unexpected{result.error()};
    return or_unexpected(quantity64_from_json(*result), "eth_getTransactionCount");
}

ChainExpected<U256> EthClient::balance(const Address& account, BlockTag tag) {
    const auto result = request("eth_getBalance", {channel::to_hex(account), block_tag_to_json(tag)});
    if (!result) return Unexpected{result.error()};
    return or_unexpected(quantity_from_json(*result), "eth_getBalance");
}

ChainExpected<Bytes> EthClient::code(const Address& account, BlockTag tag) {
    const auto result = request("eth_getCode", {channel::to_hex(account), block_tag_to_json(tag)});
    if (!result) return Unexpected{result.error()};
    return or_unexpected(data_from_json(*result), "eth_getCode");
}

ChainExpected<TxHash> EthClient::send_raw_transaction(const Bytes& raw, const TxHash& expected) {
    const auto result = request("eth_sendRawTransaction", json::array({channel::to_hex(raw)}));
    if (!result) return Unexpected{result.error()};
    const auto bytes = data_from_json(*result);
    const auto hash = bytes ? TxHash::from(*bytes) : std::nullopt;
    if (!hash || *hash != expected) return unexpected_answer("eth_sendRawTransaction");
    return *hash;
}

ChainExpected<std::optional<Receipt>> EthClient::receipt(const TxHash& hash) {
    const auto result = request("eth_getTransactionReceipt", json::array({channel::to_hex(hash)}));
    if (!result) return Unexpected{result.error()};
    if (result->is_null()) return std::optional<Receipt>();
    auto receipt = receipt_from_json(*result);
    if (!receipt || receipt->tx_hash != hash) return unexpected_answer("eth_getTransactionReceipt");
    return receipt;
}

ChainExpected<bool> EthClient::transaction_known(const TxHash& hash) {
    const auto result = request("eth_getTransactionByHash", json::array({channel::to_hex(hash)}));
    if (!result) return Unexpected{result.error()};
    if (result->is_null()) return false;
    const auto at = result->is_object() ? result->find("hash") : result->end();
    if (!result->is_object() || at == result->end() || *at != channel::to_hex(hash))
        return unexpected_answer("eth_getTransactionByHash");
    return true;
}

}  // namespace hedgerow::wallet
