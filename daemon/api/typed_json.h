#pragma once

#include <nlohmann/json_fwd.hpp>

#include "channel/crypto/signature.h"
#include "channel/messages/typed.h"
#include "daemon/api/format.h"

/// EIP-712 structs as JSON, the way eth_signTypedData_v4 takes them. For .cpp files that include nlohmann/json.hpp before it.
namespace hedgerow::daemon {

using namespace channel;

template <typename T>
[[nodiscard]] Json typed_value(const T& value) {
    if constexpr (IsList<T>::value) {
        Json out = Json::array();
        for (const auto& element : value) out.push_back(typed_value(element));
        return out;
    } else if constexpr (HasFields<T>) {
        Json out = Json::object();
        for_each_field(value, [&](const auto& f, const auto& member) { out[std::string(f.name)] = typed_value(member); });
        return out;
    } else if constexpr (IsFixedBytes<T>::value) {
        return to_hex(value);
    } else if constexpr (IsFixedNumber<T>::value) {
        return format_decimal(value.raw(), 0);
    } else {
        return std::to_string(static_cast<std::uint64_t>(value));
    }
}

template <typename T>
[[nodiscard]] Json type_members() {
    Json out = Json::array();
    std::apply([&](const auto&... f) { (out.push_back({{"name", std::string(f.name)}, {"type", std::string(f.solidity)}}), ...); }, T::fields());
    return out;
}

/// Domain, types and message of a State of this node's contract.
[[nodiscard]] inline Json typed_state_json(const Node& node, const State& state) {
    const NodeInfo info = node.info();
    return {{"domain",
             {{"name", "Hedgerow"},
              {"version", "1"},
              {"chainId", info.chain_id},
              {"verifyingContract", checksum_address(info.adjudicator)}}},
            {"types", {{"State", type_members<State>()}, {"Position", type_members<Position>()}, {"Lock", type_members<Lock>()}}},
            {"primaryType", "State"},
            {"message", typed_value(state)}};
}

}  // namespace hedgerow::daemon
