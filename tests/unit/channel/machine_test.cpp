#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/channel_pair.h"

using namespace hedgerow::testing;

TEST_CASE("machine: payments both ways are agreed, and both sides hold the same doubly signed state") {
    Pair pair;
    CHECK(pair.attempt(Party::A, pay(100)) == Rule::none);
    CHECK(pair.attempt(Party::B, pay(-30)) == Rule::none);
    CHECK(pair.same());
    CHECK(pair.available(Party::A, Party::A, 0) == units(1'000'000'000 - 70));
    CHECK(pair.available(Party::B, Party::B, 0) == units(1'000'000'000 + 70));
    const Channel& c = pair.a.channel;
    CHECK(c.agreed.digest == digest_of(typed_state(c.agreed.state, c.id), c.separator));
    CHECK(verify(c.agreed.digest, c.agreed.signature_a, pair.a.key.key));
    CHECK(verify(c.agreed.digest, c.agreed.signature_b, pair.b.key.key));
}

TEST_CASE("machine: a burst costs one signature a side") {
    Pair pair;
    for (int i = 0; i < 1000; ++i) pair.submit(Party::A, pay(1));
    pair.settle();
    CHECK(pair.a.signed_digests.size() == 1);
    CHECK(pair.b.signed_digests.size() == 1);
    CHECK(pair.a.history.size() == 1000);
}

TEST_CASE("machine: payment rules are refused by name and change nothing") {
    Pair pair;
    CHECK(pair.attempt(Party::A, pay(0)) == Rule::amount_must_be_positive);
    CHECK(pair.attempt(Party::A, pay(-5)) == Rule::payer_not_origin);
    CHECK(pair.attempt(Party::B, pay(5)) == Rule::payer_not_origin);
    CHECK(pair.attempt(Party::A, pay(1'000'000'001)) == Rule::insufficient_balance);
    CHECK(pair.attempt(Party::B, pay(-1'000'000'001)) == Rule::insufficient_balance);
    CHECK(pair.attempt(Party::A, PayOp{7, units(1), {}}) == Rule::asset_out_of_range);
    CHECK(pair.attempt(Party::A, PayOp{0, Amount::from_raw(static_cast<Int128>(1) << 96), {}}) == Rule::amount_out_of_range);
    CHECK(pair.a.channel.agreed.state.version == 0);
}

TEST_CASE("machine: what the follower's judge refuses is void once a higher version is agreed; the rest of the batch goes through") {
    Pair pair;
    const LocalId first = pair.submit(Party::A, pay(1));
    const LocalId bad = pair.submit(Party::A, pay(2, "no"));
    const LocalId last = pair.submit(Party::A, pay(4));
    pair.settle();
    CHECK(pair.a.agreed_ids.contains(first));
    CHECK(pair.a.agreed_ids.contains(last));
    CHECK(pair.a.refused[bad] == Rule::trade_not_authorised);
    CHECK(pair.a.channel.agreed.state.net[0] == units(5));
    CHECK(pair.same());
    CHECK(pair.a.channel.pending.empty());
}

TEST_CASE("machine: until the follower signs a higher version a refused op is in doubt, and its owner is told nothing") {
    Pair pair;
    const LocalId bad = pair.submit(Party::A, pay(2, "no"));
    pair.run(pair.a, Flush{});
    while (pair.deliver_one(pair.a)) {}
    while (pair.deliver_one(pair.b)) {}
    CHECK(pair.a.channel.pending.size() == 1);
    CHECK(pair.a.channel.pending.front().is_void);
    CHECK_FALSE(pair.a.refused.contains(bad));
    pair.settle();
    CHECK(pair.a.refused.contains(bad));
}

TEST_CASE("machine: a lying leader cannot speak for the follower, sign badly, or repeat a version") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    Update forged;
    forged.channel = pair.b.channel.id;
    forged.version = 2;
    forged.base = 1;
    forged.timestamp_ms = pair.context.now_ms;
    forged.ops = {{77, pay(-5)}};
    forged.signature = Signature{};
    const auto rejects = [&](Update update) {
        pair.b.outbox.clear();
        pair.run(pair.b, FromPeer{update, {}});
        pair.run(pair.b, Flush{});
        const Rule rule = pair.b.outbox.empty() ? Rule::none : std::get<Reject>(pair.b.outbox.back()).rule;
        pair.b.channel.rejected_from = 0;
        return rule;
    };
    CHECK(rejects(forged) == Rule::proposal_mismatch);
    forged.ops = {{0, pay(5)}};
    CHECK(rejects(forged) == Rule::bad_signature);
    forged.ops = {{0, pay(-5)}};
    CHECK(rejects(forged) == Rule::payer_not_origin);
    forged.ops = {{0, pay(5)}};
    forged.base = 9;
    CHECK(rejects(forged) == Rule::base_unknown);
    forged.base = 1;
    forged.version = 10'000;
    CHECK(rejects(forged) == Rule::version_out_of_range);
    forged.version = 2;
    forged.timestamp_ms = pair.context.now_ms + 3'600'000;
    CHECK(rejects(forged) == Rule::timestamp_out_of_band);
    forged.timestamp_ms = 5;
    CHECK(rejects(forged) == Rule::timestamp_out_of_band);
    forged.timestamp_ms = pair.context.now_ms - 1;
    CHECK(rejects(forged) == Rule::timestamp_not_monotone);
    forged.version = 1;
    forged.timestamp_ms = pair.context.now_ms;
    CHECK(rejects(forged) == Rule::none);  // a repeated version is ignored
    CHECK(pair.b.channel.agreed.state.version == 1);
    pair.run(pair.b, FromPeer{Ack{}, {}});
    CHECK(pair.b.faults.back() == Rule::not_leader);
    pair.run(pair.a, FromPeer{Ack{pair.a.channel.id, 9, {}}, {}});
    CHECK(pair.a.faults.back() == Rule::base_unknown);
}

TEST_CASE("machine: the pipeline holds 48 unacknowledged versions and no more, so that 16 are left to void what is refused") {
    Pair pair;
    for (int i = 0; i < 100; ++i) {
        pair.submit(Party::A, pay(1));
        pair.run(pair.a, Flush{});
    }
    CHECK(pair.a.channel.pending.size() == kPipeline);
    CHECK(pair.a.channel.queue.size() == 100 - kPipeline);
    pair.settle();
    CHECK(pair.a.history.size() == 100);
    CHECK(pair.b.signed_digests.size() <= 3);  // acknowledgement is cumulative
    CHECK(pair.same());
}

TEST_CASE("machine: a follower that refuses everything does not choke the channel") {
    Pair pair;
    for (int i = 0; i < 300; ++i) {
        pair.submit(Party::A, pay(1, "no"));
        pair.run(pair.a, Flush{});
        while (pair.deliver_one(pair.a)) {}
        std::erase_if(pair.b.outbox, [](const PeerMessage& m) { return std::holds_alternative<Ack>(m); });  // and never signs what voids them
        while (pair.deliver_one(pair.b)) {}
    }
    CHECK(pair.a.channel.pending.size() <= 3 * kWindow);
    pair.unlink();
    pair.link();
    pair.settle();
    CHECK(pair.attempt(Party::A, pay(1)) == Rule::none);
    CHECK(pair.a.refused.size() == 300);
    CHECK(pair.same());
}

TEST_CASE("machine: swaps move both legs or none") {
    Pair pair;
    CHECK(pair.attempt(Party::A, SwapOp{0, units(300), 1, units(-7), {}}) == Rule::none);
    CHECK(pair.available(Party::B, Party::B, 0) == units(1'000'000'300));
    CHECK(pair.available(Party::B, Party::B, 1) == units(999'999'993));
    CHECK(pair.attempt(Party::A, SwapOp{0, units(300), 1, units(7), {}}) == Rule::amount_must_be_positive);
    CHECK(pair.attempt(Party::A, SwapOp{0, units(300), 0, units(-7), {}}) == Rule::asset_out_of_range);
    CHECK(pair.attempt(Party::A, SwapOp{0, units(300), 1, units(-2'000'000'000), {}}) == Rule::insufficient_balance);
    CHECK(pair.available(Party::A, Party::A, 0) == units(999'999'700));
}

TEST_CASE("machine: locks hold, are fulfilled by the preimage, and cancelled by payee or after expiry") {
    Pair pair;
    Preimage preimage;
    preimage.data[0] = 5;
    LockHash hash;
    hash.data = keccak256(preimage.view()).data;
    const std::uint64_t expiry = pair.context.now_ms / 1000 + 100;
    CHECK(pair.attempt(Party::B, LockOp{{hash, expiry, 0, units(-400)}}) == Rule::none);
    CHECK(pair.available(Party::A, Party::B, 0) == units(999'999'600));
    CHECK(pair.available(Party::A, Party::A, 0) == units(1'000'000'000));
    CHECK(pair.attempt(Party::B, LockOp{{hash, expiry, 0, units(-1)}}) == Rule::lock_duplicate);
    CHECK(pair.attempt(Party::A, FulfilOp{hash, {}}) == Rule::preimage_mismatch);
    CHECK(pair.attempt(Party::B, FulfilOp{hash, preimage}) == Rule::payee_only);
    CHECK(pair.attempt(Party::B, CancelOp{hash}) == Rule::lock_not_expired);
    CHECK(pair.attempt(Party::A, FulfilOp{hash, preimage}) == Rule::none);
    CHECK(pair.available(Party::B, Party::A, 0) == units(1'000'000'400));
    CHECK(pair.attempt(Party::A, FulfilOp{hash, preimage}) == Rule::lock_unknown);

    CHECK(pair.attempt(Party::A, LockOp{{hash, expiry, 0, units(50)}}) == Rule::none);
    CHECK(pair.attempt(Party::A, LockOp{{{}, pair.context.now_ms / 1000, 0, units(50)}}) == Rule::lock_expired);
    pair.context.now_ms = expiry * 1000;
    CHECK(pair.attempt(Party::B, FulfilOp{hash, preimage}) == Rule::lock_expired);
    pair.context.confirmed_chain_time_s = expiry - 1;
    CHECK(pair.attempt(Party::A, CancelOp{hash}) == Rule::lock_not_expired);
    pair.context.confirmed_chain_time_s = expiry;
    const Revealed revealed = {{hash, expiry - 1}};
    pair.context.revealed = &revealed;
    CHECK(pair.attempt(Party::A, CancelOp{hash}) == Rule::lock_revealed);
    pair.context.revealed = nullptr;
    CHECK(pair.attempt(Party::A, CancelOp{hash}) == Rule::none);
    CHECK(pair.available(Party::A, Party::A, 0) == units(1'000'000'400));
    CHECK(pair.same());
}

TEST_CASE("machine: a perpetual is traded, marked and flipped; variation is zero-sum and exact") {
    Pair pair;  // 1,000 cash and 1 coin (2,000 USD less 10 %) a side
    CHECK(pair.attempt(Party::A, perp(0.1, 50'000)) == Rule::none);
    CHECK(pair.attempt(Party::B, mark(50'500, 50'500)) == Rule::none);
    CHECK(pair.available(Party::B, Party::A, 0) == units(1'050'000'000));
    CHECK(pair.attempt(Party::A, perp(-0.15, 50'400)) == Rule::none);  // sells 0.15 at 100 below the mark: -15
    CHECK(pair.available(Party::B, Party::A, 0) == units(1'035'000'000));
    CHECK(pair.b.channel.agreed.state.positions[0].position.quantity == coins(-0.05));
    CHECK(pair.attempt(Party::A, mark(50'400, 50'400)) == Rule::none);  // short 0.05, 100 down: +5
    CHECK(pair.available(Party::B, Party::A, 0) == units(1'040'000'000));
    CHECK(pair.attempt(Party::A, perp(0.05, 50'400)) == Rule::none);
    CHECK(pair.a.channel.agreed.state.positions.empty());
    CHECK(pair.available(Party::A, Party::B, 0) == units(960'000'000));
}

TEST_CASE("machine: initial margin gates what adds risk, never what reduces it") {
    Pair pair;
    CHECK(pair.attempt(Party::A, perp(0.57, 50'000)) == Rule::initial_margin);  // needs 2,850 of 2,800
    CHECK(pair.attempt(Party::A, perp(0.55, 50'000)) == Rule::none);
    CHECK(pair.attempt(Party::A, pay(100'000'000)) == Rule::initial_margin);
    CHECK(pair.attempt(Party::B, pay(-100'000'000)) == Rule::initial_margin);
    CHECK(pair.attempt(Party::A, mark(49'000, 49'000)) == Rule::none);  // A loses 550
    CHECK(pair.attempt(Party::A, perp(0.01, 49'000)) == Rule::initial_margin);
    CHECK(pair.attempt(Party::A, perp(-0.01, 49'000)) == Rule::none);
    CHECK(pair.attempt(Party::A, TradeOp{feed("DOGE-PERPETUAL"), feed("DOGE"), Kind::linear, 0, {}, coins(1), usd(1), {}, {}}) ==
          Rule::instrument_unknown);
    TradeOp call = perp(0.01, 49'000);
    call.kind = Kind::call;
    CHECK(pair.attempt(Party::A, call) == Rule::kind_unsupported);
    CHECK(pair.attempt(Party::A, mark(49'000, 0)) == Rule::price_missing);
    CHECK(pair.attempt(Party::A, MarkOp{feed("NOTHING"), usd(1), {}}) == Rule::position_unknown);
    CHECK(pair.same());
}

TEST_CASE("machine: a breach of maintenance is closed out as far as needed, at the mark, less the penalty; nothing before it") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, perp(0.55, 50'000)) == Rule::none);
    REQUIRE(pair.attempt(Party::A, mark(48'000, 48'000)) == Rule::none);  // equity 1,700; initial 2,640; maintenance 1,320
    CHECK(pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), usd(48'000)}) == Rule::maintenance_not_breached);
    REQUIRE(pair.attempt(Party::B, mark(47'000, 47'000)) == Rule::none);  // equity 1,150; initial 2,585; maintenance 1,292.5
    CHECK(pair.attempt(Party::A, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), usd(47'000)}) == Rule::maintenance_not_breached);
    CHECK(pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.1), usd(46'999)}) == Rule::liquidation_price);
    CHECK(pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(0.1), usd(47'000)}) == Rule::liquidation_quantity);
    CHECK(pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.55), usd(47'000)}) == Rule::liquidation_quantity);
    const Amount before = pair.available(Party::B, Party::B, 0);
    // x closed: 1,150 - 470 x >= (0.55 - x) 4,700 => x >= 0.33924; in lots of 0.001: 0.340; penalty 1 % of 0.34 * 47,000 = 159.8, though A's cash
    // is -650 by now: its coin covers it.
    CHECK(pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.341), usd(47'000)}) == Rule::liquidation_quantity);
    CHECK(pair.attempt(Party::B, LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(-0.34), usd(47'000)}) == Rule::none);
    CHECK(pair.available(Party::B, Party::B, 0) == before + units(159'800'000));
    CHECK(pair.a.channel.agreed.state.positions[0].position.quantity == coins(0.21));
    CHECK(pair.same());
}

TEST_CASE("machine: funding is paid by longs above the index, the payee gets what the payer pays, and marking often loses nothing") {
    Pair once;
    Pair often;
    for (Pair* pair : {&once, &often}) {
        REQUIRE(pair->attempt(Party::A, perp(0.1, 50'000)) == Rule::none);
        REQUIRE(pair->attempt(Party::A, mark(50'000, 49'900)) == Rule::none);  // premium 20 bp, less 5: about 15 bp per 8 h
    }
    const std::uint64_t start = once.context.now_ms;
    for (int i = 1; i <= 800; ++i) {
        often.context.now_ms = start + static_cast<std::uint64_t>(i) * 36'000;
        REQUIRE(often.attempt(Party::B, mark(50'000, 49'900)) == Rule::none);
    }
    once.context.now_ms = start + 8 * 3'600'000;
    REQUIRE(once.attempt(Party::B, mark(50'000, 49'900)) == Rule::none);
    const Amount paid = units(1'000'000'000) - once.available(Party::A, Party::A, 0);
    CHECK(paid > units(7'500'000));  // 0.1 * 49,900 * 15 bp = 7.49 USD, a little more than that
    CHECK(paid < units(7'600'000));
    CHECK(once.available(Party::A, Party::B, 0) == units(1'000'000'000) + paid);
    CHECK((often.available(Party::A, Party::A, 0) - once.available(Party::A, Party::A, 0)).abs() <= units(1));
}

TEST_CASE("machine: rounding leaks nothing however often a dust position is marked") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, perp(0.00000001, 50'000)) == Rule::none);  // a mark of 1 USD is worth a hundredth of a unit
    double price = 50'000;
    for (int i = 0; i < 1000; ++i) {
        price += 1;
        REQUIRE(pair.attempt(Party::A, MarkOp{feed("BTC_USD-PERPETUAL"), usd(price), usd(price)}) == Rule::none);
    }
    CHECK(pair.available(Party::A, Party::A, 0) == units(1'000'000'010));  // 1,000 hundredths, not one unit less
}

TEST_CASE("machine: withdrawal authorisations count as withdrawn until they lapse, and the other party signs them") {
    Pair pair;
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 100;
    CHECK(pair.attempt(Party::B, WithdrawOp{Party::A, 0, units(5), deadline}) == Rule::payer_not_origin);
    CHECK(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(1'000'000'001), deadline}) == Rule::insufficient_balance);
    CHECK(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(600'000'000), deadline}) == Rule::none);
    const auto is_ready = [](const Effect& e) { return std::holds_alternative<WithdrawReady>(e); };
    const auto ready = std::find_if(pair.b.other.begin(), pair.b.other.end(), is_ready);
    REQUIRE(ready != pair.b.other.end());
    const auto& w = std::get<WithdrawReady>(*ready);
    CHECK(verify(digest_of(w.withdraw, pair.b.channel.separator), w.theirs, pair.a.key.key));
    CHECK(pair.available(Party::A, Party::B, 0) == units(400'000'000));
    CHECK(pair.attempt(Party::B, WithdrawOp{Party::B, 0, units(700'000'000), deadline}) == Rule::withdraw_outstanding);
    CHECK(pair.attempt(Party::B, pay(-500'000'000)) == Rule::insufficient_balance);
    CHECK(pair.attempt(Party::B, CloseOp{deadline}) == Rule::withdraw_outstanding);
    pair.context.now_ms = (deadline + 1) * 1000;
    pair.context.confirmed_chain_time_s = deadline - 1;
    CHECK(pair.available(Party::A, Party::B, 0) == units(400'000'000));
    pair.context.confirmed_chain_time_s = deadline;
    CHECK(pair.available(Party::A, Party::B, 0) == units(1'000'000'000));
    CHECK(pair.attempt(Party::B, pay(-500'000'000)) == Rule::none);
}

TEST_CASE("machine: a cooperative close is signed by both, blocks everything, and lapses above its version") {
    Pair pair;
    REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    const std::uint64_t deadline = pair.context.now_ms / 1000 + 100;
    REQUIRE(pair.attempt(Party::B, CloseOp{deadline}) == Rule::none);
    for (Side* side : {&pair.a, &pair.b}) {
        CHECK(side->channel.status == Status::closing);
        const auto is_ready = [](const Effect& e) { return std::holds_alternative<CloseReady>(e); };
        const auto it = std::find_if(side->other.begin(), side->other.end(), is_ready);
        REQUIRE(it != side->other.end());
        const auto& ready = std::get<CloseReady>(*it);
        const Digest digest = digest_of(ready.close, side->channel.separator);
        CHECK(verify(digest, ready.signature_a, pair.a.key.key));
        CHECK(verify(digest, ready.signature_b, pair.b.key.key));
        CHECK(ready.close.version == 3);
    }
    CHECK(pair.attempt(Party::A, pay(1)) == Rule::channel_closing);
    CHECK(pair.attempt(Party::B, pay(-1)) == Rule::channel_closing);
    pair.context.now_ms = (deadline + 50) * 1000;
    pair.context.confirmed_chain_time_s = deadline;
    pair.run(pair.a, Tick{});
    pair.run(pair.b, Tick{});
    CHECK(pair.attempt(Party::A, pay(1)) == Rule::none);
    CHECK(pair.a.channel.agreed.state.version == 4);
    CHECK(pair.same());
}

TEST_CASE("machine: a stale challenge is answered with the newest state, nothing more is signed, and a reorg takes it back") {
    Pair pair;
    for (int i = 0; i < 3; ++i) REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
    pair.run(pair.b, ChainDispute{1, 100, 1, Party::A});
    CHECK(pair.b.channel.status == Status::disputed);
    const auto responds = [&] {
        return std::count_if(pair.b.other.begin(), pair.b.other.end(), [](const Effect& e) { return std::holds_alternative<SubmitRespond>(e); });
    };
    CHECK(responds() == 1);
    pair.run(pair.b, ChainDispute{1, 100, 3, Party::A});
    CHECK(responds() == 1);
    const std::size_t signed_before = pair.b.signed_digests.size();
    pair.submit(Party::A, pay(1));
    pair.settle();
    CHECK(pair.b.signed_digests.size() == signed_before);
    CHECK(pair.attempt(Party::B, pay(-1)) == Rule::channel_disputed);
    pair.run(pair.b, ChainDisputeGone{});
    CHECK(pair.b.channel.status == Status::open);
    pair.unlink();
    pair.link();
    pair.settle();
    CHECK(pair.attempt(Party::B, pay(-1)) == Rule::none);
}

TEST_CASE("machine: a side that lost its newest data knows it, adopts the state it is handed, and signs nothing more") {
    for (const Party victim : {Party::A, Party::B}) {
        CAPTURE(party_name(victim));
        Pair pair;
        Side& side = pair.side(victim);
        REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
        const Bytes old_head = side.head;
        for (int i = 0; i < 5; ++i) REQUIRE(pair.attempt(Party::A, pay(10)) == Rule::none);
        pair.unlink();
        side.channel = *restore_channel(old_head, side.channel.separator, {});
        pair.link();
        pair.settle();
        CHECK(side.channel.status == Status::recovering);
        CHECK(pair.same());
        CHECK(pair.attempt(victim, pay(victim == Party::A ? 1 : -1)) == Rule::channel_recovering);
        side.faults.clear();
        pair.run(side, ForceClose{});
        CHECK(side.faults.back() == Rule::channel_recovering);
    }
}

TEST_CASE("machine: a leader left without an answer past three time-outs takes the channel to the chain") {
    Pair pair;
    pair.submit(Party::A, pay(1));
    pair.run(pair.a, Flush{});
    pair.context.now_ms += 3 * 60'000;
    pair.run(pair.a, Tick{});
    CHECK(pair.a.channel.status == Status::open);
    pair.context.now_ms += 1;
    pair.run(pair.a, Tick{});
    CHECK(pair.a.channel.status == Status::disputed);
    CHECK(std::holds_alternative<SubmitChallenge>(pair.a.other.back()));
}

namespace {
/// Everything that is not a payment, a trade or a mark.
Op other_op(Pair& pair, Party party, std::mt19937& rng) {
    const std::uint64_t now = pair.context.now_ms / 1000;
    const int sign = party == Party::A ? 1 : -1;
    Preimage preimage;
    preimage.data[0] = static_cast<std::uint8_t>(rng() % 8);
    LockHash hash;
    hash.data = keccak256(preimage.view()).data;
    const auto size = static_cast<long>(1 + rng() % 1000);
    switch (rng() % 9) {
        case 0: return SwapOp{0, units(size * sign), 1, units(-size * sign), {}};
        case 1: case 2: return LockOp{{hash, now + rng() % 30, static_cast<std::uint8_t>(rng() % 2), units(size * sign)}};
        case 3: return FulfilOp{hash, preimage};
        case 4: return CancelOp{hash};
        case 5: return WithdrawOp{party, 0, units(size), now + 1 + rng() % 20};
        case 6: return CloseOp{now + (rng() % 4 == 0 ? 1 + rng() % 3 : 0)};
        case 7: return TermsOp{sample_risk()};
        default: return LiquidateOp{feed("BTC_USD-PERPETUAL"), coins(rng() % 2 == 0 ? 0.001 : -0.001), usd(50'000)};
    }
}
}  // namespace

TEST_CASE("machine: any schedule of ops, losses, reconnections and crashes ends in one agreed history") {
    const char* text = std::getenv("HEDGEROW_SEED");
    const unsigned base = text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 1;
    for (unsigned seed = base; seed < base + 150; ++seed) {
        CAPTURE(seed);
        std::mt19937 rng(seed);
        Pair pair;
        for (int i = 0; i < 300; ++i) {
            pair.context.now_ms += rng() % 50 == 0 ? rng() % 20'000 : rng() % 50;
            pair.context.chain_time_s = pair.context.now_ms / 1000;
            if (rng() % 4 == 0) pair.context.confirmed_chain_time_s = std::max(pair.context.confirmed_chain_time_s, pair.context.chain_time_s - rng() % 3);
            for (Side* each : {&pair.a, &pair.b}) {
                if (each->channel.status == Status::closing) pair.run(*each, Tick{});
            }
            const Party party = rng() % 2 == 0 ? Party::A : Party::B;
            Side& side = pair.side(party);
            switch (rng() % 16) {
                case 0: case 1: case 2:
                    pair.submit(party, pay((party == Party::A ? 1 : -1) * static_cast<long>(1 + rng() % 1000), rng() % 8 == 0 ? "no" : ""));
                    break;
                case 3: pair.submit(party, other_op(pair, party, rng)); break;
                case 4: pair.submit(party, perp((static_cast<double>(rng() % 200) - 100) / 10'000, 50'000 + static_cast<double>(rng() % 100))); break;
                case 5: pair.submit(party, mark(50'000 + static_cast<double>(rng() % 100), 50'000)); break;
                case 6: case 7: case 8: pair.run(side, Flush{}); break;
                case 9: case 10: case 11: case 12: case 13: pair.deliver_one(side); break;
                case 14:
                    if (rng() % 3 == 0) pair.linked ? pair.unlink() : pair.link();
                    break;
                default:
                    if (rng() % 4 == 0) pair.crash(side);
            }
        }
        if (pair.linked) pair.unlink();
        pair.context.now_ms += 60'000;
        pair.context.chain_time_s = pair.context.confirmed_chain_time_s = pair.context.now_ms / 1000;
        pair.link();
        pair.settle();
        for (Side* each : {&pair.a, &pair.b}) pair.run(*each, Tick{});  // a Close lapses
        pair.context.now_ms += 15'000;                                  // and what it made the follower refuse is voided again
        pair.settle();
        CHECK(pair.attempt(Party::B, pay(-1)) == Rule::none);
        REQUIRE(pair.same());
        CHECK(pair.a.channel.pending.empty());
        CHECK(pair.a.channel.queue.empty());
        for (const Rule rule : pair.a.faults) CHECK_MESSAGE(false, std::string(rule_name(rule)));
        for (const Rule rule : pair.b.faults) CHECK_MESSAGE(false, std::string(rule_name(rule)));
        for (const OpEntry& e : pair.b.history) {
            if (const auto* p = std::get_if<PayOp>(&e.op)) CHECK(p->memo != "no");
        }
        CHECK(pair.a.history == pair.b.history);
    }
}
