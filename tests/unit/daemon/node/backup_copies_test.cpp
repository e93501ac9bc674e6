#include "daemon/node/backup_copies.h"

#include <doctest/doctest.h>

#include "channel/codec/wire.h"
#include "daemon/node/node.h"
#include "daemon/node/world.h"
#include "tests/unit/daemon/node/many_channels.h"
#include "tests/unit/daemon/tower/tower_rig.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::ManyChannels;

namespace {

/// A stepped node with many channels, and its one peer, whom the test plays.
struct Rig {
    ManyChannels stored;
    std::uint64_t clock_ms = 1'800'000'000'000;
    testing::QueueTransport* link = nullptr;
    std::unique_ptr<Node> node;
    NodeId peer;

    explicit Rig(std::size_t channels) : stored(channels) {
        peer = stored.channels.front().peer;
        stored.close();
        World world = real_world();
        world.drive = Drive::stepped;
        world.now_ms = [this] { return clock_ms; };
        world.steady_ms = [this] { return clock_ms - 1'700'000'000'000; };  // since some other time than 1970
        world.transport = [this](const TransportConfig&, const TransportKeys& keys) {
            auto out = std::make_unique<testing::QueueTransport>(keys.node_id());
            link = out.get();
            return out;
        };
        world.chain = [](const std::string&) { return std::make_unique<testing::DeafChain>(); };
        world.open_seed = [](const std::filesystem::path&, std::string_view) { return testing::many_channels_seed(); };
        node = std::make_unique<Node>(stored.node_options(), world);
        node->unlock_wallet("any", [](const Result<Address>& account) { REQUIRE(account.has_value()); });
    }
    void connects() {
        link->linked.insert(peer);
        link->put({Inbound::Kind::connected, peer, 1, {}, Rule::none});
        Hello hello;
        hello.chain_id = stored.node_options().chain_id;
        says(hello);
    }
    void says(const PeerMessage& message) { link->put({Inbound::Kind::frame, peer, 1, wire_encode(message), Rule::none}); }
    /// A second passes; the copies that the node sent in it.
    std::vector<BackupStore> second() {
        clock_ms += 1'000;
        for (int i = 0; i < 12; ++i) {
            (void)node->step(NodeStep::loop);
            (void)node->step(NodeStep::store);
        }
        std::vector<BackupStore> out;
        for (const auto& [to, frame] : link->sent) {
            auto message = wire_decode<PeerMessage>(frame).value();
            if (auto* copy = std::get_if<BackupStore>(&message)) out.push_back(std::move(*copy));
        }
        link->sent.clear();
        return out;
    }
};

}  // namespace

TEST_CASE("copies: each channel's goes out once after a start, a bounded number a second, and again only where no answer comes") {
    constexpr std::size_t kChannels = 2 * BackupCopies::kMaxSentPerTick + 30;
    Rig rig(kChannels);
    CHECK(rig.second().empty());  // nobody is there
    rig.connects();
    std::map<Locator, std::uint64_t> sent;
    for (int i = 0; i < 5; ++i) {
        const auto copies = rig.second();
        CHECK(copies.size() <= BackupCopies::kMaxSentPerTick);
        for (const BackupStore& copy : copies) CHECK(sent.emplace(copy.slot, copy.number).second);
    }
    REQUIRE(sent.size() == kChannels);
    const auto silent = sent.begin()->first;
    for (const auto& [slot, number] : sent) {
        if (slot != silent) rig.says(BackupStored{slot, number});
    }
    std::size_t again = 0;
    for (int i = 0; i < 15; ++i) {
        for (const BackupStore& copy : rig.second()) {
            CHECK(copy.slot == silent);
            ++again;
            rig.says(BackupStored{copy.slot, copy.number});
        }
    }
    CHECK(again == 1);
}

TEST_CASE("copies: of more channels than are looked at in a second, each has its turn") {
    constexpr std::size_t kChannels = BackupCopies::kMaxLookedAtPerTick + 100;
    Rig rig(kChannels);
    rig.connects();
    std::set<Locator> sent;
    for (std::size_t i = 0; i < kChannels / BackupCopies::kMaxSentPerTick + 2; ++i) {
        for (const BackupStore& copy : rig.second()) {
            sent.insert(copy.slot);
            rig.says(BackupStored{copy.slot, copy.number});
        }
    }
    CHECK(sent.size() == kChannels);
}

TEST_CASE("copies: one that is refused is offered again a while later, by the clock that waits go by") {
    Rig rig(1);
    rig.connects();
    std::vector<BackupStore> copies;
    for (int i = 0; i < 5 && copies.empty(); ++i) copies = rig.second();
    REQUIRE(copies.size() == 1);
    rig.says(TowerRefuse{copies[0].slot, copies[0].number, Rule::backup_over_quota});
    int seconds = 0;
    for (copies.clear(); copies.empty() && seconds < 1'000; ++seconds) copies = rig.second();
    REQUIRE(copies.size() == 1);
    CHECK(seconds >= 30);
    CHECK(seconds < 200);
}
