#include "wallet/keys/master_seed.h"

#include <sodium.h>

#include <utility>

namespace hedgerow::wallet {

namespace {

constexpr std::size_t kNewEntropy = 32;
constexpr std::uint32_t kEther = 60;  // SLIP-44

/// m/44'/60'/account'/0
WalletExpected<ExtendedKey> account_node(channel::ByteView seed, std::uint32_t account) {
    const auto master = ExtendedKey::master(seed);
    if (!master) return channel::Unexpected{master.error()};
    return master->derive({44 | kHardened, kEther | kHardened, account | kHardened, 0});
}

WalletExpected<PrivateKey> key_of(const ExtendedKey& account, std::uint32_t index) {
    if (index >= kHardened) return channel::Unexpected{WalletFault::key_index_out_of_range};
    const auto node = account.child(index);
    if (!node) return channel::Unexpected{node.error()};
    return node->key().clone();
}

}  // namespace

MasterSeed::MasterSeed(SecretBytes entropy, SecretBytes passphrase, SecretBytes seed, ExtendedKey signers)
    : m_entropy(std::move(entropy)),
      m_passphrase(std::move(passphrase)),
      m_seed(std::move(seed)),
      m_signers(std::move(signers)) {}

WalletExpected<MasterSeed> MasterSeed::make(SecretBytes entropy, std::string_view passphrase) {
    auto seed = seed_from_entropy(entropy.reveal(), passphrase);
    if (!seed) return channel::Unexpected{seed.error()};
    auto signers = account_node(seed->reveal(), 1);
    if (!signers) return channel::Unexpected{signers.error()};
    return MasterSeed(std::move(entropy), SecretBytes::copy_of(channel::as_bytes(passphrase)), std::move(seed).value(),
                      std::move(signers).value());
}

MasterSeed MasterSeed::generate() {
    auto made = make(SecretBytes::random(kNewEntropy), {});
    return std::move(made).value();
}

WalletExpected<MasterSeed> MasterSeed::from_mnemonic(std::string_view phrase, std::string_view passphrase) {
    auto entropy = entropy_from_mnemonic(phrase);
    if (!entropy) return channel::Unexpected{entropy.error()};
    return make(std::move(entropy).value(), passphrase);
}

SecretBytes MasterSeed::encode() const {
    SecretBytes out(1 + m_entropy.size() + m_passphrase.size());
    out.writable()[0] = static_cast<std::uint8_t>(m_entropy.size());
    auto at = std::copy(m_entropy.reveal().begin(), m_entropy.reveal().end(), out.writable().begin() + 1);
    std::copy(m_passphrase.reveal().begin(), m_passphrase.reveal().end(), at);
    return out;
}

WalletExpected<MasterSeed> MasterSeed::decode(channel::ByteView bytes) {
    if (bytes.empty() || bytes.size() < 1U + bytes[0]) return channel::Unexpected{WalletFault::wallet_file_corrupt};
    const channel::ByteView entropy = bytes.subspan(1, bytes[0]);
    const SecretBytes passphrase = SecretBytes::copy_of(bytes.subspan(1U + bytes[0]));
    auto made = make(SecretBytes::copy_of(entropy), reveal_text(passphrase));
    if (!made) return channel::Unexpected{WalletFault::wallet_file_corrupt};
    return made;
}

SecretBytes MasterSeed::mnemonic() const {
    auto phrase = mnemonic_from_entropy(m_entropy.reveal());
    return std::move(phrase).value();
}

WalletExpected<PrivateKey> MasterSeed::owner_key(std::uint32_t index) const {
    const auto account = account_node(m_seed.reveal(), 0);
    if (!account) return channel::Unexpected{account.error()};
    return key_of(*account, index);
}

WalletExpected<PrivateKey> MasterSeed::signer_key(std::uint32_t index) const {
    return key_of(m_signers, index);
}

NodeIdentity MasterSeed::node_identity() const {
    auto identity = NodeIdentity::from_seed(derive_secret("node identity", 0).reveal());
    return std::move(identity).value();
}

channel::Secret MasterSeed::watch_secret(std::uint32_t index) const {
    return *channel::Secret::from(derive_secret("channel watch secret", index).reveal());
}

SecretBytes MasterSeed::storage_key(std::string_view purpose) const {
    std::string domain("storage/");
    domain.append(purpose);
    return derive_secret(domain, 0);
}

/// BLAKE2b-256, keyed with the 64-byte seed, over `"Hedgerow/1/" domain 0 index` (8 bytes, big-endian).
SecretBytes MasterSeed::derive_secret(std::string_view domain, std::uint64_t index) const {
    ASSERT(domain.find('\0') == std::string_view::npos);
    static_assert(kSeedBytes == crypto_generichash_blake2b_KEYBYTES_MAX);
    channel::Bytes message;
    channel::append(message, channel::as_bytes("Hedgerow/1/"));
    channel::append(message, channel::as_bytes(domain));
    message.push_back(0);
    for (int shift = 56; shift >= 0; shift -= 8) message.push_back(static_cast<std::uint8_t>(index >> shift));
    SecretBytes out(32);
    ASSERT(crypto_generichash_blake2b(out.writable().data(), out.size(), message.data(), message.size(),
                                      m_seed.reveal().data(), m_seed.size()) == 0);
    return out;
}

MasterSeed MasterSeed::clone() const {
    return MasterSeed(m_entropy.clone(), m_passphrase.clone(), m_seed.clone(), m_signers.clone());
}

}  // namespace hedgerow::wallet
