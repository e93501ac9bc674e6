#pragma once

#include <optional>
#include <span>

#include "channel/base/u256.h"
#include "channel/messages/risk_terms.h"

/// Isolated margin (spec 5.5): each position needs a rate of its own notional, nothing nets. Pure arithmetic over
/// views, seen from one party; the same rules for both, so each can check the other. Everything here is USD 1e-16 and
/// exact but for single roundings against the party whose account it is.
namespace hedgerow::channel {

/// One open position as its holder sees it.
struct PositionView {
    const Position* position = nullptr;
    Quantity quantity;       ///< the holder's: positive long. position->quantity for A, its negation for B
    Price price;             ///< of the instrument now, [0, 2^96)
    Price underlying_price;  ///< of its underlying now, read for calls and puts only; 0 where unknown: then strike +
                             ///< price (call), strike (put)
};

/// One party's account. `balances`, `assets` and `asset_prices` have one length, at least 1.
struct AccountView {
    std::span<const Amount> balances;  ///< what the party owns of each asset (locked amounts out are not its own)
    std::span<const Asset> assets;
    std::span<const Price> asset_prices;  ///< (0, 2^96)
    std::span<const PositionView> positions;
    const RiskTerms& terms;
};

struct Margin {
    I256 equity16;       ///< collateral + unrealised
    I256 collateral16;   ///< assets[0] at full price, negative too; others, where positive, less their haircut
    I256 unrealised16;   ///< sum of quantity * (price - position.mark)
    I256 initial16;      ///< below it only what reduces risk is allowed
    I256 maintenance16;  ///< below it the counterparty may liquidate
    I256 notional16;     ///< sum of |quantity| * price (calls and puts: * underlying_price; digitals: * 1 USD)

    [[nodiscard]] bool meets_initial() const { return equity16 >= initial16; }
    [[nodiscard]] bool breaches_maintenance() const { return equity16 < maintenance16; }
};

[[nodiscard]] Margin margin_of(const AccountView& account);
/// What margin_of would say if positions[index] had `price`, from what it says: costs the same however many positions
/// there are.
[[nodiscard]] Margin with_price(const Margin& margin, const AccountView& account, std::size_t index, Price price);

/// What one position needs, each rounded up. The rates are those of RiskTerms::find(underlying), 100 % where it lists
/// none:
/// - linear: rate x |quantity| x price;
/// - long call or put, either side of a digital: the most it can lose, capped by rate x |quantity| x underlying (calls
/// and puts);
/// - short call or put, after Deribit's standard margin (there 15 % less out-of-the-money, at least 10 %; 7.5 %), whose
///   premium is not paid up front here and so not added: initial max(i * U - otm, 2/3 * i * U, m * U), maintenance m *
///   U; a put at most strike - price.
struct Requirement {
    I256 initial16;
    I256 maintenance16;
};
[[nodiscard]] Requirement requirement_of(const PositionView& view, const RiskTerms& terms);
/// |quantity| times price, underlying_price or one USD: see Margin::notional16.
[[nodiscard]] I256 notional16(const PositionView& view);

/// What a liquidated party loses beside the price: ceil(|closed| notional * penalty_bps / 10^4), USD 1e-16. 100 % at
/// most is not enforced here; terms are checked where they are agreed.
[[nodiscard]] I256 liquidation_penalty16(const PositionView& view, Quantity closed, const RiskTerms& terms);

/// The least reduction (> 0, in whole lots, or all of it) of positions[index], closed at its price less the penalty,
/// after which equity is at least initial margin; all of it where no part is enough. Zero where the account meets
/// initial margin already.
[[nodiscard]] Quantity liquidation_quantity(const AccountView& account, std::size_t index, Quantity lot);

/// The price of positions[index] at which equity first falls below maintenance as its price alone moves against the
/// holder: for a long the highest, for a short the lowest such price. Nothing where no price in [0, 2^96) does, or
/// quantity is zero.
[[nodiscard]] std::optional<Price> liquidation_price(const AccountView& account, std::size_t index);

/// notional / equity in basis points (10^4 is 1x), rounded down; nothing where equity is not positive.
[[nodiscard]] std::optional<U256> leverage_bps(const Margin& margin);

}  // namespace hedgerow::channel
