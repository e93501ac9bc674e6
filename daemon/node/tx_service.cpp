#include "daemon/node/tx_service.h"

#include "daemon/log/log.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/failpoint.h"
#include "wallet/chain/tx_view.h"

namespace hedgerow::daemon {

using wallet::ChainFault;

Fault fault_of(ChainFault fault, std::string_view detail) {
    switch (fault) {
        case ChainFault::chain_unreachable:
        case ChainFault::chain_http_status:
        case ChainFault::chain_response_too_large:
        case ChainFault::chain_response_malformed:
        case ChainFault::chain_response_unexpected:
        case ChainFault::chain_block_unknown:
            return rpc::from_node_error(rpc::NodeError::chain_unreachable, detail);
        case ChainFault::insufficient_funds:
        case ChainFault::gas_reserve_needed:
            return rpc::from_node_error(rpc::NodeError::insufficient_funds, detail);
        case ChainFault::client_ref_reused:
            return rpc::from_rule(channel::Rule::client_ref_reused);
        case ChainFault::wallet_locked:
            return rpc::from_rule(channel::Rule::wallet_locked);
        case ChainFault::job_limit:
            return rpc::from_node_error(rpc::NodeError::node_busy, detail);
        case ChainFault::transaction_reverted:
        case ChainFault::execution_reverted:
            return rpc::from_node_error(rpc::NodeError::transaction_reverted, detail);
        default:
            break;
    }
    std::string text(chain_fault_name(fault));
    if (!detail.empty()) text.append(": ").append(detail);
    return rpc::from_chain_error(rpc::ChainError::transaction_rejected, text);
}

TxService::TxService(EventLoop& loop, Outbox& outbox, ChainWorker& chain, wallet::TransactionSigner& signer,
                     std::uint64_t chain_id, const wallet::FeePolicy& policy)
    : m_loop(loop),
      m_start_ms(loop.now_ms()),
      m_start_steady_ms(loop.steady_ms()),
      m_outbox(outbox),
      m_chain(chain),
      m_manager(signer, chain_id, policy) {}

wallet::ChainExpected<void> TxService::restore(const std::vector<std::string>& records) {
    for (const std::string& record : records) {
        if (auto restored = m_manager.restore(record); !restored) return restored;
    }
    return {};
}

void TxService::submit(const wallet::JobRequest& request, Answer<channel::TxHash> done) {
    take(request, std::move(done), false);
}

void TxService::take(const wallet::JobRequest& request, Answer<channel::TxHash> done, bool second_try) {
    if (m_waiters.size() + m_after_look.size() >= kMaxWaiters)
        return done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_busy)});
    const auto accepted = m_manager.submit(request, now_ms());
    if (!accepted && accepted.error().fault == ChainFault::gas_reserve_needed && !second_try) {
        // The balance it last saw may be old: look, then ask once more.
        m_after_look.push_back([this, request, done = std::move(done)] { take(request, done, true); });
        return tick();
    }
    if (!accepted) return done(channel::Unexpected{fault_of(accepted.error().fault, accepted.error().detail)});
    m_waiters.emplace(request.id, Waiter{std::move(done), m_loop.steady_ms() + kWaitMs});
    if (*accepted) {
        m_outbox.persist(
            [id = request.id, record = m_manager.record(request.id)](Database& db) { put_tx_job(db, id, record); });
    }
    tick();
    if (!*accepted) answer_waiters(request.id);
}

void TxService::submit(const wallet::JobRequest& request) {
    submit(request, [](const Result<channel::TxHash>&) {});
}

std::map<wallet::JobStatus, std::uint64_t> TxService::count_jobs() const {
    std::map<wallet::JobStatus, std::uint64_t> out;
    for (const std::string& id : m_manager.job_ids()) ++out[m_manager.find(id)->status];
    return out;
}

void TxService::cancel_unsigned(std::string_view part_of_id) {
    for (const std::string& id : m_manager.job_ids()) {
        if (id.find(part_of_id) == std::string::npos) continue;
        if (m_manager.find(id)->status != wallet::JobStatus::queued) continue;
        if (const auto cancelled = m_manager.cancel(id); !cancelled) continue;  // it was there just now
        m_outbox.persist([id, record = m_manager.record(id)](Database& db) { put_tx_job(db, id, record); });
    }
}

void TxService::tick() {
    if (m_observing) {
        m_again = true;
        return;
    }
    m_observing = true;
    m_again = false;
    const bool posted = m_chain.post([this, alive = std::weak_ptr(m_alive), queries = m_manager.queries(now_ms()),
                                      last = m_last_view](wallet::EthClient& client) {
        auto view = wallet::observe_chain(client, queries, last.get());
        return ChainWorker::Completion([this, alive, view = std::move(view)] {
            if (!alive.expired()) observed(view);
        });
    });
    if (!posted) m_observing = false;  // the next tick tries again
}

void TxService::observed(const wallet::ChainExpected<wallet::ChainView>& view) {
    m_observing = false;
    if (view) {
        m_last_view = std::make_shared<const wallet::ChainView>(*view);
        perform(m_manager.tick(now_ms(), *view));
    }
    for (const auto& again : std::exchange(m_after_look, {})) again();
    if (view && m_again) tick();
}

void TxService::perform(const std::vector<wallet::TxAction>& actions) {
    for (const wallet::TxAction& action : actions) {
        if (const auto* persist = std::get_if<wallet::PersistJob>(&action)) {
            m_outbox.persist([job = *persist](Database& db) { put_tx_job(db, job.id, job.record); });
        } else if (const auto* forget = std::get_if<wallet::ForgetJob>(&action)) {
            m_outbox.persist([id = forget->id](Database& db) { delete_tx_job(db, id); });
        } else if (const auto* tx = std::get_if<wallet::BroadcastTx>(&action)) {
            m_outbox.when_durable([this, tx = *tx] { broadcast(tx); });
        } else if (const auto* changed = std::get_if<wallet::JobChanged>(&action)) {
            if (changed->fault)
                LOG_WARN("job", {"id", changed->id}, {"status", wallet::job_status_name(changed->status)},
                         {"fault", wallet::chain_fault_name(*changed->fault)}, {"text", changed->detail});
            m_outbox.when_durable([this, id = changed->id] {
                answer_waiters(id);
                const wallet::Job* job = m_manager.find(id);
                if (m_changed && job != nullptr) m_changed(*job);
            });
        }
    }
}

void TxService::broadcast(const wallet::BroadcastTx& tx) {
    const bool posted = m_chain.post([this, alive = std::weak_ptr(m_alive), tx](wallet::EthClient& client) {
        const std::string_view kind = std::string_view(tx.id).substr(0, tx.id.find(':'));
        failpoint("tx.stored", kind);
        auto answer = client.send_raw_transaction(tx.raw, tx.hash);
        failpoint("tx.broadcast", kind);
        return ChainWorker::Completion([this, alive, id = tx.id, answer = std::move(answer)] {
            if (alive.expired()) return;
            m_manager.broadcast_answered(id, answer);
            answer_waiters(id);
            tick();
        });
    });
    (void)posted;  // unsent: the manager broadcasts again after its interval
}

void TxService::expire() {
    const std::uint64_t now = m_loop.steady_ms();
    std::vector<Answer<channel::TxHash>> late;
    for (auto it = m_waiters.begin(); it != m_waiters.end();) {
        if (it->second.until_ms > now) {
            ++it;
            continue;
        }
        late.push_back(std::move(it->second.done));
        it = m_waiters.erase(it);
    }
    for (const auto& done : late) done(channel::Unexpected{rpc::from_rule(channel::Rule::timeout)});
}

void TxService::answer_waiters(const std::string& id) {
    const wallet::Job* job = m_manager.find(id);
    if (job == nullptr || !m_waiters.contains(id)) return;
    using wallet::JobStatus;
    const bool failed = job->status == JobStatus::failed || job->status == JobStatus::cancelled;
    if (!failed && job->status < JobStatus::broadcast) return;
    Result<channel::TxHash> answer = channel::TxHash();
    if (failed) {
        answer = channel::Unexpected{fault_of(job->fault.value_or(ChainFault::cancelled), job->detail)};
    } else {
        answer = job->mined ? job->mined->hash : job->variants.back().transaction.hash;
    }
    std::vector<Answer<channel::TxHash>> waiting;
    const auto [first, last] = m_waiters.equal_range(id);
    for (auto it = first; it != last; ++it) waiting.push_back(std::move(it->second.done));
    m_waiters.erase(first, last);
    for (const auto& done : waiting) done(answer);
}

}  // namespace hedgerow::daemon
