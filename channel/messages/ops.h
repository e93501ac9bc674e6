#pragma once

#include "channel/codec/shared_list.h"
#include "channel/messages/risk_terms.h"

/// Operations: the changes to a state (spec 4). Amounts and quantities are signed from A's side (spec 1.2).
namespace hedgerow::channel {

inline constexpr std::size_t kMaxOpsPerUpdate = 4096;
inline constexpr std::size_t kMaxMemo = 256;

/// Names a quote or order of the other side that a swap or trade fills; zero: none.
using QuoteId = FixedBytes<16, struct QuoteIdTag>;

struct PayOp {
    std::uint8_t asset = 0;
    Amount amount;  ///< positive: A pays B; never zero
    Text<kMaxMemo> memo;
    static constexpr auto fields() {
        return std::make_tuple(field("asset", &PayOp::asset), field("amount", &PayOp::amount), field("memo", &PayOp::memo));
    }
    bool operator==(const PayOp&) const = default;
};

/// Both legs or none. `give` and `take` have opposite signs.
struct SwapOp {
    std::uint8_t give_asset = 0;
    Amount give;  ///< positive: A pays B
    std::uint8_t take_asset = 0;
    Amount take;
    QuoteId quote;
    static constexpr auto fields() {
        return std::make_tuple(field("giveAsset", &SwapOp::give_asset), field("give", &SwapOp::give), field("takeAsset", &SwapOp::take_asset),
                               field("take", &SwapOp::take), field("quote", &SwapOp::quote));
    }
    bool operator==(const SwapOp&) const = default;
};

struct TradeOp {
    Feed instrument;
    Feed underlying;
    Kind kind = Kind::linear;
    std::uint64_t expiry = 0;  ///< seconds
    Price strike;
    Quantity quantity;  ///< positive: A buys
    Price price;
    Amount fee;  ///< of assets[0]; positive: A pays B
    QuoteId quote;
    static constexpr auto fields() {
        return std::make_tuple(field("instrument", &TradeOp::instrument), field("underlying", &TradeOp::underlying), field("kind", &TradeOp::kind),
                               field("expiry", &TradeOp::expiry), field("strike", &TradeOp::strike), field("quantity", &TradeOp::quantity),
                               field("price", &TradeOp::price), field("fee", &TradeOp::fee), field("quote", &TradeOp::quote));
    }
    bool operator==(const TradeOp&) const = default;
};

/// Settles variation and accrued funding of every position on `feed` into net, and sets the mark of assets with that feed.
struct MarkOp {
    Feed feed;
    Price price;
    Price index;  ///< of the underlying, for perpetuals (funding, spec 5.4); zero otherwise
    static constexpr auto fields() {
        return std::make_tuple(field("feed", &MarkOp::feed), field("price", &MarkOp::price), field("index", &MarkOp::index));
    }
    bool operator==(const MarkOp&) const = default;
};

struct LockOp {
    Lock lock;
    static constexpr auto fields() { return std::make_tuple(field("lock", &LockOp::lock)); }
    bool operator==(const LockOp&) const = default;
};

struct FulfilOp {
    LockHash hash;
    Preimage preimage;
    static constexpr auto fields() { return std::make_tuple(field("hash", &FulfilOp::hash), field("preimage", &FulfilOp::preimage)); }
    bool operator==(const FulfilOp&) const = default;
};

struct CancelOp {
    LockHash hash;
    static constexpr auto fields() { return std::make_tuple(field("hash", &CancelOp::hash)); }
    bool operator==(const CancelOp&) const = default;
};

/// Closes `quantity` of the other party's position at its mark, less the agreed penalty (spec 5.6).
struct LiquidateOp {
    Feed instrument;
    Quantity quantity;  ///< change of A's position, toward zero
    Price price;        ///< must be the position's mark
    static constexpr auto fields() {
        return std::make_tuple(field("instrument", &LiquidateOp::instrument), field("quantity", &LiquidateOp::quantity),
                               field("price", &LiquidateOp::price));
    }
    bool operator==(const LiquidateOp&) const = default;
};

struct TermsOp {
    RiskTerms risk;
    static constexpr auto fields() { return std::make_tuple(field("risk", &TermsOp::risk)); }
    bool operator==(const TermsOp&) const = default;
};

/// Authorises `party` to take `total` (cumulative) of an asset out on chain before `deadline`.
struct WithdrawOp {
    Party party = Party::A;
    std::uint8_t asset = 0;
    Amount total;
    std::uint64_t deadline = 0;  ///< seconds
    static constexpr auto fields() {
        return std::make_tuple(field("party", &WithdrawOp::party), field("asset", &WithdrawOp::asset), field("total", &WithdrawOp::total),
                               field("deadline", &WithdrawOp::deadline));
    }
    bool operator==(const WithdrawOp&) const = default;
};

/// Ends the channel cooperatively: when co-signed, both sign a Close with this deadline and one version above.
struct CloseOp {
    std::uint64_t deadline = 0;  ///< seconds
    static constexpr auto fields() { return std::make_tuple(field("deadline", &CloseOp::deadline)); }
    bool operator==(const CloseOp&) const = default;
};

/// Closes the whole position on an expired instrument at its payoff (spec 5.11).
struct ExpireOp {
    Feed instrument;
    Price price;  ///< of the underlying at expiry, as attested
    static constexpr auto fields() { return std::make_tuple(field("instrument", &ExpireOp::instrument), field("price", &ExpireOp::price)); }
    bool operator==(const ExpireOp&) const = default;
};

/// The index in this list is the op's type on the wire: append only.
using Op = std::variant<PayOp, SwapOp, TradeOp, MarkOp, LockOp, FulfilOp, CancelOp, LiquidateOp, TermsOp, WithdrawOp, CloseOp, ExpireOp>;

/// "pay", "swap", … as in the RPC.
[[nodiscard]] std::string_view op_name(const Op& op);

/// An op and where it came from: 0 is the leader itself, else the follower's proposal number (spec 6.3).
struct OpEntry {
    std::uint64_t proposal = 0;
    Op op;
    static constexpr auto fields() { return std::make_tuple(field("proposal", &OpEntry::proposal), field("op", &OpEntry::op)); }
    [[nodiscard]] Party origin() const { return proposal == 0 ? Party::A : Party::B; }
    bool operator==(const OpEntry&) const = default;
};

/// The last few different values of a list, by number: 1 is the newest, 0 is none.
template <typename T>
class Recent {
  public:
    static constexpr std::size_t kMax = 8;
    [[nodiscard]] std::size_t size() const { return std::min(m_count, kMax); }
    [[nodiscard]] const T& operator[](std::size_t number) const { return m_values[(m_count - number) % kMax]; }
    [[nodiscard]] std::size_t find(const T& value) const {
        for (std::size_t number = 1; number <= size(); ++number) {
            if ((*this)[number] == value) return number;
        }
        return 0;
    }
    void add(const T& value) { m_values[m_count++ % kMax] = value; }

  private:
    std::array<T, kMax> m_values{};
    std::size_t m_count = 0;
};

/// What a trade says of its instrument.
struct TradeDefinition {
    Feed instrument;
    Feed underlying;
    Kind kind = Kind::linear;
    std::uint64_t expiry = 0;
    Price strike;
    static constexpr auto fields() {
        return std::make_tuple(field("instrument", &TradeDefinition::instrument), field("underlying", &TradeDefinition::underlying),
                               field("kind", &TradeDefinition::kind), field("expiry", &TradeDefinition::expiry),
                               field("strike", &TradeDefinition::strike));
    }
    bool operator==(const TradeDefinition&) const = default;
};

/// In the ops of one update a trade names the definition and the quote that trades before it have said by number (spec 6.1).
template <>
class Sequence<OpEntry> {
  public:
    void write(Writer& out, const OpEntry& entry);
    void read(Reader& in, OpEntry& entry);

  private:
    void write_trade(Writer& out, const TradeOp& trade);
    void read_trade(Reader& in, TradeOp& trade);
    Recent<TradeDefinition> m_definitions;
    Recent<QuoteId> m_quotes;
};

/// The ops of one update.
using OpList = SharedList<OpEntry, kMaxOpsPerUpdate>;

}  // namespace hedgerow::channel
