#include "wallet/keys/bip32.h"

#include <sodium.h>

#include <charconv>
#include <optional>
#include <utility>

#include "wallet/keys/secp_context.h"

namespace hedgerow::wallet {

namespace {

/// HMAC-SHA512: the left half is a key or a tweak, the right one a chain code.
SecretBytes hmac_sha512(channel::ByteView key, channel::ByteView message) {
    SecretBytes out(crypto_auth_hmacsha512_BYTES);
    crypto_auth_hmacsha512_state state;
    const WipeOnExit wipe({reinterpret_cast<std::uint8_t*>(&state), sizeof state});
    crypto_auth_hmacsha512_init(&state, key.data(), key.size());
    crypto_auth_hmacsha512_update(&state, message.data(), message.size());
    crypto_auth_hmacsha512_final(&state, out.writable().data());
    return out;
}

void write_be32(std::span<std::uint8_t> out, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

/// What a child is derived from: 0 and the private key (hardened) or the compressed public key, then the number.
SecretBytes child_message(const PrivateKey& key, std::uint32_t number) {
    SecretBytes out(37);
    const auto bytes = out.writable();
    if ((number & kHardened) != 0) {
        std::copy(key.secret().reveal().begin(), key.secret().reveal().end(), bytes.begin() + 1);
    } else {
        const auto& point = key.public_key().data;
        bytes[0] = (point[63] & 1) != 0 ? 3 : 2;
        std::copy(point.begin(), point.begin() + 32, bytes.begin() + 1);
    }
    write_be32(bytes.subspan(33), number);
    return out;
}

WalletExpected<std::uint32_t> parse_number(std::string_view part) {
    const bool hardened = part.ends_with('\'') || part.ends_with('h');
    if (hardened) part.remove_suffix(1);
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits || (part.size() > 1 && part.front() == '0')) return channel::Unexpected{WalletFault::path_malformed};
    std::uint32_t value = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
    if (read.ec != std::errc() || value >= kHardened) return channel::Unexpected{WalletFault::path_index_out_of_range};
    return hardened ? value | kHardened : value;
}

}  // namespace

WalletExpected<DerivationPath> parse_path(std::string_view text) {
    if (!text.starts_with('m')) return channel::Unexpected{WalletFault::path_malformed};
    text.remove_prefix(1);
    DerivationPath out;
    while (!text.empty()) {
        if (text.front() != '/') return channel::Unexpected{WalletFault::path_malformed};
        text.remove_prefix(1);
        const std::string_view part = text.substr(0, text.find('/'));
        const auto number = parse_number(part);
        if (!number) return channel::Unexpected{number.error()};
        if (out.size() == kMaxPathDepth) return channel::Unexpected{WalletFault::path_too_deep};
        out.push_back(*number);
        text.remove_prefix(part.size());
    }
    return out;
}

std::string format_path(const DerivationPath& path) {
    std::string out(1, 'm');
    for (const std::uint32_t number : path) {
        out.push_back('/');
        out.append(std::to_string(number & ~kHardened));
        if ((number & kHardened) != 0) out.push_back('\'');
    }
    return out;
}

ExtendedKey::ExtendedKey(PrivateKey key, SecretBytes chain_code)
    : m_key(std::move(key)), m_chain_code(std::move(chain_code)) {}

WalletExpected<ExtendedKey> ExtendedKey::master(channel::ByteView seed) {
    if (seed.size() < 16 || seed.size() > 64) return channel::Unexpected{WalletFault::seed_size_wrong};
    const SecretBytes both = hmac_sha512(channel::as_bytes("Bitcoin seed"), seed);
    auto key = PrivateKey::from_bytes(both.reveal().first(32));
    if (!key) return channel::Unexpected{WalletFault::path_key_invalid};
    return ExtendedKey(std::move(key).value(), SecretBytes::copy_of(both.reveal().subspan(32)));
}

WalletExpected<ExtendedKey> ExtendedKey::child(std::uint32_t number) const {
    const SecretBytes both = hmac_sha512(m_chain_code.reveal(), child_message(m_key, number).reveal());
    SecretBytes secret = m_key.secret().clone();
    if (secp256k1_ec_seckey_tweak_add(secp_context(), secret.writable().data(), both.reveal().data()) != 1) {
        return channel::Unexpected{WalletFault::path_key_invalid};
    }
    auto key = PrivateKey::from_bytes(secret.reveal());
    if (!key) return channel::Unexpected{WalletFault::path_key_invalid};
    return ExtendedKey(std::move(key).value(), SecretBytes::copy_of(both.reveal().subspan(32)));
}

ExtendedKey ExtendedKey::clone() const {
    return {m_key.clone(), m_chain_code.clone()};
}

WalletExpected<ExtendedKey> ExtendedKey::derive(const DerivationPath& path) const {
    ExtendedKey node = clone();
    for (const std::uint32_t number : path) {
        auto next = node.child(number);
        if (!next) return next;
        node = std::move(next).value();
    }
    return node;
}

}  // namespace hedgerow::wallet
