#include <nlohmann/json.hpp>

#include "channel/crypto/signature.h"
#include "channel/messages/typed.h"
#include "daemon/api/format.h"
#include "daemon/api/typed_json.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

Json assets_json(const Node& node, const Channel& channel) {
    const Context at = node.context();
    const ChannelState& state = channel.agreed.state;
    const Party me = channel.me;
    Json out = Json::array();
    for (std::size_t i = 0; i < channel.terms.assets.size(); ++i) {
        const int decimals = channel.terms.assets[i].decimals;
        const Amount available = available_of(at, channel, state, me, i);
        out.push_back({{"asset", asset_symbol(node, channel, i)},
                       {"deposited", amount_text(channel.funds_seen.deposit(me)[i], decimals)},
                       {"counterDeposited", amount_text(channel.funds_seen.deposit(other(me))[i], decimals)},
                       {"withdrawn", amount_text(channel.funds_seen.withdrawn(me)[i], decimals)},
                       {"counterWithdrawn", amount_text(channel.funds_seen.withdrawn(other(me))[i], decimals)},
                       {"net", amount_text(me == Party::A ? -state.net[i] : state.net[i], decimals)},
                       {"available", amount_text(std::max(available, Amount()), decimals)},
                       {"balance", amount_text(balance_of(at, channel, state, me, i), decimals)},
                       {"counterBalance", amount_text(balance_of(at, channel, state, other(me), i), decimals)},
                       {"locked", amount_text(state.locked_by(Party::A, i) + state.locked_by(Party::B, i), decimals)}});
    }
    return out;
}

/// What the chain has decided about it (spec 3.4): nothing yet, that it pays, or that it never will.
const char* lock_state(const Context& context, const Lock& lock) {
    if (registered_in_time(context, lock)) return "executed";
    return context.confirmed_chain_time_s >= lock.expiry ? "expired" : "pending";
}

Json locks_json(const Node& node, const Channel& channel) {
    Json out = Json::array();
    for (const LockEntry& entry : channel.agreed.state.locks) {
        const Lock& lock = entry.lock;
        const Amount ours = channel.me == Party::A ? -lock.amount : lock.amount;
        out.push_back({{"hash", to_hex(lock.hash)},
                       {"asset", asset_symbol(node, channel, lock.asset)},
                       {"amount", amount_text(ours, channel.terms.assets[lock.asset].decimals)},
                       {"expiry", lock.expiry * 1000},
                       {"state", lock_state(node.context(), lock)}});
    }
    return out;
}

/// A newer state than ours may exist; who said what about it.
Json recovery_json(const Node& node, const Channel& channel) {
    Json towers = Json::array();
    for (const TowerAnswer& answer : node.tower_answers(channel.id)) {
        towers.push_back({{"tower", to_hex(answer.tower)}, {"version", answer.version}, {"time", answer.at_ms}});
    }
    Json out{{"mayBeBehind", true}, {"version", channel.agreed.state.version}, {"towers", std::move(towers)}};
    if (const auto peer = node.peer_said(channel.id)) out["peer"] = {{"version", *peer}};
    return out;
}

Json channel_json(const Node& node, const Market& market, const Channel& channel) {
    const MarginInfo margin = market.margin(channel);
    Json positions = Json::array();
    for (const PositionInfo& info : margin.positions) positions.push_back(position_json(info));
    Json out{{"channelId", to_hex(channel.id)},
             {"peer", to_hex(channel.peer)},
             {"party", party_name(channel.me)},
             {"status", status_name(channel.status)},
             {"connected", channel.connected},
             {"version", channel.agreed.state.version},
             {"assets", assets_json(node, channel)},
             {"positions", std::move(positions)},
             {"locks", locks_json(node, channel)},
             {"margin",
              {{"equity", usd16_text(margin.margin.equity16)},
               {"initial", usd16_text(margin.margin.initial16)},
               {"maintenance", usd16_text(margin.margin.maintenance16)},
               {"status", margin_status_name(margin.status)}}}};
    if (channel.status == Status::recovering || channel.lost_data) out["recovery"] = recovery_json(node, channel);
    if (channel.dispute) {
        out["dispute"] = {{"challengedAt", channel.dispute->challenged_at * 1000}, {"end", channel.dispute->end * 1000},
                          {"version", channel.dispute->version}, {"challenger", party_name(channel.dispute->challenger)}};
    }
    return out;
}

// --- typed data -------------------------------------------------------------------------------------------------------------

Json signatures_json(const Channel& channel) {
    const BothSignatures both = enforceable_signatures(channel);
    return {{"A", to_hex(rsv_from_compact(both.a))}, {"B", to_hex(rsv_from_compact(both.b))}};
}

Json state_json(const Node& node, const Channel& channel) {
    const State state = typed_state(channel.agreed.state, channel.id);
    return {{"typedData", typed_state_json(node, state)},
            {"digest", to_hex(state_digest(channel.agreed.state, channel.id, channel.separator))},
            {"signatures", signatures_json(channel)},
            {"signers", {{"A", checksum_address(channel.terms.signer_a)}, {"B", checksum_address(channel.terms.signer_b)}}},
            {"version", state.version}};
}

/// Terms, secret and newest state: what an owner needs who must enforce the channel by hand.
Json export_json(const Channel& channel) {
    return {{"channelId", to_hex(channel.id)},
            {"terms", typed_value(channel.terms)},
            {"secret", to_hex(channel.secret)},
            {"state", typed_value(typed_state(channel.agreed.state, channel.id))},
            {"signatures", signatures_json(channel)}};
}

// --- history -------------------------------------------------------------------------------------------------------------------

Json history_json(Node& node, const Json& params) {
    const Channel& channel = read_channel(node, params);
    const Page page = read_page(params);
    HistoryCursor cursor;
    if (!page.cursor.empty()) {
        const auto parts = cursor_parts(page.cursor, 2);
        cursor = {parts[0], static_cast<std::uint16_t>(parts[1])};
    }
    const auto items = node.history(channel.id, cursor, page.limit);
    if (!items) throw BadParam{items.error()};
    Json out = Json::array();
    for (const HistoryItem& item : *items) {
        Json effect = Json::array();
        for (std::size_t i = 0; i < item.effect.size(); ++i) {
            if (item.effect[i].is_zero()) continue;
            const Amount gained = channel.me == Party::A ? -item.effect[i] : item.effect[i];
            effect.push_back({{"asset", asset_symbol(node, channel, i)}, {"amount", amount_text(gained, channel.terms.assets[i].decimals)}});
        }
        out.push_back({{"version", item.version},
                       {"op", op_name(item.entry.op)},
                       {"time", item.timestamp_ms},
                       {"agreed", item.agreed},
                       {"origin", item.entry.origin() == channel.me ? "self" : "peer"},
                       {"effect", std::move(effect)},
                       {"detail", op_json(node, channel, item.entry.op)}});
    }
    const bool more = items->size() == page.limit;
    return page_json(std::move(out), more ? cursor_text({items->back().version, items->back().index}) : std::string());
}

// --- opening ----------------------------------------------------------------------------------------------------------------------

/// {"classes": [{underlying, initialBps, maintenanceBps, penaltyBps, lot}], …}: what is left out is the node's own.
RiskTerms read_risk(const Node& node, const Json& value) {
    RiskTerms out = node.options().opening.risk;
    if (!value.is_object()) bad(Rule::terms_unacceptable, "risk");
    for (const auto& [name, member] : value.items()) {
        if (name == "fundingDeadbandBps" && member.is_number_unsigned() && member < 10'001) {
            out.funding_deadband_bps = member.get<std::uint16_t>();
        } else if (name == "fundingCapBps" && member.is_number_unsigned() && member < 10'001) {
            out.funding_cap_bps = member.get<std::uint16_t>();
        } else if (name == "ackTimeoutMs" && member.is_number_unsigned() && member < 1'000'000'000) {
            out.ack_timeout_ms = member.get<std::uint32_t>();
        } else {
            bad(Rule::terms_unacceptable, "risk." + name);
        }
    }
    return out;
}

OpenOrder read_order(const Node& node, const Json& params) {
    OpenOrder order;
    for (const Json& deposit : params.at("deposits")) {
        const std::size_t asset = read_asset(node, deposit.at("asset"), "deposits.asset");
        order.deposits.push_back({asset, read_amount(deposit.at("amount"), node.options().assets[asset].decimals, "deposits.amount")});
    }
    if (params.contains("disputePeriod")) order.dispute_period_s = params.at("disputePeriod").get<std::uint32_t>();
    if (params.contains("oracles")) {
        std::vector<Address> oracles;
        for (const Json& text : params.at("oracles")) oracles.push_back(*parse_address(text.get<std::string>()));
        std::sort(oracles.begin(), oracles.end());
        order.oracle_threshold = static_cast<std::uint8_t>(oracles.size() / 2 + 1);
        order.oracles = std::move(oracles);
    }
    if (params.contains("risk")) order.risk = read_risk(node, params.at("risk"));
    if (params.contains("towers") || params.contains("towerSync")) {
        order.towers = node.default_tower_policy();
        if (params.contains("towers")) order.towers->towers = read_towers(params.at("towers"));
        if (params.contains("towerSync")) order.towers->sync = params.at("towerSync").get<std::uint8_t>();
    }
    order.client_ref = read_ref(params);
    return order;
}

void open_channel(Node& node, const Json& params, const rpc::Reply& reply) {
    OpenOrder order = read_order(node, params);
    const auto made = replying<OpenedChannel>(reply, [](const OpenedChannel& opened) {
        Json out{{"channelId", to_hex(opened.id)}};
        if (opened.tx) out["txHash"] = to_hex(*opened.tx);
        return out;
    });
    const std::string peer = params.at("peer").get<std::string>();
    if (const auto id = fixed_from_hex<NodeId>(peer)) {
        order.peer = *id;
        return node.open_channel(order, made);
    }
    node.connect_peer(peer, [&node, order, made](const Result<PeerInfo>& connected) mutable {
        if (!connected) return made(Unexpected{connected.error()});
        order.peer = connected->node_id;
        node.open_channel(order, made);
    });
}

}  // namespace

void bind_channel_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    Node& node = context.node;
    Market& market = context.market;
    dispatcher.bind("channel_open", handler([&node](const Json& params, const rpc::Reply& reply) { open_channel(node, params, reply); }));
    dispatcher.bind("channel_list", handler([&node, &market](const Json& params, const rpc::Reply& reply) {
        const auto channels = node.channels();
        reply.result(paged(params, channels.size(), [&](std::size_t i) { return channel_json(node, market, *channels[i]); }));
    }));
    dispatcher.bind("channel_get", handler([&node, &market](const Json& params, const rpc::Reply& reply) {
        reply.result(channel_json(node, market, read_channel(node, params)));
    }));
    dispatcher.bind("channel_state", handler([&node](const Json& params, const rpc::Reply& reply) {
        reply.result(state_json(node, read_channel(node, params)));
    }));
    dispatcher.bind("channel_export", handler([&node](const Json& params, const rpc::Reply& reply) {
        reply.result(export_json(read_channel(node, params)));
    }));
    dispatcher.bind("channel_history", handler([&node](const Json& params, const rpc::Reply& reply) { reply.result(history_json(node, params)); }));
    dispatcher.bind("channel_deposit", handler([&node](const Json& params, const rpc::Reply& reply) {
        const Channel& channel = read_channel(node, params);
        const std::size_t asset = read_channel_asset(node, channel, params.at("asset"), "asset");
        const Amount amount = read_amount(params.at("amount"), channel.terms.assets[asset].decimals, "amount");
        node.deposit(channel.id, asset, amount, read_ref(params), replying_transaction(reply));
    }));
    dispatcher.bind("channel_withdraw", handler([&node](const Json& params, const rpc::Reply& reply) {
        const Channel& channel = read_channel(node, params);
        const std::size_t asset = read_channel_asset(node, channel, params.at("asset"), "asset");
        const Amount amount = read_amount(params.at("amount"), channel.terms.assets[asset].decimals, "amount");
        node.withdraw(channel.id, asset, amount, read_ref(params), replying_transaction(reply));
    }));
    dispatcher.bind("channel_close", handler([&node](const Json& params, const rpc::Reply& reply) {
        const Channel& channel = read_channel(node, params);
        const bool force = params.contains("force") && params.at("force").get<bool>();
        if (force) return node.force_close(channel.id, read_ref(params), replying_transaction(reply));
        node.close(channel.id, read_ref(params), replying_transaction(reply));
    }));
    dispatcher.bind("channel_backup", handler([&node](const Json& params, const rpc::Reply& reply) {
        node.backup_channels(params.at("path").get<std::string>(), replying<BackedUp>(reply, [](const BackedUp& written) {
            return Json{{"path", written.path}, {"channels", written.channels}};
        }));
    }));
    dispatcher.bind("channel_restore", handler([&node](const Json& params, const rpc::Reply& reply) {
        node.restore_channels(params.at("path").get<std::string>(),
                              replying<std::size_t>(reply, [](std::size_t channels) { return Json{{"channels", channels}}; }));
    }));
}

}  // namespace hedgerow::daemon
