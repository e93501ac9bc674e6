#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/channel_pair.h"

using namespace hedgerow::testing;

/// Random schedules in which one side's messages are replayed, withheld, and joined by mutated copies, signed wherever
/// a liar could sign them. Whatever is tried, the honest side's agreed state stays enforceable, it signs no version
/// twice (the harness asserts it), it never owes what it did not give, and after the lies the two agree again or say
/// why not.

namespace {

using Rng = std::mt19937;

struct World {
    Pair pair;
    Rng rng;
    Party liar;
    bool derivatives;
    unsigned lie_every;  ///< of so many steps
    Funds chain;         ///< what is true on chain
    std::size_t checked = 0;

    World(unsigned seed, Party who)
        : rng(seed),
          liar(who),
          derivatives(seed % 2 == 0),
          lie_every(seed % 3 == 0 ? 4 : 30),
          chain(pair.a.channel.funds_seen) {}

    unsigned roll(unsigned n) { return static_cast<unsigned>(rng() % n); }
    Side& honest() { return pair.side(other(liar)); }
    Side& lying() { return pair.side(liar); }
};

Int128 strange(World& w) {
    static constexpr Int128 kOne = 1;
    switch (w.roll(8)) {
        case 0:
            return 1 - (kOne << 126);  // the ends of what decodes
        case 1:
            return (kOne << 126) - 1;
        case 2:
            return (kOne << 96) - static_cast<Int128>(w.roll(2));
        case 3:
            return -(kOne << 120) + static_cast<Int128>(w.roll(2));
        case 4:
            return 0;
        default:
            return static_cast<Int128>(static_cast<std::int64_t>(w.rng())) - (kOne << 31);
    }
}

Amount amount(World& w, Party payer) {
    if (w.roll(40) == 0) return Amount::from_raw(strange(w));
    return units(static_cast<long>(1 + w.roll(w.roll(4) == 0 ? 600'000'000 : 1000)) * (payer == Party::A ? 1 : -1));
}

struct Secretive {
    Preimage preimage;
    LockHash hash;
};
Secretive secretive(World& w) {
    Secretive out;
    out.preimage.data[0] = static_cast<std::uint8_t>(w.roll(12));
    out.hash.data = keccak256(out.preimage.view()).data;
    return out;
}

/// A future that expires within seconds is settled where there is one, else traded.
Op random_expiry(World& w, double price) {
    const auto& positions = w.honest().channel.tip().positions;
    const auto dated =
        std::find_if(positions.begin(), positions.end(), [](const auto& e) { return e.position.expiry != 0; });
    if (dated != positions.end() && w.roll(4) != 0) {
        return ExpireOp{dated->position.instrument, w.roll(20) == 0 ? Price::from_raw(strange(w)) : usd(price)};
    }
    TradeOp op = perp((static_cast<double>(w.roll(40)) - 20) / 500, price);
    op.expiry = (w.pair.context.now_ms / 10'000 + 1) * 10;
    op.instrument = feed(("BTC_USD-" + std::to_string(op.expiry)).c_str());
    return op;
}

Op random_derivative(World& w) {
    const double price = 50'000 + static_cast<double>(w.roll(200)) * 200 - 20'000;
    if (w.roll(12) == 0) return random_expiry(w, price);
    switch (w.roll(6)) {
        case 0: {
            TradeOp op = perp((static_cast<double>(w.roll(400)) - 200) / 500, price);
            if (w.roll(20) == 0) op.quantity = Quantity::from_raw(strange(w));
            if (w.roll(20) == 0) op.price = Price::from_raw(strange(w));
            if (w.roll(20) == 0) op.fee = Amount::from_raw(strange(w));
            return op;
        }
        case 1:
        case 2: {
            const PositionEntry* entry = w.honest().channel.tip().find_position(feed("BTC_USD-PERPETUAL"));
            if (entry != nullptr && w.roll(4) != 0) {
                return LiquidateOp{entry->position.instrument,
                                   coins(entry->position.quantity.sign() > 0 ? -0.001 : 0.001), entry->position.mark};
            }
            const Quantity size =
                w.roll(10) == 0 ? Quantity::from_raw(strange(w))
                                : coins((static_cast<double>(w.roll(200)) - 100) / (w.roll(2) == 0 ? 1'000 : 20'000));
            return LiquidateOp{feed("BTC_USD-PERPETUAL"), size, entry == nullptr ? usd(price) : entry->position.mark};
        }
        default:
            if (w.roll(20) == 0)
                return MarkOp{feed("BTC_USD-PERPETUAL"), Price::from_raw(strange(w)), Price::from_raw(strange(w))};
            return mark(price, price + static_cast<double>(w.roll(200)) - 100);
    }
}

Op random_op(World& w, Party origin) {
    const std::uint64_t now = w.pair.context.now_ms / 1000;
    const auto asset = static_cast<std::uint8_t>(w.roll(30) == 0 ? w.roll(256) : w.roll(2));
    const Secretive secret = secretive(w);
    switch (w.roll(w.derivatives ? 20 : 15)) {
        case 0:
        case 1:
        case 2:
        case 3: {
            PayOp op{asset, amount(w, origin), Text<kMaxMemo>(std::string_view(w.roll(8) == 0 ? "no" : ""))};
            return op;
        }
        case 4:
        case 5: {
            const Party giver = w.roll(2) == 0 ? Party::A : Party::B;
            return SwapOp{
                asset, amount(w, giver), static_cast<std::uint8_t>(1 - asset % 2), amount(w, other(giver)), {}};
        }
        case 6:
        case 7:
            return LockOp{{secret.hash, now + w.roll(60), asset, amount(w, origin)}};
        case 8:
        case 9:
            return FulfilOp{secret.hash, secret.preimage};
        case 10:
        case 11:
            return CancelOp{secret.hash};
        case 12:
            return WithdrawOp{w.roll(10) == 0 ? other(origin) : origin, asset, amount(w, Party::A), now + w.roll(40)};
        case 13:
            return CloseOp{now + (w.roll(4) == 0 ? w.roll(15) : 0)};
        case 14: {
            RiskTerms risk = sample_risk();
            if (w.roll(4) == 0) risk.classes[0].lot = Quantity::from_raw(strange(w));
            if (w.roll(2) == 0) risk.max_in_doubt = Usd16::from_raw(static_cast<Int128>(1) << 60);
            return risk.classes[0].lot.is_zero() ? Op(CancelOp{secret.hash}) : Op(TermsOp{risk});
        }
        default:
            return random_derivative(w);
    }
}

// --- lies
// -------------------------------------------------------------------------------------------------------------------

std::uint64_t near(World& w, std::uint64_t n) {
    return w.roll(10) == 0 ? ~std::uint64_t{0} - w.roll(3) : n + w.roll(5) - std::min<std::uint64_t>(n, 2);
}

/// The signature that a lying leader would make: on what the honest follower will compute, if it takes the update at
/// all.
void sign_like_leader(World& w, Update& update) {
    Channel copy = w.honest().channel;
    Effects effects;
    step(w.pair.context, copy, FromPeer{update, Pair::judge(update)}, effects);
    if (copy.pending.empty() || copy.pending.back().update.version != update.version) return;
    update.signature = w.lying().key.sign(state_digest(copy.pending.back().after, copy.id, copy.separator));
}

PeerMessage lie_update(World& w) {
    const Channel& victim = w.honest().channel;
    Update u;
    u.channel = victim.id;
    u.base = w.roll(4) == 0 ? near(w, victim.tip().version) : victim.tip().version;
    u.version = w.roll(4) == 0 ? near(w, victim.tip().version + 1) : victim.tip().version + 1;
    u.timestamp_ms = w.roll(4) == 0 ? near(w, w.pair.context.now_ms - 30'000 + w.roll(60'000)) : w.pair.context.now_ms;
    std::vector<OpEntry> ops;
    for (unsigned i = w.roll(4); i > 0; --i) {
        OpEntry entry{0, random_op(w, w.liar)};
        if (!victim.proposals.empty() && w.roll(2) == 0) {
            const Proposal& p = victim.proposals[w.roll(static_cast<unsigned>(victim.proposals.size()))];
            entry = {w.roll(5) == 0 ? near(w, p.number) : p.number,
                     w.roll(5) == 0 ? random_op(w, other(w.liar)) : p.op};
        }
        ops.push_back(entry);
    }
    u.ops = OpList(std::move(ops));
    if (w.roll(8) != 0) sign_like_leader(w, u);
    if (u.signature && w.roll(8) == 0) u.signature->data[32] ^= 0x80;
    return u;
}

PeerMessage lie_ack(World& w) {
    const Channel& victim = w.honest().channel;
    if (victim.pending.empty()) return Ack{victim.id, near(w, victim.agreed.state.version), {}};
    const PendingUpdate& p = victim.pending[w.roll(static_cast<unsigned>(victim.pending.size()))];
    Ack ack{victim.id, p.update.version, w.lying().key.sign(p.digest)};
    if (w.roll(6) == 0) ack.version = near(w, ack.version);
    if (w.roll(6) == 0) ack.signature.data[32] ^= 0x80;
    return ack;
}

Funds lie_about_funds(World& w) {
    Funds funds = w.chain;
    for (List<Amount, kMaxAssets>* list :
         {&funds.deposit_a, &funds.deposit_b, &funds.withdrawn_a, &funds.withdrawn_b}) {
        for (Amount& a : *list) {
            if (w.roll(3) == 0)
                a = w.roll(4) == 0 ? Amount::from_raw(strange(w)) : units(static_cast<long>(w.roll(2'000'000'000)));
        }
        if (w.roll(40) == 0) list->pop_back();
    }
    return funds;
}

Reestablish lie_reestablish(World& w) {
    const Channel& victim = w.honest().channel;
    Reestablish out{victim.id, near(w, victim.agreed.state.version), victim.agreed.digest,
                    near(w, victim.highest_signed), std::nullopt};
    for (const PendingUpdate& p : victim.pending) {
        if (p.update.version == out.agreed && w.roll(2) == 0) out.signature = w.lying().key.sign(p.digest);
    }
    return out;
}

HandOver lie_hand_over(World& w) {
    const Channel& victim = w.honest().channel;
    ChannelState state = victim.pending.empty() || w.roll(2) == 0 ? victim.agreed.state : victim.pending.back().after;
    if (w.roll(2) == 0) state.version = near(w, state.version);
    if (w.roll(2) == 0) state.net[0] = Amount::from_raw(strange(w));
    state.refresh_derived();
    const Signature theirs = w.lying().key.sign(state_digest(state, victim.id, victim.separator));
    const bool a = w.liar == Party::A;
    return {Blob<(1 << 16)>(ByteView(wire_encode(state))), victim.id, a ? theirs : victim.agreed.signature_a,
            a ? victim.agreed.signature_b : theirs};
}

PeerMessage lie(World& w) {
    const Channel& victim = w.honest().channel;
    const bool leads = w.liar == Party::A;
    switch (w.roll(12)) {
        case 0:
            return FundsSeen{victim.id, lie_about_funds(w)};
        case 1:
            return lie_reestablish(w);
        case 2:
            return lie_hand_over(w);
        case 3: {
            Close close{victim.id, near(w, victim.highest_signed + 1), victim.agreed.state.net,
                        w.pair.context.now_ms / 1000 + w.roll(100)};
            if (victim.close && w.roll(2) == 0) close = victim.close->close;
            return CloseSignature{close, w.lying().key.sign(digest_of(close, victim.separator))};
        }
        case 4: {
            const auto asset = static_cast<std::uint8_t>(w.roll(3));
            const Authorisation a = asset < 2 ? victim.agreed.state.authorised(victim.me)[asset] : Authorisation{};
            const Withdraw withdraw{victim.id, w.roll(8) == 0 ? w.liar : victim.me, asset, a.total, a.deadline};
            return WithdrawSignature{withdraw, w.lying().key.sign(digest_of(withdraw, victim.separator))};
        }
        case 5:
        case 6:
        case 7:
            if (leads)
                return Refuse{victim.id, victim.proposals.empty() ? w.roll(9) : victim.proposals.front().number,
                              static_cast<Rule>(w.roll(20))};
            return Reject{victim.id,
                          victim.pending.empty()
                              ? 1
                              : victim.pending[w.roll(static_cast<unsigned>(victim.pending.size()))].update.version,
                          static_cast<std::uint16_t>(w.roll(3) == 0 ? kMaxOpsPerUpdate : w.roll(3)),
                          static_cast<Rule>(w.roll(20))};
        default:
            break;
    }
    if (leads) return lie_update(w);
    if (w.roll(2) == 0) return lie_ack(w);
    const std::uint64_t seen = std::max(victim.last_proposal_seen, w.pair.context.now_ms << 20);
    return Propose{victim.id, w.roll(5) == 0 ? near(w, seen) : seen + 1, {random_op(w, w.liar), random_op(w, w.liar)}};
}

/// A frame of the liar's with one bit turned, if it still decodes.
std::optional<PeerMessage> turned(World& w) {
    if (w.lying().sent.empty()) return std::nullopt;
    Bytes frame = wire_encode(w.lying().sent[w.roll(static_cast<unsigned>(w.lying().sent.size()))]);
    if (w.roll(3) != 0) {
        std::uint8_t& byte = frame[w.roll(static_cast<unsigned>(frame.size()))];
        byte = static_cast<std::uint8_t>(byte ^ (1U << w.roll(8)));
    }
    auto message = wire_decode<PeerMessage>(frame);
    return message ? std::optional(*message) : std::nullopt;
}

// --- what must hold
// -----------------------------------------------------------------------------------------------------------

/// The contract takes it, with both signatures (spec 1.6).
void check_enforceable(const Side& side) {
    const SignedState& s = side.channel.agreed;
    if (s.state.version == 0) return;
    const Channel& c = side.channel;
    REQUIRE(s.digest == digest_of(typed_state(s.state, c.id), c.separator));
    const BothSignatures both = enforceable_signatures(c);
    REQUIRE(recover(s.digest, both.a).has_value());
    REQUIRE(address_of(*recover(s.digest, both.a)) == c.terms.signer_a);
    REQUIRE(address_of(*recover(s.digest, both.b)) == c.terms.signer_b);
    REQUIRE(decode_state(wire_encode(s.state), c.terms).has_value());
    for (const PositionEntry& e : s.state.positions)
        REQUIRE((e.position.expiry <= kMaxExpiry && e.position.expiry % c.terms.price_slot == 0));
    for (const LockEntry& e : s.state.locks) REQUIRE(e.lock.expiry <= kMaxExpiry);
}

/// The liar has given no more than it has, even if it uses every Withdraw that the honest side ever signed and time
/// still allows.
void check_covered(World& w, std::size_t asset) {
    const Channel& c = w.honest().channel;
    Amount taken = w.chain.withdrawn(w.liar)[asset];
    for (const Withdraw& signed_one : w.honest().withdraws_signed) {
        if (signed_one.asset == asset && signed_one.deadline > w.pair.context.confirmed_chain_time_s)
            taken = std::max(taken, signed_one.total);
    }
    const Amount net = w.liar == Party::A ? c.agreed.state.net[asset] : -c.agreed.state.net[asset];
    REQUIRE((w.chain.deposit(w.liar)[asset] - taken - net - c.agreed.state.locked_by(w.liar, asset)).sign() >= 0);
}

void check(World& w) {
    check_enforceable(w.honest());
    check_covered(w, 1);
    if (!w.derivatives) check_covered(w, 0);
    const std::vector<OpEntry>& history = w.honest().history;
    for (; w.checked < history.size(); ++w.checked) {
        const OpEntry& e = history[w.checked];
        if (e.origin() != w.liar) continue;
        if (const auto* p = std::get_if<PayOp>(&e.op)) REQUIRE((p->amount.sign() > 0) == (w.liar == Party::A));
        if (const auto* p = std::get_if<PayOp>(&e.op)) REQUIRE(p->memo != "no");
        if (const auto* l = std::get_if<LockOp>(&e.op)) REQUIRE((l->lock.amount.sign() > 0) == (w.liar == Party::A));
        if (const auto* x = std::get_if<WithdrawOp>(&e.op)) REQUIRE(x->party == w.liar);
    }
}

// --- the schedule
// ---------------------------------------------------------------------------------------------------------------

void pass_time(World& w) {
    w.pair.context.now_ms += w.roll(30) == 0 ? w.roll(20'000) : w.roll(50);
    w.pair.context.chain_time_s = w.pair.context.now_ms / 1000;
    std::uint64_t& confirmed = w.pair.context.confirmed_chain_time_s;
    if (w.roll(4) == 0) confirmed = std::max(confirmed, w.pair.context.chain_time_s - w.roll(3));
}

/// Either side uses a Withdraw that the other signed, while it lasts; both see it confirmed.
void withdraw_on_chain(World& w) {
    for (const Party party : {Party::A, Party::B}) {
        for (const Withdraw& x : w.pair.side(other(party)).withdraws_signed) {
            Amount& done = w.chain.withdrawn(party)[x.asset];
            if (x.deadline <= w.pair.context.chain_time_s || x.total <= done || w.roll(2) == 0) continue;
            done = x.total;
            for (Side* side : {&w.pair.a, &w.pair.b}) w.pair.run(*side, ChainWithdrawal{party, x.asset, x.total});
        }
    }
}

void tell_a_lie(World& w) {
    if (!w.pair.linked) return;
    std::optional<PeerMessage> message = w.roll(4) == 0 ? turned(w) : std::optional(lie(w));
    if (message) message = wire_decode<PeerMessage>(wire_encode(*message)).value();
    if (message) w.pair.run(w.honest(), FromPeer{*message, Pair::judge(*message)});
}

/// The liar takes up what it got the other to sign, as a clever one would, and goes on from there.
void catch_up(World& w) {
    const Channel& truth = w.honest().channel;
    Channel& c = w.lying().channel;
    if (truth.status != Status::open || (c.status == Status::open && c.agreed.digest == truth.agreed.digest)) return;
    if (w.pair.linked) w.pair.unlink();
    c.highest_signed = std::max({c.highest_signed, truth.highest_signed, truth.agreed.state.version});
    c.agreed = truth.agreed;
    if (c.agreed.state.version != 0) {
        const BothSignatures both = enforceable_signatures(truth);  // its own as it should have been
        c.agreed.signature_a = both.a;
        c.agreed.signature_b = both.b;
    }
    c.pending.clear();
    c.proposals.clear();
    c.close.reset();
    c.status = Status::open;
    c.lost_data = false;
    w.lying().head = encode_head(c);
    w.lying().updates.clear();
    w.pair.link();
}

/// A challenge that is taken back: the honest side goes on, unless it was its own.
void dispute(World& w) {
    const std::uint64_t version = w.roll(static_cast<unsigned>(w.honest().channel.agreed.state.version) + 2);
    for (Side* side : {&w.pair.a, &w.pair.b}) w.pair.run(*side, ChainDispute{1, 100, version, w.liar});
    for (int i = 0; i < 10; ++i) w.pair.deliver_one(w.roll(2) == 0 ? w.pair.a : w.pair.b);
    tell_a_lie(w);
    if (w.roll(4) == 0) w.pair.crash(w.honest());
    for (Side* side : {&w.pair.a, &w.pair.b}) w.pair.run(*side, ChainDisputeGone{});
}

void happen(World& w) {
    Pair& pair = w.pair;
    if (w.roll(w.lie_every) == 0) tell_a_lie(w);
    const Party party = w.roll(2) == 0 ? Party::A : Party::B;
    Side& side = pair.side(party);
    switch (w.roll(20)) {
        case 0:
        case 1:
        case 2:
        case 3:
            pair.submit(party, random_op(w, party));
            return;
        case 4:
        case 5:
        case 6:
            pair.run(side, Flush{});
            return;
        case 7:
        case 8:
        case 9:
        case 10:
        case 11:
            for (unsigned n = w.roll(5); n > 0; --n) pair.deliver_one(side);
            return;
        case 12:
            if (w.roll(20) == 0) dispute(w);
            return;
        case 13:
        case 14:
        case 15:
            if (w.roll(12) == 0) return catch_up(w);
            if (w.roll(w.lie_every) == 0 && !w.lying().outbox.empty()) w.lying().outbox.pop_front();  // withheld
            return;
        case 16:
            pair.run(side, Tick{});
            return;
        case 17:
            if (!pair.linked)
                pair.link();
            else if (w.roll(pair.a.channel.connected && pair.b.channel.connected ? 10 : 2) == 0)
                pair.unlink();
            return;
        case 18:
            if (w.roll(8) == 0) pair.crash(side);
            return;
        default:
            withdraw_on_chain(w);
    }
}

/// The lies are over: the two agree, or one of them says why not.
void make_up(World& w) {
    Pair& pair = w.pair;
    if (pair.linked) pair.unlink();
    for (Side* side : {&pair.a, &pair.b}) side->faults.clear();
    pair.link();
    pair.settle();
    check(w);
    const bool named = !pair.a.faults.empty() || !pair.b.faults.empty() || pair.a.channel.status != Status::open ||
                       pair.b.channel.status != Status::open || !pair.a.channel.connected || !pair.b.channel.connected;
    const bool waiting = !pair.a.channel.pending.empty();  // the leader's clock runs: it takes it to the chain
    CHECK((pair.same() || named || waiting));
}

}  // namespace

TEST_CASE("lies: whatever one side says, the other keeps an enforceable state, its money and its word") {
    const char* from = std::getenv("HEDGEROW_SEED");
    const char* many = std::getenv("HEDGEROW_SEEDS");
    const unsigned base = from != nullptr ? static_cast<unsigned>(std::atoi(from)) : 1;
    const unsigned count = many != nullptr ? static_cast<unsigned>(std::atoi(many)) : 120;
    std::size_t agreed = 0;
    std::set<std::size_t> kinds;
    for (unsigned seed = base; seed < base + count; ++seed) {
        for (const Party liar : {Party::A, Party::B}) {
            CAPTURE(seed);
            CAPTURE(party_name(liar));
            World w(seed, liar);
            for (int i = 0; i < 400; ++i) {
                pass_time(w);
                happen(w);
                check(w);
            }
            make_up(w);
            agreed += w.honest().history.size();
            for (const OpEntry& e : w.honest().history) kinds.insert(e.op.index());
        }
    }
    MESSAGE("agreed ops: " << agreed << ", kinds: " << kinds.size());
    CHECK(agreed > 10 * count);  // the schedules do something
    if (count >= 120) CHECK(kinds.size() == std::variant_size_v<Op>);
}
