#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

Schema deposit_shape() {
    return object({required("asset", asset_name(), "symbol or token address"),
                   required("amount", amount(), "in units of the asset")});
}

Schema channel_assets() {
    return array(object({
                     required("asset", asset_name(), "symbol or token address"),
                     required("deposited", amount(), "by this node, confirmed"),
                     required("counterDeposited", amount(), "by the peer, confirmed"),
                     required("net", signed_amount(), "what this node gained since the opening; negative is lost"),
                     required("available", amount(), "what this node can pay now"),
                     required("locked", amount(), "held by pending transfers"),
                 }),
                 8, 1);
}

Schema lock_shape() {
    return object({
        required("hash", hash(), "keccak256 of the preimage"),
        required("asset", asset_name(), "symbol or token address"),
        required("amount", signed_amount(), "negative: this node pays"),
        required("expiry", timestamp(), "Unix milliseconds"),
        optional("state", one_of({"pending", "executed", "expired"}),
                 "what the chain has decided; executed or expired ones wait for the other side's signature only"),
    });
}

Schema channel_shape() {
    return object({
        required("channelId", hash(), "its identity"),
        required("peer", hash(), "the peer's node id"),
        required("party", one_of({"A", "B"}), "A leads (it accepted), B follows (it opened)"),
        required("status", string(32), "opening, open, closing, disputed, final, …"),
        required("version", version_number(), "newest state that both signed"),
        required("assets", channel_assets(), "the first one settles profit and loss"),
        required("positions", array(position_shape(), 32), "open positions, seen from this node"),
        required("locks", array(lock_shape(), 256), "pending transfers"),
        required("margin",
                 object({
                     required("equity", signed_amount(), "USD"),
                     required("initial", amount(), "initial margin, USD"),
                     required("maintenance", amount(), "maintenance margin, USD"),
                 }),
                 "see margin_get"),
        optional("recovery",
                 object({
                     required("mayBeBehind", boolean(), "a newer state than this node's may exist"),
                     required("version", version_number(), "newest that this node has"),
                     optional("peer", object({required("version", version_number(), "newest that the peer says it has")}),
                              "once the peer is connected"),
                     required("towers",
                              array(object({required("tower", hash(), "its node id"),
                                            required("version", version_number(), "newest that it has; 0 is none"),
                                            required("time", timestamp(), "when it said so")}),
                                    16),
                              "what the channel's towers answered"),
                 }),
                 "of a channel that recovers: it signs nothing but a close, never challenges, and answers with the best it has"),
    });
}

Schema state_shape() {
    const Schema typed_data = object({
        required("domain", any(), "EIP-712 domain"),
        required("types", any(), "EIP-712 types"),
        required("primaryType", string(32), "State"),
        required("message", any(), "the state; integers as decimal strings"),
    });
    return object({
        required("typedData", typed_data, "as eth_signTypedData_v4 takes it"),
        required("digest", hash(), "what was signed"),
        required("signatures", object({required("A", hex(65), "r, s, v"), required("B", hex(65), "r, s, v")}),
                 "of both signers"),
    });
}

Schema history_item() {
    return object({
        required("version", version_number(), "state version"),
        required("op", string(32), "pay, swap, trade, mark, …"),
        required("time", timestamp(), "Unix milliseconds"),
        required("effect",
                 array(object({required("asset", asset_name(), "asset"),
                               required("amount", signed_amount(), "gained by this node")}),
                       8),
                 "on net"),
        optional("detail", any(), "the op's own fields"),
    });
}

void add_life(Methods& out) {
    out.push_back(
        {.name = "channel_open",
         .summary = "Open a channel with a peer and deposit collateral",
         .scope = Scope::pay,
         .params = {required("peer", string(512), "the peer's URI or node id"),
                    required("deposits", array(deposit_shape(), 8, 1),
                             "what to put in; the first asset settles profit and loss"),
                    optional("disputePeriod", integer(1, 365LL * 86400),
                             "seconds that a dispute stays open (default: the node's)"),
                    optional("oracles", array(address(), 20, 1),
                             "signers whose median prices count (default: the node's)"),
                    optional("risk", any(), "risk terms to propose, as an object (default: the node's)"),
                    optional("towers", array(hash(), 16), "node ids of the watchtowers to use (default: all of the node's)"),
                    optional("towerSync", integer(0, 16),
                             "how many of them must hold a state before what it did is reported (default: the node's)"),
                    client_ref()},
         .result =
             object({required("channelId", hash(), "the new channel"), optional("txHash", hash(), "first deposit")}),
         .details = "The channel can be used once the deposit has enough confirmations. Nothing is at risk before the "
                    "peer has agreed.",
         .example = "--peer 3f…9a@198.51.100.7:9735 --deposit ETH=10 --deposit USDC=5000"});
    out.push_back({.name = "channel_deposit",
                   .summary = "Add collateral to a channel",
                   .scope = Scope::pay,
                   .params = {channel_id(), required("asset", asset_name(), "symbol or token address"),
                              required("amount", amount(), "in units of the asset"), client_ref()},
                   .result = transaction_result(),
                   .example = "0x5c…e1 ETH 2.5"});
    out.push_back({.name = "channel_withdraw",
                   .summary = "Take collateral out of an open channel, with the peer's consent",
                   .scope = Scope::pay,
                   .params = {channel_id(), required("asset", asset_name(), "symbol or token address"),
                              required("amount", amount(), "in units of the asset"), client_ref()},
                   .result = transaction_result(),
                   .example = "0x5c…e1 ETH 1"});
    out.push_back(
        {.name = "channel_close",
         .summary = "Close a channel: together with the peer, or by force",
         .scope = Scope::pay,
         .params = {channel_id(),
                    optional("force", boolean(), "challenge on chain instead of asking the peer (default false)"),
                    client_ref()},
         .result = transaction_result(),
         .details =
             "A cooperative close needs a channel without positions and locks, and pays at once. With force the newest "
             "co-signed state goes to the chain, the peer may answer with a newer one until the dispute period ends, "
             "open "
             "positions settle at the oracles' price, and the node then settles by itself.",
         .example = "0x5c…e1 --force"});
}

}  // namespace

void add_channel_methods(Methods& out) {
    add_life(out);
    out.push_back({.name = "channel_list",
                   .summary = "List channels",
                   .scope = Scope::read,
                   .params = paged({}),
                   .result = page_of(channel_shape())});
    out.push_back({.name = "channel_get",
                   .summary = "Show one channel: balances, positions, locks, margin",
                   .scope = Scope::read,
                   .params = {channel_id()},
                   .result = channel_shape(),
                   .example = "0x5c…e1"});
    out.push_back({.name = "channel_state",
                   .summary = "Show the newest co-signed state as EIP-712 typed data with both signatures",
                   .scope = Scope::read,
                   .params = {channel_id()},
                   .result = state_shape(),
                   .details = "Any EIP-712 library can verify it.",
                   .example = "0x5c…e1 --json"});
    out.push_back({.name = "channel_history",
                   .summary = "List every operation of a channel",
                   .scope = Scope::read,
                   .params = paged({channel_id()}),
                   .result = page_of(history_item()),
                   .example = "0x5c…e1 --limit 20"});
    out.push_back({.name = "channel_export",
                   .summary = "Show all that it takes to enforce a channel's newest state without this node",
                   .scope = Scope::admin,
                   .params = {channel_id()},
                   .result = object({
                       required("terms", any(), "the Channel struct, as the contract takes it"),
                       required("secret", hash(), "watch secret: whoever has it can read what towers hold for the channel"),
                       required("state", any(), "the State struct"),
                       required("signatures", object({required("A", hex(65), "r, s, v"), required("B", hex(65), "r, s, v")}),
                                "of both signers; zero at version 0"),
                   }),
                   .details = "With this and an owner's or signer's key any EVM wallet can challenge or respond. It ages: a later state "
                              "makes it stale, and challenging with a stale state is punished.",
                   .example = "0x5c…e1 --json"});
    out.push_back({.name = "channel_backup",
                   .summary = "Write an encrypted backup of what recovery needs",
                   .scope = Scope::admin,
                   .params = {required("path", string(4096), "file on the node's machine; must not exist")},
                   .result = object({required("path", string(4096), "file written"),
                                     required("channels", integer(0, 1LL << 32), "how many it holds")}),
                   .details = "Only this wallet's recovery phrase opens it. It ages: write one after every opening.",
                   .example = "/media/usb/hedgerow.backup"});
    out.push_back(
        {.name = "channel_restore",
         .summary = "Recover channels from a backup",
         .scope = Scope::admin,
         .params = {required("path", string(4096), "file on the node's machine")},
         .result = object({required("channels", integer(0, 1LL << 32), "how many were recovered")}),
         .details =
             "Restored channels are recovering: they take the newest state that the peer hands over, defend it on chain, and sign "
             "nothing but a close.",
         .example = "/media/usb/hedgerow.backup"});
}

}  // namespace hedgerow::rpc
