#include "daemon/node/chain_ops.h"

#include <fmt/format.h>

#include "channel/crypto/keccak.h"
#include "daemon/node/disputes.h"
#include "daemon/node/opening.h"
#include "daemon/node/tower_client.h"
#include "daemon/node/tx_service.h"
#include "daemon/store/failpoint.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/erc20.h"
#include "wallet/chain/eth_client.h"

namespace hedgerow::daemon {

using channel::Address;
using channel::Amount;
using channel::Channel;
using channel::ChannelId;
using channel::Rule;
using channel::TxHash;
using channel::U256;

namespace {

constexpr std::uint64_t kCloseDeadlineS = 3'600;
constexpr std::uint64_t kWithdrawDeadlineS = 3'600;

U256 raw(Amount amount) {
    return U256(static_cast<channel::Uint128>(amount.raw()));
}

Rule check_amount(Amount amount) {
    if (amount.sign() <= 0) return Rule::amount_must_be_positive;
    return amount.within_bits(channel::kNetBits) ? Rule::none : Rule::amount_out_of_range;
}

template <typename... T>
channel::Hash request_hash(const T&... parts) {
    channel::Writer out;
    (channel::wire_write(out, parts), ...);
    return channel::keccak256(out.bytes());
}

U256 all_ones() {
    std::array<std::uint8_t, 32> bytes;
    bytes.fill(0xff);
    return U256::from_be(bytes);
}

}  // namespace

bool ChainOps::valid_ref(const ClientRef& ref) {
    return ref.size() <= 64 && std::all_of(ref.begin(), ref.end(), [](char c) { return c > ' ' && c < 127; });
}

std::string ChainOps::fresh_id(std::string_view what, const ClientRef& ref) {
    if (!ref.empty()) return fmt::format("ref:{}", ref);
    return fmt::format("{}:{}:{}", what, m_parts.now_ms, ++m_counter);
}

const Channel* ChainOps::usable(const ChannelId& id, Rule& rule) const {
    const Channel* channel = m_parts.channels->find(id);
    rule = Rule::none;
    if (channel == nullptr)
        rule = Rule::channel_unknown;
    else if (channel->status == channel::Status::closed)
        rule = Rule::channel_final;
    else if (channel->status == channel::Status::disputed)
        rule = Rule::channel_disputed;
    else if (channel->status == channel::Status::opening)
        rule = Rule::channel_not_open;
    else if (m_parts.keys->locked())
        rule = Rule::wallet_locked;
    return channel;
}

bool ChainOps::answered_before(const ClientRef& ref, const char* kind, const channel::Hash& request,
                               const Answer<TxHash>& done) {
    if (ref.empty()) return false;
    if (const auto live = m_under_way.find(ref); live != m_under_way.end()) {
        done(refused(live->second == request ? Rule::timeout : Rule::client_ref_reused));
        return true;
    }
    const auto row = m_parts.refs.find(ref);
    if (!row) {
        m_under_way[ref] = request;
        return false;
    }
    if (row->kind != kind || row->request != request) {
        done(refused(Rule::client_ref_reused));
        return true;
    }
    const auto tx = TxHash::from(row->result);
    if (row->outcome == RefOutcome::done && tx) {
        done(*tx);
        return true;
    }
    m_under_way[ref] = request;
    return false;
}

void ChainOps::finish_ref(const ClientRef& ref, const char* kind, const channel::Hash& request, const ChannelId& id,
                          TxHash tx) {
    if (ref.empty()) return;
    ClientRefRow row{ref,          kind,       request, RefOutcome::done, id, std::nullopt,
                     std::nullopt, Rule::none, {},      m_parts.now_ms};
    row.result.assign(tx.data.begin(), tx.data.end());
    m_parts.refs.put(row);
}

// --- opening
// ----------------------------------------------------------------------------------------------------------

void ChainOps::open_channel(const OpenOrder& order, Answer<OpenedChannel> done) {
    if (!valid_ref(order.client_ref)) return done(refused(Rule::field_out_of_range));
    channel::Writer out;
    channel::wire_write(out, order.peer);
    for (const DepositOrder& d : order.deposits) {
        channel::wire_write(out, static_cast<std::uint64_t>(d.asset));
        channel::wire_write(out, d.amount);
    }
    const channel::Hash request = channel::keccak256(out.bytes());
    const ClientRef ref = order.client_ref;
    if (order.towers) {
        if (const auto fits = m_parts.towers->check_policy(order.peer, *order.towers); !fits)
            return done(channel::Unexpected{fits.error()});
    }
    if (!ref.empty()) {
        const auto row = m_parts.refs.find(ref);
        if (m_under_way.contains(ref))
            return done(refused(m_under_way[ref] == request ? Rule::timeout : Rule::client_ref_reused));
        if (row && (row->kind != "open" || row->request != request)) return done(refused(Rule::client_ref_reused));
        if (row && row->channel) return done(OpenedChannel{*row->channel, std::nullopt});
        m_under_way[ref] = request;
    }
    Deposits deposits;
    for (std::size_t i = 0; i < order.deposits.size() && i < channel::kMaxAssets; ++i) {
        deposits.push_back(
            {static_cast<std::uint8_t>(i), order.deposits[i].amount});  // the channel lists them in this order first
    }
    m_openings.open(order, [this, deposits, ref, request, towers = order.towers, done = std::move(done)](const Result<ChannelId>& id) {
        if (!id) return answer_durably(ref, [done, error = id.error()] { done(channel::Unexpected{error}); });
        if (towers) {
            const auto set = m_parts.towers->set_policy(*id, *towers);
            if (!set) LOG_WARN("towers of the channel not set", {"channel", *id}, {"error", set.error().name});
        }
        // The row makes the deposits happen even if we crash now: they are jobs named after the channel.
        ClientRefRow row{ref.empty() ? fmt::format("open:{}", channel::to_hex(*id)) : ref,
                         "open",
                         request,
                         RefOutcome::pending,
                         *id,
                         std::nullopt,
                         std::nullopt,
                         Rule::none,
                         channel::wire_encode(deposits),
                         m_parts.now_ms};
        m_parts.refs.put(row);
        answer_durably(ref, [] {});
        opened(*id, deposits, row.ref, done);
    });
}

/// A reference is under way until what it did is durable: before, the store does not know it yet.
void ChainOps::answer_durably(const ClientRef& ref, std::function<void()> answer) {
    m_parts.outbox.when_durable([this, ref, answer = std::move(answer)] {
        m_under_way.erase(ref);
        failpoint("chain_ops.before_answer");
        answer();
    });
}

void ChainOps::opened(const ChannelId& id, const Deposits& deposits, const ClientRef& ref, Answer<OpenedChannel> done) {
    deposit_all(id, deposits, [this, id, ref, done = std::move(done)](const Result<TxHash>& tx) {
        if (auto row = m_parts.refs.find(ref)) {
            row->outcome = RefOutcome::done;
            m_parts.refs.put(*row);
        }
        if (!done) return;
        if (!tx) return done(channel::Unexpected{tx.error()});
        done(OpenedChannel{id, *tx});
    });
}

void ChainOps::resume() {
    for (const ClientRefRow& row : pending_client_refs(m_parts.reader)) {
        if (row.kind != "open" || !row.channel) continue;
        const auto deposits = channel::wire_decode<Deposits>(row.result);
        if (deposits) opened(*row.channel, *deposits, row.ref, {});
    }
}

void ChainOps::deposit_all(const ChannelId& id, const Deposits& deposits, Answer<TxHash> first) {
    for (std::size_t i = 0; i < deposits.size(); ++i) {
        const std::string job = fmt::format("open:{}:{}", channel::to_hex(id), deposits[i].asset);
        Answer<TxHash> log = [id](const Result<TxHash>& tx) {
            if (!tx)
                LOG_WARN("deposit failed", {"channel", id}, {"error", tx.error().name}, {"text", tx.error().message});
        };
        deposit_job(job, id, deposits[i].asset, deposits[i].amount, i == 0 ? std::move(first) : std::move(log));
    }
}

// --- deposits
// -------------------------------------------------------------------------------------------------------------

void ChainOps::deposit(const ChannelId& id, std::size_t asset_index, Amount amount, const ClientRef& ref,
                       Answer<TxHash> done) {
    Rule rule = Rule::none;
    const Channel* channel = usable(id, rule);
    if (rule == Rule::none && !valid_ref(ref)) rule = Rule::field_out_of_range;
    if (rule == Rule::none && asset_index >= channel->terms.assets.size()) rule = Rule::asset_out_of_range;
    if (rule == Rule::none) rule = check_amount(amount);
    if (rule != Rule::none) return done(refused(rule));
    deposit_job(fresh_id("deposit", ref), id, static_cast<std::uint8_t>(asset_index), amount, std::move(done));
}

void ChainOps::deposit_job(const std::string& job, const ChannelId& id, std::uint8_t asset, Amount amount,
                           Answer<TxHash> done) {
    const Channel* channel = m_parts.channels->find(id);
    const Address token = channel->terms.assets[asset].token;
    channel::Bytes data = wallet::deposit_call(id, channel->me, token, amount);
    const Address& to = m_parts.options.adjudicator;
    if (const wallet::Job* known = m_parts.transactions->find(job)) {
        if (known->request.to != to || known->request.data != data) return done(refused(Rule::client_ref_reused));
        return m_parts.transactions->submit(known->request, std::move(done));
    }
    if (token.is_zero()) return submit(job, to, std::move(data), raw(amount), {}, std::move(done));
    with_allowance(token, amount,
                   [this, job, to, data = std::move(data), done = std::move(done)](const Result<std::string>& after) {
                       if (!after) return done(channel::Unexpected{after.error()});
                       submit(job, to, data, U256(), *after, done);
                   });
}

/// The contract takes tokens only from who calls it, and nobody owns it: one unlimited approval a token serves for
/// good.
void ChainOps::with_allowance(const Address& token, Amount amount, std::function<void(Result<std::string>)> ready) {
    if (m_approving.contains(token)) {
        m_approving.emplace(token, std::move(ready));
        return;
    }
    const bool asked = m_parts.questions->post([this, token, amount, ready, owner = m_parts.keys->owners().front(),
                                                spender = m_parts.options.adjudicator](wallet::EthClient& client) {
        wallet::CallRequest request;
        request.to = token;
        request.data = wallet::erc20_allowance_call(owner, spender);
        const auto answer = client.call(request);
        auto allowance = answer ? wallet::read_uint256(*answer) : channel::Unexpected{answer.error()};
        return ChainWorker::Completion([this, token, amount, ready, allowance = std::move(allowance)] {
            if (!allowance)
                return ready(channel::Unexpected{fault_of(allowance.error().fault, allowance.error().detail)});
            if (*allowance >= raw(amount)) return ready(std::string());
            approve(token, ready);
        });
    });
    if (!asked) ready(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_busy)});
}

void ChainOps::approve(const Address& token, std::function<void(Result<std::string>)> ready) {
    const bool first = !m_approving.contains(token);
    m_approving.emplace(token, std::move(ready));
    if (!first) return;
    const std::string job = fresh_id(fmt::format("approve:{}", channel::to_hex(token)), {});
    submit(job, token, wallet::erc20_approve_call(m_parts.options.adjudicator, all_ones()), U256(), {},
           [this, token, job](const Result<TxHash>& tx) {
               std::vector<std::function<void(Result<std::string>)>> waiting;
               const auto [begin, end] = m_approving.equal_range(token);
               for (auto it = begin; it != end; ++it) waiting.push_back(std::move(it->second));
               m_approving.erase(begin, end);
               for (const auto& go : waiting)
                   go(tx ? Result<std::string>(job) : Result<std::string>(channel::Unexpected{tx.error()}));
           });
}

void ChainOps::submit(const std::string& id, const Address& to, channel::Bytes data, const U256& value,
                      const std::string& after, Answer<TxHash> done) {
    wallet::JobRequest job;
    job.id = id;
    job.to = to;
    job.data = std::move(data);
    job.value = value;
    job.after = after;
    m_parts.transactions->submit(job, std::move(done));
}

// --- withdrawals and closes
// -----------------------------------------------------------------------------------------------

void ChainOps::withdraw(const ChannelId& id, std::size_t asset_index, Amount amount, const ClientRef& ref,
                        Answer<TxHash> done) {
    Rule rule = Rule::none;
    const Channel* channel = usable(id, rule);
    if (rule == Rule::none && !valid_ref(ref)) rule = Rule::field_out_of_range;
    if (rule == Rule::none && asset_index >= channel->terms.assets.size()) rule = Rule::asset_out_of_range;
    if (rule == Rule::none) rule = check_amount(amount);
    if (rule != Rule::none) return done(refused(rule));
    const auto asset = static_cast<std::uint8_t>(asset_index);
    const channel::Hash request = request_hash(id, asset, amount);
    if (answered_before(ref, "withdraw", request, done)) return;
    const std::optional<channel::WithdrawOp> begun = begun_withdrawal(*channel, ref);
    const channel::WithdrawOp op = begun ? *begun : fresh_withdrawal(*channel, asset, amount);
    const auto answer = [this, id, ref, request, done](const Result<TxHash>& tx) {
        if (tx) finish_ref(ref, "withdraw", request, id, *tx);
        answer_durably(ref, [done, tx] { done(tx); });
    };
    // Begun before a stop, and gone further than its caller heard.
    if (begun && m_disputes.answer_withdrawal(*channel, asset, op.total, answer)) return;
    if (!ref.empty()) note_withdrawal(ref, request, id, RefOutcome::pending, op);
    m_disputes.wait_for_withdraw(id, asset, op.total, answer);
    // No caller's, for it has spaces. One that was refused never happens, and the next try is another op with a later deadline.
    const ClientRef op_ref = ref.empty() ? ClientRef() : fmt::format("withdraw {} {}", ref, op.deadline);
    m_parts.channels->submit(id, op, op_ref, [this, id, ref, request, op](const Result<OpDone>& result) {
        if (result) return;
        if (!ref.empty()) note_withdrawal(ref, request, id, RefOutcome::refused, op);
        m_disputes.stop_waiting_for_withdraw(id, op.asset, op.total, result.error());
    });
}

channel::WithdrawOp ChainOps::fresh_withdrawal(const Channel& channel, std::uint8_t asset, Amount amount) const {
    const Amount before =
        std::max(channel.funds_seen.withdrawn(channel.me)[asset], channel.funds_peer.withdrawn(channel.me)[asset]);
    channel::WithdrawOp op;
    op.party = channel.me;
    op.asset = asset;
    op.total = before + amount;
    op.deadline = std::max(m_parts.now_ms / 1'000, m_parts.chain_time_s) + kWithdrawDeadlineS;
    return op;
}

/// The op of a withdrawal that a stop, or a time-out, came between; none where it can no longer happen.
std::optional<channel::WithdrawOp> ChainOps::begun_withdrawal(const Channel& channel, const ClientRef& ref) const {
    const auto row = ref.empty() ? std::nullopt : m_parts.refs.find(ref);
    if (!row || row->outcome != RefOutcome::pending) return std::nullopt;
    const auto op = channel::wire_decode<channel::WithdrawOp>(row->result);
    if (!op) throw StoreError(StoreErrorKind::corrupt, "client_refs.result");
    const bool late = m_parts.confirmed_chain_time_s >= op->deadline;
    if (late && channel.funds_seen.withdrawn(channel.me)[op->asset] < op->total) return std::nullopt;
    return *op;
}

/// The op itself is kept, so that the same reference asks for the same total again, never for as much once more.
void ChainOps::note_withdrawal(const ClientRef& ref, const channel::Hash& request, const ChannelId& id,
                               RefOutcome outcome, const channel::WithdrawOp& op) {
    const ClientRefRow row{ref,          "withdraw", request, outcome, id, std::nullopt, std::nullopt, Rule::none,
                           channel::wire_encode(op), m_parts.now_ms};
    m_parts.refs.put(row);
}

void ChainOps::close(const ChannelId& id, const ClientRef& ref, Answer<TxHash> done) {
    Rule rule = Rule::none;
    const Channel* channel = usable(id, rule);
    if (rule == Rule::none && !valid_ref(ref)) rule = Rule::field_out_of_range;
    if (rule != Rule::none) return done(refused(rule));
    const channel::Hash request = request_hash(id);
    if (answered_before(ref, "close", request, done)) return;
    m_disputes.wait_for_close(id, [this, id, ref, request, done](const Result<TxHash>& tx) {
        if (tx) finish_ref(ref, "close", request, id, *tx);
        answer_durably(ref, [done, tx] { done(tx); });
    });
    // Agreed already, before a stop perhaps: whoever asks now need not wait for the other side to bring it to the chain.
    if (channel->status == channel::Status::closing) return m_disputes.close_now(*channel);
    const channel::CloseOp op{std::max(m_parts.now_ms / 1'000, m_parts.chain_time_s) + kCloseDeadlineS};
    m_parts.channels->submit(id, op, {}, [this, id](const Result<OpDone>& result) {
        if (!result) m_disputes.stop_waiting_for_close(id, result.error());
    });
}

void ChainOps::force_close(const ChannelId& id, Answer<TxHash> done) {
    const Channel* channel = m_parts.channels->find(id);
    Rule rule = Rule::none;
    if (channel == nullptr)
        rule = Rule::channel_unknown;
    else if (channel->status == channel::Status::closed)
        rule = Rule::channel_final;
    else if (channel->status == channel::Status::recovering)
        rule = Rule::channel_recovering;
    else if (channel->dispute)
        rule = Rule::channel_disputed;
    if (rule != Rule::none) return done(refused(rule));
    m_disputes.wait_for_challenge(id, std::move(done));
    if (channel->status == channel::Status::disputed)
        return m_disputes.challenge(*channel);  // asked before; the same job
    m_parts.channels->feed(id, channel::ForceClose{});
}

// --- the wallet's own money
// -------------------------------------------------------------------------------------------------

void ChainOps::send(const Address& to, std::size_t asset, Amount amount, const ClientRef& ref, Answer<TxHash> done) {
    Rule rule = check_amount(amount);
    if (asset >= m_parts.options.assets.size()) rule = Rule::asset_out_of_range;
    if (!valid_ref(ref)) rule = Rule::field_out_of_range;
    if (m_parts.keys->locked()) rule = Rule::wallet_locked;
    if (rule != Rule::none) return done(refused(rule));
    const Address token = m_parts.options.assets[asset].token;
    const std::string id = fresh_id("send", ref);
    if (token.is_zero()) return submit(id, to, {}, raw(amount), {}, std::move(done));
    submit(id, token, wallet::erc20_transfer_call(to, raw(amount)), U256(), {}, std::move(done));
}

void ChainOps::balance(Answer<std::vector<WalletBalance>> done) {
    const std::uint64_t depth = m_parts.options.confirmations;
    const bool asked = m_parts.questions->post([done, depth, assets = m_parts.options.assets, height = m_parts.height,
                                                owner = m_parts.keys->owners().front()](wallet::EthClient& client) {
        Result<std::vector<WalletBalance>> result = std::vector<WalletBalance>();
        const wallet::BlockTag deep = wallet::BlockTag::at(height >= depth ? height - depth + 1 : 0);
        for (const AssetInfo& asset : assets) {
            const auto at = [&](wallet::BlockTag tag) -> wallet::ChainExpected<U256> {
                if (asset.token.is_zero()) return client.balance(owner, tag);
                wallet::CallRequest request;
                request.to = asset.token;
                request.data = wallet::erc20_balance_of_call(owner);
                const auto answer = client.call(request, tag);
                if (!answer) return channel::Unexpected{answer.error()};
                return wallet::read_uint256(*answer);
            };
            const auto newest = at(wallet::BlockTag::latest());
            auto confirmed = at(deep);
            // A token that was not deployed yet, back then, answers nothing: nobody held any.
            if (!confirmed && confirmed.error().fault == wallet::ChainFault::chain_response_unexpected)
                confirmed = U256();
            if (!newest || !confirmed) {
                const wallet::ChainError& error = newest ? confirmed.error() : newest.error();
                result = channel::Unexpected{fault_of(error.fault, error.detail)};
                break;
            }
            result->push_back({asset, *confirmed, channel::I256(false, *newest) - channel::I256(false, *confirmed)});
        }
        return ChainWorker::Completion([done, result = std::move(result)] { done(result); });
    });
    if (!asked) done(channel::Unexpected{rpc::from_node_error(rpc::NodeError::node_busy)});
}

}  // namespace hedgerow::daemon
