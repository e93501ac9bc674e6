#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "wallet/chain/chain_error.h"
#include "wallet/chain/eth_types.h"
#include "wallet/chain/transaction.h"

/// What the transaction manager keeps and says (tx_manager.h). Times are Unix milliseconds, money is wei.
namespace hedgerow::wallet {

enum class TxPurpose : std::uint8_t {
    spend,    ///< stops when the wallet is locked; never touches the gas reserve
    defence,  ///< answers to a dispute: always signed, may use the reserve
};

/// What is to be done on chain, once.
struct JobRequest {
    std::string id;  ///< 1 to 128 printable characters; the caller's clientRef or its own job name
    channel::Address to;
    channel::Bytes data;
    channel::U256 value;
    TxPurpose purpose = TxPurpose::spend;
    std::uint64_t deadline_ms = 0;  ///< by when it should be mined; 0: whenever
    std::uint64_t gas_limit = 0;    ///< 0: estimated by the node, plus a margin
    channel::U256 budget;           ///< most it may cost in fees; zero: the policy's default for its purpose
    std::string after;              ///< id of a job that must have been mined successfully before; empty: none
    bool operator==(const JobRequest&) const = default;
};

enum class JobStatus : std::uint8_t {
    queued,     ///< accepted, not signed: waits for its predecessor, an estimate, funds, fees or the wallet
    broadcast,  ///< signed and persisted; every variant may be mined
    mined,      ///< in a block, not deep enough yet
    confirmed,  ///< succeeded, deep enough
    failed,     ///< will not happen (or reverted on chain); `fault` says why
    cancelled,  ///< withdrawn before it was signed, or its nonce was used up by a cancellation
};
[[nodiscard]] std::string_view job_status_name(JobStatus status);
/// Nothing more will happen but for a reorganisation.
[[nodiscard]] constexpr bool is_settled(JobStatus status) {
    return status >= JobStatus::confirmed;
}

/// One signed transaction for a job. All variants of one nonce exclude each other.
struct TxVariant {
    SignedTransaction transaction;
    bool cancels = false;  ///< an empty transfer to ourselves that only uses the nonce up
    std::uint64_t signed_ms = 0;
    std::uint64_t signed_head = 0;  ///< replaced only after a later block has passed it over
};

struct MinedAt {
    channel::TxHash hash;
    channel::BlockHash block_hash;
    std::uint64_t block_number = 0;
    bool success = false;
    std::uint64_t gas_used = 0;
    channel::U256 gas_price;
    bool operator==(const MinedAt&) const = default;
};

struct Job {
    JobRequest request;
    std::uint64_t sequence = 0;  ///< order of acceptance
    std::uint64_t created_ms = 0;
    JobStatus status = JobStatus::queued;
    std::optional<ChainFault> fault;  ///< why it failed, or what it waits for
    std::string detail;
    std::uint64_t gas_limit = 0;  ///< 0 until known
    std::optional<std::uint64_t> nonce;
    std::vector<TxVariant> variants;  ///< oldest first
    std::optional<MinedAt> mined;
    bool cancel_requested = false;
    bool final = false;  ///< so deep that it is not looked up any more

    // Not persisted: where the present run is.
    std::uint64_t last_broadcast_ms = 0;
    std::uint64_t nonce_gone_since = 0;  ///< head at which the nonce was first seen used by none of the variants
    std::uint32_t rejections = 0;
    bool bump_now = false;
    std::uint64_t estimate_after_ms = 0;
    std::uint32_t reverts = 0;  ///< estimates in a row that said that the call would revert
};

/// A job as text (JSON) for the store, and back: job_record_malformed where the text is not one, or holds a transaction
/// that is not signed by `account` for `chain_id`.
[[nodiscard]] std::string write_job(const Job& job);
[[nodiscard]] ChainExpected<Job> read_job(std::string_view record, const channel::Address& account,
                                          std::uint64_t chain_id);

// ---- what the manager asks of the chain and is told
// --------------------------------------------------------------------

struct GasQuestion {
    std::string job;
    CallRequest call;
};
struct ChainQueries {
    channel::Address account;
    std::vector<channel::TxHash> transactions;
    std::vector<GasQuestion> estimates;
};

enum class TxPlace : std::uint8_t { unknown, pending, mined };
struct TxSighting {
    channel::TxHash hash;
    TxPlace place = TxPlace::unknown;
    std::optional<MinedAt> mined;
};
struct GasAnswer {
    std::string job;
    ChainExpected<std::uint64_t> gas;
};
/// The chain at one moment, as far as the manager asked.
struct ChainView {
    std::uint64_t head = 0;
    channel::BlockHash head_hash;
    std::uint64_t block_gas_limit = 0;
    channel::U256 base_fee;      ///< of the next block, wei a gas
    channel::U256 priority_fee;  ///< usual lately, wei a gas
    std::uint64_t nonce = 0;     ///< transactions of the account in blocks up to head
    channel::U256 balance;
    std::vector<TxSighting> transactions;
    std::vector<GasAnswer> estimates;
};

// ---- what the shell is to do, in this order
// ----------------------------------------------------------------------------

struct PersistJob {
    std::string id;
    std::string record;
};
struct ForgetJob {
    std::string id;
};
/// Only after every PersistJob before it is durable.
struct BroadcastTx {
    std::string id;
    channel::TxHash hash;
    channel::Bytes raw;
};
struct JobChanged {
    std::string id;
    JobStatus status;
    std::optional<ChainFault> fault;
    std::string detail;
    std::optional<MinedAt> mined;
};
using TxAction = std::variant<PersistJob, ForgetJob, BroadcastTx, JobChanged>;

}  // namespace hedgerow::wallet
