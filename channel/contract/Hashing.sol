// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, Close, IAdjudicator, Lock, Position, Signature, State, Withdraw} from "./IAdjudicator.sol";

/// EIP-712 hashes of what parties sign (spec 2), and the recovery of who signed.
library Hashing {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant ASSET_TYPEHASH =
        keccak256("Asset(address token,bytes32 feed,uint8 decimals,uint16 haircutBps)");
    bytes32 internal constant CHANNEL_TYPEHASH = keccak256(
        "Channel(address ownerA,address signerA,address ownerB,address signerB,Asset[] assets,address[] oracles,uint8 oracleThreshold,uint32 priceSlot,uint32 priceGrace,uint32 disputePeriod,uint128 stalePenalty,bytes32 salt)"
        "Asset(address token,bytes32 feed,uint8 decimals,uint16 haircutBps)"
    );
    bytes32 internal constant POSITION_TYPEHASH = keccak256(
        "Position(bytes32 instrument,bytes32 underlying,uint8 kind,uint64 expiry,uint128 strike,int128 quantity,int128 mark)"
    );
    bytes32 internal constant LOCK_TYPEHASH = keccak256("Lock(bytes32 hash,uint64 expiry,uint8 asset,int128 amount)");
    bytes32 internal constant STATE_TYPEHASH = keccak256(
        "State(bytes32 channelId,uint64 version,bytes32 context,int256[] net,uint128[] assetMarks,Position[] positions,Lock[] locks)"
        "Lock(bytes32 hash,uint64 expiry,uint8 asset,int128 amount)"
        "Position(bytes32 instrument,bytes32 underlying,uint8 kind,uint64 expiry,uint128 strike,int128 quantity,int128 mark)"
    );
    bytes32 internal constant CLOSE_TYPEHASH =
        keccak256("Close(bytes32 channelId,uint64 version,int256[] net,uint64 deadline)");
    bytes32 internal constant WITHDRAW_TYPEHASH =
        keccak256("Withdraw(bytes32 channelId,uint8 party,uint8 asset,uint256 total,uint64 deadline)");
    bytes32 internal constant CHALLENGE_TYPEHASH =
        keccak256("Challenge(bytes32 channelId,uint64 version,uint64 deadline)");

    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant LOW_255_BITS = (1 << 255) - 1;

    function domain() internal view returns (bytes32) {
        return
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Hedgerow"), keccak256("1"), block.chainid, address(this)));
    }

    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
    }

    /// The hash of a Channel, and that of its oracles alone, under which prices are kept.
    function channel(Channel calldata c) internal pure returns (bytes32 structHash, bytes32 oracleSet_) {
        Asset[] calldata assets = c.assets;
        uint256 start;
        assembly ("memory-safe") {
            start := assets.offset
        }
        bytes32 assetsHash = structs(ASSET_TYPEHASH, start, assets.length, 4);
        oracleSet_ = oracleSet(c.oracles);
        bytes32 typehash = CHANNEL_TYPEHASH;
        assembly ("memory-safe") {
            // The head of a Channel is its members in order, with offsets in the places of the two arrays.
            let p := mload(0x40)
            mstore(p, typehash)
            calldatacopy(add(p, 0x20), c, 0x180)
            mstore(add(p, 0xa0), assetsHash)
            mstore(add(p, 0xc0), oracleSet_)
            structHash := keccak256(p, 0x1a0)
        }
    }

    function oracleSet(address[] calldata oracles) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := oracles.offset
        }
        return words(start, oracles.length);
    }

    function state(bytes32 channelId, State calldata s) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                STATE_TYPEHASH,
                channelId,
                s.version,
                s.context,
                netHash(s.net),
                marksHash(s.assetMarks),
                positionsHash(s.positions),
                locksHash(s.locks)
            )
        );
    }

    function close(bytes32 channelId, Close calldata c) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLOSE_TYPEHASH, channelId, c.version, netHash(c.net), c.deadline));
    }

    function withdraw(bytes32 channelId, Withdraw calldata w) internal pure returns (bytes32) {
        return keccak256(abi.encode(WITHDRAW_TYPEHASH, channelId, w.party, w.asset, w.total, w.deadline));
    }

    function challenge(bytes32 channelId, uint64 version, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHALLENGE_TYPEHASH, channelId, version, deadline));
    }

    /// Who signed a digest. The compact form leaves one malleable twin, the high s, which is refused.
    function signer(bytes32 digest_, Signature calldata signature) internal pure returns (address by) {
        uint256 vs = uint256(signature.vs);
        uint256 s = vs & LOW_255_BITS;
        if (s > HALF_ORDER) revert IAdjudicator.BadSignature();
        by = ecrecover(digest_, uint8(27 + (vs >> 255)), signature.r, bytes32(s));
        if (by == address(0)) revert IAdjudicator.BadSignature();
    }

    // Arrays of value types and of static structs stand in calldata as consecutive words. A word that is not a clean value
    // of its type gives a hash that nobody signed; every word is read with its check elsewhere.

    function netHash(int256[] calldata net) private pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := net.offset
        }
        return words(start, net.length);
    }

    function marksHash(uint128[] calldata marks) private pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := marks.offset
        }
        return words(start, marks.length);
    }

    function positionsHash(Position[] calldata positions) private pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := positions.offset
        }
        return structs(POSITION_TYPEHASH, start, positions.length, 7);
    }

    function locksHash(Lock[] calldata locks) private pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := locks.offset
        }
        return structs(LOCK_TYPEHASH, start, locks.length, 4);
    }

    /// keccak256 of `count` words of calldata.
    function words(uint256 start, uint256 count) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            let size := shl(5, count)
            calldatacopy(p, start, size)
            hash := keccak256(p, size)
        }
    }

    /// keccak256 of the struct hashes of `count` structs of `members` words each.
    function structs(bytes32 typehash, uint256 start, uint256 count, uint256 members)
        private
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let p := mload(0x40)
            let end := add(p, shl(5, count))
            let size := shl(5, members)
            mstore(end, typehash)
            for { let out := p } lt(out, end) { out := add(out, 0x20) } {
                calldatacopy(add(end, 0x20), start, size)
                mstore(out, keccak256(end, add(size, 0x20)))
                start := add(start, size)
            }
            hash := keccak256(p, sub(end, p))
        }
    }
}
