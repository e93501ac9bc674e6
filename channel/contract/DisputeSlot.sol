// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// The one slot of an open dispute: digest (160 bits), version (48), end (40), lead (7), challenger (1); 0 when none is open.
library DisputeSlot {
    uint256 private constant MAX_LEAD = 127;

    function pack(uint256 digest, uint256 version, uint256 end, uint256 lead, uint256 challenger)
        internal
        pure
        returns (uint256)
    {
        if (lead > MAX_LEAD) lead = MAX_LEAD;
        return digest | version << 160 | end << 208 | lead << 248 | challenger << 255;
    }

    function digestOf(uint256 slot) internal pure returns (uint160) {
        return uint160(slot);
    }

    function versionOf(uint256 slot) internal pure returns (uint256) {
        return uint48(slot >> 160);
    }

    function endOf(uint256 slot) internal pure returns (uint256) {
        return uint40(slot >> 208);
    }

    function leadOf(uint256 slot) internal pure returns (uint256) {
        return (slot >> 248) & MAX_LEAD;
    }

    function challengerOf(uint256 slot) internal pure returns (uint256) {
        return slot >> 255;
    }
}
