#include "daemon/node/opening.h"

#include <sodium.h>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "daemon/node/peer_manager.h"
#include "daemon/store/failpoint.h"

namespace hedgerow::daemon {

using channel::ChannelId;
using channel::NodeId;
using channel::OpeningId;
using channel::Party;
using channel::Rule;

namespace {

OpeningId random_opening() {
    OpeningId id;
    randombytes_buf(id.data.data(), id.data.size());
    return id;
}

channel::Hash salt_of(const channel::Secret& secret) {
    return channel::keccak256(secret.view());
}

const AssetInfo* known_asset(const NodeOptions& options, const channel::Asset& asset) {
    for (const AssetInfo& info : options.assets) {
        if (info.token == asset.token) return &info;
    }
    return nullptr;
}

channel::Asset asset_terms(const AssetInfo& info) {
    return {info.token, info.feed, info.decimals, info.haircut_bps};
}

/// Every class must be one of ours, with rates that are ours or stricter; a longer list than ours offers what we cannot
/// judge.
bool risk_acceptable(const channel::RiskTerms& ours, const channel::RiskTerms& theirs) {
    for (const channel::RiskClass& c : theirs.classes) {
        const channel::RiskClass* own = ours.find(c.underlying);
        if (own == nullptr || c.lot != own->lot) return false;
        if (c.initial_bps < own->initial_bps || c.maintenance_bps < own->maintenance_bps ||
            c.initial_bps < c.maintenance_bps)
            return false;
        if (c.penalty_bps > own->penalty_bps) return false;
    }
    // What a follower may hold back, and for how long, is an option against us (spec 6.7): a limit of 0 is none, a long
    // time-out a long option.
    const bool bounded = theirs.max_in_doubt.sign() >= 0 && (ours.max_in_doubt.is_zero() || !theirs.max_in_doubt.is_zero());
    const bool timely = theirs.ack_timeout_ms >= ours.ack_timeout_ms / 2 && theirs.ack_timeout_ms / 2 <= ours.ack_timeout_ms;
    return bounded && timely && (ours.max_in_doubt.is_zero() || theirs.max_in_doubt <= ours.max_in_doubt) &&
           theirs.funding_deadband_bps == ours.funding_deadband_bps && theirs.funding_cap_bps <= ours.funding_cap_bps;
}

Rule judge_terms(const NodeOptions& options, const channel::Terms& terms) {
    const OpeningPolicy& policy = options.opening;
    for (const channel::Asset& asset : terms.assets) {
        const AssetInfo* info = known_asset(options, asset);
        if (info == nullptr || info->feed != asset.feed || info->decimals != asset.decimals)
            return Rule::terms_unacceptable;
        if (asset.haircut_bps < info->haircut_bps) return Rule::terms_unacceptable;
    }
    for (const channel::Address& oracle : terms.oracles) {
        if (std::find(policy.oracles.begin(), policy.oracles.end(), oracle) == policy.oracles.end())
            return Rule::oracles_unacceptable;
    }
    if (terms.oracle_threshold < policy.oracle_threshold) return Rule::oracles_unacceptable;
    if (terms.dispute_period < policy.min_dispute_period_s || terms.dispute_period > policy.max_dispute_period_s) {
        return Rule::dispute_period_out_of_range;
    }
    if (terms.price_slot != policy.price_slot_s || terms.price_grace > policy.price_grace_s)
        return Rule::terms_unacceptable;
    return terms.stale_penalty > policy.max_stale_penalty ? Rule::terms_unacceptable : Rule::none;
}

/// Both sides begin from the same marks (spec 6.5): one USD, until the first mark of an asset's feed.
channel::List<channel::Price, channel::kMaxAssets> first_marks(const channel::Terms& terms) {
    channel::List<channel::Price, channel::kMaxAssets> marks;
    marks.resize(terms.assets.size(), channel::Price::from_raw(100'000'000));
    return marks;
}

}  // namespace

Rule judge_opening(const NodeOptions& options, const channel::OpenPropose& proposal, const channel::Address& owner_a,
                   const channel::PublicKey& signer_a) {
    if (!options.opening.accept) return Rule::terms_unacceptable;
    const channel::Terms& proposed = proposal.terms;
    if (!proposed.owner_a.is_zero() || !proposed.signer_a.is_zero() || !proposed.salt.is_zero())
        return Rule::unexpected_message;
    if (!channel::is_valid_key(proposal.signer_b) || channel::address_of(proposal.signer_b) != proposed.signer_b)
        return Rule::wrong_signer;
    channel::Terms whole = proposed;
    whole.owner_a = owner_a;
    whole.signer_a = channel::address_of(signer_a);
    if (const Rule rule = channel::check_terms(whole); rule != Rule::none) return rule;
    if (const Rule rule = judge_terms(options, whole); rule != Rule::none) return rule;
    return risk_acceptable(options.opening.risk, proposal.risk) ? Rule::none : Rule::terms_unacceptable;
}

void Openings::restore() {
    if (const auto next = get_meta(m_parts.reader, "next_signer"))
        m_next_signer = channel::wire_decode<std::uint32_t>(*next).value_or(0);
    for (const KeyedBlob& row : all_openings(m_parts.reader)) {
        auto record = channel::wire_decode<Record>(row.value);
        if (!record) throw StoreError(StoreErrorKind::corrupt, "an opening that does not decode");
        // What was not stored as a channel bound nobody; the caller that waited is gone.
        if (record->stage != Stage::proposed)
            m_records[record->id] = std::move(*record);
        else
            m_parts.outbox.persist([id = record->id](Database& db) { delete_opening(db, id.view()); });
    }
}

std::uint32_t Openings::next_signer_index() {
    const std::uint32_t index = m_next_signer++;
    m_parts.outbox.persist(
        [value = channel::wire_encode(m_next_signer)](Database& db) { put_meta(db, "next_signer", value); });
    return index;
}

void Openings::raise_next_signer(std::uint32_t number) {
    if (number <= m_next_signer) return;
    m_next_signer = number;
    m_parts.outbox.persist(
        [value = channel::wire_encode(m_next_signer)](Database& db) { put_meta(db, "next_signer", value); });
}

std::uint32_t signer_number_from_clock(std::uint64_t now_ms) {
    constexpr std::uint64_t kEpochS = 1'700'000'000;
    constexpr std::uint64_t kHighest = (1ULL << 31) - (1ULL << 20);  // leaves room for a million more
    const std::uint64_t now_s = now_ms / 1000;
    return static_cast<std::uint32_t>(std::min(kHighest, now_s > kEpochS ? now_s - kEpochS : 0));
}

void Openings::store(const Record& record) {
    m_parts.outbox.persist([id = record.id, body = channel::wire_encode(record), now = m_parts.now_ms](Database& db) {
        put_opening(db, id.view(), body, now);
    });
}

void Openings::forget(const OpeningId& id) {
    m_records.erase(id);
    m_parts.outbox.persist([id](Database& db) { delete_opening(db, id.view()); });
}

void Openings::fail(const OpeningId& id, Rule rule) {
    forget(id);
    const auto waiting = m_waiting.extract(id);
    if (!waiting.empty()) waiting.mapped()(refused(rule));
}

Openings::Record* Openings::find(const OpeningId& id, const NodeId& peer) {
    const auto it = m_records.find(id);
    return it == m_records.end() || it->second.peer != peer ? nullptr : &it->second;
}

channel::Expected<channel::Terms, Rule> Openings::terms_for(const OpenOrder& order) const {
    const NodeOptions& options = m_parts.options;
    const OpeningPolicy& policy = options.opening;
    channel::Terms terms;
    std::vector<std::size_t> assets;
    for (const DepositOrder& deposit : order.deposits) {
        if (deposit.asset >= options.assets.size()) return channel::Unexpected{Rule::asset_out_of_range};
        if (deposit.amount.sign() <= 0) return channel::Unexpected{Rule::amount_must_be_positive};
        if (!deposit.amount.within_bits(channel::kNetBits)) return channel::Unexpected{Rule::amount_out_of_range};
        if (std::find(assets.begin(), assets.end(), deposit.asset) != assets.end())
            return channel::Unexpected{Rule::asset_duplicate};
        assets.push_back(deposit.asset);
    }
    // The rest of what we deal in too, so that either side may add any of it later: a channel's assets are fixed for
    // good.
    for (std::size_t i = 0; i < options.assets.size(); ++i) {
        if (std::find(assets.begin(), assets.end(), i) == assets.end()) assets.push_back(i);
    }
    for (const std::size_t i : assets) terms.assets.push_back(asset_terms(options.assets[i]));
    const std::vector<channel::Address>& oracles = order.oracles ? *order.oracles : policy.oracles;
    if (oracles.size() > channel::kMaxOracles) return channel::Unexpected{Rule::oracles_count_out_of_range};
    for (const channel::Address& oracle : oracles) terms.oracles.push_back(oracle);
    std::sort(terms.oracles.begin(), terms.oracles.end());
    const auto majority = static_cast<std::uint8_t>(terms.oracles.size() / 2 + 1);
    terms.oracle_threshold = order.oracle_threshold.value_or(order.oracles ? majority : policy.oracle_threshold);
    terms.price_slot = policy.price_slot_s;
    terms.price_grace = policy.price_grace_s;
    terms.dispute_period = order.dispute_period_s.value_or(policy.dispute_period_s);
    terms.stale_penalty = policy.stale_penalty;
    return terms;
}

void Openings::open(const OpenOrder& order, Answer<ChannelId> done) {
    if (m_parts.keys->locked()) return done(refused(Rule::wallet_locked));
    if (m_parts.halted) return done(refused(Rule::node_halted));
    if (!m_parts.peers->ready(order.peer)) return done(refused(Rule::peer_disconnected));
    if (m_records.size() >= kMaxOpenings) return done(refused(Rule::queue_full));
    if (order.deposits.empty()) return done(refused(Rule::assets_count_out_of_range));
    auto terms = terms_for(order);
    if (!terms) return done(refused(terms.error()));
    Record record;
    record.id = random_opening();
    record.peer = order.peer;
    record.me = Party::B;
    record.signer_index = next_signer_index();
    record.created_ms = m_parts.now_ms;
    record.risk = order.risk.value_or(m_parts.options.opening.risk);
    const channel::PublicKey signer = m_parts.keys->channel_signer(record.signer_index);
    record.terms = std::move(*terms);
    record.terms.owner_b = m_parts.keys->owners().front();
    record.terms.signer_b = channel::address_of(signer);
    record.secret = m_parts.keys->watch_secret(record.signer_index);
    store(record);
    m_parts.peers->send(order.peer, channel::OpenPropose{record.id, record.terms, record.risk, signer});
    m_waiting[record.id] = std::move(done);
    m_records[record.id] = std::move(record);
}

void Openings::refuse(const NodeId& peer, const OpeningId& id, Rule rule) {
    LOG_INFO("opening refused", {"peer", peer}, {"rule", rule});
    m_parts.peers->send(peer, channel::OpenRefuse{id, rule});
}

void Openings::on_message(const NodeId& peer, const channel::OpenPropose& message) {
    if (m_records.contains(message.opening)) return refuse(peer, message.opening, Rule::channel_exists);
    if (m_parts.keys->locked()) return refuse(peer, message.opening, Rule::wallet_locked);
    if (m_parts.halted) return refuse(peer, message.opening, Rule::node_halted);
    const auto under_way =
        std::count_if(m_records.begin(), m_records.end(), [&](const auto& r) { return r.second.peer == peer; });
    const bool full = m_records.size() >= kMaxOpenings || static_cast<std::size_t>(under_way) >= kMaxPerPeer ||
                      m_parts.channels->count_not_closed() >= m_parts.options.opening.max_channels;
    if (full) return refuse(peer, message.opening, Rule::peer_limit);
    // Judged with a stand-in signer first, so that a refused proposal uses no number up.
    const channel::Address owner = m_parts.keys->owners().front();
    const channel::PublicKey candidate = m_parts.keys->channel_signer(m_next_signer);
    if (const Rule rule = judge_opening(m_parts.options, message, owner, candidate); rule != Rule::none) {
        return refuse(peer, message.opening, rule);
    }
    Record record;
    record.id = message.opening;
    record.peer = peer;
    record.me = Party::A;
    record.stage = Stage::accepted;
    record.signer_index = next_signer_index();
    record.created_ms = m_parts.now_ms;
    record.terms = message.terms;
    record.terms.owner_a = owner;
    record.terms.signer_a = channel::address_of(candidate);
    record.risk = message.risk;
    record.their_key = message.signer_b;
    store(record);
    m_parts.peers->send(peer, channel::OpenAccept{record.id, owner, candidate});
    m_records[record.id] = std::move(record);
}

void Openings::on_message(const NodeId& peer, const channel::OpenAccept& message) {
    Record* record = find(message.opening, peer);
    if (record == nullptr || record->me != Party::B || record->stage != Stage::proposed) {
        return m_parts.peers->error(peer, {}, Rule::unexpected_message);
    }
    record->terms.owner_a = message.owner_a;
    record->terms.signer_a = channel::address_of(message.signer_a);
    record->terms.salt = salt_of(record->secret);
    record->their_key = message.signer_a;
    Rule rule = channel::is_valid_key(message.signer_a) ? channel::check_terms(record->terms) : Rule::bad_signature;
    if (rule == Rule::none &&
        m_parts.channels->find(channel::channel_id_of(record->terms, m_parts.separator)) != nullptr)
        rule = Rule::channel_exists;
    if (rule != Rule::none) {
        m_parts.peers->error(peer, {}, rule);
        return fail(message.opening, rule);
    }
    record->stage = Stage::confirmed;
    store(*record);
    begin_channel(*record);
    m_parts.peers->send(peer, channel::OpenConfirm{record->id, record->terms, record->secret});
}

void Openings::on_message(const NodeId& peer, const channel::OpenRefuse& message) {
    const Record* record = find(message.opening, peer);
    if (record == nullptr || record->me != Party::B || record->stage != Stage::proposed) return;
    fail(message.opening, message.rule == Rule::none ? Rule::terms_unacceptable : message.rule);
}

void Openings::begin_channel(const Record& record) {
    m_parts.channels->add(channel::make_channel(record.terms, record.risk, first_marks(record.terms), m_parts.separator,
                                                record.me, record.peer, record.their_key, record.secret),
                          record.signer_index);
}

void Openings::become_open(const ChannelId& id) {
    m_parts.channels->feed(id, channel::Opened{});
    m_parts.outbox.when_durable([] { failpoint("opening.opened"); });
    const channel::Channel* channel = m_parts.channels->find(id);
    if (channel != nullptr && m_parts.peers->ready(channel->peer)) m_parts.channels->feed(id, channel::Connected{});
}

void Openings::on_message(const NodeId& peer, const channel::OpenConfirm& message) {
    const ChannelId id = channel::channel_id_of(message.terms, m_parts.separator);
    if (const channel::Channel* known = m_parts.channels->find(id);
        known != nullptr && known->peer == peer && known->me == Party::A) {
        return m_parts.peers->send(peer, channel::OpenDone{message.opening, id});  // asked again after a lost answer
    }
    Record* record = find(message.opening, peer);
    if (record == nullptr || record->me != Party::A) return m_parts.peers->error(peer, {}, Rule::unexpected_message);
    channel::Terms expected = record->terms;
    expected.salt = message.terms.salt;
    Rule rule = expected == message.terms ? Rule::none : Rule::channel_id_mismatch;
    if (rule == Rule::none && salt_of(message.secret) != message.terms.salt) rule = Rule::salt_mismatch;
    if (rule == Rule::none) rule = channel::check_terms(message.terms);
    if (rule != Rule::none) {
        m_parts.peers->error(peer, id, rule);
        return forget(message.opening);
    }
    record->terms = message.terms;
    record->secret = message.secret;
    begin_channel(*record);
    m_parts.peers->send(peer, channel::OpenDone{message.opening, id});
    forget(message.opening);
    become_open(id);
}

void Openings::on_message(const NodeId& peer, const channel::OpenDone& message) {
    const Record* record = find(message.opening, peer);
    if (record == nullptr || record->me != Party::B || record->stage != Stage::confirmed) {
        return m_parts.peers->error(peer, message.channel, Rule::unexpected_message);
    }
    const ChannelId id = channel::channel_id_of(record->terms, m_parts.separator);
    if (id != message.channel) return m_parts.peers->error(peer, message.channel, Rule::channel_id_mismatch);
    forget(message.opening);
    become_open(id);
    auto waiting = m_waiting.extract(message.opening);
    if (waiting.empty()) return;
    m_parts.outbox.when_durable([done = std::move(waiting.mapped()), id] { done(id); });
}

void Openings::on_ready(const NodeId& peer) {
    for (const auto& [id, record] : m_records) {
        if (record.peer == peer && record.me == Party::B && record.stage == Stage::confirmed) {
            m_parts.peers->send(peer, channel::OpenConfirm{record.id, record.terms, record.secret});
        }
    }
}

/// What was only proposed binds nobody, and its answer cannot come any more.
void Openings::on_lost(const NodeId& peer) {
    std::vector<OpeningId> gone;
    for (const auto& [id, record] : m_records) {
        if (record.peer == peer && record.me == Party::B && record.stage == Stage::proposed) gone.push_back(id);
    }
    for (const OpeningId& id : gone) fail(id, Rule::peer_disconnected);
}

void Openings::tick() {
    std::vector<std::pair<OpeningId, Stage>> late;
    for (const auto& [id, record] : m_records) {
        std::uint64_t limit = kTimeoutMs;
        if (record.stage == Stage::accepted) limit = kAcceptedMs;
        if (record.stage == Stage::confirmed && !m_waiting.contains(id)) limit = kConfirmedMs;
        if (record.created_ms + limit < m_parts.now_ms) late.emplace_back(id, record.stage);
    }
    for (const auto& [id, stage] : late) {
        auto waiting = m_waiting.extract(id);
        if (waiting.empty() || stage != Stage::confirmed) forget(id);
        if (!waiting.empty())
            waiting.mapped()(refused(Rule::timeout));  // it may still open later; nothing is deposited then
    }
}

}  // namespace hedgerow::daemon
