#include <doctest/doctest.h>

#include "tests/support/channel_pair.h"

/// A wall clock that jumps by hours under one side: timestamps that are signed never fall, and what cannot be signed is
/// refused by name until the clock is right again.
using namespace hedgerow::channel;
using namespace hedgerow::testing;

namespace {

constexpr std::int64_t kHour = 3'600'000;

/// Settles with A's clock `jump` ms away from B's.
void settle_apart(Pair& pair, std::int64_t jump) {
    const std::uint64_t now = pair.context.now_ms;
    const auto as_a = [&] { pair.context.now_ms = static_cast<std::uint64_t>(static_cast<std::int64_t>(now) + jump); };
    const auto as_b = [&] { pair.context.now_ms = now; };
    pair.steady_ms = now;  // which nobody sets
    int rounds = 0;
    for (bool moved = true; moved;) {
        moved = false;
        REQUIRE(++rounds < 1'000);
        as_a();
        pair.run(pair.a, Tick{});
        pair.run(pair.a, Flush{});
        as_b();
        pair.run(pair.b, Tick{});
        pair.run(pair.b, Flush{});
        for (;;) {
            as_b();
            const bool to_b = pair.deliver_one(pair.a);
            as_a();
            const bool to_a = pair.deliver_one(pair.b);
            if (!to_a && !to_b) break;
            moved = true;
        }
    }
    as_b();
}

Rule attempt_apart(Pair& pair, Party party, std::int64_t jump) {
    const LocalId id = pair.submit(party, pay(party == Party::A ? 1 : -1));
    settle_apart(pair, jump);
    Side& side = pair.side(party);
    if (side.agreed_ids.contains(id)) return Rule::none;
    const auto refused = side.refused.find(id);
    return refused == side.refused.end() ? Rule::timeout : refused->second;
}

void check_timestamps(const Pair& pair) {
    std::uint64_t last = 0;
    for (const auto& [version, stored] : pair.b.updates) {
        if (stored.is_void) continue;
        CHECK(stored.update.timestamp_ms >= last);
        last = stored.update.timestamp_ms;
    }
}

}  // namespace

TEST_CASE("clock: the leader's jumps by hours, both ways") {
    for (const std::int64_t jump : {3 * kHour, -3 * kHour}) {
        CAPTURE(jump);
        Pair pair;
        REQUIRE(attempt_apart(pair, Party::A, 0) == Rule::none);
        pair.context.now_ms += 4 * kHour;
        pair.steady_ms = pair.context.now_ms;
        const LocalId id = pair.submit(Party::A, pay(1));
        settle_apart(pair, jump);
        // Refused by name; it stays in doubt until the other side has signed something above it.
        CHECK_FALSE(pair.a.agreed_ids.contains(id));
        CHECK(pair.a.channel.status == Status::open);
        pair.context.now_ms += 60'000;  // right again, and the next try is due
        settle_apart(pair, 0);
        REQUIRE(pair.a.refused.contains(id));
        CHECK(pair.a.refused.at(id) == Rule::timestamp_out_of_band);
        CHECK(attempt_apart(pair, Party::A, 0) == Rule::none);
        CHECK(attempt_apart(pair, Party::B, 0) == Rule::none);
        CHECK(pair.same());
        CHECK(pair.a.channel.status == Status::open);
        check_timestamps(pair);
    }
}

TEST_CASE("clock: both were hours ahead and were put right: no time passes until they have caught up, and all goes on") {
    Pair pair;
    pair.context.now_ms += 3 * kHour;
    REQUIRE(attempt_apart(pair, Party::A, 0) == Rule::none);
    const std::uint64_t ahead = pair.a.channel.agreed.state.timestamp_ms;
    pair.context.now_ms -= 3 * kHour;
    pair.steady_ms = pair.context.now_ms;
    for (int i = 0; i < 100; ++i) {  // more than a window of versions
        pair.context.now_ms += 60'000;
        CHECK(attempt_apart(pair, i % 2 == 0 ? Party::A : Party::B, 0) == Rule::none);
        CHECK(pair.a.channel.agreed.state.timestamp_ms == ahead);
    }
    pair.context.now_ms += 2 * kHour;
    CHECK(attempt_apart(pair, Party::A, 0) == Rule::none);
    CHECK(pair.a.channel.agreed.state.timestamp_ms == pair.context.now_ms);
    CHECK(pair.same());
    CHECK(pair.a.channel.status == Status::open);
    check_timestamps(pair);
}
