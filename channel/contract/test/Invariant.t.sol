// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Asset, Channel, Close, IAdjudicator, State, Withdraw} from "../IAdjudicator.sol";
import {Base} from "./Base.sol";
import {TestToken} from "./TestToken.sol";

contract MoodyPayee {
    bool private willing;

    function setWilling(bool to) external {
        willing = to;
    }

    receive() external payable {
        require(willing, "not now");
    }
}

/// Does anything to three channels, in any order, and checks after every step that no dispute went backwards.
contract Handler is Base {
    uint256 private constant CHANNELS = 3;

    struct Seen {
        uint64 version;
        uint64 end;
        bool isFinal;
    }

    MoodyPayee public moody;
    bytes32[CHANNELS] private ids;
    mapping(uint256 => Seen) private seen;
    uint256 public coinsIn;
    uint256 public tokensIn;
    uint256 public settled;
    uint256 public closed;

    function setUp() public override {
        super.setUp();
        moody = new MoodyPayee();
        for (uint256 i = 0; i < CHANNELS; ++i) {
            ids[i] = idOf(channelAt(i));
        }
    }

    modifier watched() {
        _;
        for (uint256 i = 0; i < CHANNELS; ++i) {
            watch(i);
        }
    }

    function watch(uint256 i) private {
        (, uint64 version, uint64 end,,) = adjudicator.dispute(ids[i]);
        (,,,, bool isFinal) = adjudicator.holdings(ids[i], i == 0 ? COIN : address(token));
        Seen memory last = seen[i];
        check(!last.isFinal || isFinal, "final stays");
        if (last.end != 0 && !isFinal) {
            check(version >= last.version, "no recorded version ever falls");
            check(end == last.end, "the end never moves");
        }
        check(!isFinal || end == 0, "no dispute after the end");
        seen[i] = Seen(version, end, isFinal);
    }

    function channelAt(uint256 i) public view returns (Channel memory c) {
        i %= CHANNELS;
        c = i == 0 ? coinChannel() : dollarChannel();
        c.priceGrace = uint32(i);
        if (i < 2) c.ownerA = address(moody);
    }

    /// The state of a version is always the same.
    function stateAt(Channel memory c, uint64 version) private pure returns (State memory s) {
        if (version == 0) return s;
        s = stateOf(c, version);
        uint256 r = uint256(keccak256(abi.encode(version)));
        for (uint256 i = 0; i < s.net.length; ++i) {
            s.net[i] = int256((r >> (8 * i)) % 3000) - 1500;
        }
        if (r % 3 == 0) s.positions = onePosition(perpetual(int128(int256(r % 20)) - 10, 100e8));
        if (r % 4 == 0) s.locks = oneLock("p", START + r % 8000, 0, int128(int256(r % 100)) - 50);
    }

    // The results are of no interest: what is refused must change nothing, which the invariants see.

    function deposit(uint256 i, uint256 asset, uint256 party, uint256 amount) external watched {
        Channel memory c = channelAt(i);
        address t = c.assets[asset % c.assets.length].token;
        amount = within(amount, 0, 1000);
        try adjudicator.deposit{value: t == COIN ? amount : 0}(ids[i % CHANNELS], uint8(party % 2), t, amount) {
            if (t == COIN) coinsIn += amount;
            else tokensIn += amount;
        } catch {}
    }

    function withdraw(uint256 i, uint256 asset, uint256 party, uint256 total) external watched {
        Channel memory c = channelAt(i);
        Withdraw memory w =
            Withdraw(uint8(party % 2), uint8(asset % c.assets.length), total % 2000, uint64(block.timestamp + 1));
        bytes32 digest = typed(withdrawHash(ids[i % CHANNELS], w));
        try adjudicator.withdraw(c, w, signed(KEY_A, digest), signed(KEY_B, digest)) {} catch {}
    }

    function challenge(uint256 i, uint256 version, bool byA) external watched {
        Channel memory c = channelAt(i);
        State memory s = stateAt(c, uint64(version % 200));
        bytes32 digest = typed(stateHash(ids[i % CHANNELS], s));
        vm.prank(byA ? c.signerA : c.signerB);
        try adjudicator.challenge(c, SECRET, s, signed(KEY_A, digest), signed(KEY_B, digest), bySender()) {} catch {}
    }

    function respond(uint256 i, uint256 version) external watched {
        Channel memory c = channelAt(i);
        State memory s = stateAt(c, uint64(version % 200));
        bytes32 digest = typed(stateHash(ids[i % CHANNELS], s));
        try adjudicator.respond(c, s, signed(KEY_A, digest), signed(KEY_B, digest)) {} catch {}
    }

    function close(uint256 i, uint256 version, uint256 net) external watched {
        Channel memory c = channelAt(i);
        Close memory agreement = closeAt(c, uint64(version % 200), int256(net % 100) - 50);
        bytes32 digest = typed(closeHash(ids[i % CHANNELS], agreement));
        if (version % 4 != 0) return; // or no channel lives for long
        try adjudicator.close(c, agreement, signed(KEY_A, digest), signed(KEY_B, digest)) {
            ++closed;
        } catch {}
    }

    function settle(uint256 i) external watched {
        Channel memory c = channelAt(i);
        (, uint64 version,,,) = adjudicator.dispute(ids[i % CHANNELS]);
        try adjudicator.settle(c, stateAt(c, version)) {
            ++settled;
        } catch {}
    }

    function giveEvidence(uint256 time, uint256 price, bool preimage) external watched {
        if (preimage) reveal("p");
        uint64 slot = uint64((block.timestamp / SLOT - time % 400) * SLOT);
        attestAll(PERPETUAL, slot, within(price, 1, 1000e8));
        attestAll(ETH_FEED, slot, within(price, 1, 5000e8));
    }

    function claim(uint256 who, bool coin) external watched {
        address[3] memory payees = [ownerA, ownerB, address(moody)];
        try adjudicator.claim(coin ? COIN : address(token), payees[who % 3]) {} catch {}
    }

    function wait(uint256 seconds_, bool mood) external watched {
        vm.warp(block.timestamp + seconds_ % 4000);
        moody.setWilling(mood);
    }

    // ---- sums --------------------------------------------------------------------------------------------------------

    function contractBalance(bool coin) public view returns (uint256) {
        return coin ? address(adjudicator).balance : token.balanceOf(address(adjudicator));
    }

    /// What the contract owes: what running channels hold, and what is claimable.
    function owed(bool coin) external view returns (uint256 sum) {
        address t = coin ? COIN : address(token);
        for (uint256 i = 0; i < CHANNELS; ++i) {
            (uint256 a, uint256 b, uint256 wa, uint256 wb, bool isFinal) = adjudicator.holdings(ids[i], t);
            if (!isFinal) sum += a + b - wa - wb;
        }
        sum += adjudicator.claimable(t, ownerA) + adjudicator.claimable(t, ownerB)
        + adjudicator.claimable(t, address(moody));
    }

    /// What the owners have got.
    function received(bool coin) external view returns (uint256) {
        if (coin) return ownerA.balance + ownerB.balance + address(moody).balance;
        return token.balanceOf(ownerA) + token.balanceOf(ownerB) + token.balanceOf(address(moody));
    }
}

contract InvariantTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    error Insolvent(uint256 has, uint256 owes);
    error NotConserved(uint256 came, uint256 went);

    Handler private handler;

    function setUp() public {
        handler = new Handler();
        (bool success,) = address(handler).call{value: 0}(abi.encodeCall(Handler.setUp, ()));
        require(success, "set up");
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0].addr = address(handler);
        list[0].selectors = new bytes4[](9);
        list[0].selectors[0] = Handler.deposit.selector;
        list[0].selectors[1] = Handler.withdraw.selector;
        list[0].selectors[2] = Handler.challenge.selector;
        list[0].selectors[3] = Handler.respond.selector;
        list[0].selectors[4] = Handler.close.selector;
        list[0].selectors[5] = Handler.settle.selector;
        list[0].selectors[6] = Handler.giveEvidence.selector;
        list[0].selectors[7] = Handler.claim.selector;
        list[0].selectors[8] = Handler.wait.selector;
    }

    /// The contract has exactly what it owes, and what came in is there or with the owners, of every token.
    function invariant_solvent_and_conserved() public view {
        for (uint256 i = 0; i < 2; ++i) {
            uint256 has = handler.contractBalance(i == 0);
            uint256 owes = handler.owed(i == 0);
            if (has != owes) revert Insolvent(has, owes);
            uint256 came = i == 0 ? handler.coinsIn() : handler.tokensIn();
            uint256 went = handler.received(i == 0) + has;
            if (came != went) revert NotConserved(came, went);
        }
    }
}
