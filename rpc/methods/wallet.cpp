#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

constexpr std::int64_t kMaxPassword = 1024;

Field password(std::string description) {
    return required("password", secret(kMaxPassword), std::move(description));
}
Field new_password(std::string description) {
    return required("password", new_secret(kMaxPassword), std::move(description));
}

Schema balance_result() {
    return array(object({
                     required("asset", asset_name(), "symbol, or token address where it has none"),
                     required("token", address(), "contract; zero is the chain's own coin"),
                     required("confirmed", amount(), "in blocks deep enough"),
                     required("pending", signed_amount(), "change that is not yet that deep"),
                 }),
                 256);
}

void add_keys(Methods& out) {
    out.push_back(
        {.name = "wallet_create",
         .summary = "Create a wallet and show its recovery phrase once",
         .scope = Scope::admin,
         .params = {new_password("encrypts the seed file")},
         .result = object({required("mnemonic", string(512), "BIP-39 phrase: write it down, it is not shown again"),
                           required("address", address(), "first address")}),
         .details = "Whoever has the phrase has the money. Refused where a wallet exists."});
    out.push_back(
        {.name = "wallet_restore",
         .summary = "Create the wallet from a recovery phrase",
         .scope = Scope::admin,
         .params = {new_password("encrypts the seed file"), required("mnemonic", secret(512), "BIP-39 phrase")},
         .result = object({required("address", address(), "first address")})});
    out.push_back({.name = "wallet_unlock",
                   .summary = "Unlock spending and trading",
                   .scope = Scope::admin,
                   .params = {password("of the seed file")},
                   .result = done()});
    out.push_back({.name = "wallet_lock",
                   .summary = "Lock spending and trading; the node keeps defending its channels",
                   .scope = Scope::admin,
                   .result = done()});
    out.push_back(
        {.name = "wallet_import",
         .summary = "Import a key from an Ethereum keystore (version 3)",
         .scope = Scope::admin,
         .params = {required("keystore", any(), "the keystore file's JSON"), password("of the keystore")},
         .result = object({required("address", address(), "of the imported key")}),
         .details =
             "An imported key can own channels. It is not derived from the seed: back it up with channel_backup.",
         .example = "@UTC--2026-01-01--key.json"});
    out.push_back({.name = "wallet_export",
                   .summary = "Export a key as an Ethereum keystore (version 3)",
                   .scope = Scope::admin,
                   .params = {new_password("encrypts the keystore"),
                              optional("address", address(), "which key (default: the first)")},
                   .result = object({required("keystore", any(), "keystore JSON")})});
}

}  // namespace

void add_wallet_methods(Methods& out) {
    out.push_back({.name = "wallet_balance",
                   .summary = "Show what the wallet holds on chain",
                   .scope = Scope::read,
                   .result = balance_result()});
    out.push_back({.name = "wallet_addresses",
                   .summary = "Show the wallet's addresses",
                   .scope = Scope::read,
                   .result = object({required("address", address(), "the one that receives"),
                                     optional("addresses", array(address(), 1000), "all of them")})});
    out.push_back(
        {.name = "wallet_send",
         .summary = "Send coins or tokens on chain",
         .scope = Scope::pay,
         .params = {required("to", address(), "receiver"), required("asset", asset_name(), "symbol or token address"),
                    required("amount", amount(), "in units of the asset"), client_ref()},
         .result = transaction_result(),
         .example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8 ETH 0.5"});
    add_keys(out);
}

}  // namespace hedgerow::rpc
