#include "daemon/net/frame.h"

#include <algorithm>

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::Expected;
using channel::NodeId;
using channel::Rule;
using channel::Unexpected;

namespace {

constexpr std::size_t kGreetingSize = 1 + 2 + NodeId::kSize + 8;
constexpr std::size_t kTokenSize = 1 + 8;
constexpr std::size_t kResetSize = 1 + 2;

void put(Bytes& out, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::uint64_t get(ByteView bytes, std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = (value << 8) | bytes[offset + i];
    return value;
}

}  // namespace

Bytes encode_greeting(MessageKind kind, const Greeting& greeting) {
    Bytes out{static_cast<std::uint8_t>(kind)};
    put(out, greeting.version, 2);
    channel::append(out, greeting.node_id.view());
    put(out, greeting.instance, 8);
    return out;
}

Bytes encode_token(MessageKind kind, std::uint64_t token) {
    Bytes out{static_cast<std::uint8_t>(kind)};
    put(out, token, 8);
    return out;
}

Bytes encode_reset(Rule rule) {
    Bytes out{static_cast<std::uint8_t>(MessageKind::reset)};
    put(out, static_cast<std::uint16_t>(rule), 2);
    return out;
}

std::optional<MessageKind> kind_of(ByteView message) {
    if (message.empty() || message[0] < 1 || message[0] > static_cast<std::uint8_t>(MessageKind::data))
        return std::nullopt;
    return static_cast<MessageKind>(message[0]);
}

std::optional<Greeting> decode_greeting(ByteView message) {
    if (message.size() != kGreetingSize) return std::nullopt;
    Greeting out;
    out.version = static_cast<std::uint16_t>(get(message, 1, 2));
    out.node_id = *NodeId::from(message.subspan(3, NodeId::kSize));
    out.instance = get(message, 3 + NodeId::kSize, 8);
    return out;
}

std::optional<std::uint64_t> decode_token(ByteView message) {
    if (message.size() != kTokenSize) return std::nullopt;
    return get(message, 1, 8);
}

std::optional<Rule> decode_reset(ByteView message) {
    if (message.size() != kResetSize) return std::nullopt;
    const std::uint64_t number = get(message, 1, 2);
    return number < static_cast<std::uint64_t>(Rule::count_) ? static_cast<Rule>(number) : Rule::unexpected_message;
}

Expected<ByteView, Rule> next_frame(ByteView message, std::size_t& offset) {
    if (offset > message.size() || message.size() - offset < kFramePrefixSize) return Unexpected{Rule::frame_truncated};
    const auto size = static_cast<std::size_t>(get(message, offset, kFramePrefixSize));
    if (size > kMaxFrameSize) return Unexpected{Rule::frame_too_large};
    offset += kFramePrefixSize;
    if (message.size() - offset < size) return Unexpected{Rule::frame_truncated};
    const ByteView frame = message.subspan(offset, size);
    offset += size;
    return frame;
}

}  // namespace hedgerow::daemon
