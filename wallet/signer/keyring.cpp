#include "wallet/signer/keyring.h"

#include <utility>

#include "wallet/keys/sealed.h"

namespace hedgerow::wallet {

using channel::Rule;
using channel::Unexpected;

namespace {

constexpr std::size_t kKeySize = 32;

/// Index 0 has no key for one seed in 2^127; such a wallet is never made.
PrivateKey paying_account(const MasterSeed& seed) {
    auto key = seed.owner_key(0);
    return std::move(key).value();
}

SecretBytes imports_key(const MasterSeed& seed) {
    return seed.storage_key("imported keys");
}

}  // namespace

Keyring::Keyring(MasterSeed seed)
    : m_seed(std::move(seed)), m_identity(m_seed->node_identity()), m_account(paying_account(*m_seed)) {}

void Keyring::lock() {
    m_seed.reset();
    m_imports.clear();
    m_policy.set_locked(true);
}

WalletExpected<void> Keyring::unlock(MasterSeed seed) {
    if (seed.node_identity().node_id() != m_identity.node_id()) return Unexpected{WalletFault::wallet_other_seed};
    auto imports = open_imports(seed, m_sealed_imports);
    if (!imports) return Unexpected{imports.error()};
    m_imports = std::move(imports).value();
    m_seed = std::move(seed);
    m_policy.set_locked(false);
    return {};
}

std::vector<channel::Address> Keyring::owners() const {
    std::vector<channel::Address> out{m_account.address()};
    out.insert(out.end(), m_imported.begin(), m_imported.end());
    return out;
}

WalletExpected<PrivateKey> Keyring::signer(std::uint32_t index) const {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    return m_seed->signer_key(index);
}

WalletExpected<channel::PublicKey> Keyring::signer_public_key(std::uint32_t index) const {
    const auto key = signer(index);
    if (!key) return Unexpected{key.error()};
    return key->public_key();
}

WalletExpected<channel::Secret> Keyring::watch_secret(std::uint32_t index) const {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    return m_seed->watch_secret(index);
}

channel::Expected<void, Rule> Keyring::add_channel(const channel::Terms& terms, const channel::Hash& separator,
                                                   channel::Party me, std::uint32_t index,
                                                   const std::optional<SigningRecord>& record) {
    auto key = signer(index);
    if (!key)
        return Unexpected{key.error() == WalletFault::wallet_locked ? Rule::wallet_locked : Rule::field_out_of_range};
    return m_policy.add_channel(terms, separator, me, std::move(key).value(), record);
}

ChainExpected<channel::Signature> Keyring::sign(const Transaction& transaction, TxPurpose purpose) {
    if (locked() && purpose != TxPurpose::defence) return chain_error(ChainFault::wallet_locked);
    return m_account.sign(transaction_digest(transaction));
}

WalletExpected<const PrivateKey*> Keyring::owner(const channel::Address& address) const {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    if (address == m_account.address()) return &m_account;
    const auto imported = m_imports.find(address);
    if (imported == m_imports.end()) return Unexpected{WalletFault::owner_unknown};
    return &imported->second;
}

WalletExpected<channel::Signature> Keyring::sign_from(const channel::Address& address,
                                                      const Transaction& transaction) const {
    const auto key = owner(address);
    if (!key) return Unexpected{key.error()};
    return (*key)->sign(transaction_digest(transaction));
}

WalletExpected<channel::Signature> Keyring::sign_permit(const Permit& permit,
                                                        const channel::Hash& token_separator) const {
    const auto key = owner(permit.owner);
    if (!key) return Unexpected{key.error()};
    return (*key)->sign(permit_digest(permit, token_separator));
}

WalletExpected<channel::Address> Keyring::import_owner(PrivateKey key) {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    const channel::Address address = key.address();
    if (address == m_account.address() || m_imports.contains(address)) return address;
    if (m_imports.size() >= kMaxImports) return Unexpected{WalletFault::import_limit};
    m_imports.emplace(address, std::move(key));
    reseal_imports();
    return address;
}

void Keyring::reseal_imports() {
    SecretBytes keys(m_imports.size() * kKeySize);
    auto at = keys.writable().begin();
    m_imported.clear();
    for (const auto& [address, key] : m_imports) {
        at = std::copy(key.secret().reveal().begin(), key.secret().reveal().end(), at);
        m_imported.push_back(address);
    }
    auto sealed = seal_with_key(keys.reveal(), imports_key(*m_seed), SealedKind::imported_keys);
    m_sealed_imports = std::move(sealed).value();
}

WalletExpected<Keyring::Imports> Keyring::open_imports(const MasterSeed& seed, channel::ByteView sealed) {
    Imports out;
    if (sealed.empty()) return out;
    const auto keys = unseal_with_key(sealed, imports_key(seed), SealedKind::imported_keys);
    if (!keys) return Unexpected{keys.error()};
    const std::size_t count = keys->size() / kKeySize;
    if (keys->size() % kKeySize != 0 || count > kMaxImports) return Unexpected{WalletFault::wallet_file_corrupt};
    for (std::size_t i = 0; i < count; ++i) {
        auto key = PrivateKey::from_bytes(keys->reveal().subspan(i * kKeySize, kKeySize));
        if (!key) return Unexpected{WalletFault::wallet_file_corrupt};
        const channel::Address address = key->address();
        out.emplace(address, std::move(key).value());
    }
    return out;
}

WalletExpected<void> Keyring::load_imports(channel::Bytes sealed) {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    auto imports = open_imports(*m_seed, sealed);
    if (!imports) return Unexpected{imports.error()};
    m_imports = std::move(imports).value();
    m_imported.clear();
    for (const auto& [address, key] : m_imports) m_imported.push_back(address);
    m_sealed_imports = std::move(sealed);
    return {};
}

WalletExpected<std::string> Keyring::export_owner(const channel::Address& address, std::string_view password,
                                                  const ScryptParameters& scrypt) const {
    const auto key = owner(address);
    if (!key) return Unexpected{key.error()};
    return export_keystore(**key, password, scrypt);
}

WalletExpected<SecretBytes> Keyring::backup_key() const {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    return m_seed->storage_key("backup");
}

WalletExpected<SecretBytes> Keyring::mnemonic() const {
    if (locked()) return Unexpected{WalletFault::wallet_locked};
    return m_seed->mnemonic();
}

}  // namespace hedgerow::wallet
