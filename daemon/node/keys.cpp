#include "daemon/node/keys.h"

namespace hedgerow::daemon {

using channel::Expected;
using channel::Rule;
using channel::Unexpected;

TransportKeys NodeKeys::transport_keys() const {
    const wallet::SecretBytes seed = m_keyring.identity().seed();
    return TransportKeys::from_seed(seed.reveal().first<32>());
}

channel::PublicKey NodeKeys::channel_signer(std::uint32_t index) const {
    const auto key = m_keyring.signer_public_key(index);
    ASSERT(key.has_value());
    return *key;
}

channel::Secret NodeKeys::watch_secret(std::uint32_t index) const {
    const auto secret = m_keyring.watch_secret(index);
    ASSERT(secret.has_value());
    return *secret;
}

Rule NodeKeys::add_channel(const channel::Channel& channel, std::uint32_t signer_index, channel::ByteView record) {
    std::optional<wallet::SigningRecord> known;
    if (!record.empty()) {
        const auto decoded = wallet::decode_record(record);
        if (!decoded) return decoded.error();
        known = *decoded;
    }
    const auto added = m_keyring.add_channel(channel.terms, channel.separator, channel.me, signer_index, known);
    return added ? Rule::none : added.error();
}

Rule NodeKeys::add_channel(const channel::Channel& channel, wallet::PrivateKey signer,
                           const std::optional<wallet::SigningRecord>& record) {
    const auto added = m_keyring.policy().add_channel(channel.terms, channel.separator, channel.me, std::move(signer), record);
    return added ? Rule::none : added.error();
}

Expected<PolicySignature, Rule> NodeKeys::sign_state(const channel::Channel& channel,
                                                     const channel::ChannelState& state, channel::SignReason reason) {
    const auto signature = m_keyring.policy().sign_state(channel.id, state, reason);
    if (!signature) return Unexpected{signature.error()};
    return PolicySignature{signature->signature, wallet::encode_record(signature->record)};
}

Expected<PolicySignature, Rule> NodeKeys::sign_close(const channel::Close& close) {
    const auto signature = m_keyring.policy().sign_close(close);
    if (!signature) return Unexpected{signature.error()};
    return PolicySignature{signature->signature, wallet::encode_record(signature->record)};
}

Expected<PolicySignature, Rule> NodeKeys::sign_withdraw(const channel::Withdraw& withdraw) {
    const auto signature = m_keyring.policy().sign_withdraw(withdraw);
    if (!signature) return Unexpected{signature.error()};
    return PolicySignature{*signature, {}};
}

Expected<channel::Bytes, Rule> NodeKeys::status_changed(const channel::Channel& channel,
                                                        std::uint64_t confirmed_time_s) {
    const auto record = m_keyring.policy().status_changed(channel.id, channel.status, confirmed_time_s);
    if (!record) return Unexpected{record.error()};
    return *record ? wallet::encode_record(**record) : channel::Bytes();
}

Expected<channel::Bytes, Rule> NodeKeys::raise_to(const channel::Channel& channel) {
    const auto record = m_keyring.policy().raise_to(channel.id, channel.agreed.state.version, channel.agreed.digest);
    if (!record) return Unexpected{record.error()};
    return *record ? wallet::encode_record(**record) : channel::Bytes();
}

channel::Bytes NodeKeys::record(const channel::ChannelId& id) {
    const auto record = m_keyring.policy().record(id);
    return record ? wallet::encode_record(*record) : channel::Bytes();
}

}  // namespace hedgerow::daemon
