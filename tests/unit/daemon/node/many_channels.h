#pragma once

#include <doctest/doctest.h>

#include "daemon/node/keys.h"
#include "daemon/node/node_types.h"
#include "daemon/store/channel_scan.h"
#include "daemon/store/schema.h"
#include "tests/support/channel_pair.h"
#include "tests/unit/daemon/store/temp_dir.h"

namespace hedgerow::testing {

inline wallet::MasterSeed many_channels_seed() {
    return wallet::MasterSeed::from_mnemonic(
               "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about")
        .value();
}

/// A node's store with open channels in it, this node leading, all with one peer but for the last `of_another`; each agreed at version 1.
struct ManyChannels {
    TempDir directory;
    Hash separator = domain_separator({31'337, {}});
    daemon::NodeKeys keys{many_channels_seed()};
    TestKey peer{9};
    mutable std::unique_ptr<daemon::Database> database;
    std::vector<Channel> channels;  ///< the signer of each has its index

    static NodeId peer_number(std::uint8_t number) {
        NodeId out;
        out.data.fill(static_cast<std::uint8_t>(5 + number));
        return out;
    }
    explicit ManyChannels(std::size_t count, std::size_t of_another = 0) {
        daemon::DatabaseOptions options;
        options.path = directory.path() / "node.sqlite";
        options.migrations = daemon::node_schema();
        database = std::make_unique<daemon::Database>(options);
        write([&](daemon::Database& db) {
            daemon::put_meta(db, "node_id", keys.keyring().identity().node_id().view());
            for (std::size_t i = 0; i < count; ++i) add(static_cast<std::uint32_t>(i), peer_number(i + of_another < count ? 0 : 1));
        });
    }
    template <typename Job>
    void write(const Job& job) {
        database->begin();
        job(*database);
        database->commit();
    }
    void store_head(const Channel& c) {
        write([&](daemon::Database& db) { put_head(db, c); });
    }
    /// For a node to open it.
    void close() const { database.reset(); }
    [[nodiscard]] daemon::NodeOptions node_options() const {
        daemon::NodeOptions out;
        out.datadir = directory.path();
        out.chain_id = 31'337;
        out.assets.push_back({"ETH", {}, 18, {}, 0});
        return out;
    }
    /// Updates of the leader that are not acknowledged, each a payment; their versions.
    std::vector<std::uint64_t> add_in_flight(std::size_t which, std::size_t count) {
        Channel leader = channels[which];
        leader.connected = true;
        Context context;
        context.now_ms = context.steady_ms = 1'800'000'000'000;
        std::vector<std::uint64_t> out;
        for (std::size_t i = 0; i < count; ++i) {
            Effects effects;
            step(context, leader, LocalOp{1, PayOp{0, units(1), {}}}, effects);
            step(context, leader, Flush{}, effects);
            REQUIRE(leader.awaiting_signature);
            const PendingUpdate& pending = leader.pending.back();
            const auto signature = keys.sign_state(leader, pending.after, SignReason::business);
            REQUIRE(signature.has_value());
            out.push_back(pending.update.version);
            effects.clear();
            step(context, leader, StateSigned{out.back(), signature->signature}, effects);
            for (const Effect& effect : effects) {
                const auto* persist = std::get_if<PersistUpdate>(&effect);
                if (persist == nullptr) continue;
                write([&](daemon::Database& db) { daemon::put_update(db, daemon::encode_update(*persist, leader.agreed.state.net)); });
            }
        }
        return out;
    }
    /// The newest of them has another's signature.
    void spoil_in_flight(std::size_t which) {
        auto rows = daemon::stored_channels(*database, channels[which].id, channels[which].id);
        REQUIRE(rows.size() == 1);
        PersistUpdate last = rows[0].in_flight.back();
        last.update.signature = channels[which].agreed.signature_a;
        write([&](daemon::Database& db) { daemon::put_update(db, daemon::encode_update(last, channels[which].agreed.state.net)); });
    }

  private:
    static void put_head(daemon::Database& db, const Channel& c) {
        daemon::put_channel(db, {c.id, encode_head(c), c.status, c.peer, c.agreed.state.version}, 1);
    }
    void add(std::uint32_t index, const NodeId& peer_id) {
        const Secret secret = keys.watch_secret(index);
        const TestKey ours(1);
        Terms terms = sample_terms(ours, peer, secret);
        const PublicKey signer = keys.channel_signer(index);
        terms.signer_a = address_of(signer);
        const List<Price, kMaxAssets> marks = {usd(1), usd(2'000)};
        Channel c = make_channel(terms, sample_risk(), marks, separator, Party::A, peer_id, peer.key, secret);
        c.status = Status::open;
        c.funds_seen.deposit_a[0] = c.funds_seen.deposit_b[0] = units(1'000'000);
        c.funds_peer = c.funds_seen;
        c.agreed.state.version = 1;
        c.agreed.state.timestamp_ms = 1;
        c.agreed.state.refresh_derived();
        c.agreed.digest = state_digest(c.agreed.state, c.id, separator);
        REQUIRE(keys.add_channel(c, index, {}) == Rule::none);
        const auto signature = keys.sign_state(c, c.agreed.state, SignReason::business);
        REQUIRE(signature.has_value());
        c.agreed.signature_a = signature->signature;
        c.agreed.signature_b = peer.sign(c.agreed.digest);
        c.highest_signed = 1;
        put_head(*database, c);
        daemon::put_signing_record(*database, c.id, signature->record);
        daemon::put_signer_index(*database, c.id, index);
        channels.push_back(std::move(c));
    }
};

}  // namespace hedgerow::testing
