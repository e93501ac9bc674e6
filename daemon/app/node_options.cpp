#include "daemon/app/node_options.h"

#include <algorithm>
#include <thread>

namespace hedgerow::daemon {

using namespace channel;

namespace {

/// One class an underlying: of several instruments on it the strictest rates and the smallest lot.
void add_class(RiskTerms& risk, const RiskClass& added) {
    for (RiskClass& present : risk.classes) {
        if (present.underlying != added.underlying) continue;
        present.initial_bps = std::max(present.initial_bps, added.initial_bps);
        present.maintenance_bps = std::max(present.maintenance_bps, added.maintenance_bps);
        present.penalty_bps = std::max(present.penalty_bps, added.penalty_bps);
        present.lot = std::min(present.lot, added.lot);
        return;
    }
    if (risk.classes.size() < RiskTerms::kMaxClasses) risk.classes.push_back(added);
}

RiskTerms risk_terms(const Config& config, const Registry& registry) {
    RiskTerms risk = config.risk;
    if (!risk.classes.empty()) return risk;
    for (const Instrument& row : registry.all()) add_class(risk, row.risk);
    return risk;
}

OpeningPolicy opening_policy(const Config& config, const Registry& registry) {
    OpeningPolicy out;
    out.accept = config.channel.accept;
    out.oracles = config.oracle.signers;
    out.oracle_threshold = config.oracle.threshold;
    out.price_slot_s = config.channel.price_slot_s;
    out.price_grace_s = config.channel.price_grace_s;
    out.dispute_period_s = config.channel.dispute_period_s;
    out.min_dispute_period_s = config.channel.min_dispute_period_s;
    out.stale_penalty = config.channel.stale_penalty;
    out.max_stale_penalty = config.channel.max_stale_penalty;
    out.risk = risk_terms(config, registry);
    return out;
}

}  // namespace

NodeOptions node_options(const Config& config, const Registry& registry) {
    NodeOptions out;
    out.datadir = config.datadir;
    out.agent = "hedgerowd/" HEDGEROW_VERSION;
    out.chain_url = config.chain.rpc_url;
    out.chain_id = config.chain.chain_id;
    out.adjudicator = config.chain.adjudicator;
    out.adjudicator_block = config.chain.adjudicator_block;
    out.confirmations = config.chain.confirmations;
    out.chain_poll_ms = config.chain.poll_ms;
    out.fees.confirmations = config.chain.confirmations;
    out.fees.block_ms = config.chain.block_ms;
    out.fees.rebroadcast_ms = config.chain.block_ms * 5ull / 4;
    out.fees.replace_after_ms = config.chain.block_ms * 5ull;
    out.transport.listen = config.network.listen;
    out.transport.listen_host = config.network.listen_host;
    out.transport.listen_port = config.network.listen_port;
    out.advertised_host = config.network.advertised_host;
    for (const PeerUri& peer : config.network.peers) out.peers.push_back(format_peer_uri(peer));
    for (const AssetConfig& asset : config.assets) out.assets.push_back({asset.symbol, asset.token, asset.decimals, asset.feed, asset.haircut_bps});
    out.opening = opening_policy(config, registry);
    out.limits = {config.channel.max_lock_s, config.channel.max_deadline_s, config.channel.max_locks, config.channel.min_lock};
    out.accept_stale_database = config.accept_stale_database;
    out.workers = config.workers != 0 ? config.workers : std::max(2U, std::thread::hardware_concurrency()) - 1;
    for (const PeerUri& tower : config.tower_client.towers) out.towers.push_back(format_peer_uri(tower));
    out.tower_sync = static_cast<std::uint8_t>(config.tower_client.sync);
    return out;
}

MarketOptions market_options(const Config& config) {
    MarketOptions out;
    out.make = config.maker.enabled;
    out.spread_bps = config.maker.spread_bps;
    out.swap_spread_bps = config.maker.spread_bps;
    out.refresh_ms = config.maker.refresh_ms;
    out.quote_validity_ms = config.market.quote_validity_ms;
    for (const MakerSize& size : config.maker.sizes) {
        if (const auto feed = feed_from_name(size.instrument)) out.sizes.emplace_back(*feed, size.size);
    }
    return out;
}

PriceBookConfig price_book_config(const Config& config) {
    PriceBookConfig out;
    out.oracles = config.oracle.signers;
    out.threshold = config.oracle.threshold;
    out.max_age_ms = config.oracle.max_age_ms;
    out.max_deviation_bps = config.oracle.max_deviation_bps;
    out.history.file = config.datadir / "prices";
    return out;
}

OracleClientConfig oracle_client_config(const Config& config) {
    OracleClientConfig out;
    for (const OracleAddress& oracle : config.oracle.endpoints) out.endpoints.push_back({oracle.publish, oracle.http});
    return out;
}

}  // namespace hedgerow::daemon
