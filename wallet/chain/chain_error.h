#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "channel/base/bytes.h"
#include "channel/base/expected.h"

namespace hedgerow::wallet {

/// What a chain node, the way to it, or a transaction can be refused for, by the name it has in JSON errors and logs.
#define HEDGEROW_CHAIN_FAULTS(X)                                                                           \
    /* the way there */                                                                                    \
    X(chain_unreachable)                                                                                   \
    X(chain_http_status) X(chain_response_too_large) /* what it answered */                                \
        X(chain_response_malformed) X(chain_response_unexpected) X(chain_id_wrong) X(chain_block_unknown)  \
            X(chain_reorg_too_deep) X(chain_cursor_malformed) X(chain_cursor_mismatch)                     \
                X(chain_node_behind) /* JSON-RPC and EIP-1474 errors */                                    \
        X(chain_rpc_error) X(chain_method_unsupported) X(chain_limit_exceeded)                             \
            X(chain_too_many_logs) /* refused transactions and calls */                                    \
        X(nonce_too_low) X(nonce_too_high) X(transaction_already_known) X(replacement_underpriced)         \
            X(transaction_underpriced) X(insufficient_funds) X(gas_limit_exceeded) X(execution_reverted)   \
                X(transaction_rejected) /* the manager's own */                                            \
        X(gas_reserve_needed) X(client_ref_reused) X(job_unknown) X(job_limit) X(job_record_malformed)     \
            X(fee_over_budget) X(nonce_replaced) X(predecessor_failed) X(wallet_locked) X(deadline_missed) \
                X(transaction_reverted) X(cancelled) /* logs */                                            \
        X(log_unknown_event) X(log_malformed) X(log_wrong_contract)

enum class ChainFault : std::uint8_t {
#define HEDGEROW_CHAIN_FAULT_ENUMERATOR(name) name,
    HEDGEROW_CHAIN_FAULTS(HEDGEROW_CHAIN_FAULT_ENUMERATOR)
#undef HEDGEROW_CHAIN_FAULT_ENUMERATOR
        count_
};

[[nodiscard]] std::string_view chain_fault_name(ChainFault fault);
/// The fault of that name; nothing for another text.
[[nodiscard]] std::optional<ChainFault> chain_fault_from_name(std::string_view name);

struct ChainError {
    ChainFault fault = ChainFault::chain_rpc_error;
    std::int64_t rpc_code = 0;   ///< the node's own JSON-RPC or EIP-1474 code, 0 where it gave none
    std::string detail;          ///< for people: at most 200 printable characters
    channel::Bytes revert_data;  ///< of execution_reverted, where the node gave it

    /// The same call may succeed later without any change: the node was away, busy or incoherent.
    [[nodiscard]] bool retryable() const;
};

template <typename T>
using ChainExpected = channel::Expected<T, ChainError>;

[[nodiscard]] channel::Unexpected<ChainError> chain_error(ChainFault fault, std::string_view detail = {});

/// At most 200 characters, every unprintable byte replaced: what a foreign node says may reach logs and terminals.
[[nodiscard]] std::string printable(std::string_view text);

/// The name and code for a JSON-RPC error object's code and message. Geth, Anvil, Erigon, Nethermind and Besu word them
/// differently and share code -32000, so known phrases are looked for.
[[nodiscard]] ChainError classify_rpc_error(std::int64_t code, std::string_view message, channel::Bytes revert_data);

}  // namespace hedgerow::wallet
