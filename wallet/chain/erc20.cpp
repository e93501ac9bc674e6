#include "wallet/chain/erc20.h"

#include <algorithm>

#include "channel/codec/abi.h"
#include "channel/crypto/signature.h"

namespace hedgerow::wallet {

using channel::abi_call;
using channel::Address;
using channel::Bytes;
using channel::ByteView;
using channel::Hash;
using channel::U256;

namespace {
constexpr std::size_t kMaxSymbol = 32;
}

channel::Digest permit_digest(const Permit& permit, const Hash& token_domain_separator) {
    return channel::typed_digest(token_domain_separator, channel::hash_struct(permit));
}

Bytes erc20_transfer_call(const Address& to, const U256& amount) {
    return abi_call("transfer(address,uint256)", to, amount);
}
Bytes erc20_approve_call(const Address& spender, const U256& amount) {
    return abi_call("approve(address,uint256)", spender, amount);
}
Bytes erc20_balance_of_call(const Address& account) {
    return abi_call("balanceOf(address)", account);
}
Bytes erc20_allowance_call(const Address& owner, const Address& spender) {
    return abi_call("allowance(address,address)", owner, spender);
}
Bytes erc20_decimals_call() {
    return channel::abi_selector("decimals()");
}
Bytes erc20_symbol_call() {
    return channel::abi_selector("symbol()");
}
Bytes permit_nonce_call(const Address& owner) {
    return abi_call("nonces(address)", owner);
}
Bytes permit_domain_separator_call() {
    return channel::abi_selector("DOMAIN_SEPARATOR()");
}

Bytes permit_call(const Permit& permit, const channel::Signature& signature) {
    const auto rsv = channel::rsv_from_compact(signature);
    const std::uint8_t v = rsv.data[64];
    return abi_call("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", permit.owner, permit.spender,
                    permit.value, permit.deadline, v, *Hash::from(rsv.view().first(32)),
                    *Hash::from(rsv.view().subspan(32, 32)));
}

ChainExpected<std::uint8_t> read_decimals(ByteView answer) {
    std::uint8_t out = 0;
    if (answer.size() != 32 || !channel::abi_decode(answer, out))
        return chain_error(ChainFault::chain_response_unexpected, "decimals");
    return out;
}

ChainExpected<std::string> read_symbol(ByteView answer) {
    Bytes text;
    if (answer.size() == 32) {
        text.assign(answer.begin(), std::find(answer.begin(), answer.end(), std::uint8_t{0}));
    } else if (!channel::abi_decode(answer, text)) {
        return chain_error(ChainFault::chain_response_unexpected, "symbol");
    }
    if (text.size() > kMaxSymbol) return chain_error(ChainFault::chain_response_unexpected, "symbol");
    return printable({reinterpret_cast<const char*>(text.data()), text.size()});
}

}  // namespace hedgerow::wallet
