#include <doctest/doctest.h>

#include "channel/crypto/keccak.h"
#include "channel/machine/durable.h"
#include "tests/support/channel_pair.h"

/// The stored head (spec 8.2): its check bytes are of a hash in which the digest stands for a signed state.
namespace hedgerow::testing {

namespace {

/// How many of the heads with one bit changed are taken.
std::size_t damaged_and_taken(const Side& side) {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < 8 * side.head.size(); ++i) {
        Bytes head = side.head;
        head[i / 8] = static_cast<std::uint8_t>(head[i / 8] ^ (1 << (i % 8)));
        if (restore_channel(head, side.channel.separator, {})) ++taken;
    }
    return taken;
}

}  // namespace

TEST_CASE("head: no changed bit passes, before the first version and with locks and positions open") {
    Pair pair;
    CHECK(damaged_and_taken(pair.a) == 0);
    REQUIRE(pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::none);
    for (std::uint8_t i = 1; i <= 3; ++i) {
        Lock lock;
        lock.hash.data[0] = i;
        lock.expiry = pair.context.now_ms / 1'000 + 600;
        lock.amount = units(i);
        REQUIRE(pair.attempt(Party::A, LockOp{lock}) == Rule::none);
    }
    for (const Side* side : {&pair.a, &pair.b}) {
        CHECK(damaged_and_taken(*side) == 0);
        CHECK(restore_channel(side->head, side->channel.separator, {}).has_value());
    }
}

TEST_CASE("head: one of an earlier format, with other check bytes, is read, and written as the newest") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(5)) == Rule::none);
    const ByteView head(pair.a.head);
    const Bytes body(head.begin(), head.end() - 8);
    CHECK(seal_head(body) == pair.a.head);
    std::array<Bytes, 2> earlier{body, body};
    for (const std::size_t i : {0U, 1U}) earlier[i][0] = static_cast<std::uint8_t>(i + 1);
    const Hash hash = keccak256(earlier[0]);  // of all
    earlier[0].insert(earlier[0].end(), hash.data.begin(), hash.data.begin() + 8);
    const Bytes state = wire_encode(pair.a.channel.agreed.state);
    const auto at = std::search(earlier[1].begin(), earlier[1].end(), state.begin(), state.end()) - earlier[1].begin();
    const Hash without = keccak256({ByteView(earlier[1]).first(static_cast<std::size_t>(at)),
                                    ByteView(earlier[1]).subspan(static_cast<std::size_t>(at) + state.size())});
    earlier[1].insert(earlier[1].end(), without.data.begin(), without.data.begin() + 8);
    for (Bytes& old : earlier) {
        const auto channel = restore_channel(old, pair.a.channel.separator, {});
        REQUIRE(channel.has_value());
        CHECK(encode_head(*channel) == pair.a.head);
        CHECK_FALSE(std::equal(old.end() - 8, old.end(), head.end() - 8));
        old[old.size() / 2] ^= 1;
        CHECK_FALSE(restore_channel(old, pair.a.channel.separator, {}).has_value());
    }
    Bytes newer = body;
    newer[0] = 4;
    CHECK(restore_channel(seal_head(newer), pair.a.channel.separator, {}).error() == Rule::protocol_version_unsupported);
}

}  // namespace hedgerow::testing
