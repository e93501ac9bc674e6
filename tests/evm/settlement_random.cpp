#include "tests/evm/random.h"
#include "tests/evm/settlement_case.h"

namespace hedgerow::tests {

using namespace hedgerow::channel;

namespace {

constexpr std::uint64_t kT = 1'800'000'000;
constexpr Int128 kDollar = 100'000'000;
constexpr Int128 kMarketTop = (Int128{1} << kMarketBits) - 1;
constexpr Int128 kNetTop = (Int128{1} << kNetBits) - 1;

/// How large numbers are: of every size up to the limits, or of a market with dollars, where most channels are solvent,
/// a shortfall is near what covers it, and roundings decide.
enum class Scale { any, market };

struct Maker {
    Random random;
    Scale scale;
    SettlementInput out;

    Price price() {
        if (scale == Scale::any) return Price::from_raw(std::max<Int128>(random.sized(kMarketBits), 1));
        return Price::from_raw(kDollar / 2 + static_cast<Int128>(random.below(100'000 * 100'000'000ULL)));
    }
    Price near(Price of) {
        if (scale == Scale::any) return price();
        const auto parts = static_cast<Int128>(800'000 + random.below(400'001));
        return Price::from_raw(std::max<Int128>(of.raw() * parts / 1'000'000, 1));
    }
    std::optional<Price> attested(Price of, std::uint64_t absent_one_in) {
        return random.one_in(absent_one_in) ? std::nullopt : std::optional(near(of));
    }
    Amount tokens(int decimals) {
        if (scale == Scale::any) return Amount::from_raw(random.sized(kNetBits));
        return Amount::from_raw(static_cast<Int128>(pow10(decimals)) * static_cast<Int128>(random.below(10'000)) +
                                static_cast<Int128>(random.below(static_cast<std::uint64_t>(pow10(decimals)))));
    }

    void add_asset(std::size_t index) {
        Asset asset;
        asset.token.data[19] = static_cast<std::uint8_t>(index);
        asset.decimals = static_cast<std::uint8_t>(random.one_in(3) ? 18 * random.below(2) : random.below(19));
        const std::uint64_t haircut = random.below(6);
        asset.haircut_bps = static_cast<std::uint16_t>(haircut == 0   ? 0
                                                       : haircut == 1 ? 10'000
                                                       : haircut == 2 ? 9'999
                                                                      : random.below(10'001));
        const bool has_feed = random.one_in(2);
        if (has_feed) asset.feed = *feed_from_name(std::string("ASSET").append(std::to_string(index)));
        out.terms.assets.push_back(asset);
        out.state.asset_marks.push_back(price());
        // A price of an asset without a feed is not looked at: give one, to see that.
        out.prices.assets.push_back(attested(out.state.asset_marks.back(), 5));
        add_holdings(asset);
    }
    void add_holdings(const Asset& asset) {
        Holdings held{tokens(asset.decimals), tokens(asset.decimals), {}, {}};
        if (random.one_in(4)) held.deposit_a = Amount();
        if (random.one_in(4)) held.deposit_b = Amount();
        // What was withdrawn lies within the two deposits together; one party may have taken some of what it won.
        const Int128 all = held.total().raw();
        if (random.one_in(2)) held.withdrawn_a = Amount::from_raw(std::min(random.sized(kNetBits), all / 2));
        if (random.one_in(2))
            held.withdrawn_b = Amount::from_raw(std::min(random.sized(kNetBits), all - held.withdrawn_a.raw()));
        out.holdings.push_back(held);
        const Int128 spread =
            scale == Scale::any || all == 0 ? random.either(kNetBits) : random.either(kNetBits) % (all + all / 4 + 1);
        out.state.net.push_back(Amount::from_raw(std::clamp(spread, -kNetTop, kNetTop)));
    }

    void add_position() {
        Position position;
        position.instrument.data[0] = static_cast<std::uint8_t>(1 + random.below(8));
        position.underlying.data[0] = static_cast<std::uint8_t>(1 + random.below(4));
        position.kind = static_cast<Kind>(random.below(5));
        constexpr std::uint64_t kExpiries[] = {0, kT - 1, kT, kT + 1, kT - 60, kT + 60};
        position.expiry = kExpiries[random.below(6)];
        const Price at = price();
        position.mark = scale == Scale::any ? Price::from_raw(random.either(kMarketBits)) : near(at);
        position.strike = scale == Scale::any ? Price::from_raw(random.sized(kMarketBits)) : near(at);
        const std::optional<Price> found = attested(at, 24);
        if (found && random.one_in(6)) position.strike = *found;  // at the money
        position.quantity = Quantity::from_raw(scale == Scale::any ? random.either(kMarketBits) : random.either(24));
        out.state.positions.push_back(position);
        out.prices.positions.push_back(found);
    }

    void add_lock() {
        Lock lock;
        lock.hash.data[0] = static_cast<std::uint8_t>(random.below(256));
        lock.expiry = kT - 100 + random.below(3);
        lock.asset = static_cast<std::uint8_t>(random.below(out.terms.assets.size()));
        const int bits = scale == Scale::any ? kMarketBits : 40;
        lock.amount = Amount::from_raw(random.either(bits));
        out.state.locks.push_back(lock);
        out.registered_s.push_back(random.one_in(3) ? 0 : kT - 101 + random.below(4));
    }

    void fill(std::size_t assets, std::size_t positions, std::size_t locks) {
        out.valuation_s = kT;
        out.state.version = 1 + random.below(kMaxVersion);
        for (std::size_t i = 0; i < assets; ++i) add_asset(i);
        for (std::size_t i = 0; i < positions; ++i) add_position();
        for (std::size_t i = 0; i < locks; ++i) add_lock();
        constexpr std::uint64_t kLeads[] = {0, 1, 64, 65, 127};
        out.lead = kLeads[random.below(5)];
        out.challenger = random.one_in(2) ? Party::A : Party::B;
        out.marks_allowed = random.one_in(2);
        out.terms.stale_penalty =
            random.one_in(3) ? Amount::from_raw(random.sized(127)) : tokens(out.terms.assets[0].decimals);
    }
};

/// Everything at its limit at once: 8 assets, 32 positions, 256 locks; bits of `corner` choose signs and decimals.
SettlementInput extreme(std::uint64_t seed, std::uint64_t corner) {
    Maker maker{Random(seed, corner), Scale::any, {}};
    maker.fill(kMaxAssets, kMaxPositions, kMaxLocks);
    SettlementInput out = std::move(maker.out);
    const bool a_loses = (corner & 1) != 0;
    for (std::size_t i = 0; i < kMaxAssets; ++i) {
        out.terms.assets[i].decimals = (corner & 2) != 0 ? 18 : 0;
        if (i == 0 && (corner & 4) != 0)
            out.terms.assets[0].decimals = static_cast<std::uint8_t>(18 - out.terms.assets[0].decimals);
        out.holdings[i] = {Amount::from_raw(kNetTop), Amount::from_raw(kNetTop), {}, {}};
        out.state.net[i] = Amount::from_raw(i % 2 == 0 ? kNetTop : -kNetTop);
        const Price asset_price = Price::from_raw((corner & 8) != 0 ? 1 : kMarketTop);
        out.terms.assets[i].feed = *feed_from_name("X");
        out.prices.assets[i] = i % 2 == 0 ? std::optional(asset_price) : std::nullopt;
        out.state.asset_marks[i] = i == 1 ? Price::from_raw(1) : asset_price;
    }
    for (std::size_t i = 0; i < kMaxPositions; ++i) {
        Position& position = out.state.positions[i];
        position.kind = Kind::linear;
        position.expiry = 0;
        position.quantity = Quantity::from_raw(a_loses ? -kMarketTop : kMarketTop);
        position.mark = Price::from_raw(-kMarketTop);
        out.prices.positions[i] = Price::from_raw(kMarketTop);
    }
    for (Lock& lock : out.state.locks) lock.amount = Amount::from_raw(a_loses ? kMarketTop : -kMarketTop);
    out.terms.stale_penalty = Amount::from_raw((Int128{1} << 126) + ((Int128{1} << 126) - 1));
    out.marks_allowed = true;
    return out;
}

/// Version 0: deposits only.
void make_initial(SettlementInput& input) {
    input.state = State();
    input.registered_s.clear();
    input.prices.positions.clear();
}

}  // namespace

SettlementInput random_settlement(std::uint64_t seed, std::uint64_t index) {
    if (index < 16) return extreme(seed, index);
    Maker maker{Random(seed, index), index % 4 == 0 ? Scale::any : Scale::market, {}};
    Random& random = maker.random;
    const std::size_t assets = random.one_in(8) ? kMaxAssets : 1 + random.below(4);
    const std::size_t positions = random.one_in(8) ? kMaxPositions : random.below(7);
    const std::size_t locks = random.one_in(16) ? random.below(kMaxLocks + 1) : random.below(4);
    maker.fill(assets, positions, locks);
    if (random.one_in(40)) make_initial(maker.out);
    return std::move(maker.out);
}

}  // namespace hedgerow::tests
