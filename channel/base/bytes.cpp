#include "channel/base/bytes.h"

namespace hedgerow::channel {

std::string to_hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out(2 + 2 * bytes.size(), 'x');
    out[0] = '0';
    char* at = out.data() + 2;
    for (const std::uint8_t b : bytes) {
        *at++ = kDigits[b >> 4];
        *at++ = kDigits[b & 15];
    }
    return out;
}

namespace {
int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}
}  // namespace

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes out(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit_value(text[i]);
        const int low = digit_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out[i / 2] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return out;
}

}  // namespace hedgerow::channel
