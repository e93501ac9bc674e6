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
    if (value > (kMax - digit) / 10) return false;
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

std::string format_decimal(Int128 value, int decimals) {
    Uint128 rest = value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
    std::string digits;
    while (rest != 0 || digits.size() <= static_cast<std::size_t>(decimals)) {
        digits += static_cast<char>('0' + static_cast<int>(rest % 10));
        rest /= 10;
    }
    std::reverse(digits.begin(), digits.end());
    const std::string whole = digits.substr(0, digits.size() - static_cast<std::size_t>(decimals));
    std::string fraction = digits.substr(whole.size());
    while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
    std::string out(value < 0 ? "-" : "");
    out += whole;
    if (!fraction.empty()) out.append(".").append(fraction);
    return out;
}

}  // namespace hedgerow::channel
