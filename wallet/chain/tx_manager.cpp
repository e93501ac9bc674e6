#include "wallet/chain/tx_manager.h"

#include <algorithm>
#include <utility>

#include "wallet/chain/contract_calls.h"
#include "wallet/chain/tx_pace.h"

namespace hedgerow::wallet {

using channel::Address;
using channel::Bytes;
using channel::TxHash;
using channel::U256;

namespace {

constexpr std::uint64_t kTransferGas = 21'000;
constexpr std::size_t kMaxId = 128;

const TxSighting* sighting(const ChainView& view, const TxHash& hash) {
    const auto at = std::find_if(view.transactions.begin(), view.transactions.end(),
                                 [&](const TxSighting& s) { return s.hash == hash; });
    return at == view.transactions.end() ? nullptr : &*at;
}

bool is_printable(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c <= 0x7e; });
}

std::uint64_t depth(std::uint64_t head, std::uint64_t block) {
    return head >= block ? head - block + 1 : 0;
}

Fees fees_of(const TxVariant& variant) {
    return {variant.transaction.body.max_fee, variant.transaction.body.max_priority_fee};
}

/// The nearest deadline still ahead of the defences that need this job's nonce, and since when one of them has it. One
/// that was missed is no reason for any hurry, nor does it hide another's.
Schedule schedule_for(const std::map<std::string, Job>& jobs, const Job& job, std::uint64_t now_ms) {
    Schedule out{now_ms, job.created_ms, 0};
    for (const auto& [id, other] : jobs) {
        const bool needs = (other.status == JobStatus::queued && other.fault != ChainFault::execution_reverted) ||
                           (other.status == JobStatus::broadcast && *other.nonce >= *job.nonce);
        const std::uint64_t deadline_ms = other.request.deadline_ms;
        if (!needs || other.request.purpose != TxPurpose::defence || deadline_ms <= now_ms) continue;
        if (out.deadline_ms == 0 || deadline_ms < out.deadline_ms) {
            out.created_ms = other.created_ms;
            out.deadline_ms = deadline_ms;
        }
    }
    return out;
}

}  // namespace

TxManager::TxManager(TransactionSigner& signer, std::uint64_t chain_id, FeePolicy policy)
    : m_signer(signer), m_chain_id(chain_id), m_policy(std::move(policy)) {}

ChainExpected<void> TxManager::restore(std::string_view record) {
    auto job = read_job(record, m_signer.account(), m_chain_id);
    if (!job) return channel::Unexpected{job.error()};
    const std::string id = job->request.id;
    if (m_jobs.contains(id)) return chain_error(ChainFault::client_ref_reused, id);
    m_next_sequence = std::max(m_next_sequence, job->sequence + 1);
    m_jobs.emplace(id, std::move(*job));
    return {};
}

ChainExpected<bool> TxManager::submit(const JobRequest& request, std::uint64_t now_ms) {
    if (const Job* known = find(request.id)) {
        if (known->request == request) return false;
        return chain_error(ChainFault::client_ref_reused, request.id);
    }
    if (request.id.empty() || request.id.size() > kMaxId || !is_printable(request.id) ||
        request.data.size() > kMaxData) {
        return chain_error(ChainFault::job_record_malformed, request.id);
    }
    const auto live = static_cast<std::size_t>(std::count_if(
        m_jobs.begin(), m_jobs.end(), [](const auto& entry) { return !is_settled(entry.second.status); }));
    const bool spends = request.purpose == TxPurpose::spend;
    if (live >= (spends ? kMaxLive / 4 * 3 : kMaxLive)) return chain_error(ChainFault::job_limit, request.id);
    if (!request.after.empty() && find(request.after) == nullptr)
        return chain_error(ChainFault::job_unknown, request.after);
    if (spends && m_balance && (spendable().is_zero() || request.value > spendable())) {
        return chain_error(ChainFault::gas_reserve_needed, request.id);
    }
    Job job;
    job.request = request;
    job.sequence = m_next_sequence++;
    job.created_ms = now_ms;
    job.gas_limit = request.gas_limit;
    m_jobs.emplace(request.id, std::move(job));
    return true;
}

ChainExpected<void> TxManager::cancel(const std::string& id) {
    const auto at = m_jobs.find(id);
    if (at == m_jobs.end()) return chain_error(ChainFault::job_unknown, id);
    Job& job = at->second;
    // Also a job whose signing is still ahead: the next tick settles it before it can be signed.
    if (!is_settled(job.status)) job.cancel_requested = true;
    return {};
}

ChainQueries TxManager::queries(std::uint64_t now_ms) const {
    ChainQueries out{m_signer.account(), {}, {}};
    for (const auto& [id, job] : m_jobs) {
        if (job.final) continue;
        for (const TxVariant& variant : job.variants) out.transactions.push_back(variant.transaction.hash);
        const bool waits = !job.request.after.empty() && job.status == JobStatus::queued &&
                           (find(job.request.after) == nullptr || find(job.request.after)->status < JobStatus::mined);
        if (job.status == JobStatus::queued && job.gas_limit == 0 && !waits && now_ms >= job.estimate_after_ms) {
            out.estimates.push_back(
                {id, CallRequest{out.account, job.request.to, job.request.value, job.request.data}});
        }
    }
    return out;
}

std::vector<TxAction> TxManager::tick(std::uint64_t now_ms, const ChainView& view) {
    m_balance = view.balance;
    m_head = view.head;
    std::vector<Job*> signed_jobs;
    std::vector<Job*> queued;
    for (auto& [id, job] : m_jobs) {
        if (job.nonce && !job.final) look(job, view, now_ms);
    }
    take_estimates(view, now_ms);
    for (auto& [id, job] : m_jobs) {
        if (job.status == JobStatus::broadcast) signed_jobs.push_back(&job);
        if (job.status == JobStatus::queued) queued.push_back(&job);
    }
    const auto stake = stakes();
    std::sort(signed_jobs.begin(), signed_jobs.end(), [](const Job* a, const Job* b) { return *a->nonce < *b->nonce; });
    for (Job* job : signed_jobs) maintain(*job, stake.at(job->request.id), view, now_ms);
    std::sort(queued.begin(), queued.end(), [](const Job* a, const Job* b) {
        return std::pair(a->request.purpose == TxPurpose::spend, a->sequence) <
               std::pair(b->request.purpose == TxPurpose::spend, b->sequence);
    });
    for (Job* job : queued) start(*job, view, now_ms);
    forget_oldest();
    return std::exchange(m_actions, {});
}

void TxManager::look(Job& job, const ChainView& view, std::uint64_t now_ms) {
    const TxSighting* mined = nullptr;
    for (const TxVariant& variant : job.variants) {
        const TxSighting* seen = sighting(view, variant.transaction.hash);
        if (seen == nullptr) return;  // the view is older than this variant and says nothing about the job
        if (seen->place == TxPlace::mined && seen->mined) mined = seen;
    }
    if (mined != nullptr) {
        job.nonce_gone_since = 0;
        if (job.mined != mined->mined) {
            job.mined = mined->mined;
            change(job, JobStatus::mined, std::nullopt);
        }
        return settle(job, view);
    }
    if (job.mined) reorged_out(job, now_ms);
    if (job.status == JobStatus::broadcast) check_nonce(job, view);
}

void TxManager::reorged_out(Job& job, std::uint64_t now_ms) {
    const TxHash lost = job.mined->hash;
    job.mined.reset();
    change(job, JobStatus::broadcast, std::nullopt, "its block left the chain");
    for (const TxVariant& variant : job.variants) {
        if (variant.transaction.hash == lost || &variant == &job.variants.back()) broadcast(job, variant, now_ms);
    }
}

void TxManager::settle(Job& job, const ChainView& view) {
    const std::uint64_t deep = depth(view.head, job.mined->block_number);
    if (!is_settled(job.status) && deep >= m_policy.confirmations) {
        const auto variant = std::find_if(job.variants.begin(), job.variants.end(),
                                          [&](const TxVariant& v) { return v.transaction.hash == job.mined->hash; });
        if (variant->cancels) {
            change(job, JobStatus::cancelled,
                   job.rejections >= kMaxRejections ? ChainFault::transaction_rejected : ChainFault::cancelled);
        } else if (job.mined->success) {
            change(job, JobStatus::confirmed, std::nullopt);
        } else {
            change(job, JobStatus::failed, ChainFault::transaction_reverted);
        }
    }
    if (is_settled(job.status) && !job.final && deep >= std::max(m_policy.final_depth, m_policy.confirmations)) {
        job.final = true;
        persist(job);
    }
}

void TxManager::check_nonce(Job& job, const ChainView& view) {
    if (view.nonce <= *job.nonce) {
        job.nonce_gone_since = 0;
        return;
    }
    if (job.nonce_gone_since == 0) job.nonce_gone_since = view.head;
    // A later block must say so too: a node, or the one beside it behind the same address, may count before it has the
    // receipt.
    if (depth(view.head, job.nonce_gone_since) < std::max<std::uint64_t>(m_policy.confirmations, 2)) return;
    // Somebody else who holds the key used the nonce. A payment is not sent again behind its owner's back; a defence
    // is.
    if (job.request.purpose == TxPurpose::spend || job.cancel_requested) {
        job.final = true;
        return change(job, JobStatus::failed, ChainFault::nonce_replaced);
    }
    job.nonce.reset();
    job.variants.clear();
    job.nonce_gone_since = 0;
    change(job, JobStatus::queued, ChainFault::nonce_replaced);
}

void TxManager::take_estimates(const ChainView& view, std::uint64_t now_ms) {
    for (const GasAnswer& answer : view.estimates) {
        const auto at = m_jobs.find(answer.job);
        if (at == m_jobs.end() || at->second.status != JobStatus::queued || at->second.gas_limit != 0) continue;
        Job& job = at->second;
        if (answer.gas) {
            const std::uint64_t estimate = std::min(*answer.gas, view.block_gas_limit);
            job.gas_limit = std::min(estimate + estimate / 5 + 5'000, view.block_gas_limit);
            job.reverts = 0;
            continue;
        }
        const ChainError& error = answer.gas.error();
        const std::string reason = revert_reason(error.revert_data);
        const bool hopeless = !error.retryable();
        const bool dated = job.request.deadline_ms != 0;
        // What has no deadline is asked ever less often: a payee that refuses today may take it in a month.
        job.estimate_after_ms = now_ms + (m_policy.block_ms << (hopeless && !dated ? std::min(job.reverts++, 8u) : 0u));
        if (hopeless && (job.request.purpose == TxPurpose::spend || (dated && now_ms >= job.request.deadline_ms))) {
            settle_unsigned(job, error.fault, reason.empty() ? error.detail : reason);
        } else {
            note(job, error.fault, reason.empty() ? error.detail : reason);
        }
    }
}

std::map<std::string, TxManager::Stake> TxManager::stakes() const {
    std::map<std::string, Stake> out;
    std::vector<const Job*> order;
    std::optional<Stake> behind;
    const auto join = [&](const Job& job) {
        Stake own{job.request.purpose, job_budget(m_policy, job.request)};
        if (behind) {
            own.purpose = TxPurpose::defence;
            own.budget = std::max(own.budget, behind->budget);
        }
        if (own.purpose == TxPurpose::defence) behind = own;
        return own;
    };
    for (const auto& [id, job] : m_jobs) {
        const bool would_revert = job.fault == ChainFault::execution_reverted;  // nothing of ours makes way for it
        if (job.status == JobStatus::queued && job.request.purpose == TxPurpose::defence && !would_revert) join(job);
        if (job.status == JobStatus::broadcast) order.push_back(&job);
    }
    std::sort(order.begin(), order.end(), [](const Job* a, const Job* b) { return *a->nonce > *b->nonce; });
    for (const Job* job : order) out.emplace(job->request.id, join(*job));
    return out;
}

void TxManager::maintain(Job& job, const Stake& stake, const ChainView& view, std::uint64_t now_ms) {
    const TxVariant& newest = job.variants.back();
    // One of the future was signed by a run whose clock was ahead: nobody knows how old it is.
    const std::uint64_t age = now_ms >= newest.signed_ms ? now_ms - newest.signed_ms : UINT64_MAX;
    const bool defends = stake.purpose == TxPurpose::defence;
    // A payment leaves the late ones to a defence that may yet wait behind it.
    const Schedule schedule = defends ? schedule_for(m_jobs, job, now_ms) : Schedule{now_ms, job.created_ms, 0};
    const Pace pace = pace_at(m_policy, schedule, kMaxVariants - std::min(job.variants.size(), kMaxVariants));
    const bool cancels = job.cancel_requested && !newest.cancels && job.variants.size() < kMaxVariants;
    // The very last one is for the end, whatever happens before.
    const bool spare = pace.left > (pace.steps != 0 ? 1 : 0);
    const bool must = cancels || (job.bump_now && spare);
    const bool outbid = spare && age >= m_policy.block_ms && newest.transaction.body.max_fee < view.base_fee;
    const bool late = pace.left != 0 && age >= pace.interval_ms && pace.interval_ms != UINT64_MAX;
    if (must || ((late || outbid) && view.head > newest.signed_head)) {
        const U256 cap = std::min(stake.budget, affordable(job, stake.purpose)) / U256(job.gas_limit);
        const auto fees =
            rising_fees(m_policy, view, fees_of(newest), cap, urgency_of(m_policy, schedule), pace.steps);
        job.bump_now = false;
        if (fees && add_variant(job, *fees, stake.purpose, now_ms)) return;
        if (!fees) note(job, ChainFault::fee_over_budget);
    }
    const TxSighting* seen = sighting(view, job.variants.back().transaction.hash);
    const bool lost = seen != nullptr && seen->place == TxPlace::unknown && job.nonce_gone_since == 0;
    const bool quiet = now_ms < job.last_broadcast_ms || now_ms - job.last_broadcast_ms >= m_policy.rebroadcast_ms;
    if (lost && quiet) broadcast(job, job.variants.back(), now_ms);
}

bool TxManager::ready(Job& job, std::uint64_t now_ms) {
    if (job.cancel_requested) {
        settle_unsigned(job, ChainFault::cancelled);
        return false;
    }
    if (job.request.purpose == TxPurpose::spend && job.request.deadline_ms != 0 && now_ms >= job.request.deadline_ms) {
        settle_unsigned(job, ChainFault::deadline_missed);
        return false;
    }
    if (!job.request.after.empty()) {
        const Job* before = find(job.request.after);
        const bool done =
            before != nullptr && before->mined && before->mined->success && before->status != JobStatus::cancelled;
        if (before == nullptr || (is_settled(before->status) && before->status != JobStatus::confirmed)) {
            settle_unsigned(job, ChainFault::predecessor_failed, job.request.after);
            return false;
        }
        if (!done) return false;
    }
    return job.gas_limit != 0;
}

void TxManager::start(Job& job, const ChainView& view, std::uint64_t now_ms) {
    if (!ready(job, now_ms)) return;
    const U256 gas(job.gas_limit);
    const U256 budget_cap = job_budget(m_policy, job.request) / gas;
    if (budget_cap < view.base_fee) return note(job, ChainFault::fee_over_budget);
    const U256 funds_cap = affordable(job, job.request.purpose) / gas;
    if (funds_cap < view.base_fee + std::max(view.priority_fee, m_policy.min_priority_fee)) {
        if (job.request.purpose == TxPurpose::defence) return note(job, ChainFault::insufficient_funds);
        const bool reserve_is_why = affordable(job, TxPurpose::defence) / gas >= view.base_fee;
        return settle_unsigned(job, reserve_is_why ? ChainFault::gas_reserve_needed : ChainFault::insufficient_funds);
    }
    job.nonce = next_nonce(view);
    const Fees fees = first_fees(m_policy, view, std::min(budget_cap, funds_cap));
    if (!add_variant(job, fees, job.request.purpose, now_ms)) job.nonce.reset();
}

bool TxManager::add_variant(Job& job, const Fees& fees, TxPurpose purpose, std::uint64_t now_ms) {
    Transaction body{m_chain_id,        *job.nonce,       fees.priority,
                     fees.max_fee,      job.gas_limit,    job.request.to,
                     job.request.value, job.request.data, {}};
    if (job.cancel_requested) {
        body.gas_limit = kTransferGas;
        body.to = m_signer.account();
        body.value = U256();
        body.data.clear();
    }
    const auto signature = m_signer.sign(body, purpose);
    if (!signature) {
        note(job, signature.error().fault, signature.error().detail);
        return false;
    }
    job.variants.push_back({assemble_transaction(body, *signature), job.cancel_requested, now_ms, m_head});
    change(job, JobStatus::broadcast, std::nullopt);
    broadcast(job, job.variants.back(), now_ms);
    return true;
}

U256 TxManager::affordable(const Job& job, TxPurpose purpose) const {
    const U256 held = m_balance.value_or(U256());
    U256 out = minus_or_zero(minus_or_zero(held, committed(&job)), job.request.value);
    if (purpose == TxPurpose::spend) out = minus_or_zero(out, m_policy.gas_reserve);
    return out;
}

U256 TxManager::committed(const Job* except) const {
    U256 out;
    for (const auto& [id, job] : m_jobs) {
        if (&job == except || job.status != JobStatus::broadcast) continue;
        U256 most;
        for (const TxVariant& variant : job.variants)
            most = std::max(most, maximum_cost(variant.transaction.body).value_or(U256()));
        out = out + most;
    }
    return out;
}

std::uint64_t TxManager::next_nonce(const ChainView& view) const {
    std::uint64_t out = view.nonce;
    for (const auto& [id, job] : m_jobs) {
        // A reorganisation may have lowered the chain's count; what we signed and watch still stands.
        if (job.nonce && !job.final) out = std::max(out, *job.nonce + 1);
    }
    return out;
}

void TxManager::broadcast_answered(const std::string& id, const ChainExpected<TxHash>& answer) {
    const auto at = m_jobs.find(id);
    if (at == m_jobs.end() || at->second.status != JobStatus::broadcast) return;
    Job& job = at->second;
    const ChainFault fault = answer ? ChainFault::transaction_already_known : answer.error().fault;
    if (fault == ChainFault::transaction_already_known) {
        job.rejections = job.cancel_requested ? job.rejections : 0;
    } else if (fault == ChainFault::replacement_underpriced || fault == ChainFault::transaction_underpriced) {
        job.bump_now = true;
    } else if (fault == ChainFault::gas_limit_exceeded || fault == ChainFault::transaction_rejected ||
               fault == ChainFault::execution_reverted) {
        // Signed, so its nonce is taken: free it for the jobs behind it. A defence goes on trying.
        if (++job.rejections >= kMaxRejections && job.request.purpose == TxPurpose::spend) job.cancel_requested = true;
    }
    if (fault != ChainFault::transaction_already_known && fault != ChainFault::nonce_too_low) {
        job.fault = fault;
        job.detail = answer.error().detail;
    }
}

const Job* TxManager::find(const std::string& id) const {
    const auto at = m_jobs.find(id);
    return at == m_jobs.end() ? nullptr : &at->second;
}

std::string TxManager::record(const std::string& id) const {
    const Job* job = find(id);
    ASSERT(job != nullptr);
    return write_job(*job);
}

std::vector<std::string> TxManager::job_ids() const {
    std::vector<std::string> out;
    out.reserve(m_jobs.size());
    for (const auto& [id, job] : m_jobs) out.push_back(id);
    return out;
}

U256 TxManager::spendable() const {
    U256 out = minus_or_zero(minus_or_zero(m_balance.value_or(U256()), m_policy.gas_reserve), committed(nullptr));
    for (const auto& [id, job] : m_jobs) {
        if (job.status == JobStatus::queued) out = minus_or_zero(out, job.request.value);
    }
    return out;
}

std::optional<U256> TxManager::uncommitted() const {
    if (!m_balance) return std::nullopt;
    return minus_or_zero(*m_balance, committed(nullptr));
}

bool TxManager::has_live() const {
    return std::any_of(m_jobs.begin(), m_jobs.end(),
                       [](const auto& entry) { return !is_settled(entry.second.status); });
}

void TxManager::change(Job& job, JobStatus status, std::optional<ChainFault> fault, std::string detail) {
    job.status = status;
    job.fault = fault;
    job.detail = std::move(detail);
    persist(job);
    m_actions.push_back(JobChanged{job.request.id, status, fault, job.detail, job.mined});
}

void TxManager::settle_unsigned(Job& job, ChainFault fault, std::string detail) {
    job.final = true;
    change(job, fault == ChainFault::cancelled ? JobStatus::cancelled : JobStatus::failed, fault, std::move(detail));
}

void TxManager::note(Job& job, ChainFault fault, std::string detail) {
    if (job.fault == fault) return;
    change(job, job.status, fault, std::move(detail));
}

void TxManager::broadcast(Job& job, const TxVariant& variant, std::uint64_t now_ms) {
    job.last_broadcast_ms = now_ms;
    m_actions.push_back(BroadcastTx{job.request.id, variant.transaction.hash, variant.transaction.raw});
}

void TxManager::persist(const Job& job) {
    m_actions.push_back(PersistJob{job.request.id, write_job(job)});
}

void TxManager::forget_oldest() {
    const auto forgettable = [](const auto& entry) { return entry.second.final; };
    auto settled = static_cast<std::size_t>(std::count_if(m_jobs.begin(), m_jobs.end(), forgettable));
    for (; settled > kMaxSettled; --settled) {
        auto oldest = m_jobs.end();
        for (auto at = m_jobs.begin(); at != m_jobs.end(); ++at) {
            if (at->second.final && (oldest == m_jobs.end() || at->second.sequence < oldest->second.sequence))
                oldest = at;
        }
        m_actions.push_back(ForgetJob{oldest->first});
        m_jobs.erase(oldest);
    }
}

}  // namespace hedgerow::wallet
