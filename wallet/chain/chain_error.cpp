#include "wallet/chain/chain_error.h"

#include <algorithm>
#include <array>

namespace hedgerow::wallet {

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(ChainFault::count_)> kNames = {
#define HEDGEROW_CHAIN_FAULT_NAME(name) #name,
    HEDGEROW_CHAIN_FAULTS(HEDGEROW_CHAIN_FAULT_NAME)
#undef HEDGEROW_CHAIN_FAULT_NAME
};
constexpr std::size_t kMaxDetail = 200;

struct Phrase {
    std::string_view text;  // lower case
    ChainFault fault;
};
// The first that occurs in the message wins, so the narrower phrases stand first.
constexpr std::array kPhrases = {
    Phrase{"already known", ChainFault::transaction_already_known},
    Phrase{"already imported", ChainFault::transaction_already_known},
    Phrase{"alreadyknown", ChainFault::transaction_already_known},
    Phrase{"known transaction", ChainFault::transaction_already_known},
    Phrase{"nonce too low", ChainFault::nonce_too_low},
    Phrase{"nonce is too low", ChainFault::nonce_too_low},
    Phrase{"oldnonce", ChainFault::nonce_too_low},
    Phrase{"nonce too high", ChainFault::nonce_too_high},
    Phrase{"nonce gap", ChainFault::nonce_too_high},
    Phrase{"replacement", ChainFault::replacement_underpriced},
    Phrase{"max fee per gas less than block base fee", ChainFault::transaction_underpriced},
    Phrase{"underpriced", ChainFault::transaction_underpriced},
    Phrase{"fee too low", ChainFault::transaction_underpriced},
    Phrase{"feetoolow", ChainFault::transaction_underpriced},
    Phrase{"insufficient funds", ChainFault::insufficient_funds},
    Phrase{"insufficient balance", ChainFault::insufficient_funds},
    Phrase{"insufficientfunds", ChainFault::insufficient_funds},
    Phrase{"exceeds block gas limit", ChainFault::gas_limit_exceeded},
    Phrase{"gas limit exceeded", ChainFault::gas_limit_exceeded},
    Phrase{"gas required exceeds", ChainFault::gas_limit_exceeded},
    Phrase{"gas too high", ChainFault::gas_limit_exceeded},
    Phrase{"intrinsic gas too low", ChainFault::gas_limit_exceeded},
    Phrase{"query returned more than", ChainFault::chain_too_many_logs},
    Phrase{"block range", ChainFault::chain_too_many_logs},
    Phrase{"too many results", ChainFault::chain_too_many_logs},
    Phrase{"response size", ChainFault::chain_too_many_logs},
    Phrase{"header not found", ChainFault::chain_block_unknown},
    Phrase{"unknown block", ChainFault::chain_block_unknown},
    Phrase{"block not found", ChainFault::chain_block_unknown},
    Phrase{"revert", ChainFault::execution_reverted},
};

ChainFault fault_of(std::int64_t code, std::string_view message) {
    std::string lower(message.substr(0, 4096));
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const Phrase& phrase : kPhrases) {
        if (lower.find(phrase.text) != std::string::npos) return phrase.fault;
    }
    // EIP-1474: -32003 transaction rejected, -32004 and -32601 method, -32005 limit, -32001 resource not found; geth: 3
    // reverted.
    switch (code) {
        case 3:
            return ChainFault::execution_reverted;
        case -32601:
            return ChainFault::chain_method_unsupported;
        case -32004:
            return ChainFault::chain_method_unsupported;
        case -32005:
            return ChainFault::chain_limit_exceeded;
        case -32003:
            return ChainFault::transaction_rejected;
        case -32001:
            return ChainFault::chain_block_unknown;
    }
    return ChainFault::chain_rpc_error;
}

}  // namespace

std::string_view chain_fault_name(ChainFault fault) {
    const auto index = static_cast<std::size_t>(fault);
    return index < kNames.size() ? kNames[index] : std::string_view("unknown_fault");
}

std::optional<ChainFault> chain_fault_from_name(std::string_view name) {
    const auto at = std::find(kNames.begin(), kNames.end(), name);
    if (at == kNames.end()) return std::nullopt;
    return static_cast<ChainFault>(at - kNames.begin());
}

bool ChainError::retryable() const {
    return fault <= ChainFault::chain_response_unexpected || fault == ChainFault::chain_block_unknown ||
           fault == ChainFault::chain_node_behind || fault == ChainFault::chain_rpc_error ||
           fault == ChainFault::chain_limit_exceeded;
}

channel::Unexpected<ChainError> chain_error(ChainFault fault, std::string_view detail) {
    return channel::Unexpected{ChainError{fault, 0, printable(detail), {}}};
}

std::string printable(std::string_view text) {
    std::string out(text.substr(0, kMaxDetail));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

ChainError classify_rpc_error(std::int64_t code, std::string_view message, channel::Bytes revert_data) {
    return {fault_of(code, message), code, printable(message), std::move(revert_data)};
}

}  // namespace hedgerow::wallet
