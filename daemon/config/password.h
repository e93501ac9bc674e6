#pragma once

#include <optional>

#include "daemon/config/config.h"
#include "wallet/keys/secret.h"

namespace hedgerow::daemon {

/// The password for an unattended start: from the file or systemd credential that is configured, without one trailing
/// line break; nothing where neither is. Errors: file_unreadable; inconsistent where others could read the file (mode &
/// 077), or no credentials were passed; malformed_value where it is empty or above 1024 bytes. No error text holds any
/// of it.
[[nodiscard]] channel::Expected<std::optional<wallet::SecretBytes>, ConfigError> read_password(
    const WalletConfig& config);

}  // namespace hedgerow::daemon
