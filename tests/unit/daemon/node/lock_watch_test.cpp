#include "daemon/node/lock_watch.h"

#include <doctest/doctest.h>

using namespace hedgerow;
using daemon::LockFacts;
using daemon::LockStep;

namespace {

constexpr std::uint64_t kExpiry = 1'800'000'000;

LockFacts paid_to_us() {
    LockFacts f;
    f.lock.expiry = kExpiry;
    f.pays_us = true;
    f.preimage_known = true;
    f.noticed_s = kExpiry - 3'600;
    f.now_s = f.noticed_s;
    f.confirmed_s = f.noticed_s - 30;
    f.patience_ms = 180'000;
    return f;
}

}  // namespace

TEST_CASE("lock watch: the payee registers its preimage a margin before the expiry, and not at or after it") {
    LockFacts f = paid_to_us();
    const auto at = [&](std::uint64_t now_s) {
        f.now_s = now_s;
        return daemon::next_lock_step(f);
    };
    CHECK(at(kExpiry - 601) == LockStep::wait);
    CHECK(at(kExpiry - 600) == LockStep::reveal);
    CHECK(at(kExpiry - 1) == LockStep::reveal);
    CHECK(at(kExpiry) == LockStep::wait);
    CHECK(at(kExpiry + 1) == LockStep::wait);
    f.preimage_known = false;
    CHECK(at(kExpiry - 1) == LockStep::wait);
    f.preimage_known = true;
    f.registered = true;  // on its way, or there
    CHECK(at(kExpiry - 1) == LockStep::wait);
}

TEST_CASE("lock watch: a short lock, or one noticed late, still leaves the payer some time, and the chain more") {
    CHECK(daemon::reveal_due_s(kExpiry, kExpiry - 86'400) == kExpiry - 600);
    CHECK(daemon::reveal_due_s(kExpiry, kExpiry - 1'000) == kExpiry - 500);
    CHECK(daemon::reveal_due_s(kExpiry, kExpiry - 100) == kExpiry - 60);
    CHECK(daemon::reveal_due_s(kExpiry, kExpiry - 30) == kExpiry - 25);
    CHECK(daemon::reveal_due_s(100, 0) == 40);
}

TEST_CASE(
    "lock watch: an executed lock is to be signed by the payer; one that does not is challenged, after its time") {
    LockFacts f = paid_to_us();
    f.registered = f.registered_in_time = true;
    for (const std::uint64_t now : {kExpiry - 1, kExpiry, kExpiry + 1}) {
        f.now_s = now;
        f.unanswered_ms = f.patience_ms;
        CHECK(daemon::next_lock_step(f) == LockStep::fulfil);
        f.unanswered_ms = f.patience_ms + 1;
        CHECK(daemon::next_lock_step(f) == LockStep::challenge);
    }
}

TEST_CASE(
    "lock watch: the payer takes its money back when a confirmed block at the expiry shows no registration in time") {
    LockFacts f = paid_to_us();
    f.pays_us = false;
    f.now_s = kExpiry + 100;
    f.confirmed_s = kExpiry - 1;
    CHECK(daemon::next_lock_step(f) == LockStep::wait);
    for (const std::uint64_t confirmed : {kExpiry, kExpiry + 1}) {
        f.confirmed_s = confirmed;
        f.registered_in_time = false;
        f.unanswered_ms = f.patience_ms;
        CHECK(daemon::next_lock_step(f) == LockStep::cancel);
        f.unanswered_ms = f.patience_ms + 1;  // the payee, connected, does not sign it
        CHECK(daemon::next_lock_step(f) == LockStep::challenge);
        f.unanswered_ms = 0;
        CHECK(daemon::next_lock_step(f) == LockStep::cancel);
        f.registered = true;  // too late
        CHECK(daemon::next_lock_step(f) == LockStep::cancel);
        f.registered_in_time = true;
        CHECK(daemon::next_lock_step(f) == LockStep::wait);
    }
}
