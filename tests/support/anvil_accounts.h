#pragma once

#include <array>
#include <memory>

#include "wallet/chain/tx_manager.h"
#include "wallet/keys/private_key.h"

/// The publicly known development keys of Anvil ("test test … junk"), and a signer for them. Tests only.
namespace hedgerow::test {

inline constexpr std::array<const char*, 4> kAnvilKeys = {
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
};

[[nodiscard]] inline wallet::PrivateKey anvil_key(std::size_t i) {
    const auto bytes = channel::from_hex(kAnvilKeys.at(i));
    return wallet::PrivateKey::from_bytes(*bytes).value().clone();
}

/// Signs whatever a TxManager asks for; refuses spending while `locked`.
class TestSigner final : public wallet::TransactionSigner {
  public:
    explicit TestSigner(wallet::PrivateKey key) : m_key(std::move(key)) {}
    channel::Address account() const override { return m_key.address(); }
    wallet::ChainExpected<channel::Signature> sign(const wallet::Transaction& transaction,
                                                   wallet::TxPurpose purpose) override {
        if (locked && purpose == wallet::TxPurpose::spend)
            return wallet::chain_error(wallet::ChainFault::wallet_locked);
        return m_key.sign(wallet::transaction_digest(transaction));
    }
    bool locked = false;

  private:
    wallet::PrivateKey m_key;
};

}  // namespace hedgerow::test
