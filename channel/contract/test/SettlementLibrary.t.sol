// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Lock, Position, State} from "../IAdjudicator.sol";
import {Settlement} from "../Settlement.sol";
import {Base} from "./Base.sol";
import {SettlementHarness} from "./SettlementHarness.sol";

/// The arithmetic against slower ways to get the same, and at its bounds.
contract SettlementLibraryTest is Base {
    SettlementHarness private harness;

    function setUp() public override {
        super.setUp();
        harness = SettlementHarness(deployArtifact("SettlementHarness"));
    }

    /// x * y as high and low words, by halves.
    function wide(uint256 x, uint256 y) private pure returns (uint256 high, uint256 low) {
        unchecked {
            uint256 mask = 2 ** 128 - 1;
            uint256 ll = (x & mask) * (y & mask);
            uint256 lh = (x & mask) * (y >> 128);
            uint256 hl = (x >> 128) * (y & mask);
            uint256 hh = (x >> 128) * (y >> 128);
            uint256 middle = (ll >> 128) + (lh & mask) + (hl & mask);
            low = (ll & mask) | (middle << 128);
            high = hh + (lh >> 128) + (hl >> 128) + (middle >> 128);
        }
    }

    function test_mul_div(uint256 x, uint256 y, uint256 d) public pure {
        if (d == 0) d = 1;
        uint256 q = Settlement.mulDiv(x, y, d);
        (uint256 high, uint256 low) = wide(x, y);
        if (high >= d) return same(q, type(uint256).max, "saturates");
        // q * d <= x * y < q * d + d
        (uint256 qh, uint256 ql) = wide(q, d);
        check(qh < high || (qh == high && ql <= low), "not above");
        unchecked {
            uint256 rest = low - ql;
            uint256 borrow = low < ql ? 1 : 0;
            check(high - qh - borrow == 0 && rest < d, "not a whole d below");
            uint256 up = Settlement.mulDivUp(x, y, d);
            if (q != type(uint256).max) same(up, rest == 0 ? q : q + 1, "ceil");
        }
    }

    function test_mul_div_small(uint128 x, uint128 y, uint128 d) public pure {
        if (d == 0) d = 1;
        same(Settlement.mulDiv(x, y, d), uint256(x) * y / d, "floor");
        same(Settlement.mulDivUp(x, y, d), (uint256(x) * y + d - 1) / d, "ceil");
    }

    function test_profit_conversion_is_exact_where_it_fits(int128 sum, uint64 price0, uint8 decimals) public pure {
        uint256 p = uint256(price0) + 1;
        uint256 d = decimals % 19;
        uint256 magnitude = sum < 0 ? uint256(-int256(sum)) : uint256(int256(sum));
        uint256 expected = magnitude * 10 ** d / (p * 1e8);
        int256 got = Settlement.inSettlementAsset(sum, p, d);
        same(got < 0 ? uint256(-got) : uint256(got), expected, "magnitude");
        check(expected == 0 || (got < 0) == (sum < 0), "sign");
    }

    function test_valuation_time_is_ahead(uint40 start, uint32 slot) public pure {
        uint256 s = within(slot, 1, type(uint32).max);
        uint256 time = Settlement.valuationTime(start, s);
        check(time % s == 0 && time > uint256(start) + s && time <= uint256(start) + 2 * s, "in the slot after next");
    }

    // ---- whole cases -------------------------------------------------------------------------------------------------

    function draw(uint256 seed, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }

    /// A number up to `bits` bits of a random size, so that small and extreme ones both occur.
    function sized(uint256 r, uint256 bits) private pure returns (uint256) {
        uint256 top = 2 ** bits - 1;
        if (r % 7 == 0) return top;
        return (r >> 16) & (top >> ((r >> 8) % bits));
    }

    function signedOf(uint256 r, uint256 bits) private pure returns (int256) {
        int256 x = int256(sized(r, bits));
        return r & (1 << 255) == 0 ? x : -x;
    }

    function randomCase(uint256 seed) private pure returns (SettlementHarness.Case memory c) {
        uint256 n = 1 + draw(seed, 0) % 8;
        c.assets = new Asset[](n);
        c.holdings = new Settlement.Holdings[](n);
        c.assetPrices = new uint256[](n);
        c.state.version = 1;
        c.state.net = new int256[](n);
        c.state.assetMarks = new uint128[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 r = draw(seed, 100 + i);
            c.assets[i] = Asset(
                address(uint160(i)), r % 3 == 0 ? bytes32(0) : bytes32("X"), uint8(r % 19), uint16(draw(r, 1) % 10_001)
            );
            c.holdings[i].depositA = sized(draw(r, 2), 120);
            c.holdings[i].depositB = sized(draw(r, 3), 120);
            c.holdings[i].withdrawnA = within(draw(r, 4), 0, c.holdings[i].depositA + c.holdings[i].depositB);
            c.holdings[i].withdrawnB =
                within(draw(r, 5), 0, c.holdings[i].depositA + c.holdings[i].depositB - c.holdings[i].withdrawnA);
            c.state.net[i] = signedOf(draw(r, 6), 120);
            c.state.assetMarks[i] = uint128(sized(draw(r, 7), 96) | 1);
            c.assetPrices[i] = draw(r, 8) % 4 == 0 ? 0 : sized(draw(r, 9), 96) | 1;
        }
        fillPositions(c, seed, draw(seed, 1) % 33);
        fillLocks(c, seed, draw(seed, 2) % 257);
        c.valuationTime = 1000;
        c.challenger = uint8(draw(seed, 3) % 2);
        c.lead = uint8(draw(seed, 4) % 128);
        c.stalePenalty = uint128(sized(draw(seed, 5), 128));
        c.graceOver = draw(seed, 6) % 4 != 0;
    }

    function fillPositions(SettlementHarness.Case memory c, uint256 seed, uint256 count) private pure {
        c.state.positions = new Position[](count);
        c.positionPrices = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 r = draw(seed, 200 + i);
            c.state.positions[i] = Position(
                bytes32(i),
                bytes32(r % 3),
                uint8(draw(r, 1) % 5),
                uint64(draw(r, 2) % 3 * 1000),
                uint128(sized(draw(r, 3), 96)),
                int128(signedOf(draw(r, 4), 96)),
                int128(signedOf(draw(r, 5), 96))
            );
            c.positionPrices[i] = draw(r, 6) % 50 == 0 ? 0 : sized(draw(r, 7), 96) | 1;
        }
    }

    function fillLocks(SettlementHarness.Case memory c, uint256 seed, uint256 count) private pure {
        c.state.locks = new Lock[](count);
        c.registeredAt = new uint64[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 r = draw(seed, 300 + i);
            c.state.locks[i] =
                Lock(bytes32(i), 500, uint8(draw(r, 1) % c.assets.length), int128(signedOf(draw(r, 2), 96)));
            c.registeredAt[i] = [uint64(0), 499, 500, 501][r % 4];
        }
    }

    /// Whatever both signed: it never reverts, and A's share of every asset lies between nothing and all.
    function test_total_and_within_bounds(uint256 seed) public view {
        SettlementHarness.Result memory r = harness.settle(randomCase(seed));
        if (r.priceMissing) return same(r.a.length, 0, "not due");
        for (uint256 i = 0; i < r.a.length; ++i) {
            check(r.a[i] <= r.totals[i], "A's share");
        }
    }

    /// Swapping the sides of everything swaps the outcome: no side is favoured beyond rounding, which never depends on it.
    function test_mirror(uint256 seed) public view {
        SettlementHarness.Case memory c = randomCase(seed);
        c.lead = 0; // the leader has a window of its own
        SettlementHarness.Result memory r = harness.settle(c);
        for (uint256 i = 0; i < c.assets.length; ++i) {
            Settlement.Holdings memory h = c.holdings[i];
            (h.depositA, h.depositB) = (h.depositB, h.depositA);
            (h.withdrawnA, h.withdrawnB) = (h.withdrawnB, h.withdrawnA);
            c.state.net[i] = -c.state.net[i];
        }
        for (uint256 i = 0; i < c.state.positions.length; ++i) {
            c.state.positions[i].quantity = -c.state.positions[i].quantity;
        }
        for (uint256 i = 0; i < c.state.locks.length; ++i) {
            c.state.locks[i].amount = -c.state.locks[i].amount;
        }
        SettlementHarness.Result memory m = harness.settle(c);
        check(m.priceMissing == r.priceMissing, "due");
        for (uint256 i = 0; i < r.a.length; ++i) {
            same(m.a[i], r.totals[i] - r.a[i], "mirrored share");
        }
    }

    function test_batch_is_the_same(uint256 seed) public view {
        SettlementHarness.Case[] memory cases = new SettlementHarness.Case[](2);
        cases[0] = randomCase(seed);
        cases[1] = randomCase(draw(seed, 9));
        SettlementHarness.Result[] memory r = harness.settleMany(cases);
        for (uint256 i = 0; i < 2; ++i) {
            same(uint256(keccak256(abi.encode(r[i]))), uint256(keccak256(abi.encode(harness.settle(cases[i])))), "same");
        }
    }
}
