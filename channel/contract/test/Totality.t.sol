// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, Lock, Position, State} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";
import {TestToken} from "./TestToken.sol";

/// What challenge took, settle pays: whatever the numbers, all of it, to the two owners.
contract TotalityTest is Base {
    TestToken[8] private tokens;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < 8; ++i) {
            tokens[i] = new TestToken("Token", "T", 18);
            tokens[i].mint(address(this), 2 ** 200);
            tokens[i].approve(address(adjudicator), type(uint256).max);
        }
    }

    function draw(uint256 seed, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }

    /// The top of the range half the time, else anything of any size.
    function extreme(uint256 r, uint256 bits) private pure returns (uint256) {
        uint256 top = 2 ** bits - 1;
        if (r % 2 == 0) return top;
        return (r >> 16) & (top >> ((r >> 8) % bits));
    }

    function extremeSigned(uint256 r, uint256 bits) private pure returns (int256) {
        int256 x = int256(extreme(r, bits));
        return r & (1 << 255) == 0 ? x : -x;
    }

    function randomChannel(uint256 seed) private view returns (Channel memory c) {
        Asset[] memory assets = new Asset[](1 + draw(seed, 0) % 8);
        for (uint256 i = 0; i < assets.length; ++i) {
            uint256 r = draw(seed, 10 + i);
            bytes32 feed = r % 3 == 0 ? bytes32(0) : bytes32(100 + i);
            assets[i] = Asset(i == 1 ? COIN : address(tokens[i]), feed, uint8(r % 19), uint16(draw(r, 1) % 10_001));
        }
        c = termsOf(assets);
        c.stalePenalty = uint128(extreme(draw(seed, 1), 128));
    }

    function randomState(Channel memory c, uint256 seed, uint64 time) private pure returns (State memory s) {
        s = stateOf(c, uint64(1 + draw(seed, 2) % (2 ** 48 - 1)));
        for (uint256 i = 0; i < s.net.length; ++i) {
            s.net[i] = extremeSigned(draw(seed, 20 + i), 120);
            s.assetMarks[i] = uint128(extreme(draw(seed, 30 + i), 96) | 1);
        }
        s.positions = new Position[](draw(seed, 3) % 4 == 0 ? 32 : draw(seed, 3) % 3);
        for (uint256 i = 0; i < s.positions.length; ++i) {
            uint256 r = draw(seed, 100 + i);
            s.positions[i] = Position(
                bytes32(200 + r % 8),
                bytes32(300 + r % 3),
                uint8(draw(r, 1) % 5),
                uint64([uint256(0), time, time - SLOT, 2 ** 40 - 6][draw(r, 2) % 4]),
                uint128(extreme(draw(r, 3), 96)),
                int128(extremeSigned(draw(r, 4), 96)),
                int128(extremeSigned(draw(r, 5), 96))
            );
        }
        s.locks = new Lock[](draw(seed, 4) % 16 == 0 ? 256 : draw(seed, 4) % 5);
        for (uint256 i = 0; i < s.locks.length; ++i) {
            uint256 r = draw(seed, 500 + i);
            s.locks[i] = Lock(
                keccak256(abi.encode(bytes32(r % 8))),
                uint64(START + draw(r, 1) % 9000),
                uint8(draw(r, 2) % s.net.length),
                int128(extremeSigned(draw(r, 3), 96))
            );
        }
    }

    function fundAll(Channel memory c, uint256 seed) private returns (uint256[] memory totals) {
        totals = new uint256[](c.assets.length);
        for (uint256 i = 0; i < c.assets.length; ++i) {
            uint256 a = extreme(draw(seed, 40 + i), 120);
            uint256 b = extreme(draw(seed, 50 + i), 120);
            fund(c, i, a, b);
            totals[i] = a + b;
        }
    }

    function giveEvidence(uint256 seed, uint64 time) private {
        for (uint256 i = 0; i < 8; ++i) {
            uint256 r = draw(seed, 60 + i);
            if (r % 2 == 0) reveal(bytes32(i));
            if (r % 3 != 0) attestAll(bytes32(100 + i), time, extreme(draw(r, 1), 96) | 1);
            if (r % 5 != 0) attestAll(bytes32(200 + i), time + uint64(r % 9) * SLOT, extreme(draw(r, 2), 96) | 1);
            if (r % 7 != 0) attestAll(bytes32(300 + i % 3), time, extreme(draw(r, 3), 96) | 1);
            if (r % 7 != 1) attestAll(bytes32(300 + i % 3), time - SLOT, extreme(draw(r, 4), 96) | 1);
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function test_settle_pays_what_challenge_took(uint256 seed) public {
        Channel memory c = randomChannel(seed);
        uint64 time = pricingTime();
        State memory s = randomState(c, seed, time);
        uint256[] memory totals = fundAll(c, seed);
        challengeBy(draw(seed, 5) % 2 == 0 ? ownerA : ownerB, c, draw(seed, 6) % 2 == 0 ? initial() : s);
        (, uint64 version,,,) = adjudicator.dispute(idOf(c));
        if (version == 0 && draw(seed, 7) % 4 != 0) {
            respondWith(c, s);
            version = s.version;
        }
        giveEvidence(seed, time);
        vm.warp(START + 10_000);
        adjudicator.settle(c, version == 0 ? initial() : s);
        for (uint256 i = 0; i < totals.length; ++i) {
            address t = c.assets[i].token;
            uint256 got = t == COIN
                ? ownerA.balance + ownerB.balance
                : TestToken(t).balanceOf(ownerA) + TestToken(t).balanceOf(ownerB);
            same(got, totals[i], "A + B = all");
        }
    }

    /// The dearest settlement: every list full, no price attested, every lock executed, eight tokens to two payees.
    function test_the_dearest_settlement_fits_a_transaction() public {
        Asset[] memory assets = new Asset[](8);
        for (uint256 i = 0; i < 8; ++i) {
            assets[i] = Asset(address(tokens[i]), bytes32(100 + i), 18, 100);
        }
        Channel memory c = termsOf(assets);
        for (uint256 i = 0; i < 8; ++i) {
            fund(c, i, 1 ether, 1 ether);
        }
        State memory s = stateOf(c, 7);
        s.net[0] = 2 ** 119;
        s.positions = new Position[](32);
        for (uint256 i = 0; i < 32; ++i) {
            s.positions[i] = Position(bytes32(200 + i), bytes32(300 + i), 0, 0, 0, 1, 1);
        }
        s.locks = new Lock[](256);
        for (uint256 i = 0; i < 256; ++i) {
            s.locks[i] = Lock(keccak256(abi.encode(bytes32(i))), uint64(START + 9), 0, 1);
            reveal(bytes32(i));
        }
        challengeBy(ownerA, c, s);
        vm.warp(START + 100_000);
        uint256 before = gasleft();
        adjudicator.settle(c, s);
        check(before - gasleft() < 6_000_000, "gas");
    }
}
