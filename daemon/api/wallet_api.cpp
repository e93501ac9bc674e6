#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"
#include "daemon/api/format.h"
#include "daemon/store/channel_store.h"
#include "wallet/signer/keyring.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

Json balances_json(const std::vector<WalletBalance>& balances) {
    Json out = Json::array();
    for (const WalletBalance& b : balances) {
        const auto confirmed = b.confirmed.to_i128();
        const auto pending = b.pending.to_i128();
        out.push_back({{"asset", b.asset.symbol},
                       {"token", checksum_address(b.asset.token)},
                       {"confirmed", confirmed ? format_decimal(*confirmed, b.asset.decimals) : to_decimal(b.confirmed)},
                       {"pending", pending ? format_decimal(*pending, b.asset.decimals) : to_decimal(b.pending)}});
    }
    return out;
}

Json addresses_json(const Node& node) {
    const auto addresses = node.wallet_addresses();
    if (addresses.empty()) bad(rpc::NodeError::wallet_missing, "");
    Json all = Json::array();
    for (const Address& address : addresses) all.push_back(checksum_address(address));
    return {{"address", all.front()}, {"addresses", all}};
}

Json address_json(const Address& address) { return {{"address", checksum_address(address)}}; }

void create(Node& node, const Json& params, const rpc::Reply& reply) {
    node.create_wallet(params.at("password").get<std::string>(), replying<std::string>(reply, [&node](const std::string& mnemonic) {
        Json out{{"mnemonic", mnemonic}};
        out.update(addresses_json(node));
        return out;
    }));
}

void send(Node& node, const Json& params, const rpc::Reply& reply) {
    const std::size_t asset = read_asset(node, params.at("asset"), "asset");
    const Amount amount = read_amount(params.at("amount"), node.options().assets[asset].decimals, "amount");
    node.wallet_send(*parse_address(params.at("to").get<std::string>()), asset, amount, read_ref(params), replying_transaction(reply));
}

Fault wallet_fault(wallet::WalletFault fault) {
    using wallet::WalletFault;
    if (fault == WalletFault::wallet_locked) return rpc::from_rule(Rule::wallet_locked);
    if (fault == WalletFault::keystore_mac_wrong) return rpc::from_node_error(rpc::NodeError::wrong_password);
    if (fault == WalletFault::owner_unknown) return rpc::from_node_error(rpc::NodeError::address_unknown);
    return rpc::from_node_error(rpc::NodeError::keystore_invalid, wallet::wallet_fault_name(fault));
}

wallet::Keyring& open_keyring(Node& node) {
    wallet::Keyring* keyring = node.keyring();
    if (keyring == nullptr && !node.wallet_exists()) bad(rpc::NodeError::wallet_missing, "");
    if (keyring == nullptr || keyring->locked()) bad(Rule::wallet_locked, "");
    return *keyring;
}

/// scrypt takes about a second on the node thread: a rare call that its operator makes by hand.
void import_key(Node& node, const std::string& keystore, const std::string& password, const rpc::Reply& reply) {
    wallet::Keyring& keyring = open_keyring(node);
    auto key = wallet::import_keystore(keystore, password);
    if (!key) return reply.error(wallet_fault(key.error()));
    const auto address = keyring.import_owner(std::move(*key));
    if (!address) return reply.error(wallet_fault(address.error()));
    node.persist([sealed = keyring.sealed_imports()](Database& db) { put_meta(db, "sealed_imports", sealed); });
    reply_when_stored(node, reply, address_json(*address));
}

void export_key(Node& node, const Json& params, const rpc::Reply& reply) {
    wallet::Keyring& keyring = open_keyring(node);
    const Address owner = params.contains("address") ? *parse_address(params.at("address").get<std::string>()) : keyring.owners().front();
    const auto text = keyring.export_owner(owner, params.at("password").get<std::string>());
    if (!text) return reply.error(wallet_fault(text.error()));
    const auto keystore = rpc::parse_json(*text);
    ASSERT(keystore.has_value());
    reply.result({{"keystore", *keystore}});
}

}  // namespace

void bind_wallet_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    Node& node = context.node;
    const auto bind = [&](const char* name, auto body) {
        dispatcher.bind(name, handler([&node, body](const Json& params, const rpc::Reply& reply) { body(node, params, reply); }));
    };
    bind("wallet_create", create);
    bind("wallet_send", send);
    bind("wallet_restore", [](Node& n, const Json& params, const rpc::Reply& reply) {
        n.restore_wallet(params.at("password").get<std::string>(), params.at("mnemonic").get<std::string>(), replying<Address>(reply, address_json));
    });
    bind("wallet_unlock", [](Node& n, const Json& params, const rpc::Reply& reply) {
        n.unlock_wallet(params.at("password").get<std::string>(), replying<Address>(reply, [](const Address&) { return Json::object(); }));
    });
    bind("wallet_lock", [](Node& n, const Json&, const rpc::Reply& reply) {
        n.lock_wallet();
        reply.result(Json::object());
    });
    bind("wallet_addresses", [](Node& n, const Json&, const rpc::Reply& reply) { reply.result(addresses_json(n)); });
    bind("wallet_balance", [](Node& n, const Json&, const rpc::Reply& reply) {
        n.wallet_balance(replying<std::vector<WalletBalance>>(reply, balances_json));
    });
    bind("wallet_import", [](Node& n, const Json& params, const rpc::Reply& reply) {
        const Json& keystore = params.at("keystore");
        const std::string text = keystore.is_string() ? keystore.get<std::string>() : rpc::json_text(keystore);
        import_key(n, text, params.at("password").get<std::string>(), reply);
    });
    bind("wallet_export", [](Node& n, const Json& params, const rpc::Reply& reply) {
        export_key(n, params, reply);
    });
}

}  // namespace hedgerow::daemon
