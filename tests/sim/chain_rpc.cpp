#include "tests/sim/chain_rpc.h"

#include <nlohmann/json.hpp>

#include "wallet/chain/eth_json.h"
#include "wallet/chain/quantity.h"

namespace hedgerow::sim {

using nlohmann::json;
using wallet::to_quantity;

namespace {

struct RpcFailure {
    std::int64_t code;
    std::string message;
    Bytes data;
};

json block_to_json(const Block& block) {
    const wallet::BlockHeader& h = block.header;
    return {{"number", to_quantity(h.number)},
            {"hash", channel::to_hex(h.hash)},
            {"parentHash", channel::to_hex(h.parent)},
            {"timestamp", to_quantity(h.timestamp)},
            {"gasLimit", to_quantity(h.gas_limit)},
            {"baseFeePerGas", to_quantity(h.base_fee)}};
}

/// One request, answered from the point of view of a node whose newest block is `head`.
class Answerer {
  public:
    Answerer(Chain& chain, std::uint64_t head) : m_chain(chain), m_head(head) {}

    json answer(const std::string& method, const json& params) {
        if (method == "eth_chainId") return to_quantity(m_chain.config().chain_id);
        if (method == "eth_blockNumber") return to_quantity(m_head);
        if (method == "eth_getBlockByNumber") return block_or_null(tagged(params.at(0)));
        if (method == "eth_getBlockByHash") return block_or_null(by_hash(params.at(0)));
        if (method == "eth_getLogs") return logs(params.at(0));
        if (method == "eth_call") return call(params);
        if (method == "eth_estimateGas") return estimate(params.at(0));
        if (method == "eth_feeHistory") return fee_history(params);
        if (method == "eth_maxPriorityFeePerGas") return to_quantity(known(tagged("latest")).usual_tip);
        if (method == "eth_getTransactionCount") return count(params);
        if (method == "eth_getBalance") return balance(params);
        if (method == "eth_getCode") return code(params);
        if (method == "eth_sendRawTransaction") return send(params.at(0));
        if (method == "eth_getTransactionReceipt") return receipt(params.at(0));
        if (method == "eth_getTransactionByHash") return transaction(params.at(0));
        throw RpcFailure{-32601, "the method " + method + " does not exist/is not available", {}};
    }

  private:
    template <typename T>
    static T fixed(const json& value) {
        const auto out = channel::fixed_from_hex<T>(value.get<std::string>());
        if (!out) throw RpcFailure{-32602, "invalid argument: hex string has the wrong length", {}};
        return *out;
    }
    const Block* tagged(const json& tag) const {
        const std::string text = tag.get<std::string>();
        if (text == "latest" || text == "pending") return m_chain.block(m_head);
        if (text == "safe" || text == "finalized") return m_chain.block(std::min(m_head, m_chain.final_height()));
        const auto number = wallet::parse_quantity64(text);
        return number && *number <= m_head ? m_chain.block(*number) : nullptr;
    }
    const Block* by_hash(const json& value) const {
        const Block* block = m_chain.block(fixed<channel::BlockHash>(value));
        return block != nullptr && block->header.number <= m_head ? block : nullptr;
    }
    static json block_or_null(const Block* block) { return block != nullptr ? block_to_json(*block) : json(); }
    static const Block& known(const Block* block) {
        if (block == nullptr) throw RpcFailure{-32001, "unknown block", {}};
        return *block;
    }

    json logs(const json& filter) {
        const auto address = fixed<Address>(filter.at("address"));
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        if (filter.contains("blockHash")) {
            from = to = known(by_hash(filter.at("blockHash"))).header.number;
        } else {
            from = known(tagged(filter.at("fromBlock"))).header.number;
            to = known(tagged(filter.at("toBlock"))).header.number;
        }
        json out = json::array();
        for (std::uint64_t number = from; number <= to; ++number) {
            for (const MinedTx& tx : m_chain.block(number)->transactions) {
                for (const wallet::LogEntry& log : tx.logs) {
                    if (log.address == address && matches(log, filter)) out.push_back(wallet::log_to_json(log));
                }
            }
        }
        return out;
    }
    static bool matches(const wallet::LogEntry& log, const json& filter) {
        const auto topics = filter.find("topics");
        if (topics == filter.end()) return true;
        for (std::size_t i = 0; i < topics->size(); ++i) {
            const json& choice = (*topics)[i];
            if (choice.is_null()) continue;
            if (i >= log.topics.size()) return false;
            const std::string have = channel::to_hex(log.topics[i]);
            if (std::find(choice.begin(), choice.end(), have) == choice.end()) return false;
        }
        return true;
    }

    CallContext context_of(const json& request, const Block& at) const {
        CallContext out;
        if (request.contains("from")) out.sender = fixed<Address>(request.at("from"));
        if (request.contains("to")) out.to = fixed<Address>(request.at("to"));
        if (request.contains("value")) {
            out.value = wallet::parse_quantity(request.at("value").get<std::string>()).value_or(U256());
        }
        out.now_s = at.header.timestamp;
        return out;
    }
    CallResult run(const json& request, const Block& at) {
        ChainState state = *at.after;
        const auto data = channel::from_hex(request.value("data", "0x"));
        if (!data) throw RpcFailure{-32602, "invalid argument: data", {}};
        CallResult result = execute(m_chain.rules(), state, context_of(request, at), *data);
        if (!result.success) throw RpcFailure{3, "execution reverted", result.output};
        result.gas_needed = transaction_gas(*data, result.gas_needed);
        return result;
    }
    json call(const json& params) {
        return channel::to_hex(run(params.at(0), known(tagged(params.at(1)))).output);
    }
    json estimate(const json& request) {
        return to_quantity(run(request, known(tagged("latest"))).gas_needed);
    }

    json fee_history(const json& params) {
        const auto wanted = wallet::parse_quantity64(params.at(0).get<std::string>()).value_or(1);
        const std::uint64_t first = m_head + 1 > wanted ? m_head + 1 - wanted : 0;
        json fees = json::array();
        json rewards = json::array();
        for (std::uint64_t number = first; number <= m_head; ++number) {
            const Block& block = *m_chain.block(number);
            fees.push_back(to_quantity(block.header.base_fee));
            rewards.push_back(json::array({to_quantity(block.usual_tip)}));
        }
        fees.push_back(to_quantity(m_chain.next_base_fee(*m_chain.block(m_head))));
        return {{"oldestBlock", to_quantity(first)}, {"baseFeePerGas", fees}, {"reward", rewards}};
    }

    json count(const json& params) {
        const auto account = fixed<Address>(params.at(0));
        if (params.at(1) == "pending") return to_quantity(m_chain.pending_nonce(account));
        const ChainState& state = *known(tagged(params.at(1))).after;
        const auto found = state.nonces.find(account);
        return to_quantity(found == state.nonces.end() ? std::uint64_t{0} : found->second);
    }
    json balance(const json& params) {
        const ChainState& state = *known(tagged(params.at(1))).after;
        const auto found = state.coins.find(fixed<Address>(params.at(0)));
        return to_quantity(found == state.coins.end() ? U256() : found->second);
    }
    json code(const json& params) {
        const auto account = fixed<Address>(params.at(0));
        return account == m_chain.rules().contract || m_chain.rules().tokens.contains(account) ? "0xfe" : "0x";
    }

    json send(const json& raw) {
        const auto bytes = channel::from_hex(raw.get<std::string>());
        if (!bytes) throw RpcFailure{-32602, "invalid argument: hex", {}};
        const auto hash = m_chain.submit(*bytes);
        if (!hash) throw RpcFailure{-32000, hash.error(), {}};
        return channel::to_hex(*hash);
    }
    json receipt(const json& hash) {
        const auto place = m_chain.place_of(fixed<channel::TxHash>(hash));
        if (!place || place->block > m_head) return nullptr;
        const Block& block = *m_chain.block(place->block);
        const MinedTx& tx = block.transactions[place->index];
        json logs = json::array();
        for (const wallet::LogEntry& log : tx.logs) logs.push_back(wallet::log_to_json(log));
        return {{"transactionHash", hash},
                {"blockHash", channel::to_hex(block.header.hash)},
                {"blockNumber", to_quantity(block.header.number)},
                {"status", tx.success ? "0x1" : "0x0"},
                {"gasUsed", to_quantity(tx.gas_used)},
                {"effectiveGasPrice", to_quantity(tx.gas_price)},
                {"logs", logs},
                {"contractAddress", nullptr}};
    }
    json transaction(const json& value) {
        const auto hash = fixed<channel::TxHash>(value);
        if (!m_chain.is_pending(hash) && !m_chain.place_of(hash)) return nullptr;
        return {{"hash", value}};
    }

    Chain& m_chain;
    const std::uint64_t m_head;
};

}  // namespace

std::string SimChainTransport::answer(const std::string& body, std::uint64_t head) {
    const json request = json::parse(body);
    json reply = {{"jsonrpc", "2.0"}};
    try {
        Answerer answerer(m_chain, head);
        reply["result"] = answerer.answer(request.at("method").get<std::string>(), request.at("params"));
    } catch (const RpcFailure& failure) {
        reply["error"] = {{"code", failure.code}, {"message", failure.message}};
        if (!failure.data.empty()) reply["error"]["data"] = channel::to_hex(failure.data);
    }
    return reply.dump().substr(1);
}

wallet::ChainExpected<wallet::ChainReply> SimChainTransport::post(const std::string& body) {
    if (m_access.down) return wallet::chain_error(wallet::ChainFault::chain_unreachable, "simulated outage");
    const bool late = m_access.lag != 0 && m_random.chance(m_access.lag_per_mille);
    const std::uint64_t head = m_chain.height() - std::min(late ? m_access.lag : 0, m_chain.height());
    // EthClient's text: {"id":7,"jsonrpc":…
    const std::size_t id_end = body.find(',');
    ASSERT(body.starts_with("{\"id\":") && id_end != std::string::npos);
    if (m_revision != m_chain.revision()) m_cache.clear();
    m_revision = m_chain.revision();
    std::string& known = m_cache[{head, body.substr(id_end)}];
    if (known.empty()) known = answer(body, head);
    wallet::ChainReply reply{200, body.substr(0, id_end + 1) + known};
    if (body.find("eth_sendRawTransaction") != std::string::npos) known.clear();  // it acts each time
    if (m_access.lose_answer_per_mille != 0 && m_random.chance(m_access.lose_answer_per_mille))
        return wallet::chain_error(wallet::ChainFault::chain_unreachable, "simulated loss of an answer");
    return reply;
}

}  // namespace hedgerow::sim
