// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Lock, Position} from "./IAdjudicator.sol";

/// The arithmetic of settlement, spec 3.2 to 3.9. Pure: what the chain knows (holdings, prices, preimage times) is brought in
/// arrays. Only A's side is computed; B gets the rest. With states that Rules.checkState accepts and prices below 2^96
/// nothing here can revert: |net|, deposits < 2^120, sum of positions < 2^198, its value in assets[0] < 2^232.
library Settlement {
    /// What a channel took in and paid out of one asset.
    struct Holdings {
        uint256 depositA;
        uint256 depositB;
        uint256 withdrawnA;
        uint256 withdrawnB;
    }

    uint256 internal constant USD = 1e8;
    uint256 internal constant BPS = 10_000;
    uint256 internal constant SLOTS = 8;
    uint256 internal constant PIPELINE_WINDOW = 64;

    /// The time whose price settles a dispute that began at `start` (spec 3.2): unknown to any challenger.
    function valuationTime(uint256 start, uint256 priceSlot) internal pure returns (uint256) {
        return (start / priceSlot + 2) * priceSlot;
    }

    /// When settling is due if no price is missing (spec 3.5).
    function dueTime(uint256 end, Lock[] calldata locks) internal pure returns (uint256 due) {
        due = end;
        for (uint256 i = 0; i < locks.length; ++i) {
            if (locks[i].expiry > due) due = locks[i].expiry;
        }
    }

    /// Spec 3.3: whether the challenged version was stale, by how far the recorded one leads it. A, who orders, is allowed
    /// the versions that may have been in flight.
    function isStale(uint256 challenger, uint256 lead) internal pure returns (bool) {
        return lead > (challenger == 0 ? PIPELINE_WINDOW : 0);
    }

    /// Spec 3.6: A's balance of an asset before locks and positions, and the total to distribute.
    function baseBalance(Holdings memory h, int256 net) internal pure returns (int256 a, uint256 total) {
        a = int256(h.depositA) - int256(h.withdrawnA) - net;
        total = h.depositA + h.depositB - h.withdrawnA - h.withdrawnB;
    }

    /// Spec 3.6: takes executed locks, whose preimage was registered (0: never) before their expiry, out of A's balances.
    function executeLocks(int256[] memory a, Lock[] calldata locks, uint256[] memory registeredAt) internal pure {
        for (uint256 i = 0; i < locks.length; ++i) {
            Lock calldata lock = locks[i];
            if (registeredAt[i] != 0 && registeredAt[i] < lock.expiry) a[lock.asset] -= lock.amount;
        }
    }

    /// Spec 3.7: whether a position is valued by its payoff at expiry rather than by its instrument's price at T.
    function isExpired(Position calldata position, uint256 time) internal pure returns (bool) {
        return position.expiry != 0 && position.expiry <= time;
    }

    /// Spec 3.7: the profit of A in USD with 16 decimals. `prices` are, per position, the price of its instrument at T or of
    /// its underlying at expiry, 0 for absent; positions on an underlying of which one is absent count nothing, together.
    function profit(Position[] calldata positions, uint256[] memory prices, uint256 time)
        internal
        pure
        returns (int256 sum, bool absent)
    {
        for (uint256 i = 0; i < positions.length; ++i) {
            if (prices[i] == 0) absent = true;
            sum += gain(positions[i], prices[i], time);
        }
        if (!absent) return (sum, false);
        sum = 0;
        for (uint256 i = 0; i < positions.length; ++i) {
            if (isUnpriced(positions, prices, positions[i].underlying)) continue;
            sum += gain(positions[i], prices[i], time);
        }
    }

    /// |quantity|, |mark|, price < 2^96: the product is below 2^193.
    function gain(Position calldata position, uint256 price, uint256 time) private pure returns (int256) {
        uint256 value = isExpired(position, time) ? payoff(position, price) : price;
        unchecked {
            return int256(position.quantity) * (int256(value) - position.mark);
        }
    }

    function isUnpriced(Position[] calldata positions, uint256[] memory prices, bytes32 underlying)
        private
        pure
        returns (bool)
    {
        for (uint256 i = 0; i < positions.length; ++i) {
            if (prices[i] == 0 && positions[i].underlying == underlying) return true;
        }
        return false;
    }

    /// Spec 3.7: what an expired position is worth at the price of its underlying at expiry.
    function payoff(Position calldata position, uint256 price) internal pure returns (uint256) {
        uint256 strike = position.strike;
        if (position.kind == 0) return price;
        if (position.kind == 1) return price > strike ? price - strike : 0;
        if (position.kind == 2) return strike > price ? strike - price : 0;
        if (position.kind == 3) return price >= strike ? USD : 0;
        return price < strike ? USD : 0;
    }

    /// Spec 3.7 and 3.8: the price to use for an asset, and whether it is the co-signed mark because none is attested.
    function assetPrice(Asset calldata asset, uint256 found, uint256 mark)
        internal
        pure
        returns (uint256 price, bool absent)
    {
        if (asset.feed == 0) return (USD, false);
        if (found == 0) return (mark, true);
        return (found, false);
    }

    /// Spec 3.7: USD with 16 decimals in units of assets[0], rounded once, toward zero.
    function inSettlementAsset(int256 sum, uint256 price0, uint256 decimals0) internal pure returns (int256) {
        uint256 den = price0 * USD;
        uint256 unit = 10 ** decimals0;
        uint256 magnitude = sum < 0 ? uint256(-sum) : uint256(sum);
        uint256 amount = (magnitude / den) * unit + (magnitude % den) * unit / den;
        return sum < 0 ? -int256(amount) : int256(amount);
    }

    /// What a settlement comes to, and what is still missing.
    struct Outcome {
        uint256[] shares; // A's part of each asset
        uint256[] totals;
        uint256 shortfall; // of assets[0], owed by the loser
        bool loserIsB;
        bool absent; // a price is missing that a mark stands in for
    }

    /// Spec 3.8: A's balances within [0, total], and what the loser's part of assets[0] falls short by.
    function clamp(int256[] memory a, uint256[] memory totals) internal pure returns (Outcome memory o) {
        o.totals = totals;
        o.shares = new uint256[](a.length);
        for (uint256 i = 0; i < a.length; ++i) {
            int256 total = int256(totals[i]);
            o.shares[i] = a[i] < 0 ? 0 : a[i] > total ? totals[i] : uint256(a[i]);
        }
        if (a[0] < 0) {
            o.shortfall = uint256(-a[0]);
        } else if (a[0] > int256(totals[0])) {
            o.shortfall = uint256(a[0]) - totals[0];
            o.loserIsB = true;
        }
    }

    /// Spec 3.8: covers a shortfall from the loser's other assets, in order, each at its price less its haircut. `prices` are
    /// per asset the slot price at T, 0 for absent.
    function cover(Outcome memory o, Asset[] calldata assets, uint128[] calldata marks, uint256[] memory prices)
        internal
        pure
    {
        for (uint256 i = 1; i < assets.length && o.shortfall > 0; ++i) {
            uint256 have = o.loserIsB ? o.totals[i] - o.shares[i] : o.shares[i];
            if (have == 0 || assets[i].haircutBps == BPS) continue;
            (uint256 num, uint256 den) = coverRate(o, assets, marks, prices, i);
            uint256 take;
            (take, o.shortfall) = coverFrom(have, o.shortfall, num, den);
            o.shares[i] = o.loserIsB ? o.shares[i] + take : o.shares[i] - take;
        }
    }

    /// What one unit of assets[0] costs in units of asset i, as a fraction; notes a missing price.
    function coverRate(
        Outcome memory o,
        Asset[] calldata assets,
        uint128[] calldata marks,
        uint256[] memory prices,
        uint256 i
    ) private pure returns (uint256 num, uint256 den) {
        (uint256 price0, bool absent0) = assetPrice(assets[0], prices[0], marks[0]);
        (uint256 price, bool absent) = assetPrice(assets[i], prices[i], marks[i]);
        o.absent = o.absent || absent0 || absent;
        num = price0 * 10 ** assets[i].decimals * BPS;
        den = 10 ** assets[0].decimals * price * (BPS - assets[i].haircutBps);
    }

    /// What of `have` is taken, and what of the shortfall is left.
    function coverFrom(uint256 have, uint256 shortfall, uint256 num, uint256 den)
        private
        pure
        returns (uint256 take, uint256 left)
    {
        take = mulDivUp(shortfall, num, den);
        if (take < have) return (take, 0);
        uint256 covered = mulDiv(have, den, num);
        return (have, covered < shortfall ? shortfall - covered : 0);
    }

    /// Spec 3.9: A's part of assets[0] after a stale challenger's penalty.
    function penalise(uint256 share, uint256 total, uint256 challenger, uint256 penalty)
        internal
        pure
        returns (uint256)
    {
        if (challenger == 0) return share > penalty ? share - penalty : 0;
        return total - share > penalty ? share + penalty : total;
    }

    /// floor(x * y / d) with a 512-bit product, 2^256 - 1 where the quotient does not fit.
    /// @dev Remco Bloemen's mulDiv, https://2π.com/21/muldiv
    function mulDiv(uint256 x, uint256 y, uint256 d) internal pure returns (uint256 q) {
        unchecked {
            uint256 low = x * y;
            uint256 mm = mulmod(x, y, type(uint256).max);
            uint256 high = mm - low - (mm < low ? 1 : 0);
            if (high == 0) return low / d;
            if (high >= d) return type(uint256).max;
            uint256 remainder = mulmod(x, y, d);
            if (remainder > low) --high;
            low -= remainder;
            uint256 twos = d & (0 - d);
            d /= twos;
            low /= twos;
            low |= high * ((0 - twos) / twos + 1);
            uint256 inverse = (3 * d) ^ 2;
            inverse *= 2 - d * inverse;
            inverse *= 2 - d * inverse;
            inverse *= 2 - d * inverse;
            inverse *= 2 - d * inverse;
            inverse *= 2 - d * inverse;
            inverse *= 2 - d * inverse;
            return low * inverse;
        }
    }

    /// ceil(x * y / d), 2^256 - 1 where it does not fit.
    function mulDivUp(uint256 x, uint256 y, uint256 d) internal pure returns (uint256 q) {
        q = mulDiv(x, y, d);
        if (q != type(uint256).max && mulmod(x, y, d) > 0) ++q;
    }
}
