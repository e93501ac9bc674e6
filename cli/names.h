#pragma once

#include <string>
#include <string_view>

#include "rpc/method.h"

namespace hedgerow::cli {

/// "channelId" -> "channel-id"
[[nodiscard]] std::string kebab_case(std::string_view name);
/// "channel_open" -> "channel" and "open"
[[nodiscard]] std::string namespace_of(const rpc::MethodSpec& method);
[[nodiscard]] std::string verb_of(const rpc::MethodSpec& method);
/// The option of a parameter: "--channel-id"; of a list one of its items: "--deposit"; of a secret the file that holds
/// it: "--password-file".
[[nodiscard]] std::string option_name(const rpc::Field& field);
/// What stands for the value on help pages: "AMOUNT", "ASSET=AMOUNT".
[[nodiscard]] std::string value_name(const rpc::Schema& schema);

}  // namespace hedgerow::cli
