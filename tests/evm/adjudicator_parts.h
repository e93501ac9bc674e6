#pragma once

#include "tests/evm/dispute_case.h"
#include "tests/evm/random.h"
#include "wallet/chain/contract_calls.h"

/// What plays of the Adjudicator are made of: terms, states, signatures and packages, whole and broken.
namespace hedgerow::tests {

/// The keys of a play and how they sign.
class Hands {
  public:
    Hands(const Cast& cast, wallet::PrivateKey stranger, const channel::Hash& separator)
        : m_cast(cast), m_stranger(std::move(stranger)), m_separator(separator) {}

    [[nodiscard]] const Cast& cast() const { return m_cast; }
    [[nodiscard]] const wallet::PrivateKey& stranger() const { return m_stranger; }
    [[nodiscard]] const wallet::PrivateKey& of(channel::Party party) const {
        return party == channel::Party::A ? m_cast.signer_a : m_cast.signer_b;
    }

    template <typename T>
    [[nodiscard]] channel::Signature sign(const T& typed, const wallet::PrivateKey& by) const {
        return by.sign(channel::digest_of(typed, m_separator));
    }
    template <typename T>
    [[nodiscard]] wallet::BothSignatures both(const T& typed) const {
        return {sign(typed, m_cast.signer_a), sign(typed, m_cast.signer_b)};
    }
    /// By one who may not, of something else, changed, or malleated; `none` such that are right, of a hundred.
    template <typename T>
    [[nodiscard]] wallet::BothSignatures both(const T& typed, Random& random, std::uint64_t right_percent) const {
        wallet::BothSignatures out = both(typed);
        if (random.below(100) < right_percent) return out;
        switch (random.below(4)) {
            case 0:
                (random.one_in(2) ? out.a : out.b) = sign(typed, m_stranger);
                return out;
            case 1:
                std::swap(out.a, out.b);
                return out;
            default:
                spoil(random.one_in(2) ? out.a : out.b, random);
                return out;
        }
    }
    /// A bit changed, all zero, or the other s of the same key (EIP-2), which ecrecover would take.
    static void spoil(channel::Signature& signature, Random& random);

  private:
    const Cast& m_cast;
    wallet::PrivateKey m_stranger;
    channel::Hash m_separator;
};

[[nodiscard]] wallet::PrivateKey play_key(std::string_view name);
/// `count` from a small set, so that what is attested is sometimes what is needed.
[[nodiscard]] channel::Feed play_feed(std::size_t index);
inline constexpr std::size_t kPlayFeeds = 4;
[[nodiscard]] const std::vector<channel::Preimage>& play_preimages();

[[nodiscard]] channel::Terms random_terms(Random& random, const Cast& cast, const channel::Address& contract);
/// One rule of terms broken.
void break_terms(channel::Terms& terms, Random& random);

/// A state of small numbers around what is held; expiries at slots and seconds around `around_s`.
[[nodiscard]] channel::State random_state(Random& random, const channel::Terms& terms, const channel::ChannelId& id,
                                          std::uint64_t version, std::uint64_t around_s);
/// One bound of a state left by one, or just not.
void stretch_state(channel::State& state, const channel::Terms& terms, Random& random);

/// A signed package's bytes, or one that is wrong in some way.
[[nodiscard]] channel::Bytes package_bytes(std::span<const std::pair<channel::Feed, channel::U256>> points,
                                           std::uint64_t timestamp_ms, const wallet::PrivateKey& by);
void spoil_package(channel::Bytes& package, Random& random);

}  // namespace hedgerow::tests
