#include "channel/codec/wire.h"

namespace hedgerow::channel {

void Writer::reserve(std::size_t size) { m_out.reserve(size); }

void Writer::raw(ByteView bytes) { append(m_out, bytes); }

void Writer::varint(Uint128 value) {
    if (value < 0x80) return m_out.push_back(static_cast<std::uint8_t>(value));
    std::array<std::uint8_t, 19> bytes{};
    std::size_t size = 0;
    for (; (value >> 64) != 0; value >>= 7) bytes[size++] = static_cast<std::uint8_t>(value) | 0x80;
    auto rest = static_cast<std::uint64_t>(value);
    for (; rest >= 0x80; rest >>= 7) bytes[size++] = static_cast<std::uint8_t>(rest) | 0x80;
    bytes[size++] = static_cast<std::uint8_t>(rest);
    append(m_out, ByteView(bytes).first(size));
}

void Writer::zigzag(Int128 value) {
    const auto bits = static_cast<Uint128>(value);
    varint((bits << 1) ^ (value < 0 ? ~Uint128{0} : Uint128{0}));
}

ByteView Reader::raw(std::size_t size) {
    if (!ok()) return {};
    if (size > m_rest.size()) {
        fail(Rule::frame_truncated);
        return {};
    }
    const ByteView out = m_rest.first(size);
    m_rest = m_rest.subspan(size);
    return out;
}

std::uint8_t Reader::byte() {
    const ByteView bytes = raw(1);
    return bytes.empty() ? std::uint8_t{0} : bytes[0];
}

Uint128 Reader::varint(int bits) {
    if (ok() && bits >= 7 && !m_rest.empty() && m_rest[0] < 0x80) {  // one byte, as most are
        const std::uint8_t value = m_rest[0];
        m_rest = m_rest.subspan(1);
        return value;
    }
    Uint128 value = 0;
    for (int shift = 0;; shift += 7) {
        const std::uint8_t b = byte();
        if (!ok()) return 0;
        const Uint128 part = b & 0x7f;
        if (shift >= bits || (bits - shift < 7 && (part >> (bits - shift)) != 0)) {
            fail(Rule::field_out_of_range);
            return 0;
        }
        value |= part << shift;
        if ((b & 0x80) == 0) {
            if (b == 0 && shift != 0) fail(Rule::integer_not_minimal);
            return ok() ? value : 0;
        }
    }
}

Int128 Reader::zigzag() {
    const Uint128 value = varint(128);
    return static_cast<Int128>((value >> 1) ^ ((value & 1) != 0 ? ~Uint128{0} : Uint128{0}));
}

std::size_t Reader::length(std::size_t max) {
    const Uint128 value = varint(32);
    if (value > max) {
        fail(Rule::list_too_long);
        return 0;
    }
    return static_cast<std::size_t>(value);
}

}  // namespace hedgerow::channel
