#include "channel/machine/durable.h"

#include "channel/crypto/checksum.h"
#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "channel/machine/turn.h"

namespace hedgerow::channel {

namespace {

/// Those before differ in their check bytes.
constexpr std::uint16_t kHeadFormat = 3;

/// The stored head, by one field list like everything else (spec 8.2).
struct Head {
    std::uint16_t format = kHeadFormat;
    Terms terms;
    Party me = Party::A;
    NodeId peer;
    PublicKey their_key;
    Secret secret;
    Funds funds_seen;
    Funds funds_peer;
    Status status = Status::opening;
    ChannelState state;
    Digest digest;
    Signature signature_a;
    Signature signature_b;
    std::uint64_t highest_signed = 0;
    std::optional<PendingClose> close;
    std::optional<Dispute> dispute;
    bool lost_data = false;
    bool challenged = false;
    static constexpr auto fields() {
        return std::make_tuple(field("format", &Head::format), field("terms", &Head::terms), field("me", &Head::me), field("peer", &Head::peer),
                               field("theirKey", &Head::their_key), field("secret", &Head::secret), field("fundsSeen", &Head::funds_seen),
                               field("fundsPeer", &Head::funds_peer), field("status", &Head::status), field("state", &Head::state),
                               field("digest", &Head::digest), field("signatureA", &Head::signature_a), field("signatureB", &Head::signature_b),
                               field("highestSigned", &Head::highest_signed), field("close", &Head::close), field("dispute", &Head::dispute),
                               field("lostData", &Head::lost_data), field("challenged", &Head::challenged));
    }
};

constexpr std::size_t kCheckBytes = 8;
constexpr std::size_t kUsualHead = 1'024;  ///< most have less, but for their lists

bool signed_by_us(const Channel& channel, const Digest& digest, const Signature& signature) {
    const auto key = recover(digest, signature);
    return key && address_of(*key) == channel.terms.signer(channel.me);
}

Rule check_head(const Head& head, const Channel& channel) {
    if (head.format == 0 || head.format > kHeadFormat) return Rule::protocol_version_unsupported;
    const std::size_t n = head.terms.assets.size();
    for (const Party party : {Party::A, Party::B}) {
        if (head.funds_seen.deposit(party).size() != n || head.funds_seen.withdrawn(party).size() != n) return Rule::assets_count_out_of_range;
        if (head.funds_peer.deposit(party).size() != n || head.funds_peer.withdrawn(party).size() != n) return Rule::assets_count_out_of_range;
    }
    if (head.highest_signed < head.state.version) return Rule::version_out_of_range;
    if (head.close && head.close->close.version <= head.state.version) return Rule::version_out_of_range;
    if (head.state.version == 0) return Rule::none;
    if (state_digest(channel.agreed.state, channel.id, channel.separator) != head.digest) return Rule::digest_mismatch;
    const bool signed_by_both = signed_by_us(channel, head.digest, channel.agreed.signature(channel.me)) &&
                                state_signed_by_peer(channel, head.digest, channel.agreed.signature(other(channel.me)));
    return signed_by_both ? Rule::none : Rule::bad_signature;
}

/// Storage that rots must not become money. A signed state is not looked at again: its digest, which is, binds all of it and is compared with it
/// in check_head; so what is open in a channel does not make its head dearer.
Bytes check_bytes(ByteView before_state, ByteView state, ByteView after_state, bool is_signed) {
    const auto sum = checksum({before_state, is_signed ? ByteView() : state, after_state});
    return {sum.begin(), sum.end()};
}

/// Formats 1 and 2 had the first bytes of keccak256.
Bytes check_bytes(const Head& head, ByteView body) {
    std::array<Writer, 3> parts;
    std::size_t at = 0;
    for_each_field(head, [&](const auto&, const auto& member) {
        constexpr bool kIsState = std::is_same_v<std::decay_t<decltype(member)>, ChannelState>;
        if (kIsState) ++at;
        wire_write(parts[at], member);
        if (kIsState) ++at;
    });
    const bool is_signed = head.state.version != 0;
    if (head.format > 2) return check_bytes(parts[0].bytes(), parts[1].bytes(), parts[2].bytes(), is_signed);
    const Hash hash = head.format == 2 && is_signed ? keccak256({parts[0].bytes(), parts[2].bytes()}) : keccak256(body);
    return {hash.data.begin(), hash.data.begin() + kCheckBytes};
}

/// A stored update of ours is in flight again, with the state it led to when we signed it.
Rule take_up(Channel& channel, const PersistUpdate& stored) {
    auto after = decode_state(stored.after.whole(), channel.terms);
    if (!after) return after.error();
    const std::uint64_t last = channel.pending.empty() ? channel.agreed.state.version : channel.pending.back().update.version;
    if (after->version != stored.update.version || after->version <= last) return Rule::digest_mismatch;
    if (!stored.is_void && stored.update.base != channel.tip().version) return Rule::base_unknown;
    PendingUpdate pending;
    pending.update = stored.update;
    pending.after = std::move(*after);
    pending.digest = state_digest(pending.after, channel.id, channel.separator);
    pending.local_ids.assign(stored.update.ops.size(), 0);
    pending.at_risk16 = at_risk16(channel, stored.update.ops);
    pending.is_void = stored.is_void;
    if (!stored.update.signature || !signed_by_us(channel, pending.digest, *stored.update.signature)) return Rule::bad_signature;
    channel.highest_signed = std::max(channel.highest_signed, stored.update.version);
    if (pending.is_void && pending.update.ops.empty()) return Rule::none;  // as in leader_reject
    channel.pending.push_back(std::move(pending));
    return Rule::none;
}

}  // namespace

Channel make_channel(const Terms& terms, const RiskTerms& risk, const List<Price, kMaxAssets>& asset_marks, const Hash& separator, Party me,
                     const NodeId& peer, const PublicKey& their_key, const Secret& secret) {
    Channel channel;
    channel.terms = terms;
    channel.separator = separator;
    channel.id = channel_id_of(terms, separator);
    channel.me = me;
    channel.peer = peer;
    channel.their_key = their_key;
    channel.secret = secret;
    for (Funds* funds : {&channel.funds_seen, &channel.funds_peer}) {
        for (const Party party : {Party::A, Party::B}) {
            funds->deposit(party).resize(terms.assets.size());
            funds->withdrawn(party).resize(terms.assets.size());
        }
    }
    channel.agreed.state = initial_state(terms, risk, asset_marks);
    return channel;
}

/// The fields of a Head, from where they are.
Encoding encode_head_beside(const Channel& channel) {
    const bool is_signed = channel.agreed.state.version != 0;
    Writer out(is_signed ? Lists::beside : Lists::inside);  // check_bytes wants all of one that is not
    out.reserve(kUsualHead);
    const auto write = [&](const auto&... members) { (wire_write(out, members), ...); };
    write(kHeadFormat, channel.terms, channel.me, channel.peer, channel.their_key, channel.secret, channel.funds_seen, channel.funds_peer,
          channel.status);
    const std::size_t from = out.bytes().size();
    write(channel.agreed.state);
    const std::size_t to = out.bytes().size();
    write(channel.agreed.digest, channel.agreed.signature_a, channel.agreed.signature_b, channel.highest_signed, channel.close, channel.dispute,
          channel.lost_data, channel.challenged);
    const ByteView all = out.bytes();
    out.raw(check_bytes(all.first(from), all.subspan(from, to - from), all.subspan(to), is_signed));
    return std::move(out).take_encoding();
}

Bytes encode_head(const Channel& channel) { return encode_head_beside(channel).whole(); }

Bytes seal_head(ByteView body) {
    Bytes out(body.begin(), body.end());
    const auto head = wire_decode<Head>(body);
    if (head) append(out, check_bytes(*head, body));
    return out;
}

Expected<Channel, Rule> restore_channel(ByteView bytes, const Hash& separator, const std::vector<PersistUpdate>& pending) {
    if (bytes.size() < kCheckBytes) return Unexpected{Rule::frame_truncated};
    const ByteView body = bytes.first(bytes.size() - kCheckBytes);
    auto head = wire_decode<Head>(body);
    if (!head) return Unexpected{head.error()};
    const Bytes check = check_bytes(*head, body);
    if (!std::equal(check.begin(), check.end(), bytes.last(kCheckBytes).begin())) return Unexpected{Rule::digest_mismatch};
    auto state = decode_state(wire_encode(head->state), head->terms);
    if (!state) return Unexpected{state.error()};
    Channel channel;
    channel.terms = head->terms;
    channel.separator = separator;
    channel.id = channel_id_of(head->terms, separator);
    channel.me = head->me;
    channel.peer = head->peer;
    channel.their_key = head->their_key;
    channel.secret = head->secret;
    channel.funds_seen = head->funds_seen;
    channel.funds_peer = head->funds_peer;
    channel.status = head->status;
    channel.agreed = {std::move(*state), head->digest, head->signature_a, head->signature_b, false};
    channel.highest_signed = head->highest_signed;
    channel.close = head->close;
    channel.dispute = head->dispute;
    channel.lost_data = head->lost_data;
    channel.challenged = head->challenged;
    if (const Rule rule = check_head(*head, channel); rule != Rule::none) return Unexpected{rule};
    if (!channel.is_leader()) return channel;
    for (const PersistUpdate& update : pending) {
        if (update.update.version <= channel.agreed.state.version) continue;
        if (const Rule rule = take_up(channel, update); rule != Rule::none) return Unexpected{rule};
    }
    return channel;
}

}  // namespace hedgerow::channel
