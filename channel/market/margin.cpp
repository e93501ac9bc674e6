#include "channel/market/margin.h"

#include <algorithm>

#include "channel/market/convert.h"

namespace hedgerow::channel {

namespace {

constexpr Uint128 kBps = 10'000;
constexpr Price kOneUsd = Price::from_raw(100'000'000);

U256 magnitude_of(Quantity quantity) {
    return I256(quantity.raw()).magnitude;
}
U256 price_magnitude(Price price) {
    return price.raw() <= 0 ? U256() : U256(static_cast<Uint128>(price.raw()));
}

bool is_digital(Kind kind) {
    return kind == Kind::digital_call || kind == Kind::digital_put;
}

/// The underlying's price, or where none is known a bound that does not favour the holder: a call is worth at least
/// underlying - strike, and a put is looked at as at the money.
Price underlying_of(const PositionView& view) {
    if (view.underlying_price.raw() > 0) return view.underlying_price;
    return view.position->kind == Kind::call ? view.position->strike + view.price : view.position->strike;
}

/// What one unit of the position counts for as notional.
Price notional_price(const PositionView& view) {
    if (view.position->kind == Kind::linear) return view.price;
    return is_digital(view.position->kind) ? kOneUsd : underlying_of(view);
}

U256 notional_of(const PositionView& view, Quantity quantity) {
    return magnitude_of(quantity) * price_magnitude(notional_price(view));
}

U256 part_up(const U256& notional, Uint128 bps) {
    if (notional.high() == 0 && notional.limb[1] == 0) {  // rates are 32 bits: the product fits 128
        const Uint128 product = Uint128{notional.limb[0]} * bps + (kBps - 1);
        if ((product >> 64) == 0) return {static_cast<std::uint64_t>(product) / static_cast<std::uint64_t>(kBps)};
    }
    const auto part = mul_div_ceil(notional, U256(bps), U256(kBps));
    ASSERT(part.has_value());
    return *part;
}

struct Rates {
    Uint128 initial_bps = kBps;
    Uint128 maintenance_bps = kBps;
    Uint128 penalty_bps = 0;
};

Rates rates_of(const PositionView& view, const RiskTerms& terms) {
    const RiskClass* found = terms.find(view.position->underlying);
    if (found == nullptr) return {};
    return {found->initial_bps, found->maintenance_bps, found->penalty_bps};
}

/// How far an option is out of the money, of all `quantity`.
U256 out_of_the_money(const PositionView& view) {
    const Price strike = view.position->strike;
    const Price underlying = underlying_of(view);
    const Price distance = view.position->kind == Kind::call ? strike - underlying : underlying - strike;
    return magnitude_of(view.quantity) * price_magnitude(distance);
}

Requirement short_option(const PositionView& view, const U256& notional, const Rates& rates) {
    const U256 full = part_up(notional, rates.initial_bps);
    const U256 maintenance = part_up(notional, rates.maintenance_bps);
    const U256 otm = out_of_the_money(view);
    const auto floor = mul_div_ceil(full, U256(2), U256(3));
    ASSERT(floor.has_value());
    const U256 initial = std::max({full > otm ? full - otm : U256(), *floor, maintenance});
    return {I256(false, initial), I256(false, maintenance)};
}

/// The most that the holder can still lose, where that is bounded by the instrument itself.
std::optional<U256> greatest_loss(const PositionView& view) {
    const bool is_long = view.quantity.sign() > 0;
    const U256 size = magnitude_of(view.quantity);
    switch (view.position->kind) {
        case Kind::linear:
            return std::nullopt;
        case Kind::call:
            return is_long ? std::optional(size * price_magnitude(view.price)) : std::nullopt;
        case Kind::put:
            return size * price_magnitude(is_long ? view.price : view.position->strike - view.price);
        case Kind::digital_call:
        case Kind::digital_put:
            return size * price_magnitude(is_long ? view.price : kOneUsd - view.price);
    }
    ASSERT(false && "kind");
    return std::nullopt;
}

Requirement rated(const PositionView& view, const U256& notional, const Rates& rates) {
    if (is_digital(view.position->kind)) {
        const I256 loss(false, *greatest_loss(view));
        return {loss, loss};
    }
    if (view.position->kind != Kind::linear && view.quantity.sign() < 0) return short_option(view, notional, rates);
    return {I256(false, part_up(notional, rates.initial_bps)), I256(false, part_up(notional, rates.maintenance_bps))};
}

I256 collateral_of(const AccountView& account) {
    ASSERT(!account.assets.empty());
    ASSERT(account.balances.size() == account.assets.size() && account.asset_prices.size() == account.assets.size());
    I256 sum;
    for (std::size_t i = 0; i < account.assets.size(); ++i) {
        const Asset& asset = account.assets[i];
        if (account.balances[i].is_zero()) continue;
        const I256 worth = units_to_usd16_floor(account.balances[i], account.asset_prices[i], asset.decimals);
        const bool counts_in_full = i == 0 || worth.sign() < 0;
        sum = sum + (counts_in_full ? worth : mul_div_toward_zero(worth, U256(kBps - asset.haircut_bps), U256(kBps)));
    }
    return sum;
}

/// Equity less initial margin as `closed` of positions[index] is closed: what decides a partial liquidation. Only the
/// margin of that one position and the penalty change, so the rest is computed once.
struct Reduction {
    I256 free16;  // equity less the initial margin of all other positions
    PositionView view;
    const RiskTerms& terms;

    [[nodiscard]] bool is_enough(Quantity closed) const {
        PositionView rest = view;
        rest.quantity = view.quantity.sign() < 0 ? view.quantity + closed : view.quantity - closed;
        return free16 - liquidation_penalty16(view, closed, terms) >= requirement_of(rest, terms).initial16;
    }
};

/// The least n in (low, high] for which `holds`, given that it does not hold at low, does at high, and changes once.
template <typename Predicate>
Int128 first_that(Int128 low, Int128 high, const Predicate& holds) {
    while (high - low > 1) {
        const Int128 middle = low + (high - low) / 2;
        (holds(middle) ? high : low) = middle;
    }
    return high;
}

/// `notional` is that of all of `view`.
Requirement requirement_with(const PositionView& view, const U256& notional, const RiskTerms& terms) {
    Requirement need = rated(view, notional, rates_of(view, terms));
    if (const auto loss = greatest_loss(view)) {
        const I256 most(false, *loss);
        need = {std::min(need.initial16, most), std::min(need.maintenance16, most)};
    }
    return need;
}

/// What one position adds to a Margin but for its equity.
struct Share {
    Requirement need;
    I256 notional16;
    I256 unrealised16;
};

Share share_of(const PositionView& view, const RiskTerms& terms) {
    const U256 notional = notional_of(view, view.quantity);
    return {requirement_with(view, notional, terms), I256(false, notional), pnl16(view.quantity, view.price, view.position->mark)};
}

}  // namespace

I256 notional16(const PositionView& view) {
    return {false, notional_of(view, view.quantity)};
}

Requirement requirement_of(const PositionView& view, const RiskTerms& terms) {
    return requirement_with(view, notional_of(view, view.quantity), terms);
}

Margin margin_of(const AccountView& account) {
    Margin out;
    out.collateral16 = collateral_of(account);
    for (const PositionView& view : account.positions) {
        const Share share = share_of(view, account.terms);
        out.initial16 = out.initial16 + share.need.initial16;
        out.maintenance16 = out.maintenance16 + share.need.maintenance16;
        out.notional16 = out.notional16 + share.notional16;
        out.unrealised16 = out.unrealised16 + share.unrealised16;
    }
    out.equity16 = out.collateral16 + out.unrealised16;
    return out;
}

Margin with_price(const Margin& margin, const AccountView& account, std::size_t index, Price price) {
    ASSERT(index < account.positions.size());
    const Share before = share_of(account.positions[index], account.terms);
    PositionView moved = account.positions[index];
    moved.price = price;
    const Share after = share_of(moved, account.terms);
    Margin out = margin;
    out.initial16 = margin.initial16 - before.need.initial16 + after.need.initial16;
    out.maintenance16 = margin.maintenance16 - before.need.maintenance16 + after.need.maintenance16;
    out.notional16 = margin.notional16 - before.notional16 + after.notional16;
    out.unrealised16 = margin.unrealised16 - before.unrealised16 + after.unrealised16;
    out.equity16 = out.collateral16 + out.unrealised16;
    return out;
}

I256 liquidation_penalty16(const PositionView& view, Quantity closed, const RiskTerms& terms) {
    return {false, part_up(notional_of(view, closed), rates_of(view, terms).penalty_bps)};
}

Quantity liquidation_quantity(const AccountView& account, std::size_t index, Quantity lot) {
    ASSERT(index < account.positions.size() && lot.raw() > 0);
    const Margin margin = margin_of(account);
    const PositionView& view = account.positions[index];
    const Quantity whole = view.quantity.abs();
    if (margin.meets_initial() || whole.is_zero()) return {};
    const I256 others = margin.initial16 - requirement_of(view, account.terms).initial16;
    const Reduction reduction{margin.equity16 - others, view, account.terms};
    if (!reduction.is_enough(whole)) return whole;
    // Lots 0 are not enough; so many lots as contain the whole are.
    const Int128 all_lots = (whole.raw() + lot.raw() - 1) / lot.raw();
    const auto closed = [&](Int128 lots) { return lots == all_lots ? whole : Quantity::from_raw(lots * lot.raw()); };
    return closed(first_that(0, all_lots, [&](Int128 lots) { return reduction.is_enough(closed(lots)); }));
}

std::optional<Price> liquidation_price(const AccountView& account, std::size_t index) {
    ASSERT(index < account.positions.size());
    const PositionView& view = account.positions[index];
    if (view.quantity.is_zero()) return std::nullopt;
    const Margin margin = margin_of(account);
    const I256 others = margin.maintenance16 - requirement_of(view, account.terms).maintenance16;
    const I256 rest = margin.equity16 - pnl16(view.quantity, view.price, view.position->mark) - others;
    const auto breached_at = [&](Int128 price) {
        PositionView moved = view;
        moved.price = Price::from_raw(price);
        return rest + pnl16(view.quantity, moved.price, view.position->mark) <
               requirement_of(moved, account.terms).maintenance16;
    };
    const Int128 last = (Int128{1} << kMarketBits) - 1;
    if (view.quantity.sign() < 0) {
        if (!breached_at(last)) return std::nullopt;
        return Price::from_raw(breached_at(0) ? 0 : first_that(0, last, breached_at));
    }
    if (!breached_at(0)) return std::nullopt;
    if (breached_at(last)) return Price::from_raw(last);
    // The lowest price that is still safe, less one.
    return Price::from_raw(first_that(0, last, [&](Int128 price) { return !breached_at(price); }) - 1);
}

std::optional<U256> leverage_bps(const Margin& margin) {
    if (margin.equity16.sign() <= 0) return std::nullopt;
    return mul_div_floor(margin.notional16.magnitude, U256(kBps), margin.equity16.magnitude);
}

}  // namespace hedgerow::channel
