#include "tests/fuzz/core_world.h"

namespace hedgerow::fuzz {

using namespace channel;
using testing::Side;

namespace {

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::size_t kKeptDisks = 8;

struct Listing {
    const char* instrument;
    const char* underlying;
    std::uint64_t expiry;
};
constexpr Listing kListings[] = {
    {"BTC_USD-PERPETUAL", "BTC_USD", 0},           {"ETH_USD-PERPETUAL", "ETH_USD", 0},
    {"BTC_USD-26MAR27", "BTC_USD", 1'806'048'000}, {"ETH_USD", "ETH_USD", 0},  // also the feed of an asset
    {"DOGE_USD-PERPETUAL", "DOGE_USD", 0},                                     // not in the risk terms
};

/// 16 bits of precision at one of many sizes: mostly small, now and then at the limits.
constexpr Int128 kMostDeposited = (Int128{1} << 120) - 1;  // the contract takes no more (spec 1.6)

Int128 scaled(std::uint16_t mantissa, std::uint8_t shift) {
    const int places = shift < 192 ? shift % 24 : shift % 112;
    return static_cast<Int128>(mantissa) << places;
}
Int128 scaled_either(std::uint16_t mantissa, std::uint8_t shift) {
    return (shift & 128) != 0 && shift < 192 ? -scaled(mantissa, shift) : scaled(mantissa, shift);
}

/// Near what such a thing costs, or anything.
Price price_near(const char* feed, std::uint16_t x, std::uint8_t shift) {
    if (shift >= 250) return Price::from_raw(scaled(x, static_cast<std::uint8_t>(shift - 58)));
    const Int128 dollars = feed[0] == 'B' ? 90'000 : 2'000;
    return Price::from_raw(dollars * 1'000 * (32'768 + x));
}

void alter(Terms& terms, RiskTerms& risk, bool first_has_feed, bool penalty, bool in_doubt) {
    if (first_has_feed) {
        terms.assets[0].feed = testing::feed("ETH_USD");
        terms.assets[0].decimals = 18;
        terms.assets[1].feed = {};
        terms.assets[1].decimals = 0;
    }
    if (penalty) terms.stale_penalty = Amount::from_raw(1'000);
    risk.classes.push_back({testing::feed("ETH_USD"), 2'000, 2'000, 2'000, Quantity::from_raw(1)});
    if (in_doubt) risk.max_in_doubt = Usd16::from_raw(Int128{1} << 60);
}

template <int Bits>
void alter_by(Terms& terms, RiskTerms& risk) {
    alter(terms, risk, (Bits & 1) != 0, (Bits & 2) != 0, (Bits & 4) != 0);
}

/// Opened, funded and connected; made once, since it costs a dozen signatures.
const testing::Pair& fresh_pair(std::uint8_t bits) {
    static const std::array<testing::Pair, 16> pairs = [] {
        constexpr void (*kAlter[])(Terms&, RiskTerms&) = {alter_by<0>, alter_by<1>, alter_by<2>, alter_by<3>,
                                                          alter_by<4>, alter_by<5>, alter_by<6>, alter_by<7>};
        const auto make = [&](std::size_t i) {
            const Int128 deposit = i < 8 ? Int128{1'000'000'000'000} : (Int128{1} << 119) + 12'345;
            return testing::Pair(Amount::from_raw(deposit), kAlter[i % 8]);
        };
        return std::array<testing::Pair, 16>{make(0),  make(1),  make(2),  make(3), make(4),  make(5),
                                             make(6),  make(7),  make(8),  make(9), make(10), make(11),
                                             make(12), make(13), make(14), make(15)};
    }();
    return pairs[bits & 15];
}

Preimage preimage_number(std::uint8_t n) {
    Preimage out;
    out.data[0] = n;
    return out;
}
LockHash lock_number(std::uint8_t n) {
    const Hash hash = keccak256(preimage_number(n).view());
    return *LockHash::from(hash.view());
}

/// Spec 6.12, read again.
void check_invariants(const Channel& channel) {
    ASSERT(channel.highest_signed >= channel.agreed.state.version);
    ASSERT(channel.pending.size() <= 64);
    std::uint64_t before = channel.agreed.state.version;
    for (const PendingUpdate& pending : channel.pending) {
        ASSERT(pending.update.version > before);
        before = pending.update.version;
    }
    if (channel.is_leader() && channel.status == Status::open) ASSERT(before <= channel.agreed.state.version + 64);
    ASSERT(!channel.close || channel.close->close.version > channel.agreed.state.version);
    for (const ChannelState* state : {&channel.agreed.state, &channel.tip()}) {
        for (std::size_t i = 0; i < channel.terms.assets.size(); ++i) {
            ASSERT(abs(big(state->net[i])) < Big(1) << 120);
            ASSERT(state->asset_marks[i].sign() > 0);
            ASSERT(state->locked_by(Party::A, i).sign() >= 0 && state->locked_by(Party::B, i).sign() >= 0);
        }
    }
}

}  // namespace

Record Record::read(const std::uint8_t* bytes) {
    Record out;
    out.command = bytes[0];
    out.kind = bytes[1];
    out.pick = bytes[2];
    out.shift = bytes[3];
    out.x = static_cast<std::uint16_t>(bytes[4] | bytes[5] << 8);
    out.y = static_cast<std::uint16_t>(bytes[6] | bytes[7] << 8);
    for (int i = 3; i >= 0; --i) out.z = out.z << 8 | bytes[8 + i];
    return out;
}

CoreWorld::CoreWorld(std::uint8_t setup)
    : m_mode(setup < 128   ? Mode::clean
             : setup < 192 ? Mode::liar_is_a
                           : Mode::liar_is_b),
      m_pair(fresh_pair(setup)),
      m_now_ms(m_pair.context.now_ms) {
    m_pair.context.revealed = &m_revealed;
    for (const Party party : {Party::A, Party::B}) {
        const Channel& channel = side(party).channel;
        Tracked& own = tracked(party);
        own.model.emplace(channel.terms, channel.agreed.state, m_revealed);
        own.effects_seen = side(party).other.size();
        own.ops_seen = side(party).agreed_ops.size();
        for (std::size_t i = 0; i < channel.terms.assets.size(); ++i) {
            m_deposits[party == Party::A ? 0 : 1][i] = big(channel.funds_seen.deposit(party)[i]);
        }
    }
    m_history.emplace(0, *m_tracked[0].model);
}

void CoreWorld::run(Party party, const Input& input) {
    m_pair.context.now_ms = m_now_ms + static_cast<std::uint64_t>(tracked(party).skew_ms);
    m_pair.steady_ms = m_now_ms;
    m_pair.run(side(party), input);
}

bool CoreWorld::deliver(Party from) {
    m_pair.context.now_ms = m_now_ms + static_cast<std::uint64_t>(tracked(other(from)).skew_ms);
    m_pair.steady_ms = m_now_ms;
    return m_pair.deliver_one(side(from));
}

void CoreWorld::settle() {
    int rounds = 0;
    for (bool moved = true; moved;) {
        moved = false;
        ASSERT(++rounds < 1'000);  // two sides must not argue for ever
        for (const Party party : {Party::A, Party::B}) run(party, Flush{});
        for (const Party party : {Party::A, Party::B}) {
            while (deliver(party)) moved = true;
        }
        check();
    }
}

void CoreWorld::perform(const Record& record) {
    switch (record.command % 12) {
        case 0:
        case 1:
        case 2:
            local_op(record);
            break;
        case 3:
        case 4:
        case 5:
            network(record);
            break;
        case 6:
            settle();
            break;
        case 7:
            chain(record);
            break;
        case 8:
            clock(record);
            break;
        case 9:
            repeat_message(record);
            break;
        case 10:
        case 11:
            if (m_mode == Mode::clean) {
                if (record.command % 12 == 10) lose_data(record.pick % 2 == 0 ? Party::A : Party::B, record.x);
            } else {
                lie(record);
            }
            break;
    }
    check();
}

// --- ops ------------------------------------------------------------------------------------------------------------

Op CoreWorld::op_from(const Record& record, Party origin) {
    const Listing& listing = kListings[record.pick % 5];
    const auto asset = static_cast<std::uint8_t>(record.pick % 16 == 15 ? 2 : record.pick / 8 % 2);
    const bool from_a = (origin == Party::A) != (record.z % 64 == 63);  // now and then the wrong one
    const Int128 size = scaled(record.x, record.shift);
    const Amount paid = Amount::from_raw(from_a ? size : -size);
    const std::uint64_t now_s = m_now_ms / kSecondMs;
    switch (record.kind % 14) {
        case 0:
        case 1:
            return PayOp{asset, paid, Text<kMaxMemo>(std::string_view(record.z % 8 == 7 ? "no" : ""))};
        case 2:
            return SwapOp{asset,
                          paid,
                          static_cast<std::uint8_t>(1 - asset % 2),
                          Amount::from_raw((from_a ? -1 : 1) * scaled(record.y, record.shift)),
                          {}};
        case 3:
        case 4:
        case 5: {
            const auto fee = static_cast<Int128>(record.z % 256) * (record.z % 2 == 0 ? 1 : -1);
            return TradeOp{testing::feed(listing.instrument),
                           testing::feed(listing.underlying),
                           Kind::linear,
                           listing.expiry,
                           {},
                           Quantity::from_raw(scaled_either(record.x, record.shift)),
                           price_near(listing.underlying, record.y, static_cast<std::uint8_t>(record.z >> 8)),
                           Amount::from_raw(fee),
                           {}};
        }
        case 6:
        case 7:
            return MarkOp{testing::feed(listing.instrument), price_near(listing.underlying, record.x, record.shift),
                          price_near(listing.underlying, record.y, record.shift)};
        case 8: {
            const std::uint64_t expiry = now_s + (record.z % 8 == 7 ? record.z : record.z % 7'200);
            return LockOp{Lock{lock_number(static_cast<std::uint8_t>(record.y % 32)), expiry, asset, paid}};
        }
        case 9:
            return FulfilOp{lock_number(static_cast<std::uint8_t>(record.y % 32)),
                            preimage_number(static_cast<std::uint8_t>(record.z % 16 == 15 ? 99 : record.y % 32))};
        case 10:
            return CancelOp{lock_number(static_cast<std::uint8_t>(record.y % 32))};
        case 11: {
            const PositionEntry* entry = side(origin).channel.tip().find_position(testing::feed(listing.instrument));
            if (listing.expiry != 0 && record.z % 4 == 3) {
                return ExpireOp{testing::feed(listing.instrument),
                                price_near(listing.underlying, record.x, record.shift)};
            }
            const Int128 held = entry == nullptr ? 1 : entry->position.quantity.raw();
            const Int128 part = record.y == 0 ? held : held * record.y / 65'536;
            return LiquidateOp{testing::feed(listing.instrument), Quantity::from_raw(-part),
                               entry == nullptr ? Price() : entry->position.mark};
        }
        case 12: {
            const std::uint64_t deadline = now_s + record.z % 100'000;
            if (record.y % 4 != 0) return WithdrawOp{origin, asset, Amount::from_raw(size), deadline};
            return CloseOp{deadline};
        }
        default: {
            RiskTerms risk = side(origin).channel.tip().risk;
            risk.funding_deadband_bps = record.x % 100;
            risk.funding_cap_bps = record.y;
            if (!risk.classes.empty()) {
                RiskClass& first = risk.classes.front();
                first.initial_bps = static_cast<std::uint16_t>(record.z % 10'002);
                first.maintenance_bps = static_cast<std::uint16_t>(record.z / 3 % 10'002);
                first.penalty_bps = static_cast<std::uint16_t>(record.z / 7 % 2'000);
            }
            if (record.shift % 8 == 7 && !risk.classes.empty()) risk.classes.pop_back();
            return TermsOp{risk};
        }
    }
}

void CoreWorld::local_op(const Record& record) {
    const Party party = record.command % 2 == 0 ? Party::A : Party::B;
    run(party, LocalOp{m_pair.next_id++, op_from(record, party)});
    if (record.command >= 128) run(party, Flush{});
}

// --- network, disk, clock, chain
// --------------------------------------------------------------------------------------

void CoreWorld::network(const Record& record) {
    const Party party = record.pick % 2 == 0 ? Party::A : Party::B;
    switch (record.kind % 8) {
        case 0:
        case 1:
            run(party, Flush{});
            break;
        case 2:
        case 3:
            for (int i = 0; i <= record.x % 8; ++i) deliver(party);
            break;
        case 4:
            m_pair.crash(side(party));
            break;
        case 5:
            m_pair.linked ? m_pair.unlink() : m_pair.link();
            break;
        case 6:
            side(party).outbox.clear();  // lost on a link that is about to break
            if (record.x % 2 == 0 && m_pair.linked) m_pair.unlink();
            break;
        default:
            run(party, Tick{});
            break;
    }
}

void CoreWorld::clock(const Record& record) {
    constexpr std::uint64_t kSteps[] = {1, 1'000, 20'000, 61'000, 200'000, 3'600'000, 28'800'000, 86'400'000};
    if (record.kind % 4 == 3) {
        constexpr std::int64_t kSkews[] = {0, -1'000, 29'000, 31'000, -61'000, 3'600'000};
        m_tracked[record.pick % 2].skew_ms = kSkews[record.x % 6];
        return;
    }
    m_now_ms += kSteps[record.kind / 4 % 8] * (1 + record.x % 4);
    if (record.pick % 2 == 0) return;
    m_pair.context.chain_time_s = m_now_ms / kSecondMs;
    const std::uint64_t confirmed = m_now_ms / kSecondMs - record.y % 64;
    m_pair.context.confirmed_chain_time_s = std::max(m_pair.context.confirmed_chain_time_s, confirmed);
}

void CoreWorld::chain(const Record& record) {
    const Party who = record.pick % 2 == 0 ? Party::A : Party::B;
    const Party whose = record.pick / 2 % 2 == 0 ? Party::A : Party::B;
    const auto asset = static_cast<std::uint8_t>(record.pick / 4 % 2);
    const bool both = record.pick / 8 % 4 != 0;
    const auto tell = [&](const Input& input) {
        run(who, input);
        if (both) run(other(who), input);
    };
    switch (record.kind % 16) {
        case 0:
        case 1:
        case 2: {  // more, or less after a reorganisation
            const Int128 total = std::min(scaled(record.x, record.shift), kMostDeposited);
            Big& most = m_deposits[whose == Party::A ? 0 : 1][asset];
            most = std::max(most, Big(total));
            tell(ChainDeposit{whose, asset, Amount::from_raw(total)});
            break;
        }
        case 3:
        case 4: {
            const std::vector<Withdraw>& given = side(other(whose)).withdraws_signed;
            if (!given.empty()) {
                const Withdraw& used = given[record.x % given.size()];
                tell(ChainWithdrawal{used.party, used.asset, used.total});
            }
            break;
        }
        case 5:
            tell(ChainDispute{m_now_ms / kSecondMs, m_now_ms / kSecondMs + 3'600,
                              side(whose).channel.agreed.state.version + record.x % 4, whose});
            break;
        case 6:
        case 7:
        case 8:
            tell(ChainDisputeGone{});
            break;
        case 9:
            run(who, ForceClose{});
            break;
        case 10:
            if (record.x % 16 == 0) tell(ChainFinal{record.y % 2 == 0});
            break;
        case 11:
            if (m_revealed.size() < 16)
                m_revealed.emplace(lock_number(static_cast<std::uint8_t>(record.y % 32)), m_now_ms / kSecondMs);
            break;
        default:
            m_pair.context.halted = record.kind % 16 == 12;
            break;
    }
}

/// A disk put back to what it was. Only where the other side's word is enough to see it: its agreed version must lie
/// above all that the older disk knows of (what a node does about the rest is the store's and the policy's part).
void CoreWorld::lose_data(Party party, std::size_t which) {
    Tracked& own = tracked(party);
    if (own.old_disks.empty() || own.lost_data || tracked(other(party)).lost_data) return;
    const Tracked::Disk disk = own.old_disks[which % own.old_disks.size()];
    Side& lost = side(party);
    const Channel& honest = side(other(party)).channel;
    if (honest.agreed.state.version <= disk.highest_signed || honest.agreed.state.version <= disk.version) return;
    if (honest.status != Status::open || lost.channel.status != Status::open) return;
    const bool was_linked = m_pair.linked;
    if (was_linked) m_pair.unlink();
    std::vector<PersistUpdate> stored;
    for (const auto& [version, update] : disk.updates) stored.push_back(update);
    auto restored = restore_channel(disk.head, lost.channel.separator, stored);
    ASSERT(restored.has_value());
    lost.channel = std::move(*restored);
    lost.head = disk.head;
    lost.updates = disk.updates;
    own.lost_data = true;
    own.signed_count = lost.signed_digests.size();
    own.model = m_history.at(disk.version);
    own.old_disks.clear();
    if (was_linked) m_pair.link();
}

void CoreWorld::repeat_message(const Record& record) {
    const Party from = record.pick % 2 == 0 ? Party::A : Party::B;
    const std::deque<PeerMessage>& sent = side(from).sent;
    if (sent.empty() || !m_pair.linked) return;
    const PeerMessage message = sent[record.x % sent.size()];
    // An honest side's old word on a new connection is a lie of the wire, which CURVE rules out; but for what it says
    // of itself.
    const bool harmless = std::holds_alternative<Update>(message) || std::holds_alternative<Ack>(message) ||
                          std::holds_alternative<Propose>(message) || std::holds_alternative<HandOver>(message);
    if (m_mode == Mode::clean && !harmless) return;
    if (m_mode != Mode::clean && from != liar()) return;
    run(other(from), FromPeer{message, testing::Pair::judge(message)});
}

// --- lies -----------------------------------------------------------------------------------------------------------

Signature CoreWorld::liars_signature(const Digest& digest) {
    return side(liar()).key.sign(digest);
}

Funds CoreWorld::funds_from(const Record& record) const {
    Funds out = m_pair.a.channel.funds_seen;
    const Party party = record.pick % 2 == 0 ? Party::A : Party::B;
    List<Amount, kMaxAssets>& amounts = record.pick / 2 % 2 == 0 ? out.deposit(party) : out.withdrawn(party);
    amounts[record.pick / 4 % 2] = Amount::from_raw(scaled_either(record.x, record.shift));
    if (record.z % 32 == 31) amounts.pop_back();
    return out;
}

/// An update with the liar's valid signature on what an honest follower makes of it.
Update CoreWorld::signed_update(const Record& record, const Channel& victim) {
    Update out;
    out.channel = victim.id;
    out.version = victim.tip().version + 1 + (record.shift % 16 == 15 ? record.y : 0);
    out.base = victim.tip().version - (record.shift % 16 == 14 ? std::min<std::uint64_t>(victim.tip().version, 1) : 0);
    out.timestamp_ms = m_now_ms + (record.y % 8 == 7 ? record.x : 0) - (record.y % 8 == 6 ? record.x : 0);
    std::vector<OpEntry> ops;
    if (record.z % 4 == 3 && !victim.proposals.empty()) {
        const Proposal& proposal = victim.proposals[record.x % victim.proposals.size()];
        ops.push_back({proposal.number, proposal.op});
    }
    if (record.z % 8 != 7) ops.push_back({0, op_from(record, Party::A)});
    out.ops = OpList(std::move(ops));
    ChannelState after = victim.tip();
    m_pair.context.now_ms = m_now_ms + static_cast<std::uint64_t>(tracked(victim.me).skew_ms);
    m_pair.steady_ms = m_now_ms;
    if (begin_update(m_pair.context, victim, after, out.version, out.timestamp_ms) == Rule::none) {
        for (const OpEntry& entry : out.ops) {
            static_cast<void>(apply_op(OpScope{m_pair.context, victim, out.timestamp_ms}, after, entry));
        }
        finish_update(after, out);
    }
    if (record.z % 16 != 15) out.signature = liars_signature(state_digest(after, victim.id, victim.separator));
    return out;
}

std::optional<PeerMessage> CoreWorld::lie_to_leader(const Record& record, const Channel& victim) {
    const PendingUpdate* pending = victim.pending.empty() ? nullptr : &victim.pending[record.x % victim.pending.size()];
    switch (record.kind % 4) {
        case 0:
            if (pending == nullptr || victim.awaiting_signature) return std::nullopt;
            return Ack{victim.id, pending->update.version, liars_signature(pending->digest)};
        case 1:
            return Reject{victim.id, pending == nullptr ? record.y : pending->update.version,
                          static_cast<std::uint16_t>(record.z), static_cast<Rule>(record.y % 100)};
        case 2: {
            const std::uint64_t number = record.shift % 8 == 7 ? record.z : (m_now_ms << 20) + record.z % 64;
            return Propose{victim.id, number, {op_from(record, Party::B)}};
        }
        default:
            return std::nullopt;
    }
}

std::optional<PeerMessage> CoreWorld::lie_to_follower(const Record& record, const Channel& victim) {
    switch (record.kind % 4) {
        case 0:
        case 1:
            return signed_update(record, victim);
        case 2: {
            if (victim.proposals.empty()) return std::nullopt;
            const std::uint64_t number = victim.proposals[record.x % victim.proposals.size()].number;
            return Refuse{victim.id, number, static_cast<Rule>(record.y % 100)};
        }
        default:
            return std::nullopt;
    }
}

std::optional<PeerMessage> CoreWorld::lie_to_anyone(const Record& record, const Channel& victim) {
    switch (record.kind / 4 % 8) {
        case 0:
            return FundsSeen{victim.id, funds_from(record)};
        case 1: {
            Reestablish out{victim.id, victim.agreed.state.version, victim.agreed.digest, victim.highest_signed, {}};
            out.agreed += record.x % 4;
            out.agreed -= std::min<std::uint64_t>(out.agreed, record.y % 4);
            out.highest_signed = record.z % 4 == 3 ? record.z : out.highest_signed;
            for (const PendingUpdate& pending : victim.pending) {
                if (pending.update.version == out.agreed) out.digest = pending.digest;
            }
            out.signature = liars_signature(out.digest);
            return out;
        }
        case 2: {
            ChannelState state = record.x % 2 == 0 ? victim.tip() : victim.agreed.state;
            state.version += record.y % 4;
            const Signature theirs = liars_signature(state_digest(state, victim.id, victim.separator));
            const Signature ours = victim.agreed.signature(victim.me);
            const bool a_lies = victim.me == Party::B;
            return HandOver{Blob<(1 << 16)>(ByteView(wire_encode(state))), victim.id, a_lies ? theirs : ours,
                            a_lies ? ours : theirs};
        }
        case 3: {
            Close close{victim.id, victim.highest_signed + 1 + record.x % 2, victim.agreed.state.net,
                        m_now_ms / kSecondMs + record.y};
            if (victim.close && record.z % 4 != 0) close = victim.close->close;
            return CloseSignature{close, liars_signature(digest_of(close, victim.separator))};
        }
        case 4: {
            const auto asset = static_cast<std::uint8_t>(record.x % 2);
            const Authorisation& right = victim.agreed.state.authorised(victim.me)[asset];
            const Withdraw withdraw{victim.id, victim.me, asset, right.total, right.deadline};
            return WithdrawSignature{withdraw, liars_signature(digest_of(withdraw, victim.separator))};
        }
        default:
            return std::nullopt;
    }
}

void CoreWorld::lie(const Record& record) {
    const Party victim = other(liar());
    if (record.command % 12 == 11 && record.kind % 2 == 1) return garble_message(record);
    const Channel& channel = side(victim).channel;
    std::optional<PeerMessage> message = record.command % 12 == 11 ? lie_to_anyone(record, channel)
                                         : channel.is_leader()     ? lie_to_leader(record, channel)
                                                                   : lie_to_follower(record, channel);
    if (!message) return;
    const auto read = wire_decode<PeerMessage>(wire_encode(*message));
    if (read) run(victim, FromPeer{*read, testing::Pair::judge(*read)});
}

void CoreWorld::garble_message(const Record& record) {
    Side& from = side(liar());
    if (from.outbox.empty()) return;
    Bytes bytes = wire_encode(from.outbox.front());
    from.outbox.pop_front();
    bytes[record.x % bytes.size()] ^= static_cast<std::uint8_t>(record.shift | 1);
    if (record.z % 4 == 3) bytes[record.y % bytes.size()] = record.pick;
    const auto message = wire_decode<PeerMessage>(bytes);
    if (message) run(other(liar()), FromPeer{*message, testing::Pair::judge(*message)});
}

// --- checks
// -----------------------------------------------------------------------------------------------------------

void CoreWorld::check() {
    for (const Party party : {Party::A, Party::B}) {
        Side& own = side(party);
        Tracked& track = tracked(party);
        check_invariants(own.channel);
        for (; track.effects_seen < own.other.size(); ++track.effects_seen) {
            const auto* agreed = std::get_if<StateAgreed>(&own.other[track.effects_seen]);
            if (agreed != nullptr) check_agreed(party, agreed->version);
        }
        if (track.lost_data) ASSERT(own.signed_digests.size() == track.signed_count);
    }
}

/// Takes the ops that a side was told of into its model, and compares the state that it holds now once it is the
/// newest.
void CoreWorld::check_agreed(Party party, std::uint64_t version) {
    if (m_mode != Mode::clean && party == liar()) return;
    Side& own = side(party);
    Tracked& track = tracked(party);
    const bool handed_over = own.channel.lost_data;
    if (handed_over) {
        track.model = m_history.at(version);
    } else {
        std::uint64_t close_deadline = 0;
        for (; track.ops_seen < own.agreed_ops.size(); ++track.ops_seen) {
            const Side::Agreed& op = own.agreed_ops[track.ops_seen];
            if (op.version > version) break;
            track.model->apply(op.entry, op.timestamp_ms, m_deposits);
            const auto* close = std::get_if<CloseOp>(&op.entry.op);
            close_deadline = close != nullptr && op.version == version ? close->deadline : 0;
        }
        track.model->finish(version, close_deadline);
        m_history.insert_or_assign(version, *track.model);
    }
    if (own.channel.agreed.state.version != version) return;
    track.model->check(own.channel.agreed.state);
    const auto [it, first] = m_digests.emplace(version, own.channel.agreed.digest);
    ASSERT(it->second == own.channel.agreed.digest);
    ASSERT(own.channel.agreed.digest ==
           digest_of(typed_state(own.channel.agreed.state, own.channel.id), own.channel.separator));
    check_durable(party);
}

void CoreWorld::check_durable(Party party) {
    Side& own = side(party);
    std::vector<PersistUpdate> stored;
    for (const auto& [at, update] : own.updates) stored.push_back(update);
    const auto restored = restore_channel(own.head, own.channel.separator, stored);
    ASSERT(restored.has_value() && encode_head(*restored) == own.head);
    Tracked& track = tracked(party);
    track.old_disks.push_back({own.head, own.updates, restored->agreed.state.version, restored->highest_signed});
    if (track.old_disks.size() > kKeptDisks) track.old_disks.pop_front();
}

void CoreWorld::finish() {
    check();
    m_pair.context.halted = false;
    for (Tracked& track : m_tracked) track.skew_ms = 0;
    m_now_ms += 4 * 3'600 * kSecondMs;  // past whatever a clock that ran ahead has signed
    if (m_pair.linked) m_pair.unlink();
    m_pair.link();
    for (int i = 0; i < 4; ++i) {  // what is refused is voided again each quarter of ackTimeout (spec 6.7)
        settle();
        m_now_ms += 20 * kSecondMs;
    }
    const Channel& a = m_pair.a.channel;
    const Channel& b = m_pair.b.channel;
    const bool both_open = a.status == Status::open && b.status == Status::open;
    if (m_mode != Mode::clean || !both_open) return;
    ASSERT(m_pair.same());
    ASSERT(a.pending.empty() && b.pending.empty());
    m_pair.crash(m_pair.a);
    m_pair.crash(m_pair.b);
    settle();
    ASSERT(m_pair.same());
}

}  // namespace hedgerow::fuzz
