#include "channel/market/registry.h"

#include <algorithm>

namespace hedgerow::channel {

namespace {

bool by_name(const Instrument& a, const Instrument& b) {
    return a.definition.instrument < b.definition.instrument;
}

bool is_step(Int128 step, Int128 limit) {
    return step > 0 && step < limit;
}

Rule check_row(const Instrument& row) {
    constexpr Int128 kLimit = Int128{1} << kMarketBits;
    const auto parsed = parse_instrument(feed_name(row.definition.instrument));
    if (!parsed) return parsed.error();
    if (*parsed != row.definition || row.risk.underlying != row.definition.underlying) return Rule::instrument_mismatch;
    if (!is_step(row.tick.raw(), kLimit)) return Rule::tick_out_of_range;
    if (!is_step(row.lot.raw(), kLimit)) return Rule::lot_out_of_range;
    const bool ordered = row.risk.maintenance_bps > 0 && row.risk.maintenance_bps <= row.risk.initial_bps &&
                         row.risk.penalty_bps <= row.risk.maintenance_bps;
    return ordered ? Rule::none : Rule::risk_rates_out_of_order;
}

}  // namespace

Expected<Registry, Rule> Registry::make(std::vector<Instrument> instruments) {
    if (instruments.size() > kMaxInstruments) return Unexpected{Rule::list_too_long};
    for (const Instrument& row : instruments) {
        if (const Rule rule = check_row(row); rule != Rule::none) return Unexpected{rule};
    }
    std::sort(instruments.begin(), instruments.end(), by_name);
    const auto same = [](const Instrument& a, const Instrument& b) {
        return a.definition.instrument == b.definition.instrument;
    };
    if (std::adjacent_find(instruments.begin(), instruments.end(), same) != instruments.end()) {
        return Unexpected{Rule::instrument_duplicate};
    }
    Registry out;
    out.m_instruments = std::move(instruments);
    return out;
}

const Instrument* Registry::find(const Feed& instrument) const {
    const auto at =
        std::lower_bound(m_instruments.begin(), m_instruments.end(), instrument,
                         [](const Instrument& row, const Feed& name) { return row.definition.instrument < name; });
    return at != m_instruments.end() && at->definition.instrument == instrument ? &*at : nullptr;
}

const Instrument* Registry::find(std::string_view name) const {
    const auto feed = feed_from_name(name);
    return feed ? find(*feed) : nullptr;
}

Rule check_price_quantity(const Instrument& instrument, Price price, Quantity quantity, std::uint64_t now_s) {
    if (instrument.definition.is_expired(now_s)) return Rule::instrument_expired;
    if (price.raw() <= 0 || !price.within_bits(kMarketBits)) return Rule::price_out_of_range;
    if (price.raw() % instrument.tick.raw() != 0) return Rule::price_off_tick;
    if (quantity.is_zero()) return Rule::quantity_zero;
    if (!quantity.within_bits(kMarketBits)) return Rule::quantity_out_of_range;
    if (quantity.raw() % instrument.lot.raw() != 0) return Rule::quantity_off_lot;
    return Rule::none;
}

}  // namespace hedgerow::channel
