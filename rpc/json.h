#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "channel/base/amount.h"
#include "channel/base/expected.h"

namespace hedgerow::rpc {

/// Objects keep the order they were written in, so that results read as their code was written. Comparing two objects
/// with
/// == therefore compares the order too.
using Json = nlohmann::ordered_json;

struct JsonError {
    std::string_view name;  ///< json_malformed, json_duplicate_key, json_too_deep, json_too_many_members
    std::string message;    ///< with the byte at which it was found
};

inline constexpr std::size_t kMaxJsonDepth = 32;
inline constexpr std::size_t kMaxJsonMembers = 256;  ///< of one object

/// RFC 8259 text, whole and nothing after it. Beyond the grammar it refuses a key twice in one object, nesting deeper
/// than max_depth, more than kMaxJsonMembers members, and bytes that are not UTF-8. An integer that 64 bits cannot hold
/// comes out as a floating-point number, and so never where an integer is asked for.
[[nodiscard]] channel::Expected<Json, JsonError> parse_json(std::string_view text,
                                                            std::size_t max_depth = kMaxJsonDepth);

/// Compact text; bytes that are not UTF-8 become U+FFFD rather than an exception.
[[nodiscard]] std::string json_text(const Json& value);
/// Adds `text` as a JSON string, quoted and escaped as json_text would.
void append_json_string(std::string& out, std::string_view text);
/// Indented by two, for people and files.
[[nodiscard]] std::string json_pretty(const Json& value);

/// A decimal string such as "12.5" in units of 10^-decimals; a JSON number is amount_malformed, by intent.
[[nodiscard]] channel::Expected<channel::Int128, channel::Rule> decimal_from_json(const Json& value, int decimals);
[[nodiscard]] Json decimal_to_json(channel::Int128 value, int decimals);

}  // namespace hedgerow::rpc
