#pragma once

#include "channel/codec/eip712.h"
#include "wallet/chain/chain_error.h"

/// ERC-20 calls, and EIP-2612 permits. Amounts are in the token's smallest unit.
namespace hedgerow::wallet {

/// What EIP-2612 signs, under the token's own domain separator.
struct Permit {
    channel::Address owner;
    channel::Address spender;
    channel::U256 value;
    channel::U256 nonce;
    channel::U256 deadline;  ///< Unix seconds

    static constexpr std::string_view kTypeName = "Permit";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("owner", &Permit::owner, "address"), field("spender", &Permit::spender, "address"),
                               field("value", &Permit::value, "uint256"), field("nonce", &Permit::nonce, "uint256"),
                               field("deadline", &Permit::deadline, "uint256"));
    }
};
static_assert(channel::type_text_is<Permit>(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"));

[[nodiscard]] channel::Digest permit_digest(const Permit& permit, const channel::Hash& token_domain_separator);

[[nodiscard]] channel::Bytes erc20_transfer_call(const channel::Address& to, const channel::U256& amount);
[[nodiscard]] channel::Bytes erc20_approve_call(const channel::Address& spender, const channel::U256& amount);
[[nodiscard]] channel::Bytes erc20_balance_of_call(const channel::Address& account);
[[nodiscard]] channel::Bytes erc20_allowance_call(const channel::Address& owner, const channel::Address& spender);
[[nodiscard]] channel::Bytes erc20_decimals_call();
[[nodiscard]] channel::Bytes erc20_symbol_call();
[[nodiscard]] channel::Bytes permit_call(const Permit& permit, const channel::Signature& signature);
[[nodiscard]] channel::Bytes permit_nonce_call(const channel::Address& owner);
[[nodiscard]] channel::Bytes permit_domain_separator_call();

/// The answer to decimals(): 0 to 255, or chain_response_unexpected.
[[nodiscard]] ChainExpected<std::uint8_t> read_decimals(channel::ByteView answer);
/// The answer to symbol(): at most 32 printable characters; the bytes32 form of old tokens is understood.
[[nodiscard]] ChainExpected<std::string> read_symbol(channel::ByteView answer);

}  // namespace hedgerow::wallet
