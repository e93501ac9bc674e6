// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, Close, IAdjudicator, State, Withdraw} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";
import {FalseToken, FeeToken, HookToken, LoudToken, RebasingToken, SilentToken} from "./HostileTokens.sol";
import {TestToken} from "./TestToken.sol";

contract RevertingPayee {
    bool public willing;

    function setWilling(bool to) external {
        willing = to;
    }

    receive() external payable {
        require(willing, "no");
    }
}

contract BurningPayee {
    receive() external payable {
        while (true) {}
    }
}

contract LoudPayee {
    fallback() external payable {
        assembly {
            revert(0, 1000000)
        }
    }
}

contract ReenteringPayee {
    IAdjudicator private immutable ADJUDICATOR;
    bytes private data;
    bytes4 public reason;
    uint256 public entered;

    constructor(IAdjudicator adjudicator) {
        ADJUDICATOR = adjudicator;
    }

    function arm(bytes calldata data_) external {
        data = data_;
    }

    receive() external payable {
        (bool success, bytes memory result) = address(ADJUDICATOR).call(data);
        if (success) ++entered;
        else reason = bytes4(result);
    }
}

/// Tokens and payees that misbehave harm nobody but themselves.
contract HostileTest is Base {
    function channelOf(address t) private view returns (Channel memory) {
        Asset[] memory assets = new Asset[](1);
        assets[0] = Asset(t, 0, 18, 0);
        return termsOf(assets);
    }

    function prepare(TestToken t) private {
        t.mint(address(this), 1e30);
        t.approve(address(adjudicator), type(uint256).max);
    }

    function deposited(bytes32 id, address t) private view returns (uint256 a, uint256 b) {
        (a, b,,,) = adjudicator.holdings(id, t);
    }

    function callClose(Channel memory c, Close memory agreement) external {
        closeWith(c, agreement);
    }

    // ---- tokens ------------------------------------------------------------------------------------------------------

    function test_false_returning_token() public {
        FalseToken t = new FalseToken();
        prepare(t);
        Channel memory c = channelOf(address(t));
        bytes32 id = fund(c, 0, 10, 20);
        t.setBroken(true);
        vm.expectRevert(IAdjudicator.TransferFailed.selector);
        adjudicator.deposit(id, 0, address(t), 5);
        vm.expectEmit();
        emit IAdjudicator.Held(address(t), ownerA, 10);
        closeWith(c, closeAt(c, 1, 0));
        same(adjudicator.claimable(address(t), ownerA), 10, "held for A");
        same(adjudicator.claimable(address(t), ownerB), 20, "held for B");
        vm.expectRevert(IAdjudicator.TransferFailed.selector);
        adjudicator.claim(address(t), ownerA);
        t.setBroken(false);
        vm.expectEmit();
        emit IAdjudicator.Claimed(address(t), ownerA, 10);
        adjudicator.claim(address(t), ownerA);
        vm.expectRevert(IAdjudicator.NothingDue.selector);
        adjudicator.claim(address(t), ownerA);
        adjudicator.claim(address(t), ownerB);
        same(t.balanceOf(ownerA) + t.balanceOf(ownerB), 30, "all");
    }

    function test_fee_on_transfer_token_credits_what_arrived() public {
        FeeToken t = new FeeToken();
        prepare(t);
        Channel memory c = channelOf(address(t));
        bytes32 id = fund(c, 0, 100, 200);
        (uint256 a, uint256 b) = deposited(id, address(t));
        check(a == 90 && b == 180, "less the fee");
        closeWith(c, closeAt(c, 1, 0));
        check(t.balanceOf(ownerA) == 81 && t.balanceOf(ownerB) == 162, "paid less the fee");
        same(t.balanceOf(address(adjudicator)), 0, "nothing of anybody else");
    }

    function test_silent_token() public {
        SilentToken t = new SilentToken();
        t.mint(address(this), 100);
        Channel memory c = channelOf(address(t));
        fund(c, 0, 10, 20);
        closeWith(c, closeAt(c, 1, 3));
        check(t.balanceOf(ownerA) == 7 && t.balanceOf(ownerB) == 23, "paid");
    }

    function test_rebasing_token_hurts_its_own_holders_only() public {
        RebasingToken t = new RebasingToken();
        prepare(t);
        Channel memory c = channelOf(address(t));
        Channel memory coins = coinChannel();
        fund(c, 0, 100, 100);
        fund(coins, 0, 5, 5);
        t.rebase(address(adjudicator), 150);
        closeWith(c, closeAt(c, 1, 0));
        same(t.balanceOf(ownerA), 100, "first come");
        same(adjudicator.claimable(address(t), ownerB), 100, "the other waits");
        closeWith(coins, closeAt(coins, 1, 0));
        same(ownerA.balance + ownerB.balance, 10, "coins are untouched");
        t.rebase(address(adjudicator), 100);
        adjudicator.claim(address(t), ownerB);
        same(t.balanceOf(ownerB), 100, "then paid");
    }

    function test_hooks_cannot_count_a_deposit_twice() public {
        HookToken t = new HookToken();
        prepare(t);
        t.mint(address(t), 1000);
        Channel memory c = channelOf(address(t));
        bytes32 id = idOf(c);
        t.arm(address(adjudicator), abi.encodeCall(IAdjudicator.deposit, (id, 1, address(t), 100)));
        adjudicator.deposit(id, 0, address(t), 100);
        check(t.failures() == 1 && t.successes() == 0, "refused");
        same(uint32(bytes4(t.reason())), uint32(IAdjudicator.Reentered.selector), "by name");
        (uint256 a, uint256 b) = deposited(id, address(t));
        check(a == 100 && b == 0, "once");
    }

    function test_hooks_cannot_reenter_what_pays() public {
        HookToken t = new HookToken();
        prepare(t);
        Channel memory c = channelOf(address(t));
        Channel memory other = channelOf(address(t));
        other.salt = 0;
        fund(c, 0, 50, 50);
        fund(other, 0, 50, 50);
        Close memory agreement = closeAt(other, 1, -50);
        bytes32 digest = typed(closeHash(idOf(other), agreement));
        t.arm(
            address(adjudicator),
            abi.encodeCall(IAdjudicator.close, (other, agreement, signed(KEY_A, digest), signed(KEY_B, digest)))
        );
        closeWith(c, closeAt(c, 1, 0));
        check(t.failures() == 2 && t.successes() == 0, "refused");
        t.arm(address(adjudicator), abi.encodeCall(IAdjudicator.recover, (coinChannel(), 0, address(t))));
        adjudicator.deposit(idOf(coinChannel()), 0, address(t), 7);
        same(t.failures(), 3, "refused");
        same(t.balanceOf(address(adjudicator)), 107, "what the other channels hold");
    }

    function test_megabyte_answer_is_not_read() public {
        LoudToken t = new LoudToken();
        prepare(t);
        Channel memory c = channelOf(address(t));
        fund(c, 0, 50, 50);
        uint256 before = gasleft();
        closeWith(c, closeAt(c, 1, 0));
        check(before - gasleft() < 1_000_000, "bounded gas");
        same(adjudicator.claimable(address(t), ownerA), 50, "nonsense is failure");
    }

    function test_a_token_that_is_not_there() public {
        // Destroyed since the deposit: the transfer answers nothing, from no code.
        SilentToken t = new SilentToken();
        t.mint(address(this), 100);
        Channel memory c = channelOf(address(t));
        fund(c, 0, 10, 20);
        vm.etch(address(t), "");
        closeWith(c, closeAt(c, 1, 0));
        same(adjudicator.claimable(address(t), ownerA), 10, "held");
    }

    // ---- payees ------------------------------------------------------------------------------------------------------

    function closeTo(address payee) private returns (Channel memory c) {
        c = coinChannel();
        c.ownerA = payee;
        fund(c, 0, 1 ether, 2 ether);
        uint256 before = gasleft();
        closeWith(c, closeAt(c, 1, 0));
        check(before - gasleft() < 500_000, "bounded gas");
        same(ownerB.balance, 2 ether, "B is paid");
        same(adjudicator.claimable(COIN, payee), 1 ether, "A's share is held");
    }

    function test_reverting_payee() public {
        RevertingPayee payee = new RevertingPayee();
        closeTo(address(payee));
        vm.expectRevert(IAdjudicator.TransferFailed.selector);
        adjudicator.claim(COIN, address(payee));
        payee.setWilling(true);
        vm.prank(STRANGER);
        adjudicator.claim(COIN, address(payee));
        same(address(payee).balance, 1 ether, "claimed for it");
    }

    function test_burning_payee() public {
        closeTo(address(new BurningPayee()));
    }

    function test_loud_payee() public {
        closeTo(address(new LoudPayee()));
    }

    function test_hostile_payee_in_settle_withdraw_and_recover() public {
        RevertingPayee payee = new RevertingPayee();
        Channel memory c = coinChannel();
        c.ownerA = address(payee);
        fund(c, 0, 1 ether, 2 ether);
        withdrawWith(c, Withdraw(0, 0, 0.25 ether, uint64(START + 60)));
        same(adjudicator.claimable(COIN, address(payee)), 0.25 ether, "withdrawal held");
        challengeBy(ownerB, c, initial());
        vm.warp(START + PERIOD);
        adjudicator.settle(c, initial());
        same(adjudicator.claimable(COIN, address(payee)), 1 ether, "all held");
        same(ownerB.balance, 2 ether, "B is paid");
        Channel memory dollars = channelOf(address(token));
        dollars.ownerA = address(payee);
        adjudicator.deposit{value: 5}(idOf(dollars), 0, COIN, 5);
        adjudicator.recover(dollars, 0, COIN);
        same(adjudicator.claimable(COIN, address(payee)), 1 ether + 5, "recovered is held");
    }

    function test_reentering_payee() public {
        ReenteringPayee payee = new ReenteringPayee(adjudicator);
        Channel memory c = coinChannel();
        c.ownerA = address(payee);
        Channel memory victim = coinChannel();
        bytes32 id = fund(c, 0, 1 ether, 2 ether);
        fund(victim, 0, 7 ether, 7 ether);
        bytes[5] memory attacks = [
            abi.encodeCall(IAdjudicator.claim, (COIN, address(payee))),
            abi.encodeCall(IAdjudicator.settle, (victim, initial())),
            abi.encodeCall(IAdjudicator.recover, (victim, 0, address(token))),
            abi.encodeCall(IAdjudicator.deposit, (id, 0, address(token), 1)),
            attackClose(victim)
        ];
        for (uint256 i = 0; i < 5; ++i) {
            uint256 snapshot = vm.snapshotState();
            payee.arm(attacks[i]);
            closeWith(c, closeAt(c, 1, 0));
            same(payee.entered(), 0, "refused");
            same(uint32(payee.reason()), uint32(IAdjudicator.Reentered.selector), "by name");
            same(address(payee).balance, 1 ether, "its share, once");
            same(address(adjudicator).balance, 14 ether, "the victim's is there");
            vm.revertToState(snapshot);
        }
    }

    function attackClose(Channel memory victim) private view returns (bytes memory) {
        Close memory agreement = closeAt(victim, 1, 0);
        bytes32 digest = typed(closeHash(idOf(victim), agreement));
        return abi.encodeCall(IAdjudicator.close, (victim, agreement, signed(KEY_A, digest), signed(KEY_B, digest)));
    }

    function test_too_little_gas_fails_no_payment() public {
        ReenteringPayee payee = new ReenteringPayee(adjudicator); // needs some gas, and succeeds with its cap
        Channel memory c = coinChannel();
        c.ownerA = address(payee);
        fund(c, 0, 1 ether, 2 ether);
        bytes memory data = attackClose(c);
        bool paid = false;
        for (uint256 gasLimit = 20_000; !paid; gasLimit += 2_000) {
            (paid,) = address(adjudicator).call{gas: gasLimit}(data);
            check(gasLimit < 400_000, "enough at last");
        }
        same(adjudicator.claimable(COIN, address(payee)), 0, "reverted or paid, never held");
        same(address(payee).balance, 1 ether, "paid");
    }

    function test_too_little_gas_has_a_name() public {
        Channel memory c = coinChannel();
        fund(c, 0, 1 ether, 2 ether);
        (bool success, bytes memory result) = address(adjudicator).call{gas: 100_000}(attackClose(c));
        check(!success, "refused");
        same(uint32(bytes4(result)), uint32(IAdjudicator.GasTooLow.selector), "by name");
    }
}
