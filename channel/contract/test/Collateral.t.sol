// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Channel, Close, IAdjudicator, Signature, State, Withdraw} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";
import {TestToken} from "./TestToken.sol";

/// Money in, and out of a running channel or by agreement.
contract CollateralTest is Base {
    function held(bytes32 id, address t) private view returns (uint256 a, uint256 b, uint256 wa, uint256 wb, bool f) {
        return adjudicator.holdings(id, t);
    }

    // ---- deposit -----------------------------------------------------------------------------------------------------

    function test_deposits_add_up_per_party_and_token(uint96 x, uint96 y, uint96 z) public {
        uint256 a1 = within(x, 1, type(uint96).max);
        uint256 a2 = within(y, 1, type(uint96).max);
        uint256 b = within(z, 1, type(uint96).max);
        bytes32 id = fund(coinChannel(), 0, a1, b);
        vm.expectEmit();
        emit IAdjudicator.Deposited(id, 0, COIN, a1 + a2);
        adjudicator.deposit{value: a2}(id, 0, COIN, a2);
        (uint256 a, uint256 bb,,,) = held(id, COIN);
        same(a, a1 + a2, "A");
        same(bb, b, "B");
        (a, bb,,,) = held(id, address(token));
        same(a + bb, 0, "other token");
        same(address(adjudicator).balance, a1 + a2 + b, "coins");
    }

    function test_deposit_refusals() public {
        bytes32 id = idOf(coinChannel());
        vm.expectRevert(IAdjudicator.PartyOutOfRange.selector);
        adjudicator.deposit{value: 1}(id, 2, COIN, 1);
        vm.expectRevert(IAdjudicator.ValueMismatch.selector);
        adjudicator.deposit{value: 1}(id, 0, COIN, 2);
        vm.expectRevert(IAdjudicator.ValueMismatch.selector);
        adjudicator.deposit{value: 1}(id, 0, address(token), 1);
        vm.expectRevert(IAdjudicator.NothingDue.selector);
        adjudicator.deposit(id, 0, COIN, 0);
        vm.expectRevert(IAdjudicator.NothingDue.selector);
        adjudicator.deposit(id, 0, address(token), 0);
        vm.prank(STRANGER);
        vm.expectRevert(IAdjudicator.TransferFailed.selector);
        adjudicator.deposit(id, 0, address(token), 1);
        vm.expectRevert();
        adjudicator.deposit(id, 0, address(0xdead), 1);
    }

    function test_deposit_limit() public {
        bytes32 id = idOf(coinChannel());
        adjudicator.deposit(id, 0, address(token), 2 ** 120 - 2);
        vm.expectRevert(IAdjudicator.DepositOutOfRange.selector);
        adjudicator.deposit(id, 0, address(token), 2);
        adjudicator.deposit(id, 0, address(token), 1);
        vm.expectRevert(IAdjudicator.DepositOutOfRange.selector);
        adjudicator.deposit(id, 1, address(token), 2 ** 120);
        adjudicator.deposit(id, 1, address(token), 2 ** 120 - 1);
        (uint256 a, uint256 b,,, bool f) = held(id, address(token));
        same(a, 2 ** 120 - 1, "A");
        same(b, 2 ** 120 - 1, "B");
        check(!f, "no carry into flags");
    }

    function test_deposit_with_permit() public {
        token.mint(ownerA, 100);
        bytes32 id = idOf(dollarChannel());
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                token.DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(
                        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                        ownerA,
                        address(adjudicator),
                        100,
                        0,
                        START
                    )
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OWNER_KEY_A, digest);
        // Somebody submits the permit first; the deposit works all the same.
        token.permit(ownerA, address(adjudicator), 100, START, v, r, s);
        vm.prank(ownerA);
        adjudicator.depositWithPermit(id, 0, address(token), 60, START, v, r, s);
        (uint256 a,,,,) = held(id, address(token));
        same(a, 60, "A");
        vm.expectRevert(IAdjudicator.TransferFailed.selector);
        vm.prank(STRANGER);
        adjudicator.depositWithPermit(id, 0, address(token), 60, START, v, r, s);
        vm.expectRevert(IAdjudicator.ValueMismatch.selector);
        adjudicator.depositWithPermit(id, 0, COIN, 60, START, v, r, s);
    }

    function test_multicall_counts_no_coin_twice() public {
        bytes32 id = idOf(coinChannel());
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IAdjudicator.deposit, (id, 0, COIN, 1 ether));
        calls[1] = calls[0];
        (bool success,) = address(adjudicator).call{value: 1 ether}(abi.encodeCall(IAdjudicator.multicall, (calls)));
        check(!success, "multicall takes no coin");
        vm.expectRevert(IAdjudicator.ValueMismatch.selector);
        adjudicator.multicall(calls);
        // Through a multicall in a multicall neither.
        bytes[] memory outer = new bytes[](1);
        outer[0] = abi.encodeCall(IAdjudicator.multicall, (calls));
        vm.expectRevert(IAdjudicator.ValueMismatch.selector);
        adjudicator.multicall(outer);
        (success,) = address(adjudicator).call{value: 1}("");
        check(!success, "no coin without a channel");
    }

    function test_multicall_does_all_or_none() public {
        bytes32 id = idOf(dollarChannel());
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IAdjudicator.deposit, (id, 0, address(token), 5));
        calls[1] = abi.encodeCall(IAdjudicator.deposit, (id, 1, address(token), 6));
        adjudicator.multicall(calls);
        (uint256 a, uint256 b,,,) = held(id, address(token));
        same(a, 5, "A");
        same(b, 6, "B");
        calls[1] = abi.encodeCall(IAdjudicator.deposit, (id, 2, address(token), 6));
        vm.expectRevert(IAdjudicator.PartyOutOfRange.selector);
        adjudicator.multicall(calls);
        calls[1] = abi.encodeCall(IAdjudicator.attested, (bytes32(0), bytes32(0), 0));
        bytes[] memory results = adjudicator.multicall(calls);
        same(results[1].length, 64, "results come back");
    }

    // ---- recover -----------------------------------------------------------------------------------------------------

    function test_recover_returns_unlisted_tokens() public {
        Channel memory c = coinChannel();
        bytes32 id = idOf(c);
        adjudicator.deposit(id, 0, address(token), 7);
        adjudicator.deposit(id, 1, address(token), 9);
        vm.expectRevert(IAdjudicator.AssetListed.selector);
        adjudicator.recover(c, 0, COIN);
        vm.expectRevert(IAdjudicator.PartyOutOfRange.selector);
        adjudicator.recover(c, 2, address(token));
        vm.expectEmit();
        emit IAdjudicator.Recovered(id, 1, address(token), 9);
        adjudicator.recover(c, 1, address(token));
        vm.expectRevert(IAdjudicator.NothingDue.selector);
        adjudicator.recover(c, 1, address(token));
        adjudicator.recover(c, 0, address(token));
        same(token.balanceOf(ownerA), 7, "A");
        same(token.balanceOf(ownerB), 9, "B");
    }

    // ---- withdraw ----------------------------------------------------------------------------------------------------

    function test_withdraw_pays_the_difference_once() public {
        Channel memory c = coinChannel();
        bytes32 id = fund(c, 0, 10, 20);
        Withdraw memory w = Withdraw(0, 0, 4, uint64(START + 1));
        vm.expectEmit();
        emit IAdjudicator.Withdrawn(id, 0, COIN, 4, 4);
        withdrawWith(c, w);
        withdrawWith(c, w); // nothing is due
        same(ownerA.balance, 4, "once");
        w.total = 3;
        withdrawWith(c, w); // an older permission is worth nothing
        same(ownerA.balance, 4, "not again");
        w.total = 14;
        withdrawWith(c, w); // more than A deposited, as both signed it
        same(ownerA.balance, 14, "the rest");
        withdrawWith(c, Withdraw(1, 0, 16, uint64(START + 1)));
        same(ownerB.balance, 16, "B");
        vm.expectRevert(IAdjudicator.WithdrawUnfunded.selector);
        this.callWithdraw(c, Withdraw(1, 0, 17, uint64(START + 1)));
        (uint256 a, uint256 b, uint256 wa, uint256 wb, bool f) = held(id, COIN);
        check(a == 10 && b == 20 && wa == 14 && wb == 16 && !f, "holdings");
    }

    function callWithdraw(Channel memory c, Withdraw memory w) external {
        withdrawWith(c, w);
    }

    function callClose(Channel memory c, Close memory agreement) external {
        closeWith(c, agreement);
    }

    function test_withdraw_refusals() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10, 20);
        vm.expectRevert(IAdjudicator.PartyOutOfRange.selector);
        this.callWithdraw(c, Withdraw(2, 0, 1, uint64(START + 1)));
        vm.expectRevert(IAdjudicator.AssetOutOfRange.selector);
        this.callWithdraw(c, Withdraw(0, 1, 1, uint64(START + 1)));
        Signature memory none;
        vm.expectRevert(IAdjudicator.BadSignature.selector);
        adjudicator.withdraw(c, Withdraw(0, 0, 1, uint64(START + 1)), none, none);
        challengeBy(ownerA, c, initial());
        vm.expectRevert(IAdjudicator.ChannelDisputed.selector);
        this.callWithdraw(c, Withdraw(0, 0, 1, uint64(START + 1)));
        closeWith(c, closeAt(c, 1, 0));
        vm.expectRevert(IAdjudicator.ChannelFinal.selector);
        this.callWithdraw(c, Withdraw(0, 0, 1, uint64(START + 1)));
    }

    function test_withdraw_deadline_is_half_open() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10, 20);
        vm.warp(START + 99);
        withdrawWith(c, Withdraw(0, 0, 1, uint64(START + 100)));
        for (uint256 later = 0; later < 2; ++later) {
            vm.warp(START + 100 + later);
            vm.expectRevert(IAdjudicator.DeadlinePassed.selector);
            this.callWithdraw(c, Withdraw(0, 0, 2, uint64(START + 100)));
        }
    }

    // ---- close -------------------------------------------------------------------------------------------------------

    function test_close_pays_all(uint96 x, uint96 y, int128 n) public {
        Channel memory c = coinChannel();
        uint256 a = within(x, 1, type(uint96).max);
        uint256 b = within(y, 1, type(uint96).max);
        int256 net = int256(within(uint256(uint128(n)), 0, a + b)) - int256(b);
        bytes32 id = fund(c, 0, a, b);
        closeWith(c, closeAt(c, 5, net));
        same(ownerA.balance, uint256(int256(a) - net), "A");
        same(ownerA.balance + ownerB.balance, a + b, "A + B = all");
        (,,,, bool f) = held(id, COIN);
        check(f, "final");
    }

    function test_close_after_withdrawals() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10, 20);
        withdrawWith(c, Withdraw(1, 0, 25, uint64(START + 1)));
        closeWith(c, closeAt(c, 5, 6));
        same(ownerA.balance, 4, "A");
        same(ownerB.balance, 26, "B");
    }

    function test_close_refusals() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10, 20);
        vm.expectRevert(IAdjudicator.NetExceedsHoldings.selector);
        this.callClose(c, closeAt(c, 1, 11));
        vm.expectRevert(IAdjudicator.NetExceedsHoldings.selector);
        this.callClose(c, closeAt(c, 1, -21));
        vm.expectRevert(IAdjudicator.NetOutOfRange.selector);
        this.callClose(c, closeAt(c, 1, type(int256).min));
        Close memory agreement = closeAt(c, 1, 0);
        agreement.net = new int256[](2);
        vm.expectRevert(IAdjudicator.AssetsCountMismatch.selector);
        this.callClose(c, agreement);
        agreement = closeAt(c, 1, 0);
        Signature memory b = signed(KEY_B, typed(closeHash(idOf(c), agreement)));
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.close(c, agreement, b, b);
        Signature memory a = signed(KEY_A, typed(closeHash(idOf(c), agreement)));
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.close(c, agreement, a, a);
    }

    function test_close_deadline_is_half_open() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10, 20);
        Close memory agreement = closeAt(c, 1, 0);
        for (uint256 later = 0; later < 2; ++later) {
            vm.warp(agreement.deadline + later);
            vm.expectRevert(IAdjudicator.DeadlinePassed.selector);
            this.callClose(c, agreement);
        }
        vm.warp(agreement.deadline - 1);
        closeWith(c, agreement);
    }

    function test_close_in_a_dispute_needs_a_higher_version() public {
        Channel memory c = coinChannel();
        bytes32 id = fund(c, 0, 10, 20);
        challengeBy(ownerB, c, stateOf(c, 7));
        vm.expectRevert(IAdjudicator.VersionMustIncrease.selector);
        this.callClose(c, closeAt(c, 6, 0));
        vm.expectRevert(IAdjudicator.VersionMustIncrease.selector);
        this.callClose(c, closeAt(c, 7, 0));
        closeWith(c, closeAt(c, 8, 0));
        (,, uint64 end,,) = adjudicator.dispute(id);
        same(end, 0, "the dispute is over");
    }

    function test_nothing_goes_on_after_the_end() public {
        Channel memory c = coinChannel();
        bytes32 id = fund(c, 0, 10, 20);
        closeWith(c, closeAt(c, 1, 0));
        vm.expectRevert(IAdjudicator.ChannelFinal.selector);
        adjudicator.deposit{value: 1}(id, 0, COIN, 1);
        vm.expectRevert(IAdjudicator.ChannelFinal.selector);
        this.callClose(c, closeAt(c, 2, 0));
        Signature memory none;
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.ChannelFinal.selector);
        adjudicator.challenge(c, SECRET, initial(), none, none, bySender());
        vm.expectRevert(IAdjudicator.NotDisputed.selector);
        adjudicator.settle(c, initial());
        vm.expectRevert(IAdjudicator.NotDisputed.selector);
        adjudicator.respond(c, stateOf(c, 3), none, none);
        same(address(adjudicator).balance, 0, "all paid");
    }
}
