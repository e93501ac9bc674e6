// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

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
} from "./IAdjudicator.sol";
import {DisputeSlot} from "./DisputeSlot.sol";
import {Hashing} from "./Hashing.sol";
import {Packages} from "./Packages.sol";
import {Rules} from "./Rules.sol";
import {Settlement} from "./Settlement.sol";
import {Transfers} from "./Transfers.sol";

/// @title Hedgerow's adjudicator
/// @dev Reading order: IAdjudicator (what), Settlement (the arithmetic), this file (storage, checks and the order of effects), then
/// Rules, Hashing, Packages, Transfers, DisputeSlot. Effects come before payments, and every function that pays or measures a balance is
/// locked against re-entry.
contract Adjudicator is IAdjudicator {
    using DisputeSlot for uint256;

    uint256 private constant MASK_120 = 2 ** 120 - 1;
    uint256 private constant FINAL = 1 << 240;
    uint256 private constant HAS_WITHDRAWALS = 1 << 241;
    uint256 private constant MAX_AUTHORIZATION_TIME = 1 days;

    uint256 private immutable CHAIN_ID = block.chainid;
    bytes32 private immutable DOMAIN = Hashing.domain();

    /// Deposits of A (120 bits) and B (120), FINAL, HAS_WITHDRAWALS.
    struct Holding {
        uint256 packed;
    }

    /// channel -> token -> what it took in
    mapping(bytes32 => mapping(address => Holding)) private _holdings;
    /// channel -> token -> withdrawals of A (128 bits) and B (128), read only where HAS_WITHDRAWALS is set
    mapping(bytes32 => mapping(address => uint256)) private _withdrawals;
    /// channel -> its open dispute, see DisputeSlot; 0 when none is open
    mapping(bytes32 => uint256) private _disputes;
    /// hash of (oracle set, feed, time) -> price (96 bits), signers (8)
    mapping(bytes32 => uint256) private _prices;
    /// hash of a preimage -> when it was registered
    mapping(bytes32 => uint256) private _revealedAt;
    /// token -> payee -> what a failed payment left
    mapping(address => mapping(address => uint256)) private _claimable;

    bool private transient _entered;

    modifier nonReentrant() {
        if (_entered) revert Reentered();
        _entered = true;
        _;
        _entered = false;
    }

    // ---- collateral --------------------------------------------------------------------------------------------------

    /// @inheritdoc IAdjudicator
    function deposit(bytes32 id, uint8 party, address token, uint256 amount) external payable {
        _deposit(id, party, token, amount);
    }

    /// @inheritdoc IAdjudicator
    function depositWithPermit(
        bytes32 id,
        uint8 party,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        Transfers.tryPermit(token, msg.sender, amount, deadline, v, r, s);
        _deposit(id, party, token, amount);
    }

    function _deposit(bytes32 id, uint8 party, address token, uint256 amount) private {
        if (party > 1) revert PartyOutOfRange();
        if (msg.value != (token == address(0) ? amount : 0)) revert ValueMismatch();
        if (token != address(0)) amount = _pull(token, amount);
        if (amount == 0) revert NothingDue();
        Holding storage holding = _holdings[id][token];
        uint256 held = holding.packed;
        if (held & FINAL != 0) revert ChannelFinal();
        uint256 shift = uint256(party) * 120;
        uint256 before = (held >> shift) & MASK_120;
        if (amount > MASK_120 - before) revert DepositOutOfRange();
        holding.packed = held + (amount << shift);
        emit Deposited(id, party, token, before + amount);
    }

    function _pull(address token, uint256 amount) private nonReentrant returns (uint256) {
        return Transfers.pull(token, msg.sender, amount);
    }

    /// @inheritdoc IAdjudicator
    function recover(Channel calldata channel, uint8 party, address token) external nonReentrant {
        (bytes32 id,) = _identify(channel);
        if (party > 1) revert PartyOutOfRange();
        for (uint256 i = 0; i < channel.assets.length; ++i) {
            if (channel.assets[i].token == token) revert AssetListed();
        }
        uint256 held = _holdings[id][token].packed;
        uint256 shift = uint256(party) * 120;
        uint256 amount = (held >> shift) & MASK_120;
        if (amount == 0) revert NothingDue();
        _holdings[id][token].packed = held - (amount << shift);
        emit Recovered(id, party, token, amount);
        _pay(token, party == 0 ? channel.ownerA : channel.ownerB, amount);
    }

    /// @inheritdoc IAdjudicator
    function withdraw(
        Channel calldata channel,
        Withdraw calldata withdrawal,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) external nonReentrant {
        (bytes32 id,) = _identify(channel);
        if (withdrawal.party > 1) revert PartyOutOfRange();
        if (withdrawal.asset >= channel.assets.length) revert AssetOutOfRange();
        if (block.timestamp >= withdrawal.deadline) revert DeadlinePassed();
        if (_disputes[id] != 0) revert ChannelDisputed();
        address token = channel.assets[withdrawal.asset].token;
        uint256 held = _holdings[id][token].packed;
        if (held & FINAL != 0) revert ChannelFinal();
        _checkSigners(channel, Hashing.withdraw(id, withdrawal), signatureA, signatureB);

        uint256 paid = _recordWithdrawal(id, token, held, withdrawal);
        if (paid == 0) return;
        emit Withdrawn(id, withdrawal.party, token, withdrawal.total, paid);
        _pay(token, withdrawal.party == 0 ? channel.ownerA : channel.ownerB, paid);
    }

    function _recordWithdrawal(bytes32 id, address token, uint256 held, Withdraw calldata withdrawal)
        private
        returns (uint256 paid)
    {
        uint256 withdrawn = _withdrawals[id][token];
        uint256 shift = uint256(withdrawal.party) * 128;
        uint256 before = uint128(withdrawn >> shift);
        if (withdrawal.total <= before) return 0;
        paid = withdrawal.total - before;
        uint256 left = (held & MASK_120) + ((held >> 120) & MASK_120) - uint128(withdrawn) - (withdrawn >> 128);
        if (paid > left) revert WithdrawUnfunded();
        _withdrawals[id][token] = withdrawn + (paid << shift);
        if (held & HAS_WITHDRAWALS == 0) _holdings[id][token].packed = held | HAS_WITHDRAWALS;
    }

    // ---- the end of a channel ----------------------------------------------------------------------------------------

    /// @inheritdoc IAdjudicator
    function close(
        Channel calldata channel,
        Close calldata agreement,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) external nonReentrant {
        (bytes32 id,) = _identify(channel);
        if (block.timestamp >= agreement.deadline) revert DeadlinePassed();
        if (agreement.net.length != channel.assets.length) revert AssetsCountMismatch();
        Rules.checkNet(agreement.net);
        uint256 open = _disputes[id];
        if (open != 0) {
            if (agreement.version <= open.versionOf()) revert VersionMustIncrease();
            delete _disputes[id];
        }
        _checkSigners(channel, Hashing.close(id, agreement), signatureA, signatureB);

        (int256[] memory a, uint256[] memory totals) = _finalise(id, channel.assets, agreement.net);
        uint256[] memory shares = new uint256[](a.length);
        for (uint256 i = 0; i < a.length; ++i) {
            if (a[i] < 0 || a[i] > int256(totals[i])) revert NetExceedsHoldings();
            shares[i] = uint256(a[i]);
        }
        emit Closed(id, agreement.version, shares, _payOut(channel, shares, totals));
    }

    /// @inheritdoc IAdjudicator
    function challenge(
        Channel calldata channel,
        bytes32 secret,
        State calldata state,
        Signature calldata signatureA,
        Signature calldata signatureB,
        Authorization calldata authorization
    ) external {
        (bytes32 id,) = _identify(channel);
        if (_disputes[id] != 0) return _respond(channel, id, state, signatureA, signatureB);
        if (_holdings[id][channel.assets[0].token].packed & FINAL != 0) revert ChannelFinal();
        if (keccak256(abi.encode(secret)) != channel.salt) revert SaltMismatch();
        uint256 challenger = _challenger(channel, id, state.version, authorization);
        uint256 digest = _checkState(channel, id, state, signatureA, signatureB);
        uint256 end = block.timestamp + channel.disputePeriod;
        _disputes[id] = DisputeSlot.pack(digest, state.version, end, 0, challenger);
        emit Challenged(id, uint8(challenger), secret, uint64(end), state);
    }

    /// @inheritdoc IAdjudicator
    function respond(
        Channel calldata channel,
        State calldata state,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) external {
        (bytes32 id,) = _identify(channel);
        _respond(channel, id, state, signatureA, signatureB);
    }

    function _respond(
        Channel calldata channel,
        bytes32 id,
        State calldata state,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) private {
        uint256 open = _disputes[id];
        if (open == 0) revert NotDisputed();
        if (block.timestamp >= open.endOf()) revert DisputeEnded();
        if (state.version <= open.versionOf()) revert VersionMustIncrease();
        uint256 digest = _checkState(channel, id, state, signatureA, signatureB);
        uint256 lead = open.leadOf() + state.version - open.versionOf();
        _disputes[id] = DisputeSlot.pack(digest, state.version, open.endOf(), lead, open.challengerOf());
        emit Responded(id, state);
    }

    /// @inheritdoc IAdjudicator
    function settle(Channel calldata channel, State calldata state) external nonReentrant {
        (bytes32 id, bytes32 oracleSet_) = _identify(channel);
        uint256 open = _disputes[id];
        if (open == 0) revert NotDisputed();
        _checkRecorded(id, open, state);
        uint256 due = Settlement.dueTime(open.endOf(), state.locks);
        if (block.timestamp < due) revert SettlementNotDue(due);
        delete _disputes[id];

        (int256[] memory a, uint256[] memory totals) = _finalise(id, channel.assets, state.net);
        uint256[] memory shares = _distribute(channel, state, _priceQuery(channel, oracleSet_, open), a, totals);
        if (Settlement.isStale(open.challengerOf(), open.leadOf())) {
            shares[0] = Settlement.penalise(shares[0], totals[0], open.challengerOf(), channel.stalePenalty);
        }
        emit Settled(id, state.version, shares, _payOut(channel, shares, totals));
    }

    /// @inheritdoc IAdjudicator
    function claim(address token, address payee) external nonReentrant {
        uint256 amount = _claimable[token][payee];
        if (amount == 0) revert NothingDue();
        delete _claimable[token][payee];
        emit Claimed(token, payee, amount);
        if (!Transfers.send(token, payee, amount, gasleft())) revert TransferFailed();
    }

    // ---- evidence ----------------------------------------------------------------------------------------------------

    /// @inheritdoc IAdjudicator
    function reveal(bytes32[] calldata preimages) external {
        for (uint256 i = 0; i < preimages.length; ++i) {
            bytes32 hash = keccak256(abi.encode(preimages[i]));
            if (_revealedAt[hash] != 0) continue;
            _revealedAt[hash] = block.timestamp;
            emit Revealed(hash, preimages[i]);
        }
    }

    /// @inheritdoc IAdjudicator
    function attest(address[] calldata oracles, uint64 time, bytes32[] calldata feeds, bytes[] calldata packages)
        external
    {
        Rules.checkOracles(oracles);
        bytes32 set = Hashing.oracleSet(oracles);
        uint256[] memory values = Packages.collect(oracles, uint256(time) * 1000, feeds, packages);
        for (uint256 i = 0; i < feeds.length; ++i) {
            (uint256 price, uint256 signers) = Packages.median(values, i * oracles.length, oracles.length);
            if (signers == 0) revert PackageMissing();
            bytes32 key = _priceKey(set, feeds[i], time);
            if (signers <= _prices[key] >> 96) continue;
            _prices[key] = signers << 96 | price;
            emit Attested(set, feeds[i], time, uint96(price), uint8(signers));
        }
    }

    /// @inheritdoc IAdjudicator
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results) {
        results = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool success, bytes memory result) = address(this).delegatecall(calls[i]);
            if (!success) {
                assembly ("memory-safe") {
                    revert(add(result, 0x20), mload(result))
                }
            }
            results[i] = result;
        }
    }

    // ---- settlement's view of the chain ------------------------------------------------------------------------------

    /// Where a settlement's prices are found.
    struct PriceQuery {
        bytes32 oracleSet;
        uint256 threshold;
        uint256 slot;
        uint256 time; // T, spec 3.2
        uint256 marksFrom; // when co-signed marks stand in for what is missing
    }

    function _priceQuery(Channel calldata channel, bytes32 oracleSet_, uint256 open)
        private
        pure
        returns (PriceQuery memory query)
    {
        query.oracleSet = oracleSet_;
        query.threshold = channel.oracleThreshold;
        query.slot = channel.priceSlot;
        query.time = Settlement.valuationTime(open.endOf() - channel.disputePeriod, query.slot);
        query.marksFrom = query.time + Settlement.SLOTS * query.slot + channel.priceGrace;
    }

    /// A's share of every asset before the penalty, spec 3.6 to 3.8.
    function _distribute(
        Channel calldata channel,
        State calldata state,
        PriceQuery memory query,
        int256[] memory a,
        uint256[] memory totals
    ) private view returns (uint256[] memory) {
        bool absent;
        if (state.locks.length != 0) Settlement.executeLocks(a, state.locks, _registrations(state.locks));
        if (state.positions.length != 0) {
            int256 sum;
            (sum, absent) = Settlement.profit(state.positions, _positionPrices(state.positions, query), query.time);
            (uint256 price0, bool absent0) =
                Settlement.assetPrice(channel.assets[0], _assetPrice(channel.assets[0], query), state.assetMarks[0]);
            absent = absent || absent0;
            a[0] += Settlement.inSettlementAsset(sum, price0, channel.assets[0].decimals);
        }
        Settlement.Outcome memory outcome = Settlement.clamp(a, totals);
        if (outcome.shortfall != 0 && a.length > 1 && state.version != 0) {
            Settlement.cover(outcome, channel.assets, state.assetMarks, _assetPrices(channel.assets, query));
        }
        if ((absent || outcome.absent) && block.timestamp < query.marksFrom) revert PriceMissing(query.marksFrom);
        return outcome.shares;
    }

    function _positionPrices(Position[] calldata positions, PriceQuery memory query)
        private
        view
        returns (uint256[] memory prices)
    {
        prices = new uint256[](positions.length);
        for (uint256 i = 0; i < positions.length; ++i) {
            Position calldata position = positions[i];
            prices[i] = Settlement.isExpired(position, query.time)
                ? _attestedPrice(query, position.underlying, position.expiry)
                : _slotPrice(query, position.instrument);
        }
    }

    function _assetPrices(Asset[] calldata assets, PriceQuery memory query)
        private
        view
        returns (uint256[] memory prices)
    {
        prices = new uint256[](assets.length);
        for (uint256 i = 0; i < assets.length; ++i) {
            prices[i] = _assetPrice(assets[i], query);
        }
    }

    function _assetPrice(Asset calldata asset, PriceQuery memory query) private view returns (uint256) {
        return asset.feed == 0 ? 0 : _slotPrice(query, asset.feed);
    }

    /// Spec 3.4: the price of the earliest attested slot among T ... T + 8 slots, or 0.
    function _slotPrice(PriceQuery memory query, bytes32 feed) private view returns (uint256 price) {
        for (uint256 i = 0; i <= Settlement.SLOTS && price == 0; ++i) {
            price = _attestedPrice(query, feed, query.time + i * query.slot);
        }
    }

    function _attestedPrice(PriceQuery memory query, bytes32 feed, uint256 time) private view returns (uint256) {
        uint256 entry = _prices[_priceKey(query.oracleSet, feed, time)];
        return entry >> 96 >= query.threshold ? uint96(entry) : 0;
    }

    /// keccak256(abi.encode(set, feed, time))
    function _priceKey(bytes32 set, bytes32 feed, uint256 time) private pure returns (bytes32 key) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, set)
            mstore(add(p, 0x20), feed)
            mstore(add(p, 0x40), time)
            key := keccak256(p, 0x60)
        }
    }

    function _registrations(Lock[] calldata locks) private view returns (uint256[] memory times) {
        times = new uint256[](locks.length);
        for (uint256 i = 0; i < locks.length; ++i) {
            times[i] = _revealedAt[locks[i].hash];
        }
    }

    // ---- money -------------------------------------------------------------------------------------------------------

    /// Marks every asset of a channel final. Returns A's balances under `net` (empty: 0) and the totals to distribute.
    function _finalise(bytes32 id, Asset[] calldata assets, int256[] calldata net)
        private
        returns (int256[] memory a, uint256[] memory totals)
    {
        a = new int256[](assets.length);
        totals = new uint256[](assets.length);
        for (uint256 i = 0; i < assets.length; ++i) {
            address token = assets[i].token;
            Holding storage holding = _holdings[id][token];
            uint256 held = holding.packed;
            if (held & FINAL != 0) revert ChannelFinal();
            holding.packed = held | FINAL;
            (a[i], totals[i]) = Settlement.baseBalance(_unpack(id, token, held), net.length == 0 ? int256(0) : net[i]);
        }
    }

    function _unpack(bytes32 id, address token, uint256 held) private view returns (Settlement.Holdings memory h) {
        h.depositA = held & MASK_120;
        h.depositB = (held >> 120) & MASK_120;
        if (held & HAS_WITHDRAWALS != 0) {
            uint256 withdrawn = _withdrawals[id][token];
            h.withdrawnA = uint128(withdrawn);
            h.withdrawnB = withdrawn >> 128;
        }
    }

    /// Pays A its shares and B the rest, which it returns.
    function _payOut(Channel calldata channel, uint256[] memory shares, uint256[] memory totals)
        private
        returns (uint256[] memory rest)
    {
        rest = new uint256[](shares.length);
        for (uint256 i = 0; i < shares.length; ++i) {
            rest[i] = totals[i] - shares[i];
            _pay(channel.assets[i].token, channel.ownerA, shares[i]);
            _pay(channel.assets[i].token, channel.ownerB, rest[i]);
        }
    }

    function _pay(address token, address payee, uint256 amount) private {
        if (amount == 0 || Transfers.push(token, payee, amount)) return;
        _claimable[token][payee] += amount;
        emit Held(token, payee, amount);
    }

    // ---- checks ------------------------------------------------------------------------------------------------------

    /// Checks a channel's terms; returns its id and the key of its oracles' prices.
    function _identify(Channel calldata channel) private view returns (bytes32 id, bytes32 oracleSet_) {
        Rules.checkTerms(channel);
        bytes32 structHash;
        (structHash, oracleSet_) = Hashing.channel(channel);
        id = Hashing.digest(domainSeparator(), structHash);
    }

    /// Checks a state to be recorded; returns what of its digest is kept.
    function _checkState(
        Channel calldata channel,
        bytes32 id,
        State calldata state,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) private view returns (uint256) {
        if (state.version == 0) {
            Rules.checkInitial(state);
            return 0;
        }
        Rules.checkState(channel, state);
        return uint160(uint256(_checkSigners(channel, Hashing.state(id, state), signatureA, signatureB)));
    }

    /// Checks that a state is the one a dispute has recorded.
    function _checkRecorded(bytes32 id, uint256 open, State calldata state) private view {
        if (open.versionOf() == 0) return Rules.checkInitial(state);
        if (uint160(uint256(stateDigest(id, state))) != open.digestOf()) revert StateMismatch();
    }

    function _checkSigners(
        Channel calldata channel,
        bytes32 structHash,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) private view returns (bytes32 digest) {
        digest = Hashing.digest(domainSeparator(), structHash);
        if (Hashing.signer(digest, signatureA) != channel.signerA) revert WrongSigner();
        if (Hashing.signer(digest, signatureB) != channel.signerB) revert WrongSigner();
    }

    /// Which party challenges.
    function _challenger(Channel calldata channel, bytes32 id, uint64 version, Authorization calldata authorization)
        private
        view
        returns (uint256)
    {
        address by = msg.sender;
        uint64 deadline = authorization.deadline;
        if (deadline != 0) {
            if (block.timestamp >= deadline) revert DeadlinePassed();
            if (deadline > block.timestamp + MAX_AUTHORIZATION_TIME) revert DeadlineTooFar();
            bytes32 digest = Hashing.digest(domainSeparator(), Hashing.challenge(id, version, deadline));
            by = Hashing.signer(digest, authorization.signature);
        }
        if (by == channel.ownerA || by == channel.signerA) return 0;
        if (by == channel.ownerB || by == channel.signerB) return 1;
        revert NotAParty();
    }

    // ---- views -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IAdjudicator
    function domainSeparator() public view returns (bytes32) {
        return block.chainid == CHAIN_ID ? DOMAIN : Hashing.domain();
    }

    /// @inheritdoc IAdjudicator
    function channelId(Channel calldata channel) external view returns (bytes32 id) {
        (id,) = _identify(channel);
    }

    /// @inheritdoc IAdjudicator
    function stateDigest(bytes32 id, State calldata state) public view returns (bytes32) {
        return Hashing.digest(domainSeparator(), Hashing.state(id, state));
    }

    /// @inheritdoc IAdjudicator
    function dispute(bytes32 id)
        external
        view
        returns (uint160 digest, uint64 version, uint64 end, uint8 lead, uint8 challenger)
    {
        uint256 open = _disputes[id];
        digest = open.digestOf();
        version = uint64(open.versionOf());
        end = uint64(open.endOf());
        lead = uint8(open.leadOf());
        challenger = uint8(open.challengerOf());
    }

    /// @inheritdoc IAdjudicator
    function holdings(bytes32 id, address token)
        external
        view
        returns (uint256 depositA, uint256 depositB, uint256 withdrawnA, uint256 withdrawnB, bool isFinal)
    {
        uint256 held = _holdings[id][token].packed;
        Settlement.Holdings memory h = _unpack(id, token, held);
        return (h.depositA, h.depositB, h.withdrawnA, h.withdrawnB, held & FINAL != 0);
    }

    /// @inheritdoc IAdjudicator
    function oracleSet(address[] calldata oracles) external pure returns (bytes32) {
        return Hashing.oracleSet(oracles);
    }

    /// @inheritdoc IAdjudicator
    function attested(bytes32 set, bytes32 feed, uint64 time) external view returns (uint96 price, uint8 signers) {
        uint256 entry = _prices[_priceKey(set, feed, time)];
        return (uint96(entry), uint8(entry >> 96));
    }

    /// @inheritdoc IAdjudicator
    function revealedAt(bytes32 hash) external view returns (uint64) {
        return uint64(_revealedAt[hash]);
    }

    /// @inheritdoc IAdjudicator
    function claimable(address token, address payee) external view returns (uint256) {
        return _claimable[token][payee];
    }
}
