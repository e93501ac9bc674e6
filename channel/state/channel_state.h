#pragma once

#include "channel/codec/cow_list.h"
#include "channel/messages/ops.h"
#include "channel/messages/peer.h"

namespace hedgerow::channel {

/// A struct's EIP-712 hash, computed when it is first asked for.
class KnownDigest {
  public:
    template <typename T>
    [[nodiscard]] const Hash& of(const T& object) const {
        if (!m_known) m_digest = hash_struct(object);
        m_known = true;
        return m_digest;
    }
    void forget() { m_known = false; }

  private:
    mutable Hash m_digest;
    mutable bool m_known = false;
};

/// A position and what the chain need not read of it (spec 4.8): how funding stands. The digest of the EIP-712 Position is
/// kept beside it so that an unchanged position costs nothing at the next signature.
struct PositionEntry {
    Position position;
    std::uint64_t funded_until_ms = 0;    ///< perpetuals: funding is settled up to here
    Price funding_index;                  ///< price of the underlying at the last mark; zero before the first
    std::int64_t funding_rate_e12 = 0;    ///< per 8 hours, longs pay shorts when positive
    static constexpr auto fields() {
        return std::make_tuple(field("position", &PositionEntry::position), field("fundedUntil", &PositionEntry::funded_until_ms),
                               field("fundingIndex", &PositionEntry::funding_index), field("fundingRate", &PositionEntry::funding_rate_e12));
    }

    /// Of the EIP-712 Position.
    [[nodiscard]] const Hash& digest() const { return m_digest.of(position); }
    /// Behind every change of `position`.
    void changed() { m_digest.forget(); }
    bool operator==(const PositionEntry& other) const {
        return position == other.position && funded_until_ms == other.funded_until_ms && funding_index == other.funding_index &&
               funding_rate_e12 == other.funding_rate_e12;
    }

  private:
    KnownDigest m_digest;
};

struct LockEntry {
    Lock lock;
    static constexpr auto fields() { return std::make_tuple(field("lock", &LockEntry::lock)); }

    /// Of the EIP-712 Lock.
    [[nodiscard]] const Hash& digest() const { return m_digest.of(lock); }
    bool operator==(const LockEntry& other) const { return lock == other.lock; }

  private:
    KnownDigest m_digest;
};

/// What is locked, by payer and asset: none takes no room.
class LockedAmounts {
  public:
    [[nodiscard]] Amount& by(Party payer, std::size_t asset) {
        if (m_amounts.size() <= asset) m_amounts.resize(asset + 1);
        return m_amounts[asset][static_cast<std::size_t>(payer)];
    }
    [[nodiscard]] Amount by(Party payer, std::size_t asset) const {
        return asset < m_amounts.size() ? m_amounts[asset][static_cast<std::size_t>(payer)] : Amount();
    }
    bool operator==(const LockedAmounts& other) const;

  private:
    List<std::array<Amount, 2>, kMaxAssets> m_amounts;  ///< by asset; none of those beyond its end
};

/// The right of one party to take a cumulative total of an asset out on chain (spec 4.6).
struct Authorisation {
    Amount total;
    std::uint64_t deadline = 0;  ///< seconds
    static constexpr auto fields() { return std::make_tuple(field("total", &Authorisation::total), field("deadline", &Authorisation::deadline)); }
    bool operator==(const Authorisation&) const = default;
};

/// All that both parties agree on at one version. Two sides with equal states have equal digests.
struct ChannelState {
    std::uint64_t version = 0;
    std::uint64_t timestamp_ms = 0;
    std::uint64_t proposals_done = 0;  ///< highest follower proposal that an update held
    List<Amount, kMaxAssets> net;
    List<Price, kMaxAssets> asset_marks;
    CowList<PositionEntry, kMaxPositions> positions;
    CowList<LockEntry, kMaxLocks> locks;
    RiskTerms risk;
    Usd16 residue;  ///< what rounding has kept back from net so far, seen from A: nothing leaks (spec 4.7)
    List<Authorisation, kMaxAssets> authorised_a;
    List<Authorisation, kMaxAssets> authorised_b;
    std::uint64_t close_deadline = 0;  ///< seconds; not zero after a close op, until it lapses
    Hash history;                      ///< running hash of every update
    static constexpr auto fields() {
        return std::make_tuple(field("version", &ChannelState::version), field("timestamp", &ChannelState::timestamp_ms),
                               field("proposalsDone", &ChannelState::proposals_done), field("net", &ChannelState::net),
                               field("assetMarks", &ChannelState::asset_marks), field("positions", &ChannelState::positions),
                               field("locks", &ChannelState::locks), field("risk", &ChannelState::risk), field("residue", &ChannelState::residue),
                               field("authorisedA", &ChannelState::authorised_a), field("authorisedB", &ChannelState::authorised_b),
                               field("closeDeadline", &ChannelState::close_deadline), field("history", &ChannelState::history));
    }
    // Derived from the above, not encoded: refresh_derived() after decoding.
    Hash risk_hash;
    LockedAmounts locked;

    [[nodiscard]] List<Authorisation, kMaxAssets>& authorised(Party p) { return p == Party::A ? authorised_a : authorised_b; }
    [[nodiscard]] const List<Authorisation, kMaxAssets>& authorised(Party p) const { return p == Party::A ? authorised_a : authorised_b; }
    [[nodiscard]] Amount& locked_by(Party payer, std::size_t asset) { return locked.by(payer, asset); }
    [[nodiscard]] Amount locked_by(Party payer, std::size_t asset) const { return locked.by(payer, asset); }
    [[nodiscard]] const PositionEntry* find_position(const Feed& instrument) const;
    [[nodiscard]] const LockEntry* find_lock(const LockHash& hash) const;
    /// The same, to be changed at once.
    [[nodiscard]] PositionEntry* edit_position(const Feed& instrument);
    void refresh_derived();
    bool operator==(const ChannelState&) const = default;
};

/// Version 0: nothing owed, asset marks as given (none zero), no positions, no locks.
[[nodiscard]] ChannelState initial_state(const Terms& terms, const RiskTerms& risk, const List<Price, kMaxAssets>& asset_marks);

/// What the chain reads of a state, with its context (spec 4.9).
[[nodiscard]] State typed_state(const ChannelState& state, const ChannelId& channel);
/// The digest both sign; equal to digest_of(typed_state(...)), with cached element digests.
[[nodiscard]] Digest state_digest(const ChannelState& state, const ChannelId& channel, const Hash& separator);
[[nodiscard]] Hash state_context(const ChannelState& state);

/// A decoded state, with all limits of spec 1.6 and the shape of `terms` checked; the Rule that is broken otherwise.
[[nodiscard]] Expected<ChannelState, Rule> decode_state(ByteView bytes, const Terms& terms);

/// 1e8 where the asset has no feed, else its co-signed mark.
[[nodiscard]] Price asset_price(const Terms& terms, const ChannelState& state, std::size_t asset);

}  // namespace hedgerow::channel
