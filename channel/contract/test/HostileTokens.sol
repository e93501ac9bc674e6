// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {TestToken} from "./TestToken.sol";

/// Tokens that misbehave, for the contract's tests and the functional ones.
contract FalseToken is TestToken("False", "F", 18) {
    bool public broken;

    function setBroken(bool to) external {
        broken = to;
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        if (broken) return false;
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        if (broken) return false;
        move(from, to, amount);
        return true;
    }
}

contract FeeToken is TestToken("Fee", "F", 18) {
    function transfer(address to, uint256 amount) external override returns (bool) {
        take(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        take(from, to, amount);
        return true;
    }

    function take(address from, address to, uint256 amount) private {
        move(from, to, amount - amount / 10);
        move(from, address(0xFEE), amount / 10);
    }
}

/// As USDT: transfers return nothing.
contract SilentToken {
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Balances shrink or grow by decree.
contract RebasingToken is TestToken("Rebasing", "R", 18) {
    function rebase(address holder, uint256 balance) external {
        balanceOf[holder] = balance;
    }
}

/// As ERC-777: calls a hook of sender and receiver, here any call prepared beforehand.
contract HookToken is TestToken("Hook", "H", 18) {
    address private target;
    bytes private data;
    uint256 public failures;
    uint256 public successes;
    bytes public reason;

    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        hook();
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        hook();
        move(from, to, amount);
        return true;
    }

    function hook() private {
        if (data.length == 0) return;
        (bool success, bytes memory result) = target.call(data);
        if (success) ++successes;
        else (failures, reason) = (failures + 1, result);
    }
}

/// Answers with a megabyte, as true or as nonsense.
contract LoudToken is TestToken("Loud", "L", 18) {
    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        move(from, to, amount);
        return true;
    }

    function transfer(address, uint256) external pure override returns (bool) {
        assembly {
            return(0, 1000000)
        }
    }
}
