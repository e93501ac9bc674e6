#pragma once

#include <secp256k1.h>

namespace hedgerow::wallet {

/// The process's one signing context, blinded with fresh randomness against side channels. Read-only after that, so any
/// thread may use it.
[[nodiscard]] const secp256k1_context* secp_context();

}  // namespace hedgerow::wallet
