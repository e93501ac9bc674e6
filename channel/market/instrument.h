#pragma once

#include <string>
#include <string_view>

#include "channel/messages/typed.h"

/// Instrument names, after Deribit's grammar for linear instruments (docs.deribit.com, "Naming"), at most 31 bytes
/// since a name is a feed id too (spec 2.5):
///   pair "-PERPETUAL"                  BTC_USD-PERPETUAL        perpetual, kind linear, expiry 0
///   pair "-" date                      BTC_USD-26MAR27          future, kind linear
///   pair "-" date "-" strike "-" kind  BTC_USD-26MAR27-90000-C  option: C, P; digital: DC, DP
///   pair   = BASE "_" QUOTE of [A-Z0-9], the name of the underlying's feed
///   date   = day (no leading zero), JAN..DEC, two digits of the year 20xx; expiry is 08:00 UTC of that day
///   strike = digits ["d" digits], "d" for the decimal point (0d625), shortest form, at most 8 decimals, above 0
/// Exactly one name per instrument: parse refuses every other spelling.
namespace hedgerow::channel {

struct Definition {
    Feed instrument;
    Feed underlying;
    Kind kind = Kind::linear;
    std::uint64_t expiry = 0;  ///< seconds; 0: perpetual
    Price strike;              ///< 0 for linear

    bool operator==(const Definition&) const = default;
    [[nodiscard]] bool is_perpetual() const { return expiry == 0; }
    [[nodiscard]] bool is_expired(std::uint64_t now_s) const { return expiry != 0 && now_s >= expiry; }
    /// Whether a position was made from this definition.
    [[nodiscard]] bool matches(const Position& position) const {
        return position.instrument == instrument && position.underlying == underlying && position.kind == kind &&
               position.expiry == expiry && position.strike == strike;
    }
};

/// Errors: instrument_name_too_long, instrument_name_malformed (parts, pair, kind), instrument_expiry_malformed,
/// instrument_strike_malformed.
[[nodiscard]] Expected<Definition, Rule> parse_instrument(std::string_view name);

/// The name of what the other members say (`instrument` is not read). Errors: instrument_expiry_malformed for an expiry
/// that is not 08:00 UTC of a day in 2000 to 2099, instrument_strike_malformed, instrument_name_malformed,
/// instrument_name_too_long.
[[nodiscard]] Expected<std::string, Rule> format_instrument(const Definition& definition);

/// "linear", "call", "put", "digital_call", "digital_put".
[[nodiscard]] std::string_view kind_name(Kind kind);

}  // namespace hedgerow::channel
