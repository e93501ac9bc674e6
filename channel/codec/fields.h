#pragma once

#include <string_view>
#include <tuple>
#include <vector>

namespace hedgerow::channel {

/// One member of a struct: its name (JSON, EIP-712), its Solidity type where the contract knows it, and where it is. A
/// struct lists its members once, in `static constexpr auto fields()`; wire, ABI, EIP-712 and JSON derive from that list.
template <typename Struct, typename Member>
struct Field {
    using Type = Member;
    std::string_view name;
    std::string_view solidity;
    Member Struct::*member;
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> field(std::string_view name, Member Struct::*member, std::string_view solidity = {}) {
    return {name, solidity, member};
}

template <typename T>
concept HasFields = requires { T::fields(); };

/// Calls f(name-and-type, value) for each member in order.
template <HasFields T, typename Fn>
constexpr void for_each_field(T& object, Fn&& fn) {
    std::apply([&](const auto&... f) { (fn(f, object.*(f.member)), ...); }, std::remove_const_t<T>::fields());
}

/// A vector whose greatest length is part of its type: decoders refuse more before they allocate.
template <typename T, std::size_t Max>
struct List : std::vector<T> {
    static constexpr std::size_t kMax = Max;
    using std::vector<T>::vector;
};
template <typename T>
struct IsList : std::false_type {};
template <typename T, std::size_t Max>
struct IsList<List<T, Max>> : std::true_type {};

}  // namespace hedgerow::channel
