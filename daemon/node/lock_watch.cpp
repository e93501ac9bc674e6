#include "daemon/node/lock_watch.h"

#include <utility>

#include "channel/machine/apply.h"
#include "daemon/node/channel_manager.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

using channel::Channel;
using channel::Lock;
using channel::Rule;
using channel::Status;

namespace {

constexpr std::uint64_t kAgainMs = 5'000;
}  // namespace

std::uint64_t reveal_due_s(std::uint64_t expiry_s, std::uint64_t noticed_s) {
    const std::uint64_t late = expiry_s - std::min(expiry_s, kRevealMarginS);
    const std::uint64_t half = noticed_s + (expiry_s - std::min(expiry_s, noticed_s)) / 2;
    const std::uint64_t last_minute = expiry_s - std::min<std::uint64_t>(expiry_s, 60);
    return std::max(std::min(std::max(late, half), last_minute), noticed_s + kRevealPatienceS);
}

LockStep next_lock_step(const LockFacts& f) {
    if (!f.pays_us) {
        if (f.confirmed_s < f.lock.expiry || f.registered_in_time) return LockStep::wait;
        return f.unanswered_ms > f.patience_ms ? LockStep::challenge : LockStep::cancel;
    }
    if (!f.preimage_known) return LockStep::wait;
    if (f.registered_in_time) return f.unanswered_ms > f.patience_ms ? LockStep::challenge : LockStep::fulfil;
    if (f.registered || f.now_s >= f.lock.expiry) return LockStep::wait;
    return f.now_s >= reveal_due_s(f.lock.expiry, f.noticed_s) ? LockStep::reveal : LockStep::wait;
}

void LockWatch::tick() {
    ++m_round;
    for (const Channel* channel : m_parts.channels->lively()) {
        if (channel->status == Status::closed || channel->agreed.state.locks.empty()) continue;
        std::vector<Lock> locks;  // a step may change the state
        for (const channel::LockEntry& entry : channel->agreed.state.locks) locks.push_back(entry.lock);
        for (const Lock& lock : locks) {
            Watched& watched = m_watched[{channel->id, lock.hash}];
            watched.round = m_round;
            look(*channel, lock, watched);
        }
    }
    std::erase_if(m_watched, [&](const auto& entry) { return entry.second.round != m_round; });
}

void LockWatch::look(const Channel& channel, const Lock& lock, Watched& watched) {
    const channel::Context context = m_parts.context();
    LockFacts facts;
    facts.lock = lock;
    facts.pays_us = lock.amount.sign() * channel::sign_of(channel.me) < 0;
    facts.now_s = std::max(m_parts.now_ms / 1'000, m_parts.chain_time_s);
    facts.confirmed_s = m_parts.confirmed_chain_time_s;
    facts.registered = m_parts.revealed.contains(lock.hash);
    facts.registered_in_time = channel::registered_in_time(context, lock);
    if (watched.noticed_s == 0) watched.noticed_s = facts.now_s;
    facts.noticed_s = watched.noticed_s;
    if (facts.pays_us && !watched.preimage && m_parts.steady_ms >= watched.look_ms) {
        watched.look_ms = m_parts.steady_ms + kAgainMs;
        watched.preimage = find_preimage(m_parts.reader, lock.hash);
    }
    facts.preimage_known = watched.preimage.has_value();
    measure(channel, watched, facts);
    perform(next_lock_step(facts), channel, lock, watched);
}

/// Silence is the other side's only while it is there, and we would sign ourselves: what the chain has decided can wait.
void LockWatch::measure(const Channel& channel, Watched& watched, LockFacts& facts) {
    const std::uint64_t polite_ms = 3ULL * channel.agreed.state.risk.ack_timeout_ms;
    facts.patience_ms = facts.pays_us ? polite_ms : std::max(polite_ms, kCancelPatienceMs);
    const bool decided =
        facts.pays_us ? facts.registered_in_time : facts.confirmed_s >= facts.lock.expiry && !facts.registered_in_time;
    const bool owed = decided && channel.connected && channel.status == Status::open && !m_parts.halted;
    if (!owed) watched.unanswered_since_ms = 0;
    if (owed && watched.unanswered_since_ms == 0) watched.unanswered_since_ms = m_parts.steady_ms;
    if (owed) facts.unanswered_ms = m_parts.steady_ms - watched.unanswered_since_ms;
    if (facts.unanswered_ms > polite_ms && !std::exchange(watched.warned, true)) {
        LOG_WARN(facts.pays_us ? "the payer leaves an executed lock unsigned"
                               : "the payee leaves the cancellation of an expired lock unsigned",
                 {"channel", channel.id}, {"lock", facts.lock.hash}, {"expiry", facts.lock.expiry});
    }
}

void LockWatch::perform(LockStep step, const Channel& channel, const Lock& lock, Watched& watched) {
    switch (step) {
        case LockStep::wait:
            return;
        case LockStep::reveal:
            return reveal(lock, *watched.preimage, watched);
        case LockStep::fulfil:
            return propose(channel, lock, channel::FulfilOp{lock.hash, *watched.preimage}, watched);
        case LockStep::cancel:
            return propose(channel, lock, channel::CancelOp{lock.hash}, watched);
        case LockStep::challenge:
            if (channel.status != Status::open) return;
            LOG_ERROR("the other side does not sign what became of a lock: closing on chain", {"channel", channel.id},
                      {"lock", lock.hash});
            return m_parts.channels->feed(channel.id, channel::ForceClose{});
    }
}

void LockWatch::reveal(const Lock& lock, const channel::Preimage& preimage, Watched& watched) {
    if (!std::exchange(watched.revealing, true))
        LOG_WARN("registering a preimage on chain", {"lock", lock.hash}, {"expiry", lock.expiry});
    m_enforcer.reveal(std::span(&preimage, 1), lock.expiry);
}

void LockWatch::propose(const Channel& channel, const Lock& lock, const channel::Op& op, Watched& watched) {
    if (watched.under_way || m_parts.steady_ms < watched.again_ms) return;
    if (channel.status != Status::open || !channel.connected || m_parts.halted) return;
    watched.under_way = true;
    m_parts.channels->submit(channel.id, op, [this, id = channel.id, hash = lock.hash](Rule rule) {
        LOG_INFO("lock not resolved", {"channel", id}, {"rule", rule});
        const auto found = m_watched.find({id, hash});
        if (found == m_watched.end()) return;
        found->second.under_way = false;
        found->second.again_ms = m_parts.steady_ms + kAgainMs;
    });
}

}  // namespace hedgerow::daemon
