#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "channel/machine/channel.h"
#include "wallet/keys/private_key.h"
#include "wallet/signer/signing_record.h"

namespace hedgerow::wallet {

/// A signature, and the record to store. CONTRACT: the caller commits `record` in the same transaction as what was
/// signed, and lets the signature leave only after that commit. Where the commit fails the process must end: the policy
/// already remembers.
struct Signed {
    channel::Signature signature;
    SigningRecord record;
};

/// The last gate before a channel's signer key. It sees what is signed, not a digest, and holds by itself, whatever the
/// rest of the node believes (DESIGN 5.5, 5.8, 10):
///  - never a State or Close at or below a version signed before, never two digests of one version;
///  - nothing of a channel while it is disputed, and nothing ever again once it is final;
///  - after a Close, no State and no other Close until its deadline has passed in a confirmed block, then only above
///    its version;
///  - nothing but a Close once the channel is recovering (its memory of its own signatures is gone for good);
///  - no new State while the wallet is locked, but for obligations and what voids refused versions; in a halt only the
///    latter (spec 6.13; the reason is the core's word, for a State does not say what led to it).
/// Asking again for the newest State, or for the outstanding Close, gives the same signature again, locked, halted or
/// closing (a resend: RFC 6979 makes it the same bytes), though not in a dispute. A Close and a Withdraw only carry out
/// what a co-signed State already says, and a Challenge is defence: neither a locked wallet nor a halt stops them.
///
/// Not thread-safe: one thread (the node's) owns it.
class SigningPolicy {
  public:
    static constexpr std::size_t kMaxChannels = 1 << 20;

    template <typename T>
    using Result = channel::Expected<T, channel::Rule>;

    /// A channel of ours: what was agreed at opening, our side, the signer's key and the record last stored (none for a
    /// new one). channel_exists, not_our_signer, channel_id_mismatch (a record of another channel), list_too_long.
    [[nodiscard]] Result<void> add_channel(const channel::Terms& terms, const channel::Hash& separator,
                                           channel::Party me, PrivateKey signer,
                                           const std::optional<SigningRecord>& record = std::nullopt);
    /// A final channel that is no longer kept.
    void forget_channel(const channel::ChannelId& id);

    // Each refuses channel_unknown first, then channel_final, channel_recovering, channel_disputed, channel_closing,
    // and what it names.

    /// version_out_of_range, version_must_increase, two_states_of_one_version, asset_out_of_range (another number of
    /// assets than the terms), net_out_of_range, node_halted, wallet_locked.
    [[nodiscard]] Result<Signed> sign_state(const channel::State& state);
    /// The same from the core's own form, whose digests of positions and locks are cached: the cost is that of one
    /// hash.
    [[nodiscard]] Result<Signed> sign_state(const channel::ChannelId& id, const channel::ChannelState& state,
                                            channel::SignReason reason = channel::SignReason::business);
    /// As a State, and close_deadline_out_of_range for none.
    [[nodiscard]] Result<Signed> sign_close(const channel::Close& close);
    /// asset_out_of_range, amount_out_of_range. Changes no record.
    [[nodiscard]] Result<channel::Signature> sign_withdraw(const channel::Withdraw& withdraw) const;
    /// Made at the moment of use. Only channel_unknown, channel_final, channel_recovering (which never challenges) and
    /// version_out_of_range stop it. Changes no record.
    [[nodiscard]] Result<channel::Signature> sign_challenge(const channel::Challenge& challenge) const;

    /// Follows the core's StatusChanged; the record to store in the same turn, nothing where it did not change. `open`
    /// with a Close still outstanding is right only at or past its deadline (confirmed_time_s, of the newest confirmed
    /// block) and lets it lapse; before that it is channel_closing. `recovering` lets a Close lapse in the same way. Also channel_unknown, channel_final (which nothing
    /// undoes).
    [[nodiscard]] Result<std::optional<SigningRecord>> status_changed(const channel::ChannelId& id,
                                                                      channel::Status status,
                                                                      std::uint64_t confirmed_time_s);
    /// A signature of ours that this record has no memory of has turned up (a restored backup): from now on only above
    /// it.
    [[nodiscard]] Result<std::optional<SigningRecord>> raise_to(const channel::ChannelId& id, std::uint64_t version,
                                                                const channel::Digest& digest);

    [[nodiscard]] std::optional<SigningRecord> record(const channel::ChannelId& id) const;
    void set_locked(bool locked) { m_locked = locked; }
    void set_halted(bool halted) { m_halted = halted; }
    [[nodiscard]] bool locked() const { return m_locked; }

  private:
    struct Entry {
        channel::Hash separator;
        std::size_t assets = 0;
        PrivateKey signer;
        SigningRecord record;
    };
    /// The parts of a State that the policy judges by, however it was given.
    struct StateView {
        std::uint64_t version;
        const channel::List<channel::Amount, channel::kMaxAssets>& net;
        channel::Digest digest;
    };

    [[nodiscard]] Entry* find(const channel::ChannelId& id);
    [[nodiscard]] const Entry* find(const channel::ChannelId& id) const;
    [[nodiscard]] Result<Signed> sign_state_of(Entry& entry, const StateView& state, channel::SignReason reason) const;
    [[nodiscard]] channel::Rule judge_state(const Entry& entry, const StateView& state, channel::SignReason reason) const;

    std::unordered_map<channel::ChannelId, Entry, channel::FixedBytesHash> m_channels;
    bool m_locked = false;
    bool m_halted = false;
};

}  // namespace hedgerow::wallet
