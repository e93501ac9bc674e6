#include <doctest/doctest.h>

#include <random>

#include "channel/settle/settlement.h"

// Random cases within the limits of spec 1.6: whatever is asked, everything is paid out, nobody is paid a negative
// amount, and no computation asserts. tests/evm compares the integers themselves with the contract's.

using namespace hedgerow::channel;

namespace {

struct Random {
    std::mt19937_64 engine;
    std::uint64_t below(std::uint64_t n) { return engine() % n; }
    /// Below 2^bits, of any size.
    Int128 bits(int bits) {
        const Uint128 all = static_cast<Uint128>(engine()) << 64 | engine();
        const auto size = static_cast<int>(below(static_cast<std::uint64_t>(bits) + 1));
        return size == 0 ? 0 : static_cast<Int128>(all >> (128 - size));
    }
    Int128 either(int n) { return below(2) == 0 ? bits(n) : -bits(n); }
};

struct Case {
    Terms terms;
    State state;
    std::vector<Holdings> holdings;
    std::vector<std::uint64_t> registered;
    SettlementPrices prices;
    std::uint64_t lead = 0;
    Party challenger = Party::A;
    bool marks_allowed = false;

    [[nodiscard]] Settlement settle() const {
        return settle_case({terms, state, holdings, registered, prices, 1'000, lead, challenger, marks_allowed});
    }
};

Case random_case(Random& random) {
    Case out;
    out.state.version = 1;
    for (std::size_t i = 0, n = 1 + random.below(8); i < n; ++i) {
        Asset asset;
        asset.decimals = static_cast<std::uint8_t>(random.below(19));
        asset.haircut_bps = static_cast<std::uint16_t>(random.below(10'001));
        if (random.below(2) == 0) asset.feed = *feed_from_name("X");
        out.terms.assets.push_back(asset);
        const Amount a = Amount::from_raw(random.bits(120));
        const Amount b = Amount::from_raw(random.bits(120));
        out.holdings.push_back({a, b, Amount::from_raw(a.raw() / 3), Amount::from_raw(b.raw() / 2)});
        out.state.net.push_back(Amount::from_raw(random.either(120)));
        out.state.asset_marks.push_back(Price::from_raw(random.bits(96) | 1));
        out.prices.assets.push_back(random.below(3) == 0 ? std::nullopt
                                                         : std::optional(Price::from_raw(random.bits(96) | 1)));
    }
    for (std::size_t i = 0, n = random.below(33); i < n; ++i) {
        Position position;
        position.underlying.data[0] = static_cast<std::uint8_t>(random.below(4));
        position.kind = static_cast<Kind>(random.below(5));
        position.expiry = random.below(2) == 0 ? 0 : 999 + random.below(3);
        position.strike = Price::from_raw(random.bits(96));
        position.quantity = Quantity::from_raw(random.either(96));
        position.mark = Price::from_raw(random.either(96));
        out.state.positions.push_back(position);
        out.prices.positions.push_back(random.below(16) == 0 ? std::nullopt
                                                             : std::optional(Price::from_raw(random.bits(96) | 1)));
    }
    for (std::size_t i = 0, n = random.below(5); i < n; ++i) {
        out.state.locks.push_back({{},
                                   500,
                                   static_cast<std::uint8_t>(random.below(out.terms.assets.size())),
                                   Amount::from_raw(random.either(96))});
        out.registered.push_back(random.below(3) * 250);
    }
    out.terms.stale_penalty = Amount::from_raw(random.bits(126));
    out.lead = random.below(128);
    out.challenger = static_cast<Party>(random.below(2));
    out.marks_allowed = random.below(2) == 0;
    return out;
}

void check_conserved(const Case& facts, const Settlement& result) {
    REQUIRE(result.a.size() == facts.holdings.size());
    for (std::size_t i = 0; i < result.a.size(); ++i) {
        CHECK(result.a[i].raw() >= 0);
        CHECK(result.b[i].raw() >= 0);
        CHECK(result.a[i] + result.b[i] == facts.holdings[i].total());
    }
}

/// The same case with A and B exchanged.
Case mirrored(Case facts) {
    for (Holdings& held : facts.holdings) held = {held.deposit_b, held.deposit_a, held.withdrawn_b, held.withdrawn_a};
    for (Amount& net : facts.state.net) net = -net;
    for (Position& position : facts.state.positions) position.quantity = -position.quantity;
    for (Lock& lock : facts.state.locks) lock.amount = -lock.amount;
    facts.challenger = other(facts.challenger);
    return facts;
}

}  // namespace

TEST_CASE("settle: what is paid is what is held, and never negative") {
    const std::uint64_t seed = std::random_device()();
    CAPTURE(seed);
    Random random{std::mt19937_64(seed)};
    int short_of = 0;
    int uncovered = 0;
    int missing = 0;
    for (int i = 0; i < 3'000; ++i) {
        const Case facts = random_case(random);
        const Settlement result = facts.settle();
        check_conserved(facts, result);
        CHECK(result.price_missing == (result.marks_used && !facts.marks_allowed));
        short_of += result.loser ? 1 : 0;
        uncovered += result.shortfall.is_zero() ? 0 : 1;
        missing += result.price_missing ? 1 : 0;
    }
    CHECK(short_of > 300);
    CHECK(uncovered > 100);
    CHECK(missing > 300);
}

TEST_CASE("settle: exchanging A and B exchanges what they get") {
    const std::uint64_t seed = std::random_device()();
    CAPTURE(seed);
    Random random{std::mt19937_64(seed)};
    for (int i = 0; i < 1'000; ++i) {
        Case facts = random_case(random);
        facts.lead = random.below(2) == 0 ? 0 : 100;  // stale on either side or on none
        const Settlement one = facts.settle();
        const Settlement two = mirrored(facts).settle();
        CHECK(one.a == two.b);
        CHECK(one.b == two.a);
        CHECK(one.shortfall == two.shortfall);
        CHECK(one.penalty == two.penalty);
    }
}

TEST_CASE("settle: the less A owes the more A gets, in every asset") {
    const std::uint64_t seed = std::random_device()();
    CAPTURE(seed);
    Random random{std::mt19937_64(seed)};
    int moved = 0;
    for (int i = 0; i < 1'000; ++i) {
        Case facts = random_case(random);
        const Settlement before = facts.settle();
        facts.state.net[0] -= Amount::from_raw(random.bits(118));
        const Settlement after = facts.settle();
        for (std::size_t k = 0; k < before.a.size(); ++k) {
            CHECK(after.a[k] >= before.a[k]);
            moved += after.a[k] > before.a[k] ? 1 : 0;
        }
    }
    CHECK(moved > 100);
}
