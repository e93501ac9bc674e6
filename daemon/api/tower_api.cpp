#include <nlohmann/json.hpp>

#include "channel/state/channel_state.h"
#include "daemon/api/format.h"
#include "daemon/api/typed_json.h"
#include "daemon/tower/appointment.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

Json receipt_json(const TowerReceipt& receipt) {
    return {{"tower", to_hex(receipt.tower)},         {"client", to_hex(receipt.client)},
            {"locator", to_hex(receipt.locator)},     {"number", receipt.number},
            {"version", receipt.version},             {"blobHash", to_hex(receipt.blob_hash)},
            {"previous", to_hex(receipt.previous)},   {"time", receipt.time_ms},
            {"signature", to_hex(receipt.signature)}, {"hash", to_hex(receipt_hash(receipt))}};
}

/// The price where this node lists the asset; without it, it could not pay either.
Json plan_json(const Node& node, const TowerPlan& plan) {
    Json out{{"kept", plan.kept}, {"granted", plan.granted}, {"until", plan.until_ms}};
    const AssetInfo* asset = find_asset(node, plan.token);
    if (plan.fee.is_zero() || asset == nullptr) return out;
    out["price"] = {{"asset", asset->symbol}, {"fee", amount_text(plan.fee, asset->decimals)}, {"periodSeconds", plan.period_s}, {"records", plan.records}};
    return out;
}

Json tower_json(const Node& node, const TowerInfo& tower) {
    Json channels = Json::array();
    for (const TowerChannelInfo& c : tower.channels) {
        Json one{{"channelId", to_hex(c.channel)},
                 {"agreed", c.agreed},
                 {"version", c.promise ? c.promise->version : 0},
                 {"broken", c.broken},
                 {"ended", c.ended}};
        if (c.promise) one["receipt"] = receipt_json(*c.promise);
        if (c.refused != Rule::none) one["refused"] = rule_name(c.refused);
        channels.push_back(std::move(one));
    }
    Json out{{"nodeId", to_hex(tower.id)}, {"uri", tower.uri}, {"connected", tower.connected}, {"channels", std::move(channels)}};
    if (tower.plan) out["subscription"] = plan_json(node, *tower.plan);
    return out;
}

/// Receipt, sealed blob, what opens it, and what is inside: nobody needs this node to check it.
Json proof_json(const Node& node, const TowerProof& proof) {
    const TowerReceipt& promise = *proof.promise.promise;
    Json evidence = Json::array();
    for (const EvidenceRow& row : proof.evidence) {
        evidence.push_back({{"time", row.time_ms}, {"kept", receipt_json(row.kept)}, {"said", row.said ? receipt_json(*row.said) : Json()}});
    }
    Json out{{"channelId", to_hex(proof.promise.channel)}, {"receipt", receipt_json(promise)}, {"evidence", std::move(evidence)}};
    if (proof.promise.receipt && *proof.promise.receipt != promise) out["ended"] = receipt_json(*proof.promise.receipt);
    const auto appointment = wire_decode<Appointment>(proof.promise.appointment);
    const auto state = appointment ? decode_state(appointment->state, appointment->terms) : Expected<ChannelState, Rule>(Unexpected{Rule::none});
    if (!state) return out;  // nothing but the receipt is left
    out["blob"] = to_hex(seal_appointment(*appointment, promise.tower, promise.version));
    out["secret"] = to_hex(appointment->secret);
    out["party"] = party_name(appointment->party);
    out["terms"] = typed_value(appointment->terms);
    out["typedData"] = typed_state_json(node, typed_state(*state, proof.promise.channel));
    out["signatures"] = {{"A", to_hex(rsv_from_compact(appointment->signature_a))}, {"B", to_hex(rsv_from_compact(appointment->signature_b))}};
    return out;
}

Json policy_json(const Node& node, const ChannelId& id) {
    Json towers = Json::array();
    for (const NodeId& tower : node.towers_of(id)) towers.push_back(to_hex(tower));
    return {{"towers", std::move(towers)}, {"sync", node.tower_policy(id).sync}};
}

}  // namespace

void bind_tower_methods(rpc::Dispatcher& dispatcher, const ApiContext& context) {
    Node& node = context.node;
    dispatcher.bind("tower_add", handler([&node](const Json& params, const rpc::Reply& reply) {
        node.add_tower(params.at("uri").get<std::string>(), replying<TowerInfo>(reply, [&node](const TowerInfo& tower) { return tower_json(node, tower); }));
    }));
    dispatcher.bind("tower_remove", handler([&node](const Json& params, const rpc::Reply& reply) {
        const auto done = node.remove_tower(read_node_id(params.at("uri").get<std::string>()));
        if (!done) return reply.error(done.error());
        reply_when_stored(node, reply);
    }));
    dispatcher.bind("tower_list", handler([&node](const Json& params, const rpc::Reply& reply) {
        const auto towers = node.towers();
        reply.result(paged(params, towers.size(), [&](std::size_t i) { return tower_json(node, towers[i]); }));
    }));
    dispatcher.bind("tower_proof", handler([&node](const Json& params, const rpc::Reply& reply) {
        const Channel& channel = read_channel(node, params);
        const auto proof = node.tower_proof(channel.id, read_node_id(params.at("tower").get<std::string>()));
        proof ? reply.result(proof_json(node, *proof)) : reply.error(proof.error());
    }));
    dispatcher.bind("channel_towers", handler([&node](const Json& params, const rpc::Reply& reply) {
        const Channel& channel = read_channel(node, params);
        TowerPolicy policy = node.tower_policy(channel.id);
        if (params.contains("all") && params.at("all").get<bool>()) policy.towers.reset();
        if (params.contains("towers")) policy.towers = read_towers(params.at("towers"));
        if (params.contains("sync")) policy.sync = params.at("sync").get<std::uint8_t>();
        const bool change = params.contains("all") || params.contains("towers") || params.contains("sync");
        const auto set = change ? node.set_tower_policy(channel.id, policy) : Result<void>();
        if (!set) return reply.error(set.error());
        reply_when_stored(node, reply, policy_json(node, channel.id));
    }));
}

}  // namespace hedgerow::daemon
