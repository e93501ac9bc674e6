#pragma once

#include <span>
#include <vector>

#include "channel/market/instrument.h"
#include "channel/messages/risk_terms.h"

namespace hedgerow::channel {

/// A row of the registry: what is traded, in which steps, and the margin rates a node proposes for it.
struct Instrument {
    Definition definition;
    Price tick;      ///< prices are multiples of it; > 0
    Quantity lot;    ///< quantities are multiples of it; > 0
    RiskClass risk;  ///< of the underlying; the rates that count are those in the channel's RiskTerms
    bool operator==(const Instrument&) const = default;
};

/// The instruments a node knows, by name. The registry file is read elsewhere; this holds what is in it.
class Registry {
  public:
    static constexpr std::size_t kMaxInstruments = 4'096;

    Registry() = default;
    /// Errors: list_too_long, instrument_duplicate, instrument_mismatch (definition and name, or risk class and
    /// underlying, disagree), tick_out_of_range, lot_out_of_range, risk_rates_out_of_order (0 < maintenance <= initial,
    /// penalty <= maintenance).
    [[nodiscard]] static Expected<Registry, Rule> make(std::vector<Instrument> instruments);

    /// Nothing where unknown. The pointer lives as long as the registry.
    [[nodiscard]] const Instrument* find(const Feed& instrument) const;
    [[nodiscard]] const Instrument* find(std::string_view name) const;
    [[nodiscard]] std::span<const Instrument> all() const { return m_instruments; }  ///< ascending by name

  private:
    std::vector<Instrument> m_instruments;
};

/// Whether a trade at that price and quantity (either sign) may be made at `now_s`: Rule::none, or the first of
/// instrument_expired, price_out_of_range (outside (0, 2^96)), price_off_tick, quantity_zero, quantity_out_of_range,
/// quantity_off_lot.
[[nodiscard]] Rule check_price_quantity(const Instrument& instrument, Price price, Quantity quantity,
                                        std::uint64_t now_s);

}  // namespace hedgerow::channel
