#pragma once

#include "channel/codec/eip712.h"

/// The structs that peers sign and the contract reads (spec 2.2), each once. Signs are seen from A (spec 1.2).
namespace hedgerow::channel {

inline constexpr std::size_t kMaxAssets = 8;
inline constexpr std::size_t kMaxPositions = 32;
inline constexpr std::size_t kMaxLocks = 256;
inline constexpr std::size_t kMaxOracles = 20;
inline constexpr std::uint64_t kMaxVersion = (std::uint64_t{1} << 48) - 1;

/// Both parties' signatures over one struct.
struct BothSignatures {
    Signature a;
    Signature b;
};

struct Asset {
    Address token;  ///< zero is the chain's own coin
    Feed feed;      ///< zero: worth one USD
    std::uint8_t decimals = 0;
    std::uint16_t haircut_bps = 0;

    static constexpr std::string_view kTypeName = "Asset";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        return std::make_tuple(field("token", &Asset::token, "address"), field("feed", &Asset::feed, "bytes32"),
                               field("decimals", &Asset::decimals, "uint8"), field("haircutBps", &Asset::haircut_bps, "uint16"));
    }
    bool operator==(const Asset&) const = default;
};
static_assert(type_text_is<Asset>("Asset(address token,bytes32 feed,uint8 decimals,uint16 haircutBps)"));

/// `Channel` on chain: who, what and by which clock. Nothing of it ever changes.
struct Terms {
    Address owner_a;
    Address signer_a;
    Address owner_b;
    Address signer_b;
    List<Asset, kMaxAssets> assets;
    List<Address, kMaxOracles> oracles;
    std::uint8_t oracle_threshold = 0;
    std::uint32_t price_slot = 0;      ///< seconds
    std::uint32_t price_grace = 0;     ///< seconds
    std::uint32_t dispute_period = 0;  ///< seconds
    Amount stale_penalty;              ///< of assets[0]
    Hash salt;                         ///< keccak256(watch secret)

    static constexpr std::string_view kTypeName = "Channel";
    static constexpr std::string_view kReferencedTypes = "Asset(address token,bytes32 feed,uint8 decimals,uint16 haircutBps)";
    static constexpr auto fields() {
        return std::make_tuple(
            field("ownerA", &Terms::owner_a, "address"), field("signerA", &Terms::signer_a, "address"),
            field("ownerB", &Terms::owner_b, "address"), field("signerB", &Terms::signer_b, "address"),
            field("assets", &Terms::assets, "Asset[]"), field("oracles", &Terms::oracles, "address[]"),
            field("oracleThreshold", &Terms::oracle_threshold, "uint8"), field("priceSlot", &Terms::price_slot, "uint32"),
            field("priceGrace", &Terms::price_grace, "uint32"), field("disputePeriod", &Terms::dispute_period, "uint32"),
            field("stalePenalty", &Terms::stale_penalty, "uint128"), field("salt", &Terms::salt, "bytes32"));
    }
    [[nodiscard]] const Address& owner(Party party) const { return party == Party::A ? owner_a : owner_b; }
    [[nodiscard]] const Address& signer(Party party) const { return party == Party::A ? signer_a : signer_b; }
    bool operator==(const Terms&) const = default;
};
static_assert(type_text_is<Terms>(
    "Channel(address ownerA,address signerA,address ownerB,address signerB,Asset[] assets,address[] oracles,uint8 oracleThreshold,"
    "uint32 priceSlot,uint32 priceGrace,uint32 disputePeriod,uint128 stalePenalty,bytes32 salt)"));

enum class Kind : std::uint8_t { linear = 0, call = 1, put = 2, digital_call = 3, digital_put = 4 };
template <>
struct EnumCount<Kind> {
    static constexpr std::uint64_t value = 5;
};
template <>
struct EnumCount<Party> {
    static constexpr std::uint64_t value = 2;
};

struct Position {
    Feed instrument;
    Feed underlying;
    Kind kind = Kind::linear;
    std::uint64_t expiry = 0;  ///< seconds; 0: none
    Price strike;
    Quantity quantity;  ///< positive: A is long
    Price mark;         ///< last settled into net at this price

    static constexpr std::string_view kTypeName = "Position";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        return std::make_tuple(field("instrument", &Position::instrument, "bytes32"), field("underlying", &Position::underlying, "bytes32"),
                               field("kind", &Position::kind, "uint8"), field("expiry", &Position::expiry, "uint64"),
                               field("strike", &Position::strike, "uint128"), field("quantity", &Position::quantity, "int128"),
                               field("mark", &Position::mark, "int128"));
    }
    bool operator==(const Position&) const = default;
};
#define HEDGEROW_POSITION_TYPE \
    "Position(bytes32 instrument,bytes32 underlying,uint8 kind,uint64 expiry,uint128 strike,int128 quantity,int128 mark)"
static_assert(type_text_is<Position>(HEDGEROW_POSITION_TYPE));

struct Lock {
    LockHash hash;
    std::uint64_t expiry = 0;  ///< seconds
    std::uint8_t asset = 0;
    Amount amount;  ///< positive: A pays B

    static constexpr std::string_view kTypeName = "Lock";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        return std::make_tuple(field("hash", &Lock::hash, "bytes32"), field("expiry", &Lock::expiry, "uint64"),
                               field("asset", &Lock::asset, "uint8"), field("amount", &Lock::amount, "int128"));
    }
    bool operator==(const Lock&) const = default;
};
#define HEDGEROW_LOCK_TYPE "Lock(bytes32 hash,uint64 expiry,uint8 asset,int128 amount)"
static_assert(type_text_is<Lock>(HEDGEROW_LOCK_TYPE));

struct State {
    ChannelId channel_id;
    std::uint64_t version = 0;
    Hash context;
    List<Amount, kMaxAssets> net;
    List<Price, kMaxAssets> asset_marks;
    List<Position, kMaxPositions> positions;
    List<Lock, kMaxLocks> locks;

    static constexpr std::string_view kTypeName = "State";
    static constexpr std::string_view kReferencedTypes = HEDGEROW_LOCK_TYPE HEDGEROW_POSITION_TYPE;
    static constexpr auto fields() {
        return std::make_tuple(field("channelId", &State::channel_id, "bytes32"), field("version", &State::version, "uint64"),
                               field("context", &State::context, "bytes32"), field("net", &State::net, "int256[]"),
                               field("assetMarks", &State::asset_marks, "uint128[]"), field("positions", &State::positions, "Position[]"),
                               field("locks", &State::locks, "Lock[]"));
    }
    bool operator==(const State&) const = default;
};
static_assert(type_text_is<State>("State(bytes32 channelId,uint64 version,bytes32 context,int256[] net,uint128[] assetMarks,"
                                  "Position[] positions,Lock[] locks)"));

struct Close {
    ChannelId channel_id;
    std::uint64_t version = 0;
    List<Amount, kMaxAssets> net;
    std::uint64_t deadline = 0;  ///< seconds; refused at it

    static constexpr std::string_view kTypeName = "Close";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        return std::make_tuple(field("channelId", &Close::channel_id, "bytes32"), field("version", &Close::version, "uint64"),
                               field("net", &Close::net, "int256[]"), field("deadline", &Close::deadline, "uint64"));
    }
    bool operator==(const Close&) const = default;
};
static_assert(type_text_is<Close>("Close(bytes32 channelId,uint64 version,int256[] net,uint64 deadline)"));

struct Withdraw {
    ChannelId channel_id;
    Party party = Party::A;
    std::uint8_t asset = 0;
    Amount total;                ///< cumulative, >= 0
    std::uint64_t deadline = 0;  ///< seconds

    static constexpr std::string_view kTypeName = "Withdraw";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        return std::make_tuple(field("channelId", &Withdraw::channel_id, "bytes32"), field("party", &Withdraw::party, "uint8"),
                               field("asset", &Withdraw::asset, "uint8"), field("total", &Withdraw::total, "uint256"),
                               field("deadline", &Withdraw::deadline, "uint64"));
    }
    bool operator==(const Withdraw&) const = default;
};
static_assert(type_text_is<Withdraw>("Withdraw(bytes32 channelId,uint8 party,uint8 asset,uint256 total,uint64 deadline)"));

struct Challenge {
    ChannelId channel_id;
    std::uint64_t version = 0;
    std::uint64_t deadline = 0;  ///< seconds

    static constexpr std::string_view kTypeName = "Challenge";
    static constexpr std::string_view kReferencedTypes = "";
    static constexpr auto fields() {
        return std::make_tuple(field("channelId", &Challenge::channel_id, "bytes32"), field("version", &Challenge::version, "uint64"),
                               field("deadline", &Challenge::deadline, "uint64"));
    }
    bool operator==(const Challenge&) const = default;
};
static_assert(type_text_is<Challenge>("Challenge(bytes32 channelId,uint64 version,uint64 deadline)"));

/// Digest of any of the above under a domain separator.
template <HasFields T>
[[nodiscard]] Digest digest_of(const T& typed, const Hash& separator) {
    return typed_digest(separator, hash_struct(typed));
}

[[nodiscard]] ChannelId channel_id_of(const Terms& terms, const Hash& separator);

/// Spec 2.7, plus the strict majority that nodes ask for: Rule::none, or the first rule broken.
[[nodiscard]] Rule check_terms(const Terms& terms);

}  // namespace hedgerow::channel
