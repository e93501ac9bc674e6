// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAdjudicator} from "./IAdjudicator.sol";

/// RedStone's signed data packages, byte for byte:
/// `{feed 32 | value 32} x count | timestamp in ms 6 | value size 4 | count 3 | r 32 | s 32 | v 1`,
/// signed over the keccak-256 of all before r, without prefix.
library Packages {
    uint256 private constant POINT = 64;
    uint256 private constant TRAILER = 13;
    uint256 private constant SIGNATURE = 65;

    /// The values that packages of one time give for some feeds: element `feed * oracles.length + oracle`, 0 for none.
    function collect(address[] calldata oracles, uint256 timestamp, bytes32[] calldata feeds, bytes[] calldata packages)
        internal
        pure
        returns (uint256[] memory values)
    {
        values = new uint256[](feeds.length * oracles.length);
        for (uint256 i = 0; i < packages.length; ++i) {
            (bytes calldata points, address by) = open(packages[i], timestamp);
            uint256 oracle = indexOf(oracles, by);
            for (uint256 p = 0; p < points.length; p += POINT) {
                bytes32 feed = bytes32(points[p:p + 32]);
                for (uint256 f = 0; f < feeds.length; ++f) {
                    if (feeds[f] != feed) continue;
                    uint256 value = uint256(bytes32(points[p + 32:p + 64]));
                    if (value == 0 || value >= 2 ** 96) revert IAdjudicator.PackagePriceOutOfRange();
                    uint256 cell = f * oracles.length + oracle;
                    if (values[cell] != 0) revert IAdjudicator.PackageDuplicateSigner();
                    values[cell] = value;
                }
            }
        }
    }

    /// The data points of a package and its signer.
    function open(bytes calldata package, uint256 timestamp) private pure returns (bytes calldata points, address by) {
        if (package.length < POINT + TRAILER + SIGNATURE) revert IAdjudicator.PackageMalformed();
        uint256 end = package.length - SIGNATURE;
        uint256 trailer = uint104(bytes13(package[end - TRAILER:end]));
        uint256 count = trailer & 0xffffff;
        if ((trailer >> 24) & 0xffffffff != 32 || count * POINT + TRAILER != end) {
            revert IAdjudicator.PackageMalformed();
        }
        if (trailer >> 56 != timestamp) revert IAdjudicator.PackageTimeMismatch();
        points = package[:end - TRAILER];
        by = ecrecover(
            keccak256(package[:end]),
            uint8(package[end + 64]),
            bytes32(package[end:end + 32]),
            bytes32(package[end + 32:end + 64])
        );
        if (by == address(0)) revert IAdjudicator.BadSignature();
    }

    function indexOf(address[] calldata oracles, address oracle) private pure returns (uint256) {
        for (uint256 i = 0; i < oracles.length; ++i) {
            if (oracles[i] == oracle) return i;
        }
        revert IAdjudicator.PackageUnknownSigner();
    }

    /// How many of `count` values from `first` are there, and their median, the lower of two middle ones.
    function median(uint256[] memory values, uint256 first, uint256 count)
        internal
        pure
        returns (uint256 price, uint256 signers)
    {
        uint256[] memory sorted = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 value = values[first + i];
            if (value == 0) continue;
            uint256 place = signers++;
            for (; place > 0 && sorted[place - 1] > value; --place) {
                sorted[place] = sorted[place - 1];
            }
            sorted[place] = value;
        }
        if (signers != 0) price = sorted[(signers - 1) / 2];
    }
}
