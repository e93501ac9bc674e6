#pragma once

#include "channel/codec/word.h"
#include "channel/crypto/keccak.h"

/// EIP-712 typed data, derived from the field lists. A struct that is signed names its type in `kTypeName` and the types
/// it refers to, in alphabetical order, in `kReferencedTypes`.
namespace hedgerow::channel {

/// What binds a signature to this protocol, chain and contract (spec 2.1).
struct Domain {
    std::uint64_t chain_id = 0;
    Address contract;
    bool operator==(const Domain&) const = default;
};

[[nodiscard]] Hash domain_separator(const Domain& domain);
[[nodiscard]] Digest typed_digest(const Hash& separator, const Hash& struct_hash);

/// Compares a type's text, such as "Lock(bytes32 hash,uint64 expiry)", with what its field list says. Compile time.
template <typename T>
constexpr bool type_text_is(std::string_view text) {
    bool ok = true;
    const auto eat = [&](std::string_view part) {
        ok = ok && text.starts_with(part);
        if (ok) text.remove_prefix(part.size());
    };
    eat(T::kTypeName);
    bool first = true;
    std::apply([&](const auto&... f) { ((eat(first ? "(" : ","), first = false, eat(f.solidity), eat(" "), eat(f.name)), ...); }, T::fields());
    eat(")");
    return ok && text.empty();
}

template <typename T>
[[nodiscard]] std::string type_text() {
    std::string out(T::kTypeName);
    char separator = '(';
    std::apply(
        [&](const auto&... f) {
            ((out += separator, separator = ',', out.append(f.solidity).append(" ").append(f.name)), ...);
        },
        T::fields());
    return out.append(")");
}

template <typename T>
[[nodiscard]] const Hash& type_hash() {
    static const Hash hash = keccak256({as_bytes(type_text<T>()), as_bytes(T::kReferencedTypes)});
    return hash;
}

template <HasFields T>
[[nodiscard]] Hash hash_struct(const T& value);

template <typename T>
[[nodiscard]] Word typed_word(const T& value) {
    if constexpr (IsList<T>::value) {
        Bytes words;
        words.reserve(32 * value.size());
        for (const auto& element : value) {
            const Word word = typed_word(element);
            append(words, ByteView(word));
        }
        return keccak256(words).data;
    } else if constexpr (HasFields<T>) {
        return hash_struct(value).data;
    } else {
        return to_word(value);
    }
}

template <HasFields T>
Hash hash_struct(const T& value) {
    std::array<std::uint8_t, 32 * (1 + std::tuple_size_v<decltype(T::fields())>)> words;
    auto at = std::copy(type_hash<T>().data.begin(), type_hash<T>().data.end(), words.begin());
    for_each_field(value, [&](const auto&, const auto& member) {
        const Word word = typed_word(member);
        at = std::copy(word.begin(), word.end(), at);
    });
    return keccak256(words);
}

}  // namespace hedgerow::channel
