#include "channel/base/ids.h"

namespace hedgerow::channel {

namespace {
bool is_name_character(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}
}  // namespace

std::optional<Feed> feed_from_name(std::string_view name) {
    if (name.empty() || name.size() > 31) return std::nullopt;
    if (!std::all_of(name.begin(), name.end(), is_name_character)) return std::nullopt;
    Feed feed;
    std::copy(name.begin(), name.end(), feed.data.begin());
    return feed;
}

std::string feed_name(const Feed& feed) {
    const auto end = std::find(feed.data.begin(), feed.data.end(), std::uint8_t{0});
    const std::string name(feed.data.begin(), end);
    const auto again = feed_from_name(name);
    return again && *again == feed ? name : to_hex(feed);
}

}  // namespace hedgerow::channel
