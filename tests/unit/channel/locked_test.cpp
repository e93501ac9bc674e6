#include <doctest/doctest.h>

#include "tests/support/attack.h"

using namespace hedgerow::testing;

/// A locked wallet or a halted node on one side must not by itself become a dispute (spec 6.13).
namespace {

/// The one context that the harness has, as seen by one side.
struct Locked {
    Pair pair;
    bool lock;

    explicit Locked(bool is_lock) : lock(is_lock) { REQUIRE(pair.attempt(Party::A, perp(0.1, 50'000)) == Rule::none); }
    void stop(Party party) { (lock ? pair.side(party).locked : pair.side(party).halted) = true; }
    /// Time passes far beyond three ackTimeouts, with everything delivered.
    void wait() {
        for (int i = 0; i < 40; ++i) {
            pair.context.now_ms += 10'000;
            pair.context.chain_time_s = pair.context.confirmed_chain_time_s = pair.context.now_ms / 1000;
            pair.run(pair.a, Tick{});
            pair.run(pair.b, Tick{});
            pair.settle();
        }
    }
};

}  // namespace

TEST_CASE("locked: what a follower refuses is voided with its signature, and the leader does not challenge") {
    for (const bool lock : {true, false}) {
        CAPTURE(lock);
        Locked l(lock);
        l.stop(Party::B);
        const Rule refused = lock ? Rule::wallet_locked : Rule::node_halted;
        CHECK(l.pair.attempt(Party::A, perp(0.01, 50'000)) == refused);
        CHECK(l.pair.attempt(Party::A, SwapOp{0, units(300), 1, units(-7), {}}) == refused);
        CHECK(l.pair.attempt(Party::B, pay(-5)) == refused);
        l.wait();
        CHECK(l.pair.a.channel.pending.empty());
        CHECK(l.pair.a.channel.status == Status::open);
        CHECK(count_of(l.pair.a, is_challenge) == 0);
        CHECK(l.pair.same());
    }
}

TEST_CASE(
    "locked: a follower whose wallet is locked still signs what it owes or what pays it; a halted node signs nothing "
    "new") {
    for (const bool lock : {true, false}) {
        CAPTURE(lock);
        Locked l(lock);
        Preimage preimage;
        LockHash hash;
        hash.data = keccak256(preimage.view()).data;
        const std::uint64_t expiry = l.pair.context.now_ms / 1000 + 1'000;
        REQUIRE(l.pair.attempt(Party::B, LockOp{{hash, expiry, 0, units(-400)}}) == Rule::none);
        l.stop(Party::B);
        const Rule owed = lock ? Rule::none : Rule::node_halted;
        CHECK(l.pair.attempt(Party::A, pay(10)) == owed);
        CHECK(l.pair.attempt(Party::A, mark(50'100, 50'100)) == owed);
        CHECK(l.pair.attempt(Party::A, FulfilOp{hash, preimage}) == owed);
        CHECK(l.pair.attempt(Party::B, mark(50'200, 50'200)) == owed);
        CHECK(l.pair.same());
    }
}

TEST_CASE(
    "locked: a leader whose wallet is locked still does what it owes, refuses the rest, and voids what was refused") {
    for (const bool lock : {true, false}) {
        CAPTURE(lock);
        Locked l(lock);
        const LocalId refused = l.pair.submit(Party::A, pay(2, "no"));  // the follower's judge will not have it
        l.pair.run(l.pair.a, Flush{});
        const LocalId waiting = l.pair.submit(Party::A, pay(4));
        l.stop(Party::A);
        l.pair.settle();
        l.wait();
        CHECK(l.pair.a.refused[refused] == Rule::trade_not_authorised);
        CHECK(l.pair.a.channel.pending.empty());
        CHECK(l.pair.a.channel.status == Status::open);
        CHECK(l.pair.a.refused.contains(waiting) == lock);  // a halted node may go on with it afterwards
        CHECK_FALSE(l.pair.a.agreed_ids.contains(waiting));
        CHECK(l.pair.attempt(Party::B, pay(-10)) == (lock ? Rule::none : Rule::node_halted));
        CHECK(l.pair.attempt(Party::B, mark(50'100, 50'100)) == (lock ? Rule::none : Rule::node_halted));
        CHECK(l.pair.attempt(Party::B, perp(0.01, 50'100)) == (lock ? Rule::wallet_locked : Rule::node_halted));
        CHECK(l.pair.same());
    }
}

TEST_CASE("locked: what a follower had applied and not signed when it was locked is refused, not left unanswered") {
    for (const bool lock : {true, false}) {
        CAPTURE(lock);
        Locked l(lock);
        const LocalId id = l.pair.submit(Party::A, perp(0.01, 50'000));
        l.pair.run(l.pair.a, Flush{});
        deliver_all(l.pair, l.pair.a);
        REQUIRE(l.pair.b.channel.pending.size() == 1);
        l.stop(Party::B);
        l.wait();
        CHECK(l.pair.a.refused[id] == (lock ? Rule::wallet_locked : Rule::node_halted));
        CHECK(l.pair.a.channel.status == Status::open);
        CHECK(l.pair.same());
    }
}

TEST_CASE("locked: a follower that refuses even to void what it refused keeps an option, and is challenged") {
    Pair pair;
    const LocalId id = pair.submit(Party::A, pay(2, "no"));
    for (int i = 0; i < 40 && pair.a.channel.status == Status::open; ++i) {
        pair.run(pair.a, Flush{});
        while (const Update* update = last_sent<Update>(pair.a)) {
            const std::uint64_t version = update->version;
            pair.a.outbox.clear();
            pair.run(pair.a, FromPeer{Reject{pair.a.channel.id, version, kMaxOpsPerUpdate, Rule::node_halted}, {}});
        }
        pair.context.now_ms += 10'000;
        pair.run(pair.a, Tick{});
    }
    CHECK(pair.a.channel.status == Status::disputed);
    CHECK_FALSE(pair.a.refused.contains(id));
}
