#include "wallet/chain/rlp.h"

#include <algorithm>

namespace hedgerow::wallet {

using channel::Bytes;
using channel::ByteView;
using channel::U256;

namespace {

constexpr std::uint8_t kShortString = 0x80;
constexpr std::uint8_t kShortList = 0xc0;
constexpr std::size_t kShortLimit = 55;  // longer payloads carry the length of their length

void append_prefix(Bytes& out, std::uint8_t base, std::size_t length) {
    if (length <= kShortLimit) {
        out.push_back(static_cast<std::uint8_t>(base + length));
        return;
    }
    Bytes digits;
    for (std::size_t rest = length; rest != 0; rest >>= 8) digits.push_back(static_cast<std::uint8_t>(rest & 0xff));
    out.push_back(static_cast<std::uint8_t>(base + kShortLimit + digits.size()));
    out.insert(out.end(), digits.rbegin(), digits.rend());
}

}  // namespace

void RlpWriter::add_bytes(ByteView bytes) {
    if (bytes.size() != 1 || bytes[0] >= kShortString) append_prefix(m_payload, kShortString, bytes.size());
    channel::append(m_payload, bytes);
}

void RlpWriter::add_integer(const U256& value) {
    const auto be = value.to_be();
    const auto first = std::find_if(be.begin(), be.end(), [](std::uint8_t b) { return b != 0; });
    add_bytes(ByteView(be).subspan(static_cast<std::size_t>(first - be.begin())));
}

void RlpWriter::add_list(const RlpWriter& list) {
    channel::append(m_payload, list.finish_list());
}

Bytes RlpWriter::finish_list() const {
    Bytes out;
    append_prefix(out, kShortList, m_payload.size());
    channel::append(out, m_payload);
    return out;
}

std::optional<RlpReader::Item> RlpReader::next() {
    if (m_rest.empty()) return std::nullopt;
    const std::uint8_t prefix = m_rest[0];
    if (prefix < kShortString) {
        const Item item{false, m_rest.first(1)};
        m_rest = m_rest.subspan(1);
        return item;
    }
    const bool is_list = prefix >= kShortList;
    const std::size_t code = static_cast<std::size_t>(prefix - (is_list ? kShortList : kShortString));
    std::size_t header = 1;
    std::size_t length = code;
    if (code > kShortLimit) {
        const std::size_t digits = code - kShortLimit;
        if (digits > sizeof length || m_rest.size() < 1 + digits || m_rest[1] == 0) return std::nullopt;
        length = 0;
        for (std::size_t i = 0; i < digits; ++i) length = (length << 8) | m_rest[1 + i];
        if (length <= kShortLimit) return std::nullopt;
        header += digits;
    }
    if (m_rest.size() - header < length) return std::nullopt;
    const Item item{is_list, m_rest.subspan(header, length)};
    // A single small byte is its own encoding.
    if (!is_list && length == 1 && item.payload[0] < kShortString) return std::nullopt;
    m_rest = m_rest.subspan(header + length);
    return item;
}

std::optional<RlpReader> RlpReader::open_list(ByteView bytes) {
    RlpReader outer(bytes);
    auto list = outer.list();
    if (!list || !outer.at_end()) return std::nullopt;
    return list;
}

std::optional<ByteView> RlpReader::bytes() {
    const auto item = next();
    if (!item || item->is_list) return std::nullopt;
    return item->payload;
}

std::optional<U256> RlpReader::integer() {
    const auto payload = bytes();
    if (!payload || payload->size() > 32 || (!payload->empty() && (*payload)[0] == 0)) return std::nullopt;
    std::array<std::uint8_t, 32> be{};
    std::copy(payload->begin(), payload->end(), be.end() - static_cast<std::ptrdiff_t>(payload->size()));
    return U256::from_be(be);
}

std::optional<std::uint64_t> RlpReader::integer64() {
    const auto value = integer();
    if (!value || value->bits() > 64) return std::nullopt;
    return value->limb[0];
}

std::optional<RlpReader> RlpReader::list() {
    const auto item = next();
    if (!item || !item->is_list) return std::nullopt;
    return RlpReader(item->payload);
}

}  // namespace hedgerow::wallet
