#include "daemon/node/channel_manager.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "daemon/store/schema.h"
#include "tests/support/channel_pair.h"
#include "tests/support/no_chain_effects.h"
#include "tests/support/store_turns.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::units;

namespace {

constexpr std::uint64_t kNow = 1'800'000'000'000;
constexpr std::uint32_t kSigner = 7;

std::uint64_t clock_now() {
    return kNow;
}

/// A manager after a restart: one channel, and one payment of which the store only knows that it was asked for.
struct Restarted {
    std::filesystem::path directory;
    NodeOptions options;
    EventLoop loop{clock_now};
    NodeKeys keys{*wallet::MasterSeed::from_mnemonic(
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about")};
    testing::NoChainEffects chain;
    std::unique_ptr<daemon::Writer> writer;
    std::unique_ptr<Database> reader;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<NodeParts> parts;
    std::unique_ptr<ChannelManager> manager;
    Channel channel = make_channel();
    const Op payment = PayOp{0, units(5), {}};
    const ClientRef ref = "pay-1";

    explicit Restarted(const std::function<void(Channel&)>& alter) {
        alter(channel);
        std::string path = (std::filesystem::temp_directory_path() / "hedgerow-channels-XXXXXX").string();
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        directory = path;
        DatabaseOptions database;
        database.path = directory / "node.sqlite";
        database.migrations = node_schema();
        auto db = std::make_unique<Database>(database);
        ClientRefRow row;
        row.ref = ref;
        row.kind = "op";
        row.request = keccak256({channel.id.view(), wire_encode(payment)});
        row.channel = channel.id;
        row.version = channel.agreed.state.version + 1;
        row.op = 0;
        row.created_ms = kNow;
        put_client_ref(*db, row);
        writer = std::make_unique<daemon::Writer>(std::move(db), [](const StoreError&) {});
        reader = Database::open_reader(database.path);
        outbox = std::make_unique<Outbox>(*writer);
        parts = std::unique_ptr<NodeParts>(new NodeParts{
            .options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = channel.separator});
        parts->keys = &keys;
        parts->now_ms = parts->steady_ms = kNow;
        parts->chain_seen = true;
        manager = std::make_unique<ChannelManager>(*parts, chain);
        parts->channels = manager.get();
        manager->restored(false);
        manager->add(channel, kSigner);
        commit();
    }
    ~Restarted() {
        manager.reset();
        outbox.reset();
        writer.reset();
        reader.reset();
        std::filesystem::remove_all(directory);
    }
    Channel make_channel() {
        Channel out = testing::Pair().a.channel;
        out.secret = keys.watch_secret(kSigner);
        out.terms.signer_a = address_of(keys.channel_signer(kSigner));
        out.terms.owner_a = keys.owners().front();
        out.terms.salt = keccak256(out.secret.view());
        out.id = channel_id_of(out.terms, out.separator);
        return out;
    }
    void commit() { testing::commit_all(*outbox, *writer); }
    /// What a user who asks (again) has been told by now.
    struct Told {
        std::vector<Fault> faults;
        int done = 0;
    };
    std::shared_ptr<Told> ask(const ClientRef& as) {
        auto told = std::make_shared<Told>();
        manager->submit(channel.id, payment, as, [told](const Result<OpDone>& result) {
            if (result)
                ++told->done;
            else
                told->faults.push_back(result.error());
        });
        commit();
        return told;
    }
    /// What was reported as done in that version before the restart.
    std::shared_ptr<Told> ask_of_done(std::uint64_t version) {
        ClientRefRow row;
        row.ref = "pay-0";
        row.kind = "op";
        row.request = keccak256({channel.id.view(), wire_encode(payment)});
        row.outcome = RefOutcome::done;
        row.channel = channel.id;
        row.version = version;
        row.op = 0;
        outbox->persist([row](Database& db) { put_client_ref(db, row); });
        commit();
        return ask(row.ref);
    }
    void tick() {
        manager->tick();
        commit();
    }
    [[nodiscard]] RefOutcome stored() { return find_client_ref(*reader, ref)->outcome; }
};

void close_it(Channel& channel) {
    channel.status = Status::closed;
    channel.connected = false;
}

}  // namespace

TEST_CASE("in doubt at a restart, whose channel was final before it was resolved: answered, not left waiting") {
    Restarted node(close_it);
    const auto told = node.ask(node.ref);
    CHECK(told->faults.empty());  // it may still be in what the chain decided
    node.tick();
    REQUIRE(told->faults.size() == 1);
    CHECK(told->faults[0].name == "peer_disconnected");
    CHECK(told->faults[0].outcome == rpc::Outcome::not_done);
    CHECK(told->done == 0);
    CHECK(node.stored() == RefOutcome::refused);
    node.tick();
    CHECK(told->faults.size() == 1);
}

TEST_CASE("in doubt at a restart, while the channel is open and its peer away: nobody is told anything yet") {
    Restarted node([](Channel& channel) { channel.connected = false; });
    const auto told = node.ask(node.ref);
    node.tick();
    CHECK(told->faults.empty());
    CHECK(told->done == 0);
    CHECK(node.stored() == RefOutcome::pending);
}

TEST_CASE("a node that lost data never says refused of what it may have forgotten, while it recovers and after") {
    for (const Status status : {Status::recovering, Status::disputed, Status::closed}) {
        CAPTURE(status_name(status));
        Restarted node([status](Channel& channel) {
            channel.status = status;
            channel.lost_data = true;
            channel.connected = false;
        });
        const auto told = node.ask(node.ref);
        node.tick();
        REQUIRE(told->faults.size() == 1);
        CHECK(told->faults[0].name == "channel_recovering");
        CHECK(told->faults[0].outcome == rpc::Outcome::unknown);
        CHECK(node.stored() == RefOutcome::pending);
        // A reference that it does not know may have been used in what was lost.
        const auto unknown = node.ask("pay-2");
        REQUIRE(unknown->faults.size() == 1);
        CHECK(unknown->faults[0].name == "channel_recovering");
        CHECK(unknown->faults[0].outcome == rpc::Outcome::unknown);
    }
}

TEST_CASE("what both have signed is done, unless the chain has settled an older state") {
    const auto closed_with = [](std::optional<std::uint64_t> recorded) {
        return [recorded](Channel& channel) {
            close_it(channel);
            if (recorded) channel.dispute = Dispute{1, 2, *recorded, Party::B, 0};
        };
    };
    Restarted older(closed_with(6));
    CHECK(older.ask_of_done(6)->done == 1);
    const auto lost = older.ask_of_done(7);
    CHECK(lost->done == 0);
    REQUIRE(lost->faults.size() == 1);
    CHECK(lost->faults[0].name == "settled_without");
    CHECK(lost->faults[0].outcome == rpc::Outcome::not_done);
    Restarted agreed(closed_with(std::nullopt));
    CHECK(agreed.ask_of_done(7)->done == 1);
    Restarted disputed([](Channel& channel) {
        channel.status = Status::disputed;
        channel.dispute = Dispute{1, 2, 6, Party::B, 0};
    });
    disputed.parts->chain_time_s = 2;
    CHECK(disputed.ask_of_done(7)->done == 1);  // it will be answered
    disputed.parts->chain_time_s = 3;
    const auto late = disputed.ask_of_done(7);
    REQUIRE(late->faults.size() == 1);
    CHECK(late->faults[0].name == "channel_disputed");
    CHECK(late->faults[0].outcome == rpc::Outcome::unknown);
    CHECK(disputed.ask_of_done(6)->done == 1);
}

TEST_CASE("what was done before a restart is told once the chain has been seen, for it may have settled without it") {
    Restarted node([](Channel&) {});
    node.parts->chain_seen = false;
    const auto told = node.ask_of_done(6);
    node.tick();
    CHECK(told->done == 0);
    CHECK(told->faults.empty());
    node.parts->chain_seen = true;
    node.tick();
    CHECK(told->done == 1);
    node.parts->chain_seen = false;
    const auto unseen = node.ask_of_done(6);
    node.parts->steady_ms += 20'000;
    node.tick();
    REQUIRE(unseen->faults.size() == 1);
    CHECK(unseen->faults[0].name == "chain_not_synced");
    CHECK(unseen->faults[0].outcome == rpc::Outcome::unknown);
}

TEST_CASE("a node that may have lost channels with its disk does not say of one that it is not there") {
    Restarted node([](Channel&) {});
    node.channel.id.data[0] ^= 1;
    auto told = node.ask("pay-3");
    REQUIRE(told->faults.size() == 1);
    CHECK(told->faults[0].name == "channel_unknown");
    node.parts->may_lack_channels = true;
    told = node.ask("pay-3");
    REQUIRE(told->faults.size() == 1);
    CHECK(told->faults[0].name == "channel_recovering");
    CHECK(told->faults[0].outcome == rpc::Outcome::unknown);
}
