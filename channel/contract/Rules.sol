// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, IAdjudicator, Lock, Position, State} from "./IAdjudicator.sol";

/// What terms and states must be like (spec 1.6, 2.7). A state that passes cannot make settlement revert.
library Rules {
    uint256 internal constant MAX_ASSETS = 8;
    uint256 internal constant MAX_ORACLES = 20;
    uint256 internal constant MAX_POSITIONS = 32;
    uint256 internal constant MAX_LOCKS = 256;
    uint256 internal constant MAX_DECIMALS = 18;
    uint256 internal constant MAX_HAIRCUT_BPS = 10_000;
    uint256 internal constant MAX_KIND = 4;

    function checkTerms(Channel calldata channel) internal pure {
        if (channel.ownerA == address(0) || channel.ownerB == address(0)) revert IAdjudicator.OwnerZero();
        if (channel.signerA == address(0) || channel.signerB == address(0)) revert IAdjudicator.SignerZero();
        if (channel.signerA == channel.signerB) revert IAdjudicator.SignersEqual();
        if (channel.priceSlot == 0) revert IAdjudicator.PriceSlotZero();
        checkAssets(channel.assets);
        checkOracles(channel.oracles);
        if (channel.oracleThreshold == 0 || channel.oracleThreshold > channel.oracles.length) {
            revert IAdjudicator.OracleThresholdOutOfRange();
        }
    }

    function checkAssets(Asset[] calldata assets) private pure {
        if (assets.length == 0 || assets.length > MAX_ASSETS) revert IAdjudicator.AssetsCountOutOfRange();
        for (uint256 i = 0; i < assets.length; ++i) {
            Asset calldata asset = assets[i];
            if (asset.decimals > MAX_DECIMALS) revert IAdjudicator.AssetDecimalsOutOfRange();
            if (asset.haircutBps > MAX_HAIRCUT_BPS) revert IAdjudicator.HaircutOutOfRange();
            for (uint256 j = 0; j < i; ++j) {
                if (assets[j].token == asset.token) revert IAdjudicator.AssetDuplicate();
            }
        }
    }

    function checkOracles(address[] calldata oracles) internal pure {
        if (oracles.length > MAX_ORACLES) revert IAdjudicator.OraclesCountOutOfRange();
        address last = address(0);
        for (uint256 i = 0; i < oracles.length; ++i) {
            if (oracles[i] <= last) revert IAdjudicator.OraclesNotAscending();
            last = oracles[i];
        }
    }

    /// A state that both signed: version above 0.
    function checkState(Channel calldata channel, State calldata state) internal pure {
        uint256 assets = channel.assets.length;
        if (state.version >= 2 ** 48) revert IAdjudicator.VersionOutOfRange();
        if (state.net.length != assets || state.assetMarks.length != assets) {
            revert IAdjudicator.AssetsCountMismatch();
        }
        checkNet(state.net);
        for (uint256 i = 0; i < assets; ++i) {
            if (state.assetMarks[i] == 0 || state.assetMarks[i] >= 2 ** 96) revert IAdjudicator.AssetMarkOutOfRange();
        }
        checkPositions(state.positions, channel.priceSlot);
        checkLocks(state.locks, assets);
    }

    function checkNet(int256[] calldata net) internal pure {
        for (uint256 i = 0; i < net.length; ++i) {
            if (net[i] <= -(2 ** 120) || net[i] >= 2 ** 120) revert IAdjudicator.NetOutOfRange();
        }
    }

    function checkPositions(Position[] calldata positions, uint256 priceSlot) private pure {
        if (positions.length > MAX_POSITIONS) revert IAdjudicator.PositionLimit();
        for (uint256 i = 0; i < positions.length; ++i) {
            Position calldata position = positions[i];
            if (position.kind > MAX_KIND) revert IAdjudicator.KindUnknown();
            if (position.expiry % priceSlot != 0 || position.expiry >= 2 ** 40) {
                revert IAdjudicator.PositionExpiryOutOfRange();
            }
            if (position.strike >= 2 ** 96) revert IAdjudicator.StrikeOutOfRange();
            if (!isBelow96(position.quantity)) revert IAdjudicator.QuantityOutOfRange();
            if (!isBelow96(position.mark)) revert IAdjudicator.MarkOutOfRange();
        }
    }

    function checkLocks(Lock[] calldata locks, uint256 assets) private pure {
        if (locks.length > MAX_LOCKS) revert IAdjudicator.LockLimit();
        for (uint256 i = 0; i < locks.length; ++i) {
            Lock calldata lock = locks[i];
            if (lock.asset >= assets) revert IAdjudicator.AssetOutOfRange();
            if (!isBelow96(lock.amount)) revert IAdjudicator.LockAmountOutOfRange();
            if (lock.expiry >= 2 ** 40) revert IAdjudicator.LockExpiryOutOfRange();
        }
    }

    /// The state before any, version 0, as nobody has signed one.
    function checkInitial(State calldata state) internal pure {
        if (
            state.version != 0 || state.context != 0
                || (state.net.length | state.assetMarks.length | state.positions.length | state.locks.length) != 0
        ) revert IAdjudicator.InitialStateNotEmpty();
    }

    function isBelow96(int128 value) private pure returns (bool) {
        return value > -(2 ** 96) && value < 2 ** 96;
    }
}
