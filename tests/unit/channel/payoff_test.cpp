#include "channel/market/payoff.h"

#include <doctest/doctest.h>

using namespace hedgerow::channel;

namespace {
Price price(long long raw) {
    return Price::from_raw(raw);
}
}  // namespace

TEST_CASE("payoff: spec 3.7 below, at and above the strike") {
    struct Row {
        Kind kind;
        long long below, at, above;
    };
    const Row rows[] = {{Kind::linear, 99, 100, 101},
                        {Kind::call, 0, 0, 1},
                        {Kind::put, 1, 0, 0},
                        {Kind::digital_call, 0, 100'000'000, 100'000'000},
                        {Kind::digital_put, 100'000'000, 0, 0}};
    for (const Row& row : rows) {
        CHECK(payoff(row.kind, price(100), price(99)) == price(row.below));
        CHECK(payoff(row.kind, price(100), price(100)) == price(row.at));
        CHECK(payoff(row.kind, price(100), price(101)) == price(row.above));
    }
}

TEST_CASE("payoff: the ends of the range") {
    const Price top = Price::from_raw((Int128{1} << 96) - 1);
    CHECK(payoff(Kind::call, price(0), top) == top);
    CHECK(payoff(Kind::put, top, price(0)) == top);
    CHECK(payoff(Kind::call, top, price(1)) == price(0));
    CHECK(payoff(Kind::digital_call, price(0), price(0)) == price(100'000'000));
}

TEST_CASE("payoff: call less put is the forward, both digitals are one USD") {
    for (const long long x : {0LL, 1LL, 99LL, 100LL, 101LL, 1'000'000'000'000LL}) {
        CHECK(payoff(Kind::call, price(100), price(x)) - payoff(Kind::put, price(100), price(x)) == price(x - 100));
        CHECK(payoff(Kind::digital_call, price(100), price(x)) + payoff(Kind::digital_put, price(100), price(x)) ==
              price(100'000'000));
    }
}
