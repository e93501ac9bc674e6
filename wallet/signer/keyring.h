#pragma once

#include <map>
#include <string>
#include <vector>

#include "wallet/chain/erc20.h"
#include "wallet/chain/tx_manager.h"
#include "wallet/keys/keystore_v3.h"
#include "wallet/keys/master_seed.h"
#include "wallet/signer/policy.h"

namespace hedgerow::wallet {

/// An opened wallet: every key that the node works with, and the gates before them. Locking stops spending and trading,
/// never defence: it wipes the seed and the imported keys, and keeps the node identity (to stay reachable), the signers
/// of known channels (Challenge, and the Close and Withdraw that a co-signed State already holds) and the paying
/// account (answers to a dispute). Not thread-safe; opening a seed file, which is slow, needs no Keyring and may run on
/// another thread.
class Keyring final : public TransactionSigner {
  public:
    static constexpr std::size_t kMaxImports = 64;

    /// Unlocked.
    explicit Keyring(MasterSeed seed);

    void lock();
    /// wallet_other_seed where the seed is not the one this was opened with; wallet_key_wrong as load_imports. Stays
    /// locked then.
    [[nodiscard]] WalletExpected<void> unlock(MasterSeed seed);
    [[nodiscard]] bool locked() const { return !m_seed.has_value(); }
    /// The emergency stop: sign nothing new, defend.
    void set_halted(bool halted) { m_policy.set_halted(halted); }

    [[nodiscard]] const NodeIdentity& identity() const { return m_identity; }
    /// The paying account (m/44'/60'/0'/0/0) first, then the imported ones by address. Known while locked too.
    [[nodiscard]] std::vector<channel::Address> owners() const;

    // --- channels ---------------------------------------------------------------------------------------------------
    // `index` below 2^31 is the channel's own number, never used twice. A locked wallet takes up no new channel.

    /// wallet_locked, key_index_out_of_range.
    [[nodiscard]] WalletExpected<channel::PublicKey> signer_public_key(std::uint32_t index) const;
    /// wallet_locked, key_index_out_of_range.
    [[nodiscard]] WalletExpected<channel::Secret> watch_secret(std::uint32_t index) const;
    /// Registers a channel with the policy under the signer of that index; the Rules of SigningPolicy::add_channel,
    /// wallet_locked, and field_out_of_range for the index.
    [[nodiscard]] channel::Expected<void, channel::Rule> add_channel(
        const channel::Terms& terms, const channel::Hash& separator, channel::Party me, std::uint32_t index,
        const std::optional<SigningRecord>& record = std::nullopt);
    /// Every signature of a channel comes from here.
    [[nodiscard]] SigningPolicy& policy() { return m_policy; }

    // --- accounts
    // -----------------------------------------------------------------------------------------------------

    [[nodiscard]] channel::Address account() const override { return m_account.address(); }
    /// With the paying account. While locked only what is for defence; else wallet_locked.
    [[nodiscard]] ChainExpected<channel::Signature> sign(const Transaction& transaction, TxPurpose purpose) override;
    /// With any owner, to spend: wallet_locked, owner_unknown.
    [[nodiscard]] WalletExpected<channel::Signature> sign_from(const channel::Address& owner,
                                                               const Transaction& transaction) const;
    /// An EIP-2612 permit of permit.owner under the token's own domain separator: wallet_locked, owner_unknown.
    [[nodiscard]] WalletExpected<channel::Signature> sign_permit(const Permit& permit,
                                                                 const channel::Hash& token_separator) const;

    // --- imported owners
    // ------------------------------------------------------------------------------------------------

    /// Takes a key in (the same again is no fault) and returns its address: wallet_locked, import_limit. Store
    /// sealed_imports() then.
    [[nodiscard]] WalletExpected<channel::Address> import_owner(PrivateKey key);
    /// Every imported key, under a key of the seed: for the store and the backup. Empty where there are none.
    [[nodiscard]] const channel::Bytes& sealed_imports() const { return m_sealed_imports; }
    /// What sealed_imports() gave, at start: wallet_locked, and the faults of unseal_with_key.
    [[nodiscard]] WalletExpected<void> load_imports(channel::Bytes sealed);
    /// Keystore v3 JSON of an owner: wallet_locked, owner_unknown, and the faults of export_keystore.
    [[nodiscard]] WalletExpected<std::string> export_owner(const channel::Address& owner, std::string_view password,
                                                           const ScryptParameters& scrypt = {}) const;

    // --- what only this wallet reads
    // ------------------------------------------------------------------------------------

    /// The key of the encrypted backup (seal_with_key): the phrase alone opens it. wallet_locked.
    [[nodiscard]] WalletExpected<SecretBytes> backup_key() const;
    /// The phrase, for its owner's eyes: wallet_locked.
    [[nodiscard]] WalletExpected<SecretBytes> mnemonic() const;

  private:
    using Imports = std::map<channel::Address, PrivateKey>;

    [[nodiscard]] WalletExpected<PrivateKey> signer(std::uint32_t index) const;
    [[nodiscard]] WalletExpected<const PrivateKey*> owner(const channel::Address& address) const;
    [[nodiscard]] static WalletExpected<Imports> open_imports(const MasterSeed& seed, channel::ByteView sealed);
    void reseal_imports();

    std::optional<MasterSeed> m_seed;  ///< none while locked
    NodeIdentity m_identity;
    PrivateKey m_account;
    Imports m_imports;  ///< none while locked
    std::vector<channel::Address> m_imported;
    channel::Bytes m_sealed_imports;
    SigningPolicy m_policy;
};

}  // namespace hedgerow::wallet
