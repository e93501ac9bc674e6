#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "channel/base/bytes.h"

namespace hedgerow::channel {

using Hash = FixedBytes<32, struct HashTag>;             ///< keccak-256 of anything that has no type of its own
using Digest = FixedBytes<32, struct DigestTag>;         ///< an EIP-712 digest: what a signature is over
using ChannelId = FixedBytes<32, struct ChannelIdTag>;   ///< EIP-712 digest of Channel (spec 2.3)
using Address = FixedBytes<20, struct AddressTag>;
using Secret = FixedBytes<32, struct SecretTag>;         ///< a channel's watch secret (spec 2.3)
using LockHash = FixedBytes<32, struct LockHashTag>;     ///< keccak256(preimage)
using Preimage = FixedBytes<32, struct PreimageTag>;
using NodeId = FixedBytes<32, struct NodeIdTag>;         ///< Ed25519 public key of a node
using Signature = FixedBytes<64, struct SignatureTag>;   ///< EIP-2098 compact (r, vs)
using NodeSignature = FixedBytes<64, struct NodeSignatureTag>;  ///< Ed25519, by a NodeId
using PublicKey = FixedBytes<64, struct PublicKeyTag>;   ///< secp256k1 point, x and y, big-endian
using TxHash = FixedBytes<32, struct TxHashTag>;
using BlockHash = FixedBytes<32, struct BlockHashTag>;

/// A name of at most 31 characters from [A-Za-z0-9_.-], as bytes32 (spec 2.5). Feeds and instruments share one name space.
struct FeedTag;
using Feed = FixedBytes<32, FeedTag>;

[[nodiscard]] std::optional<Feed> feed_from_name(std::string_view name);
/// The name of a feed; hex where its bytes are no name.
[[nodiscard]] std::string feed_name(const Feed& feed);

enum class Party : std::uint8_t { A = 0, B = 1 };  ///< A leads, B follows (spec 1.1)
[[nodiscard]] constexpr Party other(Party party) { return party == Party::A ? Party::B : Party::A; }
[[nodiscard]] constexpr const char* party_name(Party party) { return party == Party::A ? "A" : "B"; }
/// +1 for A, -1 for B: turns a quantity seen from A into that party's.
[[nodiscard]] constexpr int sign_of(Party party) { return party == Party::A ? 1 : -1; }

}  // namespace hedgerow::channel
