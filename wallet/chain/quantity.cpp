#include "wallet/chain/quantity.h"

#include "channel/base/bytes.h"

namespace hedgerow::wallet {

using channel::U256;

std::string to_quantity(const U256& value) {
    const std::string hex = channel::to_hex(channel::ByteView(value.to_be()));
    const std::size_t first = hex.find_first_not_of('0', 2);
    if (first == std::string::npos) return {'0', 'x', '0'};
    std::string out = hex.substr(0, 2);
    out.append(hex, first);
    return out;
}

std::string to_quantity(std::uint64_t value) {
    return to_quantity(U256(value));
}

std::optional<U256> parse_quantity(std::string_view text) {
    if (text.size() < 3 || text.size() > 66 || text[0] != '0' || text[1] != 'x') return std::nullopt;
    if (text[2] == '0' && text.size() != 3) return std::nullopt;
    std::string padded(66 - text.size(), '0');
    padded.append(text.substr(2));
    const auto bytes = channel::from_hex(padded);
    if (!bytes || bytes->size() != 32) return std::nullopt;
    return U256::from_be(std::span<const std::uint8_t, 32>(bytes->data(), 32));
}

std::optional<std::uint64_t> parse_quantity64(std::string_view text) {
    const auto value = parse_quantity(text);
    if (!value || value->bits() > 64) return std::nullopt;
    return value->limb[0];
}

}  // namespace hedgerow::wallet
