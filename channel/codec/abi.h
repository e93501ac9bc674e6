#pragma once

#include "channel/codec/word.h"

/// Solidity's ABI, derived from the same field lists as everything else (Contract ABI Specification, Solidity docs).
namespace hedgerow::channel {

template <typename T>
constexpr bool abi_is_dynamic();

template <typename Tuple, std::size_t... I>
constexpr bool abi_any_dynamic(std::index_sequence<I...>) {
    return (abi_is_dynamic<typename std::tuple_element_t<I, Tuple>::Type>() || ...);
}

template <typename T>
constexpr bool abi_is_dynamic() {
    if constexpr (IsList<T>::value || IsBlob<T>::value || IsText<T>::value || std::same_as<T, Bytes>) {
        return true;
    } else if constexpr (HasFields<T>) {
        using Tuple = decltype(T::fields());
        return abi_any_dynamic<Tuple>(std::make_index_sequence<std::tuple_size_v<Tuple>>());
    } else {
        return false;
    }
}

/// Bytes a static type takes.
template <typename T>
constexpr std::size_t abi_static_size() {
    if constexpr (HasFields<T>) {
        return std::apply([](const auto&... f) { return (abi_static_size<typename std::decay_t<decltype(f)>::Type>() + ... + std::size_t{0}); },
                          T::fields());
    } else {
        return 32;
    }
}
template <typename T>
constexpr std::size_t abi_head_size() {
    return abi_is_dynamic<T>() ? 32 : abi_static_size<T>();
}

template <typename T>
void abi_write(Bytes& out, const T& value);

inline void abi_write_word(Bytes& out, const Word& word) { append(out, ByteView(word)); }

/// Head and tail of a sequence; `write_all(emit)` calls emit once an element.
template <typename... T>
void abi_write_sequence(Bytes& out, const T&... elements) {
    const std::size_t head = (abi_head_size<T>() + ... + std::size_t{0});
    Bytes tail;
    const auto emit = [&](const auto& element) {
        using E = std::decay_t<decltype(element)>;
        if constexpr (abi_is_dynamic<E>()) {
            abi_write_word(out, U256(head + tail.size()).to_be());
            abi_write(tail, element);
        } else {
            abi_write(out, element);
        }
    };
    (emit(elements), ...);
    append(out, tail);
}

template <typename L>
void abi_write_list(Bytes& out, const L& list) {
    abi_write_word(out, U256(list.size()).to_be());
    using E = typename L::value_type;
    Bytes tail;
    for (const auto& element : list) {
        if constexpr (abi_is_dynamic<E>()) {
            abi_write_word(out, U256(32 * list.size() + tail.size()).to_be());
            abi_write(tail, element);
        } else {
            abi_write(out, element);
        }
    }
    append(out, tail);
}

template <typename T>
void abi_write(Bytes& out, const T& value) {
    if constexpr (IsBlob<T>::value || IsText<T>::value || std::same_as<T, Bytes>) {
        abi_write_word(out, U256(value.size()).to_be());
        out.insert(out.end(), value.begin(), value.end());
        out.resize(out.size() + (32 - value.size() % 32) % 32);
    } else if constexpr (IsList<T>::value) {
        abi_write_list(out, value);
    } else if constexpr (HasFields<T>) {
        std::apply([&](const auto&... f) { abi_write_sequence(out, value.*(f.member)...); }, T::fields());
    } else {
        abi_write_word(out, to_word(value));
    }
}

/// `abi.encode(arguments...)`.
template <typename... T>
[[nodiscard]] Bytes abi_encode(const T&... arguments) {
    Bytes out;
    abi_write_sequence(out, arguments...);
    return out;
}

/// Strict reader of ABI data: offsets must stay inside, padding must be zero, lists within their bound.
class AbiReader {
  public:
    explicit AbiReader(ByteView bytes) : m_bytes(bytes) {}
    [[nodiscard]] bool ok() const { return m_ok; }

    /// Reads `T` whose head begins at `position` within the sequence that begins at `base`; advances position past the head.
    template <typename T>
    void read(std::size_t base, std::size_t& position, T& value) {
        if constexpr (abi_is_dynamic<T>()) {
            const std::size_t offset = size_at(position);
            position += 32;
            if (m_ok) read_body(base + offset, value);
        } else {
            read_static(position, value);
        }
    }

  private:
    template <typename T>
    void read_static(std::size_t& position, T& value) {
        if constexpr (HasFields<T>) {
            for_each_field(value, [&](const auto&, auto& member) { read_static(position, member); });
        } else {
            const auto read = from_word<T>(word_at(position));
            position += 32;
            if (!read) m_ok = false;
            if (m_ok) value = *read;
        }
    }
    template <typename T>
    void read_body(std::size_t at, T& value) {
        if constexpr (IsBlob<T>::value || IsText<T>::value || std::same_as<T, Bytes>) {
            read_bytes(at, value);
        } else if constexpr (IsList<T>::value) {
            const std::size_t size = size_at(at);
            if (size > T::kMax) m_ok = false;
            std::size_t position = at + 32;
            const std::size_t base = position;
            value.clear();
            for (std::size_t i = 0; i < size && m_ok; ++i) read(base, position, value.emplace_back());
        } else {
            std::size_t position = at;
            for_each_field(value, [&](const auto&, auto& member) { read(at, position, member); });
        }
    }
    template <typename T>
    void read_bytes(std::size_t at, T& value) {
        const std::size_t size = size_at(at);
        if (!m_ok || size > m_bytes.size() - at - 32) {
            m_ok = false;
            return;
        }
        const ByteView body = m_bytes.subspan(at + 32, size);
        value.assign(body.begin(), body.end());
    }
    [[nodiscard]] Word word_at(std::size_t position);
    [[nodiscard]] std::size_t size_at(std::size_t position);

    ByteView m_bytes;
    bool m_ok = true;
};

/// `abi.decode(bytes, (T...))`: true and the values, or false. Bytes behind the last element are allowed, as in Solidity.
template <typename... T>
[[nodiscard]] bool abi_decode(ByteView bytes, T&... values) {
    AbiReader in(bytes);
    std::size_t position = 0;
    (in.read(0, position, values), ...);
    return in.ok();
}

/// The first four bytes of keccak256 of a signature such as "transfer(address,uint256)", then the arguments.
[[nodiscard]] Bytes abi_selector(std::string_view signature);
template <typename... T>
[[nodiscard]] Bytes abi_call(std::string_view signature, const T&... arguments) {
    Bytes out = abi_selector(signature);
    append(out, abi_encode(arguments...));
    return out;
}

}  // namespace hedgerow::channel
