#include <doctest/doctest.h>

#include "channel/crypto/signature.h"
#include "daemon/node/history.h"
#include "daemon/node/opening.h"
#include "wallet/keys/private_key.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using daemon::judge_opening;
using daemon::NodeOptions;

namespace {

Address address(std::uint8_t last) {
    Address out;
    out.data[19] = last;
    return out;
}

struct Case {
    wallet::PrivateKey key_a = wallet::PrivateKey::generate();
    wallet::PrivateKey key_b = wallet::PrivateKey::generate();
    NodeOptions options;
    OpenPropose proposal;

    Case() {
        options.assets = {{"USDC", address(1), 6, {}, 0}, {"ETH", {}, 18, *feed_from_name("ETH_USD"), 1'000}};
        options.opening.oracles = {address(10), address(11), address(12)};
        options.opening.oracle_threshold = 2;
        options.opening.max_stale_penalty = Amount::from_raw(100);
        options.opening.risk.classes.push_back({*feed_from_name("BTC_USD"), 1'000, 500, 100, Quantity::from_raw(10)});
        Terms& t = proposal.terms;
        t.owner_b = address(20);
        t.signer_b = key_b.address();
        proposal.signer_b = key_b.public_key();
        t.assets = {{address(1), {}, 6, 0}, {{}, *feed_from_name("ETH_USD"), 18, 1'000}};
        t.oracles = {address(10), address(11), address(12)};
        t.oracle_threshold = 2;
        t.price_slot = options.opening.price_slot_s;
        t.price_grace = options.opening.price_grace_s;
        t.dispute_period = 3'600;
        t.stale_penalty = Amount::from_raw(100);
        proposal.risk = options.opening.risk;
    }
    [[nodiscard]] Rule judge() const { return judge_opening(options, proposal, address(30), key_a.public_key()); }
};

}  // namespace

TEST_CASE("opening: our own terms, or stricter, are accepted") {
    Case c;
    CHECK(c.judge() == Rule::none);
    c.proposal.terms.assets[1].haircut_bps = 2'000;
    c.proposal.risk.classes[0].initial_bps = 2'000;
    c.proposal.terms.stale_penalty = Amount();
    c.proposal.terms.oracle_threshold = 3;
    CHECK(c.judge() == Rule::none);
    c.proposal.risk.classes.clear();  // nothing can be traded
    CHECK(c.judge() == Rule::none);
}

TEST_CASE("opening: everything else has a name") {
    Case c;
    SUBCASE("closed shop") {
        c.options.opening.accept = false;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("our members filled in by the proposer") {
        c.proposal.terms.owner_a = address(9);
        CHECK(c.judge() == Rule::unexpected_message);
    }
    SUBCASE("salt filled in") {
        c.proposal.terms.salt.data[0] = 1;
        CHECK(c.judge() == Rule::unexpected_message);
    }
    SUBCASE("a signer that is not the key's") {
        c.proposal.terms.signer_b = address(9);
        CHECK(c.judge() == Rule::wrong_signer);
    }
    SUBCASE("a key that is no point") {
        c.proposal.signer_b.data[3] ^= 1;
        CHECK(c.judge() == Rule::wrong_signer);
    }
    SUBCASE("both signers the same") {
        c.proposal.terms.signer_b = c.key_a.address();
        c.proposal.signer_b = c.key_a.public_key();
        CHECK(c.judge() == Rule::signers_equal);
    }
    SUBCASE("unknown token") {
        c.proposal.terms.assets[0].token = address(99);
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("wrong decimals") {
        c.proposal.terms.assets[0].decimals = 7;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("another feed") {
        c.proposal.terms.assets[1].feed = *feed_from_name("BTC_USD");
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("a smaller haircut") {
        c.proposal.terms.assets[1].haircut_bps = 999;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("no limit of what may be in doubt") {
        c.options.opening.risk.max_in_doubt = Usd16::from_raw(5);
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("a negative limit") {
        c.proposal.risk.max_in_doubt = Usd16::from_raw(-1);
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("a time-out of weeks") {
        c.proposal.risk.ack_timeout_ms = 4'000'000'000;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("a stranger as oracle") {
        c.proposal.terms.oracles[2] = address(13);
        CHECK(c.judge() == Rule::oracles_unacceptable);
    }
    SUBCASE("no majority") {
        c.proposal.terms.oracle_threshold = 1;
        CHECK(c.judge() == Rule::oracle_threshold_not_majority);
    }
    SUBCASE("fewer oracles than ours") {
        c.proposal.terms.oracles = {address(10)};
        c.proposal.terms.oracle_threshold = 1;
        CHECK(c.judge() == Rule::oracles_unacceptable);
    }
    SUBCASE("dispute period") {
        c.proposal.terms.dispute_period = c.options.opening.min_dispute_period_s - 1;
        CHECK(c.judge() == Rule::dispute_period_out_of_range);
        c.proposal.terms.dispute_period = c.options.opening.min_dispute_period_s;
        CHECK(c.judge() == Rule::none);
        c.proposal.terms.dispute_period = c.options.opening.max_dispute_period_s;
        CHECK(c.judge() == Rule::none);
        c.proposal.terms.dispute_period = c.options.opening.max_dispute_period_s + 1;
        CHECK(c.judge() == Rule::dispute_period_out_of_range);
    }
    SUBCASE("price slot") {
        c.proposal.terms.price_slot += 1;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("penalty above ours") {
        c.proposal.terms.stale_penalty = Amount::from_raw(101);
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("laxer margin") {
        c.proposal.risk.classes[0].initial_bps = 999;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("an underlying that we do not know") {
        c.proposal.risk.classes.push_back({*feed_from_name("DOGE_USD"), 9'000, 8'000, 0, Quantity::from_raw(10)});
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
    SUBCASE("maintenance above initial") {
        c.proposal.risk.classes[0].maintenance_bps = 1'001;
        CHECK(c.judge() == Rule::terms_unacceptable);
    }
}

TEST_CASE("history: what ops say they move") {
    const auto raw = [](std::int64_t n) { return Amount::from_raw(n); };
    CHECK(daemon::direct_effect(PayOp{1, raw(5), {}}, 2)[1] == raw(5));
    SwapOp swap;
    swap.give_asset = 0;
    swap.give = raw(10);
    swap.take_asset = 1;
    swap.take = raw(-4);
    const auto moved = daemon::direct_effect(swap, 2);
    CHECK(moved[0] == raw(10));
    CHECK(moved[1] == raw(-4));
    TradeOp trade;
    trade.fee = raw(-2);
    CHECK(daemon::direct_effect(trade, 1)[0] == raw(-2));
    CHECK(daemon::moves_more(trade));
    CHECK(daemon::moves_more(MarkOp{}));
    CHECK_FALSE(daemon::moves_more(PayOp{}));
}

TEST_CASE("without a market what needs an opinion on prices is refused by name") {
    CHECK(daemon::judge_without_market(PayOp{}) == Rule::none);
    CHECK(daemon::judge_without_market(CloseOp{}) == Rule::none);
    CHECK(daemon::judge_without_market(SwapOp{}) == Rule::swap_not_authorised);
    CHECK(daemon::judge_without_market(TradeOp{}) == Rule::trade_not_authorised);
    CHECK(daemon::judge_without_market(MarkOp{}) == Rule::price_missing);
    CHECK(daemon::judge_without_market(ExpireOp{}) == Rule::expiry_price_missing);
    CHECK(daemon::judge_without_market(TermsOp{}) == Rule::terms_not_authorised);
}
