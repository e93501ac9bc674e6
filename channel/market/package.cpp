#include "channel/market/package.h"

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"

namespace hedgerow::channel {

namespace {

constexpr std::uint64_t kValueBytes = 32;

void append_be(Bytes& out, std::uint64_t value, std::size_t size) {
    for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::uint64_t read_be(ByteView bytes) {
    std::uint64_t out = 0;
    for (const std::uint8_t byte : bytes) out = out << 8 | byte;
    return out;
}

bool is_distinct(const std::vector<DataPoint>& points) {
    if (points.size() < 2) return true;
    std::vector<Feed> feeds;
    feeds.reserve(points.size());
    for (const DataPoint& point : points) feeds.push_back(point.feed);
    std::sort(feeds.begin(), feeds.end());
    return std::adjacent_find(feeds.begin(), feeds.end()) == feeds.end();
}

/// Whether the unsigned part is whole: lengths and value size agree with its own trailer.
bool is_framed(ByteView data) {
    if (data.size() < kPackagePointBytes + kPackageTrailerBytes) return false;
    const ByteView trailer = data.last(kPackageTrailerBytes);
    const std::uint64_t count = read_be(trailer.subspan(10, 3));
    return read_be(trailer.subspan(6, 4)) == kValueBytes && count != 0 && count <= kMaxPackagePoints &&
           count * kPackagePointBytes + kPackageTrailerBytes == data.size();
}

Expected<DataPackage, Rule> decode_data(ByteView data) {
    if (!is_framed(data)) return Unexpected{Rule::package_malformed};
    DataPackage out;
    out.timestamp_ms = read_be(data.last(kPackageTrailerBytes).first(6));
    const ByteView points = data.first(data.size() - kPackageTrailerBytes);
    out.points.reserve(points.size() / kPackagePointBytes);
    for (std::size_t at = 0; at < points.size(); at += kPackagePointBytes) {
        const ByteView point = points.subspan(at, kPackagePointBytes);
        const Feed feed = *Feed::from(point.first(32));
        if (feed.is_zero()) return Unexpected{Rule::package_malformed};
        out.points.push_back(DataPoint{feed, U256::from_be(point.last(32).first<32>())});
    }
    // The contract refuses a price given twice, so such a package would be worthless where it matters.
    if (!is_distinct(out.points)) return Unexpected{Rule::package_malformed};
    return out;
}

Expected<Signature, Rule> decode_signature(ByteView bytes) {
    const auto rsv = FixedBytes<65, RsvTag>::from(bytes);
    ASSERT(rsv.has_value());
    if (FixedBytes<64, RsvTag>::from(bytes.first(64))->is_zero()) return Unexpected{Rule::package_unsigned};
    const std::uint8_t v = rsv->data[64];
    if (v != 27 && v != 28) return Unexpected{Rule::bad_signature};
    const auto compact = compact_from_rsv(*rsv);
    if (!compact) return Unexpected{Rule::bad_signature};
    return *compact;
}

}  // namespace

DataPackage single_price_package(const Feed& feed, Price price, std::uint64_t timestamp_ms) {
    ASSERT(price.sign() > 0 && price.within_bits(kMarketBits));
    ASSERT(timestamp_ms <= kMaxPackageTimeMs && !feed.is_zero());
    return DataPackage{{DataPoint{feed, U256(static_cast<Uint128>(price.raw()))}}, timestamp_ms};
}

Bytes encode_package(const DataPackage& data) {
    ASSERT(!data.points.empty() && data.points.size() <= kMaxPackagePoints);
    ASSERT(data.timestamp_ms <= kMaxPackageTimeMs && is_distinct(data.points));
    Bytes out;
    out.reserve(data.points.size() * kPackagePointBytes + kPackageTrailerBytes + kPackageSignatureBytes);
    for (const DataPoint& point : data.points) {
        append(out, point.feed.view());
        append(out, point.value.to_be());
    }
    append_be(out, data.timestamp_ms, 6);
    append_be(out, kValueBytes, 4);
    append_be(out, data.points.size(), 3);
    return out;
}

Digest package_digest(const DataPackage& data) {
    return Digest{keccak256(encode_package(data)).data};
}

Bytes encode_signed_package(const SignedPackage& package) {
    Bytes out = encode_package(package.data);
    append(out, rsv_from_compact(package.signature).view());
    return out;
}

Expected<SignedPackage, Rule> decode_signed_package(ByteView bytes) {
    if (bytes.size() > kMaxPackageBytes) return Unexpected{Rule::frame_too_large};
    if (bytes.size() <= kPackageSignatureBytes || !is_framed(bytes.first(bytes.size() - kPackageSignatureBytes))) {
        return Unexpected{is_framed(bytes) ? Rule::package_unsigned : Rule::package_malformed};
    }
    auto data = decode_data(bytes.first(bytes.size() - kPackageSignatureBytes));
    if (!data) return Unexpected{data.error()};
    const auto signature = decode_signature(bytes.last(kPackageSignatureBytes));
    if (!signature) return Unexpected{signature.error()};
    return SignedPackage{*std::move(data), *signature};
}

Expected<Address, Rule> package_signer(const SignedPackage& package) {
    const auto key = recover(package_digest(package.data), package.signature);
    if (!key) return Unexpected{Rule::bad_signature};
    return address_of(*key);
}

Expected<Address, Rule> verify_package(const SignedPackage& package, std::span<const Address> oracles) {
    const auto signer = package_signer(package);
    if (!signer) return signer;
    if (std::find(oracles.begin(), oracles.end(), *signer) == oracles.end())
        return Unexpected{Rule::package_unknown_signer};
    return signer;
}

Rule verify_package(const SignedPackage& package, const PublicKey& key) {
    return verify_any_parity(package_digest(package.data), package.signature, key) ? Rule::none : Rule::bad_signature;
}

Expected<Price, Rule> price_of(const DataPackage& data, const Feed& feed) {
    const auto point =
        std::find_if(data.points.begin(), data.points.end(), [&](const DataPoint& p) { return p.feed == feed; });
    if (point == data.points.end()) return Unexpected{Rule::package_wrong_feed};
    if (point->value.is_zero() || point->value.bits() > kMarketBits)
        return Unexpected{Rule::package_price_out_of_range};
    return Price::from_raw(*point->value.to_i128());
}

}  // namespace hedgerow::channel
