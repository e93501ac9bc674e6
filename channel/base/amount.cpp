#include "channel/base/amount.h"

#include <algorithm>
#include <array>

namespace hedgerow::channel {

Uint128 pow10(int n) {
    ASSERT(n >= 0 && n <= 38);
    static constexpr std::array<Uint128, 39> kPowers = [] {
        std::array<Uint128, 39> out{1};
        for (std::size_t i = 1; i < out.size(); ++i) out[i] = 10 * out[i - 1];
        return out;
    }();
    return kPowers[static_cast<std::size_t>(n)];
}

namespace {
bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr Uint128 kMax = (static_cast<Uint128>(1) << 127) - 1;

bool push_digit(Uint128& value, char c) {
    const auto digit = static_cast<Uint128>(c - '0');
    if (value > kMax / 10 || (value == kMax / 10 && digit > kMax % 10)) return false;  // no division: both are constants
    value = value * 10 + digit;
    return true;
}
}  // namespace

Expected<Int128, Rule> parse_decimal(std::string_view text, int decimals) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    if (whole.empty() || (point != std::string_view::npos && fraction.empty())) return Unexpected{Rule::amount_malformed};
    if (!std::all_of(whole.begin(), whole.end(), is_digit) || !std::all_of(fraction.begin(), fraction.end(), is_digit)) {
        return Unexpected{Rule::amount_malformed};
    }
    if (whole.size() > 1 && whole.front() == '0') return Unexpected{Rule::amount_malformed};
    if (fraction.size() > static_cast<std::size_t>(decimals)) return Unexpected{Rule::amount_too_precise};
    Uint128 value = 0;
    for (const char c : whole) {
        if (!push_digit(value, c)) return Unexpected{Rule::amount_out_of_range};
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(decimals); ++i) {
        if (!push_digit(value, i < fraction.size() ? fraction[i] : '0')) return Unexpected{Rule::amount_out_of_range};
    }
    const auto out = static_cast<Int128>(value);
    return negative ? -out : out;
}

namespace {
/// Digits from the last one on, and no more divisions of 128 bits than there must be.
void push_reversed(std::string& digits, Uint128 rest) {
    for (; rest >> 64 != 0; rest /= 10) digits += static_cast<char>('0' + static_cast<int>(rest % 10));
    for (auto low = static_cast<std::uint64_t>(rest); low != 0; low /= 10) digits += static_cast<char>('0' + low % 10);
}
}  // namespace

std::string format_decimal(Int128 value, int decimals) {
    const auto places = static_cast<std::size_t>(decimals);
    std::string digits;
    digits.reserve(places + 40);
    push_reversed(digits, value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value));
    if (digits.size() <= places) digits.append(places + 1 - digits.size(), '0');
    // Zeros at the end of the fraction, which is the beginning here, are not written.
    const std::size_t last = std::min(digits.find_first_not_of('0'), places);
    std::string out(value < 0 ? "-" : "");
    out.append(digits.rbegin(), digits.rend() - static_cast<std::ptrdiff_t>(places));
    if (last == places) return out;
    out += '.';
    return out.append(digits.rend() - static_cast<std::ptrdiff_t>(places), digits.rend() - static_cast<std::ptrdiff_t>(last));
}

}  // namespace hedgerow::channel
