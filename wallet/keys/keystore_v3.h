#pragma once

#include <string>
#include <string_view>

#include "wallet/keys/private_key.h"

/// Ethereum's "Web3 Secret Storage" version 3: what Geth, ethers and MetaMask exchange private keys in.
namespace hedgerow::wallet {

inline constexpr std::size_t kMaxKeystore = 64 * 1024;  ///< bytes of JSON

/// scrypt's cost. Accepted: n a power of two from 2 to 2^20, r 1 to 64, p 1 to 64, at most 1 GiB (128 n r) and 8 times
/// the usual work (n r p <= 2^24).
struct ScryptParameters {
    std::uint64_t n = 262'144;
    std::uint32_t r = 8;  ///< as Geth writes them; r = 1 with this n, which the standard's example has, other libraries refuse (RFC 7914)
    std::uint32_t p = 1;
};

/// Reads aes-128-ctr under scrypt or pbkdf2 (hmac-sha256, 1 to 10,000,000 rounds). Keys shorter than 32 bytes are
/// zero-padded on the left, as Geth does. Faults: keystore_*, key_out_of_range, kdf_out_of_memory; a wrong password is
/// keystore_mac_wrong.
[[nodiscard]] WalletExpected<PrivateKey> import_keystore(std::string_view json, std::string_view password);

/// The key as keystore JSON, with its address. Faults: wallet_password_empty, wallet_password_too_long,
/// keystore_kdf_out_of_range, kdf_out_of_memory.
[[nodiscard]] WalletExpected<std::string> export_keystore(const PrivateKey& key, std::string_view password,
                                                          const ScryptParameters& scrypt = {});

}  // namespace hedgerow::wallet
