#pragma once

#include <variant>

#include "channel/codec/shared_list.h"
#include "tests/fuzz/fuzz_data.h"

/// A value of any type that goes over the wire, from a fuzzer's bytes by the same field lists: always a valid one, at its limits often.
namespace hedgerow::fuzz {

template <typename T>
void arbitrary(FuzzData& data, T& value);
template <typename T, std::size_t Max>
void arbitrary(FuzzData& data, channel::SharedList<T, Max>& value) {
    std::vector<T> elements;
    const std::uint64_t size = data.flag() ? data.below(3) : data.below(std::min<std::size_t>(Max, 40) + 1);
    for (std::uint64_t i = 0; i < size; ++i) arbitrary(data, elements.emplace_back());
    value = channel::SharedList<T, Max>(std::move(elements));
}

template <typename Variant, std::size_t I = 0>
void arbitrary_alternative(FuzzData& data, std::size_t index, Variant& value) {
    if constexpr (I < std::variant_size_v<Variant>) {
        if (index == I) {
            arbitrary(data, value.template emplace<I>());
        } else {
            arbitrary_alternative<Variant, I + 1>(data, index, value);
        }
    }
}

template <typename T>
void arbitrary(FuzzData& data, T& value) {
    if constexpr (std::same_as<T, bool>) {
        value = data.flag();
    } else if constexpr (std::is_enum_v<T>) {
        value = static_cast<T>(data.below(channel::EnumCount<T>::value));
    } else if constexpr (std::unsigned_integral<T>) {
        value = static_cast<T>(data.sized(std::numeric_limits<T>::digits));
    } else if constexpr (std::signed_integral<T>) {
        value = static_cast<T>(data.either(std::numeric_limits<T>::digits));
    } else if constexpr (channel::IsFixedNumber<T>::value) {
        value = T::from_raw(data.either(channel::kWireBits));
    } else if constexpr (channel::IsFixedBytes<T>::value) {
        for (std::uint8_t& byte : value.data) byte = data.byte();
    } else if constexpr (channel::IsOptional<T>::value) {
        value.reset();
        if (data.flag()) arbitrary(data, value.emplace());
    } else if constexpr (channel::IsVariant<T>::value) {
        arbitrary_alternative(data, static_cast<std::size_t>(data.below(std::variant_size_v<T>)), value);
    } else if constexpr (channel::IsText<T>::value || channel::IsBlob<T>::value) {
        value.resize(static_cast<std::size_t>(data.below(std::min<std::size_t>(T::kMax, 300) + 1)));
        for (auto& element : value) element = static_cast<typename T::value_type>(data.byte());
    } else if constexpr (channel::IsList<T>::value) {
        const std::uint64_t size = data.flag() ? data.below(3) : data.below(std::min<std::size_t>(T::kMax, 40) + 1);
        for (std::uint64_t i = 0; i < size; ++i) arbitrary(data, value.emplace_back());
    } else {
        channel::for_each_field(value, [&](const auto&, auto& member) { arbitrary(data, member); });
    }
}

template <typename T>
T arbitrary(FuzzData& data) {
    T value{};
    arbitrary(data, value);
    return value;
}

}  // namespace hedgerow::fuzz
