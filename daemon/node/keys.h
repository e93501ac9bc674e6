#pragma once

#include <vector>

#include "channel/machine/channel.h"
#include "daemon/net/transport_keys.h"
#include "wallet/signer/keyring.h"

namespace hedgerow::daemon {

/// A signature, and what the signing policy must remember of it: durable before the signature leaves (DESIGN 5.5);
/// empty where it changes nothing.
struct PolicySignature {
    channel::Signature signature;
    channel::Bytes record;
};

/// The opened wallet as the node uses it: identity, owner account, channel signers. Secrets stay behind it.
class NodeKeys {
  public:
    explicit NodeKeys(wallet::MasterSeed seed) : m_keyring(std::move(seed)) {}

    [[nodiscard]] TransportKeys transport_keys() const;
    /// The first holds the node's own money and pays for transactions.
    [[nodiscard]] std::vector<channel::Address> owners() const { return m_keyring.owners(); }
    [[nodiscard]] wallet::TransactionSigner& transactions() { return m_keyring; }
    [[nodiscard]] wallet::Keyring& keyring() { return m_keyring; }
    [[nodiscard]] const wallet::Keyring& keyring() const { return m_keyring; }

    // For openings, with an unlocked wallet (asserted). `index` is the channel's own number.
    [[nodiscard]] channel::PublicKey channel_signer(std::uint32_t index) const;
    [[nodiscard]] channel::Secret watch_secret(std::uint32_t index) const;

    /// Tells the policy of a channel of ours, with the record last stored (empty for a new one). Rule::none or its
    /// refusal.
    [[nodiscard]] channel::Rule add_channel(const channel::Channel& channel, std::uint32_t signer_index,
                                            channel::ByteView record);
    /// The same at start, where the signer was derived already.
    [[nodiscard]] channel::Rule add_channel(const channel::Channel& channel, wallet::PrivateKey signer,
                                            const std::optional<wallet::SigningRecord>& record);
    // The policy judges what is typed, not a digest.
    [[nodiscard]] channel::Expected<PolicySignature, channel::Rule> sign_state(const channel::Channel& channel,
                                                                               const channel::ChannelState& state,
                                                                               channel::SignReason reason);
    [[nodiscard]] channel::Expected<PolicySignature, channel::Rule> sign_close(const channel::Close& close);
    [[nodiscard]] channel::Expected<PolicySignature, channel::Rule> sign_withdraw(const channel::Withdraw& withdraw);
    /// The record to store after a change of status; empty where it does not change.
    [[nodiscard]] channel::Expected<channel::Bytes, channel::Rule> status_changed(const channel::Channel& channel,
                                                                                  std::uint64_t confirmed_time_s);

    /// The record to store after a state with a signature of ours that we had no memory of; empty where it is not above
    /// it (spec 6.8).
    [[nodiscard]] channel::Expected<channel::Bytes, channel::Rule> raise_to(const channel::Channel& channel);
    /// The policy's record of a channel of ours.
    [[nodiscard]] channel::Bytes record(const channel::ChannelId& id);

    [[nodiscard]] bool locked() const { return m_keyring.locked(); }

  private:
    wallet::Keyring m_keyring;
};

}  // namespace hedgerow::daemon
