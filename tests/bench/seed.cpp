#include "tests/bench/seed.h"

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "daemon/node/keys.h"
#include "daemon/store/channel_scan.h"
#include "daemon/store/schema.h"
#include "daemon/store/writer.h"
#include "wallet/keys/master_seed.h"

namespace hedgerow::bench {

using namespace channel;

namespace {

constexpr std::uint32_t kFirstSigner = 1'000;  ///< far above what the nodes have used
constexpr std::size_t kRowsPerCommit = 5'000;

struct Side {
    daemon::NodeKeys keys;
    std::unique_ptr<daemon::Database> db;
    Channel model;

    Side(test::Daemon& node, const ChannelId& id, const Hash& separator)
        : keys(wallet::MasterSeed::from_mnemonic(node.phrase()).value()) {
        db = open_store(node);
        for (const daemon::ChannelRow& row : daemon::all_channels(*db)) {
            if (row.id == id) model = restore_channel(row.head.whole(), separator, {}).value();
        }
        if (model.id != id) throw std::runtime_error("no such channel");
    }

    void store(const Channel& channel, std::uint32_t index, const Bytes& record) {
        daemon::put_channel(
            *db, {channel.id, encode_head(channel), channel.status, channel.peer, channel.agreed.state.version}, 1);
        daemon::put_signing_record(*db, channel.id, record);
        daemon::put_signer_index(*db, channel.id, index);
    }
};

}  // namespace

std::unique_ptr<daemon::Database> open_store(const test::Daemon& node) {
    daemon::DatabaseOptions options;
    options.path = node.datadir() / "node.sqlite";
    options.migrations = daemon::node_schema();
    {
        // What a kill left in its journal is brought into the database, as at any start.
        daemon::WriterOptions writing;
        writing.drive = daemon::Drive::stepped;
        writing.journal.emplace();
        writing.journal->path = node.datadir() / "node.journal";
        const daemon::Writer writer(std::make_unique<daemon::Database>(options), [](const daemon::StoreError&) {}, writing);
    }
    return std::make_unique<daemon::Database>(options);
}

void seed_channels(test::DaemonWorld& world, test::Daemon& leader, test::Daemon& follower, const ChannelId& model,
                   std::size_t count, const Fill& fill) {
    const Hash separator = domain_separator({test::Anvil::kChainId, world.adjudicator});
    Side a(leader, model, separator), b(follower, model, separator);
    for (std::size_t i = 0; i < count; ++i) {
        if (i % kRowsPerCommit == 0) {
            a.db->begin();
            b.db->begin();
        }
        const std::uint32_t index = kFirstSigner + static_cast<std::uint32_t>(i);
        const Secret secret = b.keys.watch_secret(index);
        Terms terms = a.model.terms;
        const PublicKey key_a = a.keys.channel_signer(index), key_b = b.keys.channel_signer(index);
        terms.signer_a = address_of(key_a);
        terms.signer_b = address_of(key_b);
        terms.salt = keccak256(secret.view());
        std::array<Channel, 2> made;
        std::array<Bytes, 2> records;
        for (Side* side : {&a, &b}) {
            const bool is_a = side == &a;
            const Channel& like = side->model;
            Channel c = make_channel(terms, like.agreed.state.risk, like.agreed.state.asset_marks, separator,
                                     is_a ? Party::A : Party::B, like.peer, is_a ? key_b : key_a, secret);
            c.status = Status::open;
            c.funds_seen = like.funds_seen;
            c.funds_peer = like.funds_peer;
            ChannelState& state = c.agreed.state;
            state.version = 1;
            state.timestamp_ms = 1;
            if (fill) fill(state);
            state.refresh_derived();
            c.agreed.digest = state_digest(state, c.id, separator);
            if (side->keys.add_channel(c, index, {}) != Rule::none)
                throw std::runtime_error("the policy does not take the channel");
            const auto signature = side->keys.sign_state(c, state, SignReason::business);
            if (!signature) throw std::runtime_error(std::string("not signed: ").append(rule_name(signature.error())));
            c.agreed.signature(c.me) = signature->signature;
            c.highest_signed = 1;
            records[is_a ? 0 : 1] = signature->record;
            made[is_a ? 0 : 1] = std::move(c);
        }
        made[0].agreed.signature_b = made[1].agreed.signature_b;
        made[1].agreed.signature_a = made[0].agreed.signature_a;
        a.store(made[0], index, records[0]);
        b.store(made[1], index, records[1]);
        if (i % kRowsPerCommit != kRowsPerCommit - 1 && i + 1 != count) continue;
        a.db->commit();
        b.db->commit();
    }
    const std::uint32_t next = kFirstSigner + static_cast<std::uint32_t>(count);
    for (Side* side : {&a, &b}) {
        side->db->begin();
        daemon::put_meta(*side->db, "next_signer", wire_encode(next));
        side->db->commit();
    }
}

}  // namespace hedgerow::bench
