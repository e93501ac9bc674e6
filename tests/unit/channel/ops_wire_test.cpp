#include <doctest/doctest.h>

#include <random>

#include "channel/messages/stored_update.h"
#include "tests/support/channel_pair.h"

/// The ops of an update on the wire (spec 6.1): trades name by number what trades before them said.
namespace hedgerow::testing {

namespace {

/// Of so many instruments and quotes that numbers, spellings and forgotten values all occur.
OpEntry random_entry(std::mt19937_64& rng) {
    if (rng() % 8 == 0) return {rng() % 3, pay(static_cast<long>(rng() % 1000) - 500, "memo")};
    TradeOp trade = perp(0.001 * static_cast<double>(rng() % 100), 100'000);
    trade.instrument.data[20] = static_cast<std::uint8_t>(rng() % 3 == 0 ? rng() % 20 : rng() % 2);
    trade.expiry = rng() % 5 == 0 ? 1'800'000'000 : 0;
    trade.quote.data[7] = static_cast<std::uint8_t>(rng() % 3 == 0 ? rng() % 30 : rng() % 2);
    trade.fee = units(static_cast<long>(rng() % 7));
    return {rng() % 3, trade};
}

/// One trade as it stands in an update whose first byte is the number of its ops.
struct Spelled {
    std::uint8_t numbers = 0;
    bool definition = true;
    bool quote = true;
};

Bytes encode(const std::vector<std::pair<TradeOp, Spelled>>& trades) {
    Writer out;
    out.varint(trades.size());
    for (const auto& [trade, how] : trades) {
        out.byte(0);  // the leader's own
        out.byte(2);  // a trade
        out.byte(how.numbers);
        if (how.definition) {
            wire_write(out, TradeDefinition{trade.instrument, trade.underlying, trade.kind, trade.expiry, trade.strike});
        }
        if (how.quote) wire_write(out, trade.quote);
        wire_write(out, trade.quantity);
        wire_write(out, trade.price);
        wire_write(out, trade.fee);
    }
    return std::move(out).take();
}

TradeOp numbered(std::uint8_t instrument, std::uint8_t quote) {
    TradeOp trade = perp(0.001, 100'000);
    trade.instrument.data[20] = instrument;
    trade.quote.data[0] = quote;
    return trade;
}

}  // namespace

TEST_CASE("ops: what an update holds comes back as it was, whatever repeats in it") {
    std::mt19937_64 rng(5);
    for (int i = 0; i < 300; ++i) {
        std::vector<OpEntry> ops;
        for (std::size_t n = rng() % 200; n > 0; --n) ops.push_back(random_entry(rng));
        OpList::Builder builder;
        for (const OpEntry& op : ops) builder.push_back(op);
        const OpList list = std::move(builder).finish();
        const Bytes bytes = wire_encode(list);
        CHECK(bytes == wire_encode(OpList(ops)));
        const auto read = wire_decode<OpList>(bytes);
        REQUIRE(read.has_value());
        CHECK(std::ranges::equal(read->view(), ops));
        CHECK(wire_encode(*read) == bytes);
    }
}

TEST_CASE("ops: a trade that repeats instrument and quote takes little more than its quantity and price") {
    const OpList one({{0, numbered(1, 1)}}), two({{0, numbered(1, 1)}, {0, numbered(1, 1)}});
    CHECK(one.encoded().size() == 97);
    CHECK(two.encoded().size() == one.encoded().size() + 14);
}

TEST_CASE("ops: every list has one encoding") {
    const TradeOp a = numbered(1, 1);
    const auto rule = [](const std::vector<std::pair<TradeOp, Spelled>>& trades) {
        const auto read = wire_decode<OpList>(encode(trades));
        return read ? Rule::none : read.error();
    };
    REQUIRE(encode({{a, {}}, {a, {0x11, false, false}}}) == wire_encode(OpList({{0, a}, {0, a}})));
    CHECK(rule({{a, {}}, {a, {}}}) == Rule::field_out_of_range);                                // both have numbers
    CHECK(rule({{a, {}}, {a, {0x10, false, true}}}) == Rule::field_out_of_range);               // the quote has one
    CHECK(rule({{a, {}}, {a, {0x01, true, false}}}) == Rule::field_out_of_range);               // the definition has one
    CHECK(rule({{a, {0x11, false, false}}}) == Rule::field_out_of_range);                       // nothing was said yet
    CHECK(rule({{a, {}}, {a, {0x21, false, false}}}) == Rule::field_out_of_range);              // one was said
    CHECK(rule({{a, {}}, {a, {0x19, false, false}}}) == Rule::field_out_of_range);              // there is no ninth
    CHECK(rule({{a, {}}, {numbered(1, 2), {0x10, false, true}}}) == Rule::none);
}

TEST_CASE("ops: eight values have numbers, the ninth newest is spelled out again") {
    std::vector<OpEntry> ops;
    for (std::uint8_t i = 1; i <= 9; ++i) ops.push_back({0, numbered(i, i)});
    const std::size_t nine = OpList(ops).encoded().size();
    ops.push_back({0, numbered(2, 2)});  // the eighth newest
    CHECK(OpList(ops).encoded().size() == nine + 14);
    ops.back() = {0, numbered(1, 1)};
    CHECK(OpList(ops).encoded().size() == nine + 97);
    CHECK(wire_decode<OpList>(wire_encode(OpList(ops))).has_value());
}

TEST_CASE("ops: bytes that are read at all are what would be written") {
    std::mt19937_64 rng(6);
    std::size_t taken = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::vector<OpEntry> ops;
        for (std::size_t n = 1 + rng() % 6; n > 0; --n) ops.push_back(random_entry(rng));
        Bytes bytes = wire_encode(OpList(ops));
        bytes[rng() % bytes.size()] = static_cast<std::uint8_t>(rng() % 4 == 0 ? rng() : rng() % 0x30);
        const auto read = wire_decode<OpList>(bytes);
        if (!read) continue;
        ++taken;
        CHECK(wire_encode(*read) == bytes);
    }
    CHECK(taken > 1'000);
}

TEST_CASE("ops: an update stored by protocol 1, with every trade in full, is read; from the wire it is not") {
    Update update;
    update.version = 7;
    update.base = 6;
    update.timestamp_ms = 1'800'000'000'000;
    update.ops = OpList({{0, numbered(1, 1)}, {3, pay(-4)}, {0, numbered(1, 1)}});
    update.signature.emplace();
    Writer old;
    wire_write(old, update.channel);
    wire_write(old, update.version);
    wire_write(old, update.base);
    wire_write(old, update.timestamp_ms);
    old.varint(update.ops.size());
    for (const OpEntry& entry : update.ops) wire_write(old, entry);
    wire_write(old, update.signature);
    CHECK_FALSE(wire_decode<Update>(old.bytes()).has_value());
    const auto read = decode_stored_update(old.bytes());
    REQUIRE(read.has_value());
    CHECK(*read == update);
    const auto fresh = decode_stored_update(wire_encode(update));
    REQUIRE(fresh.has_value());
    CHECK(*fresh == update);
    CHECK_FALSE(decode_stored_update(Bytes(40)).has_value());
}

}  // namespace hedgerow::testing
