#include <set>

#include "tests/unit/daemon/node/linked_channels.h"

/// How turns of many channels end: what is computed side by side is what one thread computes, and what is left is left fairly.
using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using testing::LinkedChannels;
using testing::units;

namespace {

/// Every channel is connected on both sides.
void connect_all(LinkedChannels& rig) {
    while (LinkedChannels::count_reestablish(rig.turn()) > 0) {
    }
    for (const Channel& c : rig.stored.channels)
        rig.arrives(Reestablish{c.id, 1, c.agreed.digest, 1, c.agreed.signature_b}, c.peer == testing::ManyChannels::peer_number(0) ? 0 : 1);
    for (int i = 0; i < 10; ++i) (void)rig.turn();
    for (const Channel& c : rig.stored.channels) REQUIRE(rig.manager->find(c.id)->connected);
}

void pay(LinkedChannels& rig, const ChannelId& id, long amount) {
    rig.manager->submit(id, PayOp{0, units(amount), {}}, [](Rule rule) { FAIL(rule_name(rule)); });
}

Ack ack_of(const LinkedChannels& rig, const ChannelId& id) {
    const PendingUpdate& newest = rig.manager->find(id)->pending.back();
    return {id, newest.update.version, rig.stored.peer.sign(newest.digest)};
}

/// Frames in one turn, then its end; what it said.
std::vector<PeerMessage> turn_of(LinkedChannels& rig, const std::vector<PeerMessage>& messages) {
    for (const PeerMessage& message : messages)
        rig.link.inbound.push_back({Inbound::Kind::frame, testing::ManyChannels::peer_number(0), 1, wire_encode(message), Rule::none});
    rig.peers->drain();
    rig.peers->end_turn();
    return rig.turn();
}

std::set<ChannelId> updated(const std::vector<PeerMessage>& said) {
    std::set<ChannelId> out;
    for (const PeerMessage& message : said) {
        if (const auto* update = std::get_if<Update>(&message)) out.insert(update->channel);
    }
    return out;
}

/// The same day with so many workers: all that was said, as bytes, and the states at its end.
std::string day_with(std::size_t workers) {
    LinkedChannels rig(90, 0, workers);
    connect_all(rig);
    std::string out;
    const auto note = [&](const std::vector<PeerMessage>& said) {
        for (const PeerMessage& message : said) out += to_hex(wire_encode(message)) + "\n";
    };
    for (long day = 1; day <= 3; ++day) {
        for (std::size_t i = 0; i < rig.stored.channels.size(); ++i) pay(rig, rig.stored.channels[i].id, day + static_cast<long>(i));
        for (int i = 0; i < 3; ++i) note(rig.turn());
        std::vector<PeerMessage> answers;
        for (std::size_t i = 0; i < 40; ++i) answers.emplace_back(ack_of(rig, rig.stored.channels[i].id));
        // One that is wrong, one twice, one with something else of its channel behind it.
        std::get<Ack>(answers[3]).signature.data[5] ^= 1;
        answers.push_back(answers[7]);
        answers.emplace_back(FundsSeen{rig.stored.channels[9].id, rig.stored.channels[9].funds_seen});
        note(turn_of(rig, answers));
        for (int i = 0; i < 3; ++i) note(rig.turn());
    }
    for (const Channel& c : rig.stored.channels) {
        const Channel& now = *rig.manager->find(c.id);
        out += to_hex(now.agreed.digest) + to_hex(wire_encode(now.agreed.signature_b)) + std::to_string(now.pending.size()) + "\n";
    }
    return out;
}

}  // namespace

TEST_CASE("turns: four workers say and sign to the letter what one does") {
    const std::string one = day_with(1);
    CHECK(one.size() > 50'000);
    CHECK(day_with(4) == one);
}

TEST_CASE("turns: an acknowledgement counts in its own turn, or before whatever else comes for its channel") {
    LinkedChannels rig(2);
    connect_all(rig);
    const ChannelId id = rig.stored.channels[0].id;
    pay(rig, id, 5);
    CHECK(updated(rig.turn()) == std::set<ChannelId>{id});
    const Ack ack = ack_of(rig, id);
    rig.arrives(ack);
    CHECK(rig.manager->find(id)->agreed.state.version == 1);  // at the end of the turn
    SUBCASE("its own turn") {
        (void)rig.turn();
    }
    SUBCASE("something else of the channel") {
        pay(rig, id, 6);
        CHECK(rig.manager->find(id)->agreed.state.version == 2);
    }
    SUBCASE("the link goes") {
        rig.arrives(Inbound::Kind::disconnected, {});
        CHECK_FALSE(rig.manager->find(id)->connected);
    }
    CHECK(rig.manager->find(id)->agreed.state.version == 2);
    CHECK(rig.manager->find(id)->agreed.signature_b == ack.signature);
}

TEST_CASE("turns: any number of acknowledgements of one channel in one turn") {
    for (const std::size_t count : {2, 3, 4, 5}) {
        LinkedChannels rig(2);
        connect_all(rig);
        const ChannelId id = rig.stored.channels[0].id;
        std::vector<PeerMessage> answers;
        for (std::size_t i = 0; i < count; ++i) {
            pay(rig, id, 5);
            CHECK(updated(rig.turn()).size() == 1);
            answers.emplace_back(ack_of(rig, id));
        }
        (void)turn_of(rig, answers);
        CHECK(rig.manager->find(id)->agreed.state.version == 1 + count);
    }
}

TEST_CASE("turns: a wrong acknowledgement is a fault of its sender, and of its channel alone") {
    LinkedChannels rig(3, 0, 3);
    connect_all(rig);
    std::vector<PeerMessage> answers;
    for (const Channel& c : rig.stored.channels) pay(rig, c.id, 5);
    CHECK(updated(rig.turn()).size() == 3);
    for (const Channel& c : rig.stored.channels) answers.emplace_back(ack_of(rig, c.id));
    std::get<Ack>(answers[1]).signature.data[9] ^= 4;
    const auto said = turn_of(rig, answers);
    CHECK(std::count_if(said.begin(), said.end(), [](const PeerMessage& m) { return std::holds_alternative<PeerError>(m); }) == 1);
    for (std::size_t i = 0; i < 3; ++i) CHECK(rig.manager->find(rig.stored.channels[i].id)->agreed.state.version == (i == 1 ? 1 : 2));
}

TEST_CASE("turns: a peer with many channels under way leaves another its share of every turn's signatures") {
    constexpr std::size_t kMany = 5 * ChannelManager::kMaxSignaturesPerTurn;
    LinkedChannels rig(kMany + 3, 3);
    connect_all(rig);
    std::set<ChannelId> others;
    for (const Channel& c : rig.stored.channels) {
        pay(rig, c.id, 5);  // those of the other peer last
        if (c.peer == testing::ManyChannels::peer_number(1)) others.insert(c.id);
    }
    REQUIRE(others.size() == 3);
    const std::set<ChannelId> first = updated(rig.turn());
    CHECK(first.size() == ChannelManager::kMaxSignaturesPerTurn);
    CHECK(std::includes(first.begin(), first.end(), others.begin(), others.end()));
    // And nobody is passed over.
    std::set<ChannelId> all = first;
    for (int i = 0; i < 5; ++i) {
        const std::set<ChannelId> more = updated(rig.turn());
        for (const ChannelId& id : more) CHECK(all.insert(id).second);
    }
    CHECK(all.size() == kMany + 3);
}
