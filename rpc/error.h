#pragma once

#include <string>
#include <string_view>

#include "channel/base/rule.h"
#include "rpc/schema.h"

namespace hedgerow::rpc {

/// What became of the thing that was asked for. A caller may repeat on not_done; on unknown only with the same
/// clientRef.
enum class Outcome : std::uint8_t { not_done, done, unknown };
[[nodiscard]] std::string_view outcome_name(Outcome outcome);

// JSON-RPC 2.0, section 5.1
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
/// A channel Rule's code is kFirstRuleCode plus its number, which is append-only.
inline constexpr int kFirstRuleCode = 20000;
/// Errors that belong to the node and not to the protocol.
inline constexpr int kFirstNodeCode = 30000;

struct RpcError {
    int code = kInternalError;
    std::string name = "internal_error";  ///< stable, for programs
    std::string message;                  ///< for people: what is wrong
    std::string remedy = {};              ///< for people: what to do about it; may be empty
    std::string param = {};               ///< the parameter at fault, where one is
    bool retryable = false;               ///< the same call may succeed later
    Outcome outcome = Outcome::not_done;
};

/// The error of a broken channel rule, with its text and remedy.
[[nodiscard]] RpcError from_rule(channel::Rule rule);
[[nodiscard]] RpcError invalid_params(const SchemaError& error);
[[nodiscard]] RpcError internal_error(Outcome outcome);

/// Errors outside the channel protocol; codes from kFirstNodeCode in this order. Append, never reorder.
#define HEDGEROW_NODE_ERRORS(X)                                                                                      \
    X(scope_denied, false, "this token may not call that method", "use the cookie, or a token with the scope named") \
    X(node_stopping, true, "the node is stopping", "try again once it runs")                                         \
    X(node_busy, true, "too many calls are waiting", "try again in a moment")                                        \
    X(wallet_missing, false, "there is no wallet yet", "wallet create, or wallet restore with a recovery phrase")    \
    X(wallet_exists, false, "there is a wallet already", "use another data directory for another wallet")            \
    X(wrong_password, false, "the password is wrong", "")                                                            \
    X(mnemonic_invalid, false, "that is no valid BIP-39 phrase", "check words, order and spelling")                  \
    X(keystore_invalid, false, "that is no version 3 keystore", "")                                                  \
    X(address_unknown, false, "the wallet has no key for that address", "wallet addresses lists them")               \
    X(asset_unknown, false, "no asset is known by that name",                                                        \
      "use a symbol that wallet balance shows, or the token address")                                                \
    X(insufficient_funds, false, "the wallet does not hold that much",                                               \
      "wallet balance shows what it holds; fees need some too")                                                      \
    X(peer_unreachable, true, "the peer cannot be reached", "check its URI, and that it runs")                       \
    X(peer_refused, false, "the peer refused", "")                                                                   \
    X(payment_no_route, true, "no route to the payee", "open a channel with it, or try a smaller amount")            \
    X(chain_unreachable, true, "the chain node does not answer", "check the chain URL in the configuration")         \
    X(chain_not_synced, true, "the node is still catching up with the chain", "node info shows how far it is")       \
    X(transaction_reverted, false, "the transaction was mined but reverted", "")                                     \
    X(transaction_dropped, true, "the transaction was not mined", "it can be sent again")                            \
    X(oracle_unavailable, true, "too few oracles answer", "oracle prices shows which do")                            \
    X(cursor_invalid, false, "that cursor belongs to no list", "start again without one")                            \
    X(file_exists, false, "the file exists already", "choose another name")                                          \
    X(file_unusable, false, "the file cannot be read or written", "")                                                \
    X(backup_invalid, false, "that is no backup of this wallet", "")                                                 \
    X(limit_exceeded, false, "a configured limit would be exceeded", "")                                              \
    X(tower_in_use, false, "a channel waits for that tower", "choose fewer towers to wait for, with channel towers")   \
    X(tower_is_peer, false, "a channel's peer cannot be its watchtower", "name another tower")                         \
    X(settled_without, false, "the chain has settled an older state, in which this is not",                            \
      "the other side took it to the chain while this node was away; ask for it again elsewhere")                        \
    X(tower_unconfirmed, true, "both parties have signed it, but too few watchtowers have confirmed the new state",    \
      "it may yet be reported; tower list shows what each holds, and the same clientRef never acts twice")              \
    X(node_starting, true, "the node is taking up its channels after its start",                                       \
      "try again in a few seconds; node info shows when it is there")

enum class NodeError : std::uint16_t {
#define HEDGEROW_NODE_ERROR_ENUMERATOR(name, retryable, message, remedy) name,
    HEDGEROW_NODE_ERRORS(HEDGEROW_NODE_ERROR_ENUMERATOR)
#undef HEDGEROW_NODE_ERROR_ENUMERATOR
        count_
};
/// `detail`, where given, follows the message after a colon: "the peer refused: too many channels".
[[nodiscard]] RpcError from_node_error(NodeError error, std::string_view detail = {});

/// EIP-1474 codes, for errors of the chain node; `detail` is what it said.
enum class ChainError : int {
    invalid_input = -32000,
    resource_not_found = -32001,
    resource_unavailable = -32002,
    transaction_rejected = -32003,
    method_not_supported = -32004,
    limit_exceeded = -32005,
};
[[nodiscard]] RpcError from_chain_error(ChainError error, std::string_view detail, Outcome outcome = Outcome::not_done);

/// The error member of a response: {code, message, data{name, retryable, outcome, remedy?, param?}}.
[[nodiscard]] Json error_json(const RpcError& error);
/// The other way, for clients; what another server leaves out has defaults, outcome then being unknown.
[[nodiscard]] RpcError error_from_json(const Json& error);

}  // namespace hedgerow::rpc
