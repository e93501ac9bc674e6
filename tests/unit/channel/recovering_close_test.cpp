#include <doctest/doctest.h>

#include "tests/support/channel_pair.h"

using namespace hedgerow::testing;

/// A side that lost its data can still close together with its peer (spec 6.8).
namespace {

std::uint64_t deadline(const Pair& pair) { return pair.context.now_ms / 1000 + 100; }

/// As the shell does it: nothing but the state that both signed is left.
void lose_data(Side& side) {
    side.channel.lost_data = true;
    side.channel.status = Status::recovering;
    side.channel.pending.clear();
    side.channel.highest_signed = side.channel.agreed.state.version;
    side.signed_digests.clear();
}

std::optional<CloseReady> ready(const Side& side) {
    for (const Effect& effect : side.other) {
        if (const auto* close = std::get_if<CloseReady>(&effect)) return *close;
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("recovering: either side closes with the net that both signed last") {
    for (const Party victim : {Party::A, Party::B}) {
        CAPTURE(party_name(victim));
        Pair pair;
        REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
        pair.unlink();
        lose_data(pair.side(victim));
        pair.link();
        pair.settle();
        pair.submit(victim, CloseOp{deadline(pair)});
        pair.settle();
        for (const Side* side : {&pair.a, &pair.b}) {
            const auto close = ready(*side);
            REQUIRE(close);
            const Digest digest = digest_of(close->close, side->channel.separator);
            CHECK(verify(digest, close->signature_a, pair.a.key.key));
            CHECK(verify(digest, close->signature_b, pair.b.key.key));
            CHECK(close->close.net == side->channel.agreed.state.net);
        }
        CHECK(pair.side(victim).channel.status == Status::recovering);
        CHECK(pair.side(other(victim)).channel.status == Status::closing);
        CHECK(pair.attempt(other(victim), pay(other(victim) == Party::A ? 1 : -1)) == Rule::channel_closing);
        CHECK(pair.attempt(victim, CloseOp{deadline(pair)}) == Rule::channel_closing);  // one at a time

        // It lapses: the peer goes on above it, and the victim may ask for another.
        const std::uint64_t lapsed = pair.a.channel.close->close.deadline;
        pair.context.now_ms = (lapsed + 50) * 1000;
        pair.context.confirmed_chain_time_s = lapsed;
        pair.run(pair.a, Tick{});
        pair.run(pair.b, Tick{});
        CHECK(pair.side(other(victim)).channel.status == Status::open);
        CHECK_FALSE(pair.side(victim).channel.close);
        pair.a.other.clear();
        pair.b.other.clear();
        pair.submit(victim, CloseOp{deadline(pair)});
        pair.settle();
        CHECK(ready(pair.a));
        CHECK(ready(pair.b));
    }
}

TEST_CASE("recovering: a close is not signed for another net, over open positions, or for a version in use") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    Channel& b = pair.b.channel;
    const auto offer = [&](Close close) {
        const std::size_t before = pair.a.faults.size();
        const Signature signature = pair.b.key.sign(digest_of(close, b.separator));
        pair.run(pair.a, FromPeer{CloseSignature{close, signature}, {}});
        CHECK_FALSE(pair.a.channel.close);
        CHECK(pair.a.channel.status == Status::open);
        return pair.a.faults.size() > before ? pair.a.faults.back() : Rule::none;
    };
    const Close good{b.id, b.agreed.state.version + 1, b.agreed.state.net, deadline(pair)};
    Close close = good;
    close.net[0] = close.net[0] + units(1);
    CHECK(offer(close) == Rule::digest_mismatch);
    close = good;
    close.channel_id.data[0] ^= 1;
    CHECK(offer(close) == Rule::digest_mismatch);
    close = good;
    close.version = b.agreed.state.version;
    CHECK(offer(close) == Rule::version_out_of_range);
    close.version = b.agreed.state.version + 5'000;
    CHECK(offer(close) == Rule::version_out_of_range);
    close = good;
    close.deadline = pair.context.now_ms / 1000 + 8 * 24 * 3600;
    CHECK(offer(close) == Rule::close_deadline_out_of_range);
    pair.context.halted = true;
    CHECK(offer(good) == Rule::node_halted);
    pair.context.halted = false;
    const Signature wrong = pair.a.key.sign(digest_of(good, b.separator));
    pair.run(pair.a, FromPeer{CloseSignature{good, wrong}, {}});
    CHECK(pair.a.faults.back() == Rule::bad_signature);
    CHECK_FALSE(pair.a.channel.close);

    REQUIRE(pair.attempt(Party::A, perp(0.01, 10'000)) == Rule::none);
    const Close open{b.id, b.agreed.state.version + 1, b.agreed.state.net, deadline(pair)};
    CHECK(offer(open) == Rule::close_with_positions);
    lose_data(pair.b);
    CHECK(pair.attempt(Party::B, CloseOp{deadline(pair)}) == Rule::close_with_positions);
}

TEST_CASE("recovering: a newer state is taken even after a Close was signed, and ends that Close") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    const SignedState old = pair.b.channel.agreed;
    REQUIRE(pair.attempt(Party::A, pay(5)) == Rule::none);
    const SignedState newest = pair.b.channel.agreed;
    pair.unlink();
    pair.b.channel.agreed = old;
    lose_data(pair.b);
    pair.submit(Party::B, CloseOp{deadline(pair)});  // towards nobody
    REQUIRE(pair.b.channel.close);
    const Bytes state = wire_encode(newest.state);
    pair.run(pair.b, FromPeer{HandOver{Blob<(1 << 16)>(ByteView(state)), pair.b.channel.id, newest.signature_a, newest.signature_b}, {}});
    CHECK(pair.b.channel.agreed.state.version == newest.state.version);
    CHECK_FALSE(pair.b.channel.close);
    CHECK(pair.b.channel.status == Status::recovering);
}
