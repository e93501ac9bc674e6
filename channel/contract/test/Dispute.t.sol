// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Authorization, Channel, Close, IAdjudicator, Signature, State, Withdraw} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";

/// Who may challenge, what a response changes, and which signatures are worth nothing.
contract DisputeTest is Base {
    Signature private none;

    function callRespond(Channel memory c, State memory s) external {
        respondWith(c, s);
    }

    function callChallenge(address by, Channel memory c, State memory s) external {
        challengeBy(by, c, s);
    }

    // ---- challenge ---------------------------------------------------------------------------------------------------

    function test_challenge_records_and_tells_all() public {
        Channel memory c = coinChannel();
        State memory s = stateOf(c, 7);
        s.positions = onePosition(perpetual(-5, 6));
        s.locks = oneLock("p", START + 5, 0, 8);
        bytes32 id = idOf(c);
        vm.expectEmit();
        emit IAdjudicator.Challenged(id, 1, SECRET, uint64(START + PERIOD), s);
        challengeBy(ownerB, c, s);
        (uint160 digest, uint64 version, uint64 end, uint8 lead, uint8 challenger) = adjudicator.dispute(id);
        same(digest, uint160(uint256(typed(stateHash(id, s)))), "digest");
        check(version == 7 && end == START + PERIOD && lead == 0 && challenger == 1, "dispute");
    }

    function test_every_party_key_may_challenge() public {
        Channel memory c = coinChannel();
        address[4] memory keys = [ownerA, c.signerA, ownerB, c.signerB];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            challengeBy(keys[i], c, initial());
            (,,,, uint8 challenger) = adjudicator.dispute(idOf(c));
            same(challenger, i / 2, "challenger");
            vm.revertToState(snapshot);
        }
        vm.expectRevert(IAdjudicator.NotAParty.selector);
        this.callChallenge(STRANGER, c, initial());
    }

    function test_secret_must_be_the_salts() public {
        Channel memory c = coinChannel();
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.SaltMismatch.selector);
        adjudicator.challenge(c, keccak256("other"), initial(), none, none, bySender());
    }

    function authorize(uint256 key, Channel memory c, uint64 version, uint64 deadline)
        private
        view
        returns (Authorization memory)
    {
        return Authorization(deadline, signed(key, typed(challengeHash(idOf(c), version, deadline))));
    }

    function test_challenge_by_signature() public {
        Channel memory c = coinChannel();
        uint256[4] memory keys = [OWNER_KEY_A, KEY_A, OWNER_KEY_B, KEY_B];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            adjudicator.challenge(c, SECRET, initial(), none, none, authorize(keys[i], c, 0, uint64(START + 60)));
            (,,,, uint8 challenger) = adjudicator.dispute(idOf(c));
            same(challenger, i / 2, "challenger");
            vm.revertToState(snapshot);
        }
        Authorization memory by = authorize(0xBAD, c, 0, uint64(START + 60));
        vm.expectRevert(IAdjudicator.NotAParty.selector);
        adjudicator.challenge(c, SECRET, initial(), none, none, by);
        // A signature for another version, though the sender is a party.
        by = authorize(KEY_A, c, 1, uint64(START + 60));
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.NotAParty.selector);
        adjudicator.challenge(c, SECRET, initial(), none, none, by);
    }

    function test_challenge_signature_is_dated() public {
        Channel memory c = coinChannel();
        Authorization memory by = authorize(KEY_A, c, 0, uint64(START + 60));
        for (uint256 later = 0; later < 2; ++later) {
            vm.warp(START + 60 + later);
            vm.expectRevert(IAdjudicator.DeadlinePassed.selector);
            adjudicator.challenge(c, SECRET, initial(), none, none, by);
        }
        by = authorize(KEY_A, c, 0, uint64(block.timestamp + 1 days + 1));
        vm.expectRevert(IAdjudicator.DeadlineTooFar.selector);
        adjudicator.challenge(c, SECRET, initial(), none, none, by);
        by = authorize(KEY_A, c, 0, uint64(block.timestamp + 1 days));
        adjudicator.challenge(c, SECRET, initial(), none, none, by);
    }

    function test_high_s_is_refused() public {
        Channel memory c = coinChannel();
        State memory s = stateOf(c, 1);
        bytes32 digest = typed(stateHash(idOf(c), s));
        Signature memory a = signed(KEY_A, digest);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        // The first s above half the order; the compact form has no room for most others.
        Signature memory twin = Signature(a.r, bytes32(order / 2 + 1));
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.BadSignature.selector);
        adjudicator.challenge(c, SECRET, s, twin, signed(KEY_B, digest), bySender());
    }

    // ---- respond -----------------------------------------------------------------------------------------------------

    function test_respond_replaces_by_newer_only_and_keeps_the_end() public {
        Channel memory c = coinChannel();
        bytes32 id = idOf(c);
        vm.expectRevert(IAdjudicator.NotDisputed.selector);
        this.callRespond(c, stateOf(c, 1));
        challengeBy(ownerA, c, stateOf(c, 5));
        vm.expectRevert(IAdjudicator.VersionMustIncrease.selector);
        this.callRespond(c, stateOf(c, 4));
        vm.expectRevert(IAdjudicator.VersionMustIncrease.selector);
        this.callRespond(c, stateOf(c, 5));
        vm.warp(START + 100);
        State memory s = stateOf(c, 6);
        vm.expectEmit();
        emit IAdjudicator.Responded(id, s);
        respondWith(c, s);
        (, uint64 version, uint64 end, uint8 lead, uint8 challenger) = adjudicator.dispute(id);
        check(version == 6 && end == START + PERIOD && lead == 1 && challenger == 0, "dispute");
    }

    function test_respond_ends_at_the_end() public {
        Channel memory c = coinChannel();
        challengeBy(ownerA, c, stateOf(c, 5));
        vm.warp(START + PERIOD - 1);
        respondWith(c, stateOf(c, 6));
        for (uint256 later = 0; later < 2; ++later) {
            vm.warp(START + PERIOD + later);
            vm.expectRevert(IAdjudicator.DisputeEnded.selector);
            this.callRespond(c, stateOf(c, 7));
            vm.expectRevert(IAdjudicator.DisputeEnded.selector);
            this.callChallenge(ownerA, c, stateOf(c, 7));
        }
    }

    function test_challenge_in_a_dispute_is_a_response_by_anyone() public {
        Channel memory c = coinChannel();
        bytes32 id = idOf(c);
        challengeBy(ownerA, c, stateOf(c, 5));
        vm.warp(START + 50);
        vm.expectRevert(IAdjudicator.VersionMustIncrease.selector);
        this.callChallenge(ownerB, c, initial());
        vm.expectRevert(IAdjudicator.VersionMustIncrease.selector);
        this.callChallenge(ownerB, c, stateOf(c, 5));
        challengeBy(STRANGER, c, stateOf(c, 9));
        (, uint64 version, uint64 end, uint8 lead, uint8 challenger) = adjudicator.dispute(id);
        check(version == 9 && end == START + PERIOD && lead == 4 && challenger == 0, "dispute");
    }

    function test_lead_adds_up_and_saturates(uint48 first, uint48 second, uint48 third) public {
        Channel memory c = coinChannel();
        uint64 v1 = uint64(within(first, 0, 2 ** 47));
        uint64 v2 = v1 + uint64(within(second, 1, 200));
        uint64 v3 = v2 + uint64(within(third, 1, 2 ** 46));
        challengeBy(ownerA, c, v1 == 0 ? initial() : stateOf(c, v1));
        respondWith(c, stateOf(c, v2));
        (,,, uint8 lead,) = adjudicator.dispute(idOf(c));
        same(lead, v2 - v1 > 127 ? 127 : v2 - v1, "one response");
        respondWith(c, stateOf(c, v3));
        uint8 challenger;
        (,,, lead, challenger) = adjudicator.dispute(idOf(c));
        same(lead, v3 - v1 > 127 ? 127 : v3 - v1, "two responses");
        same(challenger, 0, "challenger");
    }

    // ---- replay ------------------------------------------------------------------------------------------------------

    function test_a_state_of_another_channel_is_refused() public {
        Channel memory c = coinChannel();
        Channel memory other = coinChannel();
        other.salt = keccak256("another");
        State memory s = stateOf(c, 5);
        bytes32 digest = typed(stateHash(idOf(other), s));
        Signature memory a = signed(KEY_A, digest);
        Signature memory b = signed(KEY_B, digest);
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.challenge(c, SECRET, s, a, b, bySender());
    }

    function test_every_term_is_in_the_channel_id() public view {
        Channel memory c = coinChannel();
        bytes32 id = idOf(c);
        for (uint256 i = 0; i < 16; ++i) {
            Channel memory d = coinChannel();
            if (i == 0) d.ownerA = STRANGER;
            if (i == 1) d.signerA = STRANGER;
            if (i == 2) d.ownerB = STRANGER;
            if (i == 3) d.signerB = STRANGER;
            if (i == 4) d.assets[0].token = STRANGER;
            if (i == 5) d.assets[0].feed = "BTC";
            if (i == 6) d.assets[0].decimals = 17;
            if (i == 7) d.assets[0].haircutBps = 501;
            if (i == 8) d.assets = new Asset[](2);
            if (i == 8) d.assets[1].token = STRANGER;
            if (i == 9) d.oracles[2] = address(type(uint160).max);
            if (i == 10) d.oracleThreshold = 3;
            if (i == 11) d.priceSlot += 1;
            if (i == 12) d.priceGrace += 1;
            if (i == 13) d.disputePeriod += 1;
            if (i == 14) d.stalePenalty += 1;
            if (i == 15) d.salt = 0;
            check(adjudicator.channelId(d) != id, "differs");
        }
    }

    function test_states_of_another_contract_or_chain_are_refused() public {
        Channel memory c = coinChannel();
        IAdjudicator second = deployAdjudicator();
        State memory s = stateOf(c, 5);
        bytes32 digest = typed(stateHash(idOf(c), s));
        Signature memory a = signed(KEY_A, digest);
        Signature memory b = signed(KEY_B, digest);
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        second.challenge(c, SECRET, s, a, b, bySender());
        vm.chainId(77);
        vm.prank(ownerA);
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.challenge(c, SECRET, s, a, b, bySender());
    }

    function test_close_and_withdraw_of_another_channel_are_refused() public {
        Channel memory c = coinChannel();
        Channel memory other = coinChannel();
        other.salt = keccak256("another");
        fund(c, 0, 10, 10);
        Close memory agreement = closeAt(c, 5, 0);
        bytes32 digest = typed(closeHash(idOf(other), agreement));
        Signature memory a = signed(KEY_A, digest);
        Signature memory b = signed(KEY_B, digest);
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.close(c, agreement, a, b);
        Withdraw memory w = Withdraw(0, 0, 5, uint64(START + 60));
        digest = typed(withdrawHash(idOf(other), w));
        a = signed(KEY_A, digest);
        b = signed(KEY_B, digest);
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.withdraw(c, w, a, b);
    }

    function test_a_challenge_signature_of_another_channel_is_refused() public {
        Channel memory c = coinChannel();
        Channel memory other = coinChannel();
        other.priceGrace += 1;
        Authorization memory by = authorize(KEY_A, other, 0, uint64(START + 60));
        vm.expectRevert(IAdjudicator.NotAParty.selector);
        adjudicator.challenge(c, SECRET, initial(), none, none, by);
    }

    function test_a_state_is_not_a_close() public {
        Channel memory c = coinChannel();
        fund(c, 0, 10, 10);
        Close memory agreement = closeAt(c, 5, 0);
        bytes32 digest = typed(stateHash(idOf(c), stateOf(c, 5)));
        Signature memory a = signed(KEY_A, digest);
        Signature memory b = signed(KEY_B, digest);
        vm.expectRevert(IAdjudicator.WrongSigner.selector);
        adjudicator.close(c, agreement, a, b);
    }
}
