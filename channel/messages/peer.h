#pragma once

#include "channel/messages/ops.h"
#include "channel/messages/tower.h"

/// Every message between two nodes, once (spec 6). The transport proves who sent it (spec 6.2).
namespace hedgerow::channel {

inline constexpr std::size_t kMaxFrame = 1 << 20;  ///< bytes
inline constexpr std::uint16_t kProtocolVersion = 2;

/// First on every connection.
struct Hello {
    std::uint16_t protocol = kProtocolVersion;
    std::uint64_t chain_id = 0;
    Address adjudicator;
    Text<128> agent;
    static constexpr auto fields() {
        return std::make_tuple(field("protocol", &Hello::protocol), field("chainId", &Hello::chain_id), field("adjudicator", &Hello::adjudicator),
                               field("agent", &Hello::agent));
    }
};

using OpeningId = FixedBytes<16, struct OpeningIdTag>;

/// B to A: the terms B asks for; A's members and the salt are still zero (spec 6.5).
struct OpenPropose {
    OpeningId opening;
    Terms terms;
    RiskTerms risk;
    PublicKey signer_b;
    static constexpr auto fields() {
        return std::make_tuple(field("opening", &OpenPropose::opening), field("terms", &OpenPropose::terms), field("risk", &OpenPropose::risk),
                               field("signerB", &OpenPropose::signer_b));
    }
};

struct OpenAccept {
    OpeningId opening;
    Address owner_a;
    PublicKey signer_a;
    static constexpr auto fields() {
        return std::make_tuple(field("opening", &OpenAccept::opening), field("ownerA", &OpenAccept::owner_a), field("signerA", &OpenAccept::signer_a));
    }
};

struct OpenRefuse {
    OpeningId opening;
    Rule rule = Rule::none;
    static constexpr auto fields() { return std::make_tuple(field("opening", &OpenRefuse::opening), field("rule", &OpenRefuse::rule)); }
};

/// B has stored the channel and tells A the whole of it, with the watch secret.
struct OpenConfirm {
    OpeningId opening;
    Terms terms;
    Secret secret;
    static constexpr auto fields() {
        return std::make_tuple(field("opening", &OpenConfirm::opening), field("terms", &OpenConfirm::terms), field("secret", &OpenConfirm::secret));
    }
};

/// A has stored it too; B may deposit.
struct OpenDone {
    OpeningId opening;
    ChannelId channel;
    static constexpr auto fields() { return std::make_tuple(field("opening", &OpenDone::opening), field("channel", &OpenDone::channel)); }
};

/// Deposits and withdrawals that the sender has seen confirmed; each side spends only what both have seen (spec 4.3).
struct Funds {
    List<Amount, kMaxAssets> deposit_a;
    List<Amount, kMaxAssets> deposit_b;
    List<Amount, kMaxAssets> withdrawn_a;
    List<Amount, kMaxAssets> withdrawn_b;
    static constexpr auto fields() {
        return std::make_tuple(field("depositA", &Funds::deposit_a), field("depositB", &Funds::deposit_b), field("withdrawnA", &Funds::withdrawn_a),
                               field("withdrawnB", &Funds::withdrawn_b));
    }
    [[nodiscard]] List<Amount, kMaxAssets>& deposit(Party p) { return p == Party::A ? deposit_a : deposit_b; }
    [[nodiscard]] const List<Amount, kMaxAssets>& deposit(Party p) const { return p == Party::A ? deposit_a : deposit_b; }
    [[nodiscard]] List<Amount, kMaxAssets>& withdrawn(Party p) { return p == Party::A ? withdrawn_a : withdrawn_b; }
    [[nodiscard]] const List<Amount, kMaxAssets>& withdrawn(Party p) const { return p == Party::A ? withdrawn_a : withdrawn_b; }
    bool operator==(const Funds&) const = default;
};

struct FundsSeen {
    ChannelId channel;
    Funds funds;
    static constexpr auto fields() { return std::make_tuple(field("channel", &FundsSeen::channel), field("funds", &FundsSeen::funds)); }
};

/// Follower to leader: ops it wants in the next update, numbered one after the other from `first`.
struct Propose {
    ChannelId channel;
    std::uint64_t first = 0;
    List<Op, kMaxOpsPerUpdate> ops;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Propose::channel), field("first", &Propose::first), field("ops", &Propose::ops));
    }
};

/// Leader to follower: that proposal will not be put into an update.
struct Refuse {
    ChannelId channel;
    std::uint64_t proposal = 0;
    Rule rule = Rule::none;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Refuse::channel), field("proposal", &Refuse::proposal), field("rule", &Refuse::rule));
    }
};

/// Leader to follower: the next version. `base` is the version that the ops apply to: version - 1, or lower after a Reject.
struct Update {
    ChannelId channel;
    std::uint64_t version = 0;
    std::uint64_t base = 0;
    std::uint64_t timestamp_ms = 0;
    OpList ops;
    std::optional<Signature> signature;  ///< of the leader; due on the last of a burst
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Update::channel), field("version", &Update::version), field("base", &Update::base),
                               field("timestamp", &Update::timestamp_ms), field("ops", &Update::ops), field("signature", &Update::signature));
    }
    bool operator==(const Update&) const = default;
};

/// Follower to leader: cumulative.
struct Ack {
    ChannelId channel;
    std::uint64_t version = 0;
    Signature signature;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Ack::channel), field("version", &Ack::version), field("signature", &Ack::signature));
    }
};

/// Follower to leader: that version and all built on it are refused because of that op (kMaxOpsPerUpdate: the whole).
struct Reject {
    ChannelId channel;
    std::uint64_t version = 0;
    std::uint16_t op = 0;
    Rule rule = Rule::none;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Reject::channel), field("version", &Reject::version), field("op", &Reject::op),
                               field("rule", &Reject::rule));
    }
};

/// Each side's first word about a channel on a new connection (spec 6.8).
struct Reestablish {
    ChannelId channel;
    std::uint64_t agreed = 0;         ///< newest version with both signatures here
    Digest digest;                    ///< its digest; zero for version 0
    std::uint64_t highest_signed = 0; ///< highest version the sender ever signed
    std::optional<Signature> signature;  ///< the sender's own on `agreed`, absent for version 0
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Reestablish::channel), field("agreed", &Reestablish::agreed), field("digest", &Reestablish::digest),
                               field("highestSigned", &Reestablish::highest_signed), field("signature", &Reestablish::signature));
    }
};

struct WithdrawSignature {
    Withdraw withdraw;
    Signature signature;
    static constexpr auto fields() {
        return std::make_tuple(field("withdraw", &WithdrawSignature::withdraw), field("signature", &WithdrawSignature::signature));
    }
};

struct CloseSignature {
    Close close;
    Signature signature;
    static constexpr auto fields() { return std::make_tuple(field("close", &CloseSignature::close), field("signature", &CloseSignature::signature)); }
};

/// The newest fully signed state, for a peer that says it has an older one (spec 6.8).
struct HandOver {
    Blob<(1 << 16)> state;  ///< wire encoding of a ChannelState
    ChannelId channel;
    Signature signature_a;
    Signature signature_b;
    static constexpr auto fields() {
        return std::make_tuple(field("state", &HandOver::state), field("channel", &HandOver::channel), field("signatureA", &HandOver::signature_a),
                               field("signatureB", &HandOver::signature_b));
    }
};

/// What a taker wants a price for. A swap asks for `take` of one asset against another; a trade for a quantity.
struct QuoteRequest {
    ChannelId channel;
    QuoteId request;
    bool is_swap = false;
    Feed instrument;            ///< trades
    Quantity quantity;          ///< trades; positive: A buys
    std::uint8_t give_asset = 0;  ///< swaps, seen from the taker
    Amount give;                  ///< swaps: one of the two is zero and asked for
    std::uint8_t take_asset = 0;
    Amount take;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &QuoteRequest::channel), field("request", &QuoteRequest::request),
                               field("isSwap", &QuoteRequest::is_swap), field("instrument", &QuoteRequest::instrument),
                               field("quantity", &QuoteRequest::quantity), field("giveAsset", &QuoteRequest::give_asset),
                               field("give", &QuoteRequest::give), field("takeAsset", &QuoteRequest::take_asset), field("take", &QuoteRequest::take));
    }
};

/// A firm price: the op that the maker will accept once, until `expires_ms`.
struct Quote {
    ChannelId channel;
    QuoteId request;  ///< zero for a streamed quote
    Op op;            ///< a SwapOp or TradeOp whose `quote` is this quote's id
    std::uint64_t expires_ms = 0;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &Quote::channel), field("request", &Quote::request), field("op", &Quote::op),
                               field("expiresMs", &Quote::expires_ms));
    }
};

struct QuoteRefuse {
    ChannelId channel;
    QuoteId request;
    Rule rule = Rule::none;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &QuoteRefuse::channel), field("request", &QuoteRefuse::request), field("rule", &QuoteRefuse::rule));
    }
};

/// A maker's streaming two-way quote: any quantity up to the size of a side, until it expires or is replaced (size zero ends it).
struct StreamQuote {
    ChannelId channel;
    QuoteId bid_id;
    QuoteId ask_id;
    Feed instrument;
    Price bid;
    Price ask;
    Quantity bid_size;
    Quantity ask_size;
    std::uint64_t expires_ms = 0;
    static constexpr auto fields() {
        return std::make_tuple(field("channel", &StreamQuote::channel), field("bidId", &StreamQuote::bid_id), field("askId", &StreamQuote::ask_id),
                               field("instrument", &StreamQuote::instrument), field("bid", &StreamQuote::bid), field("ask", &StreamQuote::ask),
                               field("bidSize", &StreamQuote::bid_size), field("askSize", &StreamQuote::ask_size),
                               field("expiresMs", &StreamQuote::expires_ms));
    }
};

/// A named fault that belongs to no update, for the other side's log and for whoever waits there.
struct PeerError {
    ChannelId channel;  ///< zero: the connection
    Rule rule = Rule::none;
    static constexpr auto fields() { return std::make_tuple(field("channel", &PeerError::channel), field("rule", &PeerError::rule)); }
};

/// The index is the message's type on the wire: append only.
using PeerMessage = std::variant<Hello, OpenPropose, OpenAccept, OpenRefuse, OpenConfirm, OpenDone, FundsSeen, Propose, Refuse, Update, Ack, Reject,
                                 Reestablish, WithdrawSignature, CloseSignature, HandOver, QuoteRequest, Quote, QuoteRefuse, StreamQuote, PeerError,
                                 TowerStore, TowerReceipt, TowerRefuse, TowerFetch, TowerRecord, TowerEnd, BackupStore, BackupStored, BackupFetch,
                                 BackupItems, TowerPlanAsk, TowerPlan>;

template <>
struct EnumCount<Rule> {
    static constexpr std::uint64_t value = static_cast<std::uint64_t>(Rule::count_);
};

}  // namespace hedgerow::channel
