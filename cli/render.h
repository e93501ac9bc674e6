#pragma once

#include <string>
#include <string_view>

#include "rpc/json.h"

namespace hedgerow::cli {

/// A result for people: lists as aligned columns, objects as keys and values, times as dates. Text that came from
/// elsewhere is made harmless: control characters, which could drive the terminal, are shown escaped.
[[nodiscard]] std::string render(const rpc::Json& result);

/// Escapes control characters (C0, DEL, C1); newlines too.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace hedgerow::cli
