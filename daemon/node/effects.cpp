#include <fmt/format.h>

#include "daemon/node/channel_manager.h"
#include "daemon/node/peer_manager.h"
#include "daemon/tower/node_tower.h"

/// The core's effects, performed in order. What is stored goes into the turn's one commit; what is sent or told waits
/// for it.
namespace hedgerow::daemon {

using channel::Rule;

void ChannelManager::perform(Entry& e, const channel::Effects& effects) {
    for (const channel::Effect& effect : effects) {
        std::visit([&](const auto& one) { perform(e, one); }, effect);
    }
}

/// The policy refuses a State only where that is a bug or a lost race with our own disk: then the node stops rather
/// than go on half signed.
[[noreturn]] static void signing_refused(const channel::Channel& channel, Rule rule) {
    throw StoreError(StoreErrorKind::internal, fmt::format("channel {}: the signing policy refused: {}",
                                                           channel::to_hex(channel.id), rule_name(rule)));
}

/// What the core asks to be signed again after a reconnection may be too late by now, for a dispute has begun.
static void not_signed(const channel::Channel& channel, std::string_view what, Rule rule) {
    LOG_WARN("not signed", {"channel", channel.id}, {"what", what}, {"rule", rule});
}

void ChannelManager::perform(Entry& e, const channel::SignState& effect) {
    const auto signature = sign(e, effect);
    if (!signature) signing_refused(e.channel, signature.error());
    ++m_signed;
    store_record(e, signature->record);
    feed(e, channel::StateSigned{effect.version, signature->signature});
}

/// Touches nothing but the channel and its entry of the policy, so that many can be signed for at once.
channel::Expected<PolicySignature, Rule> ChannelManager::sign(Entry& e, const channel::SignState& effect) {
    const channel::Channel& c = e.channel;
    ASSERT(!c.pending.empty() && c.pending.back().update.version == effect.version &&
           c.pending.back().digest == effect.digest);
    e.nets.clear();
    for (const channel::PendingUpdate& pending : c.pending) e.nets[pending.update.version] = pending.after.net;
    return m_parts.keys->sign_state(c, c.pending.back().after, effect.reason);
}

/// As perform() of every effect in order, but that the signature is there already.
void ChannelManager::perform(Computed& computed) {
    Entry& e = *computed.entry;
    perform(e, computed.before);
    if (!computed.signature) return;
    if (!*computed.signature) signing_refused(e.channel, computed.signature->error());
    ++m_signed;
    store_record(e, (*computed.signature)->record);
    perform(e, computed.after);
}

void ChannelManager::perform(Entry& e, const channel::SignClose& effect) {
    const auto signature = m_parts.keys->sign_close(effect.close);
    if (!signature) return not_signed(e.channel, "close", signature.error());
    store_record(e, signature->record);
    feed(e, channel::CloseSigned{signature->signature});
}

void ChannelManager::perform(Entry& e, const channel::SignWithdraw& effect) {
    const auto signature = m_parts.keys->sign_withdraw(effect.withdraw);
    if (!signature) return not_signed(e.channel, "withdraw", signature.error());
    store_record(e, signature->record);
    m_parts.peers->send(e.channel.peer, channel::WithdrawSignature{effect.withdraw, signature->signature});
}

void ChannelManager::store_record(Entry& e, const channel::Bytes& record) {
    if (record.empty()) return;
    m_parts.outbox.rows().put_signing_record(e.channel.id, record);
}

void ChannelManager::perform(Entry& e, const channel::PersistHead&) {
    e.head_dirty = true;
    will_store(e);
}

channel::List<channel::Amount, channel::kMaxAssets> ChannelManager::net_after(const Entry& e,
                                                                              std::uint64_t version) const {
    for (const channel::PendingUpdate& pending : e.channel.pending) {
        if (pending.update.version == version) return pending.after.net;
    }
    const auto known = e.nets.find(version);
    return known != e.nets.end() ? known->second : e.channel.agreed.state.net;
}

void ChannelManager::perform(Entry& e, const channel::PersistUpdate& effect) {
    m_parts.outbox.rows().put(encode_update(effect, net_after(e, effect.update.version)));
    will_store(e);
}

void ChannelManager::perform(Entry& e, const channel::Send& effect) {
    m_parts.peers->send(e.channel.peer, effect.message);
}

void ChannelManager::perform(Entry& e, const channel::OpsAccepted& effect) {
    m_local.accepted(e.channel, effect);
}

void ChannelManager::perform(Entry& e, const channel::OpsAgreed& effect) {
    m_local.agreed(e.channel, effect);
    if (m_parts.tower != nullptr)
        for_each_op(effect, [&](const channel::OpAgreed& op) { m_parts.tower->on_agreed(e.channel, op); });
    if (m_parts.market == nullptr) return;
    m_parts.market->on_signed(e.channel, effect);
    report(
        e.channel.id, effect.version,
        [this, &e, effect] {
            for_each_op(effect, [&](const channel::OpAgreed& op) { m_parts.market->on_agreed(e.channel, op); });
        },
        {});
}

void ChannelManager::perform(Entry&, const channel::OpRefused& effect) {
    m_local.refused(effect.local_id, effect.rule);
}

void ChannelManager::perform(Entry& e, const channel::StateAgreed&) {
    // After a HandOver: what we are shown to have signed, the policy must know of too (spec 6.8).
    if (e.channel.lost_data) {
        const auto record = m_parts.keys->raise_to(e.channel);
        if (!record) signing_refused(e.channel, record.error());
        store_record(e, *record);
    }
    if (m_parts.market == nullptr) return;
    m_parts.outbox.when_durable([this, &e] { m_parts.market->on_state(e.channel); });
}

void ChannelManager::perform(Entry& e, const channel::StatusChanged& effect) {
    LOG_INFO("channel", {"channel", e.channel.id}, {"status", status_name(effect.status)},
             {"version", e.channel.agreed.state.version});
    const auto record = m_parts.keys->status_changed(e.channel, m_parts.confirmed_chain_time_s);
    if (!record) signing_refused(e.channel, record.error());
    store_record(e, *record);
    if (!e.held.empty()) release(e);
    m_parts.outbox.when_durable([this, &e] {
        m_chain_effects.status_changed(e.channel);
        if (m_parts.market != nullptr) m_parts.market->on_status(e.channel);
    });
}

void ChannelManager::perform(Entry& e, const channel::PeerFault& effect) {
    LOG_WARN("peer fault", {"channel", e.channel.id}, {"peer", e.channel.peer}, {"rule", effect.rule});
    m_parts.peers->error(e.channel.peer, e.channel.id, effect.rule);
}

// What goes to the chain is a job of the transaction manager, stored before it is broadcast; it may begin once this
// turn is durable.
void ChannelManager::perform(Entry& e, const channel::WithdrawReady& effect) {
    m_parts.outbox.when_durable([this, &e, effect] { m_chain_effects.withdraw_ready(e.channel, effect); });
}
void ChannelManager::perform(Entry& e, const channel::CloseReady& effect) {
    m_parts.outbox.when_durable([this, &e, effect] { m_chain_effects.close_ready(e.channel, effect); });
}
void ChannelManager::perform(Entry& e, const channel::SubmitChallenge&) {
    m_parts.outbox.when_durable([this, &e] { m_chain_effects.challenge(e.channel); });
}
void ChannelManager::perform(Entry& e, const channel::SubmitRespond&) {
    m_parts.outbox.when_durable([this, &e] { m_chain_effects.respond(e.channel); });
}

}  // namespace hedgerow::daemon
