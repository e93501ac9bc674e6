#pragma once

#include <cstdint>
#include <optional>

#include "channel/base/expected.h"
#include "channel/base/ids.h"
#include "channel/base/rule.h"

namespace hedgerow::daemon {

inline constexpr std::size_t kMaxFrameSize = std::size_t{1} << 20;  ///< of one frame of the peer protocol (DESIGN 13)
inline constexpr std::uint16_t kTransportVersion = 1;

/// What travels inside one ZeroMQ message: one byte of kind, then its body. All integers little-endian.
enum class MessageKind : std::uint8_t {
    hello = 1,    ///< client's first: version u16, node id 32, instance u64
    welcome = 2,  ///< server's answer, same body; the link stands
    ping = 3,     ///< token u64
    pong = 4,     ///< the ping's token
    reset = 5,    ///< rule u16: there is no link (any more)
    data = 6,     ///< one or more of: size u32, frame
};

struct Greeting {
    std::uint16_t version = kTransportVersion;
    channel::NodeId node_id;
    /// Drawn at the start of the process: tells a restarted peer from one that dialled twice.
    std::uint64_t instance = 0;
};

inline constexpr std::size_t kDataHeaderSize = 1;
inline constexpr std::size_t kFramePrefixSize = 4;
/// Largest ZeroMQ message that is ever sent.
inline constexpr std::size_t kMaxMessageSize = kDataHeaderSize + kFramePrefixSize + kMaxFrameSize;

[[nodiscard]] channel::Bytes encode_greeting(MessageKind kind, const Greeting& greeting);
[[nodiscard]] channel::Bytes encode_token(MessageKind kind, std::uint64_t token);
[[nodiscard]] channel::Bytes encode_reset(channel::Rule rule);

/// The kind of a message; nothing for an empty one or an unknown kind.
[[nodiscard]] std::optional<MessageKind> kind_of(channel::ByteView message);
/// The bodies of messages of a known kind; nothing where the size is not exactly right.
[[nodiscard]] std::optional<Greeting> decode_greeting(channel::ByteView message);
[[nodiscard]] std::optional<std::uint64_t> decode_token(channel::ByteView message);
/// A number that is no rule reads as unexpected_message.
[[nodiscard]] std::optional<channel::Rule> decode_reset(channel::ByteView message);

/// The frames of a data message, in order, given to `take`. Refuses frame_truncated, frame_too_large and an empty
/// message before taking any of them.
template <typename Take>
[[nodiscard]] channel::Expected<void, channel::Rule> for_each_frame(channel::ByteView message, Take take);

/// The next frame at `offset`, which is moved behind it.
[[nodiscard]] channel::Expected<channel::ByteView, channel::Rule> next_frame(channel::ByteView message,
                                                                             std::size_t& offset);

template <typename Take>
channel::Expected<void, channel::Rule> for_each_frame(channel::ByteView message, Take take) {
    std::size_t offset = kDataHeaderSize;
    do {
        const auto frame = next_frame(message, offset);
        if (!frame) return channel::Unexpected{frame.error()};
    } while (offset < message.size());
    for (offset = kDataHeaderSize; offset < message.size();) take(*next_frame(message, offset));
    return {};
}

}  // namespace hedgerow::daemon
