#pragma once

#include <string>
#include <string_view>

#include "rpc/method.h"

namespace hedgerow::cli {

[[nodiscard]] std::string root_help();
[[nodiscard]] std::string namespace_help(std::string_view name);
[[nodiscard]] std::string method_help(const rpc::MethodSpec& method);
[[nodiscard]] std::string receipts_help();
[[nodiscard]] std::string verify_help();
/// Shell script for bash, made from the method table; contrib/completions holds a copy.
[[nodiscard]] std::string bash_completion();

}  // namespace hedgerow::cli
