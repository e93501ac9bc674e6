// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, IAdjudicator, Lock, Position, Signature, State} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";

/// What terms and states may be like, and that their hashes are EIP-712's.
contract TermsTest is Base {
    function test_hashes_match_the_plain_ones() public view {
        Channel memory c = dollarChannel();
        same(uint256(adjudicator.channelId(c)), uint256(idOf(c)), "channel");
        State memory s = stateOf(c, 7);
        s.net[1] = -5;
        s.positions = new Position[](2);
        s.positions[0] = perpetual(-3, 4);
        s.positions[1] = Position("BTC_USD-26MAR27-90000-C", BTC_FEED, 1, 1_900_000_000, 9e12, 5, -6);
        s.locks = oneLock("p", START + 9, 1, -8);
        bytes32 id = idOf(c);
        same(uint256(adjudicator.stateDigest(id, s)), uint256(typed(stateHash(id, s))), "state");
        same(uint256(adjudicator.domainSeparator()), uint256(domainOf(adjudicator)), "domain");
        same(uint256(adjudicator.oracleSet(c.oracles)), uint256(keccak256(abi.encodePacked(c.oracles))), "oracles");
    }

    function test_domain_follows_a_fork_of_the_chain() public {
        bytes32 before = adjudicator.domainSeparator();
        vm.chainId(77);
        check(adjudicator.domainSeparator() != before, "changed");
        same(uint256(adjudicator.domainSeparator()), uint256(domainOf(adjudicator)), "domain");
    }

    function refuse(Channel memory c, bytes4 rule) private {
        vm.expectRevert(rule);
        adjudicator.channelId(c);
    }

    function test_addresses() public {
        Channel memory c = coinChannel();
        c.ownerA = address(0);
        refuse(c, IAdjudicator.OwnerZero.selector);
        c = coinChannel();
        c.ownerB = address(0);
        refuse(c, IAdjudicator.OwnerZero.selector);
        c = coinChannel();
        c.signerA = address(0);
        refuse(c, IAdjudicator.SignerZero.selector);
        c = coinChannel();
        c.signerB = address(0);
        refuse(c, IAdjudicator.SignerZero.selector);
        c = coinChannel();
        c.signerB = c.signerA;
        refuse(c, IAdjudicator.SignersEqual.selector);
    }

    function assetsOf(uint256 count) private pure returns (Asset[] memory assets) {
        assets = new Asset[](count);
        for (uint256 i = 0; i < count; ++i) {
            assets[i] = Asset(address(uint160(i)), 0, 18, 10_000);
        }
    }

    function test_assets() public {
        Channel memory c = coinChannel();
        c.assets = assetsOf(0);
        refuse(c, IAdjudicator.AssetsCountOutOfRange.selector);
        c.assets = assetsOf(9);
        refuse(c, IAdjudicator.AssetsCountOutOfRange.selector);
        c.assets = assetsOf(8);
        adjudicator.channelId(c);
        c.assets[7].token = c.assets[3].token;
        refuse(c, IAdjudicator.AssetDuplicate.selector);
        c = coinChannel();
        c.assets[0].decimals = 19;
        refuse(c, IAdjudicator.AssetDecimalsOutOfRange.selector);
        c = coinChannel();
        c.assets[0].haircutBps = 10_001;
        refuse(c, IAdjudicator.HaircutOutOfRange.selector);
    }

    function test_oracles() public {
        Channel memory c = coinChannel();
        (c.oracles[0], c.oracles[1]) = (c.oracles[1], c.oracles[0]);
        refuse(c, IAdjudicator.OraclesNotAscending.selector);
        c.oracles[1] = c.oracles[0];
        refuse(c, IAdjudicator.OraclesNotAscending.selector);
        c = coinChannel();
        c.oracles[0] = address(0);
        refuse(c, IAdjudicator.OraclesNotAscending.selector);
        c.oracles = new address[](21);
        for (uint160 i = 0; i < 21; ++i) {
            c.oracles[i] = address(i + 1);
        }
        refuse(c, IAdjudicator.OraclesCountOutOfRange.selector);
        c = coinChannel();
        c.oracleThreshold = 0;
        refuse(c, IAdjudicator.OracleThresholdOutOfRange.selector);
        c.oracleThreshold = 3;
        adjudicator.channelId(c);
        c.oracleThreshold = 4;
        refuse(c, IAdjudicator.OracleThresholdOutOfRange.selector);
        c = coinChannel();
        c.priceSlot = 0;
        refuse(c, IAdjudicator.PriceSlotZero.selector);
    }

    function refuseState(Channel memory c, State memory s, bytes4 rule) private {
        Signature memory none;
        vm.prank(ownerA);
        vm.expectRevert(rule);
        adjudicator.challenge(c, SECRET, s, none, none, bySender());
    }

    /// The same challenge is taken, so that a bound is seen from both sides.
    function take(Channel memory c, State memory s) private {
        uint256 snapshot = vm.snapshotState();
        challengeBy(ownerA, c, s);
        vm.revertToState(snapshot);
    }

    function test_state_lengths_and_scalars() public {
        Channel memory c = coinChannel();
        State memory s = stateOf(c, 2 ** 48 - 1);
        take(c, s);
        s.version = 2 ** 48;
        refuseState(c, s, IAdjudicator.VersionOutOfRange.selector);
        s = stateOf(c, 1);
        s.net = new int256[](2);
        refuseState(c, s, IAdjudicator.AssetsCountMismatch.selector);
        s = stateOf(c, 1);
        s.assetMarks = new uint128[](0);
        refuseState(c, s, IAdjudicator.AssetsCountMismatch.selector);
        s = stateOf(c, 1);
        s.net[0] = 2 ** 120;
        refuseState(c, s, IAdjudicator.NetOutOfRange.selector);
        s.net[0] = -(2 ** 120);
        refuseState(c, s, IAdjudicator.NetOutOfRange.selector);
        s.net[0] = -(2 ** 120) + 1;
        take(c, s);
        s.net[0] = 2 ** 120 - 1;
        take(c, s);
        s.assetMarks[0] = 0;
        refuseState(c, s, IAdjudicator.AssetMarkOutOfRange.selector);
        s.assetMarks[0] = 2 ** 96;
        refuseState(c, s, IAdjudicator.AssetMarkOutOfRange.selector);
        s.assetMarks[0] = 2 ** 96 - 1;
        take(c, s);
    }

    function test_initial_state_is_empty() public {
        Channel memory c = coinChannel();
        State memory s;
        s.context = "x";
        refuseState(c, s, IAdjudicator.InitialStateNotEmpty.selector);
        s = initial();
        s.net = new int256[](1);
        refuseState(c, s, IAdjudicator.InitialStateNotEmpty.selector);
        s = initial();
        s.assetMarks = new uint128[](1);
        refuseState(c, s, IAdjudicator.InitialStateNotEmpty.selector);
        s = initial();
        s.positions = onePosition(perpetual(1, 1));
        refuseState(c, s, IAdjudicator.InitialStateNotEmpty.selector);
        s = initial();
        s.locks = oneLock("p", START, 0, 1);
        refuseState(c, s, IAdjudicator.InitialStateNotEmpty.selector);
    }

    function test_positions() public {
        Channel memory c = coinChannel();
        State memory s = stateOf(c, 1);
        s.positions = new Position[](33);
        refuseState(c, s, IAdjudicator.PositionLimit.selector);
        s.positions = onePosition(perpetual(1, 1));
        s.positions[0].kind = 5;
        refuseState(c, s, IAdjudicator.KindUnknown.selector);
        s.positions = onePosition(perpetual(1, 1));
        s.positions[0].expiry = SLOT + 1;
        refuseState(c, s, IAdjudicator.PositionExpiryOutOfRange.selector);
        s.positions[0].expiry = uint64((2 ** 40 / SLOT + 1) * SLOT);
        refuseState(c, s, IAdjudicator.PositionExpiryOutOfRange.selector);
        s.positions = onePosition(perpetual(1, 1));
        s.positions[0].strike = 2 ** 96;
        refuseState(c, s, IAdjudicator.StrikeOutOfRange.selector);
        s.positions = onePosition(perpetual(2 ** 96, 1));
        refuseState(c, s, IAdjudicator.QuantityOutOfRange.selector);
        s.positions = onePosition(perpetual(-(2 ** 96), 1));
        refuseState(c, s, IAdjudicator.QuantityOutOfRange.selector);
        s.positions = onePosition(perpetual(1, 2 ** 96));
        refuseState(c, s, IAdjudicator.MarkOutOfRange.selector);
        s.positions = onePosition(perpetual(1, -(2 ** 96)));
        refuseState(c, s, IAdjudicator.MarkOutOfRange.selector);
        s.positions = onePosition(perpetual(-(2 ** 96) + 1, 2 ** 96 - 1));
        s.positions[0].strike = 2 ** 96 - 1;
        take(c, s);
    }

    function test_locks() public {
        Channel memory c = coinChannel();
        State memory s = stateOf(c, 1);
        s.locks = new Lock[](257);
        refuseState(c, s, IAdjudicator.LockLimit.selector);
        s.locks = oneLock("p", START, 1, 1);
        refuseState(c, s, IAdjudicator.AssetOutOfRange.selector);
        s.locks = oneLock("p", START, 0, 2 ** 96);
        refuseState(c, s, IAdjudicator.LockAmountOutOfRange.selector);
        s.locks = oneLock("p", START, 0, -(2 ** 96));
        refuseState(c, s, IAdjudicator.LockAmountOutOfRange.selector);
        s.locks = oneLock("p", 2 ** 40, 0, 1);
        refuseState(c, s, IAdjudicator.LockExpiryOutOfRange.selector);
        s.locks = oneLock("p", 2 ** 40 - 1, 0, 2 ** 96 - 1);
        take(c, s);
    }
}
