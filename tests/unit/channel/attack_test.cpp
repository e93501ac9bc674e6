#include <doctest/doctest.h>

#include "tests/support/attack.h"

using namespace hedgerow::testing;

/// What a lying peer may try with the protocol (spec 6, 7, 8), one case each. The harness asserts that nobody signs two
/// states of one version, that no op is both refused and agreed, and that nothing is signed which the wallet's policy
/// would refuse.

TEST_CASE("attack: a signature that only a contract would refuse (the other parity) is mended before anybody gets it") {
    bool to_towers = false;
    SUBCASE("by whoever hands it on") {}
    SUBCASE("or refused at once, where each state is handed on") { to_towers = true; }
    for (const Party liar : {Party::A, Party::B}) {
        CAPTURE(liar);
        Pair pair;
        Side& honest = pair.side(other(liar));
        honest.channel.proves_parity = to_towers;
        pair.submit(Party::A, pay(10));
        pair.run(pair.a, Flush{});
        if (liar == Party::A) {
            Update update = *last_sent<Update>(pair.a);
            update.signature->data[32] ^= 0x80;
            pair.a.outbox.clear();
            pair.run(pair.b, FromPeer{update, {}});
            pair.run(pair.b, Flush{});
        } else {
            deliver_all(pair, pair.a);
            pair.run(pair.b, Flush{});
            REQUIRE(last_sent<Ack>(pair.b) != nullptr);
            Ack ack = *last_sent<Ack>(pair.b);
            ack.signature.data[32] ^= 0x80;
            pair.run(pair.a, FromPeer{ack, {}});
        }
        const Channel& c = honest.channel;
        if (to_towers) {
            CHECK(c.agreed.state.version == 0);
            const Rule rule = liar == Party::B ? honest.faults.back() : last_sent<Reject>(honest)->rule;
            CHECK(rule == Rule::bad_signature);
            continue;
        }
        REQUIRE(c.agreed.state.version == 1);
        CHECK_FALSE(verify(c.agreed.digest, c.agreed.signature(liar), pair.side(liar).key.key));
        const auto restored = restore_channel(honest.head, c.separator, {});
        REQUIRE(restored.has_value());
        for (const Channel* from : {&c, &*restored}) {
            const BothSignatures both = enforceable_signatures(*from);
            CHECK(verify(c.agreed.digest, both.a, pair.a.key.key));
            CHECK(verify(c.agreed.digest, both.b, pair.b.key.key));
        }
    }
}

TEST_CASE("attack: a hand-over whose signatures a contract would refuse is refused") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    const Bytes old = pair.b.head;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    const SignedState newest = pair.a.channel.agreed;
    pair.b.channel = restore_channel(old, pair.b.channel.separator, {}).value();
    pair.b.channel.lost_data = true;
    for (const Party whose : {Party::A, Party::B}) {
        HandOver message{Blob<(1 << 16)>(ByteView(wire_encode(newest.state))), pair.b.channel.id, newest.signature_a, newest.signature_b};
        (whose == Party::A ? message.signature_a : message.signature_b).data[32] ^= 0x80;
        pair.run(pair.b, FromPeer{message, {}});
        CHECK(pair.b.faults.back() == Rule::bad_signature);
        CHECK(pair.b.channel.agreed.state.version == 1);
    }
}

TEST_CASE("attack: a signature of neither parity is refused") {
    Pair pair;
    pair.submit(Party::A, pay(10));
    pair.run(pair.a, Flush{});
    SUBCASE("of the follower") {
        deliver_all(pair, pair.a);
        pair.run(pair.b, Flush{});
        REQUIRE(last_sent<Ack>(pair.b) != nullptr);
        Ack ack = *last_sent<Ack>(pair.b);
        ack.signature.data[40] ^= 1;
        pair.run(pair.a, FromPeer{ack, {}});
        CHECK(pair.a.channel.agreed.state.version == 0);
        CHECK(pair.a.faults.back() == Rule::bad_signature);
    }
    SUBCASE("of the leader") {
        Update update = *last_sent<Update>(pair.a);
        update.signature->data[40] ^= 1;
        pair.a.outbox.clear();
        pair.run(pair.b, FromPeer{update, {}});
        pair.run(pair.b, Flush{});
        CHECK(pair.b.channel.agreed.state.version == 0);
        REQUIRE(last_sent<Reject>(pair.b) != nullptr);
        CHECK(last_sent<Reject>(pair.b)->rule == Rule::bad_signature);
    }
}

TEST_CASE(
    "attack: a follower that refuses or keeps silent cannot push the leader's versions beyond what a challenge may "
    "trail") {
    for (const bool silent : {false, true}) {
        CAPTURE(silent);
        Pair pair;
        REQUIRE(pair.attempt(Party::A, pay(1)) == Rule::none);
        for (int i = 0; i < 500; ++i) {
            pair.context.now_ms += 500;
            pair.submit(Party::A, pay(1, i % 3 == 0 ? "no" : ""));
            pair.run(pair.a, Flush{});
            deliver_all(pair, pair.a);
            std::erase_if(pair.b.outbox, [](const PeerMessage& m) { return std::holds_alternative<Ack>(m); });
            if (silent && i % 70 != 69) pair.b.outbox.clear();
            deliver_all(pair, pair.b);
            REQUIRE(pair.a.channel.highest_signed <= pair.a.channel.agreed.state.version + 64);
        }
    }
}

TEST_CASE("attack: a follower that refuses a full window and then says nothing does not stop the node") {
    Pair pair;
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 64; ++i) {
            pair.submit(Party::A, pay(1));
            pair.run(pair.a, Flush{});
        }
        pair.a.outbox.clear();
        for (const PendingUpdate& p : Queue<PendingUpdate>(pair.a.channel.pending)) {
            if (p.is_void) continue;
            pair.run(pair.a, FromPeer{Reject{pair.a.channel.id, p.update.version, 0, Rule::none}, {}});
        }
        for (int i = 0; i < 4; ++i) {
            pair.submit(Party::A, pay(1));
            pair.run(pair.a, Flush{});
        }
    }
    CHECK(pair.a.channel.pending.size() <= kWindow);
}

TEST_CASE("attack: nothing is signed for a channel that is disputed, recovering or final, whatever still arrives") {
    Pair pair;
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 1000;
    SUBCASE("a late Ack of a withdrawal") {
        pair.submit(Party::B, WithdrawOp{Party::B, 0, units(5), deadline});
        pair.run(pair.b, Flush{});
        deliver_all(pair, pair.b);
        pair.run(pair.a, Flush{});
        deliver_all(pair, pair.a);
        pair.run(pair.b, Flush{});
        pair.run(pair.a, ChainDispute{1, 100, 0, Party::B});
        deliver_all(pair, pair.b);
        CHECK(pair.a.channel.agreed.state.version == 1);
    }
    SUBCASE("a connection with a withdrawal outstanding") {
        REQUIRE(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(5), deadline}) == Rule::none);
        for (Side* side : {&pair.a, &pair.b}) pair.run(*side, ChainDispute{1, 100, 1, Party::B});
        pair.unlink();
        pair.link();
        pair.settle();
    }
    SUBCASE("a late Ack of a close") {
        pair.submit(Party::A, CloseOp{deadline});
        pair.run(pair.a, Flush{});
        deliver_all(pair, pair.a);
        pair.run(pair.b, Flush{});
        pair.run(pair.a, ChainDispute{1, 100, 0, Party::B});
        deliver_all(pair, pair.b);
    }
    CHECK(pair.a.channel.status == Status::disputed);
}

TEST_CASE("attack: a leader cannot have a payment reported refused and do it all the same") {
    Pair pair;
    const LocalId id = pair.submit(Party::B, pay(-5));
    pair.run(pair.b, Flush{});
    deliver_all(pair, pair.b);
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);  // B has applied it
    pair.run(pair.b,
             FromPeer{Refuse{pair.b.channel.id, pair.b.channel.proposals.front().number, Rule::queue_full}, {}});
    pair.settle();
    CHECK(pair.b.agreed_ids.contains(id) != pair.b.refused.contains(id));
}

TEST_CASE("attack: what a dispute refused is not done when the dispute is taken back") {
    Pair pair;
    const LocalId id = pair.submit(Party::B, pay(-5));
    pair.run(pair.b, Flush{});
    deliver_all(pair, pair.b);
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);  // B has applied it
    pair.run(pair.b, ChainDispute{1, 100, 0, Party::A});
    REQUIRE(pair.b.refused.contains(id));
    pair.run(pair.b, ChainDisputeGone{});
    pair.settle();
    CHECK(pair.a.channel.agreed.state.net[0].is_zero());
    CHECK(pair.attempt(Party::B, pay(-7)) == Rule::none);
    CHECK(pair.same());
}

TEST_CASE("attack: an op of a version that the follower refused, yet can still enforce, is not reported refused") {
    Pair pair;
    const LocalId good = pair.submit(Party::A, pay(1));
    const LocalId bad = pair.submit(Party::A, pay(2, "no"));
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);
    deliver_all(pair, pair.b);
    REQUIRE(pair.a.channel.pending.front().is_void);
    SUBCASE("the connection is lost") {
        pair.unlink();
    }
    SUBCASE("the channel is challenged") {
        pair.run(pair.a, ChainDispute{1, 100, 0, Party::B});
    }
    CHECK_FALSE(pair.a.refused.contains(good));
    CHECK_FALSE(pair.a.refused.contains(bad));
    if (pair.a.channel.status == Status::disputed) return;
    pair.link();
    pair.settle();
    CHECK(pair.a.refused.contains(good));
    CHECK(pair.a.refused.contains(bad));
    CHECK(pair.a.channel.agreed.state.net[0].is_zero());
}

TEST_CASE(
    "attack: what a follower enforced on chain, though it had refused it, is reported done; the rest is reported "
    "refused") {
    Pair pair;
    const LocalId good = pair.submit(Party::A, pay(1));
    const LocalId bad = pair.submit(Party::A, pay(2, "no"));
    pair.run(pair.a, Flush{});
    const LocalId later = pair.submit(Party::A, pay(4));
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);
    deliver_all(pair, pair.b);  // both versions are void; the ops but one wait in the queue
    REQUIRE(pair.a.channel.queue.size() == 2);
    pair.run(pair.a, ChainDispute{1, 100, 1, Party::B});
    CHECK(pair.a.refused.empty());
    pair.run(pair.a, ChainFinal{true});
    CHECK(pair.a.agreed_ids == std::set<LocalId>{good, bad});
    CHECK(pair.a.refused[later] == Rule::channel_final);
}

TEST_CASE("attack: what the chain decided was done is told after a restart too, when nobody waits by number any more") {
    Pair pair;
    (void)pair.submit(Party::A, pay(1));
    (void)pair.submit(Party::A, pay(2, "no"));
    pair.run(pair.a, Flush{});
    (void)pair.submit(Party::A, pay(4));
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);
    deliver_all(pair, pair.b);
    pair.run(pair.a, ChainDispute{1, 100, 1, Party::B});
    pair.crash(pair.a);
    pair.a.history.clear();
    pair.run(pair.a, ChainFinal{true});
    REQUIRE(pair.a.history.size() == 2);
    CHECK(pair.a.history[0].op == Op(pay(1)));
    CHECK(pair.a.history[1].op == Op(pay(2, "no")));
}

TEST_CASE("attack: a leader that is open while the follower still waits for OpenDone is heard once both are") {
    Pair pair;
    pair.unlink();
    Side fresh(2);
    fresh.channel = make_channel(pair.b.channel.terms, sample_risk(), {usd(1), usd(2000)}, pair.b.channel.separator,
                                 Party::B, {}, pair.a.key.key, pair.b.channel.secret);
    fresh.channel.funds_seen = pair.b.channel.funds_seen;
    pair.b = fresh;
    REQUIRE(pair.b.channel.status == Status::opening);
    pair.link();
    deliver_all(pair, pair.a);
    pair.run(pair.b, Opened{});
    pair.run(pair.b, Connected{});  // the shell's order on OpenDone
    pair.settle();
    CHECK(pair.attempt(Party::A, pay(1)) == Rule::none);
    CHECK(pair.attempt(Party::B, pay(-1)) == Rule::none);
}

TEST_CASE("attack: a proposal that the leader passes over is reported refused, not forgotten") {
    Pair pair;
    const LocalId first = pair.submit(Party::B, pay(-1));
    const LocalId second = pair.submit(Party::B, pay(-2));
    pair.run(pair.b, Flush{});
    const Propose propose = std::get<Propose>(pair.b.outbox.front());
    pair.b.outbox.clear();
    pair.run(pair.a, FromPeer{propose, {Rule::timeout, Rule::none}});
    std::erase_if(pair.a.outbox, [](const PeerMessage& m) {
        return std::holds_alternative<Refuse>(m);
    });  // lost with a connection, or never sent
    pair.settle();
    CHECK(pair.b.agreed_ids.contains(second));
    CHECK(pair.b.refused.contains(first));
}

TEST_CASE("attack: a follower that reconnects does not stop the clock of what it left unanswered") {
    Pair pair;
    pair.submit(Party::A, pay(1));
    pair.run(pair.a, Flush{});
    pair.a.outbox.clear();
    for (int i = 0; i < 10 && pair.a.channel.status == Status::open; ++i) {
        pair.context.now_ms += 100'000;
        pair.run(pair.a, Tick{});
        pair.run(pair.a, Disconnected{});
        pair.run(pair.a, Connected{});
    }
    CHECK(pair.a.channel.status == Status::disputed);
}

TEST_CASE("attack: a clock that is set forward and back neither stops the channel nor takes it to the chain") {
    Pair pair;
    const std::uint64_t now_ms = pair.context.now_ms;
    pair.steady_ms = 5'000;
    pair.submit(Party::A, pay(1));
    // The leader's clock is ahead: what it signs now, and what voids that, is refused.
    for (int i = 0; i < 2; ++i) {
        pair.context.now_ms = now_ms + 354'000;
        pair.run(pair.a, Tick{});
        pair.run(pair.a, Flush{});
        pair.context.now_ms = now_ms;
        while (pair.deliver_one(pair.a)) {}
        pair.context.now_ms = now_ms + 354'000;
        while (pair.deliver_one(pair.b)) {}
    }
    pair.context.now_ms = now_ms;
    CHECK(pair.a.channel.pending.front().is_void);
    CHECK(pair.a.channel.status == Status::open);  // 354 s of the wall clock are no wait
    *pair.steady_ms += pair.a.channel.agreed.state.risk.ack_timeout_ms / 4;
    pair.run(pair.a, Tick{});
    pair.settle();
    CHECK(pair.same());
    CHECK(pair.a.channel.pending.empty());
    CHECK(pair.attempt(Party::A, pay(2)) == Rule::none);
}

TEST_CASE(
    "attack: our own challenge stands when a reorganisation takes it back, or its return would find us signing on") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(1)) == Rule::none);
    pair.run(pair.b, ForceClose{});
    REQUIRE(count_of(pair.b, is_challenge) == 1);
    SUBCASE("in one life") {}
    SUBCASE("across a restart") {
        pair.crash(pair.b);
    }
    pair.run(pair.b, ChainDispute{1, 100, 1, Party::B});
    pair.run(pair.b, ChainDisputeGone{});
    CHECK(pair.b.channel.status == Status::disputed);
    CHECK(count_of(pair.b, is_challenge) == 2);
}

TEST_CASE("attack: a side that lost its data stays so through a dispute that comes and goes") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    const Bytes old_head = pair.b.head;
    for (int i = 0; i < 5; ++i) REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    pair.unlink();
    pair.b.channel = *restore_channel(old_head, pair.b.channel.separator, {});
    pair.b.head = old_head;
    SUBCASE("handed the state before") {
        pair.link();
        pair.settle();
        REQUIRE(pair.b.channel.status == Status::recovering);
        pair.run(pair.b, ChainDispute{1, 100, 2, Party::A});
        CHECK(pair.b.channel.status == Status::disputed);
    }
    SUBCASE("handed the state in the dispute: it answers with it") {
        pair.run(pair.b, ChainDispute{1, 100, 2, Party::A});
        pair.link();
        pair.settle();
        CHECK(pair.b.channel.status == Status::disputed);
        CHECK(count_of(pair.b, [](const Effect& e) { return std::holds_alternative<SubmitRespond>(e); }) == 1);
    }
    SUBCASE("restarted") {
        pair.link();
        pair.settle();
        pair.run(pair.b, ChainDispute{1, 100, 2, Party::A});
        pair.crash(pair.b);
    }
    CHECK(pair.b.channel.agreed.state.version == 6);
    pair.run(pair.b, ChainDisputeGone{});
    CHECK(pair.b.channel.status == Status::recovering);
}

TEST_CASE("attack: a state handed over does not bring a final channel back, and ends a Close that it overtakes") {
    Pair pair;
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 100;
    REQUIRE(pair.attempt(Party::A, CloseOp{deadline}) == Rule::none);
    const Bytes closing = pair.b.head;
    pair.context.now_ms += 200'000;
    pair.context.chain_time_s = pair.context.confirmed_chain_time_s = pair.context.now_ms / 1000;
    for (Side* side : {&pair.a, &pair.b}) pair.run(*side, Tick{});
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    pair.unlink();
    pair.b.channel = *restore_channel(closing, pair.b.channel.separator, {});
    SUBCASE("closing") {
        pair.link();
        pair.settle();
        CHECK(pair.b.channel.status == Status::recovering);
        CHECK_FALSE(pair.b.channel.close.has_value());
    }
    SUBCASE("final") {
        pair.run(pair.b, ChainFinal{});
        const SignedState& s = pair.a.channel.agreed;
        pair.run(pair.b, FromPeer{HandOver{Blob<(1 << 16)>(ByteView(wire_encode(s.state))), pair.b.channel.id,
                                           s.signature_a, s.signature_b},
                                  {}});
        CHECK(pair.b.channel.status == Status::closed);
    }
}

TEST_CASE(
    "attack: one Reestablish a connection is answered, so a small message cannot be turned into many large ones") {
    Pair pair;
    for (int i = 0; i < 20; ++i) {
        pair.submit(Party::A, pay(1));
        pair.run(pair.a, Flush{});
    }
    pair.a.outbox.clear();
    Reestablish again;
    again.channel = pair.a.channel.id;
    for (int i = 0; i < 50; ++i) pair.run(pair.a, FromPeer{again, {}});
    CHECK(pair.a.outbox.empty());
    CHECK(pair.a.faults.back() == Rule::unexpected_message);
}

TEST_CASE("attack: a damaged head is refused or harmless") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(5)) == Rule::none);
    REQUIRE(pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::none);
    for (const Party party : {Party::A, Party::B}) {
        const Side& side = pair.side(party);
        std::size_t accepted = 0;
        for (std::size_t i = 0; i < side.head.size(); ++i) {
            for (const int bit : {1, 128}) {
                Bytes head = side.head;
                head[i] = static_cast<std::uint8_t>(head[i] ^ bit);
                if (restore_channel(head, side.channel.separator, {})) ++accepted;
            }
        }
        CHECK(accepted == 0);
        CHECK(restore_channel(side.head, side.channel.separator, {}).has_value());
    }
}

TEST_CASE("attack: damaged rows of what is in flight are refused") {
    Pair pair;
    for (int i = 0; i < 3; ++i) {
        pair.submit(Party::A, pay(1));
        pair.run(pair.a, Flush{});
    }
    std::vector<PersistUpdate> rows;
    for (const auto& [version, row] : pair.a.updates) rows.push_back(row);
    const auto restore = [&](const std::vector<PersistUpdate>& stored) {
        return restore_channel(pair.a.head, pair.a.channel.separator, stored);
    };
    REQUIRE(restore(rows).has_value());
    CHECK(restore(rows)->pending.size() == 3);
    auto damaged = rows;
    damaged[1].after = damaged[1].after.whole();
    damaged[1].after.bytes.back() = static_cast<std::uint8_t>(damaged[1].after.bytes.back() ^ 1);
    CHECK_FALSE(restore(damaged).has_value());
    damaged = rows;
    damaged[1].update.signature.reset();
    CHECK_FALSE(restore(damaged).has_value());
    damaged = rows;
    std::swap(damaged[0], damaged[1]);
    CHECK_FALSE(restore(damaged).has_value());
    damaged = rows;
    damaged.erase(damaged.begin());
    CHECK_FALSE(restore(damaged).has_value());
}
