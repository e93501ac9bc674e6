#include <set>

#include "tests/unit/daemon/node/linked_channels.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using Rig = testing::LinkedChannels;

TEST_CASE("connecting: a peer with many channels hears of a bounded number a turn, of each once") {
    constexpr std::size_t kChannels = 2 * ChannelManager::kMaxConnectsPerTurn + 10;
    Rig rig(kChannels);
    std::set<ChannelId> told;
    for (const std::size_t expected : {ChannelManager::kMaxConnectsPerTurn, ChannelManager::kMaxConnectsPerTurn, std::size_t{10}, std::size_t{0}}) {
        const auto said = rig.turn();
        CHECK(Rig::count_reestablish(said) == expected);
        for (const PeerMessage& message : said) {
            if (const auto* where = std::get_if<Reestablish>(&message)) CHECK(told.insert(where->channel).second);
        }
        CHECK(rig.manager->more_to_connect() == (told.size() != kChannels));
    }
    CHECK(told.size() == kChannels);
}

TEST_CASE("connecting: nothing more is said while the peer has much to read, and all of it once it has read") {
    Rig rig(20);
    rig.link.unread = ChannelManager::kMaxQueuedBytes;
    CHECK(rig.turn().empty());
    CHECK_FALSE(rig.manager->more_to_connect());  // no busy waiting: a timer looks again
    CHECK(rig.turn().empty());
    rig.link.unread = ChannelManager::kMaxQueuedBytes - 1;
    CHECK(Rig::count_reestablish(rig.turn()) == 20);
    CHECK(rig.turn().empty());
}

TEST_CASE("connecting: a channel that the peer speaks of first says its own Reestablish before anything else") {
    Rig rig(20);
    rig.link.unread = ChannelManager::kMaxQueuedBytes;
    const Channel& spoken = rig.stored.channels[13];
    Reestablish theirs{spoken.id, 1, spoken.agreed.digest, 1, spoken.agreed.signature_b};
    rig.arrives(theirs);
    const auto said = rig.turn();
    REQUIRE_FALSE(said.empty());
    const auto* ours = std::get_if<Reestablish>(&said.front());
    REQUIRE(ours != nullptr);
    CHECK(ours->channel == spoken.id);
    CHECK(rig.manager->find(spoken.id)->connected);
    rig.link.unread = 0;
    const auto rest = rig.turn();
    CHECK(Rig::count_reestablish(rest) == 19);  // and not again
}

TEST_CASE("connecting: a link that is lost in between begins anew with the next") {
    constexpr std::size_t kChannels = ChannelManager::kMaxConnectsPerTurn + 50;
    Rig rig(kChannels);
    CHECK(Rig::count_reestablish(rig.turn()) == ChannelManager::kMaxConnectsPerTurn);
    rig.arrives(Inbound::Kind::disconnected, {});
    CHECK(rig.turn().empty());
    rig.greet(0);
    CHECK(Rig::count_reestablish(rig.turn()) == ChannelManager::kMaxConnectsPerTurn);
    CHECK(Rig::count_reestablish(rig.turn()) == 50);
}
