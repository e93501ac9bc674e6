#pragma once

#include <array>
#include <concepts>
#include <limits>
#include <type_traits>

#include "channel/base/ids.h"
#include "channel/base/u256.h"
#include "channel/codec/wire.h"

namespace hedgerow::channel {

/// A 32-byte EVM word, big-endian: what ABI and EIP-712 make of every value that is not a list or struct.
using Word = std::array<std::uint8_t, 32>;

template <typename T>
concept WordLike = std::unsigned_integral<T> || std::is_enum_v<T> || IsFixedNumber<T>::value || IsFixedBytes<T>::value ||
                   std::same_as<T, U256> || std::same_as<T, I256>;

template <WordLike T>
[[nodiscard]] Word to_word(const T& value) {
    if constexpr (IsFixedBytes<T>::value) {
        static_assert(T::kSize == 32 || T::kSize == 20);
        Word out{};
        std::copy(value.data.begin(), value.data.end(), out.begin() + (T::kSize == 20 ? 12 : 0));
        return out;
    } else if constexpr (IsFixedNumber<T>::value) {
        return I256(value.raw()).to_be();
    } else if constexpr (std::same_as<T, U256> || std::same_as<T, I256>) {
        return value.to_be();
    } else {
        return U256(static_cast<Uint128>(value)).to_be();
    }
}

/// Exactly what to_word would have made; nothing for a word outside the type.
template <WordLike T>
[[nodiscard]] std::optional<T> from_word(const Word& word) {
    if constexpr (IsFixedBytes<T>::value) {
        constexpr std::size_t kPad = T::kSize == 20 ? 12 : 0;
        if (std::any_of(word.begin(), word.begin() + kPad, [](std::uint8_t b) { return b != 0; })) return std::nullopt;
        return T::from(ByteView(word).subspan(kPad));
    } else if constexpr (IsFixedNumber<T>::value) {
        const auto raw = I256::from_be(word).to_i128();
        return raw ? std::optional(T::from_raw(*raw)) : std::nullopt;
    } else if constexpr (std::same_as<T, U256>) {
        return U256::from_be(word);
    } else if constexpr (std::same_as<T, I256>) {
        return I256::from_be(word);
    } else if constexpr (std::same_as<T, bool>) {
        const auto raw = U256::from_be(word).to_u128();
        return raw && *raw <= 1 ? std::optional(*raw == 1) : std::nullopt;
    } else if constexpr (std::is_enum_v<T>) {
        const auto raw = U256::from_be(word).to_u128();
        return raw && *raw < EnumCount<T>::value ? std::optional(static_cast<T>(*raw)) : std::nullopt;
    } else {
        const auto raw = U256::from_be(word).to_u128();
        return raw && *raw <= std::numeric_limits<T>::max() ? std::optional(static_cast<T>(*raw)) : std::nullopt;
    }
}

}  // namespace hedgerow::channel
