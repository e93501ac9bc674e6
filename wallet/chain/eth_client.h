#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "wallet/chain/chain_error.h"
#include "wallet/chain/eth_types.h"

namespace hedgerow::wallet {

struct ChainReply {
    int status = 0;
    std::string body;
};

/// How requests reach a chain node. Handed to the client, so that wallet/ knows no sockets and tests script the
/// answers. Blocking; must itself bound time and the answer's size.
class ChainTransport {
  public:
    virtual ~ChainTransport() = default;
    /// The answer to a POST of that body, or chain_unreachable / chain_response_too_large.
    [[nodiscard]] virtual ChainExpected<ChainReply> post(const std::string& body) = 0;
};

/// Ethereum's execution JSON-RPC, read strictly: an answer of a wrong shape is chain_response_unexpected, never a
/// guess. The chain id is checked before the first call, again after every failure of the way and every kRecheckCalls
/// calls; while it is not the expected one, every call is chain_id_wrong. Blocking; not for two threads at once.
class EthClient {
  public:
    static constexpr std::size_t kMaxResponseBytes = 32u << 20;
    static constexpr std::size_t kMaxLogs = 100'000;
    static constexpr std::uint32_t kRecheckCalls = 500;

    EthClient(ChainTransport& transport, std::uint64_t expected_chain_id);

    /// Asks for the chain id now.
    [[nodiscard]] ChainExpected<std::uint64_t> check_chain();
    [[nodiscard]] std::uint64_t chain_id() const { return m_chain_id; }

    [[nodiscard]] ChainExpected<std::uint64_t> block_number();
    /// chain_block_unknown where the node has no such block.
    [[nodiscard]] ChainExpected<BlockHeader> block(BlockTag tag);
    [[nodiscard]] ChainExpected<BlockHeader> block(const channel::BlockHash& hash);
    /// In order of block and index, each within the range and of the filter's address.
    [[nodiscard]] ChainExpected<std::vector<LogEntry>> logs(const LogFilter& filter, std::uint64_t from,
                                                            std::uint64_t to);
    /// The logs of exactly that block (EIP-234).
    [[nodiscard]] ChainExpected<std::vector<LogEntry>> logs(const LogFilter& filter, const channel::BlockHash& block);
    [[nodiscard]] ChainExpected<channel::Bytes> call(const CallRequest& request, BlockTag tag = BlockTag::latest());
    [[nodiscard]] ChainExpected<std::uint64_t> estimate_gas(const CallRequest& request);
    /// Of the newest `blocks` (1 to 1,024) blocks, with the priority fee at `percentile` of each.
    [[nodiscard]] ChainExpected<FeeHistory> fee_history(std::uint32_t blocks, std::uint32_t percentile);
    [[nodiscard]] ChainExpected<channel::U256> max_priority_fee();
    [[nodiscard]] ChainExpected<std::uint64_t> transaction_count(const channel::Address& account,
                                                                 BlockTag tag = BlockTag::latest());
    [[nodiscard]] ChainExpected<channel::U256> balance(const channel::Address& account,
                                                       BlockTag tag = BlockTag::latest());
    [[nodiscard]] ChainExpected<channel::Bytes> code(const channel::Address& account,
                                                     BlockTag tag = BlockTag::latest());
    /// The hash, which must be `expected`: a node that answers another did not take this transaction.
    [[nodiscard]] ChainExpected<channel::TxHash> send_raw_transaction(const channel::Bytes& raw,
                                                                      const channel::TxHash& expected);
    /// Nothing while the transaction is not mined (or not known).
    [[nodiscard]] ChainExpected<std::optional<Receipt>> receipt(const channel::TxHash& hash);
    /// Whether the node knows the transaction at all, pending or mined.
    [[nodiscard]] ChainExpected<bool> transaction_known(const channel::TxHash& hash);

    /// Any other method (node-specific ones, tests); the raw result.
    [[nodiscard]] ChainExpected<nlohmann::json> request(std::string_view method, const nlohmann::json& params);

  private:
    [[nodiscard]] ChainExpected<nlohmann::json> exchange(std::string_view method, const nlohmann::json& params);
    [[nodiscard]] ChainExpected<std::vector<LogEntry>> read_logs(const nlohmann::json& result,
                                                                 const channel::Address& address);

    ChainTransport& m_transport;
    std::uint64_t m_chain_id;
    std::uint64_t m_next_id = 1;
    std::uint32_t m_calls_until_check = 0;
};

}  // namespace hedgerow::wallet
