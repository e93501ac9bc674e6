#pragma once

#include <vector>

#include "rpc/method.h"

namespace hedgerow::rpc {

using Methods = std::vector<MethodSpec>;

// One function a namespace; method.cpp puts them in the order of the help page.
void add_node_methods(Methods& out);
void add_wallet_methods(Methods& out);
void add_peer_methods(Methods& out);
void add_channel_methods(Methods& out);
void add_tower_methods(Methods& out);
void add_pay_methods(Methods& out);
void add_swap_methods(Methods& out);
void add_market_methods(Methods& out);
void add_position_methods(Methods& out);
void add_oracle_methods(Methods& out);
void add_rpc_methods(Methods& out);

// Shapes that several namespaces share.
[[nodiscard]] Field required(std::string name, Schema schema, std::string description);
[[nodiscard]] Field optional(std::string name, Schema schema, std::string description);
[[nodiscard]] Schema asset_name();
[[nodiscard]] Schema feed_name_text();
[[nodiscard]] Schema timestamp();
[[nodiscard]] Schema version_number();
[[nodiscard]] Schema side();
[[nodiscard]] Schema position_shape();
[[nodiscard]] Schema trade_shape();
[[nodiscard]] Field channel_id();
[[nodiscard]] Field client_ref();
/// fields, then limit? and cursor?
[[nodiscard]] std::vector<Field> paged(std::vector<Field> fields);
/// {items, cursor}
[[nodiscard]] Schema page_of(Schema item);
/// {txHash}
[[nodiscard]] Schema transaction_result();
/// {}: nothing to say beyond success
[[nodiscard]] Schema done();

}  // namespace hedgerow::rpc
