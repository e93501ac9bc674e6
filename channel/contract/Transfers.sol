// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAdjudicator} from "./IAdjudicator.sol";

/// Moves coins and tokens. A token's answer is believed when it is true, or nothing from an address that has code; no more than one word
/// of it is ever read.
library Transfers {
    /// What a payee gets to run on when it is paid: enough for a smart wallet, and for tokens that compute an index.
    uint256 private constant COIN_GAS = 50_000;
    uint256 private constant TOKEN_GAS = 300_000;
    /// What a call that creates an account with value costs before the payee's share.
    uint256 private constant CALL_GAS = 40_000;

    /// Pays with capped gas, and reverts when not that much is left, so that nobody can make a payment fail by giving too little.
    function push(address token, address payee, uint256 amount) internal returns (bool) {
        uint256 gasCap = token == address(0) ? COIN_GAS : TOKEN_GAS;
        if (gasleft() < gasCap + gasCap / 63 + CALL_GAS) revert IAdjudicator.GasTooLow();
        return send(token, payee, amount, gasCap);
    }

    function send(address token, address payee, uint256 amount, uint256 gasCap) internal returns (bool success) {
        if (token != address(0)) return callToken(token, abi.encodeCall(IToken.transfer, (payee, amount)), gasCap);
        assembly ("memory-safe") {
            success := call(gasCap, payee, amount, 0, 0, 0, 0)
        }
    }

    /// Takes tokens from `from`; returns what arrived.
    function pull(address token, address from, uint256 amount) internal returns (uint256) {
        uint256 before = IToken(token).balanceOf(address(this));
        if (!callToken(token, abi.encodeCall(IToken.transferFrom, (from, address(this), amount)), gasleft())) {
            revert IAdjudicator.TransferFailed();
        }
        uint256 later = IToken(token).balanceOf(address(this));
        return later > before ? later - before : 0;
    }

    /// Tries a permit of `owner` for this contract. One that fails may have been submitted by somebody already.
    function tryPermit(address token, address owner, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        internal
    {
        callToken(token, abi.encodeCall(IToken.permit, (owner, address(this), amount, deadline, v, r, s)), gasleft());
    }

    function callToken(address token, bytes memory data, uint256 gasCap) private returns (bool success) {
        assembly ("memory-safe") {
            mstore(0, 0)
            success := call(gasCap, token, 0, add(data, 0x20), mload(data), 0, 0x20)
            let answered := and(gt(returndatasize(), 0x1f), eq(mload(0), 1))
            let silent := and(iszero(returndatasize()), iszero(iszero(extcodesize(token))))
            success := and(success, or(answered, silent))
        }
    }
}

/// What is used of ERC-20 and EIP-2612.
interface IToken {
    function balanceOf(address holder) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}
