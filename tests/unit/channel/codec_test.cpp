#include <doctest/doctest.h>

#include "channel/codec/abi.h"
#include "channel/messages/typed.h"

using namespace hedgerow::channel;

namespace {
State sample_state() {
    State state;
    state.version = 300;
    state.context.data[5] = 9;
    state.net = {Amount::from_raw(-5), Amount::from_raw(7)};
    state.asset_marks = {Price::from_raw(100'000'000), Price::from_raw(1)};
    Position position;
    position.instrument = *feed_from_name("BTC_USD-PERPETUAL");
    position.underlying = *feed_from_name("BTC_USD");
    position.quantity = Quantity::from_raw(-123);
    position.mark = Price::from_raw(456);
    state.positions.push_back(position);
    state.locks.push_back(Lock{{}, 1000, 1, Amount::from_raw(-3)});
    return state;
}
}  // namespace

TEST_CASE("wire: round trip, and every truncation and extension is refused") {
    const State state = sample_state();
    const Bytes bytes = wire_encode(state);
    CHECK(*wire_decode<State>(bytes) == state);
    for (std::size_t n = 0; n < bytes.size(); ++n) CHECK(wire_decode<State>(ByteView(bytes).first(n)).error() == Rule::frame_truncated);
    Bytes longer = bytes;
    longer.push_back(0);
    CHECK(wire_decode<State>(longer).error() == Rule::frame_trailing_bytes);
}

TEST_CASE("wire: numbers have one encoding") {
    using OneNumber = Lock;
    Writer out;
    out.raw(LockHash{}.view());
    out.byte(0x80);
    out.byte(0x00);
    CHECK(wire_decode<OneNumber>(out.bytes()).error() == Rule::integer_not_minimal);
    for (const Int128 value : {Int128{0}, Int128{-1}, Int128{1}, static_cast<Int128>(static_cast<Uint128>(1) << 127), -(static_cast<Int128>(1) << 126)}) {
        Writer w;
        w.zigzag(value);
        Reader r(w.bytes());
        CHECK((r.zigzag() == value));
        CHECK(r.remaining() == 0);
    }
    Writer huge;
    for (int i = 0; i < 9; ++i) huge.byte(0xff);
    huge.byte(0x02);
    Reader r(huge.bytes());
    CHECK(r.varint(64) == 0);
    CHECK(r.rule() == Rule::field_out_of_range);
}

TEST_CASE("wire: a lying length allocates nothing and is refused") {
    Writer out;
    out.raw(ChannelId{}.view());
    out.varint(1);
    out.raw(Hash{}.view());
    out.varint(9);
    CHECK(wire_decode<State>(out.bytes()).error() == Rule::list_too_long);
}

TEST_CASE("abi: nested dynamic structs round trip; a bad offset or padding is refused") {
    const State state = sample_state();
    Bytes bytes = abi_encode(std::uint64_t{7}, state, ChannelId{});
    std::uint64_t number = 0;
    State again;
    ChannelId id;
    REQUIRE(abi_decode(bytes, number, again, id));
    CHECK(number == 7);
    CHECK(again == state);
    for (std::size_t n = 0; n < bytes.size(); n += 32) CHECK_FALSE(abi_decode(ByteView(bytes).first(n), number, again, id));
    bytes[0] = 1;
    CHECK_FALSE(abi_decode(bytes, number, again, id));
}

TEST_CASE("abi: Solidity's own example") {
    // Contract ABI Specification, "Use of Dynamic Types": f(uint256,uint32[],bytes10,bytes) without the bytes10.
    const Bytes call = abi_call("baz(uint32,bool)", std::uint32_t{69}, true);
    CHECK(to_hex(call) == "0xcdcd77c0" + std::string(62, '0') + "45" + std::string(63, '0') + "1");
}

TEST_CASE("terms: each rule is named") {
    Terms terms;
    CHECK(check_terms(terms) == Rule::assets_count_out_of_range);
    terms.assets.push_back({});
    terms.assets[0].decimals = 19;
    CHECK(check_terms(terms) == Rule::asset_decimals_out_of_range);
    terms.assets[0].decimals = 18;
    terms.assets[0].haircut_bps = 10'001;
    CHECK(check_terms(terms) == Rule::haircut_out_of_range);
    terms.assets[0].haircut_bps = 10'000;
    terms.assets.push_back(terms.assets[0]);
    CHECK(check_terms(terms) == Rule::asset_duplicate);
    terms.assets.pop_back();
    CHECK(check_terms(terms) == Rule::oracles_count_out_of_range);
    terms.oracles.push_back({});
    CHECK(check_terms(terms) == Rule::oracles_not_ascending);
    terms.oracles[0].data[0] = 1;
    terms.oracles.push_back(terms.oracles[0]);
    CHECK(check_terms(terms) == Rule::oracles_not_ascending);
    terms.oracles[1].data[0] = 2;
    CHECK(check_terms(terms) == Rule::oracle_threshold_out_of_range);
    terms.oracle_threshold = 1;
    CHECK(check_terms(terms) == Rule::oracle_threshold_not_majority);
    terms.oracle_threshold = 2;
    CHECK(check_terms(terms) == Rule::price_slot_zero);
    terms.price_slot = 1;
    CHECK(check_terms(terms) == Rule::owner_zero);
    terms.owner_a.data[0] = terms.owner_b.data[0] = 1;
    CHECK(check_terms(terms) == Rule::signer_zero);
    terms.signer_a.data[0] = terms.signer_b.data[0] = 1;
    CHECK(check_terms(terms) == Rule::signers_equal);
    terms.signer_b.data[0] = 2;
    CHECK(check_terms(terms) == Rule::none);
    terms.stale_penalty = Amount::from_raw(-1);
    CHECK(check_terms(terms) == Rule::amount_out_of_range);
}
