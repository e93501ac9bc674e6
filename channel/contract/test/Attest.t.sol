// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAdjudicator} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";
import {Vm} from "./Vm.sol";

/// Oracle packages and preimages on chain.
contract AttestTest is Base {
    uint64 private constant TIME = uint64(START);
    uint256 private constant MS = START * 1000;

    function price(bytes32 feed) private view returns (uint96 value, uint8 signers) {
        return adjudicator.attested(adjudicator.oracleSet(oracles()), feed, TIME);
    }

    function expect(bytes32 feed, uint256 value, uint256 signers) private view {
        (uint96 got, uint8 count) = price(feed);
        same(got, value, "price");
        same(count, signers, "signers");
    }

    function test_median() public {
        attest("F1", TIME, [uint256(30), 10, 20], 3);
        expect("F1", 20, 3);
        attest("F2", TIME, [uint256(30), 10, 0], 2); // the lower middle
        expect("F2", 10, 2);
        attest("F3", TIME, [uint256(7), 0, 0], 1);
        expect("F3", 7, 1);
        attest("F4", TIME, [uint256(5), 5, 2 ** 96 - 1], 3);
        expect("F4", 5, 3);
    }

    function test_median_is_a_middle_value(uint96 x, uint96 y, uint96 z) public {
        uint256[3] memory p = [within(x, 1, 1e20), within(y, 1, 1e20), within(z, 1, 1e20)];
        attest("F", TIME, p, 3);
        (uint96 got,) = price("F");
        uint256 below;
        uint256 above;
        for (uint256 i = 0; i < 3; ++i) {
            if (p[i] < got) ++below;
            if (p[i] > got) ++above;
        }
        check(below <= 1 && above <= 1, "in the middle");
    }

    function test_only_more_signers_replace() public {
        attest("F", TIME, [uint256(50), 0, 0], 1);
        vm.expectEmit();
        emit IAdjudicator.Attested(adjudicator.oracleSet(oracles()), "F", TIME, 20, 2);
        attest("F", TIME, [uint256(30), 20, 0], 2);
        vm.recordLogs();
        attest("F", TIME, [uint256(99), 98, 0], 2); // as many: nothing happens
        attest("F", TIME, [uint256(99), 0, 0], 1);
        same(vm.getRecordedLogs().length, 0, "no event");
        expect("F", 20, 2);
        attest("F", TIME, [uint256(30), 20, 40], 3);
        expect("F", 30, 3);
        attest("F", TIME, [uint256(99), 98, 0], 2);
        expect("F", 30, 3);
    }

    /// forge-config: default.fuzz.runs = 50
    function test_signers_never_fall(uint8[12] memory counts, uint96[12] memory prices) public {
        uint8 best;
        uint96 kept;
        for (uint256 i = 0; i < 12; ++i) {
            uint256 count = within(counts[i], 1, 3);
            uint256 p = within(prices[i], 1, 2 ** 96 - 1);
            attest("F", TIME, [p, p, p], count);
            (uint96 got, uint8 signers) = price("F");
            check(signers >= best, "never fewer");
            if (signers == best) same(got, kept, "unchanged");
            (best, kept) = (signers, got);
        }
    }

    function test_many_feeds_in_mixed_packages() public {
        bytes32[] memory feeds = new bytes32[](3);
        (feeds[0], feeds[1], feeds[2]) = ("BTC", "ETH", "SOL");
        bytes[] memory packages = new bytes[](4);
        bytes memory all = bytes.concat(point("BTC", 1), point("DOGE", 0), point("ETH", 2), point("SOL", 3));
        packages[0] = package(oracleKeys[0], all, 4, MS);
        packages[1] = package(oracleKeys[1], bytes.concat(point("BTC", 5), point("ETH", 6)), 2, MS);
        packages[2] = package(oracleKeys[2], point("BTC", 4), 1, MS);
        packages[3] = package(oracleKeys[2], point("SOL", 9), 1, MS);
        adjudicator.attest(oracles(), TIME, feeds, packages);
        expect("BTC", 4, 3);
        expect("ETH", 2, 2);
        expect("SOL", 3, 2);
        expect("DOGE", 0, 0);
    }

    function refuse(bytes memory first, bytes4 rule) private {
        bytes[] memory packages = new bytes[](1);
        packages[0] = first;
        refuseAll(packages, rule);
    }

    function refuseAll(bytes[] memory packages, bytes4 rule) private {
        vm.expectRevert(rule);
        adjudicator.attest(oracles(), TIME, one("F"), packages);
    }

    function test_refusals() public {
        uint256 key = oracleKeys[0];
        refuse("", IAdjudicator.PackageMalformed.selector);
        refuse(new bytes(141), IAdjudicator.PackageMalformed.selector);
        refuse(new bytes(142), IAdjudicator.PackageMalformed.selector);
        refuse(package(key, point("F", 1), 2, MS), IAdjudicator.PackageMalformed.selector);
        refuse(package(key, point("F", 1), 0, MS), IAdjudicator.PackageMalformed.selector);
        refuse(bytes.concat(package(key, point("F", 1), 1, MS), "x"), IAdjudicator.PackageMalformed.selector);
        bytes memory otherSize = bytes.concat(point("F", 1), bytes6(uint48(MS)), bytes4(uint32(31)), bytes3(uint24(1)));
        refuse(sealed_(key, otherSize), IAdjudicator.PackageMalformed.selector);
        refuse(package(key, point("F", 1), 1, MS + 1), IAdjudicator.PackageTimeMismatch.selector);
        refuse(package(key, point("F", 1), 1, MS - 1), IAdjudicator.PackageTimeMismatch.selector);
        refuse(package(0xBAD, point("F", 1), 1, MS), IAdjudicator.PackageUnknownSigner.selector);
        refuse(package(key, point("F", 0), 1, MS), IAdjudicator.PackagePriceOutOfRange.selector);
        refuse(package(key, point("F", 2 ** 96), 1, MS), IAdjudicator.PackagePriceOutOfRange.selector);
        refuse(package(key, point("G", 1), 1, MS), IAdjudicator.PackageMissing.selector);
        refuseAll(new bytes[](0), IAdjudicator.PackageMissing.selector);
        bytes memory unsigned = package(key, point("F", 1), 1, MS);
        unsigned[unsigned.length - 1] = 0x02;
        refuse(unsigned, IAdjudicator.BadSignature.selector);
    }

    function test_an_oracle_counts_once() public {
        uint256 key = oracleKeys[0];
        bytes[] memory packages = new bytes[](2);
        packages[0] = package(key, point("F", 1), 1, MS);
        packages[1] = packages[0];
        refuseAll(packages, IAdjudicator.PackageDuplicateSigner.selector);
        packages[1] = package(key, point("F", 2), 1, MS);
        refuseAll(packages, IAdjudicator.PackageDuplicateSigner.selector);
        refuse(
            package(key, bytes.concat(point("F", 1), point("F", 1)), 2, MS),
            IAdjudicator.PackageDuplicateSigner.selector
        );
    }

    function test_oracle_lists() public {
        address[] memory list = oracles();
        (list[0], list[1]) = (list[1], list[0]);
        bytes[] memory packages = new bytes[](1);
        packages[0] = package(oracleKeys[0], point("F", 1), 1, MS);
        vm.expectRevert(IAdjudicator.OraclesNotAscending.selector);
        adjudicator.attest(list, TIME, one("F"), packages);
        // A subset is another set: its prices are its own.
        list = new address[](1);
        list[0] = vm.addr(oracleKeys[0]);
        adjudicator.attest(list, TIME, one("F"), packages);
        expect("F", 0, 0);
        (uint96 got, uint8 signers) = adjudicator.attested(adjudicator.oracleSet(list), "F", TIME);
        check(got == 1 && signers == 1, "own entry");
    }

    function test_reveal_keeps_the_first_time() public {
        bytes32 hash = keccak256(abi.encode(bytes32("p")));
        same(adjudicator.revealedAt(hash), 0, "not yet");
        vm.expectEmit();
        emit IAdjudicator.Revealed(hash, "p");
        reveal("p");
        vm.warp(START + 10);
        reveal("p");
        same(adjudicator.revealedAt(hash), START, "first");
    }
}
