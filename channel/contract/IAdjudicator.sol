// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

// What the two parties sign (spec 2.2) and what they bring to the chain. A struct that names a channel in its EIP-712
// type (State, Close, Withdraw, Challenge) does not repeat the channel id here: it is always computed from the Channel.

/// An asset that a channel holds. Token 0 is the chain's own coin; feed 0 means that one unit is one USD.
struct Asset {
    address token;
    bytes32 feed;
    uint8 decimals;
    uint16 haircutBps;
}

/// The terms fixed at opening. Their EIP-712 digest is the channel's id.
struct Channel {
    address ownerA;
    address signerA;
    address ownerB;
    address signerB;
    Asset[] assets;
    address[] oracles;
    uint8 oracleThreshold;
    uint32 priceSlot;
    uint32 priceGrace;
    uint32 disputePeriod;
    uint128 stalePenalty;
    bytes32 salt;
}

/// An open position, seen from A. kind: 0 linear, 1 call, 2 put, 3 digital call, 4 digital put. expiry 0 is none.
struct Position {
    bytes32 instrument;
    bytes32 underlying;
    uint8 kind;
    uint64 expiry;
    uint128 strike;
    int128 quantity;
    int128 mark;
}

/// A hash-locked transfer of one asset; a positive amount is paid by A.
struct Lock {
    bytes32 hash;
    uint64 expiry;
    uint8 asset;
    int128 amount;
}

/// What both parties signed last. Version 0 is the state before any: all members zero, all arrays empty.
struct State {
    uint64 version;
    bytes32 context;
    int256[] net;
    uint128[] assetMarks;
    Position[] positions;
    Lock[] locks;
}

/// A cooperative end: what A owes B per asset, final, valid until the deadline.
struct Close {
    uint64 version;
    int256[] net;
    uint64 deadline;
}

/// A permission to take collateral out of a running channel. total is cumulative, so using it twice pays nothing.
struct Withdraw {
    uint8 party;
    uint8 asset;
    uint256 total;
    uint64 deadline;
}

/// An ECDSA signature in the compact form of EIP-2098, low-s.
struct Signature {
    bytes32 r;
    bytes32 vs;
}

/// Who challenges: with deadline 0 the sender itself, else the owner or signer who signed Challenge(channelId, version, deadline).
struct Authorization {
    uint64 deadline;
    Signature signature;
}

/// @title Hedgerow's adjudicator
/// @notice Holds the collateral of payment and derivative channels and enforces the newest state both parties signed.
/// No owner, no upgrade, no fee. A channel needs no transaction to be opened: its id is a digest of its terms.
/// @dev Times are Unix seconds, windows half-open. Every function that takes a Channel first checks it (spec 2.7).
interface IAdjudicator {
    // ---- events ------------------------------------------------------------------------------------------------------

    /// @notice A party's deposits of a token in a channel now add up to `total`.
    event Deposited(bytes32 indexed channelId, uint8 party, address token, uint256 total);

    /// @notice A party's withdrawals of a token from a running channel now add up to `total`; `paid` went out this time.
    event Withdrawn(bytes32 indexed channelId, uint8 party, address token, uint256 total, uint256 paid);

    /// @notice A deposit of a token that the channel does not list went back to the party's owner.
    event Recovered(bytes32 indexed channelId, uint8 party, address token, uint256 amount);

    /// @notice A dispute began. The valuation time follows from `end` (spec 3.2); `state` is validated, and all that settle needs.
    event Challenged(bytes32 indexed channelId, uint8 challenger, bytes32 secret, uint64 end, State state);

    /// @notice A newer state replaced the recorded one. `end` did not move.
    event Responded(bytes32 indexed channelId, State state);

    /// @notice The channel ended by agreement; what each party was paid of each asset.
    event Closed(bytes32 indexed channelId, uint64 version, uint256[] paidA, uint256[] paidB);

    /// @notice The channel ended by settlement of a dispute; what each party was paid of each asset.
    event Settled(bytes32 indexed channelId, uint64 version, uint256[] paidA, uint256[] paidB);

    /// @notice A payee did not take a payment; it can be claimed.
    event Held(address indexed token, address indexed payee, uint256 amount);

    /// @notice A held payment was paid.
    event Claimed(address indexed token, address indexed payee, uint256 amount);

    /// @notice The preimage of a lock's hash was seen for the first time, in this block.
    event Revealed(bytes32 indexed hash, bytes32 preimage);

    /// @notice The price of a feed at a time, by more of a set of oracles than before. See `oracleSet`.
    event Attested(bytes32 indexed oracleSet, bytes32 indexed feed, uint64 time, uint96 price, uint8 signers);

    // ---- errors: terms -----------------------------------------------------------------------------------------------

    /// @notice A channel has 1 to 8 assets.
    error AssetsCountOutOfRange();
    /// @notice Two assets of a channel have the same token.
    error AssetDuplicate();
    /// @notice An asset has more than 18 decimals.
    error AssetDecimalsOutOfRange();
    /// @notice A haircut is more than 10,000 basis points.
    error HaircutOutOfRange();
    /// @notice There are more than 20 oracles.
    error OraclesCountOutOfRange();
    /// @notice Oracles are not strictly ascending, or one is zero.
    error OraclesNotAscending();
    /// @notice The threshold is 0 or more than the number of oracles.
    error OracleThresholdOutOfRange();
    /// @notice The price slot is 0.
    error PriceSlotZero();
    /// @notice An owner is the zero address.
    error OwnerZero();
    /// @notice A signer is the zero address.
    error SignerZero();
    /// @notice Both parties have the same signer.
    error SignersEqual();

    // ---- errors: states ----------------------------------------------------------------------------------------------

    /// @notice net or assetMarks do not have one element per asset.
    error AssetsCountMismatch();
    /// @notice A state of version 0 has some content.
    error InitialStateNotEmpty();
    /// @notice A version is 2^48 or more.
    error VersionOutOfRange();
    /// @notice |net| is 2^120 or more.
    error NetOutOfRange();
    /// @notice An asset's mark is 0, or 2^96 or more.
    error AssetMarkOutOfRange();
    /// @notice There are more than 32 positions.
    error PositionLimit();
    /// @notice A position's kind is none of the known ones.
    error KindUnknown();
    /// @notice A position's expiry does not fall on a price slot, or is 2^40 or more.
    error PositionExpiryOutOfRange();
    /// @notice A position's strike is 2^96 or more.
    error StrikeOutOfRange();
    /// @notice |quantity| is 2^96 or more.
    error QuantityOutOfRange();
    /// @notice |mark| is 2^96 or more.
    error MarkOutOfRange();
    /// @notice There are more than 256 locks.
    error LockLimit();
    /// @notice A lock or a withdrawal names an asset that the channel does not have.
    error AssetOutOfRange();
    /// @notice |amount| of a lock is 2^96 or more.
    error LockAmountOutOfRange();
    /// @notice A lock's expiry is 2^40 or more.
    error LockExpiryOutOfRange();

    // ---- errors: signatures and parties ------------------------------------------------------------------------------

    /// @notice A signature is malformed, has a high s, or recovers to nothing.
    error BadSignature();
    /// @notice A signature is not that of the party's signer over this struct in this channel, chain and contract.
    error WrongSigner();
    /// @notice Only an owner or signer of the channel can challenge.
    error NotAParty();
    /// @notice A party is 0 (A) or 1 (B).
    error PartyOutOfRange();
    /// @notice The secret is not the one whose hash is the channel's salt.
    error SaltMismatch();
    /// @notice The deadline has been reached.
    error DeadlinePassed();
    /// @notice A Challenge's deadline is more than a day ahead: it is to be signed when it is used.
    error DeadlineTooFar();

    // ---- errors: the course of a channel -----------------------------------------------------------------------------

    /// @notice The channel has been closed or settled.
    error ChannelFinal();
    /// @notice Not while a dispute is open.
    error ChannelDisputed();
    /// @notice No dispute is open.
    error NotDisputed();
    /// @notice The version is not above the recorded one.
    error VersionMustIncrease();
    /// @notice The dispute's time to respond is over.
    error DisputeEnded();
    /// @notice The state is not the recorded one.
    error StateMismatch();
    /// @notice Settlement is due at `due`.
    error SettlementNotDue(uint256 due);
    /// @notice A price that settlement needs is not attested; at `due` the co-signed marks stand in for it.
    error PriceMissing(uint256 due);

    // ---- errors: money -----------------------------------------------------------------------------------------------

    /// @notice The coin sent with the call is not the amount (of the coin) or not zero (for a token).
    error ValueMismatch();
    /// @notice A deposit, recovery or claim of nothing.
    error NothingDue();
    /// @notice A party's deposits of a token would reach 2^120.
    error DepositOutOfRange();
    /// @notice The token did not transfer.
    error TransferFailed();
    /// @notice The token is one of the channel's assets.
    error AssetListed();
    /// @notice A withdrawal exceeds what the channel holds of the asset.
    error WithdrawUnfunded();
    /// @notice A Close's net gives one party more than the channel holds.
    error NetExceedsHoldings();
    /// @notice Too little gas is left to give a payee its share.
    error GasTooLow();
    /// @notice A payment is being made: no entry into a function that pays.
    error Reentered();

    // ---- errors: oracle packages -------------------------------------------------------------------------------------

    /// @notice A package is not a RedStone signed data package with 32-byte values.
    error PackageMalformed();
    /// @notice A package's timestamp is not the attested time.
    error PackageTimeMismatch();
    /// @notice A package's signer is none of the oracles.
    error PackageUnknownSigner();
    /// @notice One oracle gives a feed twice.
    error PackageDuplicateSigner();
    /// @notice A price is 0, or 2^96 or more.
    error PackagePriceOutOfRange();
    /// @notice No package gives this feed.
    error PackageMissing();

    // ---- collateral --------------------------------------------------------------------------------------------------

    /// @notice Adds to a party's collateral; anyone may pay. Counts what arrived, so a token that takes a fee credits less.
    /// The contract cannot know whether `channelId` is a channel: check it before.
    /// @param party 0 for A, 1 for B
    /// @param token 0 for the chain's coin, whose amount must be the call's value
    function deposit(bytes32 channelId, uint8 party, address token, uint256 amount) external payable;

    /// @notice As deposit, after an EIP-2612 permit of the sender for `amount`. A permit that fails is passed over: somebody
    /// may have submitted it already.
    function depositWithPermit(
        bytes32 channelId,
        uint8 party,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Returns to a party's owner its deposit of a token that the channel does not list.
    function recover(Channel calldata channel, uint8 party, address token) external;

    /// @notice Pays a party's owner `withdrawal.total` of an asset minus what was paid before; nothing when that is not
    /// positive. Refused at the deadline, in a dispute, and beyond what the channel holds.
    function withdraw(
        Channel calldata channel,
        Withdraw calldata withdrawal,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) external;

    // ---- the end of a channel ----------------------------------------------------------------------------------------

    /// @notice Ends the channel by agreement and pays both owners. Refused at the deadline, and in a dispute unless its
    /// version is above the recorded one.
    function close(
        Channel calldata channel,
        Close calldata agreement,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) external;

    /// @notice Starts a dispute with a state that both signed, or with version 0 and an empty state, whose signatures are not
    /// looked at. While a dispute is open it is `respond`, by anyone.
    /// @param secret what the channel's salt is the hash of; towers find their appointment by it
    /// @param authorization whose challenge this is
    function challenge(
        Channel calldata channel,
        bytes32 secret,
        State calldata state,
        Signature calldata signatureA,
        Signature calldata signatureB,
        Authorization calldata authorization
    ) external;

    /// @notice Replaces the recorded state by a strictly newer one, before the dispute's end, which does not move. Anyone may.
    function respond(
        Channel calldata channel,
        State calldata state,
        Signature calldata signatureA,
        Signature calldata signatureB
    ) external;

    /// @notice Ends a dispute when it is due (spec 3.5): values positions, executes locks whose preimage was registered in
    /// time, and pays both owners. Anyone may.
    /// @param state the recorded one, as emitted by Challenged or Responded; empty for version 0
    function settle(Channel calldata channel, State calldata state) external;

    /// @notice Pays what a payee did not take before. Anyone may; only the payee is paid.
    function claim(address token, address payee) external;

    // ---- evidence ----------------------------------------------------------------------------------------------------

    /// @notice Registers preimages of locks, each at the time when it was first seen.
    function reveal(bytes32[] calldata preimages) external;

    /// @notice Records the median price of feeds at one time. An entry is replaced only by one with strictly more signers;
    /// otherwise nothing happens.
    /// @param oracles the channel's oracles, all of them, strictly ascending
    /// @param time seconds; every package's timestamp is exactly 1,000 times this
    /// @param packages RedStone's signed data packages: data points (feed 32, value 32), timestamp 6, value size 4, count 3, and
    /// the signature r, s, v over the keccak-256 of what stands before it
    function attest(address[] calldata oracles, uint64 time, bytes32[] calldata feeds, bytes[] calldata packages)
        external;

    /// @notice Does several of the above, all or none. Not payable: one coin must not be counted twice.
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results);

    // ---- views -------------------------------------------------------------------------------------------------------

    /// @notice The EIP-712 domain separator: Hedgerow, 1, this chain, this contract.
    function domainSeparator() external view returns (bytes32);

    /// @notice The id of a channel: the EIP-712 digest of its terms. Reverts on terms that are not valid.
    function channelId(Channel calldata channel) external view returns (bytes32);

    /// @notice The EIP-712 digest of a state; a dispute records its low 160 bits.
    function stateDigest(bytes32 channelId_, State calldata state) external view returns (bytes32);

    /// @notice The open dispute of a channel; `end` is 0 when there is none.
    /// @return digest the low 160 bits of the recorded state's digest, 0 for version 0
    /// @return version the recorded version
    /// @return end when responding ends
    /// @return lead recorded minus challenged version, at most 127
    /// @return challenger 0 for A, 1 for B
    function dispute(bytes32 channelId_)
        external
        view
        returns (uint160 digest, uint64 version, uint64 end, uint8 lead, uint8 challenger);

    /// @notice What a channel took in and paid out of a token while it ran, and whether it is final.
    function holdings(bytes32 channelId_, address token)
        external
        view
        returns (uint256 depositA, uint256 depositB, uint256 withdrawnA, uint256 withdrawnB, bool isFinal);

    /// @notice The key under which a list of oracles has its prices: the hash of its addresses as 32-byte words.
    function oracleSet(address[] calldata oracles) external pure returns (bytes32);

    /// @notice The recorded price of a feed at a time, and how many of the oracles signed; 0, 0 when there is none.
    function attested(bytes32 oracleSet_, bytes32 feed, uint64 time) external view returns (uint96 price, uint8 signers);

    /// @notice When the preimage of a hash was registered, 0 when it was not.
    function revealedAt(bytes32 hash) external view returns (uint64);

    /// @notice What `claim` would pay.
    function claimable(address token, address payee) external view returns (uint256);
}
