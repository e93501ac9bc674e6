#pragma once

#include <filesystem>
#include <string>

#include "channel/market/registry.h"

namespace hedgerow::daemon {

struct RegistryFileError {
    channel::Rule rule = channel::Rule::none;  ///< none: the file itself (text says what)
    std::string text;                          ///< one line for people, with the instrument's name
};

/// Reads {"instruments": [{"name", "tick", "lot", "initialBps", "maintenanceBps", "penaltyBps"}, …]}: tick in USD and lot in units of the underlying as
/// decimal strings, rates in basis points of notional; what a name stands for is in the name. Unknown or missing members, duplicate keys and
/// a file above 16 MiB are errors.
[[nodiscard]] channel::Expected<channel::Registry, RegistryFileError> read_registry_file(const std::filesystem::path& path);

}  // namespace hedgerow::daemon
