#include "tests/sim/checkers.h"

#include <fmt/format.h>

#include "channel/crypto/keccak.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"

namespace hedgerow::sim {

using channel::Update;

namespace {

std::string short_id(const ChannelId& id) {
    return channel::to_hex(id).substr(0, 10);
}

std::string text_of(std::span<const Amount> amounts) {
    std::string out = "[";
    for (const Amount amount : amounts) out += channel::format_decimal(amount.raw(), 0) + " ";
    return out + "]";
}

bool same_content(const Update& a, const Update& b) {
    return a.version == b.version && a.base == b.base && a.timestamp_ms == b.timestamp_ms && a.ops == b.ops;
}

}  // namespace

// --- the wire
// ---------------------------------------------------------------------------------------------------------------

std::optional<Party> Checkers::party_of(const WitnessedChannel& channel, const NodeId& node) const {
    if (channel.of(Party::A) == node) return Party::A;
    if (channel.of(Party::B) == node) return Party::B;
    return std::nullopt;
}

void Checkers::raise(WitnessedChannel& channel, Party party, std::uint64_t version) {
    std::uint64_t& known = channel.enforceable[static_cast<std::size_t>(party)];
    known = std::max(known, version);
}

void Checkers::on_frame(const NodeId& from, const NodeId& to, channel::ByteView frame) {
    const auto message = channel::wire_decode<channel::PeerMessage>(frame);
    // What a liar signs is its own affair; but the channel that it opens in earnest is the other's too.
    if (m_liars.contains(from)) {
        if (message && std::holds_alternative<channel::OpenConfirm>(*message)) saw(from, to, std::get<channel::OpenConfirm>(*message));
        return;
    }
    if (!message) return m_verdict.fail("an honest node sent a frame that does not decode");
    ++m_counts.frames;
    if (m_receipts.is_tower(from)) {
        return m_receipts.on_frame(from, to, *message, m_queue.now_ms(),
                                   [this](const ChannelId& id) { return is_over(id); });
    }
    if (const auto* confirm = std::get_if<channel::OpenConfirm>(&*message)) return saw(from, to, *confirm);
    const auto channel_named = [&](const ChannelId& id) -> WitnessedChannel* {
        const auto found = m_channels.find(id);
        return found == m_channels.end() ? nullptr : &found->second;
    };
    if (const auto* update = std::get_if<Update>(&*message)) {
        if (WitnessedChannel* channel = channel_named(update->channel)) saw(*channel, from, *update);
    } else if (const auto* ack = std::get_if<channel::Ack>(&*message)) {
        WitnessedChannel* channel = channel_named(ack->channel);
        if (channel == nullptr) return;
        saw_state_signature(*channel, ack->channel, Party::B, ack->version, ack->signature);
        raise(*channel, Party::B, ack->version);
    } else if (const auto* again = std::get_if<channel::Reestablish>(&*message)) {
        WitnessedChannel* channel = channel_named(again->channel);
        const auto party = channel == nullptr ? std::nullopt : party_of(*channel, from);
        if (!party || !again->signature) return;
        saw_state_signature(*channel, again->channel, *party, again->agreed, *again->signature);
        raise(*channel, *party, again->agreed);
    } else if (const auto* close = std::get_if<channel::CloseSignature>(&*message)) {
        WitnessedChannel* channel = channel_named(close->close.channel_id);
        const auto party = channel == nullptr ? std::nullopt : party_of(*channel, from);
        if (party) saw_close_signature(*channel, *party, *close);
    }
}

void Checkers::saw(const NodeId& from, const NodeId& to, const channel::OpenConfirm& confirm) {
    const ChannelId id = channel::channel_id_of(confirm.terms, m_chain.rules().separator);
    const auto [known, is_new] = m_channels.try_emplace(id);
    if (!is_new) return;
    known->second.terms = confirm.terms;
    known->second.node = {to, from};
    m_receipts.know(id, confirm.secret);
}

void Checkers::saw(WitnessedChannel& channel, const NodeId& from, const Update& update) {
    if (from != channel.of(Party::A)) return m_verdict.fail("a follower sent an update");
    ++m_counts.updates;
    const auto [known, is_new] = channel.updates.try_emplace(update.version, update);
    if (!is_new && !same_content(known->second, update)) {
        m_verdict.fail(fmt::format("channel {}: two updates of version {}", short_id(update.channel), update.version));
    }
    if (update.signature) saw_state_signature(channel, update.channel, Party::A, update.version, *update.signature);
}

/// RFC 6979: one digest has one signature of a key, so two signatures are two states.
void Checkers::saw_state_signature(WitnessedChannel& channel, const ChannelId& id, Party by, std::uint64_t version,
                                   const channel::Signature& signature) {
    ++m_counts.signatures;
    const auto [known, is_new] = channel.signed_states.try_emplace({by, version}, signature);
    if (!is_new && known->second != signature) {
        m_verdict.fail(fmt::format("channel {}: {} signed two states of version {}", short_id(id),
                                   channel::party_name(by), version));
    }
    if (channel.signed_closes.contains({by, version})) {
        m_verdict.fail(fmt::format("channel {}: {} signed a state of a close's version {}", short_id(id),
                                   channel::party_name(by), version));
    }
}

void Checkers::saw_close_signature(WitnessedChannel& channel, Party by, const channel::CloseSignature& signature) {
    const ChannelId& id = signature.close.channel_id;
    const std::uint64_t version = signature.close.version;
    const auto [known, is_new] = channel.signed_closes.try_emplace({by, version}, signature);
    if (!is_new && known->second.signature != signature.signature) {
        m_verdict.fail(fmt::format("channel {}: {} signed two closes of version {}", short_id(id),
                                   channel::party_name(by), version));
    }
    if (channel.signed_states.contains({by, version})) {
        m_verdict.fail(fmt::format("channel {}: {} signed a close of a state's version {}", short_id(id),
                                   channel::party_name(by), version));
    }
}

// --- what users were told
// ---------------------------------------------------------------------------------------------------

void Checkers::on_payment_asked(const std::string& memo, const NodeId& payer, const ChannelId& channel) {
    m_promises.try_emplace(memo, Promise{payer, channel, Promise::Told::nothing, 0});
}

void Checkers::on_payment_done(const std::string& memo, std::uint64_t version) {
    Promise& promise = m_promises.at(memo);
    ++m_counts.payments_done;
    if (promise.told == Promise::Told::refused)
        m_verdict.fail(fmt::format("payment {}: first refused, then done", memo));
    if (promise.told == Promise::Told::done && promise.version != version)
        m_verdict.fail(fmt::format("payment {}: done in version {} and in {}", memo, promise.version, version));
    promise.told = Promise::Told::done;
    promise.version = version;
    check_held(memo, promise);
    const auto found = m_channels.find(promise.channel);
    const auto party = found == m_channels.end() ? std::nullopt : party_of(found->second, promise.payer);
    if (party) raise(found->second, *party, version);
}

void Checkers::on_payment_refused(const std::string& memo) {
    Promise& promise = m_promises.at(memo);
    if (promise.told == Promise::Told::done)
        m_verdict.fail(fmt::format("payment {}: first done, then refused", memo));
    promise.told = Promise::Told::refused;
}

// --- conservation
// -----------------------------------------------------------------------------------------------------------

void Checkers::check_conservation() {
    const ChainState& now = m_chain.state();
    const ChainState& genesis = *m_chain.block(0)->after;
    U256 coins = now.burned;
    U256 coins_before;
    for (const auto& [account, amount] : now.coins) coins = coins + amount;
    for (const auto& [account, amount] : genesis.coins) coins_before = coins_before + amount;
    if (coins != coins_before) m_verdict.fail("conservation: coins appeared or vanished");
    std::map<Address, U256> owed;
    for (const auto& [key, held] : now.holdings) {
        if (held.is_final) continue;
        const Amount total = held.totals.total();
        if (total.sign() < 0) {
            m_verdict.fail("conservation: a channel paid out more than it took in");
            continue;
        }
        owed[key.second] = owed[key.second] + U256(static_cast<channel::Uint128>(total.raw()));
    }
    for (const auto& [key, amount] : now.claimable) owed[key.first] = owed[key.first] + amount;
    for (const auto& [token, decimals] : m_chain.rules().tokens) {
        U256 total;
        U256 total_before;
        for (const auto& [key, amount] : now.tokens) {
            if (key.first == token) total = total + amount;
        }
        for (const auto& [key, amount] : genesis.tokens) {
            if (key.first == token) total_before = total_before + amount;
        }
        if (total != total_before) m_verdict.fail("conservation: tokens appeared or vanished");
        const auto held = now.tokens.find({token, m_chain.rules().contract});
        if ((held == now.tokens.end() ? U256() : held->second) != owed[token])
            m_verdict.fail("conservation: the contract does not hold what it owes");
    }
    const auto held = now.coins.find(m_chain.rules().contract);
    if ((held == now.coins.end() ? U256() : held->second) != owed[Address()])
        m_verdict.fail("conservation: the contract does not hold the coins that it owes");
}

// --- outcomes
// ---------------------------------------------------------------------------------------------------------------

std::uint64_t Checkers::locks_end_s(const ChannelId& id) const {
    std::uint64_t out = 0;
    const OnChain end = read_chain()[id];
    if (!end.recorded) return 0;
    for (const channel::Lock& lock : end.recorded->locks) out = std::max(out, lock.expiry);
    return out;
}

std::map<ChannelId, Checkers::OnChain> Checkers::read_chain() const {
    std::map<ChannelId, OnChain> out;
    for (std::uint64_t number = 0; number <= m_chain.height(); ++number) {
        const Block& block = *m_chain.block(number);
        for (const MinedTx& tx : block.transactions) {
            for (const wallet::LogEntry& log : tx.logs) {
                const auto event = wallet::decode_event(log, m_chain.rules().contract);
                ASSERT(event.has_value());
                const auto id = wallet::event_channel(*event);
                if (!id) continue;
                OnChain& end = out[*id];
                if (const auto* challenge = std::get_if<wallet::Challenged>(&*event)) {
                    end.recorded = challenge->state;
                    end.challenged = true;
                    end.challenged_version = challenge->state.version;
                    end.challenged_at = block.header.timestamp;
                    end.dispute_end = challenge->end;
                    end.challenger = challenge->challenger;
                } else if (const auto* respond = std::get_if<wallet::Responded>(&*event)) {
                    end.recorded = respond->state;
                } else if (const auto* settled = std::get_if<wallet::Settled>(&*event)) {
                    end.is_final = true;
                    end.version = settled->version;
                    end.final_at = block.header.timestamp;
                    end.paid_a = settled->paid_a;
                    end.paid_b = settled->paid_b;
                } else if (const auto* closed = std::get_if<wallet::Closed>(&*event)) {
                    end.is_final = end.by_close = true;
                    end.version = closed->version;
                    end.final_at = block.header.timestamp;
                    end.paid_a = closed->paid_a;
                    end.paid_b = closed->paid_b;
                }
            }
        }
    }
    return out;
}

void Checkers::check_outcomes(const TruePrice& truth) {
    const auto ends = read_chain();
    check_deposits(ends);
    for (const auto& [id, channel] : m_channels) {
        const auto end = ends.find(id);
        if (end == ends.end()) continue;  // nothing was ever deposited
        if (!end->second.is_final) {
            m_verdict.fail(fmt::format("channel {}: not final at the end of the world", short_id(id)));
            continue;
        }
        if (end->second.by_close) {
            check_closed(id, channel, end->second);
        } else {
            check_settled(id, channel, end->second, truth);
        }
    }
}

void Checkers::check_closed(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end) {
    ++m_counts.closed;
    for (const Party party : {Party::A, Party::B}) {
        if (!is_honest(channel.of(party))) continue;
        const auto close = channel.signed_closes.find({party, end.version});
        if (close == channel.signed_closes.end()) {
            m_verdict.fail(fmt::format("channel {}: closed at version {} that {} never signed", short_id(id),
                                       end.version, channel::party_name(party)));
            continue;
        }
        const std::uint64_t holds = channel.enforceable[static_cast<std::size_t>(party)];
        if (holds >= end.version) {
            m_verdict.fail(fmt::format("channel {}: closed at version {}, {} holds {}", short_id(id), end.version,
                                       channel::party_name(party), holds));
        }
        // A side that lost data closes far above what it remembers, without an update before it (spec 6.10): then the
        // newest state that either holds is what it must pay.
        const std::uint64_t newest = std::max(channel.enforceable[0], channel.enforceable[1]);
        const std::uint64_t paid = channel.updates.contains(end.version - 1) ? end.version - 1 : newest;
        check_net(id, channel, paid, close->second.close.net);
        check_payments(id, channel, paid);
        return;
    }
}

void Checkers::check_settled(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end,
                             const TruePrice& truth) {
    ++m_counts.settled;
    const channel::State& state = *end.recorded;
    if (state.version != end.version)
        return m_verdict.fail(fmt::format("channel {}: settled at another version than recorded", short_id(id)));
    if (end.version > end.challenged_version) ++m_counts.disputes_answered;
    for (const Party party : {Party::A, Party::B}) {
        if (!is_honest(channel.of(party))) continue;
        check_enforced(id, channel, end, party);
        const std::uint64_t lead = channel::dispute_lead(end.version, end.challenged_version);
        if (end.challenger == party && channel::is_stale(party, lead)) {
            m_verdict.fail(fmt::format("channel {}: honest {} challenged with {}, {} was newer, and pays the penalty",
                                       short_id(id), channel::party_name(party), end.challenged_version, end.version));
        }
    }
    check_locks(id, channel, end);
    // The same arithmetic on facts that are not the chain's: the true prices, and the holdings before the settlement.
    std::vector<channel::Holdings> holdings;
    for (const channel::Asset& asset : channel.terms.assets) {
        const auto held = m_chain.state().holdings.find({id, asset.token});
        holdings.push_back(held == m_chain.state().holdings.end() ? channel::Holdings() : held->second.totals);
    }
    const auto registered = [&](const channel::LockHash& hash) {
        const auto found = m_chain.state().revealed_at.find(hash);
        return found == m_chain.state().revealed_at.end() ? std::uint64_t{0} : found->second;
    };
    const channel::OpenDispute dispute{end.dispute_end, channel::dispute_lead(end.version, end.challenged_version),
                                       end.challenger};
    for (const Party party : {Party::A, Party::B}) {
        if (was_away(channel.of(party), end)) let_go(channel.of(party), id, promised_in_time(id, party, end));
    }
    const auto answer =
        channel::settle_at(channel.terms, state, holdings, dispute, end.final_at, truth, registered);
    ++m_counts.recomputed;
    if (answer.status == channel::SettleStatus::waits_for_end)
        m_verdict.fail(fmt::format("channel {}: settled before it was due", short_id(id)));
    const bool differs = answer.result.a != end.paid_a || answer.result.b != end.paid_b;
    if (differs && was_defended(id, channel, end)) {
        m_verdict.fail(fmt::format("channel {}: version {} pays A {} B {}, at the true prices A {} B {}", short_id(id),
                                   end.version, text_of(end.paid_a), text_of(end.paid_b), text_of(answer.result.a),
                                   text_of(answer.result.b)));
    }
    if (end.version != 0 && is_honest(channel.of(Party::A))) {
        check_net(id, channel, end.version, state.net);
        check_payments(id, channel, end.version);
        check_unclamped(id, channel, state, holdings, registered);
    }
}

/// Without trades nobody's balance can leave what is held: that would be money spent twice, which the other side misses.
void Checkers::check_unclamped(const ChannelId& id, const WitnessedChannel& channel, const channel::State& state,
                               std::span<const channel::Holdings> holdings,
                               const std::function<std::uint64_t(const channel::LockHash&)>& registered) {
    const auto updates = lineage(channel, state.version);
    if (!updates) return;
    for (const Update* update : *updates) {
        for (const channel::OpEntry& entry : update->ops) {
            if (std::holds_alternative<channel::TradeOp>(entry.op)) return;
        }
    }
    for (std::size_t i = 0; i < holdings.size(); ++i) {
        Amount a = holdings[i].deposit_a - holdings[i].withdrawn_a - state.net[i];
        for (const channel::Lock& lock : state.locks) {
            if (lock.asset == i && channel::is_lock_executed(lock, registered(lock.hash))) a -= lock.amount;
        }
        if (a.sign() >= 0 && a <= holdings[i].total()) continue;
        m_verdict.fail(fmt::format("channel {}: at version {} A has {} of {} units of asset {}: spent twice",
                                   short_id(id), state.version, channel::format_decimal(a.raw(), 0),
                                   channel::format_decimal(holdings[i].total().raw(), 0), i));
    }
}

/// A deposit is made once however often it is asked for, and is made where its user was told so in time.
void Checkers::check_deposits(const std::map<ChannelId, OnChain>& ends) {
    constexpr std::uint64_t kInTimeS = 300;  // before a channel is final, which then takes no more
    std::map<std::pair<ChannelId, Amount>, std::uint64_t> made;
    std::map<std::tuple<ChannelId, Party, Address>, Amount> before;
    for (std::uint64_t number = 0; number <= m_chain.height(); ++number) {
        for (const MinedTx& tx : m_chain.block(number)->transactions) {
            for (const wallet::LogEntry& log : tx.logs) {
                const auto event = wallet::decode_event(log, m_chain.rules().contract);
                const auto* deposited = event ? std::get_if<wallet::Deposited>(&*event) : nullptr;
                if (deposited == nullptr) continue;
                Amount& total = before[{deposited->channel_id, deposited->party, deposited->token}];
                ++made[{deposited->channel_id, deposited->total - total}];
                total = deposited->total;
            }
        }
    }
    for (const auto& [amount, promise] : m_deposits) {
        const std::uint64_t times = made[{promise.channel, amount}];
        const auto end = ends.find(promise.channel);
        const bool in_time = end == ends.end() || !end->second.is_final || promise.told_s + kInTimeS < end->second.final_at;
        // Who was away may not have been able to send it again.
        const auto known = m_channels.find(promise.channel);
        const bool away = known != m_channels.end() && (m_away.contains(known->second.of(Party::A)) ||
                                                        m_away.contains(known->second.of(Party::B)));
        // Whose disk is gone has forgotten under which reference it was asked (its user looks at the chain first).
        const bool forgot = known != m_channels.end() && (m_lost_ms.contains(known->second.of(Party::A)) ||
                                                          m_lost_ms.contains(known->second.of(Party::B)));
        if ((times > 1 && !forgot) || (times == 0 && promise.told_s != 0 && in_time && !away)) {
            m_verdict.fail(fmt::format("channel {}: a deposit of {} that was asked for once was made {} times",
                                       short_id(promise.channel), channel::format_decimal(amount.raw(), 0), times));
        }
    }
}

/// A payee that knows the preimage of a lock when a dispute begins, and has time, registers it and is paid.
void Checkers::check_locks(const ChannelId& id, const WitnessedChannel& channel, const OnChain& end) {
    for (const channel::Lock& lock : end.recorded->locks) {
        const auto invoice = m_invoices.find(lock.hash);
        const Party payee = lock.amount.sign() > 0 ? Party::B : Party::A;
        if (invoice == m_invoices.end() || invoice->second != channel.of(payee) || !is_honest(invoice->second)) continue;
        if (lock.expiry < end.challenged_at + channel.terms.dispute_period || was_away(invoice->second, end)) continue;
        ++m_counts.locks_settled;
        const auto registered = m_chain.state().revealed_at.find(lock.hash);
        if (registered == m_chain.state().revealed_at.end() || registered->second >= lock.expiry) {
            m_verdict.fail(fmt::format("channel {}: {} knew the preimage of a lock that pays it, and is not paid",
                                       short_id(id), channel::party_name(payee)));
        }
    }
}

std::optional<std::vector<const Update*>> Checkers::lineage(const WitnessedChannel& channel,
                                                            std::uint64_t version) const {
    std::vector<const Update*> out;
    while (version != 0) {
        const auto found = channel.updates.find(version);
        if (found == channel.updates.end() || found->second.base >= version) return std::nullopt;
        out.push_back(&found->second);
        version = found->second.base;
    }
    std::reverse(out.begin(), out.end());
    return out;
}

/// What the ops of all versions make of net, by addition alone; assets[0] of a channel that ever traded is left out.
void Checkers::check_net(const ChannelId& id, const WitnessedChannel& channel, std::uint64_t version,
                         std::span<const Amount> net) {
    if (!is_honest(channel.of(Party::A))) return;
    const auto updates = lineage(channel, version);
    if (!updates)
        return m_verdict.fail(fmt::format("channel {}: version {} was never sent", short_id(id), version));
    std::vector<Amount> sum(channel.terms.assets.size());
    std::map<channel::LockHash, channel::Lock> locks;
    bool traded = false;
    for (const Update* update : *updates) {
        for (const channel::OpEntry& entry : update->ops) {
            if (const auto* pay = std::get_if<channel::PayOp>(&entry.op)) {
                sum[pay->asset] += pay->amount;
            } else if (const auto* swap = std::get_if<channel::SwapOp>(&entry.op)) {
                sum[swap->give_asset] += swap->give;
                sum[swap->take_asset] += swap->take;
            } else if (const auto* lock = std::get_if<channel::LockOp>(&entry.op)) {
                locks[lock->lock.hash] = lock->lock;
            } else if (const auto* fulfil = std::get_if<channel::FulfilOp>(&entry.op)) {
                const auto held = locks.find(fulfil->hash);
                if (held == locks.end()) {
                    m_verdict.fail(fmt::format("channel {}: a lock fulfilled that is not there", short_id(id)));
                    continue;
                }
                sum[held->second.asset] += held->second.amount;
                locks.erase(held);
            } else if (const auto* cancel = std::get_if<channel::CancelOp>(&entry.op)) {
                locks.erase(cancel->hash);
            } else if (!std::holds_alternative<channel::WithdrawOp>(entry.op) &&
                       !std::holds_alternative<channel::CloseOp>(entry.op)) {
                traded = true;
            }
        }
    }
    ++m_counts.exact_nets;
    for (std::size_t i = traded ? 1 : 0; i < sum.size(); ++i) {
        if (i < net.size() && sum[i] == net[i]) continue;
        return m_verdict.fail(fmt::format("channel {}: net at version {} is {}, its ops make {}", short_id(id), version,
                                          text_of(net), text_of(sum)));
    }
}

void Checkers::check_payments(const ChannelId& id, const WitnessedChannel& channel, std::uint64_t version) {
    const auto updates = lineage(channel, version);
    if (!updates) return;
    std::map<std::string, std::uint64_t> times;
    for (const Update* update : *updates) {
        for (const channel::OpEntry& entry : update->ops) {
            if (const auto* pay = std::get_if<channel::PayOp>(&entry.op)) ++times[std::string(pay->memo)];
        }
    }
    for (const auto& [memo, promise] : m_promises) {
        if (promise.channel != id || !is_honest(promise.payer)) continue;
        const auto found = times.find(memo);
        const std::uint64_t count = found == times.end() ? 0 : found->second;
        if (count > 1) {
            m_verdict.fail(fmt::format("payment {}: {} times in channel {} at version {}", memo, count, short_id(id),
                                       version));
        } else if (promise.told == Promise::Told::done && count == 0) {
            m_verdict.fail(fmt::format("payment {}: done in version {}, not in channel {} at its last version {}", memo,
                                       promise.version, short_id(id), version));
        } else if (promise.told == Promise::Told::refused && count == 1) {
            m_verdict.fail(fmt::format("payment {}: refused, yet in channel {} at version {}", memo, short_id(id),
                                       version));
        }
    }
}

}  // namespace hedgerow::sim
