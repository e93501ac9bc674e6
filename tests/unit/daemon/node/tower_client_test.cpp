#include <doctest/doctest.h>

#include "daemon/tower/appointment.h"
#include "tests/support/no_chain_effects.h"
#include "tests/unit/daemon/node/tower_client_rig.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::channel;
using namespace hedgerow::tests;

TEST_CASE("tower client: every agreed state reaches the tower, sealed, and the newest receipt is kept") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    CHECK(rig.held(tower) == rig.agreed());
    for (int i = 0; i < 3; ++i) {
        rig.pay();
        rig.run();
        CHECK(rig.held(tower) == rig.agreed());
    }
    const auto& record = tower.records.at(rig.locator(tower));
    CHECK(record.receipt.number == 4);
    const Channel& c = rig.pair.a.channel;
    const auto appointment = open_appointment(record.blob, record.version, c.secret, c.me, tower.id());
    REQUIRE(appointment);
    CHECK(appointment->signature_a == c.agreed.signature_a);
    CHECK(appointment->signature_b == c.agreed.signature_b);
    CHECK(Bytes(appointment->state) == wire_encode(c.agreed.state));

    const auto proof = rig.client->proof(c.id, tower.id());
    REQUIRE(proof);
    CHECK(*proof->promise.promise == record.receipt);
    const auto kept = wire_decode<Appointment>(proof->promise.appointment);
    REQUIRE(kept);
    CHECK(seal_appointment(*kept, tower.id(), record.version) == record.blob);
}

TEST_CASE("tower client: at most one state is under way, and then the newest goes") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    const std::uint64_t before = tower.stores;
    for (int i = 0; i < 20; ++i) rig.pay();
    rig.commit();
    CHECK(rig.wire.size() == 1);
    rig.run();
    CHECK(tower.stores == before + 2);  // the first of them, then the newest
    CHECK(rig.held(tower) == rig.agreed());
}

TEST_CASE("tower client: what is owed survives a restart, at every step of a hand-over") {
    // cut: 0 nothing sent, 1 sent but not arrived, 2 stored but the receipt never came
    for (int cut = 0; cut < 3; ++cut) {
        CAPTURE(cut);
        Rig rig;
        FakeTower tower(1);
        rig.pay();
        rig.add(tower);
        const std::uint64_t first = rig.held(tower);
        if (cut == 0) rig.unlink(tower);
        rig.pay();
        rig.commit();
        CHECK(rig.wire.size() == (cut == 0 ? 0 : 1));
        if (cut == 2) {
            rig.linked.erase(tower.id());
            rig.deliver();
            CHECK(tower.records.at(rig.locator(tower)).version == rig.agreed());
        }
        rig.restart();
        CHECK(rig.held(tower) == first);
        rig.pay();  // the newest may have moved on meanwhile
        rig.link(tower);
        rig.run();
        CHECK(rig.held(tower) == rig.agreed());
        CHECK_FALSE(rig.seen(tower).broken);
    }
}

TEST_CASE("tower client: a tower that lost its data, or put an older copy back, is found out and shown with evidence") {
    for (const bool wiped : {true, false}) {
        CAPTURE(wiped);
        Rig rig;
        FakeTower tower(1);
        rig.pay();
        rig.add(tower);
        const auto old_copy = tower.records;
        rig.pay();
        rig.run();
        const TowerReceipt promised = tower.records.at(rig.locator(tower)).receipt;
        rig.unlink(tower);
        tower.records = wiped ? std::map<Locator, FakeTower::Held>() : old_copy;
        rig.link(tower);
        rig.run();
        CHECK(rig.seen(tower).broken);
        const auto evidence = evidence_against(*rig.reader, tower.id(), rig.pair.a.channel.id);
        REQUIRE(evidence.size() == 1);
        CHECK(evidence[0].kept == promised);
        CHECK(evidence[0].said.has_value() == !wiped);
        // it is told again all the same: an unreliable tower is better than none
        CHECK(rig.held(tower) == rig.agreed());
        rig.restart();
        CHECK(rig.seen(tower).broken);
    }
}

TEST_CASE("tower client: a tower may have seen the end of a channel before us") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    rig.unlink(tower);
    tower.records.clear();
    rig.in_sync = false;
    rig.link(tower);
    rig.run(3);
    CHECK_FALSE(rig.seen(tower).broken);
    rig.in_sync = true;
    for (int i = 0; i < 10; ++i) rig.pass(1'000), rig.run(3);
    CHECK(rig.seen(tower).broken);
}

TEST_CASE("tower client: receipts that are not genuine change nothing; one that breaks the chain is evidence") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    const TowerReceipt kept = tower.records.at(rig.locator(tower)).receipt;
    const auto answer_next = [&](const std::function<void(TowerReceipt&)>& change, bool resign) {
        rig.pass(700'000);  // past every pause
        rig.run(0);
        if (rig.wire.empty()) rig.pay(), rig.commit();
        for (int i = 0; i < 5 && !rig.wire.empty() && !std::holds_alternative<TowerStore>(rig.wire[0].second); ++i)
            rig.deliver();
        REQUIRE(rig.wire.size() == 1);
        const auto& store = std::get<TowerStore>(rig.wire[0].second);
        TowerReceipt receipt = tower.next(store.locator, store.version, keccak256(store.blob));
        change(receipt);
        if (resign) receipt = tower.sign(receipt);
        rig.wire.clear();
        rig.client->on_message(tower.id(), receipt);
        rig.commit();
        rig.wire.clear();
    };
    answer_next([](TowerReceipt& r) { r.signature.data[3] ^= 1; }, false);
    answer_next([](TowerReceipt& r) { r.client.data[0] ^= 1; }, true);
    answer_next([](TowerReceipt& r) { r.tower.data[0] ^= 1; }, true);
    CHECK(rig.held(tower) == kept.version);
    CHECK(rig.seen(tower).refused == Rule::tower_receipt_invalid);
    CHECK_FALSE(rig.seen(tower).broken);
    CHECK(evidence_against(*rig.reader, tower.id(), rig.pair.a.channel.id).empty());

    answer_next([](TowerReceipt& r) { r.blob_hash.data[0] ^= 1; }, true);
    CHECK(rig.seen(tower).broken);
    CHECK(evidence_against(*rig.reader, tower.id(), rig.pair.a.channel.id).size() == 1);
}

TEST_CASE("tower client: receipts out of the chain") {
    for (const int lie : {0, 1, 2}) {
        CAPTURE(lie);
        Rig rig;
        FakeTower tower(1);
        rig.pay();
        rig.add(tower);
        rig.pay();
        rig.commit();
        REQUIRE(rig.wire.size() == 1);
        auto& held = tower.records.at(rig.locator(tower)).receipt;
        if (lie == 0) held.previous.data[0] ^= 1;  // another history of the same length
        if (lie == 1) held.number += 1;            // one receipt that we never got, while none was under way
        if (lie == 2) held.number -= 1;
        rig.run();
        CHECK(rig.seen(tower).broken);
    }
}

TEST_CASE("tower client: a tower that holds a newer state than we do says that we are behind") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    rig.unlink(tower);
    const SignedState old = rig.pair.a.channel.agreed;
    rig.pay();
    const SignedState newest = rig.pair.a.channel.agreed;
    rig.link(tower);
    rig.run();
    REQUIRE(rig.held(tower) == newest.state.version);
    rig.restart();
    rig.pair.a.channel.agreed = old;  // a disk of yesterday
    rig.link(tower);
    rig.run();
    REQUIRE(rig.handed.size() == 1);
    CHECK(Bytes(rig.handed[0].state) == wire_encode(newest.state));
    CHECK(rig.handed[0].signature_b == newest.signature_b);
    CHECK(rig.client->answers(rig.pair.a.channel.id).at(0).version == newest.state.version);
    CHECK_FALSE(rig.client->unanswered(rig.pair.a.channel.id));
    CHECK(tower.records.at(rig.locator(tower)).version == newest.state.version);  // never pushed back to the older one
}

TEST_CASE("tower client: k of n hold a version") {
    Rig rig;
    FakeTower one(1), two(2), three(3);
    rig.pay();
    for (FakeTower* tower : {&one, &two, &three}) rig.add(*tower);
    const ChannelId id = rig.pair.a.channel.id;
    CHECK_FALSE(rig.client->any_sync());
    CHECK(rig.client->holds(id, ~std::uint64_t{0}));  // nobody waits
    CHECK(rig.client->set_policy(id, {std::nullopt, 4}).error().name == "field_out_of_range");
    CHECK(rig.client->set_policy(id, {List<NodeId, kMaxTowers>{NodeId()}, 1}).error().name == "tower_unknown");
    CHECK(rig.client->set_policy(id, {List<NodeId, kMaxTowers>{one.id(), one.id()}, 1}).error().name == "tower_exists");
    REQUIRE(rig.client->set_policy(id, {std::nullopt, 2}));
    CHECK(rig.client->any_sync());
    CHECK(rig.client->holds(id, rig.agreed()));

    rig.unlink(two);
    rig.unlink(three);
    rig.pay();
    rig.run();
    CHECK_FALSE(rig.client->holds(id, rig.agreed()));
    CHECK(rig.client->holds(id, rig.agreed() - 1));
    rig.link(three);
    rig.run();
    CHECK(rig.client->holds(id, rig.agreed()));
    CHECK_FALSE(rig.more.empty());

    // a tower that broke its word counts for nothing
    rig.unlink(three);
    three.records.clear();
    rig.link(three);
    rig.run();
    CHECK(rig.held(three) == rig.agreed());
    CHECK_FALSE(rig.client->holds(id, rig.agreed()));

    CHECK(rig.client->remove(NodeId()).error().name == "tower_unknown");
    REQUIRE(rig.client->remove(three.id()));
    CHECK(rig.client->remove(one.id()).error().name == "tower_in_use");
    rig.restart();
    CHECK(rig.client->policy(id) == TowerPolicy{std::nullopt, 2});
    CHECK(rig.client->any_sync());
}

TEST_CASE("tower client: what waits for a tower that stays away is reported when the channel is closed") {
    Rig rig;
    rig.parts->keys = &rig.keys;
    TowerClient client(*rig.parts, rig, rig.me());
    client.restore({}, 1);
    rig.parts->towers = &client;
    testing::NoChainEffects chain;
    ChannelManager manager(*rig.parts, chain);
    rig.parts->channels = &manager;
    const testing::TestKey peer(2);
    Secret secret;
    secret.data[3] = 9;
    Terms terms = testing::sample_terms(peer, peer, secret);
    terms.signer_a = address_of(rig.keys.channel_signer(0));
    const List<Price, kMaxAssets> marks = {testing::usd(1), testing::usd(2000)};
    Channel& channel = manager.add(make_channel(terms, testing::sample_risk(), marks, rig.parts->separator, Party::A,
                                                {}, peer.key, secret),
                                   0);
    int reported = 0;
    int late = 0;
    manager.report(channel.id, 1, [&] { ++reported; }, [&] { ++late; });
    manager.tick();
    rig.commit();
    CHECK(reported == 0);
    channel.status = channel::Status::closed;
    manager.tick();
    rig.commit();
    CHECK(reported == 1);
    CHECK(late == 0);
}

TEST_CASE("tower client: refusals are shown, and tried again ever later; silence too") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    rig.pay();
    rig.commit();
    REQUIRE(rig.wire.size() == 1);
    rig.wire.clear();
    rig.client->on_message(tower.id(), TowerRefuse{rig.locator(tower), rig.agreed(), Rule::tower_over_quota});
    CHECK(rig.seen(tower).refused == Rule::tower_over_quota);
    rig.commit();
    CHECK(rig.wire.empty());
    rig.pass(4'000);
    CHECK(rig.wire.empty());
    rig.pass(2'000);
    CHECK(rig.wire.size() == 1);
    rig.run();
    CHECK(rig.held(tower) == rig.agreed());
    CHECK(rig.seen(tower).refused == Rule::none);

    rig.pay();
    rig.commit();
    rig.wire.clear();
    rig.pass(TowerClient::kAnswerTimeoutMs + 1);
    CHECK(rig.seen(tower).refused == Rule::timeout);
    for (int i = 0; i < 5; ++i) rig.pass(1'000), rig.run(3);
    CHECK(rig.held(tower) == rig.agreed());
    CHECK_FALSE(rig.seen(tower).broken);
}

TEST_CASE("tower client: a closed channel's record is ended, once") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    const TowerReceipt promise = *rig.seen(tower).promise;
    rig.pair.a.channel.status = Status::closed;
    rig.client->head_stored(rig.pair.a.channel);
    rig.run();
    CHECK(tower.ends == 1);
    CHECK(rig.seen(tower).ended);
    CHECK(*rig.seen(tower).promise == promise);  // still the proof of what it promised
    rig.restart();
    rig.link(tower);
    rig.run();
    CHECK(tower.ends == 1);
    CHECK(rig.seen(tower).ended);
}

TEST_CASE("tower client: preimages of locks that pay us go along, and one that is learnt is sent again") {
    Rig rig;
    FakeTower tower(1);
    rig.pay();
    rig.add(tower);
    Preimage preimage;
    preimage.data[0] = 9;
    LockHash hash;
    hash.data = keccak256(preimage.view()).data;
    const Lock lock{hash, g_now / 1'000 + 600, 0, units(-5)};  // B pays A, which is us
    rig.pair.run(rig.pair.b, LocalOp{77, LockOp{lock}});
    rig.pair.settle();
    rig.client->head_stored(rig.pair.a.channel);
    rig.run();
    const Channel& c = rig.pair.a.channel;
    const auto sealed = [&] {
        const auto& record = tower.records.at(rig.locator(tower));
        return *open_appointment(record.blob, record.version, c.secret, c.me, tower.id());
    };
    REQUIRE(rig.held(tower) == rig.agreed());
    CHECK(sealed().preimages.empty());
    rig.outbox->persist([&](Database& db) { put_preimage(db, hash, preimage); });
    rig.commit();
    rig.pass(1'000);
    rig.run();
    REQUIRE(sealed().preimages.size() == 1);
    CHECK(sealed().preimages[0] == preimage);
    const std::uint64_t stores = tower.stores;
    rig.pass(5'000);
    rig.run();
    CHECK(tower.stores == stores);  // nothing more to say
}

TEST_CASE("tower client: what cannot be a tower") {
    Rig rig;
    const auto add = [&](const std::string& uri) {
        std::string name = "none";
        rig.client->add(uri, [&](const Result<TowerInfo>& result) { name = result ? "added" : result.error().name; });
        return name;
    };
    CHECK(add("nonsense") == "peer_uri_malformed");
    CHECK(add(to_hex(rig.me()).substr(2) + "@127.0.0.1:1") == "peer_is_self");
    for (std::uint8_t i = 1; i <= kMaxTowers; ++i) CHECK(add(FakeTower(i).uri()) == "added");
    CHECK(add(FakeTower(99).uri()) == "tower_limit");
    CHECK(add(FakeTower(1).uri()) == "added");  // known: only its address
    rig.restart();
    CHECK(rig.client->list().size() == kMaxTowers);
}

TEST_CASE("tower client: what a tower asks for is known, and what a subscription refused is offered again when it grows") {
    Rig rig;
    FakeTower tower(7);
    rig.pay();
    rig.add(tower);
    const auto asked = [&] {
        rig.commit();
        return std::count_if(rig.wire.begin(), rig.wire.end(), [](const auto& sent) {
            return std::holds_alternative<TowerPlanAsk>(sent.second);
        });
    };
    const auto plan = [&] { return rig.client->list().front().plan; };
    CHECK_FALSE(plan().has_value());
    // Whoever is linked already when it becomes a tower is asked as well.
    rig.wire.clear();
    rig.client->add(tower.uri(), [](const Result<TowerInfo>&) {});
    CHECK(asked() == 1);
    rig.run();
    TowerPlan said{{}, Amount::from_raw(5), 60, 10, 0, 0, 0};
    rig.client->on_message(tower.id(), said);
    CHECK(plan()->fee == Amount::from_raw(5));
    TowerPlan absurd = said;
    absurd.fee = Amount::from_raw(-1);
    rig.client->on_message(tower.id(), absurd);
    absurd.fee = Amount::from_raw(Int128{1} << kMarketBits);
    rig.client->on_message(tower.id(), absurd);
    CHECK(plan()->fee == Amount::from_raw(5));
    rig.client->on_message(FakeTower(8).id(), said);  // nobody's tower

    rig.pay();
    rig.pass(20);
    const auto store = std::find_if(rig.wire.begin(), rig.wire.end(), [](const auto& sent) {
        return std::holds_alternative<TowerStore>(sent.second);
    });
    REQUIRE(store != rig.wire.end());
    const auto refused = std::get<TowerStore>(store->second);
    rig.wire.clear();
    rig.client->on_message(tower.id(), TowerRefuse{refused.locator, refused.version, Rule::tower_not_subscribed});
    rig.client->on_message(tower.id(), said);
    rig.run();
    CHECK(rig.held(tower) < rig.agreed());
    said.granted = 10;
    said.until_ms = g_now + 60'000;
    rig.client->on_message(tower.id(), said);
    rig.run();
    CHECK(rig.held(tower) == rig.agreed());
}
