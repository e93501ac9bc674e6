#include "daemon/node/enforcer.h"

#include <fmt/format.h>

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "daemon/node/tx_service.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ChannelId;
using wallet::TxPurpose;

namespace {

constexpr std::size_t kMaxReveals = 64;
constexpr unsigned kMaxAttempts = 1'000;
constexpr std::uint64_t kFirstRetryMs = 10'000;
constexpr std::uint64_t kLastRetryMs = 3'600'000;

/// How long a failed attempt rests: twice as long each time, and shorter as the deadline nears.
std::uint64_t rest_ms(unsigned attempt, std::uint64_t now_ms, std::uint64_t deadline_ms) {
    const std::uint64_t doubled = std::min(kLastRetryMs, kFirstRetryMs << std::min(attempt - 1, 16u));
    if (deadline_ms == 0) return doubled;
    const std::uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    return std::min(doubled, std::max(kFirstRetryMs, left / 8));
}

bool pays(const channel::Lock& lock, const Enforced& enforced) {
    return (lock.amount.sign() > 0 && enforced.protects_party(channel::Party::B)) ||
           (lock.amount.sign() < 0 && enforced.protects_party(channel::Party::A));
}

}  // namespace

std::string channel_job(std::string_view what, const ChannelId& id, std::uint64_t number) {
    return fmt::format("{}:{}:{}", what, channel::to_hex(id), number);
}

void Enforcer::submit(const std::string& id, Bytes data, TxPurpose purpose, std::uint64_t deadline_s,
                      Answer<channel::TxHash> done) {
    wallet::JobRequest job;
    job.id = id;
    job.to = m_parts.options.adjudicator;
    job.data = std::move(data);
    job.purpose = purpose;
    // The manager's clock is its own; a deadline on the chain's clock is as far away as it is there.
    if (deadline_s != 0) {
        const std::uint64_t chain_now_s = std::max(m_parts.chain_time_s, m_seen_s);
        const std::uint64_t left_s = deadline_s > chain_now_s ? deadline_s - chain_now_s : 0;
        job.deadline_ms = m_parts.transactions->now_ms() + left_s * 1'000;
    }
    const std::optional<std::string> name = job_to_try(id, job.deadline_ms);
    if (!name) {  // it has failed, and it is too early to try again
        const wallet::Job* failed = m_parts.transactions->find(id);
        if (done)
            done(channel::Unexpected{fault_of(failed->fault.value_or(wallet::ChainFault::cancelled), failed->detail)});
        return;
    }
    job.id = *name;
    // A job of that name is the same job, though its clock reads differently by now.
    if (const wallet::Job* known = m_parts.transactions->find(*name)) {
        if (!done) return;
        job = known->request;
    }
    m_parts.transactions->submit(job, [id = *name, done = std::move(done)](const Result<channel::TxHash>& result) {
        if (result)
            LOG_INFO("transaction", {"job", id}, {"hash", *result});
        else
            LOG_WARN("transaction refused", {"job", id}, {"error", result.error().name},
                     {"text", result.error().message});
        if (done) done(result);
    });
}

/// The name itself, or after failures the name of the next attempt: what defends a channel is not given up because a
/// node once refused it.
std::optional<std::string> Enforcer::job_to_try(const std::string& id, std::uint64_t deadline_ms) const {
    std::string name = id;
    for (unsigned attempt = 1; attempt <= kMaxAttempts; ++attempt) {
        const wallet::Job* known = m_parts.transactions->find(name);
        const bool over = known != nullptr &&
                          (known->status == wallet::JobStatus::failed || known->status == wallet::JobStatus::cancelled);
        if (!over) return name;
        // One of the future was made by a run whose clock was ahead.
        const std::uint64_t now_ms = m_parts.transactions->now_ms();
        const bool recent =
            now_ms >= known->created_ms && now_ms - known->created_ms < rest_ms(attempt, now_ms, deadline_ms);
        if (recent) return std::nullopt;
        name = fmt::format("{}#{}", id, attempt + 1);
    }
    return std::nullopt;
}

void Enforcer::respond(const Enforced& enforced, std::uint64_t end_s) {
    submit(channel_job("respond", enforced.id, enforced.newest.version),
           wallet::respond_call(enforced.terms, enforced.newest, enforced.signatures), TxPurpose::defence, end_s);
}

void Enforcer::act(const Enforced& enforced, const channel::State& recorded, const DisputeLook& look) {
    m_seen_s = std::max(m_seen_s, look.now_s);
    const bool newer = enforced.newest.version > recorded.version && look.now_s < look.view.end;
    if (newer) respond(enforced, look.view.end);
    // What will be recorded soon counts as well: its locks may expire before the response is mined.
    reveal_known(enforced, newer ? enforced.newest : recorded, look);
    attest(enforced, look);
    settle(enforced, recorded, look);
}

void Enforcer::reveal(std::span<const channel::Preimage> preimages, std::uint64_t deadline_s) {
    Bytes call = wallet::reveal_call(preimages);
    const std::string name = fmt::format("reveal:{}", channel::to_hex(channel::keccak256(call)));
    submit(name, std::move(call), TxPurpose::defence, deadline_s);
}

/// Known preimages of locks that pay whom we protect, while that still counts.
void Enforcer::reveal_known(const Enforced& enforced, const channel::State& state, const DisputeLook& look) {
    std::vector<channel::Preimage> preimages;
    std::uint64_t deadline = ~std::uint64_t{0};
    for (const channel::Lock& lock : state.locks) {
        const auto registered = look.revealed.find(lock.hash);
        if (!pays(lock, enforced) || lock.expiry <= look.now_s ||
            (registered != look.revealed.end() && registered->second != 0))
            continue;
        const auto preimage = enforced.preimage(lock.hash);
        if (!preimage || preimages.size() >= kMaxReveals) continue;
        preimages.push_back(*preimage);
        deadline = std::min(deadline, lock.expiry);
    }
    if (!preimages.empty()) reveal(preimages, deadline);
}

/// Every package at hand of a needed price, where that makes it count or adds signers: nobody chooses the k that suits
/// it (DESIGN 3).
void Enforcer::attest(const Enforced& enforced, const DisputeLook& look) {
    if (m_parts.packages == nullptr) return;
    const auto& oracles = enforced.terms.oracles;
    for (const auto& [need, view] : look.attested) {
        if (need.time_s > look.now_s || view.signers >= oracles.size()) continue;
        const std::vector<Bytes> packages = m_parts.packages->packages(need.feed, need.time_s, oracles);
        if (packages.size() < oracles.size()) m_parts.packages->fetch(need.feed, need.time_s);
        if (packages.size() <= view.signers || packages.size() < enforced.terms.oracle_threshold) continue;
        const std::vector<channel::Feed> feeds{need.feed};
        const std::string id =
            fmt::format("attest:{}:{}:{}:{}", channel::to_hex(wallet::oracle_set_of(oracles)).substr(2, 16),
                        channel::feed_name(need.feed), need.time_s, packages.size());
        submit(id, wallet::attest_call(oracles, need.time_s, feeds, packages), TxPurpose::defence, look.answer.due_s);
    }
}

void Enforcer::settle(const Enforced& enforced, const channel::State& recorded, const DisputeLook& look) {
    // Overtaken by an answer, it has learnt nothing of what that settles to.
    if (!look.current || look.answer.status != channel::SettleStatus::due) return;
    if (look.now_s < look.answer.due_s + enforced.settle_after_s) return;
    submit(channel_job("settle", enforced.id, look.view.end), wallet::settle_call(enforced.terms, recorded),
           TxPurpose::defence, 0);
}

void Enforcer::finished(const ChannelId& id) {
    m_parts.transactions->cancel_unsigned(":" + channel::to_hex(id) + ":");
}

}  // namespace hedgerow::daemon
