#include <doctest/doctest.h>

#include "tests/support/channel_pair.h"

using namespace hedgerow::testing;

/// What a lying peer may try (spec 4.3, 5, 6, 7), one case each. The harness asserts that nobody signs two states of one version, that no op is
/// both refused and agreed, and that nothing is signed which the wallet's policy would refuse.

namespace {

constexpr Int128 kLeast = static_cast<Int128>(static_cast<Uint128>(1) << 127);  // -2^127: decodes, and has no absolute value
constexpr Int128 kMost = static_cast<Int128>((static_cast<Uint128>(1) << 127) - 1);

std::uint64_t fresh_number(const Pair& pair) { return (pair.context.now_ms << 20) + 500'000; }

/// A Propose in B's name that B's own core would not have sent.
void propose(Pair& pair, const Op& op, std::uint64_t number) {
    pair.run(pair.a, FromPeer{Propose{pair.a.channel.id, number, {op}}, {}});
}

template <typename M>
const M* last_sent(const Side& side) {
    for (auto it = side.outbox.rbegin(); it != side.outbox.rend(); ++it) {
        if (const auto* m = std::get_if<M>(&*it)) return m;
    }
    return nullptr;
}

/// What A answers to a proposal in B's name: the rule of its Refuse, or none where it takes it.
Rule answer_to(Pair& pair, const Op& op) {
    pair.settle();
    const std::uint64_t number = pair.a.channel.last_proposal_seen >= fresh_number(pair) ? pair.a.channel.last_proposal_seen + 1 : fresh_number(pair);
    propose(pair, op, number);
    pair.run(pair.a, Flush{});
    const auto* refuse = last_sent<Refuse>(pair.a);
    const Rule rule = refuse == nullptr ? Rule::none : refuse->rule;
    return rule;
}

std::size_t count_of(const Side& side, bool (*is)(const Effect&)) {
    return static_cast<std::size_t>(std::count_if(side.other.begin(), side.other.end(), is));
}
bool is_challenge(const Effect& e) { return std::holds_alternative<SubmitChallenge>(e); }

void deliver_all(Pair& pair, Side& from) {
    while (pair.deliver_one(from)) {}
}

}  // namespace

TEST_CASE("attack: a signature that only a contract would refuse (the other parity) is refused here too") {
    Pair pair;
    pair.submit(Party::A, pay(10));
    pair.run(pair.a, Flush{});
    SUBCASE("of the follower") {
        deliver_all(pair, pair.a);
        pair.run(pair.b, Flush{});
        REQUIRE(last_sent<Ack>(pair.b) != nullptr);
        Ack ack = *last_sent<Ack>(pair.b);
        ack.signature.data[32] ^= 0x80;
        pair.run(pair.a, FromPeer{ack, {}});
        CHECK(pair.a.channel.agreed.state.version == 0);
        CHECK(pair.a.faults.back() == Rule::bad_signature);
    }
    SUBCASE("of the leader") {
        Update update = *last_sent<Update>(pair.a);
        update.signature->data[32] ^= 0x80;
        pair.a.outbox.clear();
        pair.run(pair.b, FromPeer{update, {}});
        pair.run(pair.b, Flush{});
        CHECK(pair.b.channel.agreed.state.version == 0);
        REQUIRE(last_sent<Reject>(pair.b) != nullptr);
        CHECK(last_sent<Reject>(pair.b)->rule == Rule::bad_signature);
    }
}

TEST_CASE("attack: nobody is liquidated because the other side denies its deposits") {
    for (const Party liar : {Party::A, Party::B}) {
        CAPTURE(party_name(liar));
        Pair pair;
        REQUIRE(pair.attempt(Party::A, perp(liar == Party::B ? 0.2 : -0.2, 50'000)) == Rule::none);  // the victim is long
        const Party victim = other(liar);
        Side& honest = pair.side(victim);
        Side& lying = pair.side(liar);
        SUBCASE("deposits") {
            lying.channel.funds_seen.deposit(victim)[0] = units(200'000'000);
            lying.channel.funds_seen.deposit(victim)[1] = units(0);
        }
        SUBCASE("withdrawals") {
            lying.channel.funds_seen.withdrawn(victim)[0] = units(800'000'000);
            lying.channel.funds_seen.withdrawn(victim)[1] = units(1'000'000'000);
        }
        pair.run(honest, FromPeer{FundsSeen{honest.channel.id, lying.channel.funds_seen}, {}});
        const Quantity closing = coins(liar == Party::B ? -0.1 : 0.1);
        CHECK(pair.attempt(liar, LiquidateOp{feed("BTC_USD-PERPETUAL"), closing, usd(50'000)}) == Rule::maintenance_not_breached);
        CHECK(honest.channel.agreed.state.positions.size() == 1);
        CHECK(honest.channel.agreed.state.net[0].is_zero());
    }
}

TEST_CASE("attack: what a liquidation costs does not depend on what either side has seen on chain") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, perp(0.55, 50'000)) == Rule::none);
    REQUIRE(pair.attempt(Party::A, mark(48'900, 48'900)) == Rule::none);  // A: 395 cash, 1,800 of coin
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 100;
    REQUIRE(pair.attempt(Party::A, mark(47'200, 47'200)) == Rule::none);  // equity 1,260 < 1,298
    (void)deadline;
    pair.a.outbox.clear();
    pair.a.channel.funds_seen.deposit(Party::A)[0] = units(1'700'000'000);  // A sees a further deposit, B does not yet
    pair.a.channel.funds_peer.deposit(Party::A)[0] = units(1'000'000'000);
    CHECK(pair.a.channel.agreed.state.net[0] == units(1'540'000'000));
    pair.a.channel.funds_seen.deposit(Party::A)[0] = units(1'000'000'001);
    const Rule rule = pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), usd(47'200)});
    CHECK(rule == Rule::none);
    CHECK(pair.same());
    CHECK(pair.a.channel.agreed.state.net[0] == units(1'540'000'000 + 47'200'000));  // 1 % of 0.1 * 47,200
}

TEST_CASE("attack: a withdrawal right is not replaced by a shorter one because its owner says that it was used") {
    Pair pair;
    const std::uint64_t now = pair.context.now_ms / 1000;
    REQUIRE(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(900'000'000), now + 7 * 24 * 3600}) == Rule::none);
    Funds lie = pair.b.channel.funds_seen;
    lie.withdrawn_b[0] = units(900'000'000);
    pair.run(pair.a, FromPeer{FundsSeen{pair.a.channel.id, lie}, {}});
    CHECK(answer_to(pair, WithdrawOp{Party::B, 0, units(900'000'001), now + 5}) == Rule::withdraw_outstanding);
    CHECK(answer_to(pair, CloseOp{now + 100}) == Rule::withdraw_outstanding);
}

TEST_CASE("attack: a follower that refuses or keeps silent cannot push the leader's versions beyond what a challenge may trail") {
    for (const bool silent : {false, true}) {
        CAPTURE(silent);
        Pair pair;
        REQUIRE(pair.attempt(Party::A, pay(1)) == Rule::none);
        for (int i = 0; i < 500; ++i) {
            pair.context.now_ms += 500;
            pair.submit(Party::A, pay(1, i % 3 == 0 ? "no" : ""));
            pair.run(pair.a, Flush{});
            deliver_all(pair, pair.a);
            std::erase_if(pair.b.outbox, [](const PeerMessage& m) { return std::holds_alternative<Ack>(m); });
            if (silent && i % 70 != 69) pair.b.outbox.clear();
            deliver_all(pair, pair.b);
            REQUIRE(pair.a.channel.highest_signed <= pair.a.channel.agreed.state.version + 64);
        }
    }
}

TEST_CASE("attack: a follower that refuses a full window and then says nothing does not stop the node") {
    Pair pair;
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 64; ++i) {
            pair.submit(Party::A, pay(1));
            pair.run(pair.a, Flush{});
        }
        pair.a.outbox.clear();
        for (const PendingUpdate& p : std::deque<PendingUpdate>(pair.a.channel.pending)) {
            if (p.is_void) continue;
            pair.run(pair.a, FromPeer{Reject{pair.a.channel.id, p.update.version, 0, Rule::none}, {}});
        }
        for (int i = 0; i < 4; ++i) {
            pair.submit(Party::A, pay(1));
            pair.run(pair.a, Flush{});
        }
    }
    CHECK(pair.a.channel.pending.size() <= kWindow);
}

TEST_CASE("attack: numbers at the ends of 128 bits are refused by name in every op") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, perp(0.1, 50'000)) == Rule::none);
    for (Side* side : {&pair.a, &pair.b}) side->channel.tip.risk.max_in_doubt = Usd16::from_raw(1);
    pair.b.linked_out = false;
    for (const Int128 raw : {kLeast, kLeast + 1, kMost}) {
        const Amount amount = Amount::from_raw(raw);
        const Quantity quantity = Quantity::from_raw(raw);
        const Price price = Price::from_raw(raw);
        TradeOp trade = perp(0.1, 50'000);
        trade.quantity = quantity;
        TradeOp dear = perp(0.1, 50'000);
        dear.price = price;
        TradeOp fee = perp(0.1, 50'000);
        fee.fee = amount;
        TradeOp strike = perp(0.1, 50'000);
        strike.strike = price;
        RiskTerms lot = sample_risk();
        lot.classes[0].lot = quantity;
        const std::uint64_t far = ~std::uint64_t{0};
        for (const Op& op : std::vector<Op>{PayOp{0, amount, {}}, SwapOp{0, amount, 1, units(1), {}}, SwapOp{0, units(-1), 1, amount, {}}, trade, dear, fee, strike,
                                            MarkOp{feed("BTC_USD-PERPETUAL"), price, usd(1)}, MarkOp{feed("BTC_USD-PERPETUAL"), usd(1), price},
                                            MarkOp{feed("ETH_USD"), price, price}, LockOp{{{}, far, 0, amount}}, LockOp{{{}, 0, 0, amount}},
                                            LiquidateOp{feed("BTC_USD-PERPETUAL"), quantity, usd(50'000)},
                                            LiquidateOp{feed("BTC_USD-PERPETUAL"), quantity, price}, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), price},
                                            TermsOp{lot}, WithdrawOp{Party::B, 0, amount, far}, WithdrawOp{Party::B, 0, amount, pair.context.now_ms / 1000 + 9},
                                            WithdrawOp{Party::B, 255, amount, 0}, CloseOp{far}}) {
            CAPTURE(op_name(op));
            CHECK(answer_to(pair, op) != Rule::none);
            pair.a.outbox.clear();
            pair.submit(Party::A, op);
            pair.run(pair.a, Flush{});
            CHECK(pair.a.channel.pending.empty());
        }
    }
}

TEST_CASE("attack: numbers whose sum or absolute value could leave 128 bits are not even read") {
    const Int128 edge = static_cast<Int128>(1) << kWireBits;
    for (const Int128 raw : {edge - 1, 1 - edge}) CHECK(wire_decode<Amount>(wire_encode(Amount::from_raw(raw))).has_value());
    for (const Int128 raw : {edge, -edge, kLeast, kLeast + 1, kMost}) {
        const auto read = wire_decode<Amount>(wire_encode(Amount::from_raw(raw)));
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error() == Rule::field_out_of_range);
    }
    Pair pair;
    CHECK(pair.attempt(Party::B, PayOp{0, Amount::from_raw(-edge), {}}) == Rule::amount_out_of_range);  // told at once, not left hanging
}

TEST_CASE("attack: nothing is signed for a channel that is disputed, recovering or final, whatever still arrives") {
    Pair pair;
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 1000;
    SUBCASE("a late Ack of a withdrawal") {
        pair.submit(Party::B, WithdrawOp{Party::B, 0, units(5), deadline});
        pair.run(pair.b, Flush{});
        deliver_all(pair, pair.b);
        pair.run(pair.a, Flush{});
        deliver_all(pair, pair.a);
        pair.run(pair.b, Flush{});
        pair.run(pair.a, ChainDispute{1, 100, 0, Party::B});
        deliver_all(pair, pair.b);
        CHECK(pair.a.channel.agreed.state.version == 1);
    }
    SUBCASE("a connection with a withdrawal outstanding") {
        REQUIRE(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(5), deadline}) == Rule::none);
        for (Side* side : {&pair.a, &pair.b}) pair.run(*side, ChainDispute{1, 100, 1, Party::B});
        pair.unlink();
        pair.link();
        pair.settle();
    }
    SUBCASE("a late Ack of a close") {
        pair.submit(Party::A, CloseOp{deadline});
        pair.run(pair.a, Flush{});
        deliver_all(pair, pair.a);
        pair.run(pair.b, Flush{});
        pair.run(pair.a, ChainDispute{1, 100, 0, Party::B});
        deliver_all(pair, pair.b);
    }
    CHECK(pair.a.channel.status == Status::disputed);
}

TEST_CASE("attack: a leader cannot have a payment reported refused and do it all the same") {
    Pair pair;
    const LocalId id = pair.submit(Party::B, pay(-5));
    pair.run(pair.b, Flush{});
    deliver_all(pair, pair.b);
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);  // B has applied it
    pair.run(pair.b, FromPeer{Refuse{pair.b.channel.id, pair.b.channel.proposals.front().number, Rule::queue_full}, {}});
    pair.settle();
    CHECK(pair.b.agreed_ids.contains(id) != pair.b.refused.contains(id));
}

TEST_CASE("attack: what a dispute refused is not done when the dispute is taken back") {
    Pair pair;
    const LocalId id = pair.submit(Party::B, pay(-5));
    pair.run(pair.b, Flush{});
    deliver_all(pair, pair.b);
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);  // B has applied it
    pair.run(pair.b, ChainDispute{1, 100, 0, Party::A});
    REQUIRE(pair.b.refused.contains(id));
    pair.run(pair.b, ChainDisputeGone{});
    pair.settle();
    CHECK(pair.a.channel.agreed.state.net[0].is_zero());
    CHECK(pair.attempt(Party::B, pay(-7)) == Rule::none);
    CHECK(pair.same());
}

TEST_CASE("attack: an op of a version that the follower refused, yet can still enforce, is not reported refused") {
    Pair pair;
    const LocalId good = pair.submit(Party::A, pay(1));
    const LocalId bad = pair.submit(Party::A, pay(2, "no"));
    pair.run(pair.a, Flush{});
    deliver_all(pair, pair.a);
    deliver_all(pair, pair.b);
    REQUIRE(pair.a.channel.pending.front().is_void);
    SUBCASE("the connection is lost") { pair.unlink(); }
    SUBCASE("the channel is challenged") { pair.run(pair.a, ChainDispute{1, 100, 0, Party::B}); }
    CHECK_FALSE(pair.a.refused.contains(good));
    CHECK_FALSE(pair.a.refused.contains(bad));
    if (pair.a.channel.status == Status::disputed) return;
    pair.link();
    pair.settle();
    CHECK(pair.a.refused.contains(good));
    CHECK(pair.a.refused.contains(bad));
    CHECK(pair.a.channel.agreed.state.net[0].is_zero());
}

TEST_CASE("attack: a proposal that the leader passes over is reported refused, not forgotten") {
    Pair pair;
    const LocalId first = pair.submit(Party::B, pay(-1));
    const LocalId second = pair.submit(Party::B, pay(-2));
    pair.run(pair.b, Flush{});
    const Propose propose = std::get<Propose>(pair.b.outbox.front());
    pair.b.outbox.clear();
    pair.run(pair.a, FromPeer{propose, {Rule::timeout, Rule::none}});
    std::erase_if(pair.a.outbox, [](const PeerMessage& m) { return std::holds_alternative<Refuse>(m); });  // lost with a connection, or never sent
    pair.settle();
    CHECK(pair.b.agreed_ids.contains(second));
    CHECK(pair.b.refused.contains(first));
}

TEST_CASE("attack: the leader's clock cannot be put back") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(1)) == Rule::none);
    pair.context.now_ms += 600'000;
    const std::uint64_t now = pair.context.now_ms;
    SUBCASE("an update from the past") {
        const LocalId id = pair.submit(Party::A, pay(1));
        pair.context.now_ms = now - 300'000;
        pair.run(pair.a, Flush{});
        pair.context.now_ms = now;
        pair.settle();
        CHECK(pair.a.refused[id] == Rule::timestamp_out_of_band);
        CHECK(pair.attempt(Party::A, pay(1)) == Rule::none);
    }
    SUBCASE("a lock fulfilled after its expiry") {
        Preimage preimage;
        LockHash hash;
        hash.data = keccak256(preimage.view()).data;
        REQUIRE(pair.attempt(Party::B, LockOp{{hash, now / 1000 + 10, 0, units(-400)}}) == Rule::none);
        pair.context.now_ms = now + 9'000;
        const LocalId id = pair.submit(Party::A, FulfilOp{hash, preimage});
        pair.run(pair.a, Flush{});
        pair.context.now_ms = now + 10'000;
        pair.settle();
        CHECK(pair.a.refused[id] == Rule::lock_expired);
        CHECK(pair.b.channel.agreed.state.locks.size() == 1);
    }
}

TEST_CASE("attack: a follower that reconnects does not stop the clock of what it left unanswered") {
    Pair pair;
    pair.submit(Party::A, pay(1));
    pair.run(pair.a, Flush{});
    pair.a.outbox.clear();
    for (int i = 0; i < 10 && pair.a.channel.status == Status::open; ++i) {
        pair.context.now_ms += 100'000;
        pair.run(pair.a, Tick{});
        pair.run(pair.a, Disconnected{});
        pair.run(pair.a, Connected{});
    }
    CHECK(pair.a.channel.status == Status::disputed);
}

TEST_CASE("attack: our own challenge stands when a reorganisation takes it back, or its return would find us signing on") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(1)) == Rule::none);
    pair.run(pair.b, ForceClose{});
    REQUIRE(count_of(pair.b, is_challenge) == 1);
    SUBCASE("in one life") {}
    SUBCASE("across a restart") { pair.crash(pair.b); }
    pair.run(pair.b, ChainDispute{1, 100, 1, Party::B});
    pair.run(pair.b, ChainDisputeGone{});
    CHECK(pair.b.channel.status == Status::disputed);
    CHECK(count_of(pair.b, is_challenge) == 2);
}

TEST_CASE("attack: a side that lost its data stays so through a dispute that comes and goes") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    const Bytes old_head = pair.b.head;
    for (int i = 0; i < 5; ++i) REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    pair.unlink();
    pair.b.channel = *restore_channel(old_head, pair.b.channel.separator, {});
    pair.b.head = old_head;
    SUBCASE("handed the state before") {
        pair.link();
        pair.settle();
        REQUIRE(pair.b.channel.status == Status::recovering);
        pair.run(pair.b, ChainDispute{1, 100, 2, Party::A});
        CHECK(pair.b.channel.status == Status::disputed);
    }
    SUBCASE("handed the state in the dispute: it answers with it") {
        pair.run(pair.b, ChainDispute{1, 100, 2, Party::A});
        pair.link();
        pair.settle();
        CHECK(pair.b.channel.status == Status::disputed);
        CHECK(count_of(pair.b, [](const Effect& e) { return std::holds_alternative<SubmitRespond>(e); }) == 1);
    }
    SUBCASE("restarted") {
        pair.link();
        pair.settle();
        pair.run(pair.b, ChainDispute{1, 100, 2, Party::A});
        pair.crash(pair.b);
    }
    CHECK(pair.b.channel.agreed.state.version == 6);
    pair.run(pair.b, ChainDisputeGone{});
    CHECK(pair.b.channel.status == Status::recovering);
}

TEST_CASE("attack: a state handed over does not bring a final channel back, and ends a Close that it overtakes") {
    Pair pair;
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 100;
    REQUIRE(pair.attempt(Party::A, CloseOp{deadline}) == Rule::none);
    const Bytes closing = pair.b.head;
    pair.context.now_ms += 200'000;
    pair.context.chain_time_s = pair.context.confirmed_chain_time_s = pair.context.now_ms / 1000;
    for (Side* side : {&pair.a, &pair.b}) pair.run(*side, Tick{});
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    pair.unlink();
    pair.b.channel = *restore_channel(closing, pair.b.channel.separator, {});
    SUBCASE("closing") {
        pair.link();
        pair.settle();
        CHECK(pair.b.channel.status == Status::recovering);
        CHECK_FALSE(pair.b.channel.close.has_value());
    }
    SUBCASE("final") {
        pair.run(pair.b, ChainFinal{});
        const SignedState& s = pair.a.channel.agreed;
        pair.run(pair.b, FromPeer{HandOver{Blob<(1 << 16)>(ByteView(wire_encode(s.state))), pair.b.channel.id, s.signature_a, s.signature_b}, {}});
        CHECK(pair.b.channel.status == Status::closed);
    }
}

TEST_CASE("attack: one Reestablish a connection is answered, so a small message cannot be turned into many large ones") {
    Pair pair;
    for (int i = 0; i < 20; ++i) {
        pair.submit(Party::A, pay(1));
        pair.run(pair.a, Flush{});
    }
    pair.a.outbox.clear();
    Reestablish again;
    again.channel = pair.a.channel.id;
    for (int i = 0; i < 50; ++i) pair.run(pair.a, FromPeer{again, {}});
    CHECK(pair.a.outbox.empty());
    CHECK(pair.a.faults.back() == Rule::unexpected_message);
}

TEST_CASE("attack: a batch of trades cannot pass the limit of what may be in doubt, nor can swaps") {
    Pair pair(units(1'000'000'000'000));
    RiskTerms risk = sample_risk();
    risk.max_in_doubt = Usd16::from_raw(static_cast<Int128>(1000) * 10'000'000'000'000'000);  // 1,000 USD at the initial rate of 10 %
    REQUIRE(pair.attempt(Party::A, TermsOp{risk}) == Rule::none);
    for (int i = 0; i < 40; ++i) pair.submit(Party::B, perp(0.1, 50'000));  // 500 USD each
    pair.run(pair.b, Flush{});
    deliver_all(pair, pair.b);
    pair.run(pair.a, Flush{});
    REQUIRE(pair.a.channel.pending.size() == 1);
    CHECK(pair.a.channel.pending.back().update.ops.size() == 3);
    pair.settle();
    CHECK(pair.same());
}

TEST_CASE("attack: marking ever so often does not wipe funding out, however cheap the underlying") {
    Pair pair;
    RiskTerms risk;
    risk.classes.push_back({feed("SHIB_USD"), 1000, 500, 100, Quantity::from_raw(1)});
    REQUIRE(pair.attempt(Party::A, TermsOp{risk}) == Rule::none);
    TradeOp trade = perp(1'000'000, 0.00001);
    trade.instrument = feed("SHIB_USD-PERPETUAL");
    trade.underlying = feed("SHIB_USD");
    trade.quantity = Quantity::from_raw(static_cast<Int128>(100'000'000) * 100'000'000);  // 100 million, 1,000 USD
    REQUIRE(pair.attempt(Party::A, trade) == Rule::none);
    const MarkOp op{feed("SHIB_USD-PERPETUAL"), Price::from_raw(1000), Price::from_raw(999)};  // premium 10 bp, less 5
    REQUIRE(pair.attempt(Party::B, op) == Rule::none);
    const auto total16 = [&] {
        const ChannelState& s = pair.a.channel.agreed.state;
        return s.net[0].raw() * 10'000'000'000 - s.residue.raw();
    };
    const Int128 before = total16();
    for (int i = 0; i < 1000; ++i) {
        pair.context.now_ms += 1;
        REQUIRE(pair.attempt(Party::A, op) == Rule::none);
    }
    const auto rate = static_cast<double>(pair.a.channel.agreed.state.positions[0].funding_rate_e12) / 1e12;
    const double due = 999.0 * rate * 1.0 / 28'800 * 1e16;  // USD 1e-16 for one second
    const auto paid = static_cast<double>(total16() - before);
    CHECK(rate > 0);
    CHECK(paid > due * 0.999);
    CHECK(paid < due * 1.001);
}

TEST_CASE("attack: a trade at a better price than a stale mark does not count its own profit as margin") {
    Pair pair;  // 2,800 USD of equity a side, then much more on B's
    for (Side* side : {&pair.a, &pair.b}) pair.run(*side, ChainDeposit{Party::B, 0, units(20'000'000'000)});
    pair.settle();
    REQUIRE(pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::none);
    // The market is at 45,000 by now, the mark still at 50,000: A is credited 5,000 a coin at once, and will lose it again at the next mark.
    CHECK(pair.attempt(Party::A, perp(0.5, 45'000)) == Rule::none);
    CHECK(pair.attempt(Party::A, perp(0.2, 45'000)) == Rule::initial_margin);  // 0.71 coins: needs 3,195 at 45,000, has 2,750 there
    CHECK(pair.attempt(Party::A, perp(0.05, 45'000)) == Rule::none);
    CHECK(pair.same());
}

TEST_CASE("attack: a damaged head is refused or harmless") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(5)) == Rule::none);
    REQUIRE(pair.attempt(Party::A, perp(0.01, 50'000)) == Rule::none);
    for (const Party party : {Party::A, Party::B}) {
        const Side& side = pair.side(party);
        std::size_t accepted = 0;
        for (std::size_t i = 0; i < side.head.size(); ++i) {
            for (const int bit : {1, 128}) {
                Bytes head = side.head;
                head[i] = static_cast<std::uint8_t>(head[i] ^ bit);
                if (restore_channel(head, side.channel.separator, {})) ++accepted;
            }
        }
        CHECK(accepted == 0);
        CHECK(restore_channel(side.head, side.channel.separator, {}).has_value());
    }
}

TEST_CASE("attack: damaged rows of what is in flight are refused") {
    Pair pair;
    for (int i = 0; i < 3; ++i) {
        pair.submit(Party::A, pay(1));
        pair.run(pair.a, Flush{});
    }
    std::vector<PersistUpdate> rows;
    for (const auto& [version, row] : pair.a.updates) rows.push_back(row);
    const auto restore = [&](const std::vector<PersistUpdate>& stored) { return restore_channel(pair.a.head, pair.a.channel.separator, stored); };
    REQUIRE(restore(rows).has_value());
    CHECK(restore(rows)->pending.size() == 3);
    auto damaged = rows;
    damaged[1].after.back() = static_cast<std::uint8_t>(damaged[1].after.back() ^ 1);
    CHECK_FALSE(restore(damaged).has_value());
    damaged = rows;
    damaged[1].update.signature.reset();
    CHECK_FALSE(restore(damaged).has_value());
    damaged = rows;
    std::swap(damaged[0], damaged[1]);
    CHECK_FALSE(restore(damaged).has_value());
    damaged = rows;
    damaged.erase(damaged.begin());
    CHECK_FALSE(restore(damaged).has_value());
}
