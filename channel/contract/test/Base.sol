// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {
    Asset,
    Authorization,
    Channel,
    Close,
    IAdjudicator,
    Lock,
    Position,
    Signature,
    State,
    Withdraw
} from "../IAdjudicator.sol";
import {TestToken} from "./TestToken.sol";
import {Vm} from "./Vm.sol";

/// A deployed adjudicator (the committed artifact), two parties, three oracles, and the protocol's hashes written a second
/// time, plainly.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant KEY_A = 0xA11CE;
    uint256 internal constant KEY_B = 0xB0B;
    uint256 internal constant OWNER_KEY_A = 0xA0A0;
    uint256 internal constant OWNER_KEY_B = 0xB0B0;
    uint256 internal constant START = 1_800_000_000;
    uint32 internal constant SLOT = 10;
    uint32 internal constant GRACE = 600;
    uint32 internal constant PERIOD = 3600;
    uint128 internal constant PENALTY = 0.01 ether;
    bytes32 internal constant SECRET = keccak256("secret");
    bytes32 internal constant ETH_FEED = "ETH";
    bytes32 internal constant BTC_FEED = "BTC_USD";
    bytes32 internal constant PERPETUAL = "BTC_USD-PERPETUAL";
    address internal constant COIN = address(0);
    address internal constant STRANGER = address(0x5714);

    IAdjudicator internal adjudicator;
    TestToken internal token;
    uint256[3] internal oracleKeys;
    address internal ownerA = vm.addr(OWNER_KEY_A);
    address internal ownerB = vm.addr(OWNER_KEY_B);

    function setUp() public virtual {
        vm.warp(START);
        adjudicator = deployAdjudicator();
        token = new TestToken("Test Dollar", "TUSD", 6);
        token.mint(address(this), 2 ** 200);
        token.approve(address(adjudicator), type(uint256).max);
        vm.deal(address(this), 2 ** 200);
        oracleKeys = ascending([uint256(11), 12, 13]);
    }

    receive() external payable {}

    function deployAdjudicator() internal returns (IAdjudicator) {
        return IAdjudicator(deployArtifact("Adjudicator"));
    }

    /// Deploys what is committed.
    function deployArtifact(string memory name) internal returns (address deployed) {
        string memory path = string.concat("artifact/", name, ".json");
        bytes memory code = vm.parseJsonBytes(vm.readFile(path), ".bytecode");
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        check(deployed.code.length != 0, "deployed");
    }

    // ---- assertions --------------------------------------------------------------------------------------------------

    error Failed(string what);
    error Differs(string what, uint256 got, uint256 expected);

    function check(bool condition, string memory what) internal pure {
        if (!condition) revert Failed(what);
    }

    function same(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) revert Differs(what, got, expected);
    }

    function within(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        if (x >= low && x <= high) return x;
        uint256 size = high - low + 1;
        return size == 0 ? x : low + x % size;
    }

    // ---- terms and states --------------------------------------------------------------------------------------------

    function ascending(uint256[3] memory keys) internal pure returns (uint256[3] memory) {
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                if (vm.addr(keys[j]) > vm.addr(keys[j + 1])) (keys[j], keys[j + 1]) = (keys[j + 1], keys[j]);
            }
        }
        return keys;
    }

    function oracles() internal view returns (address[] memory list) {
        list = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            list[i] = vm.addr(oracleKeys[i]);
        }
    }

    function termsOf(Asset[] memory assets) internal view returns (Channel memory) {
        return Channel({
            ownerA: ownerA,
            signerA: vm.addr(KEY_A),
            ownerB: ownerB,
            signerB: vm.addr(KEY_B),
            assets: assets,
            oracles: oracles(),
            oracleThreshold: 2,
            priceSlot: SLOT,
            priceGrace: GRACE,
            disputePeriod: PERIOD,
            stalePenalty: PENALTY,
            salt: keccak256(abi.encode(SECRET))
        });
    }

    /// A channel of the coin, priced by a feed.
    function coinChannel() internal view returns (Channel memory) {
        Asset[] memory assets = new Asset[](1);
        assets[0] = Asset(COIN, ETH_FEED, 18, 500);
        return termsOf(assets);
    }

    /// A channel settled in a dollar token, with the coin as further collateral at 20 % haircut.
    function dollarChannel() internal view returns (Channel memory) {
        Asset[] memory assets = new Asset[](2);
        assets[0] = Asset(address(token), 0, 6, 0);
        assets[1] = Asset(COIN, ETH_FEED, 18, 2000);
        Channel memory c = termsOf(assets);
        c.stalePenalty = 10e6;
        return c;
    }

    function initial() internal pure returns (State memory s) {}

    function stateOf(Channel memory c, uint64 version) internal pure returns (State memory s) {
        s.version = version;
        s.context = keccak256(abi.encode("context", version));
        s.net = new int256[](c.assets.length);
        s.assetMarks = new uint128[](c.assets.length);
        for (uint256 i = 0; i < c.assets.length; ++i) {
            s.assetMarks[i] = c.assets[i].feed == 0 ? 1e8 : 2000e8;
        }
    }

    function perpetual(int128 quantity, int128 mark) internal pure returns (Position memory) {
        return Position(PERPETUAL, BTC_FEED, 0, 0, 0, quantity, mark);
    }

    function onePosition(Position memory position) internal pure returns (Position[] memory list) {
        list = new Position[](1);
        list[0] = position;
    }

    function oneLock(bytes32 preimage, uint256 expiry, uint8 asset, int128 amount)
        internal
        pure
        returns (Lock[] memory list)
    {
        list = new Lock[](1);
        list[0] = Lock(keccak256(abi.encode(preimage)), uint64(expiry), asset, amount);
    }

    // ---- EIP-712, plainly --------------------------------------------------------------------------------------------

    string internal constant ASSET_TYPE = "Asset(address token,bytes32 feed,uint8 decimals,uint16 haircutBps)";
    string internal constant CHANNEL_TYPE =
        "Channel(address ownerA,address signerA,address ownerB,address signerB,Asset[] assets,address[] oracles,uint8 oracleThreshold,uint32 priceSlot,uint32 priceGrace,uint32 disputePeriod,uint128 stalePenalty,bytes32 salt)";
    string internal constant POSITION_TYPE =
        "Position(bytes32 instrument,bytes32 underlying,uint8 kind,uint64 expiry,uint128 strike,int128 quantity,int128 mark)";
    string internal constant LOCK_TYPE = "Lock(bytes32 hash,uint64 expiry,uint8 asset,int128 amount)";
    string internal constant STATE_TYPE =
        "State(bytes32 channelId,uint64 version,bytes32 context,int256[] net,uint128[] assetMarks,Position[] positions,Lock[] locks)";

    function domainOf(IAdjudicator target) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Hedgerow"),
                keccak256("1"),
                block.chainid,
                address(target)
            )
        );
    }

    function typed(bytes32 structHash) internal view returns (bytes32) {
        return typedFor(adjudicator, structHash);
    }

    function typedFor(IAdjudicator target, bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainOf(target), structHash));
    }

    function idOf(Channel memory c) internal view returns (bytes32) {
        return typed(channelHash(c));
    }

    function channelHash(Channel memory c) internal pure returns (bytes32) {
        bytes memory assets;
        for (uint256 i = 0; i < c.assets.length; ++i) {
            assets = bytes.concat(assets, keccak256(abi.encode(keccak256(bytes(ASSET_TYPE)), c.assets[i])));
        }
        bytes memory head = abi.encode(
            keccak256(bytes(string.concat(CHANNEL_TYPE, ASSET_TYPE))), c.ownerA, c.signerA, c.ownerB, c.signerB
        );
        bytes memory tail = abi.encode(
            keccak256(assets),
            keccak256(abi.encodePacked(c.oracles)),
            c.oracleThreshold,
            c.priceSlot,
            c.priceGrace,
            c.disputePeriod,
            c.stalePenalty,
            c.salt
        );
        return keccak256(bytes.concat(head, tail));
    }

    function stateHash(bytes32 id, State memory s) internal pure returns (bytes32) {
        bytes memory positions;
        for (uint256 i = 0; i < s.positions.length; ++i) {
            positions = bytes.concat(positions, keccak256(abi.encode(keccak256(bytes(POSITION_TYPE)), s.positions[i])));
        }
        bytes memory locks;
        for (uint256 i = 0; i < s.locks.length; ++i) {
            locks = bytes.concat(locks, keccak256(abi.encode(keccak256(bytes(LOCK_TYPE)), s.locks[i])));
        }
        return keccak256(
            abi.encode(
                keccak256(bytes(string.concat(STATE_TYPE, LOCK_TYPE, POSITION_TYPE))),
                id,
                s.version,
                s.context,
                keccak256(abi.encodePacked(s.net)),
                keccak256(abi.encodePacked(s.assetMarks)),
                keccak256(positions),
                keccak256(locks)
            )
        );
    }

    function closeHash(bytes32 id, Close memory c) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("Close(bytes32 channelId,uint64 version,int256[] net,uint64 deadline)"),
                id,
                c.version,
                keccak256(abi.encodePacked(c.net)),
                c.deadline
            )
        );
    }

    function withdrawHash(bytes32 id, Withdraw memory w) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("Withdraw(bytes32 channelId,uint8 party,uint8 asset,uint256 total,uint64 deadline)"), id, w
            )
        );
    }

    function challengeHash(bytes32 id, uint64 version, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("Challenge(bytes32 channelId,uint64 version,uint64 deadline)"), id, version, deadline)
        );
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (Signature memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return Signature(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    function bySender() internal pure returns (Authorization memory none) {}

    // ---- steps -------------------------------------------------------------------------------------------------------

    function fund(Channel memory c, uint256 asset, uint256 a, uint256 b) internal returns (bytes32 id) {
        id = idOf(c);
        address t = c.assets[asset].token;
        if (a != 0) adjudicator.deposit{value: t == COIN ? a : 0}(id, 0, t, a);
        if (b != 0) adjudicator.deposit{value: t == COIN ? b : 0}(id, 1, t, b);
    }

    function challengeBy(address sender, Channel memory c, State memory s) internal {
        bytes32 digest = typed(stateHash(idOf(c), s));
        Signature memory a = signed(KEY_A, digest);
        Signature memory b = signed(KEY_B, digest);
        vm.prank(sender);
        adjudicator.challenge(c, SECRET, s, a, b, bySender());
    }

    function respondWith(Channel memory c, State memory s) internal {
        bytes32 digest = typed(stateHash(idOf(c), s));
        adjudicator.respond(c, s, signed(KEY_A, digest), signed(KEY_B, digest));
    }

    function closeWith(Channel memory c, Close memory agreement) internal {
        bytes32 digest = typed(closeHash(idOf(c), agreement));
        adjudicator.close(c, agreement, signed(KEY_A, digest), signed(KEY_B, digest));
    }

    function withdrawWith(Channel memory c, Withdraw memory w) internal {
        bytes32 digest = typed(withdrawHash(idOf(c), w));
        adjudicator.withdraw(c, w, signed(KEY_A, digest), signed(KEY_B, digest));
    }

    function closeAt(Channel memory c, uint64 version, int256 net0) internal view returns (Close memory agreement) {
        agreement.version = version;
        agreement.net = new int256[](c.assets.length);
        agreement.net[0] = net0;
        agreement.deadline = uint64(block.timestamp + 60);
    }

    function reveal(bytes32 preimage) internal {
        bytes32[] memory preimages = new bytes32[](1);
        preimages[0] = preimage;
        adjudicator.reveal(preimages);
    }

    /// T of a dispute that starts now.
    function pricingTime() internal view returns (uint64) {
        return uint64((block.timestamp / SLOT + 2) * SLOT);
    }

    // ---- oracle packages ---------------------------------------------------------------------------------------------

    function package(uint256 key, bytes memory points, uint256 count, uint256 milliseconds)
        internal
        pure
        returns (bytes memory)
    {
        return
            sealed_(key, bytes.concat(points, bytes6(uint48(milliseconds)), bytes4(uint32(32)), bytes3(uint24(count))));
    }

    function sealed_(uint256 key, bytes memory body) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(body));
        return bytes.concat(body, r, s, bytes1(v));
    }

    function point(bytes32 feed, uint256 value) internal pure returns (bytes memory) {
        return abi.encode(feed, value);
    }

    function one(bytes32 feed) internal pure returns (bytes32[] memory feeds) {
        feeds = new bytes32[](1);
        feeds[0] = feed;
    }

    /// The first `count` oracles give the prices.
    function attest(bytes32 feed, uint64 time, uint256[3] memory prices, uint256 count) internal {
        bytes[] memory packages = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            packages[i] = package(oracleKeys[i], point(feed, prices[i]), 1, uint256(time) * 1000);
        }
        adjudicator.attest(oracles(), time, one(feed), packages);
    }

    function attestAll(bytes32 feed, uint64 time, uint256 price) internal {
        attest(feed, time, [price, price, price], 3);
    }
}
