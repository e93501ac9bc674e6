#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedgerow::channel {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// A fixed number of bytes. `Tag` makes each id its own type, so that mixing two does not compile.
template <std::size_t N, typename Tag>
struct FixedBytes {
    static constexpr std::size_t kSize = N;
    std::array<std::uint8_t, N> data{};

    constexpr auto operator<=>(const FixedBytes&) const = default;
    [[nodiscard]] constexpr bool is_zero() const {
        return std::all_of(data.begin(), data.end(), [](std::uint8_t b) { return b == 0; });
    }
    [[nodiscard]] ByteView view() const { return ByteView(data); }
    /// Exactly N bytes, or nothing.
    [[nodiscard]] static std::optional<FixedBytes> from(ByteView bytes) {
        if (bytes.size() != N) return std::nullopt;
        FixedBytes out;
        std::copy(bytes.begin(), bytes.end(), out.data.begin());
        return out;
    }
};

template <typename T>
struct IsFixedBytes : std::false_type {};
template <std::size_t N, typename Tag>
struct IsFixedBytes<FixedBytes<N, Tag>> : std::true_type {};

/// Lower-case hex with 0x.
[[nodiscard]] std::string to_hex(ByteView bytes);
template <std::size_t N, typename Tag>
[[nodiscard]] std::string to_hex(const FixedBytes<N, Tag>& bytes) {
    return to_hex(bytes.view());
}

/// Hex with or without 0x, either case, an even number of digits; otherwise nothing.
[[nodiscard]] std::optional<Bytes> from_hex(std::string_view text);
template <typename Fixed>
[[nodiscard]] std::optional<Fixed> fixed_from_hex(std::string_view text) {
    if (text.size() != 2 * Fixed::kSize && text.size() != 2 * Fixed::kSize + 2) return std::nullopt;
    const auto bytes = from_hex(text);
    return bytes ? Fixed::from(*bytes) : std::nullopt;
}

[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline void append(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

/// Hash for unordered containers; ids are hashes or keys already, so their first bytes serve.
struct FixedBytesHash {
    template <std::size_t N, typename Tag>
    std::size_t operator()(const FixedBytes<N, Tag>& bytes) const {
        static_assert(N >= sizeof(std::size_t));
        std::size_t out;
        std::memcpy(&out, bytes.data.data(), sizeof out);
        return out;
    }
};

}  // namespace hedgerow::channel
