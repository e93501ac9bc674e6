#include "daemon/node/channel_manager.h"

#include <fmt/format.h>

#include "channel/machine/apply.h"
#include "daemon/node/backup_copies.h"
#include "daemon/node/peer_manager.h"
#include "daemon/node/tower_client.h"

namespace hedgerow::daemon {

using channel::Channel;
using channel::ChannelId;
using channel::NodeId;
using channel::PeerMessage;
using channel::Rule;

std::optional<ChannelId> channel_of(const PeerMessage& message) {
    return std::visit(
        [](const auto& m) -> std::optional<ChannelId> {
            using M = std::decay_t<decltype(m)>;
            if constexpr (std::is_same_v<M, channel::WithdrawSignature>) {
                return m.withdraw.channel_id;
            } else if constexpr (std::is_same_v<M, channel::CloseSignature>) {
                return m.close.channel_id;
            } else if constexpr (requires { m.channel; }) {
                return m.channel;
            } else {
                return std::nullopt;
            }
        },
        message);
}

Rule judge_without_market(const channel::Op& op) {
    if (std::holds_alternative<channel::SwapOp>(op)) return Rule::swap_not_authorised;
    if (std::holds_alternative<channel::TradeOp>(op)) return Rule::trade_not_authorised;
    if (std::holds_alternative<channel::MarkOp>(op) || std::holds_alternative<channel::LiquidateOp>(op))
        return Rule::price_missing;
    if (std::holds_alternative<channel::ExpireOp>(op)) return Rule::expiry_price_missing;
    if (std::holds_alternative<channel::TermsOp>(op)) return Rule::terms_not_authorised;
    return Rule::none;
}

namespace {
constexpr std::uint64_t kAskTowersMs = 5'000;  ///< how long a recovering channel's peer waits for its towers' answers
}

ChannelManager::ChannelManager(NodeParts& parts, ChainEffects& chain_effects)
    : m_parts(parts), m_chain_effects(chain_effects), m_local(parts), m_workers(parts.options.workers) {}

void ChannelManager::take_up(RestoredChannel restored) {
    auto e = std::make_unique<Entry>();
    e->channel = std::move(restored.channel);
    e->signer_index = restored.signer_index;
    const ChannelId id = e->channel.id;
    const Rule known = m_parts.keys->add_channel(e->channel, std::move(restored.signer), restored.record);
    if (known != Rule::none)
        throw StoreError(StoreErrorKind::corrupt, fmt::format("channel {}: {}", channel::to_hex(id), rule_name(known)));
    m_by_peer[e->channel.peer].push_back(e.get());
    m_entries.emplace(id, std::move(e));
}

void ChannelManager::restored(bool stale) {
    for (const auto& [id, e] : m_entries) {
        if (stale) recover(*e);
        if (is_lively(*e)) touch(*e);
    }
    m_local.restore();
}

/// What we hold may be behind our own signatures, so nothing is signed on it any more, for good (DESIGN 5.7, spec 6.8).
void ChannelManager::recover(Entry& e) {
    Channel& c = e.channel;
    if (c.status == channel::Status::closed) return;
    c.lost_data = true;  // a dispute that comes and goes does not end it
    // What was in flight may have been superseded since. Only what both signed counts, and any newer state of that is
    // taken; what we signed above it the policy remembers.
    for (const channel::QueuedOp& queued : c.queue)
        perform(e, channel::OpRefused{queued.local_id, Rule::channel_recovering});
    for (const channel::Proposal& p : c.proposals) perform(e, channel::OpRefused{p.local_id, Rule::channel_recovering});
    c.pending.clear();
    c.queue.clear();
    c.proposals.clear();
    c.highest_signed = std::max(c.agreed.state.version, c.close ? c.close->close.version : 0);
    if (c.status != channel::Status::disputed && c.status != channel::Status::recovering) {
        c.status = channel::Status::recovering;
        perform(e, channel::StatusChanged{channel::Status::recovering});
    }
    perform(e, channel::PersistHead{});
}

void ChannelManager::adopt(const channel::HandOver& state) {
    Entry* e = entry(state.channel);
    if (e == nullptr || e->channel.status == channel::Status::closed) return;
    if (!e->channel.lost_data) recover(*e);
    channel::Effects effects;
    channel::step(m_parts.context(), e->channel, channel::FromPeer{state, {}}, effects);
    // The peer is not told: one that lies would learn that we were behind.
    std::erase_if(effects,
                  [](const channel::Effect& effect) { return std::holds_alternative<channel::PeerFault>(effect); });
    touch(*e);
    perform(*e, effects);
}

// --- what waits for towers
// ----------------------------------------------------------------------------------------

void ChannelManager::report(const ChannelId& id, std::uint64_t version, std::function<void()> action,
                            std::function<void()> late) {
    const bool waits = m_parts.towers != nullptr && m_parts.towers->any_sync();
    Entry* e = waits ? entry(id) : nullptr;
    if (e == nullptr || (e->held.empty() && m_parts.towers->holds(id, version)))
        return m_parts.outbox.when_durable(std::move(action));
    touch(*e);
    e->held.push_back({version, m_parts.steady_ms, std::move(action), std::move(late)});
}

void ChannelManager::release(Entry& e) {
    const bool over = e.channel.status == channel::Status::closed;  // the chain has the last word
    while (!e.held.empty() && (over || m_parts.towers->holds(e.channel.id, e.held.front().version))) {
        m_parts.outbox.when_durable(std::move(e.held.front().action));
        e.held.pop_front();
    }
}

void ChannelManager::towers_hold_more(const ChannelId& id) {
    Entry* e = entry(id);
    if (e == nullptr) return;
    release(*e);
    const bool ask = e->ask_peer_ms != 0 && !m_parts.towers->unanswered(id);
    if (ask && m_parts.peers->ready(e->channel.peer)) connect(*e);
}

std::optional<std::uint64_t> ChannelManager::peer_said(const ChannelId& id) const {
    const auto it = m_entries.find(id);
    return it == m_entries.end() ? std::nullopt : it->second->peer_said;
}

void ChannelManager::note_peer(Entry& e, const PeerMessage& message) {
    std::uint64_t version = e.peer_said.value_or(0);
    if (const auto* where = std::get_if<channel::Reestablish>(&message)) {
        version = std::max(version, where->agreed);
    } else if (const auto* given = std::get_if<channel::HandOver>(&message)) {
        if (const auto state = channel::decode_state(given->state, e.channel.terms))
            version = std::max(version, state->version);
    } else {
        return;
    }
    e.peer_said = version;
}

Channel& ChannelManager::add(Channel channel, std::uint32_t signer_index) {
    return insert(std::move(channel), signer_index, {}).channel;
}

ChannelManager::Entry& ChannelManager::insert(Channel channel, std::uint32_t signer_index, channel::ByteView record) {
    const ChannelId id = channel.id;
    ASSERT(!m_entries.contains(id));
    auto owned = std::make_unique<Entry>();
    Entry& e = *owned;
    e.channel = std::move(channel);
    e.signer_index = signer_index;
    e.head_dirty = true;
    will_store(e);
    const Rule known = m_parts.keys->add_channel(e.channel, signer_index, record);
    ASSERT(known == Rule::none);
    m_parts.outbox.persist(
        [id, signer_index](Database& db) { put_signer_index(db, id, signer_index); });
    m_by_peer[e.channel.peer].push_back(&e);
    m_entries.emplace(id, std::move(owned));
    touch(e);
    return e;
}

bool ChannelManager::recover_from(Channel saved, std::uint32_t signer_index, const channel::Bytes& record) {
    const ChannelId id = saved.id;
    if (Entry* known = entry(id)) {
        const std::uint64_t before = known->channel.agreed.state.version;
        if (before >= saved.agreed.state.version) return false;
        // A newer state with both signatures is what a peer's HandOver is, whoever kept it.
        const channel::Bytes state = channel::wire_encode(saved.agreed.state);
        if (state.size() > decltype(channel::HandOver::state)::kMax) return false;
        const channel::BothSignatures signatures = channel::enforceable_signatures(saved);
        const channel::HandOver newer{channel::Blob<(1 << 16)>(channel::ByteView(state)), id, signatures.a, signatures.b};
        feed(*known, channel::FromPeer{newer, {}});
        return known->channel.agreed.state.version > before;
    }
    saved.status = channel::Status::recovering;
    saved.lost_data = true;
    saved.dispute.reset();  // the chain is asked anew
    // What we signed above the agreed version and no longer hold must not keep the peer from handing it over; the
    // policy remembers it.
    saved.highest_signed = std::max(saved.agreed.state.version, saved.close ? saved.close->close.version : 0);
    Entry& e = insert(std::move(saved), signer_index, record);
    store_record(e, m_parts.keys->record(id));
    perform(e, channel::StatusChanged{channel::Status::recovering});
    if (m_parts.towers != nullptr) m_parts.towers->head_stored(e.channel);  // it asks them
    if (m_parts.peers->ready(e.channel.peer)) connect(e);
    return true;
}

std::uint32_t ChannelManager::signer_index(const ChannelId& id) const {
    const auto it = m_entries.find(id);
    ASSERT(it != m_entries.end());
    return it->second->signer_index;
}

ChannelManager::Entry* ChannelManager::entry(const ChannelId& id) {
    const auto it = m_entries.find(id);
    return it == m_entries.end() ? nullptr : it->second.get();
}

std::span<ChannelManager::Entry* const> ChannelManager::with(const NodeId& peer) const {
    const auto it = m_by_peer.find(peer);
    return it == m_by_peer.end() ? std::span<Entry* const>() : it->second;
}

const Channel* ChannelManager::find(const ChannelId& id) const {
    const auto it = m_entries.find(id);
    return it == m_entries.end() ? nullptr : &it->second->channel;
}

std::vector<const Channel*> ChannelManager::all() const {
    std::vector<const Channel*> out;
    out.reserve(m_entries.size());
    for (const auto& [id, e] : m_entries) out.push_back(&e->channel);
    return out;
}

std::size_t ChannelManager::count_not_closed() const {
    return static_cast<std::size_t>(std::count_if(m_entries.begin(), m_entries.end(), [](const auto& e) {
        return e.second->channel.status != channel::Status::closed;
    }));
}

bool ChannelManager::is_lively(const Entry& e) {
    const Channel& c = e.channel;
    if (!e.held.empty() || e.ask_peer_ms != 0) return true;
    if (c.status == channel::Status::closed) return false;
    return c.status != channel::Status::open || c.close || c.dispute || !c.pending.empty() || !c.queue.empty() || !c.proposals.empty() ||
           !c.agreed.state.locks.empty();
}

std::vector<const Channel*> ChannelManager::lively() const {
    std::vector<const Channel*> out;
    for (const Entry* e : m_lively) out.push_back(&e->channel);
    return out;
}

void ChannelManager::touch(Entry& e) {
    if (!e.lively) {
        e.lively = true;
        m_lively.push_back(&e);
    }
    if (e.touched) return;
    e.touched = true;
    m_touched.push_back(&e);
}

void ChannelManager::feed(const ChannelId& id, channel::Input input) {
    if (Entry* e = entry(id)) feed(*e, std::move(input));
}

void ChannelManager::feed_all(const channel::Input& input) {
    for (auto& [id, e] : m_entries) feed(*e, input);
}

/// What was put off to be done beside other channels comes first.
void ChannelManager::settle(Entry& e) {
    if (Computed* computed = std::exchange(e.computed, nullptr)) perform(*computed);
    if (const auto ack = std::move(e.ack)) feed(e, channel::FromPeer{*ack, {}});
}

void ChannelManager::feed(Entry& e, channel::Input input) {
    settle(e);
    const bool was_connected = e.channel.connected;
    const channel::Context context = m_parts.context();
    channel::Effects effects;
    channel::step(context, e.channel, std::move(input), effects);
    touch(e);
    perform(e, effects);
    if (e.channel.connected == was_connected) return;
    LOG_INFO("channel", {"channel", e.channel.id}, {"connected", e.channel.connected},
             {"version", e.channel.agreed.state.version});
    if (m_parts.market != nullptr) m_parts.outbox.when_durable([this, &e] { m_parts.market->on_status(e.channel); });
}

void ChannelManager::on_ready(const NodeId& peer) {
    for (Entry* e : with(peer)) e->to_connect = true;
    m_connecting[peer] = {0, with(peer).size()};
}

/// What a hub has to say to a peer with many channels is more than a link's queue holds, so it is said as the peer reads.
void ChannelManager::connect_more() {
    m_connects_now = false;
    bool waits = false;
    for (auto at = m_connecting.begin(); at != m_connecting.end();) {
        auto& [peer, state] = *at;
        const auto entries = with(peer);
        std::size_t connected = 0;
        const bool room = m_parts.outbox.accepts() && m_parts.peers->queued_bytes(peer) < kMaxQueuedBytes;
        while (room && state.next < state.end && connected < kMaxConnectsPerTurn) {
            Entry& e = *entries[state.next++];
            if (!std::exchange(e.to_connect, false)) continue;
            connect(e);
            ++connected;
        }
        const bool done = state.next == state.end;
        m_connects_now |= room && !done;
        waits |= !room;
        at = done ? m_connecting.erase(at) : std::next(at);
    }
    if (!waits || std::exchange(m_connects_later, true)) return;
    m_parts.loop.after(kConnectAgainMs, [this] { m_connects_later = false; });  // a turn is all it takes
}

/// A recovering channel's towers are asked first: with their answer the peer does not learn how far we are behind.
void ChannelManager::connect(Entry& e) {
    const bool first = e.channel.status == channel::Status::recovering && e.ask_peer_ms == 0;
    if (first && m_parts.towers != nullptr && m_parts.towers->unanswered(e.channel.id)) {
        e.ask_peer_ms = m_parts.steady_ms + kAskTowersMs;
        touch(e);
        return;
    }
    e.ask_peer_ms = 0;
    feed(e, channel::Connected{});
}

void ChannelManager::on_lost(const NodeId& peer) {
    m_connecting.erase(peer);
    for (Entry* e : with(peer)) {
        e->to_connect = false;
        e->ask_peer_ms = 0;
        e->peer_said.reset();
        feed(*e, channel::Disconnected{});
    }
}

void ChannelManager::on_message(const NodeId& peer, PeerMessage message) {
    const auto id = channel_of(message);
    Entry* e = id ? entry(*id) : nullptr;
    if (e == nullptr || e->channel.peer != peer) {  // another's channel is as unknown to it as one that does not exist
        const Rule rule = id ? Rule::channel_unknown : Rule::unexpected_message;
        LOG_WARN("message refused", {"peer", peer}, {"channel", id.value_or(ChannelId())}, {"rule", rule});
        return m_parts.peers->error(peer, id.value_or(ChannelId()), rule);
    }
    const bool is_market =
        std::holds_alternative<channel::QuoteRequest>(message) || std::holds_alternative<channel::Quote>(message) ||
        std::holds_alternative<channel::QuoteRefuse>(message) || std::holds_alternative<channel::StreamQuote>(message);
    if (is_market) return market_message(e->channel, message);
    if (std::exchange(e->to_connect, false)) connect(*e);  // our Reestablish goes before any answer
    if (const auto* ack = std::get_if<channel::Ack>(&message); ack != nullptr && !e->ack) {
        e->ack = std::make_unique<channel::Ack>(*ack);
        return m_acked.push_back(e);
    }
    note_peer(*e, message);
    channel::FromPeer input;
    input.verdicts = judge(e->channel, message);
    input.message = std::move(message);
    feed(*e, std::move(input));
}

void ChannelManager::market_message(const Channel& channel, const PeerMessage& message) {
    if (m_parts.market != nullptr) return m_parts.market->on_market_message(channel, message);
    if (const auto* request = std::get_if<channel::QuoteRequest>(&message)) {
        m_parts.peers->send(channel.peer, channel::QuoteRefuse{channel.id, request->request, Rule::quote_unavailable});
    }
}

std::vector<Rule> ChannelManager::judge(const Channel& channel, const PeerMessage& message) const {
    std::vector<channel::OpEntry> proposed;
    std::span<const channel::OpEntry> ops;
    if (const auto* propose = std::get_if<channel::Propose>(&message)) {
        std::uint64_t number = std::max<std::uint64_t>(propose->first, 1);
        for (const channel::Op& op : propose->ops) proposed.push_back({number++, op});
        ops = proposed;
    } else if (const auto* update = std::get_if<channel::Update>(&message)) {
        ops = update->ops;
    }
    if (ops.empty()) return {};
    if (m_parts.market != nullptr) {
        std::vector<Rule> verdicts = m_parts.market->judge(channel, ops, m_parts.now_ms);
        ASSERT(verdicts.size() == ops.size());
        return verdicts;
    }
    std::vector<Rule> verdicts;
    for (const channel::OpEntry& entry : ops) {
        Rule verdict = entry.origin() == channel.me ? Rule::none : judge_without_market(entry.op);
        const auto* lock = std::get_if<channel::LockOp>(&entry.op);
        const bool theirs = lock != nullptr && entry.origin() != channel.me;
        if (theirs && !find_preimage(m_parts.reader, lock->lock.hash)) verdict = Rule::lock_unexplained;
        verdicts.push_back(verdict);
    }
    return verdicts;
}

/// What a locked wallet goes on with: marks, close-outs and the fulfilment of locks that pay us (spec 6.13).
bool ChannelManager::owed(const Entry& e, const channel::Op& op) {
    return channel::is_obligation({e.channel.is_leader() ? 0U : 1U, op}, e.channel.me);
}

void ChannelManager::submit(const ChannelId& id, const channel::Op& op, const ClientRef& ref, Answer<OpDone> done) {
    Entry* e = entry(id);
    if (e == nullptr) return done(channel::Unexpected{LocalOps::unknown_channel(m_parts)});
    if (!ref.empty() && m_local.answered_before(ref, id, op, done)) return;
    // A reference that we do not know may have been used in what was lost.
    if (!ref.empty() && LocalOps::may_have_forgotten(e->channel))
        return done(channel::Unexpected{LocalOps::forgotten()});
    if (m_parts.keys->locked() && !owed(*e, op)) return done(refused(Rule::wallet_locked));
    if (m_local.full()) return done(refused(Rule::queue_full));
    const channel::LocalId local = m_local.begin(id, op, ref, std::move(done));
    feed(*e, channel::LocalOp{local, op});
}

channel::LocalId ChannelManager::submit(const ChannelId& id, const channel::Op& op,
                                        std::function<void(Rule)> refused_by) {
    Entry* e = entry(id);
    Rule rule = Rule::none;
    if (e == nullptr)
        rule = Rule::channel_unknown;
    else if (m_parts.keys->locked() && !owed(*e, op))
        rule = Rule::wallet_locked;
    else if (m_local.full())
        rule = Rule::queue_full;
    if (rule != Rule::none) {
        if (refused_by) refused_by(rule);
        return 0;
    }
    const channel::LocalId local = m_local.begin(std::move(refused_by));
    feed(*e, channel::LocalOp{local, op});
    return local;
}

channel::Expected<channel::LocalId, Rule> ChannelManager::submit(const ChannelId& id, std::vector<channel::Op> ops,
                                                                 SinkId sink) {
    Entry* e = entry(id);
    if (e == nullptr) return channel::Unexpected{Rule::channel_unknown};
    const bool all_owed = std::all_of(ops.begin(), ops.end(), [&](const channel::Op& op) { return owed(*e, op); });
    if (m_parts.keys->locked() && !all_owed) return channel::Unexpected{Rule::wallet_locked};
    if (m_local.full(ops.size())) return channel::Unexpected{Rule::queue_full};
    const channel::LocalId first = m_local.begin(sink, ops.size());
    feed(*e, channel::LocalOps{first, std::move(ops)});
    return first;
}

void ChannelManager::will_store(Entry& e) {
    if (e.stored) return;
    e.stored = true;
    m_stored.push_back(&e);
}

void ChannelManager::store_heads() {
    if (m_stored.empty()) return;
    std::vector<Entry*> stored;
    stored.swap(m_stored);
    for (Entry* e : stored) {
        e->stored = false;
        ++e->turns_in_flight;
        if (!e->head_dirty) continue;
        e->head_dirty = false;
        const Channel& c = e->channel;
        m_parts.outbox.rows().put({c.id, channel::encode_head_beside(c), c.status, c.peer, c.agreed.state.version}, m_parts.now_ms);
        if (m_parts.towers != nullptr) e->channel.proves_parity = m_parts.towers->head_stored(c);
        if (m_parts.copies != nullptr) m_parts.copies->head_stored(c);
    }
    m_parts.outbox.when_durable([stored = std::move(stored)] {
        for (Entry* e : stored) --e->turns_in_flight;
    });
}

void ChannelManager::tick() {
    m_local.tick();
    for (const ChannelId& id : m_local.unresolved()) {
        if (const Channel* channel = find(id)) m_local.settle_unresolved(*channel);  // also of what is closed: that is when it is known
    }
    for (Entry* e : std::vector<Entry*>(m_lively)) tick(*e);
    std::erase_if(m_lively, [](Entry* e) { return !(e->lively = is_lively(*e)); });
}

void ChannelManager::tick(Entry& e) {
    if (e.channel.status != channel::Status::closed) feed(e, channel::Tick{});
    if (e.ask_peer_ms != 0 && m_parts.steady_ms >= e.ask_peer_ms && m_parts.peers->ready(e.channel.peer)) connect(e);
    // A tower that has nothing of a closed channel, or is gone, says nothing that would release it.
    if (!e.held.empty() && e.channel.status == channel::Status::closed) release(e);
    for (Held& held : e.held) {
        if (m_parts.steady_ms < held.since_ms + kTowerWaitMs) break;
        if (held.late) m_parts.outbox.when_durable(std::exchange(held.late, nullptr));
    }
}

}  // namespace hedgerow::daemon
