// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, IAdjudicator, Lock, Position, State, Withdraw} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";
import {TestToken} from "./TestToken.sol";

/// What a dispute ends with, and when.
contract SettleTest is Base {
    uint256 private constant USD = 1e6; // of the dollar token
    uint256 private constant A0 = 1000 * USD;
    uint256 private constant B0 = 500 * USD;

    function paid(address owner) private view returns (uint256) {
        return token.balanceOf(owner);
    }

    /// Challenges by B with `s`, and brings time to the end. Returns T.
    function dispute(Channel memory c, State memory s) private returns (uint64 time) {
        time = pricingTime();
        challengeBy(ownerB, c, s);
        vm.warp(START + c.disputePeriod);
    }

    /// A channel whose disputes end before the grace of a missing price.
    function hasty(Channel memory c) private pure returns (Channel memory) {
        c.disputePeriod = 60;
        return c;
    }

    function funded() private returns (Channel memory c) {
        c = dollarChannel();
        fund(c, 0, A0, B0);
    }

    function refuse(Channel memory c, State memory s, bytes memory rule) private {
        vm.expectRevert(rule);
        adjudicator.settle(c, s);
    }

    function refuseUntil(Channel memory c, State memory s, bytes4 rule, uint256 due) private {
        refuse(c, s, abi.encodeWithSelector(rule, due));
    }

    // ---- when --------------------------------------------------------------------------------------------------------

    function test_due_at_the_end() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        dispute(c, s);
        vm.warp(START + PERIOD - 1);
        refuseUntil(c, s, IAdjudicator.SettlementNotDue.selector, START + PERIOD);
        vm.warp(START + PERIOD);
        adjudicator.settle(c, s);
        check(paid(ownerA) == A0 && paid(ownerB) == B0, "paid");
        refuse(c, s, abi.encodeWithSelector(IAdjudicator.NotDisputed.selector));
    }

    function test_due_after_the_last_lock() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        uint256 expiry = START + PERIOD + 7;
        s.locks = oneLock("p", expiry, 0, int128(int256(USD)));
        dispute(c, s);
        vm.warp(expiry - 1);
        refuseUntil(c, s, IAdjudicator.SettlementNotDue.selector, expiry);
        vm.warp(expiry);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0, "not executed");
    }

    function test_a_missing_price_waits_for_the_grace() public {
        Channel memory c = funded();
        c.disputePeriod = 10;
        fund(c, 0, A0, B0);
        State memory s = stateOf(c, 3);
        s.positions = onePosition(perpetual(1e8, 100e8));
        uint256 due = pricingTime() + 8 * SLOT + GRACE;
        challengeBy(ownerA, c, s);
        vm.warp(due - 1);
        refuseUntil(c, s, IAdjudicator.PriceMissing.selector, due);
        vm.warp(due);
        adjudicator.settle(c, s);
        check(paid(ownerA) == A0 && paid(ownerB) == B0, "at the mark");
    }

    function test_a_price_need_not_wait() public {
        Channel memory c = hasty(dollarChannel());
        fund(c, 0, A0, B0);
        State memory s = stateOf(c, 3);
        s.positions = onePosition(perpetual(1e8, 100e8));
        uint64 time = dispute(c, s);
        refuseUntil(c, s, IAdjudicator.PriceMissing.selector, time + 8 * SLOT + GRACE);
        attestAll(PERPETUAL, time, 101e8);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 + USD, "at once");
    }

    function test_only_the_recorded_state_settles() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        dispute(c, s);
        State memory other = stateOf(c, 3);
        other.net[0] = 1;
        refuse(c, other, abi.encodeWithSelector(IAdjudicator.StateMismatch.selector));
        refuse(c, initial(), abi.encodeWithSelector(IAdjudicator.StateMismatch.selector));
        adjudicator.settle(c, s);
    }

    function test_version_zero_needs_no_state() public {
        Channel memory c = funded();
        dispute(c, initial());
        refuse(c, stateOf(c, 1), abi.encodeWithSelector(IAdjudicator.InitialStateNotEmpty.selector));
        adjudicator.settle(c, initial());
        check(paid(ownerA) == A0 && paid(ownerB) == B0, "deposits back");
    }

    function test_version_zero_after_withdrawals_is_clamped() public {
        Channel memory c = funded();
        fund(c, 1, 5 ether, 0);
        withdrawWith(c, Withdraw(0, 0, A0 + 100 * USD, uint64(START + 60)));
        dispute(c, initial());
        adjudicator.settle(c, initial());
        same(paid(ownerA), A0 + 100 * USD, "A had more already");
        same(paid(ownerB), 400 * USD, "what is left");
        same(ownerA.balance, 5 ether, "no covering without marks");
    }

    // ---- prices ------------------------------------------------------------------------------------------------------

    function settlePerpetual(int128 quantity, uint64 offset, uint256 signers) private returns (int256 profitA) {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        s.positions = onePosition(perpetual(quantity, 100e8));
        uint64 time = dispute(c, s);
        attest(PERPETUAL, time + offset, [uint256(130e8), 130e8, 130e8], signers);
        vm.warp(time + 8 * SLOT + GRACE + PERIOD);
        adjudicator.settle(c, s);
        same(paid(ownerA) + paid(ownerB), A0 + B0, "A + B = all");
        return int256(paid(ownerA)) - int256(A0);
    }

    function test_profit_at_the_slot_price() public {
        check(settlePerpetual(1e8, 0, 3) == 30e6, "profit");
    }

    function test_loss_at_the_slot_price() public {
        check(settlePerpetual(-3e8, 0, 2) == -90e6, "loss");
    }

    function test_last_slot_counts() public {
        check(settlePerpetual(1e8, 8 * SLOT, 3) == 30e6, "T + 8 slots");
    }

    function test_slot_after_the_last_does_not() public {
        check(settlePerpetual(1e8, 9 * SLOT, 3) == 0, "T + 9 slots");
    }

    function test_between_slots_does_not() public {
        check(settlePerpetual(1e8, SLOT / 2, 3) == 0, "off the grid");
    }

    function test_too_few_signers_do_not() public {
        check(settlePerpetual(1e8, 0, 1) == 0, "one of two");
    }

    function test_rounding_is_toward_zero() public {
        check(settlePerpetual(1, 0, 3) == 0, "gain"); // 30 USD x 1e-8 is below one unit
    }

    function test_rounding_is_toward_zero_for_a_loss() public {
        check(settlePerpetual(-7, 0, 3) == -2, "2.1 units");
    }

    function test_the_earliest_slot_counts() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        s.positions = onePosition(perpetual(1e8, 100e8));
        uint64 time = dispute(c, s);
        attestAll(PERPETUAL, time + 2 * SLOT, 150e8);
        attestAll(PERPETUAL, time + SLOT, 140e8);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 + 40 * USD, "T + 1 slot");
    }

    function test_valuation_time_at_slot_boundaries() public {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 snapshot = vm.snapshotState();
            uint256 start = START + 1000 * SLOT - 1 + i; // t-1, t, t+1
            vm.warp(start);
            Channel memory c = funded();
            State memory s = stateOf(c, 3);
            s.positions = onePosition(perpetual(1e8, 100e8));
            challengeBy(ownerA, c, s);
            uint64 time = uint64(START + 1000 * SLOT + (i == 0 ? 1 : 2) * SLOT);
            attestAll(PERPETUAL, time - SLOT, 999e8);
            attestAll(PERPETUAL, time, 110e8);
            vm.warp(start + PERIOD);
            adjudicator.settle(c, s);
            same(paid(ownerA), A0 + 10 * USD, "two slots on");
            vm.revertToState(snapshot);
        }
    }

    function test_payoffs_at_expiry() public {
        // kind, strike, price, payoff
        check(settleExpired(0, 0, 120e8) == 120e6, "linear");
        check(settleExpired(1, 100e8, 120e8) == 20e6, "call in the money");
        check(settleExpired(1, 130e8, 120e8) == 0, "call out of the money");
        check(settleExpired(2, 130e8, 120e8) == 10e6, "put in the money");
        check(settleExpired(2, 100e8, 120e8) == 0, "put out of the money");
        check(settleExpired(3, 120e8, 120e8) == 1e6, "digital call at the strike");
        check(settleExpired(3, 120e8 + 1, 120e8) == 0, "digital call below the strike");
        check(settleExpired(4, 120e8, 120e8) == 0, "digital put at the strike");
        check(settleExpired(4, 120e8 + 1, 120e8) == 1e6, "digital put below the strike");
    }

    function settleExpired(uint8 kind, uint128 strike, uint256 price) private returns (int256 profitA) {
        uint256 snapshot = vm.snapshotState();
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        uint64 expiry = pricingTime(); // at T: expired
        s.positions = onePosition(Position("X", BTC_FEED, kind, expiry, strike, 1e8, 0));
        dispute(c, s);
        attestAll(BTC_FEED, expiry, price);
        attestAll("X", expiry, 7e8);
        adjudicator.settle(c, s);
        profitA = int256(paid(ownerA)) - int256(A0);
        vm.revertToState(snapshot);
    }

    function test_before_expiry_the_instrument_counts() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        uint64 time = pricingTime();
        s.positions = onePosition(Position("X", BTC_FEED, 1, time + SLOT, 100e8, 1e8, 0));
        dispute(c, s);
        attestAll(BTC_FEED, time + SLOT, 120e8);
        attestAll("X", time, 7e8);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 + 7 * USD, "premium at T");
    }

    function test_an_underlying_stands_at_its_marks_together() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        s.positions = new Position[](3);
        s.positions[0] = perpetual(1e8, 100e8);
        s.positions[1] = Position("BTC_USD-26MAR27", BTC_FEED, 0, 1_900_000_000, 0, -1e8, 100e8); // no price
        s.positions[2] = Position("ETH_USD-PERPETUAL", "ETH_USD", 0, 0, 0, 2e8, 10e8);
        uint64 time = dispute(c, s);
        attestAll(PERPETUAL, time, 300e8);
        attestAll("ETH_USD-PERPETUAL", time, 15e8);
        vm.warp(time + 8 * SLOT + GRACE + PERIOD);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 + 10 * USD, "only the other underlying");
    }

    function test_profit_in_a_priced_settlement_asset() public {
        Channel memory c = hasty(coinChannel());
        fund(c, 0, 10 ether, 10 ether);
        State memory s = stateOf(c, 3);
        s.positions = onePosition(perpetual(1e8, 100e8));
        uint64 time = dispute(c, s);
        attestAll(PERPETUAL, time, 1100e8); // 1,000 USD
        refuseUntil(c, s, IAdjudicator.PriceMissing.selector, time + 8 * SLOT + GRACE);
        attestAll(ETH_FEED, time, 4000e8);
        adjudicator.settle(c, s);
        same(ownerA.balance, 10.25 ether, "A");
        same(ownerB.balance, 9.75 ether, "B");
    }

    function test_the_settlement_assets_mark_stands_in() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10 ether, 10 ether);
        State memory s = stateOf(c, 3); // ETH marked at 2,000
        s.positions = onePosition(perpetual(1e8, 100e8));
        uint64 time = dispute(c, s);
        attestAll(PERPETUAL, time, 1100e8);
        vm.warp(time + 8 * SLOT + GRACE + PERIOD);
        adjudicator.settle(c, s);
        same(ownerA.balance, 10.5 ether, "A");
    }

    // ---- shortfall ---------------------------------------------------------------------------------------------------

    function test_shortfall_is_covered_at_a_haircut() public {
        Channel memory c = funded();
        fund(c, 1, 1 ether, 3 ether);
        State memory s = stateOf(c, 3);
        s.net[0] = -int256(B0 + 160 * USD); // B owes 160 USD more than it has
        uint64 time = dispute(c, s);
        attestAll(ETH_FEED, time, 1000e8); // at 20 % haircut: 800
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 + B0, "all dollars");
        same(ownerA.balance, 1.2 ether, "and 0.2 ETH");
        same(ownerB.balance, 2.8 ether, "the rest");
    }

    function test_shortfall_rounds_up() public {
        Channel memory c = funded();
        fund(c, 1, 0, 1 ether);
        State memory s = stateOf(c, 3);
        s.net[0] = -int256(B0 + 1);
        uint64 time = dispute(c, s);
        attestAll(ETH_FEED, time, 3000e8);
        adjudicator.settle(c, s);
        same(ownerA.balance, uint256(1e12) * 1e4 / (3000 * 8000) + 1, "ceil");
    }

    /// Through the loser's assets in order: one that does not suffice, one that counts for nothing, one that has enough.
    function test_shortfall_runs_through_the_assets() public {
        Channel memory c = dollarChannel();
        Asset[] memory assets = new Asset[](4);
        TestToken[2] memory more = [new TestToken("", "", 6), new TestToken("", "", 6)];
        (assets[0], assets[1]) = (c.assets[0], Asset(COIN, ETH_FEED, 18, 0));
        assets[2] = Asset(address(more[0]), 0, 6, 10_000);
        assets[3] = Asset(address(more[1]), 0, 6, 0);
        c.assets = assets;
        for (uint256 i = 0; i < 2; ++i) {
            more[i].mint(address(this), 100);
            more[i].approve(address(adjudicator), 100);
            fund(c, 2 + i, 0, 100);
        }
        fund(c, 0, A0, B0);
        fund(c, 1, 0, 500_000_000); // worth 1.5 units of the dollar at 3,000
        State memory s = stateOf(c, 3);
        s.assetMarks[0] = 7e8; // of no account where the feed is 0
        s.assetMarks[3] = 7e8;
        s.net[0] = -int256(B0 + 10);
        uint64 time = dispute(c, s);
        attestAll(ETH_FEED, time, 3000e8);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 + B0, "dollars");
        same(ownerA.balance, 500_000_000, "all coins, which cover one unit");
        same(more[0].balanceOf(ownerB), 100, "a full haircut is skipped");
        same(more[1].balanceOf(ownerA), 9, "the rest");
        same(more[1].balanceOf(ownerB), 91, "what is left");
    }

    function test_what_is_not_covered_is_lost() public {
        Channel memory c = funded();
        fund(c, 1, 1 ether, 0);
        State memory s = stateOf(c, 3);
        s.net[0] = int256(A0 + 5000 * USD);
        uint64 time = dispute(c, s);
        attestAll(ETH_FEED, time, 1000e8);
        adjudicator.settle(c, s);
        same(paid(ownerB), A0 + B0, "B has all");
        same(ownerB.balance, 1 ether, "and the coin");
    }

    function test_shortfall_needs_a_price() public {
        Channel memory c = hasty(dollarChannel());
        fund(c, 0, A0, B0);
        fund(c, 1, 0, 3 ether);
        State memory s = stateOf(c, 3); // ETH marked at 2,000
        s.net[0] = -int256(B0 + 160 * USD);
        uint64 time = dispute(c, s);
        refuseUntil(c, s, IAdjudicator.PriceMissing.selector, time + 8 * SLOT + GRACE);
        vm.warp(time + 8 * SLOT + GRACE + PERIOD);
        adjudicator.settle(c, s);
        same(ownerA.balance, 0.1 ether, "at the mark");
    }

    function test_one_asset_has_no_cover_and_needs_no_price() public {
        Channel memory c = hasty(coinChannel());
        fund(c, 0, 1 ether, 1 ether);
        State memory s = stateOf(c, 3);
        s.net[0] = 5 ether;
        dispute(c, s);
        adjudicator.settle(c, s);
        same(ownerB.balance, 2 ether, "all there is");
    }

    // ---- locks -------------------------------------------------------------------------------------------------------

    function test_a_lock_executes_when_revealed_before_its_expiry() public {
        uint256 expiry = START + 100;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 snapshot = vm.snapshotState();
            Channel memory c = funded();
            State memory s = stateOf(c, 3);
            s.locks = oneLock("p", expiry, 0, int128(int256(30 * USD)));
            challengeBy(ownerA, c, s);
            vm.warp(expiry - 1 + i);
            reveal("p");
            vm.warp(START + PERIOD);
            adjudicator.settle(c, s);
            same(paid(ownerA), i == 0 ? A0 - 30 * USD : A0, "t-1 executes, t and t+1 do not");
            vm.revertToState(snapshot);
        }
    }

    function test_locks_of_both_sides_and_assets() public {
        Channel memory c = funded();
        fund(c, 1, 1 ether, 1 ether);
        State memory s = stateOf(c, 3);
        s.locks = new Lock[](3);
        s.locks[0] = Lock(keccak256(abi.encode(bytes32("p"))), uint64(START + 9), 0, int128(int256(30 * USD)));
        s.locks[1] = Lock(keccak256(abi.encode(bytes32("q"))), uint64(START + 9), 1, -0.25 ether);
        s.locks[2] = Lock(keccak256(abi.encode(bytes32("r"))), uint64(START + 9), 1, 0.5 ether);
        reveal("p");
        reveal("q");
        dispute(c, s);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 - 30 * USD, "asset 0");
        same(ownerA.balance, 1.25 ether, "asset 1");
    }

    // ---- penalty -----------------------------------------------------------------------------------------------------

    function settleStale(address challenger, uint64 lead) private returns (uint256 a) {
        uint256 snapshot = vm.snapshotState();
        Channel memory c = funded();
        challengeBy(challenger, c, stateOf(c, 100));
        if (lead > 0) respondWith(c, stateOf(c, 100 + lead));
        vm.warp(START + PERIOD);
        adjudicator.settle(c, stateOf(c, 100 + lead));
        a = paid(ownerA);
        same(a + paid(ownerB), A0 + B0, "A + B = all");
        vm.revertToState(snapshot);
    }

    function test_penalty() public {
        same(settleStale(ownerA, 0), A0, "the newest is no offence");
        same(settleStale(ownerA, 64), A0, "in flight for the leader");
        same(settleStale(ownerA, 65), A0 - 10 * USD, "stale");
        same(settleStale(ownerA, 1000), A0 - 10 * USD, "very stale");
        same(settleStale(ownerB, 0), A0, "the newest is no offence");
        same(settleStale(ownerB, 1), A0 + 10 * USD, "any newer for the follower");
    }

    function test_penalty_is_at_most_what_is_left() public {
        Channel memory c = dollarChannel();
        fund(c, 0, A0, 4 * USD);
        challengeBy(ownerB, c, initial());
        respondWith(c, stateOf(c, 1));
        vm.warp(START + PERIOD);
        adjudicator.settle(c, stateOf(c, 1));
        same(paid(ownerA), A0 + 4 * USD, "all of it");
        same(paid(ownerB), 0, "none left");
    }

    function test_deposits_in_a_dispute_count() public {
        Channel memory c = funded();
        State memory s = stateOf(c, 3);
        s.net[0] = int256(100 * USD);
        dispute(c, s);
        fund(c, 0, 11 * USD, 13 * USD);
        adjudicator.settle(c, s);
        same(paid(ownerA), A0 - 89 * USD, "A");
        same(paid(ownerB), B0 + 113 * USD, "B");
    }
}
