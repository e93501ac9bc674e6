#pragma once

#include <filesystem>
#include <stdexcept>

#include "wallet/keys/private_key.h"

namespace hedgerow::daemon {

/// A key file that is refused. The text never holds anything of the key.
struct KeyFileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The secp256k1 key in a file of 64 hex digits (0x and a final newline allowed) that only its owner can read (mode
/// 0600 or 0400).
[[nodiscard]] wallet::PrivateKey load_key_file(const std::filesystem::path& file);

/// Makes such a file with a new key, durably, where there is none; one that exists is left as it is. True where it was
/// made.
bool generate_key_file(const std::filesystem::path& file);

}  // namespace hedgerow::daemon
