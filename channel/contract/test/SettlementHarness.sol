// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, State} from "../IAdjudicator.sol";
import {Settlement} from "../Settlement.sol";

/// Runs the contract's settlement library with everything it would read from the chain given, for differential tests.
/// Not deployed with the product.
contract SettlementHarness {
    struct Case {
        Asset[] assets;
        Settlement.Holdings[] holdings; // per asset
        State state; // version 0: empty arrays
        uint64[] registeredAt; // per lock: when its preimage was registered, 0 never
        uint256[] positionPrices; // per position: of its instrument at T, or of its underlying at expiry; 0 absent
        uint256[] assetPrices; // per asset: of its feed at T; 0 absent; ignored where the feed is 0
        uint64 valuationTime; // T
        uint8 challenger; // 0 A, 1 B
        uint8 lead;
        uint128 stalePenalty;
        bool graceOver; // now >= T + 8 slots + priceGrace
    }

    struct Result {
        bool priceMissing; // not due: a price is absent and the grace is not over; a is empty
        uint256[] a; // A's payout per asset
        uint256[] totals; // B's payout is totals - a
    }

    function settleMany(Case[] calldata cases) external pure returns (Result[] memory results) {
        results = new Result[](cases.length);
        for (uint256 i = 0; i < cases.length; ++i) {
            results[i] = settle(cases[i]);
        }
    }

    /// The order of calls is Adjudicator.settle's.
    function settle(Case calldata c) public pure returns (Result memory result) {
        int256[] memory a = new int256[](c.assets.length);
        result.totals = new uint256[](c.assets.length);
        for (uint256 i = 0; i < a.length; ++i) {
            int256 net = c.state.net.length == 0 ? int256(0) : c.state.net[i];
            (a[i], result.totals[i]) = Settlement.baseBalance(c.holdings[i], net);
        }
        Settlement.executeLocks(a, c.state.locks, registrations(c));
        bool absent;
        if (c.state.positions.length != 0) {
            int256 sum;
            (sum, absent) = Settlement.profit(c.state.positions, c.positionPrices, c.valuationTime);
            (uint256 price0, bool absent0) = Settlement.assetPrice(c.assets[0], c.assetPrices[0], c.state.assetMarks[0]);
            absent = absent || absent0;
            a[0] += Settlement.inSettlementAsset(sum, price0, c.assets[0].decimals);
        }
        Settlement.Outcome memory o = Settlement.clamp(a, result.totals);
        if (o.shortfall != 0 && a.length > 1 && c.state.version != 0) {
            Settlement.cover(o, c.assets, c.state.assetMarks, c.assetPrices);
        }
        if ((absent || o.absent) && !c.graceOver) {
            result.priceMissing = true;
            return result;
        }
        result.a = o.shares;
        if (Settlement.isStale(c.challenger, c.lead)) {
            result.a[0] = Settlement.penalise(result.a[0], result.totals[0], c.challenger, c.stalePenalty);
        }
    }

    function registrations(Case calldata c) private pure returns (uint256[] memory times) {
        times = new uint256[](c.registeredAt.length);
        for (uint256 i = 0; i < times.length; ++i) {
            times[i] = c.registeredAt[i];
        }
    }
}
