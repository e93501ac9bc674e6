#pragma once

#include <boost/multiprecision/cpp_int.hpp>

#include "channel/base/u256.h"

/// Unbounded integers of another maker than U256, for the models that production code is compared with.
namespace hedgerow::fuzz {

using Big = boost::multiprecision::cpp_int;

template <typename Tag>
Big big(const channel::Fixed<Tag>& number) {
    return Big(number.raw());
}
inline Big big(const channel::U256& number) {
    Big out = 0;
    for (int i = 3; i >= 0; --i) out = (out << 64) + number.limb[static_cast<std::size_t>(i)];
    return out;
}
inline Big big(const channel::I256& number) {
    return number.negative ? -big(number.magnitude) : big(number.magnitude);
}
inline Big ten_to(int n) {
    return boost::multiprecision::pow(Big(10), static_cast<unsigned>(n));
}
/// ceil(a / b) of numbers that are not negative.
inline Big ceil_div(const Big& a, const Big& b) {
    return (a + b - 1) / b;
}

}  // namespace hedgerow::fuzz
