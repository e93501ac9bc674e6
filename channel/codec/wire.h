#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <variant>

#include "channel/base/amount.h"
#include "channel/base/bytes.h"
#include "channel/base/expected.h"
#include "channel/codec/encoding.h"
#include "channel/codec/fields.h"

/// The one binary codec of peers and store (spec 6.1). Canonical: every value has exactly one encoding, and a decoder
/// refuses all others. u8, bool and enums are one byte; wider unsigned integers are LEB128 (least number of bytes); signed
/// amounts are zigzag, then LEB128, and below 2^126 (kWireBits); fixed bytes are raw; lists, text and blobs have a length before them; optional is 0/1
/// and the value; a variant is its index and the value; a struct is its members in order.
namespace hedgerow::channel {

/// No amount, price or quantity of this size or more is read: far above every limit of spec 1.6, and so small that the sum, difference or absolute
/// value of two numbers that were read stays within 128 bits. What a peer sends can so never reach the assertions of Fixed by itself.
inline constexpr int kWireBits = 126;

/// UTF-8 or ASCII text of at most Max bytes.
template <std::size_t Max>
struct Text : std::string {
    static constexpr std::size_t kMax = Max;
    using std::string::string;
    explicit Text(std::string_view text) : std::string(text) {}
};
/// Bytes of at most Max.
template <std::size_t Max>
struct Blob : Bytes {
    static constexpr std::size_t kMax = Max;
    using Bytes::Bytes;
    explicit Blob(ByteView bytes) : Bytes(bytes.begin(), bytes.end()) {}
};

/// Number of enumerators, for enums from 0 without gaps that go over the wire: specialise beside the enum.
template <typename E>
struct EnumCount;

/// Where the lists go that are shared (CowList): among the other bytes, or beside them.
enum class Lists : std::uint8_t { inside, beside };

class Writer {
  public:
    explicit Writer(Lists lists = Lists::inside) : m_lists(lists) {}
    void reserve(std::size_t size);
    void raw(ByteView bytes);
    void byte(std::uint8_t value) { m_out.push_back(value); }
    void varint(Uint128 value);
    void zigzag(Int128 value);
    void list(const std::shared_ptr<const Bytes>& encoded) {
        if (m_lists == Lists::inside || encoded->size() < kLeastBeside) return raw(*encoded);
        m_parts.push_back({m_out.size(), encoded});
    }
    [[nodiscard]] Bytes take() && {
        ASSERT(m_parts.empty());
        return std::move(m_out);
    }
    [[nodiscard]] Encoding take_encoding() && {
        Encoding out(std::move(m_out));
        out.parts = std::move(m_parts);
        return out;
    }
    /// Those beside them left out.
    [[nodiscard]] const Bytes& bytes() const { return m_out; }

  private:
    static constexpr std::size_t kLeastBeside = 64;  ///< a shorter one costs no more than the word that it is elsewhere
    Lists m_lists;
    Bytes m_out;
    std::vector<Encoding::Part> m_parts;
};

/// Reads from a view; the first fault sticks, and every later read returns zeros.
class Reader {
  public:
    explicit Reader(ByteView bytes) : m_rest(bytes) {}
    [[nodiscard]] bool ok() const { return m_rule == Rule::none; }
    [[nodiscard]] Rule rule() const { return m_rule; }
    void fail(Rule rule) {
        if (ok()) m_rule = rule;
    }
    ByteView raw(std::size_t size);
    std::uint8_t byte();
    Uint128 varint(int bits);
    Int128 zigzag();
    /// A length of at most `max`.
    std::size_t length(std::size_t max);
    [[nodiscard]] std::size_t remaining() const { return m_rest.size(); }
    [[nodiscard]] ByteView rest() const { return m_rest; }

  private:
    ByteView m_rest;
    Rule m_rule = Rule::none;
};

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <typename T>
struct IsVariant : std::false_type {};
template <typename... T>
struct IsVariant<std::variant<T...>> : std::true_type {};
template <typename T>
struct IsFixedNumber : std::false_type {};
template <typename Tag>
struct IsFixedNumber<Fixed<Tag>> : std::true_type {};
template <typename T>
struct IsText : std::false_type {};
template <std::size_t N>
struct IsText<Text<N>> : std::true_type {};
template <typename T>
struct IsBlob : std::false_type {};
template <std::size_t N>
struct IsBlob<Blob<N>> : std::true_type {};

template <typename T>
void wire_write(Writer& out, const T& value) {
    if constexpr (std::same_as<T, bool>) {
        out.byte(value ? 1 : 0);
    } else if constexpr (std::is_enum_v<T>) {
        if constexpr (sizeof(T) == 1) {
            out.byte(static_cast<std::uint8_t>(value));
        } else {
            out.varint(static_cast<Uint128>(value));
        }
    } else if constexpr (std::same_as<T, std::uint8_t>) {
        out.byte(value);
    } else if constexpr (std::unsigned_integral<T>) {
        out.varint(value);
    } else if constexpr (std::signed_integral<T>) {
        out.zigzag(value);
    } else if constexpr (IsFixedNumber<T>::value) {
        out.zigzag(value.raw());
    } else if constexpr (IsFixedBytes<T>::value) {
        out.raw(value.view());
    } else if constexpr (IsOptional<T>::value) {
        out.byte(value ? 1 : 0);
        if (value) wire_write(out, *value);
    } else if constexpr (IsVariant<T>::value) {
        out.byte(static_cast<std::uint8_t>(value.index()));
        std::visit([&](const auto& alternative) { wire_write(out, alternative); }, value);
    } else if constexpr (IsText<T>::value || IsBlob<T>::value) {
        ASSERT(value.size() <= T::kMax);
        out.varint(value.size());
        out.raw(ByteView(reinterpret_cast<const std::uint8_t*>(value.data()), value.size()));
    } else if constexpr (IsList<T>::value) {
        ASSERT(value.size() <= T::kMax);
        out.varint(value.size());
        for (const auto& element : value) wire_write(out, element);
    } else {
        for_each_field(value, [&](const auto&, const auto& member) { wire_write(out, member); });
    }
}

template <typename T>
void wire_read(Reader& in, T& value);

template <std::size_t I = 0, typename Variant>
void wire_read_alternative(Reader& in, std::size_t index, Variant& value) {
    if constexpr (I < std::variant_size_v<Variant>) {
        if (index == I) {
            wire_read(in, value.template emplace<I>());
        } else {
            wire_read_alternative<I + 1>(in, index, value);
        }
    } else {
        in.fail(Rule::field_out_of_range);
    }
}

template <typename T>
void wire_read_list(Reader& in, T& value) {
    const std::size_t size = in.length(T::kMax);
    value.clear();
    value.reserve(std::min(size, in.remaining()));  // an element takes at least a byte, so a lying length allocates nothing
    for (std::size_t i = 0; i < size && in.ok(); ++i) wire_read(in, value.emplace_back());
}

template <typename T>
void wire_read(Reader& in, T& value) {
    if constexpr (std::same_as<T, bool>) {
        const std::uint8_t byte = in.byte();
        if (byte > 1) in.fail(Rule::field_out_of_range);
        value = byte == 1;
    } else if constexpr (std::is_enum_v<T>) {
        const std::uint64_t number = sizeof(T) == 1 ? in.byte() : static_cast<std::uint64_t>(in.varint(16));
        if (number >= EnumCount<T>::value) return in.fail(Rule::field_out_of_range);
        value = static_cast<T>(number);
    } else if constexpr (std::same_as<T, std::uint8_t>) {
        value = in.byte();
    } else if constexpr (std::unsigned_integral<T>) {
        value = static_cast<T>(in.varint(std::numeric_limits<T>::digits));
    } else if constexpr (std::signed_integral<T>) {
        const Int128 number = in.zigzag();
        if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) in.fail(Rule::field_out_of_range);
        value = static_cast<T>(number);
    } else if constexpr (IsFixedNumber<T>::value) {
        value = T::from_raw(in.zigzag());
        if (!value.within_bits(kWireBits)) in.fail(Rule::field_out_of_range);
    } else if constexpr (IsFixedBytes<T>::value) {
        const ByteView bytes = in.raw(T::kSize);
        if (in.ok()) value = *T::from(bytes);
    } else if constexpr (IsOptional<T>::value) {
        const std::uint8_t flag = in.byte();
        if (flag > 1) return in.fail(Rule::field_out_of_range);
        value.reset();
        if (flag == 1) wire_read(in, value.emplace());
    } else if constexpr (IsVariant<T>::value) {
        const std::uint8_t index = in.byte();
        if (in.ok()) wire_read_alternative(in, index, value);
    } else if constexpr (IsText<T>::value || IsBlob<T>::value) {
        const ByteView bytes = in.raw(in.length(T::kMax));
        value.assign(bytes.begin(), bytes.end());
    } else if constexpr (IsList<T>::value) {
        wire_read_list(in, value);
    } else {
        for_each_field(value, [&](const auto&, auto& member) { wire_read(in, member); });
    }
}

inline constexpr std::size_t kUsualSize = 256;  ///< most of what is encoded has less

template <typename T>
[[nodiscard]] Bytes wire_encode(const T& value) {
    Writer out;
    out.reserve(kUsualSize);
    wire_write(out, value);
    return std::move(out).take();
}
/// The same, but for its shared lists.
template <typename T>
[[nodiscard]] Encoding wire_encode_beside(const T& value) {
    Writer out(Lists::beside);
    out.reserve(kUsualSize);
    wire_write(out, value);
    return std::move(out).take_encoding();
}

/// The whole of `bytes` must be one T; else the Rule that is broken.
template <typename T>
[[nodiscard]] Expected<T, Rule> wire_decode(ByteView bytes) {
    Reader in(bytes);
    T value{};
    wire_read(in, value);
    if (in.ok() && in.remaining() != 0) in.fail(Rule::frame_trailing_bytes);
    if (!in.ok()) return Unexpected{in.rule()};
    return value;
}

}  // namespace hedgerow::channel
