#pragma once

#include <map>

#include "daemon/node/enforcer.h"

namespace hedgerow::daemon {

/// What a lock of an agreed state needs from us now (spec 7.4).
enum class LockStep : std::uint8_t {
    wait,
    reveal,     ///< register its preimage on chain, while that still executes it
    fulfil,     ///< it is executed, on chain as well: have the payer sign that
    cancel,     ///< it has expired and was not executed: have the payee sign that our money is free again
    challenge,  ///< the other side, connected, does not sign what it owes
};

struct LockFacts {
    channel::Lock lock;
    bool pays_us = false;
    bool preimage_known = false;
    bool registered = false;          ///< on chain, as far as we have seen
    bool registered_in_time = false;  ///< … before its expiry, in a confirmed block
    std::uint64_t noticed_s = 0;      ///< since when we know that it is open
    std::uint64_t now_s = 0;          ///< the later of our clock's and the chain's
    std::uint64_t confirmed_s = 0;    ///< of the newest confirmed block
    std::uint64_t unanswered_ms = 0;  ///< how long the other side, connected, has left unsigned what it owes
    std::uint64_t patience_ms = 0;    ///< how long that may take
};
[[nodiscard]] LockStep next_lock_step(const LockFacts& facts);
/// From when the payee does not wait for the payer's signature any more: kRevealMarginS before the expiry, though not
/// before half of the time that it had is over, nor within kRevealPatienceS of noticing the lock.
[[nodiscard]] std::uint64_t reveal_due_s(std::uint64_t expiry_s, std::uint64_t noticed_s);

inline constexpr std::uint64_t kRevealMarginS = 600;  ///< room for a transaction on a congested chain
inline constexpr std::uint64_t kRevealPatienceS = 5;
/// How long a payee may leave a due cancellation unsigned. Nothing is at risk meanwhile but the use of the money, and an
/// honest payee may count blocks as confirmed much later than we do, or be halted by its operator.
inline constexpr std::uint64_t kCancelPatienceMs = 3'600'000;

/// Watches the locks of every channel, so that neither side loses money to one that refuses, or is gone, when a lock
/// expires. The jobs' names are the preimages', and what it goes by is in the store, so a restart changes nothing.
class LockWatch {
  public:
    explicit LockWatch(NodeParts& parts) : m_parts(parts), m_enforcer(parts) {}
    /// About every second.
    void tick();

  private:
    using Key = std::pair<channel::ChannelId, channel::LockHash>;
    struct Watched {
        std::uint64_t noticed_s = 0;
        std::uint64_t look_ms = 0;  ///< when to look for the preimage in the store
        std::optional<channel::Preimage> preimage;
        std::uint64_t unanswered_since_ms = 0;
        bool warned = false;  ///< that it is unanswered
        bool revealing = false;      ///< said in the log
        bool under_way = false;      ///< an op of ours about it
        std::uint64_t again_ms = 0;  ///< after a refusal
        std::uint64_t round = 0;
    };

    void look(const channel::Channel& channel, const channel::Lock& lock, Watched& watched);
    void perform(LockStep step, const channel::Channel& channel, const channel::Lock& lock, Watched& watched);
    void reveal(const channel::Lock& lock, const channel::Preimage& preimage, Watched& watched);
    void measure(const channel::Channel& channel, Watched& watched, LockFacts& facts);
    void propose(const channel::Channel& channel, const channel::Lock& lock, const channel::Op& op, Watched& watched);

    NodeParts& m_parts;
    Enforcer m_enforcer;
    std::map<Key, Watched> m_watched;
    std::uint64_t m_round = 0;
};

}  // namespace hedgerow::daemon
