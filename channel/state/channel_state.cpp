#include "channel/state/channel_state.h"

#include "channel/crypto/keccak.h"

namespace hedgerow::channel {

namespace {

/// The part of a state that only its context binds (spec 4.9), in wire encoding.
struct FundingPart {
    std::uint64_t funded_until_ms = 0;
    Price funding_index;
    std::int64_t funding_rate_e12 = 0;
    static constexpr auto fields() {
        return std::make_tuple(field("fundedUntil", &FundingPart::funded_until_ms), field("fundingIndex", &FundingPart::funding_index),
                               field("fundingRate", &FundingPart::funding_rate_e12));
    }
};

template <typename Entries>
Hash hash_of_digests(const Entries& entries) {
    static const Hash kNone = keccak256(ByteView());
    if (entries.empty()) return kNone;
    return entries.hashed([](const auto& elements) {
        Bytes words;
        words.reserve(32 * elements.size());
        for (const auto& entry : elements) append(words, entry.digest().view());
        return keccak256(words);
    });
}

bool positions_in_limits(const ChannelState& state) {
    return std::all_of(state.positions.begin(), state.positions.end(), [](const PositionEntry& e) {
        const Position& p = e.position;
        return !p.quantity.is_zero() && p.quantity.within_bits(kMarketBits) && p.mark.within_bits(kMarketBits) && p.strike.sign() >= 0 &&
               p.strike.within_bits(kMarketBits) && e.funding_index.within_bits(kMarketBits);
    });
}

Rule check_limits(const ChannelState& state, const Terms& terms) {
    const std::size_t n = terms.assets.size();
    if (state.net.size() != n || state.asset_marks.size() != n || state.authorised_a.size() != n || state.authorised_b.size() != n) {
        return Rule::assets_count_out_of_range;
    }
    if (state.version > kMaxVersion) return Rule::version_out_of_range;
    for (std::size_t i = 0; i < n; ++i) {
        if (!state.net[i].within_bits(kNetBits)) return Rule::net_out_of_range;
        if (state.asset_marks[i].sign() <= 0 || !state.asset_marks[i].within_bits(kMarketBits)) return Rule::price_out_of_range;
    }
    if (!positions_in_limits(state)) return Rule::quantity_out_of_range;
    for (const LockEntry& entry : state.locks) {
        if (entry.lock.asset >= n) return Rule::asset_out_of_range;
        if (entry.lock.amount.is_zero() || !entry.lock.amount.within_bits(kMarketBits)) return Rule::amount_out_of_range;
    }
    return Rule::none;
}

}  // namespace

bool LockedAmounts::operator==(const LockedAmounts& other) const {
    for (std::size_t asset = 0; asset < std::max(m_amounts.size(), other.m_amounts.size()); ++asset) {
        if (by(Party::A, asset) != other.by(Party::A, asset) || by(Party::B, asset) != other.by(Party::B, asset)) return false;
    }
    return true;
}

const PositionEntry* ChannelState::find_position(const Feed& instrument) const {
    const auto it = std::find_if(positions.begin(), positions.end(), [&](const auto& e) { return e.position.instrument == instrument; });
    return it == positions.end() ? nullptr : &*it;
}

const LockEntry* ChannelState::find_lock(const LockHash& hash) const {
    const auto it = std::find_if(locks.begin(), locks.end(), [&](const auto& e) { return e.lock.hash == hash; });
    return it == locks.end() ? nullptr : &*it;
}

PositionEntry* ChannelState::edit_position(const Feed& instrument) {
    const PositionEntry* found = find_position(instrument);
    if (found == nullptr) return nullptr;
    const auto index = static_cast<std::size_t>(found - positions.data());  // before edit(), which may move them
    return &positions.edit()[index];
}

void ChannelState::refresh_derived() {
    risk_hash = keccak256(wire_encode(risk));
    locked = {};
    for (const LockEntry& entry : locks) {
        const Party payer = entry.lock.amount.sign() > 0 ? Party::A : Party::B;
        locked_by(payer, entry.lock.asset) += entry.lock.amount.abs();
    }
}

ChannelState initial_state(const Terms& terms, const RiskTerms& risk, const List<Price, kMaxAssets>& asset_marks) {
    const std::size_t n = terms.assets.size();
    ASSERT(asset_marks.size() == n);
    ChannelState state;
    state.net.resize(n);
    state.asset_marks = asset_marks;
    state.authorised_a.resize(n);
    state.authorised_b.resize(n);
    state.risk = risk;
    state.refresh_derived();
    return state;
}

Hash state_context(const ChannelState& state) {
    Writer extras;
    wire_write(extras, state.timestamp_ms);
    wire_write(extras, state.proposals_done);
    wire_write(extras, state.residue);
    wire_write(extras, state.authorised_a);
    wire_write(extras, state.authorised_b);
    wire_write(extras, state.close_deadline);
    for (const PositionEntry& e : state.positions) wire_write(extras, FundingPart{e.funded_until_ms, e.funding_index, e.funding_rate_e12});
    return keccak256({state.risk_hash.view(), state.history.view(), extras.bytes()});
}

State typed_state(const ChannelState& state, const ChannelId& channel) {
    State out;
    out.channel_id = channel;
    out.version = state.version;
    out.context = state_context(state);
    out.net = state.net;
    out.asset_marks = state.asset_marks;
    for (const PositionEntry& e : state.positions) out.positions.push_back(e.position);
    for (const LockEntry& e : state.locks) out.locks.push_back(e.lock);
    return out;
}

Digest state_digest(const ChannelState& state, const ChannelId& channel, const Hash& separator) {
    const Word version = to_word(state.version);
    const Hash context = state_context(state);
    const Word net = typed_word(state.net);
    const Word marks = typed_word(state.asset_marks);
    const Hash positions = hash_of_digests(state.positions);
    const Hash locks = hash_of_digests(state.locks);
    const Hash body = keccak256({type_hash<State>().view(), channel.view(), ByteView(version), context.view(), ByteView(net), ByteView(marks),
                                 positions.view(), locks.view()});
    return typed_digest(separator, body);
}

Expected<ChannelState, Rule> decode_state(ByteView bytes, const Terms& terms) {
    auto state = wire_decode<ChannelState>(bytes);
    if (!state) return state;
    if (const Rule rule = check_limits(*state, terms); rule != Rule::none) return Unexpected{rule};
    state->refresh_derived();
    return state;
}

Price asset_price(const Terms& terms, const ChannelState& state, std::size_t asset) {
    return terms.assets[asset].feed.is_zero() ? Price::from_raw(100'000'000) : state.asset_marks[asset];
}

}  // namespace hedgerow::channel
