#include "daemon/node/disputes.h"

#include <fmt/format.h>

#include "daemon/node/peer_manager.h"
#include "daemon/node/tx_service.h"
#include "daemon/store/channel_scan.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::Channel;
using channel::ChannelId;
using channel::Party;
using wallet::TxPurpose;

namespace {

constexpr std::uint64_t kLookEveryMs = 1'000;
/// The side that did not challenge settles this much later, so that only one of the two pays for it.
constexpr std::uint64_t kSecondSettlerS = 6;
/// The side that did not ask for a close submits it this much later.
constexpr std::uint64_t kSecondCloserMs = 60'000;
/// The chain's past is searched by so many blocks a query, and so many queries a question.
constexpr std::uint64_t kPaidBlocks = 1'000;
constexpr std::size_t kPaidQueries = 16;

channel::State agreed_state(const Channel& channel) {
    if (channel.agreed.state.version != 0) return channel::typed_state(channel.agreed.state, channel.id);
    channel::State empty;  // version 0 carries no state (DESIGN 3)
    empty.channel_id = channel.id;
    return empty;
}

std::string withdraw_job(const ChannelId& id, std::uint8_t asset, channel::Amount total) {
    return fmt::format("withdraw:{}:{}:{}", channel::to_hex(id), asset, channel::format_decimal(total.raw(), 0));
}

constexpr std::string_view kRecorded = "recorded/";

std::string recorded_key(const ChannelId& id) {
    return std::string(kRecorded).append(channel::to_hex(id));
}

template <typename Map, typename Key>
std::vector<Answer<channel::TxHash>> take_waiters(Map& waiters, const Key& key) {
    std::vector<Answer<channel::TxHash>> out;
    const auto [first, last] = waiters.equal_range(key);
    for (auto it = first; it != last; ++it) out.push_back(std::move(it->second));
    waiters.erase(first, last);
    return out;
}

Answer<channel::TxHash> to_all(std::vector<Answer<channel::TxHash>> waiting) {
    return [waiting = std::move(waiting)](const Result<channel::TxHash>& result) {
        for (const auto& done : waiting) done(result);
    };
}

}  // namespace

// --- what the core wants
// ----------------------------------------------------------------------------------------------

void Disputes::challenge(const Channel& channel) {
    const channel::SignedState& agreed = channel.agreed;
    Bytes data =
        wallet::challenge_call(channel.terms, channel.secret, agreed_state(channel), channel::enforceable_signatures(channel), {});
    m_enforcer.submit(channel_job("challenge", channel.id, agreed.state.version), std::move(data), TxPurpose::defence,
                      0, [this, id = channel.id](const Result<channel::TxHash>& result) {
                          to_all(take_waiters(m_challenges, id))(result);
                      });
}

/// Who asked for a challenge hears at once where there will be none of ours: the other side's is there, or is about to
/// be mined and makes ours revert. The job goes on trying until the dispute is seen.
void Disputes::answer_forced() {
    std::vector<ChannelId> waiting;
    for (auto it = m_challenges.begin(); it != m_challenges.end(); it = m_challenges.upper_bound(it->first))
        waiting.push_back(it->first);
    for (const ChannelId& id : waiting) {
        const Channel* channel = m_parts.channels->find(id);
        const wallet::Job* job =
            m_parts.transactions->find(channel_job("challenge", id, channel->agreed.state.version));
        if (channel->dispute)
            to_all(take_waiters(m_challenges, id))(refused(channel::Rule::channel_disputed));
        else if (job != nullptr && job->status == wallet::JobStatus::queued &&
                 job->fault == wallet::ChainFault::execution_reverted)
            to_all(take_waiters(m_challenges, id))(channel::Unexpected{fault_of(*job->fault, job->detail)});
    }
}

void Disputes::respond(const Channel& channel) {
    if (!channel.dispute || channel.agreed.state.version == 0) return;  // a reorganisation was faster
    m_enforcer.respond(enforced(channel), channel.dispute->end);
}

void Disputes::close_ready(const Channel& channel, const channel::CloseReady& ready) {
    Bytes data = wallet::close_call(channel.terms, ready.close, {ready.signature_a, ready.signature_b});
    const std::string id = channel_job("close", channel.id, ready.close.version);
    auto waiting = take_waiters(m_closes, channel.id);
    if (!waiting.empty())
        return m_enforcer.submit(id, std::move(data), TxPurpose::defence, ready.close.deadline,
                                 to_all(std::move(waiting)));
    m_parts.loop.after(kSecondCloserMs,
                       [this, id, data = std::move(data), channel_id = channel.id, deadline = ready.close.deadline] {
                           const Channel* now = m_parts.channels->find(channel_id);
                           if (now->status == channel::Status::closing && m_parts.chain_time_s < deadline)
                               m_enforcer.submit(id, data, TxPurpose::defence, deadline);
                       });
}

void Disputes::close_now(const Channel& channel) {
    if (!channel.close || !channel.close->mine || !channel.close->theirs) return;
    const bool leader = channel.me == Party::A;
    close_ready(channel, {channel.close->close, leader ? *channel.close->mine : *channel.close->theirs,
                          leader ? *channel.close->theirs : *channel.close->mine});
}

void Disputes::withdraw_ready(const Channel& channel, const channel::WithdrawReady& ready) {
    const channel::Withdraw& w = ready.withdraw;
    const auto mine = m_parts.keys->sign_withdraw(w);
    auto waiting = take_waiters(m_withdrawals, WithdrawKey{channel.id, w.asset, w.total});
    if (!mine) return to_all(std::move(waiting))(refused(mine.error()));
    if (!mine->record.empty()) {
        m_parts.outbox.persist(
            [id = channel.id, record = mine->record](Database& db) { put_signing_record(db, id, record); });
    }
    const bool leader = channel.me == Party::A;
    const wallet::BothSignatures both{leader ? mine->signature : ready.theirs, leader ? ready.theirs : mine->signature};
    m_enforcer.submit(withdraw_job(channel.id, w.asset, w.total), wallet::withdraw_call(channel.terms, w, both),
                      TxPurpose::defence, w.deadline, to_all(std::move(waiting)));
}

void Disputes::status_changed(const Channel& channel) {
    if (channel.status == channel::Status::closing || channel.status == channel::Status::open) return;
    const auto rule =
        channel.status == channel::Status::closed ? channel::Rule::channel_final : channel::Rule::channel_disputed;
    to_all(take_waiters(m_closes, channel.id))(refused(rule));
    if (channel.status != channel::Status::closed) return;
    to_all(take_waiters(m_challenges, channel.id))(refused(rule));
    m_recorded.erase(channel.id);
    m_enforcer.finished(channel.id);
}

void Disputes::wait_for_challenge(const ChannelId& id, Answer<channel::TxHash> done) {
    m_challenges.emplace(id, std::move(done));
}
void Disputes::wait_for_close(const ChannelId& id, Answer<channel::TxHash> done) {
    m_closes.emplace(id, std::move(done));
}
void Disputes::wait_for_withdraw(const ChannelId& id, std::uint8_t asset, channel::Amount total,
                                 Answer<channel::TxHash> done) {
    m_withdrawals.emplace(WithdrawKey{id, asset, total}, std::move(done));
}
/// Newest blocks first: the withdrawal whose total is the first to reach what was asked for.
struct Disputes::PaidSearch {
    ChannelId id;
    channel::Address token;
    Party me = Party::A;
    channel::Amount total;
    std::uint64_t below = 0;  ///< blocks still to be searched
    Answer<channel::TxHash> done;
    // Of one question.
    std::optional<channel::TxHash> found;
    bool over = false;
    std::optional<wallet::ChainError> failure;
};

bool Disputes::answer_withdrawal(const Channel& channel, std::uint8_t asset, channel::Amount total,
                                 const Answer<channel::TxHash>& done) {
    const wallet::Job* job = nullptr;
    if (const auto name = m_enforcer.job_to_try(withdraw_job(channel.id, asset, total), 0)) job = m_parts.transactions->find(*name);
    if (job != nullptr) {
        m_parts.transactions->submit(job->request, done);
        return true;
    }
    if (channel.funds_seen.withdrawn(channel.me)[asset] < total) return false;
    auto search = std::make_shared<PaidSearch>();
    search->id = channel.id;
    search->token = channel.terms.assets[asset].token;
    search->me = channel.me;
    search->total = total;
    search->below = m_parts.height + 1;
    search->done = done;
    find_paid(search);
    return true;
}

void Disputes::find_paid(const std::shared_ptr<PaidSearch>& search) {
    const NodeOptions& options = m_parts.options;
    const bool asked = m_parts.questions->post(
        [this, search, to = options.adjudicator, first = options.adjudicator_block](wallet::EthClient& client) {
            // Only the worker touches it until its completion runs.
            for (std::size_t i = 0; i < kPaidQueries && !search->over && !search->failure; ++i) {
                const std::uint64_t last = search->below - 1;
                const std::uint64_t from = std::max(first, last - std::min(last, kPaidBlocks - 1));
                const auto logs = client.logs(wallet::LogFilter{to, {}}, from, last);
                if (!logs) {
                    search->failure = logs.error();
                    break;
                }
                search->below = from;
                search->over = from <= first;
                for (auto log = logs->rbegin(); log != logs->rend(); ++log) {
                    const auto event = wallet::decode_event(*log, to);
                    const auto* paid = event ? std::get_if<wallet::Withdrawn>(&*event) : nullptr;
                    if (paid == nullptr || paid->channel_id != search->id || paid->party != search->me ||
                        paid->token != search->token)
                        continue;
                    if (paid->total < search->total) {
                        search->over = true;
                        break;
                    }
                    search->found = log->tx_hash;
                }
            }
            return ChainWorker::Completion([this, search] {
                if (search->failure)
                    return search->done(channel::Unexpected{fault_of(search->failure->fault, search->failure->detail)});
                if (!search->over) return find_paid(search);
                if (search->found) return search->done(*search->found);
                search->done(channel::Unexpected{rpc::from_node_error(
                    rpc::NodeError::chain_unreachable, "it was paid; the chain node does not have its transaction")});
            });
        });
    if (!asked) search->done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_busy)});
}
void Disputes::stop_waiting_for_withdraw(const ChannelId& id, std::uint8_t asset, channel::Amount total,
                                         const Fault& fault) {
    to_all(take_waiters(m_withdrawals, WithdrawKey{id, asset, total}))(channel::Unexpected{fault});
}
void Disputes::stop_waiting_for_close(const ChannelId& id, const Fault& fault) {
    to_all(take_waiters(m_closes, id))(channel::Unexpected{fault});
}

// --- what the chain has
// ---------------------------------------------------------------------------------------------------

void Disputes::remember(const ChannelId& id, const channel::State& state) {
    m_recorded[id] = state;
    m_parts.outbox.persist(
        [key = recorded_key(id), value = channel::wire_encode(state)](Database& db) { put_meta(db, key, value); });
}

std::optional<channel::State> Disputes::recorded_state(const Channel& channel, std::uint64_t version) const {
    if (const auto it = m_recorded.find(channel.id); it != m_recorded.end() && it->second.version == version)
        return it->second;
    if (channel.agreed.state.version == version) return agreed_state(channel);
    return std::nullopt;
}

void Disputes::claim(const wallet::Held& held, std::uint64_t block, std::uint64_t log_index) {
    const auto owners = m_parts.keys->owners();
    if (std::find(owners.begin(), owners.end(), held.payee) == owners.end()) return;
    m_enforcer.submit(fmt::format("claim:{}:{}", block, log_index), wallet::claim_call(held.token, held.payee),
                      TxPurpose::defence, 0, {});
}

void Disputes::resume() {
    for (const auto& [id, stored] : meta_by_channel(m_parts.reader, kRecorded)) {
        if (m_parts.channels->find(id) == nullptr) continue;
        if (auto state = channel::wire_decode<channel::State>(stored)) m_recorded[id] = std::move(*state);
    }
    for (const Channel* channel : m_parts.channels->all()) {
        if (channel->status == channel::Status::closing) close_now(*channel);
        if (channel->status != channel::Status::disputed) continue;
        if (!channel->dispute)
            challenge(*channel);
        else if (channel->agreed.state.version > channel->dispute->version)
            respond(*channel);
    }
    for (const ChannelId& id : m_stored_undone.left()) resume_undone(id);
}

void Disputes::tick() {
    answer_forced();
    std::vector<const Channel*> watched = m_parts.channels->lively();
    for (const auto& [id, undone] : m_undone) {
        const Channel* channel = m_parts.channels->find(id);
        if (channel != nullptr && std::find(watched.begin(), watched.end(), channel) == watched.end()) watched.push_back(channel);
    }
    for (const Channel* channel : watched) {
        const auto undone = m_undone.find(channel->id);
        const bool disputed = channel->status == channel::Status::disputed && channel->dispute;
        if (!disputed && undone == m_undone.end()) continue;
        if (m_looking.contains(channel->id) || m_next_look_ms[channel->id] > m_parts.steady_ms) continue;
        const auto state =
            recorded_state(*channel, undone == m_undone.end() ? channel->dispute->version : undone->second.version);
        if (state)
            look(*channel, *state);
        else if (undone != m_undone.end())  // for what the contract has
            look(*channel, agreed_state(*channel));
    }
}

Enforced Disputes::enforced(const Channel& channel) const {
    Enforced out;
    out.id = channel.id;
    out.terms = channel.terms;
    out.newest = agreed_state(channel);
    out.signatures = channel::enforceable_signatures(channel);
    out.protects[static_cast<std::size_t>(channel.me)] = true;
    const bool first = channel.dispute && channel.dispute->challenger == channel.me;
    out.settle_after_s = first ? 0 : kSecondSettlerS;
    out.preimage = [this](const channel::LockHash& hash) { return find_preimage(m_parts.reader, hash); };
    return out;
}

void Disputes::look(const Channel& channel, const channel::State& state) {
    m_next_look_ms[channel.id] = m_parts.steady_ms + kLookEveryMs;
    const bool asked = m_parts.questions->post([this, id = channel.id, terms = channel.terms, state,
                                                to = m_parts.options.adjudicator](wallet::EthClient& client) {
        DisputeLook look = look_at_dispute(client, to, id, terms, state);
        return ChainWorker::Completion([this, id, look = std::move(look)] {
            m_looking.erase(id);
            const auto undone = m_undone.find(id);
            if (undone != m_undone.end()) return act_undone(id, undone->second, look);
            act(id, look);
        });
    });
    if (asked) m_looking.insert(channel.id);
}

void Disputes::act(const ChannelId& id, const DisputeLook& look) {
    const Channel* channel = m_parts.channels->find(id);
    if (look.failed || look.is_final || !channel->dispute || channel->status != channel::Status::disputed) return;
    const auto state = recorded_state(*channel, channel->dispute->version);
    if (!state || look.view.version != state->version || look.view.end == 0) return;  // an event is on its way
    m_enforcer.act(enforced(*channel), *state, look);
}

// --- an end that left the chain
// --------------------------------------------------------------------------------------------

void Disputes::end_undone(const ChannelId& id) {
    const Channel* channel = m_parts.channels->find(id);
    if (channel == nullptr || channel->status != channel::Status::closed || m_undone.contains(id)) return;
    LOG_ERROR("the confirmed end of a channel left the chain: it is brought there again", {"channel", id});
    take_undone(*channel);
    if (const auto stored = get_meta(m_parts.reader, recorded_key(id))) {
        if (auto state = channel::wire_decode<channel::State>(*stored)) m_recorded[id] = std::move(*state);
    }
}

void Disputes::end_confirmed(const ChannelId& id) {
    if (m_undone.erase(id) == 0) return;
    m_stored_undone.erase(std::span(&id, 1));
    m_recorded.erase(id);
    m_enforcer.finished(id);
}

void Disputes::resume_undone(const ChannelId& id) {
    const Channel* channel = m_parts.channels->find(id);
    if (channel != nullptr && channel->status == channel::Status::closed) take_undone(*channel);
}

void Disputes::take_undone(const Channel& channel) {
    m_stored_undone.insert(std::span(&channel.id, 1));
    m_undone[channel.id] = {m_parts.steady_ms,
                            channel.dispute ? channel.dispute->version : channel.agreed.state.version};
}

void Disputes::act_undone(const ChannelId& id, Undone& undone, const DisputeLook& look) {
    const Channel& channel = *m_parts.channels->find(id);
    if (look.failed || look.is_final) return;  // once it is deep enough, end_confirmed() is called
    if (look.view.end == 0) {
        // Its transactions are likely to be mined again by themselves.
        if (m_parts.steady_ms >= undone.since_ms + kSecondCloserMs) end_again(channel);
        return;
    }
    undone.version = look.view.version;
    const auto state = recorded_state(channel, look.view.version);
    if (state && look.current) return m_enforcer.act(enforced(channel), *state, look);
    if (channel.agreed.state.version > look.view.version && look.now_s < look.view.end)
        m_enforcer.respond(enforced(channel), look.view.end);
}

/// No dispute is left either: by the close that both signed while that holds, else from the newest state.
void Disputes::end_again(const Channel& channel) {
    const auto& close = channel.close;
    if (close && close->mine && close->theirs && m_parts.chain_time_s < close->close.deadline) {
        const bool leader = channel.me == Party::A;
        const wallet::BothSignatures both{leader ? *close->mine : *close->theirs, leader ? *close->theirs : *close->mine};
        return m_enforcer.submit(channel_job("close", channel.id, close->close.version),
                                 wallet::close_call(channel.terms, close->close, both), TxPurpose::defence,
                                 close->close.deadline);
    }
    // Who lost data may know only an old state, and would pay for challenging with it.
    if (!channel.lost_data) challenge(channel);
}

}  // namespace hedgerow::daemon
