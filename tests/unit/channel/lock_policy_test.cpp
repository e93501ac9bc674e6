#include <doctest/doctest.h>

#include "tests/support/attack.h"

using namespace hedgerow::testing;

/// Our own policy on what a peer may have us wait for (spec 5.10), and the two ends of a lock's life
/// (spec 3.6, 5.7, 6.11).
namespace {

struct KnownLock {
    Preimage preimage;
    Lock lock;

    KnownLock(const Pair& pair, Party payer, long amount, std::uint8_t number = 1) {
        preimage.data[0] = number;
        lock.hash.data = keccak256(preimage.view()).data;
        lock.expiry = pair.context.now_ms / 1000 + 100;
        lock.amount = units(payer == Party::A ? amount : -amount);
    }
};

void at(Pair& pair, std::uint64_t time_s) {
    pair.context.now_ms = time_s * 1000;
    pair.context.chain_time_s = pair.context.confirmed_chain_time_s = time_s;
}

}  // namespace

TEST_CASE("attack: a lock that would delay a settlement for long is refused by whoever must wait for it") {
    for (const Party payer : {Party::A, Party::B}) {
        CAPTURE(party_name(payer));
        Pair pair;
        pair.context.limits.max_lock_s = 3'600;
        const std::uint64_t now = pair.context.now_ms / 1000;
        KnownLock known(pair, payer, 50);
        known.lock.expiry = now + 3'601;
        CHECK(pair.attempt(payer, LockOp{known.lock}) == Rule::lock_expiry_out_of_range);
        known.lock.expiry = now + 3'600;
        CHECK(pair.attempt(payer, LockOp{known.lock}) == Rule::none);
    }
}

TEST_CASE("attack: dust locks, and locks by the hundred, are refused") {
    for (const Party payer : {Party::A, Party::B}) {
        CAPTURE(party_name(payer));
        Pair pair;
        pair.context.limits.min_lock = Usd16::from_raw(100'000'000'000'000);  // 0.01 USD
        pair.context.limits.max_locks = 2;
        KnownLock cash(pair, payer, 9'999);
        CHECK(pair.attempt(payer, LockOp{cash.lock}) == Rule::amount_out_of_range);
        KnownLock coin(pair, payer, 4'999);  // of a coin of 2,000 USD, 9 decimals
        coin.lock.asset = 1;
        CHECK(pair.attempt(payer, LockOp{coin.lock}) == Rule::amount_out_of_range);
        CHECK(pair.attempt(payer, LockOp{KnownLock(pair, payer, 10'000, 1).lock}) == Rule::none);
        // Those of the other side do not count.
        CHECK(pair.attempt(other(payer), LockOp{KnownLock(pair, other(payer), 10'000, 2).lock}) == Rule::none);
        coin = KnownLock(pair, payer, 5'000, 3);
        coin.lock.asset = 1;
        CHECK(pair.attempt(payer, LockOp{coin.lock}) == Rule::none);
        CHECK(pair.attempt(payer, LockOp{KnownLock(pair, payer, 10'000, 4).lock}) == Rule::lock_limit);
        CHECK(pair.attempt(other(payer), CancelOp{KnownLock(pair, payer, 10'000, 1).lock.hash}) == Rule::none);
        CHECK(pair.attempt(payer, LockOp{KnownLock(pair, payer, 10'000, 4).lock}) == Rule::none);
    }
}

TEST_CASE("attack: a close or withdrawal that would freeze the channel for days is refused") {
    for (const Party party : {Party::A, Party::B}) {
        CAPTURE(party_name(party));
        Pair pair;
        pair.context.limits.max_deadline_s = 7'200;
        const std::uint64_t now = pair.context.now_ms / 1000;
        CHECK(pair.attempt(party, CloseOp{now + 7'201}) == Rule::close_deadline_out_of_range);
        CHECK(pair.attempt(party, WithdrawOp{party, 0, units(5), now + 7'201}) == Rule::close_deadline_out_of_range);
        CHECK(pair.a.channel.status == Status::open);
        pair.context.chain_time_s += 1;  // the chain's clock may be ahead of ours
        CHECK(pair.attempt(party, CloseOp{now + 7'201}) == Rule::none);
        CHECK(pair.a.channel.status == Status::closing);
    }
}

TEST_CASE(
    "locks: a preimage registered at t-1 executes, at t and t+1 it does not; the payer cancels, or the payee fulfils, "
    "accordingly") {
    for (const Party payer : {Party::A, Party::B}) {
        for (const int offset : {-1, 0, 1}) {
            CAPTURE(party_name(payer));
            CAPTURE(offset);
            Pair pair;
            const Party payee = other(payer);
            const KnownLock known(pair, payer, 400);
            REQUIRE(pair.attempt(payer, LockOp{known.lock}) == Rule::none);
            const std::uint64_t registered = known.lock.expiry + static_cast<std::uint64_t>(offset);
            const Revealed revealed = {{known.lock.hash, registered}};
            pair.context.revealed = &revealed;
            const bool executed = offset < 0;
            at(pair, known.lock.expiry - 1);
            CHECK(pair.attempt(payer, CancelOp{known.lock.hash}) == Rule::lock_not_expired);
            at(pair, known.lock.expiry + 1);
            SUBCASE("the payer cancels") {
                CHECK(pair.attempt(payer, CancelOp{known.lock.hash}) == (executed ? Rule::lock_revealed : Rule::none));
                CHECK(pair.attempt(payee, FulfilOp{known.lock.hash, known.preimage}) ==
                      (executed ? Rule::none : Rule::lock_unknown));
            }
            SUBCASE("the payee fulfils") {
                CHECK(pair.attempt(payee, FulfilOp{known.lock.hash, known.preimage}) ==
                      (executed ? Rule::none : Rule::lock_expired));
                CHECK(pair.attempt(payer, CancelOp{known.lock.hash}) == (executed ? Rule::lock_unknown : Rule::none));
            }
            const long gained = executed ? 400 : 0;
            CHECK(pair.available(payer, payee, 0) == units(1'000'000'000 + gained));
            CHECK(pair.available(payee, payer, 0) == units(1'000'000'000 - gained));
            CHECK(pair.same());
        }
    }
}

TEST_CASE("locks: a registration that a reorganisation may still take back does not fulfil a lock that has expired") {
    Pair pair;
    const KnownLock known(pair, Party::A, 400);
    REQUIRE(pair.attempt(Party::A, LockOp{known.lock}) == Rule::none);
    const Revealed revealed = {{known.lock.hash, known.lock.expiry - 1}};
    pair.context.revealed = &revealed;
    at(pair, known.lock.expiry);
    pair.context.confirmed_chain_time_s = known.lock.expiry - 2;
    CHECK(pair.attempt(Party::B, FulfilOp{known.lock.hash, known.preimage}) == Rule::lock_expired);
    CHECK(pair.attempt(Party::A, CancelOp{known.lock.hash}) == Rule::lock_not_expired);
    pair.context.confirmed_chain_time_s = known.lock.expiry - 1;
    CHECK(pair.attempt(Party::B, FulfilOp{known.lock.hash, known.preimage}) == Rule::none);
    CHECK(pair.same());
}
