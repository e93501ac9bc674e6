#pragma once

#include <map>

#include "channel/machine/channel.h"
#include "tests/fuzz/big.h"

/// The state of a channel written down once more from spec 4 and 5, in unbounded integers and plain maps: what the ops
/// that both agreed on must have made of it.
namespace hedgerow::fuzz {

struct ModelPosition {
    channel::Feed underlying;
    std::uint64_t expiry = 0;
    Big quantity;
    Big mark;
    std::uint64_t funded_until_ms = 0;
    Big index;
    Big rate_e12;
};

struct ModelLock {
    Big amount;  ///< positive: A pays B
    std::size_t asset = 0;
    std::uint64_t expiry = 0;
};

/// The most that each party can have deposited, as far as anyone was ever told: what it may spend lies within.
using DepositBounds = std::array<std::array<Big, channel::kMaxAssets>, 2>;

class Model {
  public:
    /// `revealed`: what is registered on chain; outlives the model and its copies.
    Model(const channel::Terms& terms, const channel::ChannelState& initial, const channel::Revealed& revealed);

    /// One op of an agreed version; asserts what any agreed op must fulfil.
    void apply(const channel::OpEntry& entry, std::uint64_t timestamp_ms, const DepositBounds& deposits);
    /// The version whose ops were applied; `close_deadline` of the last of them where that was its close, else 0.
    void finish(std::uint64_t version, std::uint64_t close_deadline);
    /// Asserts that the state is this model.
    void check(const channel::ChannelState& state) const;
    [[nodiscard]] std::uint64_t version() const { return m_version; }

  private:
    using Rights = std::map<std::size_t, std::pair<Big, std::uint64_t>>;

    [[nodiscard]] Big price_of_asset(std::size_t asset) const;
    [[nodiscard]] Big locked(channel::Party payer, std::size_t asset) const;
    /// What the party could own at most, less what it has locked.
    [[nodiscard]] Big most_available(channel::Party party, std::size_t asset, const DepositBounds& deposits) const;
    void check_spent(channel::Party party, std::size_t asset, const DepositBounds& deposits) const;
    /// Equity at most, and initial margin, with one position valued at another price than its mark.
    void check_initial(channel::Party party, const DepositBounds& deposits, const channel::Feed* feed,
                       const Big& price) const;
    void credit(const Big& usd16_to_a);
    void settle(ModelPosition& position, const Big& price, std::uint64_t now_ms);
    void reduce(const channel::Feed& instrument, const Big& change);

    void apply_op(channel::Party origin, const channel::PayOp& op);
    void apply_op(channel::Party origin, const channel::SwapOp& op);
    void apply_op(channel::Party origin, const channel::TradeOp& op);
    void apply_op(channel::Party origin, const channel::MarkOp& op);
    void apply_op(channel::Party origin, const channel::LockOp& op);
    void apply_op(channel::Party origin, const channel::FulfilOp& op);
    void apply_op(channel::Party origin, const channel::CancelOp& op);
    void apply_op(channel::Party origin, const channel::LiquidateOp& op);
    void apply_op(channel::Party origin, const channel::TermsOp& op);
    void apply_op(channel::Party origin, const channel::WithdrawOp& op);
    void apply_op(channel::Party origin, const channel::CloseOp& op);
    void apply_op(channel::Party origin, const channel::ExpireOp& op);

    channel::Terms m_terms;
    const channel::Revealed* m_revealed;
    channel::RiskTerms m_risk;
    std::uint64_t m_version = 0;
    std::uint64_t m_proposals_done = 0;
    std::uint64_t m_close_deadline = 0;
    std::vector<Big> m_net;
    std::vector<Big> m_marks;
    std::map<channel::Feed, ModelPosition> m_positions;
    std::map<channel::LockHash, ModelLock> m_locks;
    Big m_residue;
    std::array<Rights, 2> m_rights;

    // Of the op that is being applied.
    std::uint64_t m_now_ms = 0;
    const DepositBounds* m_deposits = nullptr;
};

}  // namespace hedgerow::fuzz
