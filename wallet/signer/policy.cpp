#include "wallet/signer/policy.h"

#include <utility>

namespace hedgerow::wallet {

using channel::Rule;
using channel::Unexpected;

namespace {

Rule check_version(std::uint64_t version) {
    return version == 0 || version > channel::kMaxVersion ? Rule::version_out_of_range : Rule::none;
}

/// Shapes that a contract of these terms would refuse; a signature on one would be worth nothing, or worse.
Rule check_net(const channel::List<channel::Amount, channel::kMaxAssets>& net, std::size_t assets) {
    if (net.size() != assets) return Rule::asset_out_of_range;
    const bool ok =
        std::all_of(net.begin(), net.end(), [](channel::Amount a) { return a.within_bits(channel::kNetBits); });
    return ok ? Rule::none : Rule::net_out_of_range;
}

/// At or below what was signed before: of the very same version it would be a second state, else a step back.
Rule check_above(const SigningRecord& record, std::uint64_t version) {
    if (version > record.highest()) return Rule::none;
    const bool same = version == record.version || version == record.close_version;
    return same ? Rule::two_states_of_one_version : Rule::version_must_increase;
}

/// What the state of the channel forbids to everything but a Challenge.
Rule check_channel(const SigningRecord& record) {
    if (record.final) return Rule::channel_final;
    return record.disputed ? Rule::channel_disputed : Rule::none;
}

}  // namespace

SigningPolicy::Entry* SigningPolicy::find(const channel::ChannelId& id) {
    const auto at = m_channels.find(id);
    return at == m_channels.end() ? nullptr : &at->second;
}

const SigningPolicy::Entry* SigningPolicy::find(const channel::ChannelId& id) const {
    const auto at = m_channels.find(id);
    return at == m_channels.end() ? nullptr : &at->second;
}

SigningPolicy::Result<void> SigningPolicy::add_channel(const channel::Terms& terms, const channel::Hash& separator,
                                                       channel::Party me, PrivateKey signer,
                                                       const std::optional<SigningRecord>& record) {
    const channel::ChannelId id = channel::channel_id_of(terms, separator);
    if (find(id) != nullptr) return Unexpected{Rule::channel_exists};
    if (signer.address() != terms.signer(me)) return Unexpected{Rule::not_our_signer};
    if (record && record->channel_id != id) return Unexpected{Rule::channel_id_mismatch};
    if (m_channels.size() >= kMaxChannels) return Unexpected{Rule::list_too_long};
    Entry entry{separator, terms.assets.size(), std::move(signer), record.value_or(SigningRecord{})};
    entry.record.channel_id = id;
    m_channels.emplace(id, std::move(entry));
    return {};
}

void SigningPolicy::forget_channel(const channel::ChannelId& id) {
    const Entry* entry = find(id);
    if (entry != nullptr && entry->record.final) m_channels.erase(id);
}

Rule SigningPolicy::judge_state(const Entry& entry, const StateView& state, channel::SignReason reason) const {
    const SigningRecord& record = entry.record;
    if (record.close_outstanding) return Rule::channel_closing;
    if (const Rule rule = check_version(state.version); rule != Rule::none) return rule;
    if (const Rule rule = check_above(record, state.version); rule != Rule::none) return rule;
    if (const Rule rule = check_net(state.net, entry.assets); rule != Rule::none) return rule;
    if (m_halted && reason != channel::SignReason::voiding) return Rule::node_halted;
    return m_locked && reason == channel::SignReason::business ? Rule::wallet_locked : Rule::none;
}

SigningPolicy::Result<Signed> SigningPolicy::sign_state_of(Entry& entry, const StateView& state,
                                                            channel::SignReason reason) const {
    SigningRecord& record = entry.record;
    if (record.final) return Unexpected{Rule::channel_final};
    if (record.recovering) return Unexpected{Rule::channel_recovering};
    if (record.disputed) return Unexpected{Rule::channel_disputed};
    const bool resend = state.version != 0 && state.version == record.version && state.digest == record.digest;
    if (!resend) {
        if (const Rule rule = judge_state(entry, state, reason); rule != Rule::none) return Unexpected{rule};
        record.version = state.version;
        record.digest = state.digest;
    }
    return Signed{entry.signer.sign(state.digest), record};
}

SigningPolicy::Result<Signed> SigningPolicy::sign_state(const channel::State& state) {
    Entry* entry = find(state.channel_id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    return sign_state_of(*entry, {state.version, state.net, channel::digest_of(state, entry->separator)},
                         channel::SignReason::business);
}

SigningPolicy::Result<Signed> SigningPolicy::sign_state(const channel::ChannelId& id,
                                                        const channel::ChannelState& state,
                                                        channel::SignReason reason) {
    Entry* entry = find(id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    return sign_state_of(*entry, {state.version, state.net, channel::state_digest(state, id, entry->separator)}, reason);
}

SigningPolicy::Result<Signed> SigningPolicy::sign_close(const channel::Close& close) {
    Entry* entry = find(close.channel_id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    SigningRecord& record = entry->record;
    if (const Rule rule = check_channel(record); rule != Rule::none) return Unexpected{rule};
    const channel::Digest digest = channel::digest_of(close, entry->separator);
    const bool resend =
        record.close_outstanding && close.version == record.close_version && digest == record.close_digest;
    if (!resend) {
        if (record.close_outstanding) return Unexpected{Rule::channel_closing};
        if (const Rule rule = check_version(close.version); rule != Rule::none) return Unexpected{rule};
        if (const Rule rule = check_above(record, close.version); rule != Rule::none) return Unexpected{rule};
        if (const Rule rule = check_net(close.net, entry->assets); rule != Rule::none) return Unexpected{rule};
        if (close.deadline == 0) return Unexpected{Rule::close_deadline_out_of_range};
        record.close_version = close.version;
        record.close_digest = digest;
        record.close_deadline = close.deadline;
        record.close_outstanding = true;
    }
    return Signed{entry->signer.sign(digest), record};
}

SigningPolicy::Result<channel::Signature> SigningPolicy::sign_withdraw(const channel::Withdraw& withdraw) const {
    const Entry* entry = find(withdraw.channel_id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    if (const Rule rule = check_channel(entry->record); rule != Rule::none) return Unexpected{rule};
    if (entry->record.recovering) return Unexpected{Rule::channel_recovering};
    if (withdraw.asset >= entry->assets) return Unexpected{Rule::asset_out_of_range};
    if (withdraw.total.sign() < 0 || !withdraw.total.within_bits(channel::kNetBits))
        return Unexpected{Rule::amount_out_of_range};
    return entry->signer.sign(channel::digest_of(withdraw, entry->separator));
}

SigningPolicy::Result<channel::Signature> SigningPolicy::sign_challenge(const channel::Challenge& challenge) const {
    const Entry* entry = find(challenge.channel_id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    if (entry->record.final) return Unexpected{Rule::channel_final};
    if (entry->record.recovering) return Unexpected{Rule::channel_recovering};
    if (challenge.version > channel::kMaxVersion) return Unexpected{Rule::version_out_of_range};
    return entry->signer.sign(channel::digest_of(challenge, entry->separator));
}

SigningPolicy::Result<std::optional<SigningRecord>> SigningPolicy::status_changed(const channel::ChannelId& id,
                                                                                  channel::Status status,
                                                                                  std::uint64_t confirmed_time_s) {
    using channel::Status;
    Entry* entry = find(id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    SigningRecord next = entry->record;
    if (next.final && status != Status::closed) return Unexpected{Rule::channel_final};
    next.disputed = status == Status::disputed;
    next.final = status == Status::closed;
    if (status == Status::recovering) {
        next.recovering = true;
        if (confirmed_time_s >= next.close_deadline) next.close_outstanding = false;  // another Close may be signed
    }
    if (status == Status::open) {
        if (next.close_outstanding && confirmed_time_s < next.close_deadline) return Unexpected{Rule::channel_closing};
        next.close_outstanding = false;
    }
    if (next == entry->record) return std::optional<SigningRecord>();
    entry->record = next;
    return std::optional(next);
}

SigningPolicy::Result<std::optional<SigningRecord>> SigningPolicy::raise_to(const channel::ChannelId& id,
                                                                            std::uint64_t version,
                                                                            const channel::Digest& digest) {
    Entry* entry = find(id);
    if (entry == nullptr) return Unexpected{Rule::channel_unknown};
    if (const Rule rule = check_version(version); rule != Rule::none) return Unexpected{rule};
    if (version <= entry->record.highest()) return std::optional<SigningRecord>();
    entry->record.version = version;
    entry->record.digest = digest;
    return std::optional(entry->record);
}

std::optional<SigningRecord> SigningPolicy::record(const channel::ChannelId& id) const {
    const Entry* entry = find(id);
    return entry == nullptr ? std::nullopt : std::optional(entry->record);
}

}  // namespace hedgerow::wallet
