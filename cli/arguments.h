#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rpc/method.h"

namespace hedgerow::cli {

/// What was typed after the verb, before it has a type.
struct Typed {
    std::map<std::string, std::vector<std::string>> named;  ///< by parameter name, each value given
    std::vector<std::string> positional;                    ///< "-" skips an optional parameter
};

/// Reads a secret by its field; the text says why it could not be had.
using SecretReader = std::function<channel::Expected<std::string, std::string>(const rpc::Field& field)>;

/// The value that the text stands for under this schema: "ETH=1" for {asset, amount}, "@file" for the JSON in a file.
/// Only the form is looked at here; what the value may be is checked by the schema. The text of an error follows the
/// option's name.
[[nodiscard]] channel::Expected<rpc::Json, std::string> parse_value(const rpc::Schema& schema, const std::string& text);

/// Complete, checked parameters; the text of an error is for the person who typed. Positional values fill, in the
/// method's order, the parameters that were not given by name; a list takes all that are left. Secrets are never
/// positional.
[[nodiscard]] channel::Expected<rpc::Json, std::string> build_params(const rpc::MethodSpec& method, const Typed& typed,
                                                                     const SecretReader& read_secret);

}  // namespace hedgerow::cli
