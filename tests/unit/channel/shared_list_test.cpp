#include "channel/codec/shared_list.h"

#include <doctest/doctest.h>

#include "channel/crypto/keccak.h"
#include "tests/support/channel_pair.h"

/// Lists that remember their encoding: the same bytes as a List, whatever was done to them.
namespace hedgerow::testing {

namespace {

OpEntry entry(std::uint64_t proposal, std::int64_t amount) {
    return {proposal, pay(amount)};
}

PositionEntry position(const char* name, double quantity) {
    PositionEntry out;
    out.position.instrument = feed(name);
    out.position.quantity = coins(quantity);
    return out;
}

Hash hash_of(const CowList<PositionEntry, kMaxPositions>& list, int& computed) {
    return list.hashed([&](std::span<const PositionEntry> elements) {
        ++computed;
        Bytes bytes;
        for (const PositionEntry& e : elements) append(bytes, e.digest().view());
        return keccak256(bytes);
    });
}

}  // namespace

TEST_CASE("shared list: on the wire it is what a List is, built at once or one by one") {
    const std::vector<OpEntry> ops{entry(0, 5), entry(77, -300), entry(0, 1)};
    List<OpEntry, kMaxOpsPerUpdate> plain;
    plain.assign(ops.begin(), ops.end());
    OpList::Builder builder;
    for (const OpEntry& op : ops) builder.push_back(op);
    CHECK(builder.size() == 3);
    const OpList built = std::move(builder).finish();
    CHECK(wire_encode(built) == wire_encode(plain));
    CHECK(wire_encode(OpList(ops)) == wire_encode(plain));
    CHECK(wire_encode(OpList()) == Bytes{0});
    const auto read = wire_decode<OpList>(wire_encode(plain));
    REQUIRE(read.has_value());
    CHECK(*read == built);
    CHECK(wire_encode(*read) == wire_encode(plain));
    CHECK(*read != OpList({entry(0, 5)}));
    const OpList copy = built;
    CHECK(copy.begin() == built.begin());  // the same list
}

TEST_CASE("shared list: a list that is cut off, too long or followed by more is refused") {
    const Bytes good = wire_encode(OpList({entry(0, 5), entry(0, 6)}));
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK(wire_decode<OpList>(ByteView(good).first(size)).error() == Rule::frame_truncated);
    Bytes longer = good;
    longer.push_back(0);
    CHECK(wire_decode<OpList>(longer).error() == Rule::frame_trailing_bytes);
    Writer lies;
    lies.varint(kMaxOpsPerUpdate + 1);
    CHECK(wire_decode<OpList>(lies.bytes()).error() == Rule::list_too_long);
}

TEST_CASE("cow list: copies are one list until one is changed, and what is remembered changes with it") {
    CowList<PositionEntry, kMaxPositions> list;
    CHECK(wire_encode(list) == Bytes{0});
    list.edit().push_back(position("A", 1));
    list.edit().push_back(position("B", 2));
    int computed = 0;
    const Hash before = hash_of(list, computed);
    const Bytes encoded = wire_encode(list);
    auto copy = list;
    CHECK(copy.data() == list.data());
    CHECK(hash_of(copy, computed) == before);
    CHECK(computed == 1);
    PositionEntry& edited = copy.edit()[1];
    edited.position.quantity = coins(3);
    edited.changed();
    CHECK(copy.data() != list.data());
    CHECK(list[1].position.quantity == coins(2));
    CHECK(hash_of(list, computed) == before);
    CHECK(hash_of(copy, computed) != before);
    CHECK(computed == 2);
    CHECK(wire_encode(list) == encoded);
    CHECK(wire_encode(copy) != encoded);
    CHECK_FALSE(copy == list);
    const auto read = wire_decode<CowList<PositionEntry, kMaxPositions>>(wire_encode(copy));
    REQUIRE(read.has_value());
    CHECK(*read == copy);
    CHECK(hash_of(*read, computed) == hash_of(copy, computed));
}

TEST_CASE("cow list: editing a position of a state that shares its list leaves the other state alone") {
    ChannelState state;
    for (const char* name : {"A", "B", "C"}) state.positions.edit().push_back(position(name, 1));
    ChannelState after = state;
    PositionEntry* entry = after.edit_position(feed("C"));
    REQUIRE(entry != nullptr);
    CHECK(entry->position.instrument == feed("C"));
    entry->position.quantity = coins(9);
    entry->changed();
    CHECK(state.find_position(feed("C"))->position.quantity == coins(1));
    CHECK(after.find_position(feed("C"))->position.quantity == coins(9));
    CHECK(after.edit_position(feed("D")) == nullptr);
}

}  // namespace hedgerow::testing
