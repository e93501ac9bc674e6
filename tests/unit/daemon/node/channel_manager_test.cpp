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
        parts = std::make_unique<NodeParts>(NodeParts{
            .options = options, .loop = loop, .outbox = *outbox, .reader = *reader, .separator = channel.separator});
        parts->keys = &keys;
        parts->now_ms = parts->steady_ms = kNow;
        manager = std::make_unique<ChannelManager>(*parts, chain);
        parts->channels = manager.get();
        manager->restore(false);
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
    void commit() {
        for (int i = 0; i < 100; ++i) {
            const bool ran = outbox->end_turn();
            writer->flush();
            writer->drain();
            if (!ran && outbox->idle()) return;
        }
    }
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
