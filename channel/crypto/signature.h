#pragma once

#include <optional>

#include "channel/base/ids.h"

namespace hedgerow::channel {

/// Whether a contract that recovers the signer of this compact EIP-2098 signature finds `key`. High-s is false, and so is the other parity bit:
/// plain ECDSA takes it, ecrecover finds another signer, and what it signed could never be enforced.
[[nodiscard]] bool verify(const Digest& digest, const Signature& signature, const PublicKey& key);

/// Whether `key` made r and s, s low; the parity bit is not looked at (plain ECDSA verification does not), so this is not
/// enough for what a contract has to recover. Cheaper than recovery by a square root.
[[nodiscard]] bool verify_any_parity(const Digest& digest, const Signature& signature, const PublicKey& key);

/// That signature with the parity bit with which a contract finds `key`; nothing where verify_any_parity is false.
[[nodiscard]] std::optional<Signature> with_proved_parity(const Digest& digest, const Signature& signature, const PublicKey& key);

/// The key that made a compact EIP-2098 signature; nothing for a malformed or high-s one.
[[nodiscard]] std::optional<PublicKey> recover(const Digest& digest, const Signature& signature);

/// The last 20 bytes of keccak256(x || y).
[[nodiscard]] Address address_of(const PublicKey& key);

/// A point on the curve? Keys from the wire are checked once, on arrival.
[[nodiscard]] bool is_valid_key(const PublicKey& key);

/// r || s || v (27/28) to compact and back; nothing where s is high or v is neither 0, 1, 27 nor 28.
[[nodiscard]] std::optional<Signature> compact_from_rsv(const FixedBytes<65, struct RsvTag>& rsv);
[[nodiscard]] FixedBytes<65, struct RsvTag> rsv_from_compact(const Signature& signature);

/// EIP-55 text of an address, and its check: all-lower or all-upper hex passes, mixed case must match the checksum.
[[nodiscard]] std::string checksum_address(const Address& address);
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

}  // namespace hedgerow::channel
