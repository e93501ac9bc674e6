#pragma once

#include <span>
#include <vector>

#include "channel/base/amount.h"
#include "channel/base/ids.h"
#include "channel/base/u256.h"

/// RedStone's signed data package, byte for byte (DESIGN 7; the contract's half is contract/Packages.sol):
///   { feed id 32 | value 32 } x count | timestamp in ms 6 | value size 4 (= 32) | count 3 | r 32 | s 32 | v 1
/// big-endian, ECDSA over keccak256 of all before r, without prefix. Format of
/// github.com/redstone-finance/redstone-oracles-monorepo, packages/protocol.
namespace hedgerow::channel {

/// RedStone's largest packages carry every feed of a service, several hundred points.
inline constexpr std::size_t kMaxPackagePoints = 1'024;
inline constexpr std::size_t kPackagePointBytes = 64;
inline constexpr std::size_t kPackageTrailerBytes = 13;
inline constexpr std::size_t kPackageSignatureBytes = 65;
inline constexpr std::size_t kMaxPackageBytes =
    kMaxPackagePoints * kPackagePointBytes + kPackageTrailerBytes + kPackageSignatureBytes;
/// The timestamp's own 48 bits, and what a channel's 40-bit seconds can hold is below that.
inline constexpr std::uint64_t kMaxPackageTimeMs = (1ULL << 48) - 1;

/// One value of a package. It need not be a price of ours (real packages carry other things too), see price_of.
struct DataPoint {
    Feed feed;
    U256 value;
    bool operator==(const DataPoint&) const = default;
};

/// Points in the order of their bytes (RedStone and our oracle sort by feed id; any order is read), distinct feeds, 1
/// to kMaxPackagePoints.
struct DataPackage {
    std::vector<DataPoint> points;
    std::uint64_t timestamp_ms = 0;
    bool operator==(const DataPackage&) const = default;
};

struct SignedPackage {
    DataPackage data;
    Signature signature;
    bool operator==(const SignedPackage&) const = default;
};

/// The package of one price, which is what our oracles sign. 0 < price < 2^96, timestamp_ms <= kMaxPackageTimeMs;
/// asserts.
[[nodiscard]] DataPackage single_price_package(const Feed& feed, Price price, std::uint64_t timestamp_ms);

/// The bytes that are signed; asserts the bounds of DataPackage.
[[nodiscard]] Bytes encode_package(const DataPackage& data);
/// keccak256 of those bytes.
[[nodiscard]] Digest package_digest(const DataPackage& data);
/// The signed package, v 27 or 28.
[[nodiscard]] Bytes encode_signed_package(const SignedPackage& package);

/// The whole of `bytes` must be one signed package. Errors: frame_too_large; package_malformed (lengths, count 0 or
/// above kMaxPackagePoints, a value size other than 32, a feed twice or zero); package_unsigned (no signature, or one
/// of zeros); bad_signature (v neither 27 nor 28, which the chain needs, or s high). That somebody made the signature
/// is for package_signer to say.
[[nodiscard]] Expected<SignedPackage, Rule> decode_signed_package(ByteView bytes);

/// Who signed it. Error: bad_signature.
[[nodiscard]] Expected<Address, Rule> package_signer(const SignedPackage& package);
/// The same, and one of `oracles`. Errors: bad_signature, package_unknown_signer.
[[nodiscard]] Expected<Address, Rule> verify_package(const SignedPackage& package, std::span<const Address> oracles);
/// Whether the holder of this key signed it, cheaper than recovery: Rule::none or bad_signature. Either v passes: before
/// a package counts for `attest`, its signer is to be recovered.
[[nodiscard]] Rule verify_package(const SignedPackage& package, const PublicKey& key);

/// The price of one feed, 8 decimals. Errors: package_wrong_feed, package_price_out_of_range (0, or 2^96 and more).
[[nodiscard]] Expected<Price, Rule> price_of(const DataPackage& data, const Feed& feed);

}  // namespace hedgerow::channel
