#include "channel/crypto/signature.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "channel/crypto/keccak.h"

namespace hedgerow::channel {

namespace {

struct Unpacked {
    std::array<std::uint8_t, 64> rs{};
    int recovery_id = 0;
};

Unpacked unpack(const Signature& signature) {
    Unpacked out{signature.data, signature.data[32] >> 7};
    out.rs[32] &= 0x7f;
    return out;
}

/// r and s in range and s low.
std::optional<secp256k1_ecdsa_signature> parse_low_s(const std::array<std::uint8_t, 64>& rs) {
    secp256k1_ecdsa_signature out;
    if (secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, &out, rs.data()) != 1) return std::nullopt;
    if (secp256k1_ecdsa_signature_normalize(secp256k1_context_static, nullptr, &out) == 1) return std::nullopt;
    return out;
}

std::optional<secp256k1_pubkey> parse_key(const PublicKey& key) {
    std::array<std::uint8_t, 65> bytes{};
    bytes[0] = 4;
    std::copy(key.data.begin(), key.data.end(), bytes.begin() + 1);
    secp256k1_pubkey out;
    if (secp256k1_ec_pubkey_parse(secp256k1_context_static, &out, bytes.data(), bytes.size()) != 1) return std::nullopt;
    return out;
}

}  // namespace

bool verify(const Digest& digest, const Signature& signature, const PublicKey& key) {
    const auto found = recover(digest, signature);
    return found && *found == key;
}

bool verify_any_parity(const Digest& digest, const Signature& signature, const PublicKey& key) {
    const auto rs = parse_low_s(unpack(signature).rs);
    const auto point = parse_key(key);
    return rs && point && secp256k1_ecdsa_verify(secp256k1_context_static, &*rs, digest.data.data(), &*point) == 1;
}

std::optional<Signature> with_proved_parity(const Digest& digest, const Signature& signature, const PublicKey& key) {
    Signature out = signature;
    if (verify(digest, out, key)) return out;
    out.data[32] ^= 0x80;
    if (verify(digest, out, key)) return out;
    return std::nullopt;
}

std::optional<PublicKey> recover(const Digest& digest, const Signature& signature) {
    const Unpacked parts = unpack(signature);
    if (!parse_low_s(parts.rs)) return std::nullopt;
    secp256k1_ecdsa_recoverable_signature recoverable;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(secp256k1_context_static, &recoverable, parts.rs.data(),
                                                            parts.recovery_id) != 1) {
        return std::nullopt;
    }
    secp256k1_pubkey point;
    if (secp256k1_ecdsa_recover(secp256k1_context_static, &point, &recoverable, digest.data.data()) != 1) return std::nullopt;
    std::array<std::uint8_t, 65> bytes{};
    std::size_t size = bytes.size();
    secp256k1_ec_pubkey_serialize(secp256k1_context_static, bytes.data(), &size, &point, SECP256K1_EC_UNCOMPRESSED);
    return PublicKey::from(ByteView(bytes).subspan(1));
}

Address address_of(const PublicKey& key) {
    const Hash hash = keccak256(key.view());
    return *Address::from(hash.view().subspan(12));
}

bool is_valid_key(const PublicKey& key) { return parse_key(key).has_value(); }

std::optional<Signature> compact_from_rsv(const FixedBytes<65, struct RsvTag>& rsv) {
    const std::uint8_t v = rsv.data[64];
    if (v != 0 && v != 1 && v != 27 && v != 28) return std::nullopt;
    Signature out = *Signature::from(rsv.view().first(64));
    if (!parse_low_s(out.data)) return std::nullopt;
    if (v == 1 || v == 28) out.data[32] |= 0x80;
    return out;
}

FixedBytes<65, struct RsvTag> rsv_from_compact(const Signature& signature) {
    const Unpacked parts = unpack(signature);
    FixedBytes<65, struct RsvTag> out;
    std::copy(parts.rs.begin(), parts.rs.end(), out.data.begin());
    out.data[64] = static_cast<std::uint8_t>(27 + parts.recovery_id);
    return out;
}

std::string checksum_address(const Address& address) {
    std::string text = to_hex(address);
    const Hash hash = keccak256(as_bytes(std::string_view(text).substr(2)));
    for (std::size_t i = 0; i < 40; ++i) {
        const int nibble = (hash.data[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15;
        char& c = text[i + 2];
        if (c >= 'a' && nibble >= 8) c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
}

std::optional<Address> parse_address(std::string_view text) {
    if (!text.starts_with("0x") || text.size() != 42) return std::nullopt;
    const auto address = fixed_from_hex<Address>(text);
    if (!address) return std::nullopt;
    const auto digits = text.substr(2);
    const bool lower = std::none_of(digits.begin(), digits.end(), [](char c) { return c >= 'A' && c <= 'F'; });
    const bool upper = std::none_of(digits.begin(), digits.end(), [](char c) { return c >= 'a' && c <= 'f'; });
    if (!lower && !upper && checksum_address(*address) != text) return std::nullopt;
    return address;
}

}  // namespace hedgerow::channel
