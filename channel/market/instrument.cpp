#include "channel/market/instrument.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

namespace hedgerow::channel {

namespace {

constexpr std::size_t kMaxName = 31;
constexpr std::uint64_t kDay = 86'400;
constexpr std::uint64_t kSettlementHour = 8 * 3'600;
constexpr std::size_t kMaxParts = 4;
constexpr std::string_view kPerpetual = "PERPETUAL";
constexpr std::array<std::string_view, 12> kMonths = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                      "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 5> kSuffixes = {"", "C", "P", "DC", "DP"};  // by Kind

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_symbol(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'A' && c <= 'Z'); });
}
bool is_pair(std::string_view text) {
    const std::size_t middle = text.find('_');
    return middle != std::string_view::npos && is_symbol(text.substr(0, middle)) && is_symbol(text.substr(middle + 1));
}

struct Parts {
    std::array<std::string_view, kMaxParts> part;
    std::size_t count = 0;
};

/// The parts between the dashes; nothing where there are more than four.
std::optional<Parts> split(std::string_view name) {
    Parts out;
    while (out.count < kMaxParts) {
        const std::size_t dash = name.find('-');
        out.part[out.count++] = name.substr(0, dash);
        if (dash == std::string_view::npos) return out;
        name.remove_prefix(dash + 1);
    }
    return std::nullopt;
}

/// DMMMYY, such as 5AUG16 or 26MAR27, as 08:00 UTC of that day.
std::optional<std::uint64_t> parse_date(std::string_view text) {
    if (text.size() < 6 || text.size() > 7) return std::nullopt;
    const std::string_view day = text.substr(0, text.size() - 5);
    const std::string_view month = text.substr(day.size(), 3);
    const std::string_view year = text.substr(day.size() + 3);
    if (!std::all_of(day.begin(), day.end(), is_digit) || day.front() == '0') return std::nullopt;
    if (!std::all_of(year.begin(), year.end(), is_digit)) return std::nullopt;
    const auto found = std::find(kMonths.begin(), kMonths.end(), month);
    if (found == kMonths.end()) return std::nullopt;
    unsigned day_number = 0;
    for (const char c : day) day_number = 10 * day_number + static_cast<unsigned>(c - '0');
    const std::chrono::year_month_day date{std::chrono::year(2000 + 10 * (year[0] - '0') + (year[1] - '0')),
                                           std::chrono::month(static_cast<unsigned>(found - kMonths.begin()) + 1),
                                           std::chrono::day(day_number)};
    if (!date.ok()) return std::nullopt;
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    return static_cast<std::uint64_t>(days) * kDay + kSettlementHour;
}

std::optional<std::string> format_date(std::uint64_t expiry) {
    if (expiry % kDay != kSettlementHour) return std::nullopt;
    constexpr std::chrono::sys_days kFirst = std::chrono::year(2000) / 1 / 1;
    constexpr std::chrono::sys_days kEnd = std::chrono::year(2100) / 1 / 1;
    const std::uint64_t day_count = expiry / kDay;
    if (day_count < static_cast<std::uint64_t>(kFirst.time_since_epoch().count())) return std::nullopt;
    if (day_count >= static_cast<std::uint64_t>(kEnd.time_since_epoch().count())) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(static_cast<int>(day_count)))};
    const int year = static_cast<int>(date.year()) - 2000;
    std::string out = format_decimal(static_cast<unsigned>(date.day()), 0);
    out.append(kMonths[static_cast<unsigned>(date.month()) - 1]);
    out.push_back(static_cast<char>('0' + year / 10));
    out.push_back(static_cast<char>('0' + year % 10));
    return out;
}

bool is_strike(Price strike) {
    return strike.raw() > 0 && strike.within_bits(kMarketBits);
}

std::string format_strike(Price strike) {
    std::string out = format_decimal(strike.raw(), kPriceDecimals);
    std::replace(out.begin(), out.end(), '.', 'd');
    return out;
}

std::optional<Price> parse_strike(std::string_view text) {
    std::string decimal(text);
    if (decimal.find_first_not_of("0123456789d") != std::string::npos) return std::nullopt;
    std::replace(decimal.begin(), decimal.end(), 'd', '.');
    const auto raw = parse_decimal(decimal, kPriceDecimals);
    if (!raw) return std::nullopt;
    const Price strike = Price::from_raw(*raw);
    // One spelling a strike: what format_strike makes of it.
    if (!is_strike(strike) || format_strike(strike) != text) return std::nullopt;
    return strike;
}

}  // namespace

std::string_view kind_name(Kind kind) {
    switch (kind) {
        case Kind::linear:
            return "linear";
        case Kind::call:
            return "call";
        case Kind::put:
            return "put";
        case Kind::digital_call:
            return "digital_call";
        case Kind::digital_put:
            return "digital_put";
    }
    ASSERT(false && "kind");
    return {};
}

Expected<Definition, Rule> parse_instrument(std::string_view name) {
    if (name.size() > kMaxName) return Unexpected{Rule::instrument_name_too_long};
    const auto parts = split(name);
    if (!parts || parts->count < 2 || parts->count == 3 || !is_pair(parts->part[0])) {
        return Unexpected{Rule::instrument_name_malformed};
    }
    Definition out;
    out.instrument = *feed_from_name(name);
    out.underlying = *feed_from_name(parts->part[0]);
    if (parts->count == 2 && parts->part[1] == kPerpetual) return out;
    const auto expiry = parse_date(parts->part[1]);
    if (!expiry) return Unexpected{Rule::instrument_expiry_malformed};
    out.expiry = *expiry;
    if (parts->count == 2) return out;
    const auto strike = parse_strike(parts->part[2]);
    if (!strike) return Unexpected{Rule::instrument_strike_malformed};
    out.strike = *strike;
    const auto suffix = std::find(kSuffixes.begin() + 1, kSuffixes.end(), parts->part[3]);
    if (suffix == kSuffixes.end()) return Unexpected{Rule::instrument_name_malformed};
    out.kind = static_cast<Kind>(suffix - kSuffixes.begin());
    return out;
}

Expected<std::string, Rule> format_instrument(const Definition& definition) {
    std::string out = feed_name(definition.underlying);
    if (!is_pair(out)) return Unexpected{Rule::instrument_name_malformed};
    const bool is_linear = definition.kind == Kind::linear;
    if (is_linear ? !definition.strike.is_zero() : !is_strike(definition.strike)) {
        return Unexpected{Rule::instrument_strike_malformed};
    }
    out.push_back('-');
    if (is_linear && definition.is_perpetual()) {
        out.append(kPerpetual);
    } else {
        const auto date = format_date(definition.expiry);
        if (!date) return Unexpected{Rule::instrument_expiry_malformed};
        out.append(*date);
    }
    if (!is_linear) {
        out.append("-").append(format_strike(definition.strike)).append("-");
        out.append(kSuffixes[static_cast<std::size_t>(definition.kind)]);
    }
    if (out.size() > kMaxName) return Unexpected{Rule::instrument_name_too_long};
    return out;
}

}  // namespace hedgerow::channel
