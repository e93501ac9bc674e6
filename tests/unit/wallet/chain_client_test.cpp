#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

#include "wallet/chain/eth_client.h"
#include "wallet/chain/tx_view.h"

using namespace hedgerow;
using namespace hedgerow::wallet;
using nlohmann::json;

namespace {

/// Answers requests in order; `eth_chainId` is always 31337 (0x7a69) unless told otherwise.
class ScriptedTransport final : public ChainTransport {
  public:
    ChainExpected<ChainReply> post(const std::string& body) override {
        const json request = json::parse(body);
        methods.push_back(request["method"]);
        last_params = request["params"];
        if (request["method"] == "eth_chainId") return envelope(request["id"], chain_id);
        if (m_answers.empty()) return chain_error(ChainFault::chain_unreachable, "script is over");
        const std::string answer = m_answers.front();
        m_answers.pop_front();
        if (answer == "down") return chain_error(ChainFault::chain_unreachable, "connection refused");
        if (answer.starts_with("raw:")) return ChainReply{status, answer.substr(4)};
        if (answer.starts_with("error:")) {
            return ChainReply{
                status,
                json{{"jsonrpc", "2.0"}, {"id", request["id"]}, {"error", json::parse(answer.substr(6))}}.dump()};
        }
        return envelope(request["id"], json::parse(answer));
    }
    void then(std::string answer) { m_answers.push_back(std::move(answer)); }

    std::vector<std::string> methods;
    json last_params;
    json chain_id = "0x7a69";
    int status = 200;

  private:
    ChainReply envelope(const json& id, const json& result) const {
        return {status, json{{"jsonrpc", "2.0"}, {"id", id}, {"result", result}}.dump()};
    }
    std::deque<std::string> m_answers;
};

struct Fixture {
    ScriptedTransport transport;
    EthClient client{transport, 31337};
    template <typename T>
    void check_fault(const ChainExpected<T>& answer, ChainFault fault) {
        REQUIRE_FALSE(answer);
        CHECK(chain_fault_name(answer.error().fault) == chain_fault_name(fault));
    }
};

const std::string kHash(64, 'a');
json a_block() {
    return {{"number", "0x10"},
            {"hash", "0x" + kHash},
            {"parentHash", "0x" + std::string(64, 'b')},
            {"timestamp", "0x65"},
            {"gasLimit", "0x1c9c380"},
            {"baseFeePerGas", "0x7"},
            {"transactions", json::array()}};
}
json a_log(unsigned block, unsigned index) {
    return {{"address", "0x" + std::string(40, '1')},
            {"topics", json::array({"0x" + kHash})},
            {"data", "0x1234"},
            {"blockNumber", "0x" + std::to_string(block)},
            {"blockHash", "0x" + kHash},
            {"transactionHash", "0x" + kHash},
            {"logIndex", "0x" + std::to_string(index)},
            {"removed", false}};
}
const LogFilter kFilter{*channel::fixed_from_hex<channel::Address>(std::string(40, '1')), {}};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a node on another chain is refused before anything else is asked") {
    transport.chain_id = "0x1";
    const auto answer = client.block_number();
    check_fault(answer, ChainFault::chain_id_wrong);
    CHECK(answer.error().detail == "the node is on chain 1, not 31337");
    CHECK(transport.methods == std::vector<std::string>{"eth_chainId"});
    check_fault(client.send_raw_transaction({1}, {}), ChainFault::chain_id_wrong);
    CHECK(transport.methods.size() == 2);
    transport.chain_id = 31337;  // a number is no quantity
    check_fault(client.block_number(), ChainFault::chain_response_unexpected);
}

TEST_CASE_FIXTURE(Fixture, "the chain id is asked again after the node was away") {
    transport.then("\"0x10\"");
    CHECK(client.block_number().value() == 16);
    transport.then("down");
    check_fault(client.block_number(), ChainFault::chain_unreachable);
    transport.chain_id = "0x1";
    check_fault(client.block_number(), ChainFault::chain_id_wrong);
}

TEST_CASE_FIXTURE(Fixture, "junk in place of an answer has a name") {
    const std::pair<const char*, ChainFault> cases[] = {
        {"raw:", ChainFault::chain_response_malformed},
        {"raw:<html>busy</html>", ChainFault::chain_response_malformed},
        {"raw:[]", ChainFault::chain_response_malformed},
        {"raw:{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":\"0x1\"}", ChainFault::chain_response_malformed},
        {"raw:{\"jsonrpc\":\"1.0\",\"id\":2,\"result\":\"0x1\"}", ChainFault::chain_response_malformed},
        {"raw:{\"jsonrpc\":\"2.0\",\"id\":2}", ChainFault::chain_response_malformed},
        {"error:{\"message\":\"no code\"}", ChainFault::chain_response_malformed},
        {"error:\"text\"", ChainFault::chain_response_malformed},
        {"\"16\"", ChainFault::chain_response_unexpected},
        {"16", ChainFault::chain_response_unexpected},
        {"\"0x010\"", ChainFault::chain_response_unexpected},
        {"\"0x10000000000000000\"", ChainFault::chain_response_unexpected},
        {"null", ChainFault::chain_response_unexpected},
    };
    for (const auto& [answer, fault] : cases) {
        ScriptedTransport script;
        EthClient fresh(script, 31337);
        script.then(answer);
        CAPTURE(answer);
        check_fault(fresh.block_number(), fault);
    }
    transport.then("raw:" + std::string(EthClient::kMaxResponseBytes + 1, ' '));
    check_fault(client.block_number(), ChainFault::chain_response_too_large);
    transport.then("raw:Bad Gateway");
    CHECK(client.check_chain());
    transport.status = 502;
    check_fault(client.block_number(), ChainFault::chain_http_status);
}

TEST_CASE_FIXTURE(Fixture, "EIP-1474 codes are kept, and the words of geth, Anvil and others are understood") {
    const std::tuple<int, const char*, ChainFault> cases[] = {
        {-32000, "nonce too low: next nonce 5, tx nonce 4", ChainFault::nonce_too_low},
        {-32003, "nonce too low", ChainFault::nonce_too_low},
        {-32000, "already known", ChainFault::transaction_already_known},
        {-32003, "transaction already imported", ChainFault::transaction_already_known},
        {-32000, "replacement transaction underpriced", ChainFault::replacement_underpriced},
        {-32003, "max fee per gas less than block base fee", ChainFault::transaction_underpriced},
        {-32000, "transaction underpriced: gas tip cap 1", ChainFault::transaction_underpriced},
        {-32003, "Insufficient funds for gas * price + value", ChainFault::insufficient_funds},
        {-32003, "intrinsic gas too high -- CallGasCostMoreThanGasLimit", ChainFault::gas_limit_exceeded},
        {3, "execution reverted: custom error", ChainFault::execution_reverted},
        {-32005, "limit exceeded", ChainFault::chain_limit_exceeded},
        {-32602, "query returned more than 10000 results", ChainFault::chain_too_many_logs},
        {-32601, "Method not found", ChainFault::chain_method_unsupported},
        {-32603, "what", ChainFault::chain_rpc_error},
    };
    for (const auto& [code, message, fault] : cases) {
        transport.then("error:" + json{{"code", code}, {"message", message}}.dump());
        const auto answer = client.block_number();
        CAPTURE(message);
        check_fault(answer, fault);
        CHECK(answer.error().rpc_code == code);
    }
    transport.then("error:" + json{{"code", -32603}, {"message", "evil\x1b[2J\n" + std::string(1000, 'x')}}.dump());
    const auto evil = client.block_number();
    CHECK(evil.error().detail.size() == 200);
    CHECK(evil.error().detail.starts_with("evil?[2J?"));
}

TEST_CASE_FIXTURE(Fixture, "revert data is found where nodes put it") {
    for (const char* data : {R"("0xdeadbeef")", R"({"data":"0xdeadbeef"})"}) {
        transport.then(std::string("error:{\"code\":3,\"message\":\"execution reverted\",\"data\":") + data + "}");
        const auto answer = client.call({});
        check_fault(answer, ChainFault::execution_reverted);
        CHECK(answer.error().revert_data == channel::Bytes{0xde, 0xad, 0xbe, 0xef});
    }
}

TEST_CASE_FIXTURE(Fixture, "blocks: every field present, of its type, and the one asked for") {
    transport.then(a_block().dump());
    const auto block = client.block(BlockTag::at(16));
    REQUIRE(block);
    CHECK(block->number == 16);
    CHECK(block->timestamp == 101);
    CHECK(block->base_fee == channel::U256(7u));
    CHECK(transport.last_params[0] == "0x10");
    for (const char* name : {"number", "hash", "parentHash", "timestamp", "gasLimit", "baseFeePerGas"}) {
        CAPTURE(name);
        json broken = a_block();
        broken.erase(name);
        transport.then(broken.dump());
        check_fault(client.block(BlockTag::latest()), ChainFault::chain_response_unexpected);
        broken[name] = "0xzz";
        transport.then(broken.dump());
        check_fault(client.block(BlockTag::latest()), ChainFault::chain_response_unexpected);
    }
    transport.then(a_block().dump());
    check_fault(client.block(BlockTag::at(17)), ChainFault::chain_response_unexpected);
    transport.then(a_block().dump());
    check_fault(client.block(channel::BlockHash{}), ChainFault::chain_response_unexpected);
    transport.then("null");
    check_fault(client.block(BlockTag::finalized()), ChainFault::chain_block_unknown);
    CHECK(transport.last_params[0] == "finalized");
}

TEST_CASE_FIXTURE(Fixture, "logs: in order, in range, of the contract, mined") {
    transport.then(json::array({a_log(1, 0), a_log(1, 1), a_log(2, 0)}).dump());
    CHECK(client.logs(kFilter, 1, 2).value().size() == 3);
    json removed = a_log(1, 0);
    removed["removed"] = true;
    json pending = a_log(1, 0);
    pending["blockNumber"] = nullptr;
    json foreign = a_log(1, 0);
    foreign["address"] = "0x" + std::string(40, '2');
    json five = a_log(1, 0);
    five["topics"] = json::array({"0x" + kHash, "0x" + kHash, "0x" + kHash, "0x" + kHash, "0x" + kHash});
    for (const json& bad : {json::array({a_log(1, 1), a_log(1, 0)}), json::array({a_log(1, 0), a_log(1, 0)}),
                            json::array({a_log(3, 0)}), json::array({removed}), json::array({pending}),
                            json::array({foreign}), json::array({five}), json::object()}) {
        CAPTURE(bad.dump());
        transport.then(bad.dump());
        check_fault(client.logs(kFilter, 1, 2), ChainFault::chain_response_unexpected);
    }
    transport.then(json::array({a_log(1, 0)}).dump());
    check_fault(client.logs(kFilter, channel::BlockHash{}), ChainFault::chain_response_unexpected);
}

TEST_CASE_FIXTURE(Fixture, "receipts") {
    const auto hash = *channel::fixed_from_hex<channel::TxHash>(kHash);
    json receipt = {{"transactionHash", "0x" + kHash},
                    {"blockHash", "0x" + kHash},
                    {"blockNumber", "0x5"},
                    {"status", "0x0"},
                    {"gasUsed", "0x5208"},
                    {"effectiveGasPrice", "0x9"},
                    {"contractAddress", nullptr},
                    {"logs", json::array()}};
    transport.then(receipt.dump());
    const auto read = client.receipt(hash);
    REQUIRE(read);
    REQUIRE(read->has_value());
    CHECK_FALSE((*read)->success);
    CHECK((*read)->gas_used == 21000);
    transport.then("null");
    CHECK_FALSE(client.receipt(hash).value().has_value());
    transport.then(receipt.dump());
    check_fault(client.receipt({}), ChainFault::chain_response_unexpected);
    receipt["status"] = "0x2";
    transport.then(receipt.dump());
    check_fault(client.receipt(hash), ChainFault::chain_response_unexpected);
}

TEST_CASE_FIXTURE(Fixture, "a node that claims to have sent another transaction did not send ours") {
    transport.then("\"0x" + kHash + "\"");
    check_fault(client.send_raw_transaction({2}, {}), ChainFault::chain_response_unexpected);
    transport.then("\"0x" + kHash + "\"");
    CHECK(client.send_raw_transaction({2}, *channel::fixed_from_hex<channel::TxHash>(kHash)));
}

TEST_CASE_FIXTURE(Fixture, "fee history: one base fee more than rewards, one reward a block") {
    transport.then(R"({"oldestBlock":"0x1","baseFeePerGas":["0x1","0x2","0x3"],"reward":[["0x4"],["0x5"]]})");
    const auto history = client.fee_history(2, 50);
    REQUIRE(history);
    CHECK(history->base_fees.back() == channel::U256(3u));
    for (const char* bad :
         {R"({"oldestBlock":"0x1","baseFeePerGas":["0x1"],"reward":[["0x4"]]})",
          R"({"oldestBlock":"0x1","baseFeePerGas":["0x1","0x2"],"reward":[["0x4","0x5"]]})",
          R"({"oldestBlock":"0x1","baseFeePerGas":["0x1","0x2"]})",
          R"({"oldestBlock":"0x1","baseFeePerGas":["0x1","0x2","0x3","0x4"],"reward":[["0x4"],["0x4"],["0x4"]]})"}) {
        transport.then(bad);
        check_fault(client.fee_history(2, 50), ChainFault::chain_response_unexpected);
    }
}

TEST_CASE_FIXTURE(Fixture, "an answer nested without end is refused before anything copies it") {
    const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    transport.then("raw:{\"jsonrpc\":" + deep + R"(,"id":2,"result":"0x1"})");
    check_fault(client.block_number(), ChainFault::chain_response_malformed);
    transport.then(R"(raw:{"jsonrpc":"2.0","id":3,"result":)" + deep + "}");
    check_fault(client.block_number(), ChainFault::chain_response_malformed);
    transport.then("raw:" + deep);
    check_fault(client.block_number(), ChainFault::chain_response_malformed);
    transport.then("\"0x5\"");
    CHECK(client.block_number().value_or(0) == 5);
}

TEST_CASE_FIXTURE(Fixture, "while the head is the same nothing on chain is asked for again") {
    channel::TxHash first, second, third;
    first.data.fill(0xaa);
    second.data.fill(0xbb);
    third.data.fill(0xcc);
    ChainQueries queries{{}, {first, second}, {}};
    json receipt = {{"transactionHash", "0x" + kHash},
                    {"blockHash", "0x" + kHash},
                    {"blockNumber", "0x10"},
                    {"status", "0x1"},
                    {"gasUsed", "0x5208"},
                    {"effectiveGasPrice", "0x7"},
                    {"logs", json::array()}};
    const std::string fees =
        R"({"oldestBlock":"0x10","baseFeePerGas":["0x7","0x7"],"gasUsedRatio":[0.5],"reward":[["0x1"]]})";
    json head = a_block();
    const auto observe = [&](const std::vector<std::string>& answers, const ChainView* last) {
        transport.methods.clear();
        transport.then(head.dump());
        for (const std::string& answer : answers) transport.then(answer);
        const auto view = observe_chain(client, queries, last);
        REQUIRE(view);
        if (transport.methods.front() == "eth_chainId") transport.methods.erase(transport.methods.begin());
        return *view;
    };
    using Methods = std::vector<std::string>;
    const Methods all = {"eth_getBlockByNumber",
                         "eth_getTransactionCount",
                         "eth_getTransactionReceipt",
                         "eth_getTransactionReceipt",
                         "eth_getTransactionByHash",
                         "eth_getBalance",
                         "eth_feeHistory"};
    const ChainView view = observe({"\"0x1\"", receipt.dump(), "null", "null", "\"0x5\"", fees}, nullptr);
    CHECK(transport.methods == all);
    CHECK(view.transactions.at(0).place == TxPlace::mined);
    CHECK(view.transactions.at(1).place == TxPlace::unknown);

    // What is mined is mined; what is not may have come into the pool or left it; what is new was never asked for.
    queries.transactions.push_back(third);
    receipt["transactionHash"] = "0x" + std::string(64, 'c');
    const ChainView again = observe({"null", receipt.dump()}, &view);
    CHECK(transport.methods ==
          Methods{"eth_getBlockByNumber", "eth_getTransactionByHash", "eth_getTransactionReceipt"});
    CHECK(again.nonce == 1);
    CHECK(again.balance == channel::U256(5u));
    CHECK(again.base_fee == view.base_fee);
    CHECK(again.transactions.at(0).mined->block_number == 16);
    CHECK(again.transactions.at(2).place == TxPlace::mined);
    (void)observe({"null"}, &again);
    CHECK(transport.methods == Methods{"eth_getBlockByNumber", "eth_getTransactionByHash"});

    // A reorganisation takes them back.
    queries.transactions = {first, second};
    head["hash"] = "0x" + std::string(64, 'c');
    const ChainView other = observe({"\"0x0\"", "null", "null", "null", "null", "\"0x6\"", fees}, &again);
    CHECK(other.transactions.at(0).place == TxPlace::unknown);
    CHECK(other.nonce == 0);
    CHECK(other.balance == channel::U256(6u));
}
